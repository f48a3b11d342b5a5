//! `run --watch` and `run --mask` together: what changes is masked before the workload can have it,
//! and whoever opens what the supervisor has gets what the workload has.

use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use support::pty::shell;
use support::watched::{Watched, plain, put, remove, watch};
use support::{DOORKEY, Place, Run};

const VALUES: [&str; 3] = [
    "Vq8Zt2LxWm4Rk9Ys6Hc1",
    "Jd7Nf3Bp5Gw0Xe2Ku9Ta",
    "Pw4Hs8Dy1Mz6Ct3Rb5Ln",
];

/// With a file in a folder.
fn with_file(place: &Place, options: &[&str], script: &str) -> Run {
    let run = watch(place, &["--mask", "--on-change=signal:HUP"], script);
    let mut words: Vec<_> = run.command.get_args().map(|word| word.to_owned()).collect();
    let at = words.iter().position(|word| word == "--").unwrap();
    let more = ["--files=files", "--allow-disk", "-eF=secret:a|file"];
    words.splice(
        at..at,
        more.iter().chain(options).map(|word| (*word).into()),
    );
    place.doorkey(words)
}

#[test]
fn a_new_value_is_masked_and_so_are_older_ones() {
    let place = plain(&[("a", VALUES[0])]);
    let script = "show() { echo \"$1 $A $(cat $F) $older.\"; older=$(cat $F); }; trap 'show HUP' HUP; \
                  trap 'exit 7' TERM; show began; while :; do sleep 0.01; done";
    let run = with_file(&place, &[], script);
    let mut watched = Watched::began(run, "began [secret:a] [secret:a] .");
    for value in [VALUES[1], VALUES[2], VALUES[0], "another one of them"] {
        put(&place, "a", value);
        watched.refresh();
        watched.says("changed: A, F; the command gets SIGHUP");
        watched.shows("HUP [secret:a] [secret:a] [secret:a].");
    }
    // What has become too short is said, and a secret that was not there before is known.
    put(&place, "a", "short");
    watched.refresh();
    watched.says("warning: not masked, as shorter than 8 bytes (--mask-min): a");
    watched.says("changed: A, F; the command gets SIGHUP");
    watched.shows("HUP [secret:a] short [secret:a].");
    watched.send(15);
    watched.ends(7);
}

/// A workload that looks all the time: there is no moment in which a new one would be shown.
#[test]
fn not_even_before_the_signal() {
    let place = plain(&[("a", VALUES[0])]);
    let script = "trap '' HUP; while :; do read -r line <$F; echo \"$line.\"; done";
    let run = with_file(&place, &["-q"], script).arg("# $0");
    let mut words: Vec<_> = run.command.get_args().map(|word| word.to_owned()).collect();
    let every = words.iter_mut().find(|word| *word == "--watch=1h").unwrap();
    *every = "--watch=10ms".into();
    let mut watched = Watched::start(place.doorkey(words));
    let mut shown = HashSet::new();
    for round in 0..100 {
        put(&place, "a", &format!("{}{round}", VALUES[round % 3]));
        for _ in 0..200 {
            shown.insert(watched.line());
        }
    }
    assert_eq!(shown, HashSet::from(["[secret:a].".to_owned()]));
    watched.send(9);
}

/// As PID 1 of a namespace of its own, with its own /proc.
fn first(run: Run, place: &Place) -> Run {
    let mut run = run;
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", DOORKEY]);
    command.args(run.command.get_args());
    command.current_dir(place.path(""));
    run.command = command;
    run
}

/// Cron's usual trick.
#[test]
fn what_the_first_process_has_is_masked_too() {
    let place = plain(&[("a", VALUES[0])]);
    let script = "for n in 1 2; do echo \"$n $A\" >/proc/1/fd/$n; done; exit 3";
    let run = place.doorkey([
        "run",
        "-q",
        "--store=dir:plain",
        "--mask",
        "-eA=secret:a",
        "--",
    ]);
    let ended = first(run.args(["sh", "-c", script]), &place).end();
    let (out, err) = (ended.out(), ended.err());
    assert_eq!((&*out, &*err), ("1 [secret:a]\n", "2 [secret:a]\n"));
    assert_eq!(ended.code(), 3);
    // The next one's, too, and beside a fetch.
    let script = "echo \"began $A\" >/proc/1/fd/1; trap 'echo HUP $A >/proc/1/fd/1' HUP; \
                  trap 'exit 7' TERM; while :; do sleep 0.01; done";
    let mut watched = Watched::start(first(watch(&place, &["--mask"], script), &place));
    watched.resolved();
    watched.shows("began [secret:a]");
    let inside = watched.children()[0];
    let send = |signal| {
        // SAFETY: it takes no pointer, and the process has not been waited for.
        assert_eq!(unsafe { libc::kill(inside, signal) }, 0);
    };
    for value in [VALUES[1], VALUES[2]] {
        put(&place, "a", value);
        send(libc::SIGUSR2);
        watched.restarts("A", "began [secret:a]");
        send(libc::SIGHUP);
        watched.shows("HUP [secret:a]");
    }
    remove(&place, "a");
    send(libc::SIGUSR2);
    assert!(watched.saying().contains("A: secret:a: not found"));
    send(15);
    watched.ends(7);
}

#[test]
fn and_at_a_terminal() {
    let place = plain(&[("a", VALUES[0])]);
    let mut terminal = shell(&place, &[("A", "secret:a")]);
    let script = "for p in $PPID $(ps -o ppid= $PPID); do for n in 0 1 2; do \
                  echo \"<$(cat /proc/$p/comm) $n $A>\" >/proc/$p/fd/$n; done; done; exit 3";
    place.write("script", script);
    terminal.types("doorkey run -q --store dir:plain --mask -- sh script; echo over $?\n");
    terminal.wait_for("over 3").types("exit 0\n");
    let shown = terminal.end().1;
    assert_eq!(shown.matches(" [secret:a]>").count(), 6, "{shown}");
    assert_eq!(shown.matches("<doorkey:").count(), 6, "{shown}");
    assert!(!shown.contains(VALUES[0]), "{shown}");
}

const SURVIVES: &str = "for s in HUP INT QUIT; do trap \"echo $s\" $s; done; trap 'echo USR1' USR1; \
    trap 'echo TERM' TERM; echo \"began $A\"; until [ -e go ]; do sleep 0.01; done; exit 9";

/// Only its end is its end: whatever it is sent before, its secrets are fetched, and what that
/// comes to is done, but for what would end it.
#[test]
fn a_signal_is_not_its_end() {
    let signals = [(1, "HUP"), (2, "INT"), (3, "QUIT"), (15, "TERM")];
    let place = plain(&[("a", "0")]);
    let options = ["--grace=1h", "--on-change=signal:USR1"];
    let mut watched = Watched::began(watch(&place, &options, SURVIVES), "began 0");
    for (signal, name) in signals {
        watched.send(signal);
        watched.shows(name);
        put(&place, "a", name);
        watched.refresh();
        watched.says("changed: A; the command gets SIGUSR1");
        watched.shows("USR1");
    }
    place.write("go", "");
    watched.ends(9);

    // What is lost is said at once, a change is not missed, and ends it not before it was clear
    // that it goes on.
    for (change, code) in [("restart", 9), ("exit:75", 75)] {
        fs::remove_file(place.path("go")).unwrap();
        put(&place, "a", "one");
        let change = format!("--on-change={change}");
        let options = ["--grace=1500ms", &change];
        let mut watched = Watched::began(watch(&place, &options, SURVIVES), "began one");
        watched.send(1);
        watched.shows("HUP");
        remove(&place, "a");
        watched.refresh();
        assert!(watched.saying().contains("A: secret:a: not found"));
        put(&place, "a", "two");
        watched.refresh();
        watched.says("secrets can be fetched again");
        let line = watched.saying();
        assert!(line.starts_with("doorkey: changed: A; "), "{line}");
        watched.shows("TERM");
        if code == 9 {
            watched.resolved();
            watched.shows("began two");
            place.write("go", "");
            watched.ends(9);
        } else {
            assert_eq!(watched.end().0, code);
            place.write("go", "");
        }
    }
}

/// However often somebody asks, it is no more than a fetch a second.
#[test]
fn who_asks_again_and_again() {
    let place = plain(&[("a", "one")]);
    let script = "trap 'exit 7' TERM; echo \"began $A\"; while :; do sleep 0.01; done";
    let mut watched = Watched::start(watch(&place, &["--log-level=debug"], script));
    watched.shows("began one");
    watched.fetches();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        watched.refresh();
        std::thread::sleep(Duration::from_millis(10));
    }
    watched.send(15);
    let (code, said, _) = watched.end();
    let passed = began.elapsed().as_secs() as usize;
    let fetches = said
        .iter()
        .filter(|line| line.ends_with("a comes from team"))
        .count();
    assert_eq!(code, 7);
    // And the launch, the one before, and one that was asked for in the last second.
    assert!(
        (2..=passed + 3).contains(&fetches),
        "{fetches} in {passed} s: {said:?}"
    );
}
