//! `doorkey store check`: what makes a store unsound, each with a line and in JSON, and exit code 1.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use support::{Place, in_short};

/// A sound store of four secrets in three scopes, one of them with a list of its own; the key
/// `own` opens all.
fn store() -> (Place, String) {
    let (place, own) = Place::with_own_key();
    for (scope, name) in [
        ("team", "a"),
        ("team", "b"),
        ("cluster/eu", "c"),
        ("project/web", "d"),
    ] {
        place.set(scope, name, "value");
    }
    let web = place.key("web");
    place
        .with("own", &format!("store recipient add {web} -p web -q"))
        .ok();
    (place, own)
}

/// Checks, and expects exactly these findings, in text and JSON.
#[track_caller]
fn finds(place: &Place, secrets: usize, findings: &[(&str, &str)]) {
    let line = |(at, what): &(&str, &str)| format!("doorkey: error: {at}: {what}\n");
    let lines: String = findings.iter().map(line).collect();
    place.with("own", "store check").fails(1, &lines);
    let object = |(at, what): &(&str, &str)| json!({"place": at, "what": what});
    let list: Value = findings.iter().map(object).collect();
    let ended = place.with("own", "store check --json").end();
    assert_eq!((ended.code(), in_short(&ended.err())), (1, lines));
    let mut found = ended.json()["findings"].clone();
    for finding in found.as_array_mut().unwrap() {
        finding["what"] = in_short(finding["what"].as_str().unwrap()).into();
    }
    assert_eq!(found, list);
    assert_eq!(ended.json()["secrets"], json!(secrets));
}

const FOREIGN: &str = "it does not belong in a store";
/// The finding about a file that is for others than its scope.
fn differs(how: &str) -> String {
    format!("its recipients are not those of its scope: {how}; run doorkey store check --fix")
}

#[test]
fn a_sound_store() {
    let (place, _) = store();
    let sound = "doorkey: age:secrets is sound: 4 secrets in 3 scopes\n";
    place.with("own", "store check").gives(0, "", sound);
    let ended = place.with("own", "store check -j -q").ok();
    assert_eq!(
        ended.json(),
        json!({
            "secrets": 4, "scopes": 3, "findings": [], "unbound": [], "bound": [], "merged": [],
            "rewritten": [], "rotate": [],
        })
    );
    // A version control's own files, and what a killed writer left.
    place.write("secrets/.git/HEAD", "");
    place.write("secrets/team/.tmp-1-2-3", "");
    place.with("own", "store check").gives(0, "", sound);
}

#[test]
fn an_empty_store() {
    let (place, _) = Place::with_own_key();
    let sound = "doorkey: age:secrets is sound: 0 secrets in 0 scopes\n";
    place.with("own", "store check").gives(0, "", sound);
}

#[test]
fn what_does_not_belong() {
    let (place, _) = store();
    for path in [
        "notes",
        "other/x",
        "cluster/x",
        "project/-x/a.age",
        "team/b.txt",
        "team/c.age/x",
        "team/.hidden",
        "team/b.age~",
        "cluster/eu/é.age",
        "project/web/key.txt",
    ] {
        place.write(&format!("secrets/{path}"), "x");
    }
    let foreign = [
        "notes",
        "other",
        "cluster/x",
        "project/-x",
        "project/web/key.txt",
        "cluster/eu/é.age",
        "team/.hidden",
        "team/b.age~",
        "team/b.txt",
        "team/c.age",
    ];
    finds(&place, 4, &foreign.map(|path| (path, FOREIGN)));
}

#[test]
fn a_file_in_the_place_of_a_level() {
    let (place, _) = Place::with_own_key();
    place.write("secrets/team", "x");
    finds(&place, 0, &[("team", FOREIGN)]);
    let (place, _) = Place::with_own_key();
    place.write("secrets/project", "x");
    let refused = "doorkey: error: age:secrets: unreadable: not a directory\n";
    place.with("own", "store check").fails(1, refused);
}

#[test]
fn files_that_do_not_open() {
    let (place, _) = store();
    let stranger = place.key("stranger");
    let whole = fs::read(place.path("secrets/team/b.age")).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    place.write("secrets/team/a.age", "corrupt");
    place.write("secrets/team/b.age", &whole[..whole.len() - 1]);
    place.write("secrets/team/e.age", "");
    place.write("secrets/team/f.age", flipped);
    let mut age = std::process::Command::new("age");
    age.args(["-r", &stranger, "-o"])
        .arg(place.path("secrets/cluster/eu/c.age"));
    assert!(
        age.arg(place.write("value", "v"))
            .status()
            .unwrap()
            .success()
    );
    symlink("../../../value", place.path("secrets/project/web/out.age")).unwrap();

    let none = "corrupt: it is no age file; restore it or set it again";
    let damaged = "corrupt: it is a damaged age file; restore it or set it again";
    let denied =
        "denied: the key is not one of its recipients; have somebody who can read it add the key";
    let findings = [
        ("project/web/out.age", FOREIGN),
        ("project/web/out", "refused: it leads out of the store"),
        ("cluster/eu/c", denied),
        ("team/a", none),
        ("team/b", damaged),
        ("team/e", none),
        ("team/f", damaged),
    ];
    finds(&place, 7, &findings);
    // With a key that opens nothing, everything that could be opened is denied too.
    let ended = place.with("stranger", "store check").end();
    assert_eq!(ended.code(), 1);
    let said = in_short(&ended.err());
    let line = format!("doorkey: error: project/web/d: {denied}\n");
    assert!(said.contains(&line), "{said}");
}

/// A secret that was set on a branch while a recipient was added on another, and the other way
/// round: git merges both without a conflict.
#[test]
fn recipients_after_a_merge() {
    let (place, _) = store();
    let new = place.key("new");
    let kept = fs::read(place.path("secrets/team/a.age")).unwrap();
    place
        .with("own", &format!("store recipient add {new} -q"))
        .ok();
    let added = fs::read(place.path("secrets/team/b.age")).unwrap();
    place.write("secrets/team/a.age", &kept);
    finds(
        &place,
        4,
        &[("team/a", &differs(&format!("{new} can't read it yet")))],
    );
    let fixed = "doorkey: encrypted anew for those of their lists: team/a\n";
    let sound = "doorkey: age:secrets is sound: 4 secrets in 3 scopes\n";
    let both = [fixed, sound].concat();
    place.with("own", "store check --fix").gives(0, "", &both);
    place.with("new", "store check -q").fails(1, "doorkey: error: project/web/d: denied: the key is not one of its recipients; have somebody who can read it add the key\n");
    place.with("own", "store check -q").gives(0, "", "");

    place
        .with("own", &format!("store recipient remove {new} -q"))
        .ok();
    place.write("secrets/team/b.age", &added);
    let end = format!("age1...{}", &new[new.len() - 16..]);
    let line = differs(&format!("{end} can still read it"));
    let ended = place.with("own", "store check -q").end();
    assert_eq!(ended.err(), format!("doorkey: error: team/b: {line}\n"));
    let fix = place.with("own", "store check --fix -j -q").ok().json();
    assert_eq!(fix["rewritten"], json!(["team/b"]));
    // What others could read has to be replaced.
    let rotate = fix["rotate"].as_array().unwrap().iter();
    let rotate: Vec<_> = rotate.map(|one| &one["secret"]).collect();
    assert_eq!(rotate, ["cluster/eu/c", "team/a", "team/b"]);
    assert_eq!(place.age("team", "b", "new"), None);
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn a_file_of_another_program_for_more_than_its_scope() {
    let (place, own) = store();
    let new = place.key("new");
    let mut age = std::process::Command::new("age");
    age.args(["-r", &own, "-r", &new, "-o"])
        .arg(place.path("secrets/team/a.age"));
    assert!(
        age.arg(place.write("value", "v"))
            .status()
            .unwrap()
            .success()
    );
    finds(
        &place,
        4,
        &[("team/a", "it has 2 recipients, its scope 1; set it again")],
    );
    place.on("secret set a --team -q").stdin("v").ok();
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn lists_that_are_none() {
    let (place, own) = store();
    place.write(
        "secrets/project/web/recipients.txt",
        format!("{own}\nnobody\n"),
    );
    let bad = "project/web/recipients.txt:2:1: this is no age recipient (age1…)";
    finds(&place, 3, &[("project/web", bad)]);
    place.write("secrets/project/web/recipients.txt", "# nobody\n");
    finds(
        &place,
        3,
        &[(
            "project/web",
            "project/web/recipients.txt names no recipient",
        )],
    );

    let (place, own) = store();
    place.write("secrets/recipients.txt", format!("# x\n\n{own}x\n"));
    let bad =
        "recipients.txt:3:1: this is a recipient with a letter missing or wrong: copy it again";
    finds(&place, 1, &[("age:secrets", bad)]);
    fs::remove_file(place.path("secrets/recipients.txt")).unwrap();
    finds(
        &place,
        1,
        &[("age:secrets", "recipients.txt names no recipient")],
    );

    // Also where there is no secret yet.
    let (place, _) = Place::with_own_key();
    place.write("secrets/recipients.txt", "nobody\n");
    finds(
        &place,
        0,
        &[(
            "age:secrets",
            "recipients.txt:1:1: this is no age recipient (age1…)",
        )],
    );
}

#[test]
fn what_can_not_be_checked() {
    let (place, _) = store();
    let no_store = "doorkey: error: age:nowhere: there is no store there; check the name, or make one with doorkey store init\n";
    place
        .with("own", "store check --store age:nowhere")
        .fails(1, no_store);
    place.write("plain/a", "1");
    let no_lists = "doorkey: error: dir:plain: this kind of store has no recipients\n";
    place
        .with("own", "store check --store dir:plain")
        .fails(1, no_lists);
    let no_key = "doorkey: error: age:secrets: no key: --key-file: can't read no.key: no such file or directory; mount or write the key there\n";
    place.on("store check --key-file no.key").fails(1, no_key);
}

/// Scopes that are named are looked at, and no other.
#[test]
fn one_scope_alone() {
    let (place, _) = store();
    place.write("secrets/team/foreign", "");
    place.write("secrets/nonsense/x", "");
    let sound = |secrets: usize, scopes: usize| {
        let s = |count| if count == 1 { "" } else { "s" };
        let (of_secrets, of_scopes) = (s(secrets), s(scopes));
        format!(
            "doorkey: age:secrets is sound: {secrets} secret{of_secrets} in {scopes} scope{of_scopes}\n"
        )
    };
    let ended = place.with("own", "store check -p web").end();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(
        sound(1, 1) == ended.err() || sound(2, 1) == ended.err(),
        "{}",
        ended.err()
    );
    let said = "doorkey: error: age:secrets: there is no project/wbe\n";
    place.with("own", "store check -p wbe").fails(1, said);
    place.write("secrets/project/web/foreign", "");
    let ended = place.with("own", "store check -p web").end();
    let found = "project/web/foreign: it does not belong in a store";
    assert!(
        ended.code() == 1 && ended.err().contains(found),
        "{}",
        ended.err()
    );
    assert_eq!(
        ended
            .err()
            .lines()
            .filter(|line| line.contains("foreign"))
            .count(),
        1
    );
}
