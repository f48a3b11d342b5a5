//! `vault:`: references to single places, as users of the closest tool of this kind write them,
//! its variables, and what of them the workload still gets. The same environment, unchanged.

use serde_json::{Value, json};
use support::Run;
use support::bao;
use support::bao::App;

/// `doorkey run`, with nothing but the environment of the other tool.
pub fn bare(app: &App) -> Run {
    let run = app
        .place
        .doorkey(["run", "-q", "--", "env", "-u", "PATH", "-u", "HOME"]);
    run.env("VAULT_ADDR", app.bao.address())
        .env("VAULT_TOKEN", &app.token)
}

/// What the workload's environment is then, sorted.
#[track_caller]
pub fn lines(run: Run) -> Vec<String> {
    let out = run.ok().out();
    let mut lines: Vec<_> = out.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn places_are_filled_in_and_fetched_once_each() {
    let app = App::alone();
    let (team, old) = (app.document("team"), "old/db");
    app.put(
        "team",
        json!({"user": "ann", "pass": "one", "json": {"a": [1]}, "n": 5}),
    );
    app.put(
        "team",
        json!({"user": "ann", "pass": "two/", "json": {"a": [1]}, "n": 5}),
    );
    app.admin.mount("old", 1);
    app.admin.write(old, json!({"pass": "old"}));
    app.admin
        .policy("old", r#"path "old/*" { capabilities = ["read"] }"#);
    let token = app.admin.token(&format!("old,{}", app.mount));
    let run = bare(&app)
        .env("VAULT_TOKEN", token)
        .env("A", format!("vault:{team}#user"))
        .env("B", format!("bao:{team}#pass"))
        .env("C", format!("vault:{team}#pass#1"))
        .env(
            "D",
            format!("https://${{vault:{team}#user}}:${{bao:{team}#pass|urlencode}}@db"),
        )
        .env("E", "vault:old/db#pass")
        .env("F", format!("vault:{team}#json"))
        .env("G", format!("vault:/{team}#n"))
        .env("H", format!("vault:{team}#none?instead"))
        .env("I", "vault::literal")
        .env("J", format!("vault:{team}#pass#-1"));
    let mark = app.bao.mark();
    assert_eq!(
        lines(run),
        [
            "A=ann",
            "B=two/",
            "C=one",
            "D=https://ann:two%2F@db",
            "E=old",
            r#"F={"a":[1]}"#,
            "G=5",
            "H=instead",
            "I=vault:literal",
            "J=two/",
        ]
    );
    let read = format!("read {team}");
    assert_eq!(
        app.bao.requests(mark),
        [read.clone(), read, format!("read {old}")]
    );
}

#[test]
fn places_beside_scopes_are_one_round_with_one_login() {
    let app = App::alone();
    let (role, secret) = app.admin.approle("approle", &app.mount);
    app.put("team", json!({"k": "scoped"}));
    app.put("other", json!({"k": "direct"}));
    let run = app.nobody("run -q -- printenv A B C");
    let run = run
        .env("A", "secret:k")
        .env("B", format!("vault:{}#k", app.document("other")))
        .env("C", format!("bao:{}#k", app.document("other")))
        .env("VAULT_AUTH_METHOD", "approle")
        .env("VAULT_ROLE_ID", role)
        .env("VAULT_SECRET_ID", secret);
    let mark = app.bao.mark();
    assert_eq!(run.ok().out(), "scoped\ndirect\ndirect\n");
    assert_eq!(
        app.bao.requests(mark),
        [
            format!("read {}", app.document("other")),
            format!("read {}", app.document("team")),
            "update auth/approle/login".to_owned(),
            "update auth/token/revoke-self".to_owned(),
        ]
    );
    // Beside a store of another kind.
    app.place.doorkey(["store", "init", "secrets", "-q"]).ok();
    app.place.set("team", "k", "from age");
    let run = bare(&app)
        .env("DOORKEY_STORE", "age:secrets")
        .env("A", "secret:k")
        .env("B", format!("vault:{}#k", app.document("other")));
    assert_eq!(lines(run), ["A=from age", "B=direct"]);
}

#[test]
fn what_is_wrong_with_a_place_is_said() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    app.put("gone", json!({"k": "v"}));
    app.admin.delete(&app.document("gone"));
    let team = app.document("team");
    let says = |reference: String, why: &str| {
        let ended = bare(&app).env("V", &reference).end();
        assert_eq!(ended.code(), 125, "{reference}");
        let err = ended.err();
        assert!(
            err.contains(why) && err.lines().count() == 1,
            "{reference}: {err}"
        );
    };
    says(format!("vault:{team}#none"), "V: vault:");
    says(format!("vault:{team}#k#9"), "V: vault:");
    says(format!("vault:{}#k", app.document("gone")), "is deleted");
    says("vault:elsewhere/data/x#k".to_owned(), "denied");
    for malformed in [
        "vault:",
        "vault:a",
        "vault:a#",
        "vault:a/../b#k",
        "vault:a//b#k",
        "vault:a#k#x",
        "x${vault:a#k",
        "vault:a#${.k}",
        ">>vault:a#k",
    ] {
        says(malformed.to_owned(), "V: malformed reference: column ");
    }
    // Without a slash at the front or the mount's `data/`, it is another path.
    let run = app
        .operator("run -q -- true")
        .env("V", format!("vault:{}/app/team#k", app.mount));
    assert_eq!(run.end().code(), 125);
}

#[test]
fn what_is_missing_can_be_ignored() {
    let app = App::new();
    let team = app.document("team");
    app.put("team", json!({"k": "v"}));
    let run = || {
        bare(&app)
            .env("A", format!("vault:{}#k", app.document("none/either")))
            .env("B", format!("vault:{}#k", app.document("none")))
            .env("C", format!("vault:{team}#k"))
    };
    assert_eq!(run().end().code(), 125);
    let ignored = run().env("VAULT_IGNORE_MISSING_SECRETS", "true");
    assert_eq!(lines(ignored), ["C=v"]);
    // A document that has no such key is no missing document.
    let key = run().env("VAULT_IGNORE_MISSING_SECRETS", "true");
    let key = key.env("A", format!("vault:{team}#none"));
    assert_eq!(key.end().code(), 125);
}

#[test]
fn the_login_word_hands_the_token_over() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    app.admin.jwt(
        "jwt-direct",
        &bao::Signer::new(app.path("keys")).public,
        &app.mount,
    );
    let (role, secret) = app.admin.approle("approle-direct", &app.mount);
    let run = |words: &str| {
        let run = app
            .place
            .doorkey(format!("run -q {words}").split_whitespace());
        run.args(["--", "sh", "-c", "echo $VAULT_TOKEN; echo ${V-}"])
            .env("VAULT_ADDR", app.bao.address())
            .env("VAULT_TOKEN", "vault:login")
            .env("VAULT_AUTH_METHOD", "approle")
            .env("VAULT_PATH", "approle-direct")
            .env("VAULT_ROLE_ID", &role)
            .env("VAULT_SECRET_ID", &secret)
            .env("V", format!("vault:{}#k", app.document("team")))
    };
    let out = run("").ok().out();
    let (token, value) = out.trim_end().split_once('\n').unwrap();
    assert_eq!(value, "v");
    let own = app.admin.with_token(token);
    assert_eq!(
        own.status("GET", "auth/token/lookup-self", &Value::Null),
        200,
        "{out}"
    );
    let revoked = run("").env("VAULT_REVOKE_TOKEN", "true").ok().out();
    let own = app.admin.with_token(revoked.lines().next().unwrap());
    assert_eq!(
        own.status("GET", "auth/token/lookup-self", &Value::Null),
        403
    );
}

#[test]
fn the_workload_gets_none_of_the_variables_and_all_of_the_others() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let own = [
        "VAULT_ROLE",
        "VAULT_AUTH_METHOD",
        "VAULT_NAMESPACE",
        "VAULT_CACERT",
        "VAULT_CLIENT_CERT",
        "VAULT_CLIENT_KEY",
        "VAULT_JWT",
        "BAO_SECRET_ID",
        "VAULT_TOKEN_FILE",
        "VAULT_PROXY_ADDR",
        "BAO_MAX_RETRIES",
        "VAULT_LOG_LEVEL",
        "VAULT_FORMAT",
        "VAULT_SKIP_VERIFY",
        "VAULT_IGNORE_MISSING_SECRETS",
    ];
    let with_own = |run: Run| {
        own.iter().fold(run, |run, name| match *name {
            "VAULT_AUTH_METHOD" => run.env(name, "token"),
            "VAULT_NAMESPACE" | "VAULT_PROXY_ADDR" | "VAULT_CACERT" | "VAULT_TOKEN_FILE" => {
                run.env(name, "")
            }
            _ => run.env(name, "1"),
        })
    };
    let others = [
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("NO_PROXY", "x"),
        ("SSL_CERT_FILE", "/nowhere"),
        ("VAULT_OTHER", "ours"),
        ("VAULTED", "yes"),
        ("https_proxy", "http://127.0.0.1:1"),
    ];
    let run = || {
        let run = with_own(bare(&app)).env("V", format!("vault:{}#k", app.document("team")));
        others
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    };
    let mut expected: Vec<_> = others
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    expected.push("V=v".to_owned());
    expected.sort();
    assert_eq!(lines(run()), expected);
    // Passed on all the same, as the other tool has it, and as doorkey does.
    let passed = run().env("VAULT_PASSTHROUGH", "VAULT_ROLE,BAO_SECRET_ID");
    expected.extend(["BAO_SECRET_ID=1".to_owned(), "VAULT_ROLE=1".to_owned()]);
    expected.sort();
    assert_eq!(lines(passed), expected);
    let kept = run().env("DOORKEY_KEEP_ENV", "VAULT_ROLE,BAO_SECRET_ID");
    assert_eq!(lines(kept), expected);
    // A launch that has nothing to do with such a store leaves them alone.
    let other = app
        .place
        .doorkey(["run", "--", "printenv", "VAULT_ADDR", "VAULT_TOKEN"]);
    let other = other.env("VAULT_ADDR", "a").env("VAULT_TOKEN", "t");
    other.gives(0, "a\nt\n", "");
}

#[test]
fn the_address_comes_from_nowhere_that_others_could_have_written() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let run = |words: &str| {
        let run = app
            .place
            .doorkey(format!("run -q {words}").split_whitespace());
        run.args(["--", "printenv", "V"])
            .env("VAULT_TOKEN", &app.token)
            .env("V", "secret:k")
    };
    let text = format!(
        "store = \"{}\"\naddress = \"{}\"\n",
        app.store(),
        app.bao.address()
    );
    app.write("conf/own.toml", &text);
    assert_eq!(run("--config conf/own.toml").ok().out(), "v\n");
    let option = format!("--config conf/own.toml --address {}", app.bao.address());
    assert_eq!(run(&option).ok().out(), "v\n");
    // A file that was merely found.
    app.write("doorkey.toml", &text);
    let ended = run("").end();
    assert_eq!(ended.code(), 125);
    assert!(ended.err().contains("address"), "{}", ended.err());
    app.write("doorkey.toml", format!("store = \"{}\"\n", app.store()));
    let ended = run("").end();
    assert!(
        ended.err().contains("the server's address is missing"),
        "{}",
        ended.err()
    );
    assert_eq!(
        run("").env("VAULT_ADDR", app.bao.address()).ok().out(),
        "v\n"
    );
    for address in [
        "127.0.0.1",
        "ftp://x",
        "http://user:hunter@127.0.0.1",
        "http://x/?a",
        "http://",
    ] {
        let ended = run("").env("VAULT_ADDR", address).end();
        let err = ended.err();
        assert!(
            ended.code() == 125 && err.contains("the server's address "),
            "{err}"
        );
        assert!(!err.contains("hunter"), "{err}");
    }
}

#[test]
fn places_in_files() {
    let app = App::alone();
    let team = app.document("team");
    app.put("team", json!({"user": "ann", "pass": "one\ntwo"}));
    let template =
        format!("a: ${{vault:{team}#user}}\nb: ${{bao:{team}#pass|base64}}\nc: $${{bao:a#b}}\n");
    app.place.write("app.in", template);
    let with_token = |words: &str| {
        let run = app.nobody(words).env("DOORKEY_STORE", "");
        let run = run.env("VAULT_ADDR", app.bao.address());
        run.env("VAULT_TOKEN", &app.token)
    };
    let rendered = "a: ann\nb: b25lCnR3bw==\nc: ${bao:a#b}\n";
    with_token("render app.in").gives(0, rendered, "");
    app.place
        .write("none.in", format!("x${{vault:{team}#none}}"));
    let ended = with_token("render none.in").end();
    let said = format!("doorkey: error: none.in:1:2: vault:{team}#none: there is no such key in ");
    assert!(ended.err().starts_with(&said), "{}", ended.err());
    // A token that is handed over lives on, in a file too.
    let (role, secret) = app.admin.approle("approle", &app.mount);
    let run = app
        .nobody("run -q -- sh -c")
        .arg("cat $PASS; cat $VAULT_TOKEN");
    let run = run
        .env("DOORKEY_STORE", "")
        .env("VAULT_ADDR", app.bao.address())
        .env("VAULT_TOKEN", "vault:login|file")
        .env("PASS", format!("vault:{team}#pass|file"))
        .env("VAULT_AUTH_METHOD", "approle")
        .env("VAULT_ROLE_ID", role)
        .env("VAULT_SECRET_ID", secret);
    let mark = app.bao.mark();
    let out = run.ok().out();
    let token = out.strip_prefix("one\ntwo").expect("both files");
    assert!(token.len() > 20, "a token");
    let read = format!("read {team}");
    let login = "update auth/approle/login".to_owned();
    assert_eq!(app.bao.requests(mark), [read, login]);
}
