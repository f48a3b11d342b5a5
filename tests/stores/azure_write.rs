//! Writing to a vault; and many launches at once.

use crate::azure_kv::App;
use crate::clouds::three_hundred;
use serde_json::{Value, json};
use support::azure::is_of_vault;

impl App {
    fn content(&self, name: &str) -> Value {
        let found = self.azure.get(&self.vault, name);
        serde_json::from_str(found["value"].as_str().unwrap_or("null")).unwrap()
    }
}

#[test]
fn each_command_that_writes() {
    let app = App::new();
    let secret = |words: &str, value: &str| app.run(&format!("secret {words} -q")).stdin(value);
    secret("create a --team", "first").ok();
    assert_eq!(app.content("app--team"), json!({"a": "first"}));
    let made = app.azure.get(&app.vault, "app--team");
    assert_eq!(made["contentType"], "application/json");
    let taken = secret("create a --team", "x").end();
    assert!(
        taken
            .err()
            .contains("it exists already; to change it, use update or set"),
        "{}",
        taken.err()
    );
    secret("set a --team", "second").ok();
    secret("update a --team", "third").ok();
    secret("create b --team", "other").ok();
    let absent = secret("update none --team", "x").end();
    assert!(absent.err().contains("no such secret"), "{}", absent.err());
    secret("set a --project web", "of web").ok();
    assert_eq!(
        app.content("app--team"),
        json!({"a": "third", "b": "other"})
    );
    assert_eq!(app.content("app--project--web"), json!({"a": "of web"}));
    app.run("secret get a --team --reveal")
        .gives(0, "third", "");
    app.run("secret delete a --team -q --yes").ok();
    assert_eq!(app.content("app--team"), json!({"b": "other"}));
    let absent = app.run("secret delete a --team -q --yes").end();
    assert!(absent.err().contains("no such secret"), "{}", absent.err());
    // What others wrote stays as it stands.
    app.put("app--team", r#"{"n": 1.50, "x": "\u003c"}"#);
    secret("create y --team", "z").ok();
    let found = app.azure.get(&app.vault, "app--team");
    assert_eq!(found["value"], r#"{"n":1.50,"x":"\u003c","y":"z"}"#);
}

#[test]
fn what_can_not_be_written() {
    let app = App::new();
    let set = |value: &[u8]| app.run("secret set a --team -q --raw").stdin(value).end();
    // 8 bytes are JSON's own.
    let most = 25_600 - r#"{"a":""}"#.len();
    assert_eq!(set(&vec![b'x'; most]).code(), 0);
    let before = app.front.asked().len();
    let large = set(&vec![b'x'; most + 1]);
    let said = "the scope's secrets would be larger together than the 25,600 bytes of one secret of \
                a vault\n";
    assert!(large.err().ends_with(said), "{}", large.err());
    // It is said before anything is sent.
    assert!(
        app.front.asked()[before..]
            .iter()
            .all(|one| one.starts_with("GET "))
    );
    assert!(set(b"\xff").err().contains("the value is not UTF-8"));
    app.put("app--team", "no JSON");
    assert!(set(b"x").err().contains("it is no JSON object in UTF-8"));
    // A deleted name is kept, until somebody frees it.
    app.azure.delete(&app.vault, "app--team");
    let said = "/app--team is deleted, and keeps its name; az keyvault secret recover brings it back, \
                az keyvault secret purge frees the name\n";
    let deleted = set(b"x");
    assert!(deleted.err().ends_with(said), "{}", deleted.err());
    app.azure.deny(&app.vault, "--team", "ForbiddenByRbac");
    assert!(set(b"x").err().contains("a role must allow get on it"));
    let app = App::behind(|request| {
        let is_write = is_of_vault(request) && request.method == "PUT";
        is_write.then(|| support::azure::refusal(403, "Forbidden", "ForbiddenByRbac"))
    });
    let denied = app.run("secret set a --team -q").stdin("x").end();
    let said = "a role must allow set on it, such as Key Vault Secrets Officer";
    assert!(denied.err().contains(said), "{}", denied.err());
}

/// 300 launches at the same time, each with three scopes: all succeed, and none asks more than it
/// must.
#[test]
fn three_hundred_launches() {
    let app = App::new();
    for scope in ["team", "project--web", "cluster--eu"] {
        app.put(&format!("app--{scope}"), &json!({"a": scope}).to_string());
    }
    three_hundred(|| {
        let run = app.run("run -q --timeout 4m -p web --cluster eu -- printenv V");
        run.env("V", "secret:a").gives(0, "project--web\n", "");
    });
    let requests = app.front.faulty.requests();
    assert_eq!((requests.len(), app.front.asked().len()), (1200, 900));
}
