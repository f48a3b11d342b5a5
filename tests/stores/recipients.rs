//! `doorkey store recipient`: who can read a store or a project of it, and that changing it
//! encrypts everything anew, as Debian's `age` sees it.

use std::fs;

use serde_json::{Value, json};
use support::Place;

const SECRETS: [(&str, &str); 4] = [
    ("team", "a"),
    ("team", "b"),
    ("cluster/eu", "c"),
    ("project/web", "d"),
];

/// A store with a secret or two in each kind of scope, each its own name; its key is `own`.
fn store() -> (Place, String) {
    let (place, own) = Place::with_own_key();
    for (scope, name) in SECRETS {
        place.set(scope, name, name);
    }
    (place, own)
}

/// The secrets that Debian's `age` opens with a key.
fn opens(place: &Place, key: &str) -> String {
    let mut opened = Vec::new();
    for (scope, name) in SECRETS {
        if let Some(value) = place.age(scope, name, key) {
            assert_eq!(value, name.as_bytes());
            opened.push(name);
        }
    }
    opened.join(" ")
}

fn whole_list(place: &Place, inside: &str) -> String {
    fs::read_to_string(place.path(&format!("secrets/{inside}recipients.txt"))).unwrap()
}

/// A list without the comments that say who was removed.
fn list(place: &Place, inside: &str) -> String {
    let list = whole_list(place, inside);
    let lines = list
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("# removed"));
    lines.collect()
}

/// The line about somebody without a name who reads everything.
fn row(key: &str) -> String {
    format!("{key}\t-\tX25519\tall\n")
}

const HEAD: &str = "# who can read this store, one age recipient a line\n";

#[test]
fn adding_and_removing() {
    let (place, own) = store();
    let new = place.key("new");
    place.on("store recipient list").gives(0, &row(&own), "");
    assert_eq!(
        (opens(&place, "own"), opens(&place, "new")),
        ("a b c d".into(), String::new())
    );

    let add = format!("store recipient add {new}");
    let said = |readers: &str, rewritten| {
        format!(
            "doorkey: age:secrets is readable for {readers}; {rewritten} secrets encrypted anew\n"
        )
    };
    place
        .with("own", &add)
        .gives(0, "", &said("2 recipients", 4));
    place
        .on("store recipient list")
        .gives(0, &(row(&own) + &row(&new)), "");
    assert_eq!(list(&place, ""), format!("{HEAD}{own}\n{new}\n"));
    assert_eq!(
        (opens(&place, "own"), opens(&place, "new")),
        ("a b c d".into(), "a b c d".into())
    );
    place.with("new", "store check -q").gives(0, "", "");

    // The same again changes no list, and writes every file anew.
    let before = place.contents();
    place
        .with("own", &add)
        .gives(0, "", &said("2 recipients", 4));
    for (was, is) in before.iter().zip(place.contents()) {
        let is_file = was.0.extension().is_some_and(|end| end == "age");
        assert_eq!((&was.0, was.1 != is.1), (&is.0, is_file));
    }

    let remove = format!("store recipient remove {own}");
    let rotate = "doorkey: warning: whoever was removed may have read every value until now, and can still read old copies\n\
         doorkey: warning: rotate project/web/d\ndoorkey: warning: rotate cluster/eu/c\n\
         doorkey: warning: rotate team/a\ndoorkey: warning: rotate team/b\n";
    place
        .with("new", &remove)
        .gives(0, "", &(said("1 recipient", 4) + rotate));
    assert_eq!(list(&place, ""), format!("{HEAD}{new}\n"));
    let comment = format!("# removed: age1...{}\n", &own[own.len() - 16..]);
    assert_eq!(whole_list(&place, ""), format!("{HEAD}{comment}{new}\n"));
    // The same again is no mistake: it finishes what was interrupted.
    let again = place.with("new", &remove);
    again.gives(0, "", &(said("1 recipient", 4) + rotate));
    assert_eq!(
        (opens(&place, "own"), opens(&place, "new")),
        (String::new(), "a b c d".into())
    );
    place.with("new", "store check -q").gives(0, "", "");
}

#[test]
fn in_json() {
    let (place, own) = store();
    let new = place.key("new");
    let mut both = [own.clone(), new.clone()];
    let all = json!(["project/web/d", "cluster/eu/c", "team/a", "team/b"]);
    let answer = |scope: Value, recipients: &[String], rewritten: &Value, rotate: &Value| {
        json!({
            "store": "age:secrets", "scope": scope, "recipients": recipients,
            "rewritten": rewritten, "rotate": rotate, "left": [], "still": [],
        })
    };
    let change = |words: &str| {
        place
            .with("own", &format!("store recipient {words} -j"))
            .ok()
            .json()
    };
    let none = json!([]);
    let added = change(&format!("add {new}"));
    assert_eq!(added, answer(Value::Null, &both, &all, &none));
    let listed = place.on("store recipient list -j").ok().json();
    let scopes = json!(["project/web", "cluster/eu", "team"]);
    let member =
        |key: &String| json!({"recipient": key, "name": null, "kind": "X25519", "scopes": scopes});
    let members = both.each_ref().map(member);
    assert_eq!(
        listed,
        json!({"store": "age:secrets", "scope": null, "recipients": both, "members": members})
    );
    let listed = place.on("store recipient list -j -p web").ok().json();
    assert_eq!(listed["scope"], json!("project/web"));
    let removed = change(&format!("remove {new}"));
    assert_eq!(removed, answer(Value::Null, &both[..1], &all, &all));
    let closed = change(&format!("add {new} -p web"));
    let web = json!(["project/web/d"]);
    assert_eq!(closed, answer(json!("project/web"), &both, &web, &none));
    both.reverse();
    let again = change(&format!("add {new}"));
    assert_eq!(again["left"], json!(["project/web"]));
    assert_eq!(
        again["rewritten"],
        json!(["cluster/eu/c", "team/a", "team/b"])
    );
}

#[test]
fn a_project_that_is_closed_to_the_rest() {
    let (place, own) = store();
    let (web, team) = (place.key("web"), place.key("member"));
    place
        .with("own", &format!("store recipient add {team}"))
        .ok();
    place
        .with("own", &format!("store recipient add {web} --project web"))
        .ok();
    let said = "doorkey: project/web of age:secrets is readable for 2 recipients; 1 secret encrypted anew\n\
         doorkey: warning: whoever was removed may have read every value until now, and can still read old copies\n\
         doorkey: warning: rotate project/web/d\n";
    let remove = format!("store recipient remove {team} -p web");
    place.with("own", &remove).gives(0, "", said);
    assert_eq!(
        list(&place, "project/web/"),
        format!("{HEAD}{own}\n{web}\n")
    );
    assert_eq!(list(&place, ""), format!("{HEAD}{own}\n{team}\n"));
    assert_eq!(opens(&place, "own"), "a b c d");
    assert_eq!(opens(&place, "member"), "a b c");
    assert_eq!(opens(&place, "web"), "d");

    // What is set from now on keeps to it, without a key.
    place.set("project/web", "d", "d");
    assert_eq!(opens(&place, "member"), "a b c");
    let shown = place.on("secret get d -p web -j").ok().json();
    assert_eq!(shown["recipients"].as_array().unwrap().len(), 2);

    let denied =
        "denied: the key is not one of its recipients; have somebody who can read it add the key\n";
    let get = place.with("member", "secret get d -p web --reveal");
    get.fails(
        1,
        &format!("doorkey: error: d in project/web of age:secrets: {denied}"),
    );
    let run = place
        .with("member", "run -p web -- true")
        .env("D", "secret:d");
    run.fails(
        125,
        &format!("doorkey: error: D: secret:d: project/web of age:secrets: {denied}"),
    );
    let get = place.with("web", "secret get d -p web --reveal");
    get.gives(0, "d", "");

    // A change of the store's list leaves the project's.
    let (third, before) = (place.key("third"), list(&place, "project/web/"));
    let said = "doorkey: age:secrets is readable for 3 recipients; 3 secrets encrypted anew\n\
         doorkey: project/web has recipients of its own, which are left as they are\n";
    let add = format!("store recipient add {third}");
    place.with("own", &add).gives(0, "", said);
    assert_eq!(list(&place, "project/web/"), before);
    assert_eq!(opens(&place, "third"), "a b c");
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn other_scopes_have_lists_too() {
    let (place, own) = store();
    let new = place.key("new");
    place
        .with("own", &format!("store recipient add {new} --cluster eu"))
        .ok();
    assert_eq!(opens(&place, "new"), "c");
    place
        .with("own", &format!("store recipient add {new} --team"))
        .ok();
    assert_eq!(opens(&place, "new"), "a b c");
    assert_eq!(list(&place, ""), format!("{HEAD}{own}\n"));
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn several_at_once_and_comments_that_stay() {
    let (place, own) = store();
    let keys = ["ann", "bob", "eve"].map(|name| place.key(name));
    let [ann, bob, eve] = &keys;
    let comments = format!("# Ops\n\n{own}\n  # Ann, until June\n");
    place.write("secrets/recipients.txt", &comments);
    place
        .with(
            "own",
            &format!("store recipient add {ann} {bob} {ann} {own}"),
        )
        .ok();
    assert_eq!(list(&place, ""), format!("{comments}{ann}\n{bob}\n"));
    place
        .with("own", &format!("store recipient remove {ann} {own}"))
        .ok();
    assert_eq!(
        list(&place, ""),
        format!("# Ops\n\n  # Ann, until June\n{bob}\n")
    );
    assert_eq!(opens(&place, "bob"), "a b c d");
    assert_eq!(
        (opens(&place, "ann"), opens(&place, "own")),
        Default::default()
    );

    // Of several to be removed one is not listed: a slip, which is not passed over.
    place
        .with("bob", &format!("store recipient add {ann}"))
        .ok();
    let before = place.contents();
    let run = place.with("bob", &format!("store recipient remove {ann} {eve}"));
    let nowhere = format!("doorkey: error: age:secrets: no list names {eve}; nothing is changed\n");
    run.fails(1, &nowhere);
    assert!(place.contents() == before);
    // A list without a newline at its end.
    place.write("secrets/recipients.txt", format!("{bob}\n{ann}"));
    place
        .with("bob", &format!("store recipient add {eve}"))
        .ok();
    assert_eq!(list(&place, ""), format!("{bob}\n{ann}\n{eve}\n"));
    place.with("eve", "store check -q").gives(0, "", "");
}

#[test]
fn what_is_refused() {
    let (place, own) = store();
    let stranger = place.key("stranger");
    let private = fs::read_to_string(place.path("own.key")).unwrap();
    let private = private.lines().last().unwrap();
    let before = place.contents();
    let no_recipient =
        "age:secrets: argument 1 is no age recipient, the public half of a key (age1…)";
    let secret_key = "age:secrets: argument 1 is a secret key: give its public half (age1…)";
    let nobody = "age:secrets: argument 1 is no age recipient (age1…), and nobody in a list has that name; nothing is changed";
    let bad_name = "age:secrets: a member's name is one word of at most 64 letters, digits, '.', '_', '@', '+' and '-', the first a letter or digit, and no key";
    let nowhere = format!("age:secrets: no list names {stranger}; nothing is changed");
    let not_there = format!(
        "project/web of age:secrets: there is no recipient {stranger}; nothing is changed; doorkey \
         store recipient list shows them"
    );
    let second =
        "age:secrets: argument 2 is a recipient with a letter missing or wrong: copy it again";
    for (words, why) in [
        (format!("remove {stranger}"), nowhere.as_str()),
        (format!("remove {stranger} --everywhere"), &nowhere),
        (format!("remove {stranger} -p web"), &not_there),
        (
            format!("remove {own}"),
            "age:secrets: nothing is changed: nobody in recipients.txt could read the secrets then; add another recipient first",
        ),
        (
            format!("remove {own} -p web"),
            "project/web of age:secrets: nothing is changed: nobody in project/web/recipients.txt could read the secrets then; add another recipient first",
        ),
        ("add foo".to_owned(), no_recipient),
        // Somebody takes the wrong half.
        (format!("add {private}"), secret_key),
        (format!("remove {private}"), secret_key),
        ("remove foo".to_owned(), nobody),
        ("remove foo --everywhere".to_owned(), nobody),
        (format!("add {stranger} --name two/words"), bad_name),
        (format!("add {stranger} --name {stranger}"), bad_name),
        (format!("add {stranger} age1qqq"), second),
        (
            "add ssh-ed25519".to_owned(),
            "age:secrets: argument 1 is not a whole SSH key: quote its kind and the key as one argument",
        ),
    ] {
        let run = place.with("own", &format!("store recipient {words}"));
        run.fails(1, &format!("doorkey: error: {why}\n"));
        assert!(place.contents() == before, "{words}");
    }
    for change in ["add", "remove"] {
        let argument = if change == "add" { "KEY" } else { "RECIPIENT" };
        let missing = format!(
            "doorkey: error: <{argument}>... is missing; see doorkey store recipient {change} --help\n"
        );
        place
            .with("own", &format!("store recipient {change}"))
            .fails(2, &missing);
        place.write("plain/x", "1");
        let run = place.with(
            "own",
            &format!("store recipient {change} {own} --store dir:plain"),
        );
        run.fails(
            1,
            "doorkey: error: dir:plain: this kind of store has no recipients\n",
        );
    }
    let list = place.on("store recipient list --store dir:plain");
    list.fails(
        1,
        "doorkey: error: dir:plain: this kind of store has no recipients\n",
    );
}

#[test]
fn with_a_key_that_can_not_open_everything_nothing_is_changed() {
    let (place, _) = store();
    let (member, new) = (place.key("member"), place.key("new"));
    place
        .with("own", &format!("store recipient add {member} --team"))
        .ok();
    // Corrupt ones are named beside those for others.
    place.write("secrets/cluster/eu/c.age", "corrupt");
    let before = place.contents();
    for words in [format!("add {new}"), format!("add {new} {member}")] {
        let refused = "doorkey: error: age:secrets: nothing is changed: project/web/d, cluster/eu/c can't be opened; doorkey store check says why\n";
        place
            .with("member", &format!("store recipient {words}"))
            .fails(1, refused);
        assert!(place.contents() == before, "{words}");
    }
    let refused = "doorkey: error: team of age:secrets: nothing is changed: team/a, team/b can't be opened; doorkey store check says why\n";
    place
        .with("new", &format!("store recipient add {new} -g"))
        .fails(1, refused);
    let run = place.on(&format!("store recipient add {new}"));
    let file = place.path("home/.config/doorkey/key.txt");
    let no_key = format!(
        "doorkey: error: age:secrets: no key: none is named, and {} does not exist; give DOORKEY_KEY_FILE or DOORKEY_KEY\n",
        file.display()
    );
    run.fails(1, &no_key);
    assert!(place.contents() == before);
}

#[test]
fn what_another_program_wrote_is_encrypted_anew() {
    let (place, own) = store();
    let new = place.key("new");
    for (scope, name) in [("team", "a"), ("project/web", "d")] {
        let file = place.path(&format!("secrets/{scope}/{name}.age"));
        let mut age = std::process::Command::new("age");
        age.args(["-a", "-r", &own, "-o"])
            .arg(file)
            .arg(place.write("value", name));
        assert!(age.status().unwrap().success());
    }
    place
        .with("own", &format!("store recipient add {new}"))
        .ok();
    assert_eq!(opens(&place, "new"), "a b c d");
    place.with("new", "store check -q").gives(0, "", "");
}

/// A merge can leave a key twice, with and without a name: that is one recipient.
#[test]
fn a_key_that_is_there_twice() {
    let (place, own) = store();
    let bob = place.key("bob");
    place.write(
        "secrets/recipients.txt",
        format!("{own}\n{bob}\n# bob\n{bob}\n"),
    );
    place.with("own", "store check --fix -q").ok();
    place.with("own", "store check -q").gives(0, "", "");
    let listed = place.with("own", "store recipient list").ok().out();
    assert_eq!(listed.matches(&bob).count(), 1, "{listed}");
    assert!(listed.contains(&format!("{bob}\tbob\t")), "{listed}");
    assert_eq!(opens(&place, "bob"), opens(&place, "own"));
    place.with("own", "store recipient remove bob -q").ok();
    assert!(!list(&place, "").contains(&bob));
}
