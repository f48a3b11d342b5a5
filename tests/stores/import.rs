//! `doorkey secret import`: a dotenv file is stored whole or not at all, and nothing is overwritten
//! unless somebody said so.

use std::fs;

use serde_json::json;
use support::Place;

#[test]
fn a_file_is_stored() {
    let place = Place::with_store();
    let text = "\u{feff}# comment\nA=1\nexport B='two words' # b\n\nC=\"x\\ny\"\nA=last\r\n";
    place.write("some.env", text);
    let said = "doorkey: 3 stored in project/web of age:secrets, 0 of them in place of others\n";
    place.on("secret import some.env -p web").gives(0, "", said);
    for (name, value) in [("A", "last"), ("B", "two words"), ("C", "x\ny")] {
        assert_eq!(place.reveal("project/web", name).unwrap(), value.as_bytes());
    }
    let said = "doorkey: 1 stored in team of age:secrets, 0 of them in place of others\n";
    place
        .on("secret import - --team")
        .stdin("D=4")
        .gives(0, "", said);
    assert_eq!(place.reveal("team", "D").unwrap(), b"4");
    place.on("store check -q").ok();
}

#[test]
fn what_would_change() {
    let place = Place::with_store();
    place.set("team", "B", "old");
    place.write("some.env", "A=1\nB=2\nC=3\n");
    let before = place.contents();
    let dry = place.on("secret import some.env --team --dry-run");
    dry.gives(0, "create\tA\noverwrite\tB\ncreate\tC\n", "");
    let items = json!([
        {"name": "A", "change": "create"},
        {"name": "B", "change": "overwrite"},
        {"name": "C", "change": "create"},
    ]);
    let answer =
        |dry| json!({"store": "age:secrets", "scope": "team", "dryRun": dry, "items": items});
    let dry = place.on("secret import some.env --team --dry-run -j").ok();
    assert_eq!(dry.json(), answer(true));
    // Nor is a folder made for a scope that there is not yet.
    let new = place.on("secret import some.env -p new --dry-run").ok();
    assert_eq!(new.out(), "create\tA\ncreate\tB\ncreate\tC\n");
    assert!(place.contents() == before);
    let done = place.on("secret import some.env --team --yes -j").ok();
    assert_eq!(done.json(), answer(false));
    assert_eq!(place.reveal("team", "B").unwrap(), b"2");
}

#[test]
fn overwriting_has_to_be_said() {
    let place = Place::with_store();
    place.set("team", "A", "old");
    place.set("team", "C", "old");
    place.write("some.env", "A=1\nB=2\nC=3\n");
    let before = place.contents();
    let refused =
        "doorkey: error: overwrite A, C in team? give --yes, as nobody can be asked here\n";
    place.on("secret import some.env --team").fails(2, refused);
    assert!(place.contents() == before);
    let said = "doorkey: 3 stored in team of age:secrets, 2 of them in place of others\n";
    place
        .on("secret import some.env --team -y")
        .gives(0, "", said);
    assert_eq!(place.reveal("team", "A").unwrap(), b"1");
}

/// Each fault is said with its place, and without the text, which may be part of a value: the
/// second line of a key that somebody forgot to quote looks like a name.
#[test]
fn with_anything_wrong_nothing_is_stored() {
    let place = Place::with_store();
    place.set("team", "A", "old");
    let before = place.contents();
    let large = format!("A=1\nB={}\n", "x".repeat(65_537));
    let long = format!("A=1\n{}=2\n", "n".repeat(129));
    let name = "a new name is letters, digits and '_', the first a letter, at most 128";
    let empty = "the value is empty";
    for (text, faults) in [
        ("A=1\n9b=2\n", &[("2:1", name)][..]),
        ("A=1\n_b2=2\n", &[("2:1", name)]),
        ("A=1\n\n  é=2\n", &[("3:3", name)]),
        (&long, &[("2:1", name)]),
        ("A=1\nexport B\n", &[("2:8", empty)]),
        (&large, &[("2:1", "a value is at most 65536 bytes")]),
        ("A=1\nB C=2\n", &[("2:3", "a name has no blank in it")]),
        ("A=1\nB='2\n", &[("2:3", "the quote is never closed")]),
        ("A=1\n=2\n", &[("2:1", "a name is missing")]),
        (
            "KEY=-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQE=\n9gSjAgEAAoIBAQC7\n",
            &[("2:1", empty), ("4:1", name), ("4:1", empty)],
        ),
    ] {
        place.write("some.env", text);
        let say = |(at, why): &(&str, &str)| format!("doorkey: error: some.env:{at}: {why}\n");
        let stderr: String = faults.iter().map(say).collect();
        for options in ["--yes", "--dry-run", "--yes --json"] {
            let run = place.on(&format!("secret import some.env --team {options}"));
            run.fails(1, &stderr);
        }
        assert!(place.contents() == before, "{text}");
    }
}

#[test]
fn a_folder_in_the_way_stops_all() {
    let place = Place::with_store();
    place.write("secrets/team/B.age/file", "");
    place.write("some.env", "A=1\nB=2\nC=3\n");
    let before = place.contents();
    let refused = "doorkey: error: B in team of age:secrets: corrupt: it is no regular file; restore it or set it again\n";
    place
        .on("secret import some.env --team --yes")
        .fails(1, refused);
    assert!(place.contents() == before);
}

#[test]
fn what_is_no_such_file() {
    let place = Place::with_store();
    fs::create_dir(place.path("folder")).unwrap();
    for (file, why) in [
        (
            "nowhere",
            "FILE: can't read nowhere: no such file or directory",
        ),
        ("folder", "FILE: can't read folder: is a directory"),
    ] {
        let run = place.on(&format!("secret import {file} --team"));
        run.fails(1, &format!("doorkey: error: {why}\n"));
    }
    let missing = "doorkey: error: <FILE> is missing; see doorkey secret import --help\n";
    place.on("secret import --team").fails(2, missing);
}

#[test]
fn a_file_that_assigns_nothing() {
    let place = Place::with_store();
    place.write("some.env", "# nothing\n");
    let said = "doorkey: 0 stored in team of age:secrets, 0 of them in place of others\n";
    place.on("secret import some.env --team").gives(0, "", said);
}

#[test]
fn what_is_skipped_and_what_a_launch_would_say() {
    let place = Place::with_store();
    let long = "x".repeat(60_000);
    let text = format!(
        "A=1\nEMPTY=\nname=\nmiXed123=\nB=\nB=${{HOST}}x\nR=secret:db\nZ=\"\\0000\"\nL={long}\n"
    );
    place.write("some.env", text);
    let said = "doorkey: warning: Z: the value contains a NUL byte, which an environment can't hold\n\
        doorkey: warning: some.env: not filled in: ${HOST}; --interpolate does, as Compose would; \
        single quotes end this\n\
        doorkey: warning: stored as text, and never read as references: R\n\
        doorkey: warning: skipped, as they are empty: EMPTY, name, 1 whose names are not shown\n";
    let dry = place.on("secret import some.env --team --dry-run -j").end();
    assert_eq!((dry.code(), dry.err().as_str()), (0, said));
    let changes = dry.json()["items"].clone();
    assert_eq!(changes[1], json!({"name": "B", "change": "create"}));
    assert_eq!(changes[5], json!({"name": "EMPTY", "change": "skip"}));
    place.on("secret import some.env --team -q").ok();
    assert_eq!(place.reveal("team", "R").unwrap(), b"secret:db");
    assert_eq!(place.reveal("team", "EMPTY"), None);
    // Names that can't be stored, and lines that are none.
    place.write("some.env", "db.password=canary\n9X=canary\nC= # canary\n");
    let comment = "doorkey: error: some.env:3:4: a comment stands in the value's place; a value that \
        begins so needs quotes\n";
    place.on("secret import some.env --team").fails(1, comment);
    place.write(
        "some.env",
        "db.password=canary\nA=1\n9X=canary\nca9.nary=1\n",
    );
    let rule = "a new name is letters, digits and '_', the first a letter, at most 128";
    let said = format!(
        "doorkey: error: some.env:1:1: db.password: {rule}\ndoorkey: error: some.env:3:1: 9X: {rule}\n\
         doorkey: error: some.env:4:1: {rule}\n"
    );
    place.on("secret import some.env --team").fails(1, &said);
}
