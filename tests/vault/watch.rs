//! `run --watch` with a real server: what is changed, deleted and denied there, credentials that
//! are exchanged, and a server that is gone for a while.

use std::fs;

use serde_json::json;
use support::Run;
use support::bao;
use support::bao::{App, Pki, Signer};
use support::watched::{SAYS, Watched};

/// A mount of a server of its own, whose team has the secret `k`.
fn app() -> App {
    let app = App::alone();
    app.put("team", json!({"k": "one"}));
    app
}

/// Gives a file other contents, in one step.
fn exchange(app: &App, file: &str, contents: &str) {
    let new = app.write("new", contents);
    fs::rename(new, app.path(file)).unwrap();
}

/// With the token in a file.
fn by_token(app: &App) -> Run {
    exchange(app, "token", &app.token);
    app.nobody("run --watch=1h")
        .env("VAULT_TOKEN_FILE", app.path("token"))
}

fn start(run: Run) -> Watched {
    let run = run.arg("-eA=secret:k").args(["--", "sh", "-c", SAYS]);
    Watched::began(run, "began one")
}

/// What a fetch that finds no change asks the server for.
#[track_caller]
fn fetched(app: &App, watched: &Watched) -> Vec<String> {
    let mark = app.bao.mark();
    watched.refresh();
    bao::wait("it asks", || (app.bao.mark() > mark).then_some(()));
    watched.settles();
    app.bao.requests(mark)
}

/// A line that begins and ends so, with where it was looked for in between.
#[track_caller]
fn says(watched: &mut Watched, begins: &str, ends: &str) {
    let line = watched.saying();
    let begins = format!("doorkey: warning: {begins}");
    assert!(line.starts_with(&begins) && line.ends_with(ends), "{line}");
}

const GOES_ON: &str = "the command goes on with what it has: ";

#[test]
fn values_change_and_are_deleted_and_destroyed() {
    let app = app();
    let mut watched = start(by_token(&app));
    let asked = [format!("read {}", app.document("team"))];
    assert_eq!(fetched(&app, &watched), asked);
    for round in 0..3 {
        app.put("team", json!({"k": format!("{round}"), "other": round}));
        watched.refresh();
        watched.restarts("A", &format!("began {round}"));
    }
    // Another of the document's keys.
    app.put("team", json!({"k": "2", "other": "x"}));
    assert_eq!(fetched(&app, &watched), asked);

    app.put("team", json!({"other": "x"}));
    watched.refresh();
    says(
        &mut watched,
        &format!("{GOES_ON}A: secret:k: not found"),
        "with '?'",
    );
    assert_eq!(fetched(&app, &watched), asked);
    app.put("team", json!({"k": "2"}));
    watched.refresh();
    watched.says("secrets can be fetched again");

    app.admin.delete(&app.document("team"));
    watched.refresh();
    says(&mut watched, GOES_ON, "");
    fetched(&app, &watched);
    app.put("team", json!({"k": "three"}));
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.restarts("A", "began three");

    let versions = app.document("team").replace("/data/", "/destroy/");
    app.admin
        .write(&versions, json!({"versions": [8, 7, 6, 5, 4, 3, 2, 1]}));
    watched.refresh();
    says(&mut watched, GOES_ON, "");
    // And the document with all that was in it.
    let all = app.document("team").replace("/data/", "/metadata/");
    app.admin.delete(&all);
    watched.refresh();
    says(&mut watched, GOES_ON, "");
    fetched(&app, &watched);
    watched.stop();
}

#[test]
fn what_is_denied_is_lost() {
    let app = app();
    let mut watched = start(by_token(&app));
    let nothing = r#"path "none" { capabilities = ["read"] }"#;
    app.admin.policy(&app.mount, nothing);
    watched.refresh();
    says(&mut watched, GOES_ON, "");
    for _ in 0..3 {
        fetched(&app, &watched);
    }
    let all = format!(r#"path "{}/*" {{ capabilities = ["read"] }}"#, app.mount);
    app.admin.policy(&app.mount, &all);
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.stop();

    let mut watched = start(by_token(&app).arg("--on-loss=stop"));
    app.admin.policy(&app.mount, nothing);
    watched.refresh();
    says(&mut watched, "the command is stopped: ", "");
    watched.ends(125);
}

#[test]
fn the_token_that_is_in_the_file_counts() {
    let app = app();
    let mut watched = start(by_token(&app));
    let used = |watched: &Watched| {
        let mark = app.bao.mark();
        fetched(&app, watched);
        let entries = app.bao.entries(mark);
        let token = entries[0]["auth"]["client_token"].as_str();
        token.unwrap().to_owned()
    };
    assert_eq!(used(&watched), app.token);
    for _ in 0..3 {
        let token = app.admin.token(&app.mount);
        exchange(&app, "token", &token);
        assert_eq!(used(&watched), token);
    }
    // While there is none nothing can be fetched; nobody is stopped for it.
    fs::remove_file(app.path("token")).unwrap();
    watched.refresh();
    says(
        &mut watched,
        "secrets not fetched again, next try in about 2h: ",
        "",
    );
    exchange(&app, "token", &app.token);
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.stop();
}

#[test]
fn every_fetch_logs_in_and_leaves_no_token() {
    let app = app();
    let signer = Signer::new(app.path("keys"));
    let (role, secret) = app.admin.approle("approle", &app.mount);
    app.admin.jwt("jwt", &signer.public, &app.mount);
    let reviewer = bao::reviewer();
    let ca = Pki::new(app.path("pki")).text("ca.pem");
    let host = reviewer.address();
    app.admin.kubernetes("kubernetes", &host, &ca, &app.mount);
    let alive = app.admin.tokens();
    app.write("approle.secret", secret);
    let sign = || signer.sign(json!({"sub": "ci"}));
    app.write("jwt.secret", sign());
    app.write("kubernetes.secret", signer.service_account("shop", "web"));
    for method in ["approle", "jwt", "kubernetes"] {
        let file = app.path(&format!("{method}.secret"));
        let run = app
            .nobody("run --watch=1h")
            .env("VAULT_AUTH_METHOD", method);
        let run = match method {
            "approle" => run
                .env("VAULT_ROLE_ID", &role)
                .env("VAULT_SECRET_ID_FILE", file),
            _ => run.env("VAULT_ROLE", "web").env("VAULT_JWT_FILE", file),
        };
        app.put("team", json!({"k": "one"}));
        let mut watched = start(run);
        let asked = [
            format!("read {}", app.document("team")),
            format!("update auth/{method}/login"),
            "update auth/token/revoke-self".to_owned(),
        ];
        for _ in 0..5 {
            assert_eq!(fetched(&app, &watched), asked);
        }
        match method {
            "approle" => exchange(&app, "approle.secret", &app.admin.secret_id("approle")),
            "jwt" => exchange(&app, "jwt.secret", &sign()),
            _ => {}
        }
        app.put("team", json!({"k": "two"}));
        watched.refresh();
        watched.restarts("A", "began two");
        assert_eq!(app.admin.tokens(), alive, "{method}");
        watched.stop();
    }
}

#[test]
fn a_server_that_is_sealed_or_silent_for_a_while_stops_nobody() {
    let app = app();
    let mut watched = start(by_token(&app).args(["--on-loss=stop", "--timeout=1s"]));
    let fails = |watched: &mut Watched, hours: &str| {
        watched.refresh();
        let begins = format!("secrets not fetched again, next try in about {hours}: ");
        says(watched, &begins, "");
        watched.settles();
    };
    app.bao.seal();
    for hours in ["2h", "4h"] {
        fails(&mut watched, hours);
    }
    app.bao.unseal();
    watched.refresh();
    watched.says("secrets can be fetched again");

    app.bao.freeze();
    for hours in ["2h", "4h"] {
        fails(&mut watched, hours);
    }
    app.bao.resume();
    watched.refresh();
    watched.says("secrets can be fetched again");
    app.put("team", json!({"k": "two"}));
    watched.refresh();
    watched.restarts("A", "began two");

    app.bao.kill();
    fails(&mut watched, "2h");
    watched.stop();
}

#[test]
fn what_can_be_used_once_is_refused() {
    let app = app();
    let refused = |run: Run, why: &str| {
        let ended = run.args(["-eA=secret:k", "--", "true"]).end();
        let error = format!("doorkey: error: {why}\n");
        assert_eq!((ended.code(), ended.err()), (125, error));
    };
    let again = "--watch needs credentials that can be read again";
    let (role, secret) = app.admin.approle("approle", &app.mount);
    for name in ["TOKEN", "SECRET_ID", "PASSWORD", "JWT"] {
        for prefix in ["VAULT", "BAO"] {
            let name = format!("{prefix}_{name}");
            let run = app.nobody("run --watch=1h").env(&name, "x");
            refused(run, &format!("{again}: give {name} as a file, {name}_FILE"));
        }
    }
    let mark = app.bao.mark();
    let once = |what: &str| format!("{}: {what} can be used once; {again}", app.store());
    let run = by_token(&app).arg("--token-once");
    refused(run, &once("the token's file with --token-once"));
    assert!(app.path("token").exists());
    let run = by_token(&app).arg("--unwrap");
    refused(run, &once("a wrapped token"));
    let wrapped = app
        .admin
        .wrapping()
        .call("POST", "auth/token/create", &json!({}));
    exchange(&app, "printed", &wrapped.to_string());
    let run = app
        .nobody("run --watch=1h")
        .env("VAULT_TOKEN_FILE", app.path("printed"));
    refused(run, &once("a wrapped token"));
    app.write("secret", &secret);
    let run = app.nobody("run --watch=1h --auth=approle --unwrap");
    let run = run
        .env("VAULT_ROLE_ID", &role)
        .env("VAULT_SECRET_ID_FILE", app.path("secret"));
    refused(run, &once("a wrapped secret id"));
    let logins = app.bao.requests(mark);
    assert!(
        !logins
            .iter()
            .any(|asked| asked.contains("login") || asked.contains("unwrap"))
    );
}
