//! The page about a team: its commands, as they stand there, in an empty home.

use std::fs;

use support::Place;

/// The commands of the page, one block after the other.
fn commands() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/team.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split_once("```").unwrap().0)
        .collect()
}

#[test]
fn its_commands_work_as_they_are_written() {
    let place = Place::new();
    let git =
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a\n";
    let script = format!("{git}cd ~\n{}", commands());
    let run = place.shell(&script).without("DOORKEY_STORE");
    let ended = run.ok();
    let (out, err) = (ended.out(), ended.err());
    for line in ["\tbob\tX25519\tall\n", "CONFLICT"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    for line in [
        "settled what git left in conflict: team/db_password;",
        "rotate project/web/api_key: bob could read it until 20",
        "rotate team/db_password: bob could read it until 20",
        "is sound: 2 secrets in 2 scopes",
    ] {
        assert!(err.contains(line), "{line}: {err}");
    }
    // In the end nothing is left to be replaced, and each has what is theirs.
    let app = place.path("home/app");
    let check = place.doorkey(["store", "check", "-j", "-q"]).dir(&app).ok();
    assert_eq!(check.json()["rotate"], serde_json::json!([]));
    for (key, opens) in [("bob", ""), ("ci", "api_key"), ("eve", "db_password")] {
        for (scope, name) in [("team", "db_password"), ("project/web", "api_key")] {
            let mut age = std::process::Command::new("age");
            age.arg("-d")
                .arg("-i")
                .arg(place.path(&format!("home/{key}.txt")));
            let file = app.join(format!("secrets/{scope}/{name}.age"));
            let opened = age.arg(file).output().unwrap().status.success();
            assert_eq!(opened, opens.contains(name), "{key} {name}");
        }
    }
}
