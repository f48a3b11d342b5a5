//! The supervisor where something goes wrong: calls that fail, processes that hang. In namespaces
//! of their own: what is sent to everybody must not go further.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use support::beside;
use support::watched::{SAYS, Watched, lives, plain, put, until, watch};
use support::workload;
use support::{DOORKEY, Ended, Place, Run};

const VALUE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";

/// The same, traced by `strace` with these options, with all that it forks or alone, in a namespace
/// of its own.
fn traced(run: Run, follows: bool, options: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["strace", "-q", "-o", "/dev/null"]);
    command.args(follows.then_some("-f"));
    command.args(options).arg(run.command.get_program());
    command.args(run.command.get_args());
    command.current_dir(run.command.get_current_dir().unwrap());
    command.env_clear();
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    command.envs(run.command.get_envs().filter_map(set));
    let mut run = run;
    run.command = command;
    run
}

/// A workload that shows its value, masked.
fn masked(place: &Place) -> Run {
    let run = place.doorkey(["run", "-q", "--store=dir:plain", "--mask"]);
    let run = run.args(["-eA=secret:a", "--timeout=20s", "--"]);
    let own = std::env::current_exe().unwrap();
    run.arg(own).env(workload::WORKLOAD, "show")
}

/// Whatever came of it: the value is not shown, and it has gone well or says why not.
#[track_caller]
fn went_well_or_says(ended: &Ended, what: &str) {
    let (code, out, err) = (ended.code(), ended.out(), ended.err());
    assert!(
        !out.contains(VALUE) && !err.contains(VALUE),
        "{what}: {out}{err}"
    );
    match code {
        0 => assert!(out.contains("A=[secret:a]\n"), "{what}: {out}{err}"),
        125 => assert!(err.starts_with("doorkey: error: "), "{what}: {out}{err}"),
        code => panic!("{what}: {code}: {out}{err}"),
    }
}

#[test]
fn what_can_not_be_looked_at_or_heard_is_not_shown() {
    let place = plain(&[("a", VALUE)]);
    let at_each = |call: &'static str, error: &'static str, count: usize| {
        (1..=count).map(move |nth| (format!("{call}:error={error}:when={nth}"), error == "EINTR"))
    };
    let faults = at_each("fcntl", "EPERM", 10)
        .chain(at_each("fstat", "EACCES", 6))
        .chain(at_each("ioctl", "ENOMEM", 6))
        .chain(at_each("pipe2", "EMFILE", 3))
        .chain(at_each("dup2", "EMFILE", 3))
        .chain(at_each("signalfd4", "ENOMEM", 3))
        .chain(at_each("poll", "ENOMEM", 6))
        .chain(at_each("poll", "EINTR", 6));
    for (fault, must_go_well) in faults {
        let inject = format!("inject={fault}");
        let trace = format!("trace={}", fault.split(':').next().unwrap());
        let ended = traced(masked(&place), true, &["-e", &trace, "-e", &inject]).end();
        went_well_or_says(&ended, &fault);
        assert!(
            !must_go_well || ended.code() == 0,
            "{fault}: {}",
            ended.err()
        );
    }
}

/// What the supervisor hears of the launch: a signal in between is not the end of it, and what can
/// not be read ends the launch.
#[test]
fn a_launch_that_is_not_heard_of_ends() {
    let place = plain(&[("a", VALUE)]);
    // Those that the supervisor has forked are not traced.
    for (error, expected, last) in [("EINTR", 0, 8), ("EIO", 125, 2)] {
        for nth in 1..=last {
            let inject = format!("inject=read:error={error}:when={nth}");
            let options = ["-e", "trace=read", "-e", &inject];
            let ended = traced(masked(&place), false, &options).end();
            went_well_or_says(&ended, &format!("{error} {nth}"));
            // Nor is it the end of what the workload has written.
            if nth == 1 || error == "EINTR" {
                assert_eq!(ended.code(), expected, "{error}: {}", ended.err());
            }
        }
    }
}

/// Where a number is not known a signal goes to nobody, rather than to everybody.
#[test]
fn nobody_else_is_killed() {
    let place = plain(&[("a", VALUE)]);
    for call in ["getpid", "getppid", "fork", "setpgid", "getpgrp"] {
        for mode in ["--init", "--mask", "--watch=1h", "--timeout=20s"] {
            let script = format!(
                "sleep 1000 & strace -f -q -o /dev/null -e trace={call} -e inject={call}:error=EPERM \
                 \"$0\" run -q --store=dir:plain -eA=secret:a {mode} -- true; grep -q ') S' /proc/$!/stat && echo lives"
            );
            let mut run = place.doorkey([""; 0]);
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
            command.args(["sh", "-c", &script, DOORKEY]);
            command.current_dir(place.path(""));
            run.command = command;
            let ended = run.end();
            assert_eq!(ended.out(), "lives\n", "{call} {mode}: {}", ended.err());
        }
    }
}

const HANGS: &str = "the process that fetches is stopped, or hangs in a file that it reads";

/// A launch that hangs as an environment's file does not end.
fn hanging(place: &Place, options: &[&str]) -> Run {
    mkfifo(&place.path("file.env"), Mode::S_IRWXU).unwrap();
    let run = place.doorkey(["run", "--store=dir:plain", "-eA=secret:a", "--timeout=2s"]);
    let run = run.args(options).arg("--env-file=file.env");
    run.args(["--", "sh", "-c", SAYS])
}

/// Its one child that is not this one, once there is one.
fn child(watched: &Watched, but: i32) -> i32 {
    let mut found = None;
    until("there is a child", || {
        found = watched.children().into_iter().find(|&one| one != but);
        found.is_some()
    });
    found.unwrap()
}

fn stop(process: i32) {
    kill(Pid::from_raw(process), Signal::SIGSTOP).unwrap();
}

#[test]
fn a_launch_that_is_stopped_is_given_up() {
    for options in [
        &["--init"][..],
        &["--mask"],
        &["--mask", "--log-format=json"],
    ] {
        let place = plain(&[("a", VALUE)]);
        let mut watched = Watched::start(hanging(&place, options));
        let child = child(&watched, 0);
        stop(child);
        let line = watched.saying();
        let said = format!("gave up after 2s (--timeout); nothing was executed: {HANGS}");
        match options.len() {
            1 => assert_eq!(line, format!("doorkey: error: {said}")),
            _ => {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_eq!(line["message"], said);
                assert_eq!(line["level"], "error");
            }
        }
        watched.ends(125);
        until("it is gone", || !lives(child));
    }
}

#[test]
fn a_fetch_that_is_stopped_is_given_up() {
    let place = plain(&[("a", "one")]);
    place.write("file.env", "F=1\n");
    let run = watch(&place, &["--env-file=file.env", "--timeout=2s"], SAYS);
    let mut watched = Watched::began(run, "began one");
    let workload = child(&watched, 0);
    fs::remove_file(place.path("file.env")).unwrap();
    mkfifo(&place.path("file.env"), Mode::S_IRWXU).unwrap();
    watched.refresh();
    let fetching = child(&watched, workload);
    stop(fetching);
    watched.says(&format!(
        "warning: secrets not fetched again, next try in about 2h: gave up after 2s (--timeout): {HANGS}"
    ));
    until("it is gone", || !lives(fetching));
    place.write("new.env", "F=1\n");
    fs::rename(place.path("new.env"), place.path("file.env")).unwrap();
    put(&place, "a", "two");
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.restarts("A", "began two");
    watched.stop();
}

/// `join` of a workload with memory files: what can't be looked at is not passed over.
#[test]
fn what_can_not_be_looked_at_is_not_absent() {
    let place = beside::place();
    let workload = beside::Workload::start(beside::run(&place), "memory-files", true);
    let files = workload::FILES.concat();
    let command = ["cat", "/proc/self/fd/100", "/proc/self/fd/101"];
    let run = || beside::join(&place, workload.first(), &command);
    assert_eq!(run().ok().out(), files);
    let mut refused = 0;
    for (call, error, count) in [
        ("readlink", "EACCES", 12),
        ("open", "EIO", 12),
        ("stat", "EIO", 3),
    ] {
        for nth in 1..=count {
            let inject = format!("inject={call}:error={error}:when={nth}");
            let trace = format!("trace={call}");
            let mut run = run();
            let mut command = Command::new("strace");
            command.args(["-q", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
            command.arg(DOORKEY).args(run.command.get_args());
            command.current_dir(place.path(""));
            run.command = command;
            let ended = run.end();
            let (code, out, err) = (ended.code(), ended.out(), ended.err());
            match code {
                0 => assert_eq!(out, files, "{inject}: {err}"),
                // Its own fault.
                1 => assert!(!err.contains("No such file"), "{inject}: {err}"),
                _ => {
                    assert_eq!((code, &*out), (125, ""), "{inject}: {err}");
                    assert!(err.starts_with("doorkey: error: "), "{inject}: {err}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 3, "{refused}");
}
