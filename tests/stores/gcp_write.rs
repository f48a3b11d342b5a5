//! Writing to `gcp-sm:`, many launches at once, and those that stay.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::clouds::three_hundred;
use serde_json::json;
use support::faulty::{self, Faulty, Request, Step};
use support::gcp::{ENDPOINT, Gcp, refusal};
use support::watched::Watched;
use support::{Place, Run};

struct App {
    place: Place,
    gcp: Arc<Gcp>,
    project: String,
    credentials: String,
    front: Faulty,
}

impl App {
    fn behind(first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static) -> Self {
        let (gcp, place) = (Gcp::shared(), Place::new());
        let credentials = place.write("credentials.json", gcp.account().to_string());
        App {
            place,
            front: gcp.behind(first),
            gcp,
            project: Gcp::project(),
            credentials: credentials.to_str().unwrap().to_owned(),
        }
    }

    fn run(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        run.env("DOORKEY_STORE", format!("gcp-sm:{}/app", self.project))
            .env("GOOGLE_APPLICATION_CREDENTIALS", &self.credentials)
            .env(ENDPOINT, self.front.address())
    }

    fn versions(&self, name: &str) -> Vec<String> {
        let versions = self.gcp.versions(&self.project, name).into_iter();
        versions
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }
}

#[test]
fn members_are_written() {
    let app = App::behind(|_| None);
    let run = |words: &str, value: &str| app.run(words).stdin(value).end();
    let made = run("secret create a --team", "on\"e");
    assert_eq!(made.code(), 0, "{}", made.err());
    assert_eq!(app.versions("app--team"), [r#"{"a":"on\"e"}"#]);
    let again = run("secret create a --team", "two");
    assert!(again.err().contains("it exists already"), "{}", again.err());
    // What is not changed keeps its source; the versions before stay.
    let text = r#"{"n": 1.50, "a": "x", "list": [1,  2]}"#;
    app.gcp.put(&app.project, "app--team", text);
    assert_eq!(run("secret update a --team", "two").code(), 0);
    assert_eq!(run("secret set b --team", "é").code(), 0);
    let versions = app.versions("app--team");
    let last = r#"{"n":1.50,"list":[1,  2],"a":"two","b":"é"}"#;
    assert_eq!((versions.len(), versions[3].as_str()), (4, last));
    let absent = run("secret update none --team", "x");
    assert!(
        absent.err().contains("there is no such secret"),
        "{}",
        absent.err()
    );
    assert_eq!(run("secret delete a --team --yes", "").code(), 0);
    let gone = run("secret delete a --team --yes", "");
    assert!(
        gone.err().contains("there is no such secret"),
        "{}",
        gone.err()
    );
    app.run("secret get b --team --reveal").gives(0, "é", "");
    let bytes = app.run("secret set c --team --raw").stdin([0xff]).end();
    assert!(bytes.err().contains("not UTF-8"), "{}", bytes.err());
    let large = run("secret set big --team", &"x".repeat(65_530));
    let what = "than the 65,536 bytes of one secret of Google's";
    assert!(large.err().contains(what), "{}", large.err());
    assert_eq!(app.versions("app--team").len(), 5);
    // A secret that is there without a version gets its first.
    app.gcp
        .call(json!(["create", app.project, "app--project--web"]));
    assert_eq!(run("secret create a --project web", "x").code(), 0);
    assert_eq!(app.versions("app--project--web"), [r#"{"a":"x"}"#]);
    // No object, and disabled: neither is written over.
    app.gcp.put(&app.project, "app--cluster--eu", "text");
    let other = run("secret set a --cluster eu", "x");
    assert!(
        other.err().contains("it is no JSON object"),
        "{}",
        other.err()
    );
    app.gcp
        .call(json!(["state", app.project, "app--team", "5", "DISABLED"]));
    let disabled = run("secret set b --team", "x");
    assert!(
        disabled.err().contains("app--team is disabled"),
        "{}",
        disabled.err()
    );
    assert_eq!(app.versions("app--team").len(), 5);
}

#[test]
fn a_scope_is_made_in_its_location() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let bodies = Arc::clone(&seen);
    let app = App::behind(move |request| {
        if request.path.contains("secretId=") {
            bodies.lock().unwrap().push(request.json());
        }
        None
    });
    let write = |store: &str| {
        let store = format!("gcp-sm:{}/app{store}", app.project);
        let run = app.run("secret create a --team").stdin("v");
        run.env("DOORKEY_STORE", store).ok();
    };
    write("");
    write("?location=europe-west1");
    let there = format!("{}--europe-west1", app.project);
    assert_eq!(app.gcp.versions(&there, "app--team").len(), 1);
    let expected = [json!({"replication": {"automatic": {}}}), json!({})];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// What passes is sent again, somebody who was faster is read again, and a denial says which right.
#[test]
fn a_write_is_tried_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let app = App::behind(move |request| {
        if !request.path.ends_with(":addVersion") {
            return None;
        }
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Some(refusal(503, "UNAVAILABLE", "")),
            1 => Some(refusal(404, "NOT_FOUND", "")),
            _ => None,
        }
    });
    let made = app.run("secret create a --team").stdin("x").end();
    assert_eq!(made.code(), 0, "{}", made.err());
    assert_eq!(count.load(Ordering::SeqCst), 3);
    assert_eq!(app.versions("app--team"), [r#"{"a":"x"}"#]);
    for (end, right) in [
        (
            "secretId=app--team",
            "secretmanager.secrets.create (roles/secretmanager.admin)",
        ),
        (
            ":addVersion",
            "secretmanager.versions.add (roles/secretmanager.secretVersionAdder)",
        ),
    ] {
        let app = App::behind(move |request| {
            let is_it = request.path.ends_with(end);
            is_it.then(|| refusal(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED"))
        });
        let denied = app.run("secret create a --team").stdin("x").end();
        let said = denied.err();
        assert!(said.contains(&format!("allow {right} on it")), "{said}");
    }
}

/// 300 launches at the same time, each with three scopes: all succeed, and none asks more than it
/// must.
#[test]
fn three_hundred_launches() {
    let app = App::behind(|_| None);
    for scope in ["team", "project--web", "cluster--eu"] {
        let text = json!({"a": scope}).to_string();
        app.gcp.put(&app.project, &format!("app--{scope}"), text);
    }
    three_hundred(|| {
        let run = app.run("run -q --timeout 4m -p web --cluster eu -- printenv V");
        run.env("V", "secret:a").gives(0, "project--web\n", "");
    });
    let requests = app.front.requests();
    assert_eq!(requests.len(), 900);
    assert!(
        requests
            .iter()
            .all(|one| one.path.ends_with("/versions/latest:access"))
    );
}

/// Many single secrets over HTTP/1.1: at most eight at once; throttled they all wait together.
#[test]
fn one_pause_for_all() {
    let server = Faulty::new(move |request| match request.number < 8 {
        true => refusal(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"),
        false => faulty::json(
            200,
            &json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "3804862018"}}),
        ),
    });
    let app = App::behind(|_| None);
    let mut run = app.run("run -q -- true").env(ENDPOINT, server.address());
    for number in 0..40 {
        run = run.env(format!("V{number}"), format!("gcp-sm:n{number}"));
    }
    run.ok();
    assert_eq!(server.requests().len(), 48);
    assert!(server.connections() <= 9, "{}", server.connections());
}

const SAYS: &str = "echo began $A; exec sleep 60";

#[test]
fn watched_cached_checked_and_masked() {
    let app = App::behind(|_| None);
    app.gcp.put(
        &app.project,
        "app--team",
        r#"{"k": "one", "long": "a-value-that-is-masked"}"#,
    );
    let run = app.run("run --watch=1h -eA=secret:k -- sh -c").arg(SAYS);
    let mut watched = Watched::began(run, "began one");
    app.gcp.put(
        &app.project,
        "app--team",
        r#"{"k": "two", "long": "a-value-that-is-masked"}"#,
    );
    watched.refresh();
    watched.restarts("A", "began two");
    drop(watched);

    let run = app.run("check --quiet -p web").env("V", "secret:k");
    let ended = run.env("W", "secret:none").end();
    assert_eq!(ended.code(), 1);
    let absent = "W: secret:none: not found in project/web, team of gcp-sm:";
    assert!(ended.err().contains(absent), "{}", ended.err());

    let run = app.run("run -q --mask -- sh -c").arg("echo $V");
    let out = run.env("V", "secret:long").ok().out();
    assert!(!out.contains("a-value") && !out.is_empty(), "{out}");

    let kept = Place::within(env!("CARGO_TARGET_TMPDIR"));
    let recipient = kept.key("own");
    // A server that goes away, at an address that stays.
    let front = app.gcp.behind(|_| None);
    let address = front.address();
    let launch = |project: &str| {
        let run = app.run("run -q --timeout 2s -- printenv V");
        run.env(ENDPOINT, &address)
            .env("DOORKEY_STORE", format!("gcp-sm:{project}/app"))
            .env("V", "secret:k")
            .env("DOORKEY_CACHE", kept.path("cache"))
            .env("DOORKEY_CACHE_RECIPIENT", &recipient)
            .env("DOORKEY_KEY_FILE", kept.path("own.key"))
    };
    launch(&app.project).gives(0, "two\n", "");
    drop(front);
    let cached = launch(&app.project).end();
    assert_eq!(
        (cached.code(), cached.out()),
        (0, "two\n".to_owned()),
        "{}",
        cached.err()
    );
    // Another project's values are not its.
    assert_eq!(launch("another").end().code(), 125);
}
