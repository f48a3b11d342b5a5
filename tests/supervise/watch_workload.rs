//! `run --watch`: a workload that is launched anew is as the first one was, at a terminal too; and
//! what the system may refuse a supervisor is no reason to end it.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use support::pty::Terminal;
use support::watched::{SAYS, Watched, lives, plain, put, until, watch};
use support::{DOORKEY, Place, Run};

/// What a process can see of itself, written to a file; then a line, and it stays.
const LOOKS: &str = "{ grep -E '^(Name|Sig[A-PR-Z]|Shd|Cap|NoNewPrivs|Umask|Uid|Gid|Groups|Seccomp)' /proc/self/status; \
    cat /proc/self/limits; ls -l /proc/$$/fd >fds; awk 'NF > 9 {print $9, $10, $11}' fds; \
    pwd; env | grep -v ^A=; nice; tr '\\0' ' ' </proc/$$/cmdline; \
    awk '{print $5 == $1, $6 == $1, $7}' /proc/$$/stat; } >seen.$A; echo began $A; exec sleep 1000";

#[test]
fn the_next_one_is_as_the_first() {
    let all: [fn() -> std::io::Result<()>; 3] = [
        || Ok(()),
        || {
            for signal in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGHUP, libc::SIGTTOU] {
                // SAFETY: to ignore a signal is no handler.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
            Ok(setrlimit(Resource::RLIMIT_CORE, 4096, 8192)?)
        },
        || {
            let (set, old) = (!(1_u64 << 14), std::ptr::null_mut::<u64>());
            // SAFETY: the set has the eight bytes that are said; the others take no pointer.
            unsafe {
                libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &set, old, 8);
                libc::dup2(0, 77);
                libc::umask(0o27);
            }
            Ok(())
        },
    ];
    let attributes = [
        "--umask=77",
        "--nice=3",
        "--rlimit=nofile=50:60",
        "--argv0=other",
    ];
    let more = ["--user=0:5", "--no-new-privs", "--parent-death-signal=USR1"];
    for prepare in all {
        for options in [&[][..], &attributes, &more] {
            let place = plain(&[("a", "one")]);
            let mut run = watch(&place, options, LOOKS);
            // SAFETY: it makes only system calls.
            unsafe { run.command.pre_exec(prepare) };
            let mut watched = Watched::began(run.env("X", "y"), "began one");
            let seen = |value: &str| {
                let seen = fs::read_to_string(place.path(&format!("seen.{value}"))).unwrap();
                seen.replace(&format!("seen.{value}"), "seen")
            };
            let before = watched.descriptors();
            for value in ["two", "three"] {
                put(&place, "a", value);
                watched.refresh();
                watched.restarts("A", &format!("began {value}"));
                assert!(seen("one").contains("X=y"));
                let (first, next) = (seen("one"), seen(value));
                for (first, next) in first.lines().zip(next.lines()) {
                    assert_eq!(first, next);
                }
                assert_eq!(first.lines().count(), next.lines().count());
            }
            // The first launch may not have been over when they were counted.
            until("the launch is over", || watched.descriptors() <= before);
            watched.stop();
        }
    }
}

#[test]
fn the_supervisor_keeps_what_the_next_one_needs() {
    let place = plain(&[("a", "one")]);
    let below = place.path("below");
    fs::create_dir(&below).unwrap();
    let store = format!("dir:{}", place.path("plain").display());
    let run = place.doorkey(["run", "--store", &store, "--watch=1h", "-eA=secret:a"]);
    let run = run.args(["--", "sh", "-c", SAYS]).dir(&below);
    let mut watched = Watched::began(run, "began one");
    // A working directory that is removed is one all the same.
    fs::remove_dir(&below).unwrap();
    put(&place, "a", "two");
    watched.refresh();
    watched.restarts("A", "began two");
    watched.send(15);
    // The shell has something to say of that folder.
    assert_eq!(watched.end().0, 143);
}

#[test]
fn a_stderr_that_is_full_or_broken_holds_nothing_up() {
    let place = plain(&[("a", "one")]);
    let launch = |stderr: OwnedFd| {
        let script = "echo began $A >>shown; exec sleep 1000";
        let mut run = watch(&place, &["--log-level=debug"], script);
        let mut child = run
            .command
            .stderr(stderr)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let shown = || fs::read_to_string(place.path("shown")).unwrap_or_default();
        until("it has begun", || !shown().is_empty());
        for value in ["1", "2", "3"] {
            put(&place, "a", value);
            // SAFETY: it takes no pointer, and the process has not been waited for.
            unsafe { libc::kill(child.id() as i32, libc::SIGUSR2) };
            until("it is launched anew", || {
                shown().ends_with(&format!("began {value}\n"))
            });
        }
        // SAFETY: as above.
        unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
        child.wait().unwrap();
        fs::remove_file(place.path("shown")).unwrap();
    };
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    launch(write.into());
    let (unread, write) = std::io::pipe().unwrap();
    // SAFETY: it takes no pointer.
    let size = unsafe { libc::fcntl(write.as_raw_fd(), libc::F_GETPIPE_SZ) };
    nix::unistd::write(&write, &vec![b'x'; size as usize]).unwrap();
    launch(write.into());
    drop(unread);
}

/// As many processes as the user may have are there: none can be forked that fetches.
#[test]
fn no_process_to_fetch_with() {
    const NOBODY_ELSE: u32 = 54_731;
    let place = plain(&[("a", "one")]);
    let copy = place.path("doorkey");
    assert!(
        Command::new("cp")
            .arg(DOORKEY)
            .arg(&copy)
            .status()
            .unwrap()
            .success()
    );
    let mut run = place.doorkey([""; 0]);
    run.command = Command::new(copy);
    run.command.args([
        "run",
        "--store=dir:plain",
        "--watch=100ms",
        "-eA=secret:a",
        "sh",
        "-c",
        SAYS,
    ]);
    run.command
        .current_dir(place.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    run.command.uid(NOBODY_ELSE).gid(NOBODY_ELSE);
    // SAFETY: it makes only a system call.
    unsafe {
        run.command
            .pre_exec(|| setrlimit(Resource::RLIMIT_NPROC, 2, 10).map_err(Into::into));
    }
    let mut watched = Watched::began(run, "began one");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(watched.children().len(), 1);
    let own = watched.id().to_string();
    let mut more = Command::new("prlimit");
    more.args(["--pid", &own, "--nproc=10:10"]);
    assert!(
        more.uid(NOBODY_ELSE)
            .gid(NOBODY_ELSE)
            .status()
            .unwrap()
            .success()
    );
    let mut line = watched.saying();
    while line != "doorkey: secrets can be fetched again" {
        assert!(
            line.starts_with("doorkey: warning: secrets not fetched again, next try in about ")
                && line.ends_with(": there was no process to be had for it, or to be heard"),
            "{line}"
        );
        line = watched.saying();
    }
    put(&place, "a", "two");
    watched.restarts("A", "began two");
    watched.stop();
}

/// Says what it is given to read, and which value it has.
const READS: &str = "echo \"began $A.\"; trap 'echo \"INT $A.\"' INT; \
    while :; do read line && echo \"got $line $A.\" && [ \"$line\" = end ] && exit 7; done";

#[test]
fn the_terminal_is_the_next_one_s() {
    let place = plain(&[("a", "one")]);
    let mut terminal = Terminal::start(watch(&place, &["-q"], READS));
    let doorkey = terminal.child.id() as i32;
    terminal
        .wait_for("began one.")
        .types("x\n")
        .wait_for("got x one.");
    for value in ["two", "three"] {
        put(&place, "a", value);
        // SAFETY: it takes no pointer, and the process has not been waited for.
        unsafe { libc::kill(doorkey, libc::SIGUSR2) };
        terminal.wait_for(&format!("began {value}."));
        terminal.types("x\n").wait_for(&format!("got x {value}."));
        terminal.types("\x03").wait_for(&format!("INT {value}."));
    }
    terminal.types("end\n");
    let (code, screen, usual) = terminal.end();
    assert!(code == 7 && usual, "{screen}");
}

#[test]
fn a_job_of_a_shell_is_restarted_in_front_and_behind() {
    let place: Place = plain(&[("a", "one")]);
    let mut run: Run = place.shell("");
    let mut command = Command::new("bash");
    command
        .args(["--norc", "--noprofile", "-i"])
        .current_dir(place.path(""));
    command.env_clear().env("PS1", "$> ").env("TERM", "dumb");
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    command.envs(run.command.get_envs().filter_map(set));
    run.command = command;
    let mut terminal = Terminal::start(run);
    terminal.wait_for("$> ");
    place.write("reads", READS);
    terminal.types("doorkey run -q --store=dir:plain --watch=100ms -eA=secret:a sh reads\n");
    terminal.wait_for("began one.");
    put(&place, "a", "two");
    terminal.wait_for("began two.");
    terminal.types("\x1a").wait_for("Stopped").wait_for("$> ");
    // Stopped, nothing happens; behind, the shell keeps the terminal.
    put(&place, "a", "three");
    terminal.types("fg\n").wait_for("began three.");
    terminal.types("x\n").wait_for("got x three.");
    terminal.types("end\n").wait_for("$> ");
    terminal.types("doorkey run -q --store=dir:plain --watch=100ms -eA=secret:a sh -c 'echo up; exec sleep 1000' &\n");
    terminal.wait_for("up\r\n");
    put(&place, "a", "four");
    terminal.wait_for("up\r\n");
    terminal
        .types("echo shell $((40+2))\n")
        .wait_for("shell 42")
        .wait_for("$> ");
    terminal
        .types("kill %1; wait %1; echo code $?\n")
        .wait_for("code 143");
    terminal.types("exit 0\n");
    assert_eq!(terminal.end().0, 0);
}

/// The supervisor that is killed takes whoever fetches with it.
#[test]
fn nobody_fetches_for_a_supervisor_that_is_gone() {
    let place = plain(&[("a", "one")]);
    place.write("file.env", "F=1\n");
    let mut watched = Watched::began(watch(&place, &["--env-file=file.env"], SAYS), "began one");
    let workload = watched.children();
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::rename(place.path("pipe"), place.path("file.env")).unwrap();
    watched.refresh();
    until("it fetches", || watched.children().len() == 2);
    let all = watched.children();
    watched.child.kill().unwrap();
    watched.child.wait().unwrap();
    for fetching in all.iter().filter(|one| !workload.contains(one)) {
        until("it is gone", || !lives(*fetching));
    }
    // SAFETY: it takes no pointer.
    unsafe { libc::kill(workload[0], libc::SIGKILL) };
}
