//! `doorkey secret create | set | update | get | delete`, as a process: what each prints and leaves
//! in the store, which names and values it takes from where, and in which scope.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::json;
use support::Place;

/// The rule for names, as it is said.
const RULE: &str =
    "doorkey: error: a new name is letters, digits and '_', the first a letter, at most 128\n";

#[test]
fn what_each_command_says() {
    let place = Place::with_store();
    for (words, stdin, code, stdout, stderr) in [
        (
            "secret create a --team",
            "1",
            0,
            "",
            "doorkey: a is created in team of age:secrets\n",
        ),
        (
            "secret create a --team",
            "2",
            1,
            "",
            "doorkey: error: a in team of age:secrets: it exists already; to change it, use update or set\n",
        ),
        ("secret get a --team --reveal", "", 0, "1", ""),
        (
            "secret set a --team",
            "3",
            0,
            "",
            "doorkey: a is set in team of age:secrets\n",
        ),
        (
            "secret update a --team",
            "4",
            0,
            "",
            "doorkey: a is updated in team of age:secrets\n",
        ),
        ("secret get a --team --reveal", "", 0, "4", ""),
        (
            "secret update b --team",
            "5",
            1,
            "",
            "doorkey: error: b in team of age:secrets: there is no such secret\n",
        ),
        (
            "secret create b --cluster eu --json",
            "6",
            0,
            "{\n  \"done\": \"created\",\n  \"name\": \"b\",\n  \"scope\": \"cluster/eu\",\n  \"store\": \"age:secrets\"\n}\n",
            "",
        ),
        (
            "secret set b --cluster eu -j",
            "7",
            0,
            "{\n  \"done\": \"set\",\n  \"name\": \"b\",\n  \"scope\": \"cluster/eu\",\n  \"store\": \"age:secrets\"\n}\n",
            "",
        ),
        (
            "secret update b --cluster eu -j",
            "8",
            0,
            "{\n  \"done\": \"updated\",\n  \"name\": \"b\",\n  \"scope\": \"cluster/eu\",\n  \"store\": \"age:secrets\"\n}\n",
            "",
        ),
        (
            "secret delete a --team",
            "",
            2,
            "",
            "doorkey: error: remove a in team of age:secrets? give --yes, as nobody can be asked here\n",
        ),
        ("secret get a --team --reveal", "", 0, "4", ""),
        (
            "secret delete a --team --yes",
            "",
            0,
            "",
            "doorkey: a is removed from team of age:secrets\n",
        ),
        (
            "secret delete a --team --yes",
            "",
            1,
            "",
            "doorkey: error: a in team of age:secrets: there is no such secret\n",
        ),
        (
            "secret delete b --cluster eu -y -j",
            "",
            0,
            "{\n  \"done\": \"removed\",\n  \"name\": \"b\",\n  \"scope\": \"cluster/eu\",\n  \"store\": \"age:secrets\"\n}\n",
            "",
        ),
        (
            "secret get b --cluster eu",
            "",
            1,
            "",
            "doorkey: error: b in cluster/eu of age:secrets: there is no such secret\n",
        ),
        ("secret set a --team -q", "9", 0, "", ""),
    ] {
        let ended = place.on(words).stdin(stdin).end();
        let found = (ended.code(), ended.out(), ended.err());
        assert_eq!(
            found,
            (code, stdout.to_owned(), stderr.to_owned()),
            "{words}"
        );
    }
    place.on("store check -q").gives(0, "", "");
}

#[test]
fn a_failure_leaves_the_store_as_it_was() {
    let place = Place::with_store();
    place.set("team", "a", "1");
    let before = place.contents();
    for words in [
        "secret create a --team",
        "secret update b --team",
        "secret update b --project new",
        "secret create 9 --project new",
        "secret set a.b --project new",
        "secret delete b --project new --yes",
        "secret get b --project new",
        "secret list --project new --after a",
        "secret set a --project new value",
        "secret set a --project ../new",
        "secret create b --project new --value-file nowhere",
    ] {
        assert_ne!(place.on(words).stdin("2").end().code(), 0, "{words}");
        assert!(place.contents() == before, "{words}");
    }
}

#[test]
fn names() {
    let place = Place::with_store();
    let longest = format!("a{}", "_9Z".repeat(42) + "x");
    let too_long = format!("{longest}b");
    assert_eq!(longest.len(), 128);
    for name in ["a", "Z", "a1", "DB_PASSWORD", "z_", longest.as_str()] {
        place.on("secret create --team").arg(name).stdin("v").ok();
        place.on("secret set --team").arg(name).stdin("w").ok();
        assert_eq!(place.reveal("team", name).as_deref(), Some(&b"w"[..]));
        place.on("secret delete --team -y").arg(name).ok();
    }
    for name in ["1", "_a", "0a", "a-b", "a.b", too_long.as_str()] {
        for command in ["create", "set"] {
            let run = place.on(&format!("secret {command} --team")).arg(name);
            run.stdin("v").fails(2, RULE);
        }
    }
    let rule = "doorkey: error: a name is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253\n";
    let longer_still = "a".repeat(254);
    for name in [
        "",
        ".",
        "..",
        "../a",
        "/a",
        "a/b",
        "a b",
        "a=b",
        "é",
        "a\n",
        &longer_still,
    ] {
        for command in ["create", "set", "update", "get", "delete --yes"] {
            let run = place.on(&format!("secret {command} --team")).arg(name);
            run.stdin("v").fails(2, rule);
        }
    }
}

#[test]
fn scopes() {
    let place = Place::with_store();
    let none = "doorkey: error: which scope? give --project ID, --cluster ID or --team\n";
    for command in [
        "create a",
        "set a",
        "update a",
        "get a",
        "delete a --yes",
        "list",
    ] {
        let run = place.on(&format!("secret {command}"));
        run.stdin("v").fails(2, none);
    }
    place.write("two.env", "a=1");
    place.on("secret import two.env").fails(2, none);
    for (options, file) in [
        ("--team", "team"),
        ("--global", "team"),
        ("-g", "team"),
        ("--cluster eu", "cluster/eu"),
        ("--project web", "project/web"),
        ("-p web.shop-2", "project/web.shop-2"),
    ] {
        place
            .on(&format!("secret create a {options}"))
            .stdin(file)
            .ok();
        assert!(place.path(&format!("secrets/{file}/a.age")).is_file());
        let shown = place.on(&format!("secret get a --reveal {options}")).ok();
        assert_eq!(shown.out(), file);
        place.on(&format!("secret delete a -y {options}")).ok();
    }
    for two in [
        "--team --project web",
        "--cluster eu -g",
        "-p web --cluster eu",
    ] {
        let ended = place.on(&format!("secret set a {two}")).stdin("v").end();
        assert_eq!(ended.code(), 2, "{two}");
        assert!(ended.err().contains("can't be used with --"), "{two}");
    }
}

#[test]
fn the_scope_that_is_meant_without_an_option() {
    let place = Place::with_store();
    for scope in [
        "team",
        "cluster/eu",
        "project/web",
        "project/shop",
        "project/old",
    ] {
        place.set(scope, "a", scope);
    }
    place.write(
        "below/doorkey.toml",
        "store = \"age:../secrets\"\nproject = \"old\"\n",
    );
    place.write("below/further/file", "");
    let get = |options: &str, variables: &[(&str, &str)]| {
        let words = format!("secret get a --reveal {options}");
        let mut run = place
            .doorkey(words.split_whitespace())
            .dir(place.path("below/further"));
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.ok().out()
    };
    assert_eq!(get("", &[]), "project/old");
    assert_eq!(get("-p web", &[]), "project/web");
    assert_eq!(get("-g", &[]), "team");
    assert_eq!(get("--cluster eu", &[]), "cluster/eu");
    assert_eq!(get("", &[("DOORKEY_PROJECT", "shop")]), "project/shop");
    assert_eq!(get("-p web", &[("DOORKEY_PROJECT", "shop")]), "project/web");
    assert_eq!(get("-g", &[("DOORKEY_PROJECT", "shop")]), "team");
    assert_eq!(get("", &[("DOORKEY_TEAM", "1")]), "team");
    assert_eq!(get("-p web", &[("DOORKEY_TEAM", "1")]), "project/web");
    assert_eq!(get("--cluster eu", &[("DOORKEY_TEAM", "1")]), "cluster/eu");
}

#[test]
fn of_64_creates_of_one_name_exactly_one_succeeds() {
    let place = Place::with_store();
    for round in 0..3 {
        let name = format!("round{round}");
        let children: Vec<_> = (0..64)
            .map(|number| {
                place.write(&format!("values/{number}"), format!("value {number}"));
                let words = format!("secret create {name} --team --value-file values/{number}");
                let mut run = place.on(&words);
                run.command.stdin(Stdio::null()).stdout(Stdio::null());
                run.command.stderr(Stdio::piped());
                (number, run.command.spawn().unwrap())
            })
            .collect();
        let mut created = Vec::new();
        for (number, child) in children {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            if output.status.success() {
                created.push(number);
            } else {
                assert_eq!(output.status.code(), Some(1), "{stderr}");
                assert!(stderr.ends_with(": it exists already; to change it, use update or set\n"));
            }
        }
        assert_eq!(created.len(), 1, "{created:?}");
        let stored = format!("value {}", created[0]).into_bytes();
        assert_eq!(place.reveal("team", &name), Some(stored));
    }
    // Nothing else is left.
    assert_eq!(fs::read_dir(place.path("secrets/team")).unwrap().count(), 3);
}

#[test]
fn what_get_shows() {
    let place = Place::with_store();
    place.set("team", "db_password", "12345");
    let file = place.path("secrets/team/db_password.age");
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(1_600_000_000_123);
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(changed)
        .unwrap();
    let created = support::created(&file);
    let key = place.on("store recipient list").ok().out();
    let key = key.split("\t").next().unwrap();
    let shown = format!(
        "name:       db_password\nscope:      team\nsize:       5\ncreated:    {created}\n\
         modified:   2020-09-13T12:26:40.123Z\nrecipients: {key}\n"
    );
    place
        .on("secret get db_password --team")
        .gives(0, &shown, "");
    let mut expected = json!({
        "name": "db_password", "scope": "team", "size": 5, "created": created,
        "modified": "2020-09-13T12:26:40.123Z", "recipients": [key],
    });
    let get = |words: &str| place.on(&format!("secret get --team {words}")).ok().json();
    assert_eq!(get("db_password --json"), expected);
    expected["value"] = json!("12345");
    assert_eq!(get("db_password -j --reveal"), expected);
    place.set("team", "bytes", b"\xff\0\n");
    assert_eq!(get("bytes -j --reveal")["valueBase64"], json!("/wAK"));

    // Neither needs a key, but for the value.
    let key_file = place.path("home/.config/doorkey/key.txt");
    fs::remove_file(&key_file).unwrap();
    place
        .on("secret get db_password --team")
        .gives(0, &shown, "");
    let no_key = format!(
        "doorkey: error: age:secrets: no key: none is named, and {} does not exist; give DOORKEY_KEY_FILE or DOORKEY_KEY\n",
        key_file.display()
    );
    place
        .on("secret get db_password --team --reveal")
        .fails(1, &no_key);
}

#[test]
fn a_name_that_is_not_there() {
    let place = Place::with_store();
    place.set("team", "db_password", "1");
    let near = "doorkey: error: db_pasword in team of age:secrets: there is no such secret; \
                did you mean db_password?\n";
    for command in ["get", "get -j", "delete --yes", "update"] {
        place
            .on(&format!("secret {command} db_pasword --team"))
            .stdin("v")
            .fails(1, near);
    }
    let far = "doorkey: error: smtp in team of age:secrets: there is no such secret\n";
    place.on("secret get smtp --team").fails(1, far);
}

#[test]
fn a_store_that_is_only_read() {
    let place = Place::new();
    place.write("plain/a", "1");
    place.write("a.env", "b=1");
    let refused = "of dir:plain: doorkey only reads this kind of store\n";
    for (command, what) in [
        ("set a", "a in team "),
        ("create b", "b in team "),
        ("update a", "a in team "),
        ("delete a --yes", "a in team "),
        ("import a.env", "team "),
    ] {
        let run = place.on(&format!("secret {command} --team --store dir:plain"));
        run.stdin("v")
            .fails(1, &format!("doorkey: error: {what}{refused}"));
    }
    let get = place.on("secret get a --team --reveal --store dir:plain");
    assert_eq!(get.ok().out(), "1");
}
