//! `doorkey store recipient remove`: who leaves, leaves whole, whatever lists and files say.

use std::fs;

use crate::crafted::age_file;
use serde_json::json;
use support::Place;

const SECRETS: [(&str, &str); 3] = [("team", "a"), ("cluster/eu", "c"), ("project/web", "d")];

/// A store for `own` and `bob`; project/web and cluster/eu have lists of their own, with both.
fn store() -> (Place, String, String) {
    let (place, own) = Place::with_own_key();
    let bob = place.key("bob");
    for (scope, name) in SECRETS {
        place.set(scope, name, name);
    }
    // Before it is in the store's list: those of scopes start from that.
    for scope in ["-p web", "--cluster eu", ""] {
        let add = format!("store recipient add {bob} {scope} -q");
        place.with("own", &add).ok();
    }
    (place, own, bob)
}

/// The secrets that a key opens, by Debian's `age`.
fn opens(place: &Place, key: &str) -> String {
    let opened = SECRETS.iter();
    let opened = opened.filter(|(scope, name)| place.age(scope, name, key).is_some());
    opened.map(|(_, name)| *name).collect()
}

fn remaining(scope: &str, bob: &str) -> String {
    let option = scope.replace('/', " ");
    format!(
        "doorkey: warning: {scope} still has {bob}; run doorkey store recipient remove {bob} --{option}, or use --everywhere\n"
    )
}

fn rotate(names: &str) -> String {
    let lines = names.split(' ');
    let lines: String = lines
        .map(|name| format!("doorkey: warning: rotate {name}\n"))
        .collect();
    format!(
        "doorkey: warning: whoever was removed may have read every value until now, and can still read old copies\n{lines}"
    )
}

fn readable(what: &str, rewritten: usize) -> String {
    let secrets = if rewritten == 1 { "secret" } else { "secrets" };
    format!("doorkey: {what} is readable for 1 recipient; {rewritten} {secrets} encrypted anew\n")
}

#[test]
fn a_scope_that_still_has_the_key_is_said() {
    let (place, _, bob) = store();
    let remove = format!("store recipient remove {bob}");
    let both = remaining("project/web", &bob) + &remaining("cluster/eu", &bob);
    let lines = readable("age:secrets", 1) + &rotate("team/a") + &both;
    place.with("own", &remove).gives(1, "", &lines);
    assert_eq!(opens(&place, "bob"), "cd");
    let ended = place.with("own", &format!("{remove} -j")).end();
    assert_eq!((ended.code(), ended.err()), (1, both));
    let still = json!(["project/web", "cluster/eu"]);
    assert_eq!(ended.json()["still"], still);

    // The commands that it names do it.
    let web = readable("project/web of age:secrets", 1) + &rotate("project/web/d");
    let run = place.with("own", &format!("{remove} --project web"));
    run.gives(0, "", &web);
    assert_eq!(opens(&place, "bob"), "c");
    let run = place.with("own", &remove);
    let lines = "doorkey: project/web has recipients of its own, which are left as they are\n";
    let lines =
        readable("age:secrets", 1) + lines + &rotate("team/a") + &remaining("cluster/eu", &bob);
    run.gives(1, "", &lines);
    let run = place.with("own", &format!("{remove} --cluster eu -q"));
    run.gives(0, "", "");
    assert_eq!(opens(&place, "bob"), "");
    place.with("own", &format!("{remove} -q")).gives(0, "", "");
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn everywhere() {
    let (place, own, bob) = store();
    let remove = format!("store recipient remove {bob} --everywhere");
    let lines = readable("age:secrets", 1)
        + &readable("project/web of age:secrets", 1)
        + &readable("cluster/eu of age:secrets", 1)
        + &rotate("team/a project/web/d cluster/eu/c");
    // A project that is in force is no scope to keep to.
    let run = place.with("own", &remove).env("DOORKEY_PROJECT", "web");
    run.gives(0, "", &lines);
    assert_eq!(
        (&*opens(&place, "bob"), &*opens(&place, "own")),
        ("", "acd")
    );
    place.with("own", "store check -q").gives(0, "", "");
    // The same again finishes what was interrupted: here a file that was written meanwhile.
    let file = age_file("d", &[&own, &bob], &[]);
    place.write("secrets/project/web/d.age", file);
    let json = place.with("own", &format!("{remove} -j")).ok().json();
    assert_eq!(opens(&place, "bob"), "");
    assert_eq!(
        json,
        json!({
            "store": "age:secrets", "scope": null, "recipients": [own], "left": [], "still": [],
            "rewritten": ["team/a", "project/web/d", "cluster/eu/c"],
            "rotate": ["team/a", "project/web/d", "cluster/eu/c"],
        })
    );
    let usage = "doorkey: error: --everywhere can't be used with --project; see doorkey store recipient remove --help\n";
    for scope in ["-p web", "--cluster eu", "--team"] {
        let scoped = place.with("own", &format!("{remove} {scope}"));
        let option = scope.split(' ').next().unwrap().replace("-p", "--project");
        scoped.fails(2, &usage.replace("--project", &option));
    }
}

#[test]
fn a_key_that_the_stores_list_does_not_have() {
    let (place, _, bob) = store();
    let (eve, mut list) = (place.key("eve"), String::new());
    for scope in ["", "--cluster eu"] {
        let remove = format!("store recipient remove {bob} {scope} -q");
        place.with("own", &remove).end();
    }
    // Elsewhere it is said where.
    let file = place.path("secrets/recipients.txt");
    for line in fs::read_to_string(&file).unwrap().lines() {
        list += &if line.starts_with("# removed") {
            String::new()
        } else {
            format!("{line}\n")
        };
    }
    fs::write(&file, list).unwrap();
    let before = place.contents();
    let lines = remaining("project/web", &bob)
        + &format!(
            "doorkey: error: age:secrets: there is no recipient {bob}; nothing is changed; doorkey store recipient list shows them\n"
        );
    let run = place.with("own", &format!("store recipient remove {bob}"));
    run.fails(1, &lines);
    // Nowhere: that.
    let nowhere = format!("doorkey: error: age:secrets: no list names {eve}; nothing is changed\n");
    for more in ["", " --everywhere", &format!(" {bob} --everywhere")] {
        let run = place.with("own", &format!("store recipient remove {eve}{more}"));
        let ended = run.end();
        assert_eq!((ended.code(), ended.err()), (1, nowhere.clone()));
    }
    assert!(place.contents() == before);
}

/// A key in capitals is the same key.
#[test]
fn a_key_in_capitals() {
    let (place, own, bob) = store();
    let list = format!("{own}\n{}\n", bob.to_uppercase());
    place.write("secrets/project/web/recipients.txt", list);
    let run = place.with("own", &format!("store recipient remove {bob} -q"));
    assert_eq!(run.end().code(), 1);
    let remove = format!(
        "store recipient remove {} --everywhere -q",
        bob.to_uppercase()
    );
    place.with("own", &remove).gives(0, "", "");
    assert_eq!(opens(&place, "bob"), "");
    place.with("own", "store check -q").gives(0, "", "");
}

/// What can't be done in one place is said, and done in the others.
#[test]
fn a_scope_that_is_for_the_leaver_alone() {
    let (place, own, bob) = store();
    let remove = format!("store recipient remove {own} -p web -q");
    place.with("bob", &remove).ok();
    let remove = format!("store recipient remove {bob} --everywhere -q");
    let why = "doorkey: error: project/web of age:secrets: nothing is changed: nobody in project/web/recipients.txt could read the secrets then; add another recipient first\n";
    place.with("own", &remove).fails(1, why);
    assert_eq!(opens(&place, "bob"), "d");
    // A list that can't be read may name anybody.
    place.write("secrets/cluster/eu/x", "");
    let list = place.path("secrets/cluster/eu/recipients.txt");
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    let ended = place
        .with("own", &format!("store recipient remove {bob}"))
        .end();
    let both = remaining("project/web", &bob) + &remaining("cluster/eu", &bob);
    assert!(ended.err().ends_with(&both), "{}", ended.err());
}

/// A file that says that it is for those of its scope, and is for one more.
#[test]
fn a_hidden_recipient_is_counted_and_removed() {
    let (place, own) = Place::with_own_key();
    let (mallory, gone) = (place.key("mallory"), place.key("gone"));
    let add = format!("store recipient add {gone} -q");
    place.with("own", &add).ok();
    let note: (&str, &[&str]) = ("doorkey-recipients", &[&own, &gone]);
    let bound: (&str, &[&str]) = ("doorkey-secret", &["team/a"]);
    let hides = |stanzas: &[(&str, &[&str])], more: &[&str]| {
        let all = [&[&*own, &*gone], more].concat();
        place.write("secrets/team/a.age", age_file("a", &all, stanzas));
    };
    let finds = |keys: usize| {
        let line = format!(
            "doorkey: error: team/a: {keys} keys open it, though it names 2 recipients; set it to another value\n"
        );
        place.with("own", "store check -q").fails(1, &line);
        // What is not so is not shown.
        let shown = place.on("secret get a -g -j").ok().json();
        assert_eq!(shown["recipients"], json!(null));
    };
    hides(&[note, bound], &[&mallory]);
    assert_eq!(place.age("team", "a", "mallory").unwrap(), b"a");
    finds(3);
    // Every kind that opens a file, also one that nobody knows yet.
    for kind in [
        "ssh-ed25519",
        "ssh-rsa",
        "piv-p256",
        "mlkem768x25519",
        "tpm-ecc",
        "new",
    ] {
        hides(&[note, bound, (kind, &["x"])], &[]);
        finds(3);
    }
    hides(
        &[note, bound, ("ssh-ed25519", &[]), ("x-grease", &["y"])],
        &[],
    );
    finds(3);
    // What age programs add opens nothing.
    hides(&[note, bound, ("x-grease", &["y"])], &[]);
    place.with("own", "store check -q").gives(0, "", "");

    // A removal does not believe the note, whoever it is that is removed.
    hides(&[note, bound], &[&mallory]);
    let remove = format!("store recipient remove {gone} -q");
    place.with("own", &remove).ok();
    assert_eq!(place.age("team", "a", "mallory"), None);
    // Also where the list and the note say that there is nothing to do.
    let note: (&str, &[&str]) = ("doorkey-recipients", &[&own]);
    for change in [format!("remove {gone}"), format!("add {own}")] {
        let file = age_file("a", &[&own, &mallory], &[note, bound]);
        place.write("secrets/team/a.age", file);
        let run = place.with("own", &format!("store recipient {change} -q"));
        run.ok();
        assert_eq!(place.age("team", "a", "mallory"), None, "{change}");
        assert_eq!(place.age("team", "a", "own").unwrap(), b"a");
        place.with("own", "store check -q").gives(0, "", "");
    }
}
