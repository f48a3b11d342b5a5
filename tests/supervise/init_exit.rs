//! How `run --init` ends: with the workload's code, at once, and what becomes of the rest. What the
//! workload finds is what it finds without `--init`.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{DOORKEY, Place, Run, executable};

fn run(place: &Place, words: &[&str]) -> Run {
    place.doorkey(["run", "--init"]).args(words)
}

/// As PID 1 of a namespace of its own, with its own /proc.
fn first(place: &Place, words: &[&str]) -> Run {
    let mut run = place.doorkey([""; 0]);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", DOORKEY, "run", "--init"]);
    command.args(words).current_dir(place.path(""));
    run.command = command;
    run
}

#[test]
fn every_exit_code_passes() {
    let place = Place::new();
    for code in 0..=255 {
        let exit = format!("exit {code}");
        let ended = run(&place, &["sh", "-c", &exit]).end();
        assert_eq!(
            (ended.output.status.code(), ended.err()),
            (Some(code), String::new())
        );
    }
    first(&place, &["sh", "-c", "exit 7"]).gives(7, "", "");
}

/// `join` finds the workload by that name, and may come at once. On one processor the workload often
/// comes before its supervisor.
#[test]
fn the_supervisor_has_its_name_before_the_workload_begins() {
    let place = Place::new();
    let script =
        "cpu=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/self/status)
        for at in $(seq 300); do
            taskset -c $cpu doorkey run -q --init -- \
                sh -c 'read -r name </proc/$PPID/comm; [ $name = doorkey:$$ ] || echo $name'
        done";
    assert_eq!(place.shell(script).ok().out(), "");
}

#[test]
fn a_death_by_a_signal_is_a_code() {
    support::default_signals();
    let place = Place::new();
    for signal in (1..=64).filter(|signal| ![17, 18, 19, 20, 21, 22, 23, 28].contains(signal)) {
        // dash knows no numbers 32 and 33, so that nothing dies of these.
        if [32, 33].contains(&signal) {
            continue;
        }
        let kill = format!("kill -{signal} $$");
        let ended = run(&place, &["sh", "-c", &kill]).end();
        let found = (ended.output.status.code(), ended.err());
        assert_eq!(found, (Some(128 + signal), String::new()));
    }
}

#[test]
fn what_can_not_be_executed_is_said_once() {
    let place = Place::new();
    let no_right = executable(&place.path("no-right"), b"#!/bin/sh\n", 0o644);
    let why = "permission denied: nobody may, by its mode 0644; run chmod +x on it";
    let denied = format!("doorkey: error: {no_right}: can't be executed: {why}\n");
    run(&place, &["--", &no_right]).fails(126, &denied);
    let missing = "doorkey: error: no-such-command: command not found\n";
    run(&place, &["no-such-command"]).fails(127, missing);
    first(&place, &["no-such-command"]).fails(127, missing);
    let none = "doorkey: error: X: secret:a: not found in team of age:none; create it, or allow its absence with '?'\n";
    let unresolved = run(&place, &["true"])
        .env("X", "secret:a")
        .env("DOORKEY_STORE", "age:none");
    let ended = unresolved.end();
    assert_eq!(
        (ended.code(), ended.err().lines().count()),
        (125, 1),
        "{} {none}",
        ended.err()
    );
    for (words, message) in [
        (
            &["--none"][..],
            "there is no option --none; did you mean --nice?",
        ),
        (
            &["--init", "true"],
            "--init is given twice; see doorkey run --help",
        ),
        (
            &["-e", "--init", "true"],
            "--env is given without a value, or with one too many; see doorkey run --help",
        ),
        (
            &["-e"],
            "--env is given without a value, or with one too many; see doorkey run --help",
        ),
        (
            &["--timeout", "0", "true"],
            "--timeout must be a duration above zero, such as 30s or 500ms",
        ),
        (
            &["--grace", "soon", "true"],
            "--grace must be a duration, such as 5s",
        ),
    ] {
        run(&place, words).fails(125, &format!("doorkey: error: {message}\n"));
    }
    let help = run(&place, &["--help"]).ok();
    assert_eq!(help.out(), place.doorkey(["run", "--help"]).ok().out());
}

#[test]
fn where_it_is_asked_for() {
    let place = Place::new();
    let plain = |words: &[&str]| place.doorkey(["run"]).args(words);
    for (run, asked) in [
        (plain(&[]), false),
        (plain(&["--init"]), true),
        (plain(&["-q", "--init", "--"]), true),
        (plain(&["-e", "A=--init"]), false),
        (
            plain(&["-eA=1", "--env", "B=2", "--nice", "0", "--init"]),
            true,
        ),
        (plain(&[]).env("DOORKEY_INIT", "1"), true),
        (plain(&[]).env("DOORKEY_INIT", "true"), true),
        (plain(&[]).env("DOORKEY_INIT", ""), false),
        (plain(&[]).env("DOORKEY_INIT", "0"), false),
        (plain(&["--init"]).env("DOORKEY_INIT", "no"), true),
    ] {
        let words: Vec<_> = run.command.get_args().map(|word| word.to_owned()).collect();
        assert_eq!(run.has_supervisor(), asked, "{words:?}");
    }
    // It is the workload's own word here.
    plain(&["echo", "--init"]).gives(0, "--init\n", "");
    plain(&["--", "echo", "--init"]).gives(0, "--init\n", "");
}

/// What of a process the workload can see of itself, and doorkey must not have changed.
fn found(mut run: Run, prepare: fn() -> std::io::Result<()>) -> String {
    let script = "grep -E '^(Sig|Shd|Cap|NoNewPrivs|Umask|Uid|Gid|Groups|Seccomp)' /proc/self/status; \
                  cat /proc/self/limits; ls -l /proc/$$/fd | awk 'NF > 9 {print $9, $10, $11}' | grep -v pipe; \
                  pwd; env; nice";
    // SAFETY: it makes only system calls.
    unsafe { run.command.pre_exec(prepare) };
    let out = run.args(["sh", "-c", script]).ok().out();
    // How much is queued for the user changes by itself.
    out.lines()
        .filter(|line| !line.starts_with("SigQ"))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

#[test]
fn the_workload_is_as_without_it() {
    let place = Place::new();
    let all: [fn() -> std::io::Result<()>; 4] = [
        || Ok(()),
        || {
            dispose(&[
                libc::SIGPIPE,
                libc::SIGCHLD,
                libc::SIGTERM,
                libc::SIGTSTP,
                libc::SIGTTOU,
            ])
        },
        || block(u64::MAX),
        || {
            // SAFETY: the call takes no pointer.
            unsafe { libc::dup2(0, 77) };
            dispose(&[libc::SIGCHLD])?;
            block(1 << (libc::SIGCHLD - 1) | 0b111 << 31)
        },
    ];
    for (which, prepare) in all.into_iter().enumerate() {
        let plain = found(place.doorkey(["run"]), prepare);
        let init = found(place.doorkey(["run", "--init"]), prepare);
        assert_eq!(plain, init, "case {which}");
    }
}

fn block(set: u64) -> std::io::Result<()> {
    let old = std::ptr::null_mut::<u64>();
    // SAFETY: the set has the eight bytes that are said.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &set, old, 8) };
    Ok(())
}

fn dispose(signals: &[i32]) -> std::io::Result<()> {
    for &signal in signals {
        // SAFETY: to ignore a signal is no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    Ok(())
}

#[test]
fn started_with_children_ignored_or_descriptors_closed() {
    let place = Place::new();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, DOORKEY])
            .current_dir(place.path(""))
            .stdout(Stdio::null());
        command.status().unwrap().code()
    };
    // With bash, as dash takes SIGCHLD for itself.
    let ignored = Command::new("bash")
        .args([
            "-c",
            "trap '' CHLD; exec \"$0\" run --init -- sh -c 'exit 9'",
            DOORKEY,
        ])
        .status();
    assert_eq!(ignored.unwrap().code(), Some(9));
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let script = format!("exec \"$0\" run --init -- sh -c 'exit 9' {closed}");
        assert_eq!(shell(&script), Some(9), "{closed}");
        let script = format!("exec \"$0\" run --init -- /no/such {closed}");
        assert_eq!(shell(&script), Some(127), "{closed}");
    }
}

#[test]
fn a_stderr_that_is_full_or_broken_holds_nothing_up() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    let launch = |stderr: OwnedFd| {
        let run = place.run([
            "--init",
            "--log-level",
            "debug",
            "--",
            "sh",
            "-c",
            "echo $V; exit 3",
        ]);
        let mut run = run.env("V", "secret:name");
        let child = run
            .command
            .stderr(stderr)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..]),
            (Some(3), &b"value\n"[..])
        );
    };
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    launch(write.into());
    let (unread, write) = std::io::pipe().unwrap();
    // SAFETY: it takes no pointer.
    let size = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&write), libc::F_GETPIPE_SZ) };
    nix::unistd::write(&write, &vec![b'x'; size as usize]).unwrap();
    launch(write.into());
    drop(unread);
}

/// Short-lived ones of a shell that ends before them.
const ORPHANS: &str = "i=0; while [ $i -lt 2500 ]; do \
    sh -c '(true) & (true) & (true) & (true) &'; i=$((i+1)); done; \
    until [ \"$(cat /proc/$PPID/task/$PPID/children)\" = \"$$ \" ]; do sleep 0.01; done; exit 3";

#[test]
fn ten_thousand_orphans_leave_no_zombie() {
    let place = Place::new();
    run(&place, &["sh", "-c", ORPHANS]).gives(3, "", "");
}

#[test]
fn ten_thousand_orphans_of_the_first_process_leave_none_either() {
    let place = Place::new();
    first(&place, &["sh", "-c", ORPHANS]).gives(3, "", "");
}

/// A workload that ends while a process of it, deeper down, lives on; its number is in `left`.
fn leaves(ignoring: bool) -> String {
    let trap = if ignoring { "trap \"\" TERM; " } else { "" };
    // A session of its own, with nothing of the workload's open.
    format!(
        "setsid sh -c '{trap}sh -c \"echo \\$\\$ >left; exec sleep 1000\" & wait' >/dev/null 2>&1 </dev/null & \
         until [ -s left ]; do sleep 0.01; done; exit 5"
    )
}

/// The process that lives on, once it is there no more.
fn is_gone(place: &Place) -> bool {
    let number = fs::read_to_string(place.path("left")).unwrap();
    let stat = Path::new("/proc").join(number.trim()).join("stat");
    fs::read_to_string(stat).map_or(true, |stat| stat.contains(") Z"))
}

#[test]
fn what_lives_on_is_asked_to_end() {
    for options in [&[][..], &["--grace", "0"], &["--grace=1h"]] {
        let place = Place::new();
        let script = leaves(false);
        let words = [options, &["sh", "-c", &script]].concat();
        run(&place, &words).gives(5, "", "");
        while !is_gone(&place) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_does_not_end_is_killed_after_the_grace() {
    for grace in ["--grace=0", "--grace=100ms"] {
        let place = Place::new();
        run(&place, &[grace, "sh", "-c", &leaves(true)]).gives(5, "", "");
        while !is_gone(&place) {
            std::thread::yield_now();
        }
    }
    // Without one it is asked only.
    let place = Place::new();
    run(&place, &["sh", "-c", &leaves(true)]).gives(5, "", "");
    assert!(!is_gone(&place));
    let left = fs::read_to_string(place.path("left")).unwrap();
    let status = Command::new("kill").args(["-9", left.trim()]).status();
    assert!(status.unwrap().success());
}

#[test]
fn the_end_of_the_first_process_is_everybody_s() {
    for options in [&[][..], &["--grace=100ms"]] {
        let place = Place::new();
        let script = leaves(true);
        let words = [options, &["sh", "-c", &script]].concat();
        // It ends at all, that is: the namespace is left only when everybody is gone.
        first(&place, &words).gives(5, "", "");
    }
}

/// With a grace, what is asked to end can still say something.
#[test]
fn the_grace_lets_the_rest_finish() {
    let last = "setsid bash -c 'trap \"sleep 0.2; echo done >done; exit\" TERM; echo >left; \
                while :; do sleep 0.01; done' >/dev/null 2>&1 & \
                until [ -e left ]; do sleep 0.01; done; exit 5";
    for by in [run, first] {
        let place = Place::new();
        by(&place, &["--grace=1h", "sh", "-c", last]).gives(5, "", "");
        assert!(place.path("done").exists());
    }
}
