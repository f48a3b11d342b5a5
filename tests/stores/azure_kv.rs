//! `azure-kv:` on a cloud of our own that Azure's client believes (`azure_chain.rs`).

use serde_json::json;
use std::sync::Arc;
use support::azure::{Application, Azure, Front};
use support::faulty;
use support::{Place, Run};

/// A vault of its own, and an application that may read.
pub struct App {
    pub place: Place,
    pub azure: Arc<Azure>,
    pub front: Front,
    pub vault: String,
    pub app: Application,
}

impl App {
    pub fn new() -> Self {
        Self::behind(|_| None)
    }

    pub fn behind(
        first: impl Fn(&faulty::Request) -> Option<Vec<faulty::Step>> + Send + Sync + 'static,
    ) -> Self {
        let azure = Azure::shared();
        App {
            place: Place::new(),
            front: azure.behind(first),
            vault: azure.vault(),
            app: azure.application("a client's secret", None),
            azure,
        }
    }

    pub fn put(&self, name: &str, text: &str) -> String {
        self.azure.put(&self.vault, name, text)
    }

    /// doorkey with these words, by the application.
    pub fn run(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        let run = run.env("DOORKEY_STORE", format!("azure-kv:{}/app", self.vault));
        self.app.give(self.front.lead(run))
    }

    #[track_caller]
    fn value(&self, reference: &str) -> String {
        let run = self.run("run -q -p web -- printenv V");
        run.value_of(&reference.replace("VAULT", &self.vault))
    }

    #[track_caller]
    fn fault(&self, reference: &str) -> String {
        let run = self.run("run -q -p web -- true");
        run.fault_of(&reference.replace("VAULT", &self.vault))
    }
}

#[test]
fn single_secrets() {
    let app = App::new();
    let text = r#"{"text": "a\"\\\/\u00e9\ud83d\ude00\n", "number": 1.50, "inner": {"k": [1, 2]}}"#;
    app.put("db", text);
    app.put("one", r#"{"only": "x"}"#);
    app.put("plain", "no JSON");
    for (reference, value) in [
        ("azure-kv:VAULT/db#text", "a\"\\/é😀\n"),
        ("azure-kv:VAULT.vault.azure.net/db#number", "1.50"),
        (
            "azure-kv:VAULT.vault.azure.net:443/DB#inner",
            r#"{"k":[1,2]}"#,
        ),
        ("azure-kv:VAULT/one", r#"{"only": "x"}"#),
        ("a${azure-kv:VAULT/plain|base64}", "abm8gSlNPTg=="),
        ("azure-kv:VAULT/none?instead", "instead"),
    ] {
        assert_eq!(app.value(reference), value, "{reference}");
    }
    let absent = format!(
        "in azure-kv:{}/app; create it, or allow its absence with '?'",
        app.vault
    );
    for (reference, fault) in [
        (
            "azure-kv:VAULT/db#none",
            format!(
                "there is no such key in {}/db of {}",
                app.vault,
                &absent[3..]
            ),
        ),
        (
            "azure-kv:VAULT/none",
            format!("there is no such document {absent}"),
        ),
    ] {
        assert_eq!(app.fault(reference), fault);
    }
    let no_object = app.fault("azure-kv:VAULT/plain#k");
    assert!(
        no_object.ends_with("/plain: it is no JSON object in UTF-8"),
        "{no_object}"
    );
    let malformed = app.fault("azure-kv:db");
    let expected = "V: malformed reference: column 10: a vault and '/' must be before";
    assert!(malformed.starts_with(expected), "{malformed}");
}

/// A vault's names have no underscore and no dot; that a dash is looked for is said.
#[test]
fn names_that_a_vault_does_not_have() {
    let app = App::new();
    app.put("db-password", "x");
    let run = app.run("run -- printenv V");
    let ended = run
        .env("V", format!("azure-kv:{}/db_password", app.vault))
        .ok();
    assert_eq!(ended.out(), "x\n");
    let line = "doorkey: db_password is looked for as db-password: a vault's names have no '_' and \
                no '.'\n";
    assert_eq!(ended.err().matches(line).count(), 1, "{}", ended.err());
    // IDs are not changed: two of them would be one.
    app.put("app--team", r#"{"a": "b"}"#);
    for (project, is_fine) in [
        ("web-1", true),
        ("web_1", false),
        ("Web", false),
        ("a--b", false),
    ] {
        let ended = app
            .run("run -q -- true")
            .env("DOORKEY_PROJECT", project)
            .env("V", "secret:a")
            .end();
        let said = format!(
            "project/{project} can't be here: a name there has a-z, 0-9 and '-' alone, and at most \
             127 of them, and no '--' in an ID; give the scope such an id\n"
        );
        assert_eq!(ended.err().ends_with(&said), !is_fine, "{}", ended.err());
        assert_eq!(ended.code(), if is_fine { 0 } else { 125 });
    }
    let long = "x".repeat(128 - "app--project--".len());
    let ended = app
        .run("run -q -- true")
        .env("DOORKEY_PROJECT", long)
        .env("V", "secret:a")
        .end();
    assert!(ended.err().contains("can't be here"), "{}", ended.err());
    for (store, what) in [
        (
            "azure-kv:v",
            "the store's name says no prefix; give azure-kv:VAULT/PREFIX",
        ),
        (
            "azure-kv:v/a_b",
            "a prefix has letters, digits and '-' alone, no '--', and no '-' at its end",
        ),
        ("azure-kv:v/a--b", "a prefix has letters"),
        (
            "azure-kv:v@x/a",
            "neither a vault's name, of letters, digits and '-', nor its host",
        ),
        ("azure-kv:/a", "neither a vault's name"),
    ] {
        let run = app.run("run -q -- true").env("V", "secret:a");
        let ended = run.env("DOORKEY_STORE", store).end();
        assert!(ended.err().contains(what), "{}", ended.err());
    }
    // Case does not count.
    app.run("run -q -- true")
        .env("DOORKEY_STORE", format!("azure-kv:{}/APP", app.vault))
        .env("V", "secret:a")
        .ok();
}

#[test]
fn versions_and_states() {
    let app = App::new();
    let first = app.put("db", r#"{"k": "before"}"#);
    app.put("db", r#"{"k": "now"}"#);
    assert_eq!(app.value("azure-kv:VAULT/db#k"), "now");
    assert_eq!(app.value(&format!("azure-kv:VAULT/db#k#{first}")), "before");
    let other = first.chars().rev().collect::<String>();
    let absent = app.fault(&format!("azure-kv:VAULT/db#k#{other}"));
    assert!(absent.starts_with("there is no such document"), "{absent}");
    // One that is disabled is a fault, and never the version before.
    let off = json!({"value": "x", "attributes": {"enabled": false}});
    app.azure.put_as(&app.vault, "db", &off);
    let disabled = app.fault("azure-kv:VAULT/db#k");
    let said = "/db is disabled; enable it: az keyvault secret set-attributes --enabled true";
    assert!(disabled.ends_with(said), "{disabled}");
    assert_eq!(app.value(&format!("azure-kv:VAULT/db#k#{first}")), "before");
    // A vault gives what is not valid yet, or not any more.
    let times =
        json!({"value": "{\"k\": \"x\"}", "attributes": {"nbf": 4_000_000_000_u64, "exp": 1}});
    app.azure.put_as(&app.vault, "times", &times);
    assert_eq!(app.value("azure-kv:VAULT/times#k"), "x");
    app.azure.delete(&app.vault, "db");
    assert!(
        app.fault("azure-kv:VAULT/db")
            .starts_with("there is no such document")
    );
}

/// Bytes are base64 by convention.
#[test]
fn bytes() {
    let app = App::new();
    for (name, more) in [
        ("stream", json!({"contentType": "application/octet-stream"})),
        ("pkcs", json!({"contentType": "application/x-pkcs12"})),
        ("said", json!({"contentType": "text/plain;Base64"})),
        ("tag", json!({"tags": {"file-encoding": "base64"}})),
    ] {
        let mut wanted = json!({"value": "AP8="});
        wanted
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        app.azure.put_as(&app.vault, name, &wanted);
        assert_eq!(
            app.value(&format!("azure-kv:VAULT/{name}|base64")),
            "AP8=",
            "{name}"
        );
    }
    app.put("text", "AP8=");
    assert_eq!(app.value("azure-kv:VAULT/text"), "AP8=");
    let odd = json!({"value": "canary-value!", "contentType": "application/octet-stream"});
    app.azure.put_as(&app.vault, "odd", &odd);
    let fault = app.fault("azure-kv:VAULT/odd");
    assert!(
        fault.ends_with("says that it is base64, and its value is none"),
        "{fault}"
    );
    assert!(!fault.contains("canary"), "{fault}");
}

#[test]
fn references_of_secret_init() {
    let app = App::new();
    let first = app.put("db-password", r#"{"k": "before"}"#);
    app.put("db-password", r#"{"k": "now"}"#);
    let url = format!("https://{}.vault.azure.net/", app.vault);
    let run = || app.run("run -q -- printenv V").without("DOORKEY_STORE");
    let given = || run().env("AZURE_KEY_VAULT_URL", &url);
    assert_eq!(
        given().value_of("azure:keyvault:db-password"),
        r#"{"k": "now"}"#
    );
    assert_eq!(given().value_of("azure:keyvault:db_password#k"), "now");
    let version = format!("azure:keyvault:db-password/{first}");
    assert_eq!(given().value_of(&version), r#"{"k": "before"}"#);
    assert_eq!(given().value_of(&format!("x${{{version}#k}}")), "xbefore");
    let own = run()
        .env("AZURE_KEY_VAULT_URL", "https://other")
        .env("DOORKEY_AZURE_KEY_VAULT_URL", &url);
    assert_eq!(own.value_of("azure:keyvault:db-password#k"), "now");
    // Both kinds of references in one launch.
    let both = app
        .run("run -q -- printenv V W")
        .env("AZURE_KEY_VAULT_URL", &url);
    let both = both.env("W", format!("azure-kv:{}/db-password#k", app.vault));
    assert_eq!(both.value_of("azure:keyvault:db-password#k"), "now\nnow");
    for (url, reference, what) in [
        (
            "",
            "db",
            "AZURE_KEY_VAULT_URL is missing: such a reference names no vault; give https://VAULT.vault.azure.net",
        ),
        (
            "http://v.vault.azure.net",
            "db",
            "AZURE_KEY_VAULT_URL must begin with https://",
        ),
        (
            "https://v.test",
            "db/3",
            "a version has 32 hexadecimal digits",
        ),
        (&url, "none", "there is no such document"),
    ] {
        let run = run().env("AZURE_KEY_VAULT_URL", url);
        let ended = run.env("V", format!("azure:keyvault:{reference}")).end();
        assert!(ended.err().contains(what), "{}", ended.err());
        assert_eq!(ended.code(), 125);
    }
    // Other values that begin so are no references.
    let ended = app.run("run -q -- printenv V").env("V", "azure:gpt-4").ok();
    assert_eq!(ended.out(), "azure:gpt-4\n");
}

#[test]
fn what_is_there_is_listed() {
    let app = App::new();
    app.put("app--team", r#"{"a": "1", "b": "22"}"#);
    app.put("App--Project--web", r#"{"a": "333"}"#);
    app.put("app--cluster--eu", "{}");
    for number in 0..60 {
        app.put(&format!("else-{number}"), "x");
    }
    let listed = app.run("secret list --all --json").ok().json();
    let rows = listed["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{listed}"));
    let row = |row: &serde_json::Value| format!("{} {} {}", row["name"], row["scope"], row["size"]);
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
    let before = app.front.asked().len();
    let all = app.run("run -q -p web --all -- printenv a b");
    all.gives(0, "333\n22\n", "");
    // Nothing is listed at a launch.
    let host = format!("{}.vault.azure.net", app.vault);
    let mut asked = app.front.asked().split_off(before);
    asked.sort();
    let expected =
        ["app--project--web", "app--team"].map(|name| format!("GET {host}/secrets/{name}"));
    assert_eq!(asked, expected);
}

/// A list that leads to another server is no list: the token does not go there.
#[test]
fn a_list_leads_nowhere_else() {
    let app = App::behind(|request| {
        let page = json!({"value": [], "nextLink": "https://other.vault.azure.net/secrets?x=1"});
        request
            .path
            .starts_with("/secrets?")
            .then(|| faulty::json(200, &page))
    });
    let ended = app.run("secret list --all").end();
    assert!(
        ended.err().contains("the answer is no list"),
        "{}",
        ended.err()
    );
    assert_eq!(app.front.asked().len(), 1);
}

/// One token for many single values.
#[test]
fn one_token_for_many_values() {
    let app = App::new();
    let mut run = app.run("run -q -- true");
    for number in 0..40 {
        app.put(&format!("n{number}"), "v");
        run = run.env(
            format!("V{number}"),
            format!("azure-kv:{}/n{number}", app.vault),
        );
    }
    run.ok();
    let requests = app.front.faulty.requests();
    assert_eq!((requests.len(), app.front.asked().len()), (41, 40));
}
