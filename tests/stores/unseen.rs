//! `doorkey secret generate`, `mv` and `store copy`: values that nobody sees, and what is said of
//! scopes that hide each other.

use std::collections::BTreeSet;

use serde_json::json;
use support::Place;

fn said(line: &str) -> String {
    format!("doorkey: {line}\n")
}

#[test]
fn a_value_is_made_and_never_printed() {
    let place = Place::with_store();
    let mut seen = BTreeSet::new();
    for (options, length, alphabet) in [
        ("", 32, "A-Za-z0-9"),
        ("--length 8", 8, "A-Za-z0-9"),
        ("--hex", 64, "0-9a-f"),
        ("--hex --length 9", 18, "0-9a-f"),
        ("--base64 --length 33", 44, "A-Za-z0-9+/"),
    ] {
        for json in ["", "-j", "--log-level trace"] {
            let words = format!("secret generate a --team --yes {options} {json}");
            let ended = place.on(&words).ok();
            let value = String::from_utf8(place.reveal("team", "a").unwrap()).unwrap();
            assert_eq!(value.len(), length);
            let is_one = |c: char| {
                c.is_ascii_digit()
                    || alphabet.contains("a-z") && c.is_ascii_lowercase()
                    || alphabet.contains("A-Z") && c.is_ascii_uppercase()
                    || ('a'..='f').contains(&c)
                    || alphabet.contains('/') && "+/".contains(c)
            };
            assert!(value.chars().all(is_one), "{alphabet}: {value}");
            assert!(!(ended.out() + &ended.err()).contains(&value));
            assert!(seen.insert(value), "each is another one");
        }
    }
    let line = said("b is generated in team of age:secrets");
    place.on("secret generate b --team").gives(0, "", &line);
    // It replaces nothing unasked.
    let asks = "doorkey: error: replace b in team of age:secrets? give --yes, as nobody can be asked here\n";
    place.on("secret generate b --team").fails(2, asks);
    for (words, line) in [
        ("c --length 7", "--length must be a number from 8 to 4096"),
        ("c --length x", "--length must be a number from 8 to 4096"),
        (
            "c.d",
            "a new name is letters, digits and '_', the first a letter, at most 128",
        ),
    ] {
        let run = place.on(&format!("secret generate {words} --team"));
        run.fails(2, &format!("doorkey: error: {line}\n"));
    }
    let both = place.on("secret generate c -g --hex --base64").end();
    assert_eq!(both.code(), 2);
}

#[test]
fn a_secret_moves() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    place
        .on("secret mv a b -g")
        .gives(0, "", &said("team/a is team/b now, in age:secrets"));
    let moved = said("team/b is project/web/c now, in age:secrets");
    place
        .on("secret mv team/b project/web/c")
        .gives(0, "", &moved);
    let json = place.on("secret mv c cluster/eu/c -p web -j").ok().json();
    let expected = json!({
        "from": "project/web/c", "to": "cluster/eu/c", "store": "age:secrets", "done": "moved",
    });
    assert_eq!(json, expected);
    assert_eq!(place.reveal("cluster/eu", "c").unwrap(), b"value");
    assert_eq!(place.reveal("team", "a"), None);
    place.on("store check -q").gives(0, "", "");

    // One that was interrupted is finished; another value is never lost.
    place.set("team", "c", "value");
    place.on("secret mv cluster/eu/c team/c").ok();
    assert_eq!(place.reveal("cluster/eu", "c"), None);
    place.set("team", "d", "other");
    let before = place.contents();
    let usage = |line: &str| format!("doorkey: error: {line}\n");
    for (words, code, line) in [
        (
            "c d -g",
            1,
            "d in team of age:secrets: it exists already; to change it, use update or set",
        ),
        (
            "nothere d -g",
            1,
            "nothere in team of age:secrets: there is no such secret",
        ),
        ("c team/c -g", 2, "both are the same secret"),
        (
            "c x.y -g",
            2,
            "a new name is letters, digits and '_', the first a letter, at most 128",
        ),
        (
            "c nowhere/x/y -g",
            2,
            "TO must be NAME, or SCOPE/NAME such as project/web/NAME",
        ),
        (
            "c e",
            2,
            "which scope? give --project ID, --cluster ID or --team",
        ),
    ] {
        place
            .on(&format!("secret mv {words}"))
            .fails(code, &usage(line));
    }
    assert!(place.contents() == before);
}

/// What a leaver knows stays to be replaced under another name.
#[test]
fn a_mark_moves_with_its_secret() {
    let (place, _) = Place::with_own_key();
    let bob = place.key("bob");
    place
        .with("own", &format!("store recipient add {bob} --name bob -q"))
        .ok();
    place.set("team", "a", "value");
    place.with("own", "store recipient remove bob -q").ok();
    place.with("own", "secret mv team/a project/web/b -q").ok();
    let check = place.with("own", "store check -j -q").ok().json();
    assert_eq!(check["rotate"][0]["secret"], json!("project/web/b"));
    assert_eq!(check["rotate"][0]["who"], json!(["bob"]));
    place.with("own", "secret generate b -p web -y -q").ok();
    let check = place.with("own", "store check -j -q").ok().json();
    assert_eq!(check["rotate"], json!([]));
}

#[test]
fn what_shadows_what() {
    let place = Place::with_store();
    let set = |words: &str, lines: &[&str]| {
        let lines: String = lines.iter().map(|line| said(line)).collect();
        place.on(words).stdin("x").gives(0, "", &lines);
    };
    set("secret set a -g", &["a is set in team of age:secrets"]);
    set(
        "secret create a -p web",
        &[
            "a is created in project/web of age:secrets",
            "a: project/web now shadows team",
        ],
    );
    // Only a value that is new changes anything.
    set(
        "secret update a -p web",
        &["a is updated in project/web of age:secrets"],
    );
    set(
        "secret set a --cluster eu",
        &[
            "a is set in cluster/eu of age:secrets",
            "a: cluster/eu now shadows team",
            "a: where project/web is in force, its own value counts",
        ],
    );
    set(
        "secret delete a -p web -y",
        &[
            "a is removed from project/web of age:secrets",
            "a: the value of cluster/eu, team counts again",
        ],
    );
    set(
        "secret mv cluster/eu/a cluster/eu/b",
        &[
            "a: the value of team counts again",
            "cluster/eu/a is cluster/eu/b now, in age:secrets",
        ],
    );
    place.write("some.env", "a=1\nb=2\nc=3\n");
    set(
        "secret import some.env -p web",
        &[
            "b: project/web now shadows cluster/eu",
            "a: project/web now shadows team",
            "3 stored in project/web of age:secrets, 0 of them in place of others",
        ],
    );
}

#[test]
fn a_store_is_copied() {
    let (place, _) = Place::with_own_key();
    for (scope, name) in [("team", "a"), ("team", "b"), ("project/web", "c")] {
        place.set(scope, name, format!("{scope} {name}"));
    }
    let other = place.doorkey(["store", "init", "other", "-q", "--key-file", "own.key"]);
    other.ok();
    let copy = |words: &str| place.with("own", &format!("store copy {words}"));
    let names = "create\tproject/web/c\ncreate\tteam/a\ncreate\tteam/b\n";
    let line =
        said("3 would be copied from age:secrets to age:other, 0 of them in place of others");
    copy("age:secrets age:other --dry-run").gives(0, names, &line);
    let asks = "doorkey: error: copy 3, 0 of them in place of others, from age:secrets to age:other? give --yes, as nobody can be asked here\n";
    copy("age:secrets age:other").gives(2, names, asks);
    let names = "create\tteam/a\ncreate\tteam/b\n";
    let line = said("2 copied from age:secrets to age:other, 0 of them in place of others");
    copy("age:secrets age:other -g -y").gives(0, names, &line);
    let json = copy("age:secrets age:other -y -j").ok().json();
    let item = |scope: &str, name: &str, change: &str| json!({"scope": scope, "name": name, "change": change});
    let items = [
        item("project/web", "c", "create"),
        item("team", "a", "overwrite"),
        item("team", "b", "overwrite"),
    ];
    let expected =
        json!({"from": "age:secrets", "to": "age:other", "dryRun": false, "items": items});
    assert_eq!(json, expected);
    let get = place.with("own", "secret get c -p web --reveal --store age:other");
    get.gives(0, "project/web c", "");

    // From plain files, which can't be written.
    place.write("plain/a", "plain");
    let line = said("1 copied from dir:plain to age:other, 1 of them in place of others");
    copy("dir:plain age:other -y").gives(0, "overwrite\tteam/a\n", &line);
    let only = "doorkey: error: dir:plain: doorkey only reads this kind of store\n";
    copy("age:secrets dir:plain -y").fails(1, only);
    copy("age:other age:other -y").fails(2, "doorkey: error: both are the same store\n");

    // All or nothing: what can't be read is said, and nothing is written.
    place.write("secrets/team/d.age", "corrupt");
    place.write("secrets/team/e.age", "corrupt");
    let failed = copy("age:secrets age:other -y").end();
    let corrupt = |name: &str| {
        format!(
            "doorkey: error: {name} in team of age:secrets: corrupt: it is no age file; restore it or set it again\n"
        )
    };
    assert_eq!(
        (failed.code(), failed.err()),
        (1, corrupt("d") + &corrupt("e"))
    );
    let get = place.with("own", "secret get a -g --reveal --store age:other");
    get.gives(0, "plain", "");
}
