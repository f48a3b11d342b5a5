//! Every system call that doorkey makes, failing: it goes on rightly, or closes with a message.
//! Never is a value missing or a reference in its place, never is a value on standard error, and
//! nothing hangs.
//!
//! `sh .ci/faults` does it for every call and error; by itself this is a sample of that, the same
//! each time. `DOORKEY_FAULTS=MODE` is all of one mode, `DOORKEY_FAULTS=MODE:CALL:NUMBER:ERROR` one.

mod inject;
mod modes;

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use inject::{Fault, Seen, launch};
use modes::{CANARY, Mode, modes, template};
use serde_json::json;
use support::bao::App;
use support::{DOORKEY, Place};

const ERRORS: [&str; 6] = ["ENOSYS", "EPERM", "ENOMEM", "ENOSPC", "EIO", "EINTR"];

/// No kernel fails these, and no C library looks; and a descriptor is closed even where that fails,
/// which strace has no way to do.
const NEVER_FAILS: [&str; 5] = ["arch_prctl", "rt_sigreturn", "exit", "exit_group", "close"];

/// The C library takes that for a machine without protection of memory.
const TAKEN_FOR_NONE: (&str, &str) = ("mprotect", "ENOSYS");

/// Where these fail nobody can say anything; where the last two do, which no kernel has them do,
/// the parent seems to have gone, with whom a launch ends.
const MUTE: [&str; 4] = ["write(2,", "poll([{fd=2,", "getpid(", "getppid("];

/// What the standard library says where it has no memory for a thread's handle, which it takes from
/// the C library past doorkey.
const NO_HANDLE: &str = "memory allocation of ";

/// Of so many faults one is in the sample.
const SAMPLE: u64 = 40;

/// Launches a mode in a folder of its own.
fn launched(mode: &Mode, fault: Option<&Fault>) -> (Place, Seen) {
    let place = Place::within("/dev/shm");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(template().join("."))
        .arg(place.path(""))
        .status();
    assert!(copied.unwrap().success());
    (mode.prepare)(&place.path(""));
    let mut environment = mode.environment.clone();
    environment.push(("PROGRAM", DOORKEY.to_owned()));
    environment.push(("DOORKEY_KEY_FILE", "key".to_owned()));
    let arguments: Vec<&str> = mode.arguments.iter().map(String::as_str).collect();
    let seen = launch(
        &place.path(""),
        &environment,
        mode.before,
        mode.network,
        &arguments,
        fault,
    );
    (place, seen)
}

/// What a mode is where nothing fails.
struct Clean {
    out: String,
    faults: Vec<Fault>,
    /// How often the first process makes each call before it does anything.
    early: BTreeMap<String, usize>,
}

impl Clean {
    fn of(mode: &Mode) -> Self {
        let (place, seen) = launched(mode, None);
        let name = mode.name;
        assert_eq!(seen.code, Some(0), "{name}: {}{}", seen.out, seen.err);
        assert_eq!(
            wrong(mode, &seen.out, None, &seen, &place),
            None,
            "{name}: {}",
            seen.err
        );
        let shows = ["[secret:a]", CANARY][usize::from(mode.shows_values)];
        let is_shown = ["render", "set"].contains(&name) || seen.out.contains(shows);
        assert!(is_shown, "{name}: {}", seen.out);
        let (first, _) = seen
            .calls
            .split_once("PR_SET_DUMPABLE")
            .expect("it conceals itself");
        let early = inject::counts(first);
        let mut faults = Vec::new();
        for (call, count) in inject::counts(&seen.calls) {
            if NEVER_FAILS.contains(&&*call) {
                continue;
            }
            // The first execve is the test's.
            let first = if call == "execve" { 2 } else { 1 };
            for number in first..=count {
                let errors = ERRORS.into_iter();
                let errors = errors.filter(|error| (&*call, *error) != TAKEN_FOR_NONE);
                faults.extend(errors.map(|error| Fault {
                    call: call.clone(),
                    number,
                    error,
                }));
            }
        }
        Clean {
            out: seen.out,
            faults,
            early,
        }
    }
}

/// What is wrong with what a launch has come to.
fn wrong(
    mode: &Mode,
    clean: &str,
    early: Option<bool>,
    seen: &Seen,
    place: &Place,
) -> Option<String> {
    let Some(code) = seen.code else {
        return Some("it hangs".to_owned());
    };
    if seen.err.contains(CANARY) {
        return Some("a value on standard error".to_owned());
    }
    if !mode.shows_values && seen.out.contains(CANARY) {
        return Some("a value that was not masked".to_owned());
    }
    if seen.out.ends_with("KILLED\n") {
        return Some("another process is killed".to_owned());
    }
    let is_early = early == Some(true);
    let ours = |line: &str| {
        // A line of the workload's may be cut by one of doorkey's.
        let mut known = ["doorkey: ", "err [secret:a]"].iter();
        line.is_empty() || known.any(|known| line.starts_with(known))
    };
    let is_plain = is_early || seen.err.contains(NO_HANDLE);
    if !is_plain && let Some(line) = seen.err.lines().find(|line| !ours(line)) {
        return Some(format!("it says {line:?}"));
    }
    let expected = [clean].into_iter().chain(mode.others.iter().copied());
    let mut expected = expected.collect::<Vec<_>>().into_iter();
    let is_said = |what| seen.err.contains(what);
    let is_right = if is_said("what the command writes can't all be passed on") {
        // Pieces of it are missing.
        true
    } else if code == 0 {
        expected.any(|one| one == seen.out)
    } else {
        let folder = place.path("").display().to_string();
        let expected = expected.map(|one| one.replace("HERE", folder.trim_end_matches('/')));
        let out = seen.out.replace("HERE", folder.trim_end_matches('/'));
        expected.into_iter().any(|one| one.starts_with(&out))
    };
    if !is_right {
        let differs = seen
            .out
            .lines()
            .filter(|line| !clean.lines().any(|one| one == *line));
        let differs: Vec<_> = differs.collect();
        return Some(format!(
            "with {code} the workload has otherwise {differs:?} of {} bytes",
            seen.out.len()
        ));
    }
    let injected = seen.injected();
    let mut mute = injected
        .iter()
        .flat_map(|call| MUTE.iter().filter(|mute| call.starts_with(**mute)));
    let is_mute = mute.next().is_some();
    let is_told = is_said("doorkey: error: ") || is_said(NO_HANDLE);
    if code != 0 && !is_early && !is_mute && !is_told {
        return Some(format!("it ends with {code} without a word"));
    }
    let left = (mode.left)(&place.path(""), code);
    // What ends at once can remove nothing; the next launch does.
    let ends_at_once = [
        "out of memory",
        "internal error",
        "stays in the folder of --files",
    ];
    left.filter(|_| !ends_at_once.into_iter().any(is_said))
}

/// Whether this run is about a fault.
fn is_asked(mode: &str, fault: &Fault) -> bool {
    let Fault {
        call,
        number,
        error,
    } = fault;
    match std::env::var("DOORKEY_FAULTS").ok().as_deref() {
        None | Some("") => {
            let mut hasher = DefaultHasher::new();
            (mode, fault).hash(&mut hasher);
            hasher.finish().is_multiple_of(SAMPLE)
        }
        Some("all") => true,
        Some(asked) => format!("{mode}:{call}:{number}:{error}:").starts_with(&format!("{asked}:")),
    }
}

#[test]
fn every_failing_call_is_survived_or_said() {
    let app = App::new();
    app.put("team", json!({"a": format!("{CANARY}-old")}));
    let modes = modes(&app);
    // The last values, for when the server can't be reached.
    let (place, _) = launched(
        modes.iter().find(|mode| mode.name == "vault").unwrap(),
        None,
    );
    fs::copy(place.path("cache"), template().join("cache")).unwrap();
    let mut cases = Vec::new();
    for mode in &modes {
        let clean = Arc::new(Clean::of(mode));
        let asked = clean
            .faults
            .iter()
            .filter(|fault| is_asked(mode.name, fault));
        cases.extend(asked.map(|fault| (mode, Arc::clone(&clean), fault.clone())));
    }
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((mode, clean, fault)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (place, seen) = launched(mode, Some(fault));
            let early = fault.number <= clean.early.get(&fault.call).copied().unwrap_or(0);
            if let Some(wrong) = wrong(mode, &clean.out, Some(early), &seen, &place) {
                let Fault {
                    call,
                    number,
                    error,
                } = fault;
                let calls: Vec<_> = seen.injected().into_iter().collect();
                let line = format!(
                    "{}:{call}:{number}:{error}: {wrong}\n{}{}\n",
                    mode.name,
                    seen.err,
                    calls.join("\n")
                );
                found.lock().unwrap().push(line);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    assert!(
        found.is_empty(),
        "{} of {}:\n{}",
        found.len(),
        cases.len(),
        found.join("\n")
    );
    println!("{} faults", cases.len());
}
