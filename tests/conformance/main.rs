//! What every store must do, whatever it is: each check runs on each row of one table. The program
//! of this suite is also doorkey with one store more, which exists only here.

mod azure;
mod google;
mod kubernetes;
mod local;
mod mem;
mod program;
mod servers;
mod stores;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::prelude::{BASE64_STANDARD, Engine};
use stores::{Bytes, Row, Subject, TABLE};
use support::canaries::{Canaries, Random, SEED, held};
use support::trace::Begin;
use support::{Ended, Run};

type Check = fn(&Row, &dyn Subject);

/// What every store must do.
const CHECKS: &[(&str, Check)] = &[
    ("the narrowest scope wins", narrowest_wins),
    ("a scope that fails hides the wider ones", failure_hides),
    ("what is absent is said", absent_is_said),
    ("who does not answer is said", unreachable_is_said),
    ("a text of every character comes as it is", every_character),
    ("every byte comes as it is, or is refused", every_byte),
    ("all names are asked for in one round", one_round),
    ("nothing is left in memory", nothing_is_left),
];

/// doorkey, where it is called so; else the suite, or what of it has an argument in its name.
fn main() -> ExitCode {
    let mut arguments = std::env::args();
    if arguments
        .next()
        .is_some_and(|name| name.ends_with("/doorkey"))
    {
        let table: Vec<_> = doorkey::stores::KINDS
            .iter()
            .copied()
            .chain([mem::KIND])
            .collect();
        doorkey::stores::use_table(table.leak());
        return doorkey::cli::main();
    }
    // A kind without a place has no scopes.
    let kinds = doorkey::stores::KINDS.iter();
    for kind in kinds.filter(|kind| !kind.place.is_empty()) {
        let has_row = TABLE.iter().any(|row| row.scheme == kind.schemes[0]);
        assert!(has_row, "{} has no row in this suite", kind.schemes[0]);
    }
    // What doorkey blocks before `main` is not for the suite.
    doorkey::sys::startup::unblock();
    let wanted: Vec<_> = arguments.filter(|one| !one.starts_with('-')).collect();
    let rows = TABLE.iter();
    let all = rows.flat_map(|row| CHECKS.iter().map(move |check| (row, check)));
    let named = all.map(|(row, (name, check))| (format!("{}: {name}", row.scheme), row, check));
    let cases: Vec<_> = named
        .filter(|(name, ..)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part)))
        .collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((name, row, check)) = cases.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    let run = || check(row, &*(row.make)());
                    let is_fine = catch_unwind(AssertUnwindSafe(run)).is_ok();
                    println!("test {name} ... {}", if is_fine { "ok" } else { "FAILED" });
                    failed.fetch_add(usize::from(!is_fine), Ordering::SeqCst);
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("\n{} passed; {failed} failed", cases.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

/// A launch in all three scopes.
fn launch(run: Run) -> Run {
    run.args(["run", "-p", "web", "--cluster", "eu"])
}

/// Runs it, and expects that nothing of a credential is said, nor any of these values, in any way.
#[track_caller]
fn ends(subject: &dyn Subject, run: Run, values: &[&str]) -> Ended {
    let ended = run.end();
    let said = format!("{}{}", ended.out(), ended.err());
    let credentials = subject.credentials();
    let credentials = credentials.iter().map(|(_, text)| text.trim());
    for secret in credentials.chain(values.iter().copied()) {
        let encoded = BASE64_STANDARD.encode(secret);
        for form in [secret, encoded.trim_end_matches('=')] {
            assert!(
                form.is_empty() || !said.contains(form),
                "it is said: {said}"
            );
        }
    }
    ended
}

/// Both kinds of command that resolve fail with this line, and say nothing else but at debug.
#[track_caller]
fn fails(subject: &dyn Subject, run: impl Fn() -> Run, values: &[&str], expected: &str) {
    for (words, code) in [(&["run", "true"][..], 125), (&["check", "--quiet"], 1)] {
        let (first, rest) = words.split_at(1);
        let run = || {
            run()
                .args(first)
                .args(["-p", "web", "--cluster", "eu"])
                .args(rest)
        };
        let ended = ends(subject, run(), values);
        let said = timeless(&ended.err());
        assert_eq!(
            (ended.code(), said),
            (code, format!("doorkey: error: {expected}\n")),
            "{words:?}"
        );
        for format in ["text", "json"] {
            let run = run()
                .env("DOORKEY_LOG_LEVEL", "debug")
                .env("DOORKEY_LOG_FORMAT", format);
            assert_eq!(ends(subject, run, values).code(), code);
        }
    }
}

/// What was said, with `T` for the number of tries and their time, `age1…` for each key, and without
/// the warning of a first try.
fn timeless(said: &str) -> String {
    let is_kept = |line: &&str| !line.contains("; trying again for up to ");
    let said: String = said.split_inclusive('\n').filter(is_kept).collect();
    let (first, keys) = said.split_once("age1").unwrap_or((&said, ""));
    let said = keys
        .split("age1")
        .filter(|_| !keys.is_empty())
        .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()))
        .fold(first.to_owned(), |said, rest| said + "age1…" + rest);
    match (
        said.split_once("gave up after "),
        said.split_once("; the last: "),
    ) {
        (Some((before, _)), Some((_, last))) => {
            format!("{before}gave up after T; the last: {last}")
        }
        _ => said,
    }
}

fn narrowest_wins(_: &Row, subject: &dyn Subject) {
    for (scope, names) in [
        ("team", &["a", "b", "c"][..]),
        ("cluster/eu", &["a", "b"]),
        ("project/web", &["a"]),
        ("project/other", &["c"]),
    ] {
        for name in names {
            subject.put(scope, name, format!("{name} of {scope}").as_bytes());
        }
    }
    let run = || {
        let run = launch(subject.run());
        let run = run
            .env("A", "secret:a")
            .env("B", "secret:b")
            .env("C", "x${secret:c}x");
        run.env("D", "secret:team/a")
            .env("E", "secret:none?instead")
    };
    let ended = ends(
        subject,
        run().args(["-q", "printenv", "A", "B", "C", "D", "E"]),
        &[],
    );
    let expected = "a of project/web\nb of cluster/eu\nxc of teamx\na of team\ninstead\n";
    assert_eq!((ended.out().as_str(), ended.err().as_str()), (expected, ""));
    let values = ["a of project/web", "b of cluster/eu", "c of team"];
    let loud = run().env("DOORKEY_LOG_LEVEL", "debug").arg("true");
    assert_eq!(ends(subject, loud, &values).code(), 0);
}

fn failure_hides(row: &Row, subject: &dyn Subject) {
    let values = ["canary-team", "canary-project"];
    subject.put("team", "v", values[0].as_bytes());
    subject.put("project/web", "v", values[1].as_bytes());
    subject.deny("project/web");
    let store = subject.store();
    let (_, place) = store.split_once(':').unwrap();
    let denied = row.denied.replace("PLACE", place);
    let expected = format!("V: secret:v: project/web of {store}: {denied}");
    for reference in ["secret:v", "secret:v?", "secret:v?canary-project"] {
        let run = || subject.run().env("V", reference);
        fails(subject, run, &values, &expected);
    }
    // Nobody is asked who need not be.
    let run = launch(subject.run()).args(["-q", "printenv", "V"]);
    let ended = run.env("V", "secret:team/v").end();
    assert_eq!(ended.out(), "canary-team\n", "{}", ended.err());
}

fn absent_is_said(_: &Row, subject: &dyn Subject) {
    subject.put("team", "other", b"canary-value");
    let store = subject.store();
    let expected = format!(
        "V: secret:nothing: not found in project/web, cluster/eu, team of {store}; create it, or allow its absence with '?'"
    );
    let run = || subject.run().env("V", "secret:nothing");
    fails(subject, run, &["canary-value"], &expected);
}

fn unreachable_is_said(row: &Row, subject: &dyn Subject) {
    subject.put("team", "v", b"canary-value");
    let (_, store) = subject.unreachable();
    let run = || {
        let (run, _) = subject.unreachable();
        run.env("V", "secret:v").env("DOORKEY_TIMEOUT", "1s")
    };
    let ended = launch(run()).arg("true").end();
    let said = timeless(&ended.err());
    // A server's address is said before.
    assert!(
        said.starts_with(&format!("doorkey: error: {store}: ")),
        "{said}"
    );
    assert!(said.ends_with(&format!("{}\n", row.unreachable)), "{said}");
    let expected = said.trim_end().strip_prefix("doorkey: error: ").unwrap();
    fails(subject, run, &["canary-value"], expected);
}

fn every_character(_: &Row, subject: &dyn Subject) {
    let text: String = (1..=0x7f)
        .map(char::from)
        .chain("é\u{2028}😀\u{10ffff}".chars())
        .collect();
    subject.put("team", "text", text.as_bytes());
    let run = launch(subject.run()).args(["-q", "printenv", "V"]);
    let ended = run.env("V", "secret:text").end();
    assert_eq!(
        (ended.out(), ended.err()),
        (format!("{text}\n"), String::new())
    );
}

fn every_byte(row: &Row, subject: &dyn Subject) {
    let bytes: Vec<u8> = (0..=255).collect();
    subject.put("team", "other", b"canary-value");
    let reference = match &row.bytes {
        Bytes::Held => "secret:bytes".to_owned(),
        Bytes::Single(reference) => reference(subject),
        Bytes::Refused(line) => {
            let set = ["secret", "set", "bytes", "--team", "--raw"];
            let ended = ends(subject, subject.run().args(set).stdin(&bytes), &[]);
            let store = subject.store();
            let expected = format!("doorkey: error: bytes in team of {store}: {line}\n");
            assert_eq!((ended.code(), ended.err()), (1, expected));
            return;
        }
    };
    subject.put("team", "bytes", &bytes);
    let run = launch(subject.run()).args(["-q", "printenv", "V"]);
    let ended = run.env("V", format!("{reference}|base64")).end();
    let expected = format!("{}\n", BASE64_STANDARD.encode(&bytes));
    assert_eq!((ended.out(), ended.err()), (expected, String::new()));
}

fn one_round(row: &Row, subject: &dyn Subject) {
    let scopes = ["team", "cluster/eu", "project/web"];
    let mut expected = String::new();
    for number in 0..20 {
        let scope = scopes[number % 3];
        subject.put(
            scope,
            &format!("n{number}"),
            format!("{number} of {scope}").as_bytes(),
        );
        expected += &format!("{number} of {scope}\n");
    }
    let mut run = launch(subject.run()).args(["-q", "printenv"]);
    for number in 0..20 {
        let name = format!("V{number}");
        run = run.arg(&name).env(&name, format!("secret:n{number}"));
    }
    // A server answers nobody until all have asked: whoever asks one after the other waits for ever.
    let asked = row.asked.unwrap_or_default();
    let before = subject.asked(asked);
    let ended = run.end();
    assert_eq!((ended.out(), ended.err()), (expected, String::new()));
    assert_eq!(subject.asked(0) - before, asked);
}

fn nothing_is_left(_: &Row, subject: &dyn Subject) {
    let mut random = Random(SEED);
    let text = |random: &mut Random| String::from_utf8(random.text(40)).unwrap();
    let [mine, hidden, other] = [(); 3].map(|()| text(&mut random));
    subject.put("project/web", "mine", mine.as_bytes());
    subject.put("team", "mine", hidden.as_bytes());
    subject.put("team", "other", other.as_bytes());
    let mut canaries = Canaries::default();
    canaries.variable("MINE", "secret:mine", mine.as_bytes());
    canaries.needle("mine", &mine, &["MINE"]);
    canaries.needle("hidden", &hidden, &[]);
    canaries.needle("other", &other, &[]);
    for (what, credential) in subject.credentials() {
        canaries.nowhere(what, &credential);
    }
    let run = launch(subject.run())
        .args(["-q", "/bin/true"])
        .env("MINE", "secret:mine");
    let program = run.command.get_program().to_owned();
    let mut begin = Begin::empty([&*program].into_iter().chain(run.command.get_args()));
    for (name, value) in run.command.get_envs() {
        begin = begin.env(name.to_str().unwrap(), value.unwrap());
    }
    let place = subject.place().path("");
    let mut tracee = begin.start(|| nix::unistd::chdir(&place));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
}
