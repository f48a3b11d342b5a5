//! `doorkey secret edit` at a terminal: all or nothing, and nothing of a value stays anywhere.

use std::fs;
use std::path::PathBuf;

use support::pty::Terminal;
use support::{Place, executable};

const CANARY: &str = "kanarienvogel-4711";

/// Runs the editor, a shell's script whose file is `$1`; gives the exit code and the screen.
fn edit(place: &Place, script: &str, words: &str) -> (i32, String) {
    let editor = executable(
        &place.path("editor"),
        format!("#!/bin/sh\n{script}\n").as_bytes(),
        0o755,
    );
    let run = place
        .on(&format!("secret edit {words}"))
        .env("EDITOR", editor);
    let (code, screen, usual) = Terminal::start(run).end();
    assert!(usual);
    assert!(!screen.contains(CANARY), "{screen}");
    assert_eq!(folders(place), Vec::<PathBuf>::new());
    (code, screen)
}

/// The folders of editors that are there and have a file of this test's secret.
fn folders(place: &Place) -> Vec<PathBuf> {
    let name = secret(place);
    let all = fs::read_dir("/dev/shm")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    all.filter(|path| path.join(&name).exists()).collect()
}

/// The name of this test's secret, which no other test has.
fn secret(place: &Place) -> String {
    let place = place.path("").display().to_string();
    let own: String = place.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("a{own}")
}

fn store() -> (Place, String) {
    let place = Place::with_store();
    let name = secret(&place);
    place.set("team", &name, format!("old {CANARY}"));
    (place, name)
}

#[test]
fn a_value_is_changed() {
    let (place, name) = store();
    let updated = format!("doorkey: {name} is updated in team of age:secrets\n");
    let words = format!("{name} -g");
    // The folder is ours alone and in memory; the editor gets no key and no variable of doorkey's.
    let script = "test $(stat -c %a \"$1\") = 600 && test $(stat -c %a \"${1%/*}\") = 700 || exit 9
        test $(stat -f -c %T \"$1\") = tmpfs || exit 8; env | grep -q DOORKEY_ && exit 7
        cp \"$1\" \"$1~\"; printf 'new\\nlines\\n' > \"$1.new\"; mv \"$1.new\" \"$1\"";
    assert_eq!(edit(&place, script, &words), (0, updated.clone()));
    assert_eq!(place.reveal("team", &name).unwrap(), b"new\nlines");
    assert_eq!(
        edit(&place, "printf 'raw\\n' > $1", &format!("{words} --raw")),
        (0, updated.clone())
    );
    assert_eq!(place.reveal("team", &name).unwrap(), b"raw\n");
    // A newline that was there stays.
    assert_eq!(edit(&place, "printf 'more\\n' > $1", &words), (0, updated));
    assert_eq!(place.reveal("team", &name).unwrap(), b"more\n");
}

#[test]
fn nothing_is_changed() {
    let (place, name) = store();
    let before = place.contents();
    let editor = place.path("editor").display().to_string();
    let words = format!("{name} -g");
    let unchanged = format!("doorkey: {name} in team is unchanged\n");
    let failed = |how: &str| {
        format!("doorkey: error: {editor}: the editor has failed ({how}); nothing is changed\n")
    };
    for (script, code, screen) in [
        ("exit 0", 0, unchanged.clone()),
        ("echo >> $1", 0, unchanged),
        ("printf new > $1; exit 3", 1, failed("exit status: 3")),
        (
            "printf new > $1; kill -9 $$",
            1,
            failed("signal: 9 (SIGKILL)"),
        ),
        (
            ": > $1",
            2,
            "doorkey: error: the value is empty\n".to_owned(),
        ),
        (
            "head -c 65537 /dev/zero > $1",
            2,
            "doorkey: error: a value is at most 65536 bytes\n".to_owned(),
        ),
        (
            "head -c 70000 /dev/zero > $1",
            2,
            "doorkey: error: a value is at most 65536 bytes\n".to_owned(),
        ),
        (
            "rm $1",
            1,
            "doorkey: error: can't read the editor's file: no such file or directory\n".to_owned(),
        ),
        // Keys that send signals are the editor's.
        (
            "trap : INT; kill -INT 0; exit 4",
            1,
            failed("exit status: 4"),
        ),
    ] {
        assert_eq!(edit(&place, script, &words), (code, screen), "{script}");
        assert!(place.contents() == before, "{script}");
    }
    let none = "doorkey: error: nothere in team of age:secrets: there is no such secret\n";
    assert_eq!(edit(&place, "exit 0", "nothere -g"), (1, none.to_owned()));
    // Others change it meanwhile.
    let other = format!(
        "printf other | \"$0.doorkey\" secret set {name} -g -q --store age:secrets; printf mine > $1"
    );
    fs::copy(support::DOORKEY, place.path("editor.doorkey")).unwrap();
    let changed = format!(
        "doorkey: error: {name} in team of age:secrets: refused: it was changed by others meanwhile, and stays so; edit it again\n"
    );
    assert_eq!(edit(&place, &other, &words), (1, changed));
    assert_eq!(place.reveal("team", &name).unwrap(), b"other");
    place.set("team", &name, [0xff, 0xfe]);
    let binary = format!(
        "doorkey: error: {name} in team of age:secrets: refused: its value is no text, which an editor may damage\n"
    );
    assert_eq!(edit(&place, "exit 0", &words), (1, binary));
}

#[test]
fn without_a_terminal_or_an_editor() {
    let (place, name) = store();
    let needs =
        "doorkey: error: an editor needs a terminal; pipe the value to doorkey secret set\n";
    let words = format!("secret edit {name} -g");
    place.on(&words).env("EDITOR", "true").fails(2, needs);
    let which = "doorkey: error: which editor? set VISUAL or EDITOR, such as EDITOR=vi\n";
    let (code, screen, _) = Terminal::start(place.on(&words)).end();
    assert_eq!((code, screen.as_str()), (2, which));
    let run = place
        .on(&words)
        .env("VISUAL", "/nothere -x")
        .env("EDITOR", "true");
    let (code, screen, _) = Terminal::start(run).end();
    let start = "doorkey: error: can't start the editor: no such file or directory\n";
    assert_eq!((code, screen.as_str()), (1, start));
    let run = place.on(&words).env("VISUAL", "").env("EDITOR", "env true");
    assert_eq!(Terminal::start(run).end().0, 0);
}

/// A signal's way out removes the file; a kill's leftovers are removed by the next one.
#[test]
fn what_ends_doorkey_leaves_nothing_for_long() {
    let (place, name) = store();
    let editor = executable(
        &place.path("slow"),
        b"#!/bin/sh\ncp $1 $1.swp; echo $PPID; read x\n",
        0o755,
    );
    for signal in [15, 9] {
        let run = place
            .on(&format!("secret edit {name} -g"))
            .env("EDITOR", &editor);
        let mut terminal = Terminal::start(run);
        terminal.wait_for("\n");
        let folder = folders(&place).pop().expect("the file is there");
        let mut all = fs::read_dir("/proc")
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let is_ours = |path: &PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.starts_with(support::DOORKEY) && line.contains(&name)
        };
        let doorkey = all.find(is_ours).expect("doorkey runs");
        let number: i32 = doorkey
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let signal = nix::sys::signal::Signal::try_from(signal).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), signal).unwrap();
        terminal.types("\n");
        terminal.end();
        let is_there = folder.join(&name).exists();
        assert_eq!(is_there, signal == nix::sys::signal::Signal::SIGKILL);
        assert!(folder.exists());
        assert_eq!(edit(&place, "exit 0", &format!("{name} -g")).0, 0);
        assert!(!folder.exists());
    }
}
