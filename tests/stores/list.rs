//! `doorkey secret list`: what is in a scope or a store, page by page, in any order, and that the
//! times are the file system's own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::Place;

/// A store with five secrets in three scopes, made in this order, and last written in the order of
/// the first column.
fn five() -> Place {
    let place = Place::with_store();
    let mut last = String::new();
    for (minute, scope, name) in [
        (3, "team", "a"),
        (5, "team", "b"),
        (1, "team", "c"),
        (4, "cluster/eu", "a"),
        (2, "project/web", "d"),
    ] {
        let file = place.path(&format!("secrets/{scope}/{name}.age"));
        // The file system's clock has moved on when one is newer than the one before.
        while !file.exists() || support::created(&file) <= last {
            place.set(scope, name, name.repeat(minute));
        }
        last = support::created(&file);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute as u64);
        let file = File::options().write(true).open(file).unwrap();
        file.set_modified(time).unwrap();
    }
    place
}

/// Each item's scope and name.
fn cursors(listed: &Value) -> Vec<String> {
    let items = listed["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            format!(
                "{}/{}",
                item["scope"].as_str().unwrap(),
                item["name"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn orders() {
    let place = five();
    for (options, expected) in [
        ("--team", "team/a team/b team/c"),
        ("-g --order-by name --asc", "team/a team/b team/c"),
        ("-g --desc", "team/c team/b team/a"),
        ("-g --order-by modified", "team/c team/a team/b"),
        ("-g --order-by modified --desc", "team/b team/a team/c"),
        ("-g --order-by created", "team/a team/b team/c"),
        ("-g --order-by created --desc", "team/c team/b team/a"),
        ("--cluster eu", "cluster/eu/a"),
        ("-p web", "project/web/d"),
        ("-p nowhere", ""),
        ("--all", "cluster/eu/a team/a team/b team/c project/web/d"),
        (
            "--all --order-by modified",
            "team/c project/web/d team/a cluster/eu/a team/b",
        ),
        (
            "--all --order-by created",
            "team/a team/b team/c cluster/eu/a project/web/d",
        ),
    ] {
        let listed = place
            .on(&format!("secret list --json {options}"))
            .ok()
            .json();
        assert_eq!(cursors(&listed).join(" "), expected, "{options}");
        assert_eq!(
            (&listed["hasMore"], &listed["nextPage"]),
            (&json!(false), &Value::Null)
        );
    }
}

#[test]
fn every_page_until_the_end_gives_each_item_once() {
    let place = Place::with_store();
    let names: Vec<String> = (0..17).map(|number| format!("name{number:02}")).collect();
    for (index, name) in names.iter().enumerate() {
        place.set(["team", "cluster/eu", "project/web"][index % 3], name, "v");
    }
    for order in ["name", "created", "modified"] {
        for direction in ["--asc", "--desc"] {
            for limit in [1, 2, 5, 16, 17, 100] {
                let words = format!("secret list --all -j --order-by {order} {direction}");
                let whole = cursors(&place.on(&words).ok().json());
                let mut pages = Vec::new();
                let mut after = String::new();
                loop {
                    let page = place.on(&format!("{words} -l {limit} {after}")).ok().json();
                    let items = cursors(&page);
                    assert!(!items.is_empty() && items.len() <= limit);
                    assert_eq!(page["hasMore"], json!(page["nextPage"].is_string()));
                    pages.extend(items);
                    match page["nextPage"].as_str() {
                        Some(next) => after = format!("--after {next}"),
                        None => break,
                    }
                }
                assert_eq!(pages, whole);
                assert_eq!(pages.iter().collect::<BTreeSet<_>>().len(), names.len());
            }
        }
    }
}

#[test]
fn pages_of_one_scope() {
    let place = five();
    // Within a scope the name alone says where to go on.
    for after in ["a", "team/a"] {
        let words = format!("secret list -g -j --limit 1 --after {after}");
        let listed = place.on(&words).ok().json();
        assert_eq!(cursors(&listed), ["team/b"]);
        assert_eq!(
            (&listed["hasMore"], &listed["nextPage"]),
            (&json!(true), &json!("team/b"))
        );
    }
    let last = place.on("secret list -g -j --after c").ok().json();
    assert_eq!(
        last,
        json!({"items": [], "hasMore": false, "nextPage": null})
    );
    let more = "doorkey: there are more: go on with --after team/b\n";
    place
        .on("secret list -g -l 2 -F name")
        .gives(0, "a\nb\n", more);
    place
        .on("secret list -g -l 3 -F name")
        .gives(0, "a\nb\nc\n", "");
}

#[test]
fn fields() {
    let place = five();
    let key = place.on("store recipient list").ok().out();
    let key = key.split("\t").next().unwrap();
    let created = support::created(&place.path("secrets/team/b.age"));
    let whole = json!({
        "name": "b", "scope": "team", "size": 5, "created": created,
        "modified": "1970-01-01T00:05:00.000Z", "recipients": [key],
    });
    let listed = |options: &str| {
        let words = format!("secret list -g --after a -l 1 -j {options}");
        place.on(&words).ok().json()["items"][0].clone()
    };
    let mut expected = whole.clone();
    expected.as_object_mut().unwrap().remove("recipients");
    assert_eq!(listed(""), expected);
    let all = "name,scope,size,created,modified,recipients";
    assert_eq!(listed(&format!("--fields {all}")), whole);
    assert_eq!(listed("-F size"), json!({"size": 5}));

    // Off a terminal: no head, tabs between.
    let line = format!("b\tteam\t5\t{created}\t1970-01-01T00:05:00.000Z");
    let list = |options: &str| place.on(&format!("secret list -g --after a -l 1 -q {options}"));
    list("").gives(0, &format!("{line}\n"), "");
    list(&format!("-F {all}")).gives(0, &format!("{line}\t{key}\n"), "");
    list("-F size,name").gives(0, "5\tb\n", "");
    place.on("secret list -p nowhere").gives(0, "", "");
}

#[test]
fn usage() {
    let place = five();
    for (options, why) in [
        ("--limit 0", "--limit must be a number above zero"),
        ("--limit=-1", "--limit must be a number above zero"),
        ("-l x", "--limit must be a number above zero"),
        (
            "--order-by size",
            "--order-by must be name, created or modified",
        ),
        (
            "-F name,value",
            "--fields must be some of name,scope,size,created,modified,recipients",
        ),
        (
            "-F name,",
            "--fields must be some of name,scope,size,created,modified,recipients",
        ),
        ("--after z", "--after is not in this list (any more)"),
        (
            "--after cluster/eu/a",
            "--after is not in this list (any more)",
        ),
    ] {
        let run = place.on(&format!("secret list -g {options}"));
        run.fails(2, &format!("doorkey: error: {why}\n"));
    }
    place.on("secret list --all --after a").fails(
        2,
        "doorkey: error: --after is not in this list (any more)\n",
    );
    let both = "doorkey: error: --asc can't be used with --desc; see doorkey secret list --help\n";
    place.on("secret list -g --asc --desc").fails(2, both);
    let run = place.on("secret list -g").env("DOORKEY_LIMIT", "x");
    run.fails(
        2,
        "doorkey: error: DOORKEY_LIMIT must be a number above zero\n",
    );
}

#[test]
fn options_as_variables() {
    let place = five();
    let names = |run: support::Run| run.ok().out();
    let list = || place.on("secret list -F name").env("DOORKEY_TEAM", "1");
    assert_eq!(names(list().env("DOORKEY_DESC", "1")), "c\nb\na\n");
    assert_eq!(
        names(list().env("DOORKEY_DESC", "1").arg("--asc")),
        "a\nb\nc\n"
    );
    assert_eq!(
        names(list().env("DOORKEY_ORDER_BY", "modified")),
        "c\na\nb\n"
    );
    assert_eq!(names(list().env("DOORKEY_ALL", "1")).lines().count(), 5);
}

#[test]
fn a_damaged_file_is_listed_all_the_same() {
    let place = five();
    place.write("secrets/team/b.age", "damaged");
    let ended = place.on("secret list -g -F name,size").ok();
    assert_eq!(ended.out(), "a\t3\nb\t-\nc\t1\n");
    let warning =
        "doorkey: warning: b in team: corrupt: it is no age file; restore it or set it again\n";
    assert_eq!(ended.err(), warning);
    let listed = place.on("secret list -g -j -F name,size").ok().json();
    assert_eq!(listed["items"][1], json!({"name": "b", "size": null}));
}

#[test]
fn plain_files_are_listed_too() {
    let place = Place::new();
    place.write("plain/tls.crt", "12345");
    place.write("plain/key", "1");
    fs::create_dir(place.path("plain/..data")).unwrap();
    let list = place.on("secret list -g --store dir:plain -F name,scope,size,recipients");
    list.gives(0, "key\tteam\t1\t-\ntls.crt\tteam\t5\t-\n", "");
}
