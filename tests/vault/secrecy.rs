//! Nothing secret in anything printed, with a store that is a server: every way to log in, every
//! fault that a server can answer with, at `--log-level trace`, as text and as JSON. A server that
//! goes wrong repeats what it was sent, in every part of its answer.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::server::*;
use serde_json::json;
use support::bao;
use support::bao::{App, Signer};
use support::faulty;
use support::faulty::{Faulty, Step};
use support::search::found;
use support::{Place, Run};

/// The control: what is searched for is there, and is found in what a workload prints.
#[test]
fn the_search_finds_what_is_there() {
    let app = App::new();
    app.put(
        "team",
        json!({"asked": ASKED, "unasked": UNASKED, "object": {"inner": INNER}}),
    );
    let ended = referring(app.run("run -- env"))
        .env("A", "secret:asked")
        .ok();
    assert_eq!(found(&ended.output.stdout, &CANARIES), [ASKED, INNER, TEXT]);
    for canary in CANARIES {
        assert_eq!(found(format!("<{canary}>").as_bytes(), &CANARIES), [canary]);
    }
}

#[test]
fn real_servers() {
    let app = App::alone();
    let store =
        json!({"asked": ASKED, "unasked": UNASKED, "object": {"inner": INNER, "o": UNASKED}});
    app.put("team", store.clone());
    app.put("project/web", json!({"asked": ASKED, "list": [UNASKED]}));
    let signer = Signer::new(app.path("keys"));
    let (role, secret) = app.admin.approle("approle", &app.mount);
    app.admin.userpass("userpass", PASSWORD, &app.mount);
    app.admin.jwt("jwt", &signer.public, &app.mount);
    let jwt = signer.sign(json!({"sub": "ci"}));
    let all = [app.token.as_str(), &app.bao.root, &secret, &jwt];

    let every = [
        "run -- true",
        "check",
        "check --json",
        "check --names",
        "env",
    ];
    for words in every {
        let by = |method: &'static str| {
            let run = referring(app.nobody(&words.replacen(' ', " --project web ", 1)));
            let run = run.env("VAULT_AUTH_METHOD", method);
            // `env` prints what stands in for a secret.
            match words.starts_with("env") {
                true => run.without("C").without("D"),
                false => run,
            }
        };
        let logins: [(&str, &dyn Fn() -> Run); 5] = [
            ("token", &|| by("token").env("VAULT_TOKEN", &app.token)),
            ("approle", &|| {
                let run = by("approle").env("VAULT_ROLE_ID", &role);
                run.env("VAULT_SECRET_ID", &secret)
            }),
            ("userpass", &|| {
                let run = by("userpass").env("VAULT_USERNAME", "ann");
                run.env("VAULT_PASSWORD", PASSWORD)
            }),
            ("jwt", &|| {
                by("jwt").env("VAULT_JWT", &jwt).env("VAULT_ROLE", "web")
            }),
            ("wrapped", &|| {
                let token = app.admin.wrapping().token(&app.mount);
                by("token")
                    .env("VAULT_TOKEN", token)
                    .env("VAULT_UNWRAP_TOKEN", "true")
            }),
        ];
        for (method, run) in logins {
            says_nothing(&format!("{words} by {method}"), run, false, &all);
        }
        // Credentials that are none.
        let wrong: [(&str, &dyn Fn() -> Run); 5] = [
            ("token", &|| by("token").env("VAULT_TOKEN", TOKEN)),
            ("approle", &|| {
                let run = by("approle").env("VAULT_ROLE_ID", &role);
                run.env("VAULT_SECRET_ID", SECRET_ID)
            }),
            ("userpass", &|| {
                let run = by("userpass").env("VAULT_USERNAME", "bob");
                run.env("VAULT_PASSWORD", PASSWORD)
            }),
            ("jwt", &|| {
                by("jwt").env("VAULT_JWT", JWT).env("VAULT_ROLE", "web")
            }),
            ("wrapped", &|| {
                by("token")
                    .env("VAULT_TOKEN", TOKEN)
                    .env("VAULT_UNWRAP_TOKEN", "true")
            }),
        ];
        for (method, run) in wrong {
            says_nothing(&format!("{words} by a wrong {method}"), run, true, &all);
        }
    }
    // Managing secrets, by somebody who may and by somebody who may not.
    for words in [
        "secret set new --team",
        "secret create asked --team",
        "secret update none --team",
        "secret get asked --team",
        "secret list --team",
        "secret list --all --json",
        "secret delete none --team --yes",
        "secret import file.env --team",
        "secret get none --team --reveal",
    ] {
        app.write("file.env", format!("X={STDIN}\nY='{STDIN}\n"));
        for (who, token) in [("operator", &app.bao.root), ("reader", &app.token)] {
            let run = || app.nobody(words).env("VAULT_TOKEN", token).stdin(STDIN);
            let code = run().env("DOORKEY_QUIET", "1").end().code();
            says_nothing(&format!("{words} by {who}"), run, code != 0, &all);
        }
    }
    let log = app.bao.log();
    assert_eq!(
        found(log.as_bytes(), &CANARIES),
        [""; 0],
        "nor in the server's log"
    );
    app.bao.seal();
    says_nothing("sealed", || referring(app.run("run -- true")), true, &all);
}

#[test]
fn settings_that_are_wrong() {
    let place = Place::new();
    let server =
        Faulty::new(|_| faulty::document(&json!({"asked": ASKED, "object": {"inner": INNER}})));
    place.write(
        "key.pem",
        format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"),
    );
    place.write("token.json", format!(r#"{{"tokens":"{TOKEN}"}}"#));
    place.write("token.broken", format!(r#"{{"token":"{TOKEN}"#));
    place.write("token.bytes", [TOKEN.as_bytes(), b"\xff\0"].concat());
    place.write(
        "conf.toml",
        format!("store = \"vault:kv/app\"\naddress = \"http://x:{ADDRESS}@y\"\n"),
    );
    place.write("broken.toml", format!("address = {ADDRESS} \"\n"));
    fs::create_dir(place.path("found")).unwrap();
    place.write(
        "found/doorkey.toml",
        format!("address = \"https://{ADDRESS}@x\"\n"),
    );
    let base = || {
        referring(place.doorkey(["run"]))
            .env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("VAULT_ADDR", server.address())
            .env("VAULT_TOKEN", TOKEN)
    };
    let set = |name: &str, value: String| base().env(name, value);
    let secure = |name: &str, value: &str| {
        base()
            .env(name, value)
            .env("VAULT_ADDR", server.address().replace("http", "https"))
    };
    type Make<'a> = Box<dyn Fn() -> Run + 'a>;
    let cases: Vec<(&str, Make<'_>)> = vec![
        (
            "user in the address",
            Box::new(|| set("VAULT_ADDR", format!("https://u:{ADDRESS}@localhost"))),
        ),
        (
            "user name in the address",
            Box::new(|| set("VAULT_ADDR", format!("https://{ADDRESS}@localhost"))),
        ),
        (
            "query in the address",
            Box::new(|| set("VAULT_ADDR", format!("https://localhost/?t={ADDRESS}"))),
        ),
        (
            "no address",
            Box::new(|| set("VAULT_ADDR", format!("not an address {ADDRESS}"))),
        ),
        (
            "a proxy's password",
            Box::new(|| {
                set("VAULT_PROXY_ADDR", format!("http://u:{PROXY}@127.0.0.1:1"))
                    .env("VAULT_ADDR", "http://vault.test")
            }),
        ),
        (
            "no proxy",
            Box::new(|| {
                set("VAULT_PROXY_ADDR", format!("p p {PROXY}"))
                    .env("VAULT_ADDR", "http://vault.test")
            }),
        ),
        (
            "a kind of proxy",
            Box::new(|| {
                set("HTTP_PROXY", format!("gopher://u:{PROXY}@x"))
                    .env("VAULT_ADDR", "http://vault.test")
            }),
        ),
        (
            "a token with a newline",
            Box::new(|| set("VAULT_TOKEN", format!("{TOKEN}\n{TOKEN}"))),
        ),
        (
            "a token in JSON without one",
            Box::new(|| set("VAULT_TOKEN_FILE", "token.json".to_owned())),
        ),
        (
            "a token in broken JSON",
            Box::new(|| set("VAULT_TOKEN_FILE", "token.broken".to_owned())),
        ),
        (
            "a token of bytes",
            Box::new(|| set("VAULT_TOKEN_FILE", "token.bytes".to_owned())),
        ),
        (
            "a token for a file's name",
            Box::new(|| {
                set("VAULT_TOKEN_FILE", String::new()).env("VAULT_TOKEN", format!("{TOKEN}\u{1}"))
            }),
        ),
        (
            "a key that is none",
            Box::new(|| secure("VAULT_CLIENT_KEY", "key.pem").env("VAULT_CLIENT_CERT", "key.pem")),
        ),
        (
            "an authority that is none",
            Box::new(|| secure("VAULT_CACERT_BYTES", KEY)),
        ),
        (
            "a duration that is none",
            Box::new(|| set("VAULT_CLIENT_TIMEOUT", PASSWORD.to_owned())),
        ),
        (
            "a configuration with a user",
            Box::new(|| {
                base()
                    .without("VAULT_ADDR")
                    .env("DOORKEY_CONFIG", "conf.toml")
            }),
        ),
        (
            "a broken configuration",
            Box::new(|| base().env("DOORKEY_CONFIG", "broken.toml")),
        ),
        (
            "a found configuration",
            Box::new(|| base().without("VAULT_ADDR").dir(place.path("found"))),
        ),
        (
            "a missing key",
            Box::new(|| {
                base()
                    .env("E", "vault:kv/data/x#none")
                    .env("F", format!("vault:kv/x#{}", "#"))
            }),
        ),
    ];
    for (what, run) in cases {
        says_nothing(what, || run().args(["--", "true"]), true, &[]);
    }
}

#[test]
fn processes_that_can_be_looked_at_show_nothing() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![vec![Step::Hang]]);
    place.write("password", PASSWORD);
    let mut run = referring(place.doorkey(["run", "--timeout", "20s", "--", "true"]))
        .env("DOORKEY_STORE", "vault:kv/app")
        .env("VAULT_ADDR", server.address())
        .env("VAULT_TOKEN", TOKEN)
        .env("VAULT_SECRET_ID", SECRET_ID)
        .env("BAO_PASSWORD", PASSWORD)
        .env("VAULT_JWT", JWT);
    run.command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    bao::wait("it has asked", || {
        (!server.requests().is_empty()).then_some(())
    });
    assert_eq!(server.requests()[0].header("x-vault-token"), Some(TOKEN));
    for file in ["cmdline", "environ", "stack", "status", "comm"] {
        let shown = fs::read(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
        let without_text: Vec<_> = found(&shown, &CANARIES)
            .into_iter()
            .filter(|one| *one != TEXT)
            .collect();
        assert_eq!(
            without_text,
            [""; 0],
            "{file}: {}",
            String::from_utf8_lossy(&shown)
        );
    }
    child.kill().unwrap();
    let mut text = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut text).unwrap();
    child.wait().unwrap();
    assert_eq!(found(&text, &CANARIES), [""; 0]);
    // The workload's own arguments and environment have what was asked for, in the latter.
    let app = App::new();
    app.put("team", json!({"asked": ASKED, "object": {"inner": INNER}}));
    let ended = referring(app.run("run -- cat /proc/self/cmdline")).ok();
    assert_eq!(found(&ended.output.stdout, &CANARIES), [""; 0]);
    let ended = referring(app.run("run -- cat /proc/self/environ")).ok();
    assert_eq!(found(&ended.output.stdout, &CANARIES), [ASKED, INNER, TEXT]);
    assert_eq!(found(&ended.output.stdout, &[app.token.as_str()]), [""; 0]);
}
