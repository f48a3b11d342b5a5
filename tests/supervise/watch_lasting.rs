//! `run --watch` for long: a thousand fetches leave no process, descriptor, memory or secret with
//! the supervisor, and it sleeps between.

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::Pid;
use support::Place;
use support::strays::{Needle, strays};
use support::trace;
use support::trace::Memory;
use support::watched::{Watched, plain, put, remove, until};

const INTERVALS: usize = 1000;

/// Fetches and launches until each page that the supervisor ever needs has been written to once;
/// from then on its memory stays as it is.
const FIRST: usize = 100;

const VALUES: [&str; 3] = [
    "Vq8Zt2LxWm4Rk9Ys6Hc1",
    "Jd7Nf3Bp5Gw0Xe2Ku9Ta",
    "Pw4Hs8Dy1Mz6Ct3Rb5Ln",
];

/// A workload that gets HUP and goes on, beside fetches, one after the other.
fn start(place: &Place, change: &str) -> Watched {
    start_with(place, "10ms", change, &[])
}

fn start_with(place: &Place, every: &str, change: &str, options: &[&str]) -> Watched {
    let script = "trap '' HUP; echo began; exec sleep 1000";
    let run = place.doorkey(["run", "-q", "--watch", every, "--store=dir:plain"]);
    let run = run.args([&format!("--on-change={change}"), "-eA=secret:a", "--all"]);
    let run = run.args(options).args(["--", "sh", "-c", script]);
    let mut watched = Watched::start(run);
    watched.shows("began");
    watched
}

/// Waits for a fetch, to its end.
fn fetch(watched: &Watched) {
    let before = watched.taken_in();
    until("it fetches", || watched.taken_in() > before);
    watched.settles();
}

/// Its own memory, in kilobytes: what it has written to.
fn memory(watched: &Watched) -> u64 {
    let status = watched.proc("status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[track_caller]
fn holds_nothing(watched: &Watched) {
    let needle = |value: &&str| Needle {
        label: value.to_string(),
        bytes: value.as_bytes().to_vec(),
        variables: vec![],
    };
    let needles: Vec<_> = VALUES.iter().map(needle).collect();
    let memory = Memory::of(Pid::from_raw(watched.id()));
    assert!(!memory.mappings.is_empty());
    let found = strays(&memory, &needles, &BTreeMap::new());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Fetches so often, doing something before each, and compares what is held before and after.
fn last(place: &Place, watched: &Watched, mut before: impl FnMut(&Place, usize)) {
    for round in 0..FIRST {
        before(place, round);
        fetch(watched);
    }
    let held = (watched.descriptors(), memory(watched));
    for round in 0..INTERVALS {
        before(place, round);
        fetch(watched);
    }
    until("it holds no more than before", || {
        watched.descriptors() == held.0 && memory(watched) <= held.1 + 16
    });
    watched.settles();
    holds_nothing(watched);
}

#[test]
fn without_a_change() {
    let place = plain(&[("a", VALUES[0])]);
    let watched = start(&place, "restart");
    holds_nothing(&watched);
    last(&place, &watched, |_, _| ());
    watched.stop();
}

#[test]
fn with_changes_losses_and_failures() {
    let place = plain(&[("a", VALUES[0])]);
    let watched = start(&place, "signal:HUP");
    last(&place, &watched, |place, round| {
        let away = place.path("away");
        match round % 10 {
            3 => fs::rename(place.path("plain"), &away).unwrap(),
            4 => fs::rename(&away, place.path("plain")).unwrap(),
            5 => remove(place, "a"),
            6 => put(place, "b", VALUES[2]),
            7 => remove(place, "b"),
            _ => {}
        }
        if round % 10 > 4 || round % 10 == 0 {
            put(place, "a", VALUES[round % 3]);
        }
        if round % 10 == 5 {
            remove(place, "a");
        }
    });
    watched.stop();
}

#[test]
fn with_restarts() {
    restarts(&[]);
}

#[test]
fn with_restarts_of_what_is_masked() {
    restarts(&["--mask"]);
}

/// Whether no process fetches, before and after.
fn has_only_the_workload(watched: &Watched) -> bool {
    let id = watched.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    children.split_whitespace().count() == 1
}

fn restarts(options: &[&str]) {
    let place = plain(&[("a", VALUES[0])]);
    let mut watched = start_with(&place, "10ms", "restart", options);
    let restart = |watched: &mut Watched, round: usize| {
        put(&place, "a", &format!("{}{round}", VALUES[round % 3]));
        watched.shows("began");
    };
    for round in 0..FIRST {
        restart(&mut watched, round);
    }
    let steady = |watched: &Watched| {
        let mut held = (0, 0);
        // The launch is over a moment after the workload has begun; a process that fetches has
        // pipes to the supervisor.
        until("it has settled", || {
            let alone = has_only_the_workload(watched);
            let now = (watched.descriptors(), memory(watched));
            std::mem::replace(&mut held, now) == now && alone && has_only_the_workload(watched)
        });
        held
    };
    let held = steady(&watched);
    for round in 0..400 {
        restart(&mut watched, round);
    }
    // Which pages blocks lie in changes a little, and what is relayed may still be on its way; a
    // hundred bytes for each launch would be more, and stay.
    until("it holds no more than before", || {
        let now = steady(&watched);
        now.0 == held.0 && now.1 <= held.1 + 24
    });
    holds_nothing(&watched);
    watched.stop();
}

#[test]
fn it_sleeps_between() {
    let place = plain(&[("a", VALUES[0])]);
    let watched = start_with(&place, "1h", "restart", &[]);
    watched.fetches();
    trace::stays_asleep(Pid::from_raw(watched.id()));
    watched.stop();
}
