//! Members and versions of single documents: which one a reference means, and what is there no more.

use serde_json::json;
use support::bao::App;

use crate::direct::{bare, lines};

/// A member is found by the rule for scoped references.
#[test]
fn members_inside_of_members() {
    let app = App::new();
    let other = app.document("other");
    app.put(
        "other",
        json!({"tls": {"crt": "inside"}, "a.b": "whole", "a": {"b": "no"}, "n": null}),
    );
    for (key, value) in [("tls.crt", "inside"), ("a.b", "whole"), ("n", "null")] {
        let run = bare(&app).env("V", format!("vault:{other}#{key}"));
        assert_eq!(lines(run), [format!("V={value}")]);
    }
    let ended = bare(&app).env("V", format!("vault:{other}#tls.key")).end();
    assert_eq!(ended.code(), 125, "{}", ended.err());
}

/// A key with a `?` in it is never another key with a fallback.
#[test]
fn keys_with_a_question_mark() {
    let app = App::new();
    let other = app.document("other");
    app.put(
        "other",
        json!({"pass?word": "canary", "ready?": "canary", "pass": "other"}),
    );
    app.put("team", json!({"doc": "{\"a?b\": 1, \"a\": 2}"}));
    for reference in [
        format!("vault:{other}#pass?word"),
        format!("vault:{other}#ready?"),
        "secret:doc#a?b".to_owned(),
    ] {
        let run = bare(&app)
            .env("DOORKEY_STORE", app.store())
            .env("V", &reference);
        let ended = run.end();
        let err = ended.err();
        let said = "there is a key with this '?' in its name";
        assert!(
            ended.code() == 125 && err.contains(said),
            "{reference}: {err}"
        );
    }
    let run = bare(&app).env("DOORKEY_STORE", app.store());
    let run = run
        .env("V", format!("vault:{other}#pass?x"))
        .env("W", "secret:doc#a?c");
    assert_eq!(lines(run), ["V=other", "W=2"]);
}

/// What was dropped of a document is said.
#[test]
fn versions_that_are_there_no_more() {
    let app = App::new();
    let other = app.document("other");
    for number in 1..=5 {
        app.put("other", json!({"k": number.to_string()}));
    }
    let metadata = other.replacen("/data/", "/metadata/", 1);
    app.admin.write(&metadata, json!({"max_versions": 3}));
    app.put("other", json!({"k": "6"}));
    app.admin.write(
        &other.replacen("/data/", "/delete/", 1),
        json!({"versions": [4]}),
    );
    app.admin.write(
        &other.replacen("/data/", "/destroy/", 1),
        json!({"versions": [5]}),
    );
    for (version, said) in [
        (
            "4",
            format!("version 4 of {other} is deleted; name another version"),
        ),
        (
            "5",
            format!("version 5 of {other} is destroyed; name another version"),
        ),
        (
            "1",
            format!("{other} has no version 1, or no more; it has 4 to 6"),
        ),
        (
            "9",
            format!("{other} has no version 9, or no more; it has 4 to 6"),
        ),
    ] {
        let ended = bare(&app)
            .env("V", format!("vault:{other}#k#{version}"))
            .end();
        let err = ended.err();
        assert!(
            ended.code() == 125 && err.contains(&said),
            "{version}: {err}"
        );
    }
    assert_eq!(
        lines(bare(&app).env("V", format!("vault:{other}#k#6"))),
        ["V=6"]
    );
}
