//! `gcp-sm:` on drongo behind a fake that checks tokens; Google's own refusals are answered in front
//! of it.

use std::sync::Arc;

use serde_json::{Value, json};
use support::faulty::{self, Faulty};
use support::gcp::{ENDPOINT, Gcp, refusal};
use support::{Place, Run};

/// A project of its own on the server that all share.
struct App {
    place: Place,
    gcp: Arc<Gcp>,
    project: String,
    credentials: String,
}

impl App {
    fn new() -> Self {
        let (gcp, place) = (Gcp::shared(), Place::new());
        let credentials = place.write("credentials.json", gcp.account().to_string());
        App {
            place,
            gcp,
            project: Gcp::project(),
            credentials: credentials.to_str().unwrap().to_owned(),
        }
    }

    fn store(&self) -> String {
        format!("gcp-sm:{}/app", self.project)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        self.gcp.put(&self.project, name, text);
    }

    fn run(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        run.env("DOORKEY_STORE", self.store())
            .env("GOOGLE_APPLICATION_CREDENTIALS", &self.credentials)
            .env(ENDPOINT, format!("http://{}", self.gcp.at))
    }

    #[track_caller]
    fn value(&self, reference: &str) -> String {
        self.run("run -q -p web -- printenv V").value_of(reference)
    }

    #[track_caller]
    fn fault(&self, reference: &str) -> String {
        self.run("run -q -p web -- true").fault_of(reference)
    }
}

#[test]
fn single_secrets() {
    let app = App::new();
    let text = r#"{"text": "a\"\\\/\u00e9\ud83d\ude00\n", "number": 1.50, "inner": {"k": [1, 2]}}"#;
    app.put("db", text);
    app.put("db_1", r#"{"only": "x"}"#);
    app.put("plain", "no JSON");
    app.put("bytes", [0xff, 0, 0xfe]);
    app.put("empty", "");
    let project = &app.project;
    for (reference, value) in [
        (format!("gcp-sm:{project}/db#text"), "a\"\\/é😀\n"),
        (format!("gcp-sm:{project}/db#number"), "1.50"),
        (format!("gcp-sm:{project}/db#inner"), r#"{"k":[1,2]}"#),
        ("gcp-sm:db_1".to_owned(), r#"{"only": "x"}"#),
        (format!("gcp-sm:{project}/bytes|base64"), "/wD+"),
        (format!("x${{gcp-sm:{project}/empty}}y"), "xy"),
        (
            format!("a${{gcp-sm:{project}/plain|base64}}"),
            "abm8gSlNPTg==",
        ),
        // As `secret-init` has them.
        (
            format!("gcp:secretmanager:projects/{project}/secrets/plain"),
            "no JSON",
        ),
        (
            format!("gcp:secretmanager:projects/{project}/secrets/plain/versions/latest"),
            "no JSON",
        ),
        (
            format!("gcp-sm:projects/{project}/secrets/db/versions/1#number"),
            "1.50",
        ),
        (
            format!("${{gcp:secretmanager:projects/{project}/secrets/db#number}}!"),
            "1.50!",
        ),
        (
            "gcp:secretmanager::as it is".to_owned(),
            "gcp:secretmanager:as it is",
        ),
        ("gcp:europe-west1".to_owned(), "gcp:europe-west1"),
    ] {
        assert_eq!(app.value(&reference), value, "{reference}");
    }
    let store = app.store();
    let absent = format!("in {store}; create it, or allow its absence with '?'");
    for (reference, fault) in [
        (
            format!("{project}/db#none"),
            format!("there is no such key in {project}/db of {}", &absent[3..]),
        ),
        (
            format!("{project}/none"),
            format!("there is no such document {absent}"),
        ),
        (
            format!("{project}/plain#k"),
            format!("{store}: {project}/plain: it is no JSON object in UTF-8"),
        ),
    ] {
        assert_eq!(app.fault(&format!("gcp-sm:{reference}")), fault);
    }
    for malformed in [
        "gcp-sm:a b",
        "gcp:secretmanager:projects/a/b",
        "gcp-sm:a/b.c",
    ] {
        let said = app.fault(malformed);
        let why = "this is neither PROJECT/NAME nor projects/PROJECT/secrets/NAME";
        assert!(
            said.contains("malformed reference: column") && said.contains(why),
            "{said}"
        );
    }
    // Without a store of this kind, too.
    let run = app.run("run -q -- printenv V").without("DOORKEY_STORE");
    let run = run.env(
        "V",
        format!("gcp:secretmanager:projects/{project}/secrets/plain"),
    );
    run.gives(0, "no JSON\n", "");
}

#[test]
fn versions() {
    let app = App::new();
    app.put("db", r#"{"k": "first"}"#);
    app.put("db", r#"{"k": "second"}"#);
    let project = &app.project;
    assert_eq!(app.value(&format!("gcp-sm:{project}/db#k")), "second");
    assert_eq!(app.value(&format!("gcp-sm:{project}/db#k#1")), "first");
    assert_eq!(
        app.value(&format!("gcp-sm:{project}/db#k#latest")),
        "second"
    );
    let long = format!("gcp:secretmanager:projects/{project}/secrets/db/versions/1#k");
    assert_eq!(app.value(&long), "first");
    let absent = app.fault(&format!("gcp-sm:{project}/db#k#9"));
    assert!(absent.starts_with("there is no such document"), "{absent}");
    // The newest that is disabled is a fault, never the one before.
    let set = |state: &str| {
        app.gcp.call(json!(["state", project, "db", "2", state]));
    };
    app.put("app--team", r#"{"k": "first"}"#);
    for (state, what) in [
        (
            "DISABLED",
            "is disabled; add another one, or run gcloud secrets versions enable",
        ),
        ("DESTROYED", "is destroyed; add another one"),
    ] {
        set(state);
        for version in ["", "#latest", "#2"] {
            let said = app.fault(&format!("gcp-sm:{project}/db#k{version}"));
            let expected = format!("the version of {project}/db {what}");
            assert!(said.ends_with(&expected), "{said}");
        }
        assert_eq!(app.value(&format!("gcp-sm:{project}/db#k#1")), "first");
    }
    app.put("db", r#"{"k": "third"}"#);
    assert_eq!(app.value(&format!("gcp-sm:{project}/db#k")), "third");
    // A secret without a version is none yet.
    app.gcp.call(json!(["create", project, "new"]));
    let absent = app.fault(&format!("gcp-sm:{project}/new"));
    assert!(absent.starts_with("there is no such document"), "{absent}");
}

#[test]
fn regional_secrets() {
    let app = App::new();
    let there = format!("{}--europe-west1", app.project);
    app.gcp.put(&there, "app--team", r#"{"a": "regional"}"#);
    app.gcp.put(&there, "db", "regional");
    app.put("app--team", r#"{"a": "global"}"#);
    app.put("db", "global");
    let project = &app.project;
    let run = || app.run("run -q -- printenv A B C").env("A", "secret:a");
    let run = |store: String| {
        let long = format!("projects/{project}/secrets/db");
        let regional = format!("projects/{project}/locations/europe-west1/secrets/db");
        run()
            .env("DOORKEY_STORE", store)
            .env("B", format!("gcp-sm:{long}"))
            .env("C", format!("gcp-sm:{regional}"))
    };
    run(app.store()).gives(0, "global\nglobal\nregional\n", "");
    let store = format!("{}?location=europe-west1", app.store());
    run(store).gives(0, "regional\nglobal\nregional\n", "");
    // The host of a location, by way of a proxy, which is the one to hear of it.
    let proxy = Faulty::new(|_| faulty::answer(502, &[], b""));
    let run = app.run("run -q --timeout 2s -- true").without(ENDPOINT);
    let run = run.env(
        "DOORKEY_STORE",
        format!("{}?location=europe-west1", app.store()),
    );
    let run = run.env("HTTPS_PROXY", proxy.address()).env("V", "secret:a");
    assert_eq!(run.end().code(), 125);
    let asked = proxy.requests();
    assert_eq!(
        asked[0].path,
        "secretmanager.europe-west1.rep.googleapis.com:443"
    );
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    let app = App::new();
    let server = Faulty::new(|_| faulty::answer(500, &[], b""));
    let run = |store: &str| {
        let run = app.run("run -q -p a--b -- true").env("V", "secret:a");
        run.env("DOORKEY_STORE", store)
            .env(ENDPOINT, server.address())
    };
    let prefix = "a prefix has letters, digits, '_' and '-' alone, no '--', and no '-' at its end";
    for (store, what) in [
        ("gcp-sm:p/a--b", prefix),
        ("gcp-sm:p/a-", prefix),
        ("gcp-sm:p/a/b", prefix),
        ("gcp-sm:p/a.b", prefix),
        ("gcp-sm:p x/a", "this is not the id of a project"),
        (
            "gcp-sm:",
            "the store's name says no prefix; give gcp-sm:PROJECT/PREFIX",
        ),
        (
            "gcp-sm:p/a?location=x.evil",
            "a location has lower case letters, digits and '-' alone",
        ),
        (
            "gcp-sm:p/a",
            "project/a--b can't be here: a secret's name has letters, digits, '_' and '-', at most \
             255, and no '--' in an ID; give the scope such an id",
        ),
    ] {
        let said = run(store).end().err();
        assert!(said.contains(what), "{store}: {said}");
    }
    let long = "p".repeat(250);
    let said = app.run(&format!("run -q -p {long} -- true"));
    let said = said.env("V", "secret:a").end().err();
    assert!(
        said.contains("can't be here: a secret's name has"),
        "{said}"
    );
    assert_eq!(server.connections(), 0);
    // Where requests go is nothing for a file that is merely found.
    let config = "[store]\nlocation = 'gcp-sm:p/a'\nendpoint = 'http://x'\n";
    app.place.write("doorkey.toml", config);
    let run = app.run("run -- true").without("DOORKEY_STORE");
    let said = run.env("V", "secret:a").end().err();
    assert!(
        said.contains("endpoint counts only in a file that --config"),
        "{said}"
    );
}

#[test]
fn faults_as_google_says_them() {
    let app = App::new();
    let project = &app.project;
    let denied = format!(
        "denied: {project}/app--team is not for us, or does not exist; allow \
         secretmanager.versions.access (roles/secretmanager.secretAccessor) on it; in the whole project that \
         tells which it is"
    );
    for (answer, what) in [
        (
            refusal(404, "NOT_FOUND", ""),
            "none of PROJECT/app--team exists",
        ),
        (
            refusal(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"),
            "not admitted by the service account web@a.iam.gserviceaccount.com, by ",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED"),
            denied.as_str(),
        ),
        (
            refusal(403, "PERMISSION_DENIED", "SERVICE_DISABLED"),
            "the Secret Manager API is not turned on in the project; run gcloud services enable",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            "its token has no scope for Secret Manager; give the machine the scope cloud-platform",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "USER_PROJECT_DENIED"),
            "denied: there is no right to the quota project; allow serviceusage.services.use on it",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "SECURITY_POLICY_VIOLATED"),
            "denied: VPC Service Controls keep PROJECT/app--team from us",
        ),
        (
            refusal(400, "INVALID_ARGUMENT", ""),
            "Google refuses with status 400 (INVALID_ARGUMENT)",
        ),
        (
            refusal(400, "FAILED_PRECONDITION", "CMEK key is DISABLED"),
            "PROJECT/app--team: denied: there is no right to use its KMS key, or that is disabled",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "cloudkms.cryptoKeyVersions"),
            "denied: there is no right to use its KMS key",
        ),
        (
            refusal(400, "FAILED_PRECONDITION", "destroyed-secret is DISABLED"),
            "the version of PROJECT/app--team is disabled",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "BILLING_DISABLED"),
            "billing is not turned on in the project",
        ),
        (
            refusal(403, "PERMISSION_DENIED", "CONSUMER_INVALID"),
            "there is no such project, or it is deleted",
        ),
        (
            faulty::json(200, &json!({"payload": {"data": 5, "dataCrc32c": "1"}})),
            "the answer is no secret",
        ),
        (
            faulty::json(
                200,
                &json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "1"}}),
            ),
            "the content does not have the checksum that came with it",
        ),
        (
            faulty::json(200, &json!({"payload": {"data": "eyJhIjoidiJ9"}})),
            "the content does not have the checksum that came with it",
        ),
        (
            faulty::json(200, &json!({"payload": {"data": "e", "dataCrc32c": "1"}})),
            "the answer is no secret",
        ),
        (faulty::json(200, &Value::Null), "the answer is no secret"),
    ] {
        let server = Faulty::in_turn(vec![answer]);
        let run = app.run("run -q -- true").env("V", "secret:a");
        let ended = run.env(ENDPOINT, server.address()).end();
        let said = ended.err();
        assert!(
            said.contains(&what.replace("PROJECT", project)),
            "{what}: {said}"
        );
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-message"), "{said}");
        assert_eq!(server.requests().len(), 1, "{what}");
    }
    // What passes is tried again.
    let found = json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "3804862018"}});
    for answer in [
        refusal(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"),
        refusal(503, "UNAVAILABLE", ""),
    ] {
        let server = Faulty::in_turn(vec![answer, faulty::json(200, &found)]);
        let run = app.run("run -q -- printenv V").env("V", "secret:a");
        run.env(ENDPOINT, server.address()).gives(0, "v\n", "");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn what_is_there_is_listed() {
    let app = App::new();
    app.put("app--team", r#"{"a": "1", "b": "22"}"#);
    app.put("app--project--web", r#"{"a": "333"}"#);
    app.put("app--cluster--eu", "{}");
    app.put("app--project--x--y", r#"{"no": "scope of ours"}"#);
    app.put("apple--team", r#"{"no": "prefix of ours"}"#);
    let listed = app.run("secret list --all --json").ok().json();
    let rows = listed["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{listed}"));
    let row = |row: &Value| format!("{} {} {}", row["name"], row["scope"], row["size"]);
    let mut rows: Vec<_> = rows.iter().map(row).collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            r#""a" "project/web" 3"#,
            r#""a" "team" 1"#,
            r#""b" "team" 2"#
        ]
    );
    app.run("secret get b --team --reveal").gives(0, "22", "");
    let all = app.run("run -q -p web --all -- printenv a b");
    all.gives(0, "333\n22\n", "");
    // Page by page.
    let server = Faulty::new(|request| {
        let page = |names: &[&str], next: &str| {
            let secrets = names
                .iter()
                .map(|name| json!({"name": format!("projects/1/secrets/{name}")}));
            faulty::json(
                200,
                &json!({"secrets": secrets.collect::<Vec<_>>(), "nextPageToken": next}),
            )
        };
        match request.path.split_once("pageToken=") {
            Some((_, "")) => page(&["app--team"], "n/e"),
            Some((_, "n%2Fe")) => page(&["app--cluster--eu"], ""),
            Some(_) => faulty::answer(400, &[], b""),
            None => faulty::json(
                200,
                &json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "3804862018"}}),
            ),
        }
    });
    let run = app.run("secret list --all --json");
    let listed = run.env(ENDPOINT, server.address()).ok().json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}
