//! What the server says no by, what is made of it, and the rights that the documentation names.

use std::time::Duration;

use serde_json::json;

use super::App;
use support::Place;
use support::apiserver::{Account, ApiServer, rule};
use support::faulty::{self, Faulty, answer};

#[test]
fn rights_that_are_missing_are_named() {
    let app = App::reader();
    for (words, what) in [
        (
            "set a --team",
            "doorkey-team can't be made; a Role must allow create on secrets",
        ),
        (
            "set a --project x",
            "doorkey-project-x is not for us, or does not exist, which only those learn who may \
             get it; a Role must allow get on secrets, with this name in its resourceNames",
        ),
    ] {
        let ended = app.run(&format!("secret {words} -q")).stdin("x").end();
        assert!(
            ended.err().ends_with(&format!("{what}\n")),
            "{}",
            ended.err()
        );
    }
    app.put("doorkey-team", &[("a", b"1")]);
    let ended = app.run("secret set a --team -q").stdin("x").end();
    let what = "can't be changed; a Role must allow patch on secrets, with this name in its resourceNames\n";
    assert!(ended.err().ends_with(what), "{}", ended.err());
    // Nothing there at all is said, too.
    app.account.may(&[rule(&["get"], &[])]);
    let ended = app.run("run -q -p none -- true").env("V", "secret:a");
    let store = format!("k8s:{}/other", app.account.namespace);
    let ended = ended.env("DOORKEY_STORE", &store).end();
    let what = format!(
        "doorkey: error: {store}: none of {0}/other-project-none, {0}/other-team exists; check the \
         store's name, or set a secret\n",
        app.account.namespace
    );
    assert_eq!((ended.code(), ended.err()), (125, what));
}

#[test]
fn faults_as_the_server_says_them() {
    let app = App::reader();
    let status = |code: u16, reason: &str| {
        let body = json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code,
            "message": "canary-message"});
        answer(
            code,
            &[("Content-Type", "application/json")],
            body.to_string().as_bytes(),
        )
    };
    for (code, reason, what) in [
        (400, "BadRequest", "the API server refuses with status 400"),
        (
            401,
            "Unauthorized",
            "the API server does not take it; it may have expired",
        ),
        (403, "Forbidden", "denied: "),
        (404, "NotFound", "none of "),
        (
            409,
            "Conflict",
            "others have changed it at the same time (409)",
        ),
        (
            413,
            "RequestEntityTooLarge",
            "it is larger than the API server takes (413)",
        ),
        (422, "Invalid", "takes it for invalid (422)"),
        (429, "TooManyRequests", "the last: status 429"),
        (500, "InternalError", "the last: status 500"),
        (504, "Timeout", "the last: status 504"),
    ] {
        let server = Faulty::new(move |_| status(code, reason));
        let file = app.account.kubeconfig(&app.place, &server.address());
        let run = app.run("run -q --timeout 2s -- true").env("V", "secret:a");
        let ended = run.env("KUBECONFIG", file).end();
        let said = ended.err();
        assert!(said.contains(what), "{code}: {said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-message"), "{said}");
    }
    // What passes is tried again, when the server says.
    let found = json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "Yg=="}});
    let busy = answer(429, &[("Retry-After", "1")], b"");
    let server = Faulty::in_turn(vec![busy, faulty::json(200, &found)]);
    let file = app.account.kubeconfig(&app.place, &server.address());
    let run = app.run("run -q -- printenv V").env("V", "secret:a");
    run.env("KUBECONFIG", file).gives(0, "b\n", "");
    let requests = server.requests();
    assert!(requests[1].when - requests[0].when >= Duration::from_secs(1));
    // Somebody else answers there.
    for (status, body) in [
        (404, "<html>"),
        (200, "<html>"),
        (200, "{}"),
        (
            200,
            r#"{"metadata":{"resourceVersion":"1"},"data":{"a":"*"}}"#,
        ),
    ] {
        let server = Faulty::new(move |_| answer(status, &[], body.as_bytes()));
        let file = app.account.kubeconfig(&app.place, &server.address());
        let run = app
            .run("run -q -- true")
            .env("V", "secret:a")
            .env("KUBECONFIG", file);
        let said = run.end().err();
        let what = match status {
            404 => {
                "status 404, and no answer of a Kubernetes API server; check the server's address"
            }
            _ => "the answer is no Secret object",
        };
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn what_the_documentation_has_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/stores/k8s.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, yaml) = page.split_once("```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("```\n").unwrap();
    let server = ApiServer::shared();
    server.call(
        "POST",
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "shop"}}),
    );
    let core = "/api/v1/namespaces/shop";
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let collections = [
        format!("{core}/serviceaccounts"),
        format!("{rbac}/roles"),
        format!("{rbac}/rolebindings"),
        format!("{core}/pods"),
    ];
    let documents: Vec<_> = yaml.split("---\n").collect();
    assert_eq!(documents.len(), collections.len());
    for (collection, yaml) in collections.iter().zip(documents) {
        server.make(collection, yaml);
    }
    // The launch of the pod, as its service account.
    let account = Account::existing(&server, "shop", "web");
    account.put("doorkey-project-web", &[("db_password", b"found")]);
    let place = Place::new();
    let launch = || {
        let run = account.run(
            &place,
            "run -q --project web --cluster eu -- printenv DB_PASSWORD",
        );
        run.env("DB_PASSWORD", "secret:db_password")
    };
    support::bao::wait("the Role counts", || {
        (launch().end().code() == 0).then_some(())
    });
    launch().gives(0, "found\n", "");
}
