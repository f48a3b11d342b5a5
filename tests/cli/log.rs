//! Lines of the log: as JSON each is an object with fields that somebody can alert on.

use std::fs;

use doorkey::model::log::Event;
use serde_json::{Map, Value, json};
use support::faulty::{Faulty, answer, document};
use support::{Place, Run};

/// What a command says, as objects without their times; the time that something took is 0.
fn lines(run: Run) -> Vec<Value> {
    let ended = run.env("DOORKEY_LOG_FORMAT", "json").end();
    assert_eq!(ended.out(), "");
    let err = ended.timeless();
    let object = |line: &str| {
        let mut object: Map<String, Value> = serde_json::from_str(line).unwrap();
        let time = object.remove("time").unwrap();
        let time = time.as_str().unwrap();
        assert!(
            time.len() == 24 && time.ends_with('Z') && time.is_ascii(),
            "{time}"
        );
        if let Some(took) = object.get_mut("elapsed_ms") {
            assert!(took.as_f64().unwrap() > 0.0, "{line}");
            *took = 0.into();
        }
        Value::Object(object)
    };
    err.lines().map(object).collect()
}

#[test]
fn what_is_resolved_and_what_is_wrong() {
    let place = Place::with_store();
    place.set("team", "a", "x");
    assert_eq!(
        lines(place.run(["true"]).env("X", "secret:a")),
        [json!({
            "level": "info", "event": "resolved", "phase": "exec", "store": "age:secrets",
            "elapsed_ms": 0,
            "message": "1 reference resolved: 1 from team of age:secrets in T ms",
        })]
    );
    let hint = "not found in team of age:secrets; create it, or allow its absence with '?'";
    let missing = |variable: &str, reference: &str| {
        json!({
            "level": "error", "event": "fault", "kind": "absent", "variable": variable,
            "reference": reference, "store": "age:secrets",
            "message": format!("{variable}: {reference}: {hint}"),
        })
    };
    // A member is nobody's to say.
    let member = place.run(["true"]).env("X", "secret:none#member");
    assert_eq!(lines(member), [missing("X", "secret:none")]);
    assert_eq!(
        lines(
            place
                .run(["true"])
                .env("X", "secret:none")
                .env("Y\n", "secret:nothing")
        ),
        [
            missing("X", "secret:none"),
            missing("Y\\n", "secret:nothing")
        ]
    );
    let other = |kind: &str, message: &str| json!({"level": "error", "event": "fault", "kind": kind, "message": message});
    assert_eq!(
        lines(place.run(["no such\n\"command\""])),
        [other(
            "command",
            "the command (it does not look like a path, and is not shown): command not found"
        )]
    );
    assert_eq!(
        lines(place.run(["--timeout", "x", "true"])),
        [other(
            "usage",
            "--timeout must be a duration above zero, such as 30s or 500ms"
        )]
    );
    fs::write(place.path("secrets/team/broken.age"), "no age file").unwrap();
    let scope = lines(place.run(["true"]).env("X", "secret:broken"));
    let fields = ["event", "kind", "variable", "reference", "scope", "store"];
    assert_eq!(
        fields.map(|field| scope[0][field].as_str().unwrap()),
        [
            "fault",
            "corrupt",
            "X",
            "secret:broken",
            "team",
            "age:secrets"
        ]
    );
}

#[test]
fn phases_of_a_launch_and_tries() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![answer(503, &[], b""), document(&json!({"k": "v"}))]);
    let launch = |format: &str| {
        let run = place.doorkey(["run", "--log-level", "debug", "--", "true"]);
        run.env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("VAULT_ADDR", format!("http://{}", server.at))
            .env("VAULT_TOKEN", "s.token")
            .env("V", "secret:k")
            .env("DOORKEY_LOG_FORMAT", format)
    };
    let said = lines(launch("json"));
    let of = |event: &str| -> Vec<&Value> {
        said.iter().filter(|line| line["event"] == event).collect()
    };
    assert_eq!(
        (of("retry").len(), &of("retry")[0]["attempt"]),
        (1, &json!(1))
    );
    assert_eq!(of("retry")[0]["phase"], "fetch");
    assert_eq!(of("fetched")[0]["elapsed_ms"], 0);
    let phases: Vec<_> = of("phase")
        .iter()
        .map(|line| {
            (
                line["phase"].as_str().unwrap(),
                line["level"].as_str().unwrap(),
            )
        })
        .collect();
    let all = ["assemble", "login", "fetch", "fill", "exec"];
    assert_eq!(phases, all.map(|phase| (phase, "debug")));
    // What people read says no more than it did.
    let text = launch("text").ok().err();
    assert!(
        text.contains("documents fetched in") && !text.contains("took"),
        "{text}"
    );
}

#[test]
fn what_is_too_short_for_a_mask() {
    let place = Place::with_store();
    place.set("team", "a", "x");
    place.set("team", "b", "y");
    let run = place.run(["--mask", "true"]);
    let said = lines(run.env("X", "secret:b").env("Y", "secret:a"));
    assert_eq!(
        (&said[0]["event"], &said[0]["reference"]),
        (&json!("masked_short"), &json!("a, b"))
    );
}

/// Who reads the documentation finds each word that an event can be.
#[test]
fn every_event_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/log.md");
    let page = fs::read_to_string(page).unwrap();
    let named = |event: &&Event| page.contains(&format!("`{}`", event.as_str()));
    let missing: Vec<_> = Event::ALL.iter().filter(|event| !named(event)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
