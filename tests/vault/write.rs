//! `vault:`: managing secrets on a real server, in both versions of KV, so that no concurrent
//! change is lost.

use std::thread;

use serde_json::{Value, json};
use support::Run;
use support::bao::App;

/// Each test here is run on both.
fn both(test: impl Fn(&App)) {
    for app in [App::new(), App::unversioned()] {
        test(&app);
    }
}

#[test]
fn create_set_update_delete() {
    both(|app| {
        let run = |words: &str, value: &str| app.operator(words).stdin(value);
        run("secret create a --team -q", "one\n").gives(0, "", "");
        assert_eq!(app.get("team"), json!({"a": "one"}));
        let store = app.store();
        run("secret create a --team", "two").fails(
            1,
            &format!("doorkey: error: a in team of {store}: it exists already; to change it, use update or set\n"),
        );
        run("secret update aa --team", "two").fails(
            1,
            &format!(
                "doorkey: error: aa in team of {store}: there is no such secret; did you mean a?\n"
            ),
        );
        run("secret set b --team -q", "two").ok();
        run("secret update a --team -q", "three").ok();
        assert_eq!(app.get("team"), json!({"a": "three", "b": "two"}));
        let get = app.operator("secret get a --team --reveal").ok();
        assert_eq!(get.out(), "three");
        app.operator("secret delete a --team -q --yes").ok();
        assert_eq!(app.get("team"), json!({"b": "two"}));
        app.operator("secret delete a --team --yes").fails(
            1,
            &format!("doorkey: error: a in team of {store}: there is no such secret\n"),
        );
        // A scope that is not there yet.
        run("secret create a --project web -q", "web").ok();
        assert_eq!(app.get("project/web"), json!({"a": "web"}));
        run("secret set raw --project web -q", "\u{e9}\n\n").ok();
        assert_eq!(app.get("project/web"), json!({"a": "web", "raw": "é\n"}));
        let bytes = app.operator("secret set bytes --team").stdin([0xff, 0xfe]);
        bytes.fails(
            1,
            &format!(
                "doorkey: error: bytes in team of {store}: the value is not UTF-8, which this store \
                 can't hold; store it as base64, and read it with |base64decode\n"
            ),
        );
        assert_eq!(app.get("team"), json!({"b": "two"}));
    });
}

#[test]
fn what_else_is_in_a_document_stays_as_it_is() {
    both(|app| {
        // Version 2 itself keeps numbers in floating point.
        let large = if app.versioned {
            "1234567890123456"
        } else {
            "12345678901234567"
        };
        let text = r#"{"n": 1.5, "large": LARGE, "object": {"x": [1, null]}, "none": null, "odd name!": "x"}"#;
        let document: Value = serde_json::from_str(&text.replace("LARGE", large)).unwrap();
        app.put("team", document.clone());
        app.operator("secret set a --team -q").stdin("v").ok();
        app.operator("secret create b --team -q").stdin("v").ok();
        app.operator("secret update n --team -q").stdin("text").ok();
        app.operator("secret delete a --team -q --yes").ok();
        let mut expected = document;
        expected["b"] = "v".into();
        expected["n"] = "text".into();
        assert_eq!(app.get("team"), expected);
    });
}

#[test]
fn import_and_list() {
    both(|app| {
        app.write("file.env", "A=one\nB='two words'\n");
        app.operator("secret import file.env --project web -q").ok();
        assert_eq!(
            app.get("project/web"),
            json!({"A": "one", "B": "two words"})
        );
        app.operator("secret set T --team -q").stdin("t").ok();
        app.operator("secret set C --cluster eu -q").stdin("c").ok();
        let list = |words: &str| {
            let mut json = app
                .operator(&format!("secret list --json {words}"))
                .ok()
                .json();
            json["items"].take()
        };
        let items = list("--all");
        let found: Vec<_> = items
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                (
                    item["scope"].as_str().unwrap(),
                    item["name"].as_str().unwrap(),
                    item["size"].clone(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("project/web", "A", json!(3)),
                ("project/web", "B", json!(9)),
                ("cluster/eu", "C", json!(1)),
                ("team", "T", json!(1)),
            ]
        );
        // Times are the server's; version 1 keeps none.
        let item = &list("--team")[0];
        if app.versioned {
            let metadata = app.admin.read(&format!("{}/metadata/app/team", app.mount));
            let made = |time: &Value| time.as_str().unwrap()[..19].to_owned();
            assert_eq!(made(&item["created"]), made(&metadata["created_time"]));
            assert_eq!(made(&item["modified"]), made(&metadata["updated_time"]));
        } else {
            assert_eq!(
                (&item["created"], &item["modified"]),
                (&Value::Null, &Value::Null)
            );
        }
        // All or nothing, where one can't be stored.
        app.write("bad.env", b"GOOD=x\nBAD=\xff\n");
        let ended = app.operator("secret import bad.env --project web").end();
        assert_eq!(ended.code(), 1, "{}", ended.err());
        assert_eq!(
            app.get("project/web"),
            json!({"A": "one", "B": "two words"})
        );
    });
}

/// Runs so many of these at the same time, all of which succeed.
fn at_once(count: usize, run: impl Fn(usize) -> Run) {
    let threads: Vec<_> = (0..count)
        .map(|number| {
            thread::spawn({
                let run = run(number);
                move || {
                    let ended = run.end();
                    assert_eq!(ended.code(), 0, "{}", ended.err());
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

const WRITERS: usize = 32;

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let app = App::new();
    let expected = |of: &dyn Fn(usize) -> (String, String)| -> Value {
        (0..WRITERS)
            .map(of)
            .map(|(name, value)| (name, Value::from(value)))
            .collect()
    };
    let all =
        |prefix: &'static str| move |number| (format!("{prefix}{number}"), format!("v{number}"));
    // A document that is made by one of them, and changed by patches then.
    let write = |subcommand: &'static str, prefix: &'static str, scope: &'static str| {
        let app = &app;
        move |number: usize| {
            let words = format!("secret {subcommand} {prefix}{number} {scope} -q --timeout 60s");
            app.operator(&words).stdin(format!("v{number}"))
        }
    };
    at_once(WRITERS, write("set", "s", "--team"));
    assert_eq!(app.get("team"), expected(&all("s")));
    at_once(WRITERS, write("create", "c", "--project web"));
    assert_eq!(app.get("project/web"), expected(&all("c")));
    // Half of them change, half of them remove.
    at_once(WRITERS, |number| {
        let words = match number % 2 {
            0 => format!("secret update s{number} --team -q --timeout 60s"),
            _ => format!("secret delete s{number} --team -q --yes --timeout 60s"),
        };
        app.operator(&words).stdin("new")
    });
    let left: Value = (0..WRITERS)
        .filter(|number| number % 2 == 0)
        .map(|number| (format!("s{number}"), json!("new")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(app.get("team"), left);
}

#[test]
fn writers_without_the_right_to_patch_lose_nothing() {
    let app = App::new();
    let policy = format!(
        r#"path "{}/data/*" {{ capabilities = ["create", "update", "read"] }}"#,
        app.mount
    );
    app.admin.policy("no-patch", &policy);
    let token = app.admin.token("no-patch");
    at_once(WRITERS / 2, |number| {
        let run = app.nobody(&format!("secret set s{number} --team -q --timeout 60s"));
        run.env("VAULT_TOKEN", &token).stdin("v")
    });
    let document = app.get("team");
    assert_eq!(document.as_object().unwrap().len(), WRITERS / 2);
}

#[test]
fn one_of_many_creates() {
    let app = App::new();
    app.put("team", json!({"other": "x"}));
    for scope in ["--team", "--project new"] {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                thread::spawn({
                    let run = app.operator(&format!("secret create one {scope} -q --timeout 60s"));
                    let run = run.stdin(format!("v{number}"));
                    move || (number, run.end().code())
                })
            })
            .collect();
        let codes: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        let won: Vec<_> = codes.iter().filter(|(_, code)| *code == 0).collect();
        assert_eq!(won.len(), 1, "{codes:?}");
        let document = app.get(if scope == "--team" {
            "team"
        } else {
            "project/new"
        });
        assert_eq!(document["one"], format!("v{}", won[0].0));
    }
}

#[test]
fn documents_that_are_gone_and_rights_that_are_lacking() {
    let app = App::new();
    app.put("team", json!({"old": "x"}));
    app.admin.delete(&app.document("team"));
    app.operator("secret set new --team -q").stdin("v").ok();
    assert_eq!(
        app.get("team"),
        json!({"new": "v"}),
        "what was deleted does not come back"
    );
    app.admin.delete(&app.document("team"));
    app.operator("secret create new --team -q").stdin("w").ok();
    assert_eq!(app.get("team"), json!({"new": "w"}));

    let store = app.store();
    let path = format!("{}/app/team", app.mount);
    let reader = app.run("secret set new --team").stdin("x");
    reader.fails(
        1,
        &format!(
            "doorkey: error: new in team of {store}: denied: the token may not use {path}, or is no \
             longer valid; its policies must allow it\n"
        ),
    );
    // A document that demands a version with each write gets one.
    app.admin.write(
        &format!("{}/metadata/app/project/strict", app.mount),
        json!({"cas_required": true}),
    );
    for value in ["one", "two"] {
        let run = app.operator("secret set a --project strict -q");
        run.stdin(value).ok();
        assert_eq!(app.get("project/strict"), json!({"a": value}));
    }
}
