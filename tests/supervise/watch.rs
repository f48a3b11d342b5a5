//! `run --watch`: what a change does, what is said of it and of what is lost, once each.

use std::fs;

use support::watched::{SAYS, Watched, plain, put, remove, until, watch};
use support::{Place, Run};

/// Counts its HUPs, and ends with 7 when it has got TERM.
const COUNTS: &str = "n=0; trap 'n=$((n+1)); echo \"HUP $n\"' HUP; trap 'exit 7' TERM; \
    echo \"began $A\"; while :; do sleep 0.01; done";

fn counting(place: &Place) -> Run {
    watch(place, &["--on-change=signal:HUP"], COUNTS)
}

const LOST: &str = "warning: the command goes on with what it has: A: secret:a: not found in team \
    of dir:plain; create it, or allow its absence with '?'";

#[test]
fn at_each_interval() {
    let place = plain(&[("a", "one")]);
    let run = watch(&place, &["--watch=100ms"], SAYS).without("DOORKEY_WATCH");
    // Given twice it would be an error.
    let error = "doorkey: error: --watch is given twice; see doorkey run --help\n";
    run.fails(125, error);
    let run = place.doorkey(["run", "--store=dir:plain", "-eA=secret:a", "sh", "-c", SAYS]);
    let mut watched = Watched::began(run.env("DOORKEY_WATCH", "100ms"), "began one");
    for round in 0..5 {
        put(&place, "a", &format!("{round}"));
        watched.restarts("A", &format!("began {round}"));
    }
    assert!(watched.proc("comm").starts_with("doorkey:"));
    watched.stop();
}

#[test]
fn twenty_changes_restart_twenty_times() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(watch(&place, &[], SAYS), "began one");
    for round in 0..20 {
        watched.refresh();
        put(&place, "a", &format!("value {round}"));
        watched.refresh();
        watched.restarts("A", &format!("began value {round}"));
    }
    watched.stop();
}

#[test]
fn twenty_changes_are_twenty_signals() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(counting(&place), "began one");
    for round in 1..=20 {
        watched.refresh();
        put(&place, "a", &format!("value {round}"));
        watched.refresh();
        watched.says("changed: A; the command gets SIGHUP");
        watched.shows(&format!("HUP {round}"));
    }
    watched.fetches();
    watched.send(15);
    watched.ends(7);
}

#[test]
fn there_and_back_between_two_looks_is_no_change() {
    let place = plain(&[("a", "one"), ("b", "one")]);
    let run = watch(&place, &["-eB=secret:b"], SAYS);
    let mut watched = Watched::began(run, "began one");
    put(&place, "a", "two");
    put(&place, "a", "one");
    watched.refresh();
    put(&place, "b", "two");
    watched.refresh();
    watched.restarts("B", "began one");
    watched.stop();
}

#[test]
fn a_change_can_end_it() {
    for code in [0, 75, 255] {
        let place = plain(&[("a", "one")]);
        let option = format!("--on-change=exit:{code}");
        let mut watched = Watched::began(watch(&place, &[&option], SAYS), "began one");
        put(&place, "a", "two");
        watched.refresh();
        watched.says(&format!(
            "changed: A; the command is ended, and doorkey with {code}"
        ));
        watched.ends(code);
    }
}

#[test]
fn what_has_changed_is_named() {
    let place = plain(&[("a", "one"), ("b", "one"), ("c", "one"), ("d", "one")]);
    let more = [
        "-eB=x${secret:b}y",
        "-eC=secret:c",
        "-eGONE=secret:gone?",
        "-eD=secret:d?",
        "-eE=secret:e?x",
        "-eBOTH=${secret:b}${secret:c}",
    ];
    let mut watched = Watched::began(watch(&place, &more, SAYS), "began one");
    put(&place, "b", "two");
    put(&place, "gone", "here");
    remove(&place, "d");
    // What it would be without it.
    put(&place, "e", "x");
    watched.refresh();
    watched.restarts("B, BOTH, D, GONE", "began one");
    remove(&place, "gone");
    put(&place, "d", "one");
    remove(&place, "e");
    watched.refresh();
    watched.restarts("D, GONE", "began one");
    watched.stop();
}

#[test]
fn with_all_secrets_names_come_and_go() {
    let place = plain(&[("a", "one"), ("b", "one")]);
    let mut watched = Watched::began(watch(&place, &["--all"], SAYS), "began one");
    put(&place, "c", "one");
    watched.refresh();
    watched.restarts("c", "began one");
    remove(&place, "b");
    put(&place, "a", "two");
    watched.refresh();
    watched.restarts("A, a, b", "began two");
    watched.stop();
}

#[test]
fn references_in_files_are_read_again() {
    let place = plain(&[("a", "one"), ("b", "two")]);
    place.write("file.env", "F=secret:a\n");
    let mut watched = Watched::began(watch(&place, &["--env-file=file.env"], SAYS), "began one");
    place.write("file.env.new", "F=secret:b\n");
    fs::rename(place.path("file.env.new"), place.path("file.env")).unwrap();
    watched.refresh();
    watched.restarts("F", "began one");
    watched.stop();
}

#[test]
fn what_is_lost_is_said_once() {
    let place = plain(&[("a", "one"), ("b", "one")]);
    let run = watch(&place, &["-eB=secret:b"], SAYS);
    let mut watched = Watched::began(run, "began one");
    remove(&place, "a");
    watched.refresh();
    watched.says(LOST);
    for _ in 0..5 {
        watched.fetches();
    }
    // Something else.
    remove(&place, "b");
    watched.refresh();
    watched.says(LOST);
    watched.says(&LOST.replace("A: secret:a", "B: secret:b"));
    put(&place, "a", "one");
    put(&place, "b", "one");
    watched.refresh();
    watched.says("secrets can be fetched again");
    // The same again.
    remove(&place, "a");
    watched.refresh();
    watched.says(LOST);
    put(&place, "a", "two");
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.restarts("A", "began two");
    watched.stop();
}

#[test]
fn a_loss_can_end_it() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(watch(&place, &["--on-loss=stop"], SAYS), "began one");
    watched.refresh();
    remove(&place, "a");
    watched.refresh();
    let stops = LOST.replace(
        "the command goes on with what it has",
        "the command is stopped",
    );
    watched.says(&stops);
    watched.ends(125);
}

#[test]
fn a_fetch_that_fails_is_said_and_leaves_it_running() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(watch(&place, &["--on-loss=stop"], SAYS), "began one");
    fs::rename(place.path("plain"), place.path("away")).unwrap();
    // After failures the time between grows, to eight times itself.
    for hours in ["2h", "4h", "8h", "8h"] {
        watched.refresh();
        let line = watched.saying();
        let said =
            format!("doorkey: warning: secrets not fetched again, next try in about {hours}: ");
        assert!(line.starts_with(&said), "{line}");
        assert!(line.contains("dir:plain"), "{line}");
        watched.settles();
    }
    fs::rename(place.path("away"), place.path("plain")).unwrap();
    watched.refresh();
    watched.says("secrets can be fetched again");
    put(&place, "a", "two");
    watched.refresh();
    watched.restarts("A", "began two");
    watched.stop();
}

#[test]
fn a_restart_that_fails_to_resolve_ends_it() {
    let place = plain(&[("a", "one"), ("b", "one")]);
    // The secret is gone by the time that it is launched anew.
    let script =
        "trap 'rm -f plain/a plain/b; exit 0' TERM; echo began $A; while :; do sleep 0.01; done";
    let mut watched = Watched::began(watch(&place, &["-eB=secret:b"], script), "began one");
    put(&place, "a", "two");
    watched.refresh();
    watched.says("changed: A; the command is launched anew");
    let missing = |of: &str| {
        format!(
            "error: {of} not found in team of dir:plain; create it, or allow its absence with '?'"
        )
    };
    watched.says(&missing("A: secret:a:"));
    watched.says(&missing("B: secret:b:"));
    watched.ends(125);
}

#[test]
fn nothing_is_said_with_quiet() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::start(watch(&place, &["-q"], SAYS));
    watched.shows("began one");
    put(&place, "a", "two");
    watched.refresh();
    watched.shows("began two");
    remove(&place, "a");
    watched.fetches();
    put(&place, "a", "three");
    watched.refresh();
    watched.shows("began three");
    watched.stop();
}

#[test]
fn lines_are_json_where_that_is_wanted() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::start(watch(&place, &["--log-format=json"], SAYS));
    let line = |watched: &mut Watched| {
        let line: serde_json::Value = serde_json::from_str(&watched.saying()).unwrap();
        ["level", "event", "variable", "message"]
            .map(|key| line[key].as_str().unwrap_or_default().to_owned())
    };
    line(&mut watched);
    watched.shows("began one");
    put(&place, "a", "two");
    watched.refresh();
    let changed = "changed: A; the command is launched anew";
    assert_eq!(line(&mut watched), ["info", "changed", "A", changed]);
    line(&mut watched);
    watched.shows("began two");
    remove(&place, "a");
    watched.refresh();
    let lost = LOST.trim_start_matches("warning: ").to_owned();
    assert_eq!(line(&mut watched), ["warning", "lost", "A", &lost]);
    watched.stop();
}

#[test]
fn no_value_is_said() {
    let values = ["Wq8Zt2LxAm4Rk9Ys", "Jd7Nf3BpEw0Xe2Ku", "Zp5Yc1VbIt6Oa4Sg"];
    let place = plain(&[("a", values[0])]);
    let run = watch(
        &place,
        &["--log-level=debug"],
        "echo began; exec sleep 1000",
    );
    let mut watched = Watched::start(run);
    watched.shows("began");
    put(&place, "a", values[1]);
    watched.refresh();
    watched.shows("began");
    remove(&place, "a");
    watched.fetches();
    put(&place, "a", values[2]);
    watched.refresh();
    watched.shows("began");
    watched.send(15);
    let (code, said, _) = watched.end();
    assert_eq!(code, 143);
    assert!(said.iter().any(|line| line.contains("changed: A")));
    for line in said {
        assert!(values.iter().all(|value| !line.contains(value)), "{line}");
    }
}

#[test]
fn another_signal_asks_or_none() {
    let place = plain(&[("a", "one")]);
    let says = "trap 'echo USR2' USR2; trap 'echo HUP' HUP; trap 'exit 7' TERM; echo began $A; \
                while :; do sleep 0.01; done";
    let mut watched = Watched::began(watch(&place, &["--refresh-signal=HUP"], says), "began one");
    watched.send(12);
    watched.shows("USR2");
    put(&place, "a", "two");
    watched.send(1);
    watched.restarts("A", "began two");
    watched.send(15);
    watched.ends(7);
    let mut watched = Watched::began(watch(&place, &["--refresh-signal=none"], says), "began two");
    put(&place, "a", "three");
    for (signal, name) in [(12, "USR2"), (1, "HUP")] {
        watched.send(signal);
        watched.shows(name);
    }
    watched.send(15);
    watched.ends(7);
}

/// However many ask at once, and whenever: what they find out is said once.
#[test]
fn many_who_ask() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::start(watch(&place, &[], SAYS));
    // It ends by one that comes before it can keep any, as every program does.
    until("it supervises", || {
        watched.proc("comm").starts_with("doorkey:")
    });
    // Before the first launch is over.
    for _ in 0..1000 {
        watched.refresh();
    }
    watched.resolved();
    watched.shows("began one");
    for round in 0..5 {
        put(&place, "a", &format!("{round}"));
        for _ in 0..1000 {
            watched.refresh();
        }
        watched.restarts("A", &format!("began {round}"));
    }
    watched.refresh();
    until("it sleeps", || watched.children().len() == 1);
    watched.stop();
}

/// Files that are filled in follow a change; with `none` the command is told nothing.
#[test]
fn files_that_are_filled_in_follow() {
    let memory = Place::within("/dev/shm");
    let out = memory.path("b.json");
    let render = format!("--render=b.json.in:{}", out.display());
    let place = plain(&[("a", "one"), ("b", "one")]);
    place.write("b.json.in", "{\"b\": \"${secret:b}\"}");
    let mut watched = Watched::began(
        watch(&place, &[&render, "--on-change=none"], SAYS),
        "began one",
    );
    let holds = |value: &str| {
        let text = fs::read_to_string(&out).unwrap_or_default();
        text == format!("{{\"b\": \"{value}\"}}")
    };
    assert!(holds("one"));
    for value in ["two", "three"] {
        watched.refresh();
        put(&place, "b", value);
        watched.refresh();
        watched.says(&format!(
            "changed: {}; the command is told nothing",
            out.display()
        ));
        until("the file follows", || holds(value));
    }
    // A value that would break it is said, and the file stays.
    put(&place, "b", "\"");
    watched.refresh();
    let said = watched.saying();
    assert!(
        said.contains("b.json.in:1:8: secret:b: the value breaks the JSON"),
        "{said}"
    );
    assert!(holds("three"));
    watched.stop();
    assert!(!out.exists());
    put(&place, "b", "one");
    let mut watched = Watched::began(watch(&place, &[&render], SAYS), "began one");
    put(&place, "b", "two");
    watched.refresh();
    watched.restarts(&out.display().to_string(), "began one");
    assert!(holds("two"));
    watched.stop();
    assert!(!out.exists());
}
