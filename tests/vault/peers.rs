//! The variables of the closest tools of this kind: documents whose members are all added, what is
//! known and not supported, what no workload gets.

use serde_json::json;
use support::Run;
use support::bao::App;
use support::pty::Terminal;

/// `doorkey run`, with nothing but the environment of the other tool; the workload prints its own.
fn bare(app: &App, words: &str) -> Run {
    let run = app.place.doorkey(["run", "--log-level", "warn"]);
    let run = run.args(words.split_whitespace());
    run.args(["--", "env", "-u", "PATH", "-u", "HOME"])
        .env("VAULT_ADDR", app.bao.address())
        .env("VAULT_TOKEN", &app.token)
}

/// A server with two documents; `both` lists them.
fn app() -> (App, String) {
    let app = App::alone();
    app.put(
        "one",
        json!({"USER": "ann", "PASS": "old", "n": 5, "json": {"a": [1]}}),
    );
    app.put(
        "two",
        json!({"PASS": "new\nline", "LD_PRELOAD": "x.so", "VAULT_ROLE": "r"}),
    );
    let both = format!("{},{}", app.document("one"), app.document("two"));
    (app, both)
}

#[test]
fn every_member_of_listed_documents_is_added() {
    let (app, both) = app();
    let warnings = |by: &str| {
        format!(
            "doorkey: warning: {by}: not added, as these variables are doorkey's or the store's own: \
             VAULT_ROLE; --keep-env NAME adds one\n\
             doorkey: warning: {by}: not added, as programs run code by these variables: LD_PRELOAD; \
             --keep-env NAME adds one\n"
        )
    };
    let all = "PASS=new\nline\nUSER=ann\njson={\"a\":[1]}\nn=5\n";
    for name in [
        "VAULT_FROM_PATH",
        "BAO_FROM_PATH",
        "VAULT_ENV_FROM_PATH",
        "BAO_ENV_FROM_PATH",
    ] {
        let mark = app.bao.mark();
        bare(&app, "")
            .env(name, &both)
            .gives(0, all, &warnings(name));
        let read = ["one", "two"].map(|name| format!("read {}", app.document(name)));
        assert_eq!(app.bao.requests(mark), read);
    }
    // As users of the other tool write them; what is assigned wins, and may refer to the same.
    let one = app.document("one");
    app.put("one", json!({"USER": "eve"}));
    let listed = format!(" vault:{one}#1 , {}?,/{one}#2,", app.document("none"));
    let run = bare(&app, "-e USER=root").env("NOW", format!("vault:{one}#USER"));
    let run = run.env("VAULT_FROM_PATH", &listed);
    run.gives(
        0,
        "NOW=eve\nUSER=root\nPASS=old\njson={\"a\":[1]}\nn=5\n",
        "",
    );
    // One that is empty hides the other, as with the official clients.
    let run = bare(&app, "").env("VAULT_FROM_PATH", &both);
    let out = run.env("BAO_FROM_PATH", "").ok().out();
    assert!(!out.contains("USER="), "{out}");
    // Said by a spec, passed on, or none of doorkey's business.
    let spec = format!("env: [{{name: VAULT_FROM_PATH, value: '{one}#2'}}]");
    app.place.write("spec.yaml", spec);
    bare(&app, "--spec spec.yaml").gives(0, "USER=eve\n", "");
    let kept = bare(&app, "--keep-env VAULT_FROM_PATH").env("VAULT_FROM_PATH", &one);
    kept.gives(0, &format!("VAULT_FROM_PATH={one}\nUSER=eve\n"), "");
    let literal = bare(&app, "--literal VAULT_FROM_PATH --clear-env").env("VAULT_FROM_PATH", &one);
    literal.gives(0, "", "");
    let kept = bare(&app, "--keep-env LD_PRELOAD,VAULT_ROLE");
    let kept = kept.env("VAULT_FROM_PATH", app.document("two"));
    let ended = kept
        .env("VAULT_PASSTHROUGH", "VAULT_ROLE")
        .arg("LD_PRELOAD=");
    assert!(ended.end().out().contains("VAULT_ROLE=r\n"));
}

#[test]
fn a_listed_document_that_is_not_there_is_a_fault() {
    let (app, both) = app();
    let none = app.document("none");
    let run = |list: &str| bare(&app, "").env("VAULT_FROM_PATH", list);
    let listed = format!("{none},elsewhere/data/x,{both}");
    let ended = run(&listed).end();
    let err = ended.err();
    let faults: Vec<_> = err.lines().filter(|line| line.contains("error")).collect();
    assert_eq!(
        (ended.code(), ended.out().as_str(), faults.len()),
        (125, "", 2),
        "{err}"
    );
    let absent = format!(
        "doorkey: error: VAULT_FROM_PATH: vault:{none}: there is no such document in {}; create \
         it, or allow its absence with '?'",
        app.bao.address()
    );
    assert_eq!(faults[0], absent);
    let other = format!("elsewhere/data/x: {}: ", app.bao.address());
    assert!(faults[1].contains(&other) && faults[1].contains("denied"));
    let ignored = run(&none).env("VAULT_IGNORE_MISSING_SECRETS", "true");
    ignored.gives(
        0,
        "",
        &format!("doorkey: warning: vault:{none} is missing, and left out\n"),
    );
    for malformed in ["a/../b", "a#x", "a#1#2", "a?b", "a b,c\x01", "a,${b}"] {
        let ended = run(malformed).end();
        let said = "doorkey: error: VAULT_FROM_PATH: malformed reference: column ";
        assert!(
            ended.code() == 125 && ended.err().starts_with(said),
            "{}",
            ended.err()
        );
    }
    for name in ["a=b", "", "a\0b"] {
        app.put("bad", json!({"good": "v", name: "canary"}));
        let said = format!(
            "doorkey: error: VAULT_FROM_PATH: vault:{0}: a member's name can't be a variable's: it is \
             empty, or has = or NUL in it\n",
            app.document("bad")
        );
        run(&app.document("bad")).fails(125, &said);
    }
}

#[test]
fn members_are_filled_in_everywhere() {
    let (app, _) = app();
    let one = app.document("one");
    let (key, public) = (app.place.path("cache.key"), app.place.key("cache"));
    let cache = format!("--cache cache --cache-recipient {public}");
    let run = |words: &str| {
        let run = bare(&app, words).env("VAULT_FROM_PATH", &one);
        run.env("DOORKEY_KEY_FILE", &key)
    };
    let all = "PASS=old\nUSER=ann\njson={\"a\":[1]}\nn=5\n";
    run(&cache).gives(0, all, "");
    let mask = run("--mask --mask-min 4")
        .arg("COPY=x")
        .env("VAULT_FROM_PATH", &one);
    let out = mask.ok().out();
    assert!(
        out.contains(&format!("json=[secret:vault:{one}#json]\n")),
        "{out}"
    );
    let of = |command: &str| {
        let run = app.place.doorkey([command]).env("VAULT_FROM_PATH", &one);
        run.env("VAULT_ADDR", app.bao.address())
            .env("VAULT_TOKEN", &app.token)
            .ok()
            .out()
    };
    assert!(of("env").contains(&format!("USER=[secret:vault:{one}#USER]\n")));
    assert!(
        of("check")
            .lines()
            .any(|line| line.starts_with("USER ") && line.ends_with(" ok"))
    );
    // The last values, when the server is not there.
    app.bao.kill();
    let down = run(&cache).env("DOORKEY_TIMEOUT", "1s").ok();
    assert_eq!(down.out(), all);
}

#[test]
fn what_is_known_and_not_supported_is_never_passed_over() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let run = |name: &str, value: &str| {
        let run = bare(&app, "").env("V", format!("vault:{}#k", app.document("team")));
        run.env(name, value)
    };
    for name in [
        "VAULT_MFA",
        "BAO_SRV_LOOKUP",
        "VAULT_HEADERS",
        "VAULT_WRAP_TTL",
        "VAULT_TRANSIT_KEY_ID",
        "BAO_TRANSIT_PATH",
        "VAULT_TOKEN_PATH",
        "SECRET_INIT_PROVIDER",
    ] {
        let ended = run(name, "canary").end();
        let said = format!("doorkey: error: vault:: {name} ");
        assert!(ended.err().starts_with(&said), "{}", ended.err());
        assert_eq!((ended.code(), ended.err().lines().count()), (125, 1));
        assert!(!ended.err().contains("canary"));
    }
    let two = run("VAULT_MFA", "a").env("BAO_HEADERS", "b").end();
    assert!(two.err().contains("VAULT_MFA ") && two.err().contains("BAO_HEADERS "));
    for name in [
        "VAULT_ENV_DAEMON",
        "SECRET_INIT_DAEMON",
        "VAULT_ENV_DELAY",
        "SECRET_INIT_DELAY",
        "VAULT_LOG_LEVEL",
        "SECRET_INIT_LOG_LEVEL",
        "BAO_JSON_LOG",
        "SECRET_INIT_JSON_LOG",
        "VAULT_ENV_LOG_SERVER",
        "SECRET_INIT_LOG_SERVER",
        "VAULT_TRANSIT_BATCH_SIZE",
        "VAULT_RATE_LIMIT",
        "VAULT_DISABLE_REDIRECTS",
        "VAULT_CLUSTER_ADDR",
        "VAULT_REDIRECT_ADDR",
        "VAULT_CLI_NO_COLOR",
    ] {
        let ended = run(name, "10").ok();
        let said = format!("doorkey: warning: {name} has no effect here: ");
        assert!(ended.err().starts_with(&said), "{}", ended.err());
        assert_eq!(
            (ended.out().as_str(), ended.err().lines().count()),
            ("V=v\n", 1)
        );
        assert_eq!(name.ends_with("DAEMON"), ended.err().contains("--init"));
    }
    // What says no, or what doorkey does anyhow, asks for nothing.
    for (name, value) in [
        ("VAULT_SRV_LOOKUP", "false"),
        ("VAULT_JSON_LOG", "false"),
        ("VAULT_ENV_DAEMON", "0"),
        ("VAULT_MFA", ""),
        ("SECRET_INIT_PROVIDER", "vault"),
        ("SECRET_INIT_WHATEVER", "x"),
    ] {
        run(name, value).gives(0, "V=v\n", "");
    }
    let inline = bare(&app, "").env("V", "x ${>>vault:a#b} ${>>bao:c#d}");
    let said = "doorkey: error: V: malformed reference: column 3: references that write are not \
                supported; to pass the value on as it is, use --literal V\n";
    inline.fails(125, said);
    let escaped = bare(&app, "")
        .env("V", "$${>>vault:a#b}")
        .env("W", "${>>other:a}");
    let out = escaped.ok().out();
    assert!(
        out.contains("V=${>>vault:a#b}\n") && out.contains("W=${>>other:a}\n"),
        "{out}"
    );
}

#[test]
fn credentials_of_a_store_that_is_chosen_go_whether_or_not_it_is_needed() {
    let app = App::new();
    let run = |words: &str| {
        let run = bare(&app, words).env("BAO_SECRET_ID", "s");
        run.env("SECRET_INIT_DAEMON", "true").env("A", "1")
    };
    run(&format!("--store {}", app.store())).gives(0, "A=1\n", "");
    app.place
        .write("doorkey.toml", "store = \"bao:anything\"\n");
    run("").gives(0, "A=1\n", "");
    run("--keep-env VAULT_TOKEN").gives(0, &format!("A=1\nVAULT_TOKEN={}\n", app.token), "");
    // With another store the other tool's own go, and a server's credentials are somebody else's.
    let out = run("--store dir:.").ok().out();
    assert!(
        out.contains("VAULT_TOKEN=") && !out.contains("SECRET_INIT_"),
        "{out}"
    );
    // Where there is none they are somebody else's.
    app.place.write("doorkey.toml", "");
    let out = run("").ok().out();
    assert!(
        out.contains("VAULT_TOKEN=") && out.contains("SECRET_INIT_DAEMON=true\n"),
        "{out}"
    );
}

#[test]
fn the_login_word_of_either_tool() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let (role, secret) = app.admin.approle("approle-word", &app.mount);
    for (name, word) in [("VAULT_TOKEN", "vault:login"), ("BAO_TOKEN", "bao:login")] {
        let start = |option: &str| {
            let words = ["run", "-q", option, "--", "printenv", name, "V"];
            let run = app.place.doorkey(words);
            let run = run.env("VAULT_ADDR", app.bao.address());
            let run = run
                .env("VAULT_PATH", "approle-word")
                .env("VAULT_ROLE_ID", &role);
            let run = run.env("VAULT_SECRET_ID", &secret).env(name, word);
            let run = run.env("V", format!("vault:{}#k", app.document("team")));
            run.ok().out()
        };
        let out = start("--timeout=30s");
        assert!(
            out.ends_with("\nv\n") && !out.contains("login") && out.len() > 20,
            "{out}"
        );
        // The token that is handed on is a secret as well.
        assert_eq!(start("--mask"), format!("[secret:{word}]\nv\n"));
    }
}

/// Nobody logs in before there is something to do.
#[test]
fn no_token_is_taken_while_a_value_is_asked_for() {
    let app = App::alone();
    let mark = app.bao.mark();
    for command in ["create", "set", "update"] {
        let mut terminal = Terminal::start(app.operator(&format!("secret {command} a --team")));
        terminal.wait_for("value of a: ");
        assert_eq!(app.bao.requests(mark), Vec::<String>::new());
        terminal.types("\x03");
        assert_eq!(terminal.end().0, 1);
    }
}

/// Its file would stay, and so would the token.
#[test]
fn a_token_is_not_removed_where_it_has_no_file() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let said = "--token-once needs the token's file: give --token-file or VAULT_TOKEN_FILE";
    let run = || {
        app.nobody("run -q --token-once -- true")
            .env("V", "secret:k")
    };
    let given = run().env("VAULT_TOKEN", &app.token).end();
    app.place.write("home/.vault-token", &app.token);
    for ended in [given, run().end()] {
        assert!(
            ended.code() == 125 && ended.err().contains(said),
            "{}",
            ended.err()
        );
    }
    assert!(app.place.path("home/.vault-token").exists());
}

/// One function judges every path that becomes part of a request; the server is not asked.
#[test]
fn no_path_leads_elsewhere() {
    let app = App::alone();
    app.place.write("jwt", "canary");
    let mark = app.bao.mark();
    let place = app.document("team");
    for (variable, path, said) in [
        ("VAULT_USERNAME", "../../sys/x", "VAULT_USERNAME: "),
        (
            "VAULT_PATH",
            "approle/../../sys/leader",
            "--auth-path (VAULT_PATH): ",
        ),
        ("DOORKEY_AUTH_PATH", "a/../b", "--auth-path (VAULT_PATH): "),
        ("DOORKEY_ROLE", "..", "--role (VAULT_ROLE): "),
        ("VAULT_ROLE", "a/..", "--role (VAULT_ROLE): "),
        (
            "VAULT_NAMESPACE",
            "a/../b",
            "--namespace (VAULT_NAMESPACE): ",
        ),
        ("DOORKEY_TEAM_PATH", "kv/../sys", "--team-path: "),
        ("DOORKEY_STORE", "vault:kv/../sys", "the store's name: "),
        (
            "VAULT_FROM_PATH",
            "kv/../sys/x",
            "malformed reference: column 1: ",
        ),
        ("W", "vault:kv/../sys#x", "malformed reference: column 7: "),
    ] {
        let method = match variable {
            "VAULT_USERNAME" => "userpass",
            _ => "jwt",
        };
        let run = app.nobody("run -- true").env("VAULT_AUTH_METHOD", method);
        let run = run
            .env("VAULT_JWT_FILE", "jwt")
            .env("VAULT_PASSWORD", "canary");
        let run = run
            .env("V", format!("vault:{place}#k"))
            .env("X", "secret:k");
        let ended = run.env(variable, path).end();
        let err = ended.err();
        let fault = format!("{said}a path has no empty steps, no '.' and no '..'");
        assert!(
            ended.code() == 125 && err.contains(&fault),
            "{variable}: {err}"
        );
        assert!(!err.contains("canary"));
    }
    // A file that merely lies there can't send the token to another path.
    app.place
        .write("doorkey.toml", "auth-path = \"jwt/../../../v1/sys/x\"\n");
    for (options, said) in [
        (
            "run -- true",
            "auth-path counts only in a file that --config",
        ),
        ("run --config doorkey.toml -- true", "no '..'"),
    ] {
        let run = app.nobody(options).env("VAULT_AUTH_METHOD", "jwt");
        let ended = run.env("VAULT_JWT_FILE", "jwt").env("X", "secret:k").end();
        assert!(ended.err().contains(said), "{}", ended.err());
    }
    let asked = app.bao.requests(mark);
    assert!(
        asked.iter().all(|request| !request.contains("sys")),
        "{asked:?}"
    );
}
