//! `doorkey secret` at a terminal: a real one, typed into. Values that are asked for and not
//! shown, questions before something is lost, the choice among projects, tables.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::Place;
use support::pty::Terminal;
use support::trace::Memory;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CANARY: &str = "kanarienvogel-4711";

/// What is on the screen when both questions have been answered.
const BOTH: &str = "value of a: \nonce more: \n";

fn at_terminal(place: &Place, words: &str) -> Terminal {
    Terminal::start(place.on(words))
}

#[test]
fn a_value_is_asked_for_twice_and_not_shown() {
    let place = Place::with_store();
    for (command, done) in [("create", "created"), ("set", "set"), ("update", "updated")] {
        for value in [CANARY, "two words", "é\t'\"", "x"] {
            let _ = place.on("secret delete a --team --yes").end();
            if command != "create" {
                place.set("team", "a", "old");
            }
            let mut terminal = at_terminal(&place, &format!("secret {command} a --team"));
            terminal.wait_for("value of a: ").types(value).types("\n");
            terminal.wait_for("once more: ").types(value).types("\n");
            let said = format!("{BOTH}doorkey: a is {done} in team of age:secrets\n");
            assert_eq!(terminal.end(), (0, said, true));
            assert_eq!(place.reveal("team", "a").unwrap(), value.as_bytes());
        }
    }
}

#[test]
fn a_line_can_be_edited() {
    let place = Place::with_store();
    let mut terminal = at_terminal(&place, "secret set a --team -q");
    terminal
        .wait_for("value of a: ")
        .types("wrong\x15valux\x7fe\n");
    terminal.wait_for("once more: ").types("value\n");
    assert_eq!(terminal.end(), (0, BOTH.to_owned(), true));
    assert_eq!(place.reveal("team", "a").unwrap(), b"value");
}

#[test]
fn what_is_typed_wrong_is_not_stored() {
    let place = Place::with_store();
    place.set("team", "a", "old");
    let before = place.contents();
    let first = "value of a: \n";
    let differ = "doorkey: error: the two values differ; nothing is stored\n";
    let declined = "doorkey: error: nothing is changed\n";
    let ctrl_c = format!("{CANARY}{CTRL_C}");
    let line = format!("{CANARY}\n");
    for (typed, code, screen) in [
        (&[line.as_str(), "other\n"][..], 2, [BOTH, differ]),
        (&[line.as_str(), "kanarienvogel-4711 \n"], 2, [BOTH, differ]),
        (
            &["\n", "\n"],
            2,
            [BOTH, "doorkey: error: the value is empty\n"],
        ),
        (
            &[CTRL_D, CTRL_D],
            2,
            [BOTH, "doorkey: error: the value is empty\n"],
        ),
        (&[CTRL_C], 1, [first, declined]),
        (&[&ctrl_c], 1, [first, declined]),
        (&[&line, CTRL_C], 1, [BOTH, declined]),
        (&[&line, &ctrl_c], 1, [BOTH, declined]),
    ] {
        let mut terminal = at_terminal(&place, "secret set a --team");
        for (text, question) in typed.iter().zip(["value of a: ", "once more: "]) {
            terminal.wait_for(question).types(text);
        }
        assert_eq!(terminal.end(), (code, screen.concat(), true), "{typed:?}");
        assert!(place.contents() == before, "{typed:?}");
    }
}

/// A terminal passes on 4095 bytes of a line and drops the rest, both times alike.
#[test]
fn a_line_that_the_terminal_would_cut_is_refused() {
    let place = Place::with_store();
    let refused = "doorkey: error: a terminal passes on at most 4094 bytes of a line whole; pipe the value, or use --value-file\n";
    for (size, code) in [(4094, 0), (4095, 2), (4096, 2), (6000, 2)] {
        let value = "v".repeat(size);
        let mut terminal = at_terminal(&place, "secret set a --team -q");
        for question in ["value of a: ", "once more: "] {
            terminal.wait_for(question).types(&value).types("\n");
        }
        let refused = if code == 0 { "" } else { refused };
        assert_eq!(
            terminal.end(),
            (code, format!("{BOTH}{refused}"), true),
            "{size}"
        );
        assert_eq!(place.reveal("team", "a").unwrap().len(), 4094);
    }
}

#[test]
fn a_signal_at_the_prompt_leaves_the_terminal_as_it_was() {
    let place = Place::with_store();
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGQUIT, 131),
    ] {
        let mut terminal = at_terminal(&place, "secret set a --team");
        terminal.wait_for("value of a: ").types(CANARY);
        assert!(!terminal.is_usual());
        let child = Pid::from_raw(terminal.child.id().try_into().unwrap());
        kill(child, signal).unwrap();
        assert_eq!(terminal.end(), (code, "value of a: ".to_owned(), true));
    }
    assert!(!place.path("secrets/team").exists());
}

/// Without a terminal for the question nobody knows that something is asked, and what is typed
/// would be shown.
#[test]
fn a_question_that_nobody_sees_is_not_asked() {
    let place = Place::with_store();
    let refused = "doorkey: error: the question for the value would not be seen, as standard error is no terminal; pipe the value, or use --value-file\n";
    let errors = place.write("errors", "");
    let terminal = Terminal::start_with(place.on("secret set a --team"), |command| {
        command.stderr(Stdio::from(std::fs::File::create(&errors).unwrap()));
    });
    assert_eq!(terminal.end(), (2, String::new(), true));
    assert_eq!(std::fs::read_to_string(&errors).unwrap(), refused);
}

/// At a terminal too, what is piped or in a file is taken without a question.
#[test]
fn a_value_that_is_given_otherwise() {
    let place = Place::with_store();
    place.write("value", "of the file");
    let said = "doorkey: a is set in team of age:secrets\n";
    let terminal = at_terminal(&place, "secret set a --team --value-file value");
    assert_eq!(terminal.end(), (0, said.to_owned(), true));
    assert_eq!(place.reveal("team", "a").unwrap(), b"of the file");
    let piped = place.shell("echo 'of the pipe' | doorkey secret set a --team");
    assert_eq!(Terminal::start(piped).end(), (0, said.to_owned(), true));
    assert_eq!(place.reveal("team", "a").unwrap(), b"of the pipe");
}

#[test]
fn removing_is_asked() {
    let place = Place::with_store();
    let question = "remove a in team of age:secrets? [y/N] ";
    let declined = "doorkey: error: nothing is changed\n";
    let done = "doorkey: a is removed from team of age:secrets\n";
    for (typed, code, said) in [
        ("y\n", 0, done),
        ("Y\n", 0, done),
        ("yes\n", 0, done),
        ("n\n", 1, declined),
        ("\n", 1, declined),
        ("yo\n", 1, declined),
        (CTRL_D, 1, declined),
        (CTRL_C, 130, ""),
    ] {
        place.set("team", "a", "1");
        let mut terminal = at_terminal(&place, "secret delete a --team");
        terminal.wait_for(question).types(typed);
        let shown = match typed {
            CTRL_D => String::new(),
            CTRL_C => "^C".to_owned(),
            typed => typed.to_owned(),
        };
        let screen = format!("{question}{shown}{said}");
        assert_eq!(terminal.end(), (code, screen, true), "{typed:?}");
        assert_eq!(place.reveal("team", "a").is_none(), code == 0, "{typed:?}");
    }
    place.set("team", "a", "1");
    let terminal = at_terminal(&place, "secret delete a --team --yes");
    assert_eq!(terminal.end(), (0, done.to_owned(), true));
    let absent = "doorkey: error: a in team of age:secrets: there is no such secret\n";
    let terminal = at_terminal(&place, "secret delete a --team");
    assert_eq!(terminal.end(), (1, absent.to_owned(), true));
}

#[test]
fn overwriting_by_an_import_is_asked() {
    let place = Place::with_store();
    place.set("team", "A", "old");
    place.write("some.env", format!("A={CANARY}\nB={CANARY}\n"));
    let before = place.contents();
    let question = "overwrite A in team? [y/N] ";
    let mut terminal = at_terminal(&place, "secret import some.env --team");
    terminal.wait_for(question).types("n\n");
    let screen = format!("{question}n\ndoorkey: error: nothing is changed\n");
    assert_eq!(terminal.end(), (1, screen, true));
    assert!(place.contents() == before);
    let mut terminal = at_terminal(&place, "secret import some.env --team");
    terminal.wait_for(question).types("y\n");
    let said = "doorkey: 2 stored in team of age:secrets, 1 of them in place of others\n";
    assert_eq!(terminal.end(), (0, format!("{question}y\n{said}"), true));
    assert_eq!(place.reveal("team", "A").unwrap(), CANARY.as_bytes());
}

#[test]
fn a_choice_among_projects() {
    let place = Place::with_store();
    let usage = "doorkey: error: which scope? give --project ID, --cluster ID or --team\n";
    // There is nothing to choose from.
    place.set("team", "a", "1");
    let terminal = at_terminal(&place, "secret get a");
    assert_eq!(terminal.end(), (2, usage.to_owned(), true));

    for project in ["web", "shop"] {
        place.set(&format!("project/{project}"), "a", project);
    }
    let question = "1) project/shop\n2) project/web\nwhich project? ";
    for (typed, code, said) in [
        ("1\n", 0, "shop\n"),
        ("2\n", 0, "web\n"),
        (" 2 \n", 0, "web\n"),
        ("0\n", 2, usage),
        ("3\n", 2, usage),
        ("-1\n", 2, usage),
        ("web\n", 2, usage),
        ("\n", 2, usage),
    ] {
        let mut terminal = at_terminal(&place, "secret get a --reveal");
        terminal.wait_for("which project? ").types(typed);
        let screen = format!("{question}{typed}{said}");
        assert_eq!(terminal.end(), (code, screen, true), "{typed:?}");
    }
    // The value is asked for after it.
    let mut terminal = at_terminal(&place, "secret set a");
    terminal.wait_for("which project? ").types("2\n");
    terminal.wait_for("value of a: ").types("new\n");
    terminal.wait_for("once more: ").types("new\n");
    let screen = format!("{question}2\n{BOTH}doorkey: a is set in project/web of age:secrets\n");
    assert_eq!(terminal.end(), (0, screen, true));
    assert_eq!(place.reveal("project/web", "a").unwrap(), b"new");
}

#[test]
fn a_table_for_people() {
    let place = Place::with_store();
    place.set("team", "db_password", "12345");
    place.set("team", "a", "1");
    let rows = "a            team   1\ndb_password  team   5\n";
    let head = "NAME         SCOPE  SIZE";
    let list = || place.on("secret list --team -F name,scope,size");
    let bold = (0, format!("\x1b[1m{head}\x1b[0m\n{rows}"), true);
    let plain = (0, format!("{head}\n{rows}"), true);
    assert_eq!(Terminal::start(list()).end(), bold);
    assert_eq!(Terminal::start(list().env("NO_COLOR", "")).end(), bold);
    assert_eq!(Terminal::start(list().env("NO_COLOR", "1")).end(), plain);
    let piped = place.shell("doorkey secret list --team -F name,scope,size | cat");
    let tabs = "a\tteam\t1\ndb_password\tteam\t5\n".to_owned();
    let (code, screen, _) = Terminal::start(piped).end();
    assert_eq!((code, screen), (0, tabs));
    // A value on the screen gets a line of its own; elsewhere nothing is added.
    let terminal = at_terminal(&place, "secret get a --team --reveal");
    assert_eq!(terminal.end(), (0, "1\n".to_owned(), true));
}

/// Writing needs recipients alone: while somebody thinks about an answer, no key is anywhere in
/// memory, nor in what /proc shows of the environment.
#[test]
fn no_key_is_in_memory_at_a_question() {
    let place = Place::with_store();
    place.set("team", "a", "old");
    place.set("project/web", "a", "old");
    place.write("some.env", "a=new\n");
    let file = place.path("home/.config/doorkey/key.txt");
    let key = std::fs::read_to_string(&file).unwrap();
    let key = key.lines().last().unwrap().to_owned();
    for (words, question) in [
        ("secret set a --team", "value of a: "),
        ("secret create b --team", "value of b: "),
        ("secret update a --team", "value of a: "),
        ("secret set a", "which project? "),
        (
            "secret delete a --team",
            "remove a in team of age:secrets? [y/N] ",
        ),
        (
            "secret import some.env --team",
            "overwrite a in team? [y/N] ",
        ),
        ("secret get a", "which project? "),
    ] {
        for variable in ["DOORKEY_KEY", "DOORKEY_KEY_FILE"] {
            let value = match variable {
                "DOORKEY_KEY" => key.clone(),
                _ => file.display().to_string(),
            };
            let mut terminal = Terminal::start(place.on(words).env(variable, value));
            terminal.wait_for(question);
            let memory = Memory::of(Pid::from_raw(terminal.child.id().try_into().unwrap()));
            for mapping in &memory.mappings {
                let bytes = memory.read(mapping);
                let found = bytes
                    .windows(key.len())
                    .any(|window| window == key.as_bytes());
                assert!(!found, "{words}, {variable}: {}", mapping.name);
            }
            terminal.types(CTRL_C);
            assert_ne!(terminal.end().0, 0);
        }
    }
}
