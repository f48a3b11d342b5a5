//! A pod's first seconds on Azure: metadata that refuses, hangs, says 404, 410 or 429, or leads
//! elsewhere.

use std::fs;
use std::time::Duration;

use crate::azure_kv::App;
use crate::clouds::{has_waited, in_a_bare_root, shows_both};
use support::Ended;
use support::azure::{HEADER, TENANT, WEB_TOKEN};
use support::faulty::{self, Deaf, Faulty, Step, late};

const ENDS: &str =
    "AZURE_TOKEN_CREDENTIALS=EnvironmentCredential or WorkloadIdentityCredential ends that";

/// A launch as the machine whose metadata is there.
fn launch(app: &App, machine: &str, timeout: &str) -> Ended {
    app.put("app--team", r#"{"a": "canary-value"}"#);
    let words = format!("run --timeout {timeout} -- printenv V");
    let run = app.run(&words).env("V", "secret:a");
    let run = run
        .without("AZURE_CLIENT_SECRET")
        .without("AZURE_CLIENT_ID");
    run.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine).end()
}

#[test]
fn who_refuses_at_first_is_waited_for() {
    let app = App::new();
    let machine = late(&app.front.faulty, Duration::from_secs(5));
    let ended = launch(&app, &machine, "30s");
    has_waited(&ended, &machine, ENDS);
}

#[test]
fn who_is_not_ready_is_asked_again() {
    let app = App::behind(|request| {
        let answers = [404, 410, 429, 500, 503];
        let status = *answers.get(request.number)?;
        Some(faulty::answer(status, &[], b"canary-message"))
    });
    let ended = launch(&app, &app.front.faulty.address(), "30s");
    assert_eq!(
        (ended.code(), ended.out()),
        (0, "canary-value\n".to_owned()),
        "{}",
        ended.err()
    );
    for status in [404, 410] {
        let never = Faulty::new(move |_| faulty::answer(status, &[], b"canary-message"));
        let ended = launch(&app, &never.address(), "2s");
        let said = ended.err();
        let last = format!("status {status}: no identity belongs to the machine, or not yet");
        assert!(said.contains(&last), "{said}");
        assert!(!said.contains("canary-message"), "{said}");
        assert_eq!(ended.code(), 125);
    }
}

#[test]
fn who_hangs_or_refuses_is_said() {
    let app = App::new();
    let hangs = Faulty::new(|_| vec![Step::Hang]);
    let said = launch(&app, &hangs.address(), "5s").err();
    assert!(
        said.contains("waiting for") && said.contains(ENDS),
        "{said}"
    );
    let deaf = Deaf::new();
    let said = launch(&app, &format!("http://{}", deaf.at), "3s").err();
    let hint = "outside Azure say who doorkey is: AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                AZURE_CLIENT_SECRET; the login of az is not used";
    assert!(said.contains(hint), "{said}");
    for (status, what) in [
        (400, "knows no such identity of the machine; assign it one"),
        (403, "gives no token (status 403)"),
        (200, "gives no token (status 200)"),
    ] {
        let refuses = Faulty::new(move |_| faulty::answer(status, &[], b"canary-message"));
        let ended = launch(&app, &refuses.address(), "3s");
        let said = ended.err();
        assert!(
            said.contains(what) && !said.contains("canary-message"),
            "{said}"
        );
        assert_eq!(
            (said.lines().count(), refuses.requests().len()),
            (1, 1),
            "{said}"
        );
    }
    assert_eq!(app.front.faulty.requests().len(), 0);
}

#[test]
fn nobody_follows_elsewhere() {
    let (app, elsewhere) = (App::new(), App::new());
    let to = elsewhere.front.faulty.address();
    let leads = Faulty::new(move |request| {
        faulty::answer(307, &[("Location", &format!("{to}{}", request.path))], b"")
    });
    let ended = launch(&app, &leads.address(), "3s");
    assert!(ended.err().contains("not followed"), "{}", ended.err());
    // Nor with what an app shows.
    let run = app.run("run -q -- true").env("V", "secret:a");
    let run = run
        .without("AZURE_CLIENT_SECRET")
        .env("IDENTITY_HEADER", HEADER);
    let ended = run
        .env(
            "IDENTITY_ENDPOINT",
            format!("{}/msi/token", leads.address()),
        )
        .end();
    assert!(ended.err().contains("not followed"), "{}", ended.err());
    assert_eq!(elsewhere.front.faulty.connections(), 0);
}

/// As FROM scratch: a read-only root with nothing but doorkey in it, a numeric user, no home, and
/// the token of a service account.
#[test]
fn nothing_of_a_system_is_needed() {
    let app = App::new();
    app.put("app--team", r#"{"a": "canary-value"}"#);
    app.place.write("root/token", WEB_TOKEN);
    let authority = fs::read(app.azure.file("ca.pem")).unwrap();
    app.place.write("root/ca.pem", authority);
    let environment = [
        ("DOORKEY_STORE", &*format!("azure-kv:{}/app", app.vault)),
        ("V", "secret:a"),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", &app.app.id),
        ("AZURE_FEDERATED_TOKEN_FILE", "/token"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
        ("HTTPS_PROXY", &app.front.proxy),
        ("SSL_CERT_FILE", "/ca.pem"),
    ];
    in_a_bare_root(&app.place, &environment);
    let token = format!("Bearer token-of-federated-{}", app.app.id);
    assert_eq!(app.front.asked_as(), [token]);
}

/// The kubelet replaces a token's file; `--watch` shows the new one.
#[test]
fn a_token_that_is_replaced_is_read_again() {
    let app = App::behind(|request| {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let is_first = form.ends_with("client_assertion=first");
        let given = serde_json::json!({"access_token": "x", "token_type": "Bearer"});
        let value = serde_json::json!({"value": "{\"a\": \"b\"}", "attributes": {}});
        match support::azure::is_of_vault(request) {
            true => Some(faulty::json(200, &value)),
            false if is_first => Some(faulty::json(200, &given)),
            false => None,
        }
    });
    let token = app.place.write("token", "first");
    let run = app
        .run("run -q --watch 1s -- sleep 60")
        .env("V", "secret:a");
    let run = run.without("AZURE_CLIENT_SECRET");
    let run = run.env("AZURE_FEDERATED_TOKEN_FILE", &token);
    let replace = || drop(app.place.write("token", WEB_TOKEN));
    let replaced = ("first", WEB_TOKEN, replace);
    shows_both(run, &app.front.faulty, "client_assertion=", replaced);
}
