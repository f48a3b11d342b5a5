//! `doorkey doctor`: what is found, and what is not ok.

use support::Place;

fn place() -> Place {
    let place = Place::with_store();
    place.write("doorkey.toml", "store = 'age:secrets'\n");
    place.set("project/web", "db_password", "canary");
    place
}

#[test]
fn what_is_found_and_from_where() {
    let place = place();
    let ended = place.doorkey(["doctor", "--project", "web"]).ok();
    let out = ended.out();
    let file = place.path("doorkey.toml").display().to_string();
    let key = std::fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    let key = key.lines().last().unwrap();
    for (what, found) in [
        ("configuration", file.clone()),
        ("store", format!("age:secrets ({file})")),
        (
            "key",
            format!(
                "{key} ({})",
                place.path("home/.config/doorkey/key.txt").display()
            ),
        ),
        ("readers", "1 recipient, this key among them".to_owned()),
        ("project/web (--project)", "1 secret".to_owned()),
        ("team", "0 secrets".to_owned()),
        ("memfd_create", "the kernel has it".to_owned()),
    ] {
        let row = |line: &&str| line.starts_with("ok ") && line.ends_with(&found);
        let mut rows = out.lines().filter(row);
        assert!(rows.any(|line| line.contains(what)), "{what}: {out}");
    }
    assert!(!out.contains("not ok") && !out.contains("canary") && !out.contains("AGE-SECRET"));
}

#[test]
fn what_is_not_ok_and_the_next_step() {
    let place = place();
    let faults = |run: support::Run| -> Vec<String> {
        let ended = run.arg("--json").end();
        assert_eq!(ended.code(), 1, "{}", ended.err());
        let facts = ended.json();
        let bad = facts
            .as_array()
            .unwrap()
            .iter()
            .filter(|fact| fact["ok"] == false);
        let shown = |fact: &serde_json::Value| {
            let text = |key: &str| fact[key].as_str().unwrap_or("-").to_owned();
            format!("{}: {} -> {}", text("what"), text("found"), text("next"))
        };
        bad.map(shown).collect()
    };
    let wrong = faults(place.doorkey(["doctor", "-p", "wbe"]));
    let project =
        "project/wbe (--project): it does not exist -> doorkey secret list --all shows all";
    assert_eq!(wrong, [project]);
    let none = faults(place.doorkey(["doctor", "--key-file", "./none.key"]));
    assert_eq!(
        none[0],
        "key: no key: --key-file: can't read ./none.key: no such file or directory -> mount or write the key there"
    );
    let elsewhere = faults(place.doorkey(["doctor", "--store", "age:none"]));
    assert_eq!(
        elsewhere[0],
        "store: age:none: there is no store there -> check the name, or make one with doorkey store init"
    );
    place.write("doorkey.toml", "stor = 1\n");
    let file = place.path("doorkey.toml").display().to_string();
    let broken = faults(place.doorkey(["doctor"]));
    assert_eq!(
        broken,
        [format!(
            "configuration: {file}:1:1: there is no such setting -> did you mean store?"
        )]
    );
}
