//! Keys with a passphrase, which a person types at a terminal and which is not shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::Place;
use support::pty::{Terminal, program};
use support::trace::Memory;

use crate::ssh::{bare, ssh_key};

const PASSPHRASE: &str = "kanarienvogel 4711 é";

/// Makes `locked.key` of another key, by a person at age's own program.
pub fn lock(place: &Place, key: &str, armor: bool) -> PathBuf {
    let locked = place.path("locked.key");
    let _ = fs::remove_file(&locked);
    let key = format!("{key}.key");
    let mut words = vec!["age", "-p", "-o", "locked.key", &key];
    if armor {
        words.insert(1, "-a");
    }
    let mut terminal = Terminal::start(program(place, &words));
    terminal
        .wait_for("passphrase")
        .types(format!("{PASSPHRASE}\n"));
    terminal.wait_for("onfirm").types(format!("{PASSPHRASE}\n"));
    assert_eq!(terminal.end().0, 0);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o600)).unwrap();
    locked
}

/// Types a passphrase where it is asked for.
pub fn answer(terminal: &mut Terminal) {
    terminal.wait_for("passphrase of ").wait_for(": ");
    terminal.types(format!("{PASSPHRASE}\n"));
}

#[test]
fn an_identity_file_with_a_passphrase() {
    let (place, own) = Place::with_own_key();
    place.set("team", "a", "value");
    for armor in [false, true] {
        let file = lock(&place, "own", armor).display().to_string();
        let question = format!("passphrase of {file}: \n");
        let get = || place.with("locked", "secret get a --team --reveal");
        let mut terminal = Terminal::start(get());
        answer(&mut terminal);
        let screen = format!("{question}value\n");
        assert_eq!(terminal.end(), (0, screen, true));

        // The public half is in the file as well.
        let mut terminal = Terminal::start(place.with("locked", "key show -q"));
        answer(&mut terminal);
        assert_eq!(terminal.end(), (0, format!("{question}{own}\n"), true));

        let store = "doorkey: error: a in team of age:secrets: ";
        let unusable = format!("the key from {file} can't be used: ");
        for (typed, why) in [
            ("wrong\n", "the passphrase is wrong\n"),
            ("\n", "the passphrase is wrong\n"),
            (
                "kana\x03",
                "it has a passphrase, and it was not typed; give a key without one\n",
            ),
        ] {
            let mut terminal = Terminal::start(get());
            terminal.wait_for(": ").types(typed);
            let (code, screen, usual) = terminal.end();
            assert_eq!((code, usual), (1, true));
            assert!(screen.starts_with(&question), "{screen}");
            assert!(screen.ends_with(&format!("{unusable}{why}")), "{screen}");
            assert!(
                !screen.contains("kana") && !screen.contains("wrong\n\n"),
                "{screen}"
            );
        }
        // Nobody to ask.
        let none = "it has a passphrase, and nobody can be asked for it: standard input and standard error are no terminal; give a key without one\n";
        let ended = get().stdin(PASSPHRASE).end();
        assert_eq!(ended.code(), 1);
        assert!(
            ended.err().ends_with(&format!("{unusable}{none}")),
            "{store}: {}",
            ended.err()
        );
    }
}

#[test]
fn ssh_keys_with_a_passphrase() {
    let (place, _) = Place::with_own_key();
    place.set("team", "a", "value");
    for (name, kind) in [("ed", "ssh-ed25519"), ("rsa", "ssh-rsa")] {
        let how = ["-t", &kind[4..], "-N", PASSPHRASE];
        let public = ssh_key(&place, name, &how);
        place
            .with("own", "store recipient add -q")
            .arg(&public)
            .ok();
        // The public half is known without an answer.
        let shown = place.with(name, "key show -q").ok().out();
        assert_eq!(shown.trim(), bare(&public));
        let get = || place.with(name, "secret get a --team --reveal");
        let mut terminal = Terminal::start(get());
        answer(&mut terminal);
        let key = bare(&public);
        let file = place.path(&format!("{name}.key")).display().to_string();
        let question = format!(
            "passphrase of {file}, {kind}...{}: \n",
            &key[key.len() - 16..]
        );
        assert_eq!(terminal.end(), (0, format!("{question}value\n"), true));
        for typed in ["wrong\n", "\n"] {
            let mut terminal = Terminal::start(get());
            terminal.wait_for(": ").types(typed);
            let (code, screen, _) = terminal.end();
            assert!(
                code == 1 && screen.ends_with("the passphrase is wrong\n"),
                "{screen}"
            );
        }
        let ended = get().end();
        assert!(
            ended.err().contains("nobody can be asked for it"),
            "{}",
            ended.err()
        );
    }
}

/// Where nobody can be asked, another key in the file may do. If it does not, the reason is said.
#[test]
fn another_key_beside_a_locked_one() {
    let (place, key) = Place::with_own_key();
    place.set("team", "a", "value");
    let ed = ["-t", "ed25519", "-N", PASSPHRASE];
    let ed = ssh_key(&place, "ed", &ed);
    let locked = fs::read_to_string(place.path("ed.key")).unwrap();
    let own = fs::read_to_string(place.path("own.key")).unwrap();
    place.key("both");
    place.write("both.key", format!("{locked}{own}"));
    let get = || place.with("both", "secret get a --team --reveal");
    get().gives(0, "value", "");
    let launch = place.with("both", "run -q --watch 1h -- sh -c");
    let launch = launch.arg("echo $A").env("A", "secret:a");
    launch.gives(0, "value\n", "");
    // At a terminal a person is asked.
    let mut terminal = Terminal::start(get());
    answer(&mut terminal);
    assert_eq!(terminal.end().0, 0);

    let add = place.with("own", "store recipient add -q -p web");
    add.arg(&ed).ok();
    place.set("project/web", "w", "value");
    let remove = place.with("own", "store recipient remove -q -p web");
    remove.arg(&key).end();
    let get = place.with("both", "secret get w -p web --reveal").end();
    assert!(get.err().contains("nobody can be asked"), "{}", get.err());
}

/// A supervisor that stays has neither the passphrase nor the key nor a value. The workload has its
/// terminal.
#[test]
fn nothing_of_it_stays() {
    let (place, _) = Place::with_own_key();
    place.set("team", "a", "kanarienvogel-value");
    lock(&place, "own", false);
    let ed = ["-t", "ed25519", "-N", PASSPHRASE];
    let ed = ssh_key(&place, "ed", &ed);
    place.with("own", "store recipient add -q").arg(&ed).ok();
    let own = fs::read_to_string(place.path("own.key")).unwrap();
    let own = own.lines().last().unwrap().to_owned();
    for key in ["locked", "ed"] {
        let run = place.with(key, "run --init --log-level trace -- sh -c");
        let run = run.arg("read line; echo $line ${#A}").env("A", "secret:a");
        let mut terminal = Terminal::start(run);
        answer(&mut terminal);
        terminal.wait_for("resolved");
        let supervisor = Pid::from_raw(terminal.child.id().try_into().unwrap());
        let memory = Memory::of(supervisor);
        for mapping in &memory.mappings {
            let bytes = memory.read(mapping);
            for needle in [PASSPHRASE, &own, "kanarienvogel-value"] {
                let needle = needle.as_bytes();
                let found = bytes.windows(needle.len()).any(|part| part == needle);
                assert!(!found, "{key}: {}", mapping.name);
            }
        }
        terminal.types("typed\n").wait_for("typed 19");
        let (code, screen, usual) = terminal.end();
        assert_eq!((code, usual), (0, true), "{screen}");
        for text in ["kanarien", "AGE-SECRET-KEY"] {
            assert!(!screen.contains(text), "{screen}");
        }
    }
}

/// Who fetches again later can ask nobody then: that is said at the start.
#[test]
fn not_with_watch() {
    let (place, _) = Place::with_own_key();
    place.set("team", "a", "value");
    let file = lock(&place, "own", false).display().to_string();
    let run = place
        .with("locked", "run --watch 1h -- true")
        .env("A", "secret:a");
    let terminal = Terminal::start(run);
    let (code, screen, usual) = terminal.end();
    let why = format!(
        "the key from {file} can't be used: it has a passphrase, and nobody is asked for it where secrets are fetched again (--watch); give a key without one\n"
    );
    assert!(code != 0 && usual && screen.ends_with(&why), "{screen}");
}

/// The terminal is as before where a launch is ended while somebody thinks.
#[test]
fn a_launch_that_ends_at_the_question() {
    let (place, _) = Place::with_own_key();
    place.set("team", "a", "value");
    lock(&place, "own", false);
    for words in ["run -- true", "run --init -- true", "run --mask -- true"] {
        let run = place.with("locked", words).env("A", "secret:a");
        let mut terminal = Terminal::start(run);
        terminal
            .wait_for("passphrase of ")
            .wait_for(": ")
            .types("kana");
        let launch = Pid::from_raw(terminal.child.id().try_into().unwrap());
        kill(launch, Signal::SIGTERM).unwrap();
        let (code, screen, usual) = terminal.end();
        assert!(
            code == 143 && usual && !screen.contains("kana"),
            "{words}: {code} {usual} {screen}"
        );
    }
}
