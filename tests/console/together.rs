//! Several consoles, and the command line beside them, on one store.

use std::collections::BTreeSet;
use std::thread;

use support::Run;
use support::bao::App;

use crate::place::{Console, own};

/// How many names each of them stores.
const EACH: usize = 12;

/// Two consoles and a command line store names of their own, and all want one name. Gives the names
/// that must be there.
fn write_at_once(
    consoles: [&Console; 2],
    command: impl Fn(&str) -> Run + Sync,
) -> BTreeSet<String> {
    let sessions = consoles.map(Console::session);
    let create = |which: usize, name: &str| {
        let line = format!("POST /api/write?scope=project/web&how=create&name={name}");
        consoles[which]
            .ask(&sessions[which], &line, b"value")
            .status
    };
    let write = |which: usize| {
        for number in 0..EACH {
            assert_eq!(create(which, &format!("c{which}_{number}")), 200);
        }
        create(which, "shared") == 200
    };
    let write = &write;
    let won: Vec<bool> = thread::scope(|scope| {
        let consoles = [0, 1].map(|which| scope.spawn(move || write(which)));
        for number in 0..EACH {
            command(&format!("secret create l_{number} --project web -q"))
                .stdin("value")
                .ok();
        }
        consoles.map(|one| one.join().unwrap()).to_vec()
    });
    assert_eq!(
        won.iter().filter(|won| **won).count(),
        1,
        "who has created the one name"
    );
    let numbers = 0..EACH;
    let names = numbers.flat_map(|number| ["c0", "c1", "l"].map(|who| format!("{who}_{number}")));
    names.chain(["shared".to_owned()]).collect()
}

fn names(console: &Console, session: &str) -> BTreeSet<String> {
    let answer = console
        .ask(session, "GET /api/scope?scope=project/web", b"")
        .json();
    let items = answer["rows"].as_array().unwrap().iter();
    items
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_is_lost_in_a_folder() {
    let own = own();
    let other = Console::start(&own.place, own.place.on("console"));
    let mut expected = write_at_once([&own, &other], |words| own.place.on(words));
    expected.insert("db_password".to_owned());
    let third = Console::start(&own.place, own.place.on("console"));
    assert_eq!(names(&third, &third.session()), expected);
}

#[test]
fn nothing_is_lost_in_a_document() {
    let app = App::new();
    let start = || Console::start(&app.place, app.operator("console"));
    let (one, other) = (start(), start());
    let expected = write_at_once([&one, &other], |words| app.operator(words));
    let third = start();
    assert_eq!(names(&third, &third.session()), expected);
}

/// What the person saw before storing a file is what is stored.
#[test]
fn an_import_does_not_overwrite_what_came_meanwhile() {
    let own = own();
    let session = own.session();
    let text = b"smtp_user=new\nadded=new\n";
    let plan = own.ask(&session, "POST /api/plan?scope=team", text).json();
    let changes = plan["items"].as_array().unwrap().iter();
    let changes: Vec<_> = changes.map(|one| one["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["overwrite", "create"]);
    own.place.set("team", "added", "other");
    let import = |choice: &str| {
        let body = [choice.as_bytes(), b"\n", text].concat();
        own.ask(&session, "POST /api/import?scope=team", &body)
    };
    let refused = import(r#"{"create":["added"],"overwrite":["smtp_user"]}"#);
    let why = "added in team was changed meanwhile; import the file again";
    assert_eq!(refused.json()["faults"][0], why);
    assert_eq!(own.place.reveal("team", "smtp_user").unwrap(), b"value");
    assert_eq!(own.place.reveal("team", "added").unwrap(), b"other");
    let done = import(r#"{"overwrite":["added"]}"#).json();
    assert_eq!(
        done["done"],
        "1 stored in team of age:secrets, 1 of them in place of others"
    );
    assert_eq!(own.place.reveal("team", "added").unwrap(), b"new");
    assert_eq!(own.place.reveal("team", "smtp_user").unwrap(), b"value");
}
