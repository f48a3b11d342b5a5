//! A secret's file counts under its own scope and name alone: whoever can write to the store can't
//! have one that they may not read delivered to a workload of theirs.

use std::fs;
use std::process::Command;

use crate::crafted::age_file;
use serde_json::json;
use support::{Place, Run};

fn written_for(what: &str) -> String {
    format!(
        "refused: it was written for {what} and put here afterwards; restore it or set it again"
    )
}

const UNBOUND: &str = "refused: it is bound to no name; see that it is the right one, then run doorkey store check --fix";

/// A launch that prints a secret of the team.
fn prints(place: &Place, name: &str) -> Run {
    let run = place.with("own", "run -q -- printenv V");
    run.env("V", format!("secret:team/{name}"))
}

/// Writes a secret with Debian's `age`, for these.
fn by_age(place: &Place, scope: &str, name: &str, recipients: &[&str]) {
    let mut age = Command::new("age");
    for recipient in recipients {
        age.args(["-r", recipient]);
    }
    let file = place.write(&format!("secrets/{scope}/{name}.age"), "");
    age.arg("-o").arg(file).arg(place.write("value", name));
    assert!(age.status().unwrap().success());
}

fn copy(place: &Place, from: &str, to: &str) {
    let file = fs::read(place.path(&format!("secrets/{from}.age"))).unwrap();
    place.write(&format!("secrets/{to}.age"), file);
}

#[test]
fn a_file_in_anothers_place_is_refused() {
    let (place, own) = Place::with_own_key();
    let new = place.key("new");
    for (scope, name) in [("project/prod", "pw"), ("cluster/eu", "c"), ("team", "own")] {
        place.set(scope, name, "pr0d");
    }
    for (from, to) in [
        ("project/prod/pw", "team/motd"),
        ("project/prod/pw", "project/prod/other"),
        ("project/prod/pw", "project/web/pw"),
        ("cluster/eu/c", "project/eu/c"),
        ("team/own", "team/Own"),
    ] {
        copy(&place, from, to);
        let (scope, name) = to.rsplit_once('/').unwrap();
        let words = format!("secret get {name} --reveal --{}", scope.replace('/', " "));
        let line = format!(
            "doorkey: error: {name} in {scope} of age:secrets: {}\n",
            written_for(from)
        );
        place.with("own", &words).fails(1, &line);
        let line = format!("doorkey: error: {to}: {}\n", written_for(from));
        place.with("own", "store check").fails(1, &line);
        // It is never bound anew.
        place.with("own", "store check --fix").fails(1, &line);
        // Nobody new gets it, either.
        let add = format!("store recipient add {new} --{}", scope.replace('/', " "));
        let ended = place.with("own", &add).end();
        let closed =
            format!("nothing is changed: {to} can't be opened; doorkey store check says why\n");
        assert!(ended.err().ends_with(&closed), "{}", ended.err());
        assert_eq!((ended.code(), place.age(scope, name, "new")), (1, None));
        // Any age program opens it all the same, as it does the honest one.
        assert_eq!(place.age(scope, name, "own").unwrap(), b"pr0d");
        fs::remove_file(place.path(&format!("secrets/{to}.age"))).unwrap();
    }
    copy(&place, "project/prod/pw", "team/motd");
    let line = format!(
        "doorkey: error: V: secret:team/motd: team of age:secrets: {}\n",
        written_for("project/prod/pw")
    );
    prints(&place, "motd").fails(125, &line);
    // A link is no way around.
    fs::remove_file(place.path("secrets/team/motd.age")).unwrap();
    std::os::unix::fs::symlink(
        "../project/prod/pw.age",
        place.path("secrets/team/motd.age"),
    )
    .unwrap();
    prints(&place, "motd").fails(125, &line);
    // What is said to be done helps.
    place.set("team", "motd", "hello");
    prints(&place, "motd").gives(0, "hello\n", "");
    assert_eq!(
        place.on("store recipient list").ok().out(),
        format!("{own}\t-\tX25519\tall\n")
    );
}

/// The MAC comes first: an edited header is damage, not another secret's.
#[test]
fn a_header_that_was_edited_is_corrupt() {
    let (place, _) = Place::with_own_key();
    place.key("other");
    place.set("team", "one", "value");
    let file = fs::read(place.path("secrets/team/one.age")).unwrap();
    let damaged = "doorkey: error: V: secret:team/one: team of age:secrets: corrupt: it is a damaged age file; restore it or set it again\n";
    let stanza = b"-> doorkey-secret team/one\n\n";
    let at = file.windows(stanza.len()).position(|part| part == stanza);
    let at = at.expect("the header says what it is");
    for other in [&b"-> doorkey-secret team/two\n\n"[..], b""] {
        let edited = [&file[..at], other, &file[at + stanza.len()..]].concat();
        place.write("secrets/team/one.age", &edited);
        prints(&place, "one").fails(125, damaged);
        // To whom it is not for, it is that.
        let denied = "doorkey: error: one in team of age:secrets: denied: the key is not one of its recipients; have somebody who can read it add the key\n";
        place
            .with("other", "secret get one -g --reveal")
            .fails(1, denied);
    }
}

#[test]
fn what_a_header_says_is_shown_only_where_it_is_a_name() {
    let (place, own) = Place::with_own_key();
    let stanza = |text| ("doorkey-secret", text);
    for (bound, what) in [
        (vec![stanza(&["team/b"][..])], "team/b"),
        (vec![stanza(&["team/a", "team/a"])], "something else"),
        (
            vec![stanza(&["team/a"]), stanza(&["team/a"])],
            "something else",
        ),
        (vec![stanza(&["cache"])], "a cache"),
        (vec![stanza(&["hunter2"])], "something else"),
        (vec![stanza(&["team/../a"])], "something else"),
        (vec![stanza(&["other/x/a"])], "something else"),
        (vec![stanza(&[])], "something else"),
    ] {
        place.write("secrets/team/a.age", age_file("value", &[&own], &bound));
        let line = format!(
            "doorkey: error: V: secret:team/a: team of age:secrets: {}\n",
            written_for(what)
        );
        prints(&place, "a").fails(125, &line);
    }
}

#[test]
fn a_file_that_says_nothing_is_taken_unless_it_is_refused() {
    let (place, own) = Place::with_own_key();
    by_age(&place, "team", "motd", &[&own]);
    prints(&place, "motd").gives(0, "motd\n", "");
    prints(&place, "motd").env("DOORKEY_UNBOUND", "take").ok();
    let line = format!("doorkey: error: V: secret:team/motd: team of age:secrets: {UNBOUND}\n");
    prints(&place, "motd")
        .env("DOORKEY_UNBOUND", "refuse")
        .fails(125, &line);
    let words = "run -q --unbound refuse -- printenv V";
    let run = place.with("own", words).env("V", "secret:team/motd");
    run.fails(125, &line);
    // A file that was named may say so, one that was found not.
    place.write("doorkey.toml", "unbound = 'refuse'\n");
    prints(&place, "motd")
        .env("DOORKEY_CONFIG", "doorkey.toml")
        .fails(125, &line);
    let found = place.path("doorkey.toml").display().to_string();
    let run = place.with("own", "run --unbound take -- printenv V");
    let untrusted = format!(
        "doorkey: error: {found}:1:1: unbound counts only in a file that --config or DOORKEY_CONFIG \
         names\n"
    );
    run.env("V", "secret:team/motd").fails(125, &untrusted);
    std::fs::remove_file(found).unwrap();
    let wrong = "doorkey: error: age:secrets: unbound must be take or refuse\n";
    prints(&place, "motd")
        .env("DOORKEY_UNBOUND", "no")
        .fails(125, wrong);
    let refused = format!("doorkey: error: team/motd: {UNBOUND}\n");
    place
        .with("own", "store check --unbound refuse")
        .fails(1, &refused);
}

#[test]
fn checking_binds_what_is_bound_to_nothing() {
    let (place, own) = Place::with_own_key();
    let other = place.key("other");
    place.set("project/prod", "pw", "pr0d");
    by_age(&place, "team", "a", &[&own]);
    by_age(&place, "cluster/eu", "b", &[&own]);
    // As a version before wrote it: only who can read it is said.
    let noted: &[(&str, &[&str])] = &[("doorkey-recipients", &[&own])];
    place.write("secrets/team/old.age", age_file("old", &[&own], noted));
    let warned = "doorkey: warning: 3 secrets are bound to no name, so that such a file can be put in another's place; doorkey store check --fix binds it\n";
    let sound = "doorkey: age:secrets is sound: 4 secrets in 3 scopes\n";
    let before = place.contents();
    let check = place.with("own", "store check");
    check.gives(0, "", &format!("{warned}{sound}"));
    let json = place.with("own", "store check -j -q").ok().json();
    let names = json!(["cluster/eu/b", "team/a", "team/old"]);
    assert_eq!((&json["unbound"], &json["bound"]), (&names, &json!([])));
    assert!(place.contents() == before);

    // Neither what is another's nor what others can read is bound.
    copy(&place, "project/prod/pw", "team/motd");
    by_age(&place, "team", "shared", &[&own, &other]);
    let kept = [
        fs::read(place.path("secrets/team/motd.age")).unwrap(),
        fs::read(place.path("secrets/team/shared.age")).unwrap(),
    ];
    let now = |name: &str| {
        format!(
            "doorkey: warning: {name} is bound to its name now; see that its value is the right one\n"
        )
    };
    let lines = [now("cluster/eu/b"), now("team/a"), now("team/old")].concat()
        + &format!(
            "doorkey: error: team/motd: {}\n",
            written_for("project/prod/pw")
        )
        + "doorkey: error: team/shared: it has 2 recipients, its scope 1; set it again\n";
    // Also by somebody who takes none that are not.
    let fix = place.with("own", "store check --fix --unbound refuse");
    fix.fails(1, &lines);
    assert_eq!(
        kept,
        [
            fs::read(place.path("secrets/team/motd.age")).unwrap(),
            fs::read(place.path("secrets/team/shared.age")).unwrap(),
        ]
    );
    for name in ["motd", "shared"] {
        fs::remove_file(place.path(&format!("secrets/team/{name}.age"))).unwrap();
    }
    let again = place.with("own", "store check --fix --unbound refuse");
    again.gives(0, "", sound);
    for (scope, name) in [("team", "a"), ("cluster/eu", "b"), ("team", "old")] {
        assert_eq!(place.age(scope, name, "own").unwrap(), name.as_bytes());
    }
    copy(&place, "team/a", "team/b");
    let line = format!("doorkey: error: team/b: {}\n", written_for("team/a"));
    place.with("own", "store check").fails(1, &line);
}

#[test]
fn everything_that_is_written_is_bound() {
    let (place, own) = Place::with_own_key();
    let refuses = |words: &str| place.with("own", words).env("DOORKEY_UNBOUND", "refuse");
    refuses("secret create a -g").stdin("1").ok();
    refuses("secret set b -g").stdin("1").ok();
    by_age(&place, "team", "c", &[&own]);
    refuses("secret update c -g").stdin("1").ok();
    place.write("some.env", "D=1\nE=2\n");
    refuses("secret import some.env -p web").ok();
    refuses("store check -q").gives(0, "", "");
    // Encrypting anew leaves that as it is: what it is, only a person can say.
    by_age(&place, "team", "f", &[&own]);
    let new = place.key("new");
    let add = format!("store recipient add {new}");
    let closed = "doorkey: error: age:secrets: nothing is changed: team/f can't be opened; doorkey store check says why\n";
    refuses(&add).fails(1, closed);
    place.with("own", &add).ok();
    assert_eq!(place.age("team", "f", "new").unwrap(), b"f");
    let line = format!("doorkey: error: team/f: {UNBOUND}\n");
    refuses("store check -q").fails(1, &line);
    let remove = format!("store recipient remove {new}");
    place.with("own", &remove).ok();
    refuses("store check -q").fails(1, &line);
}
