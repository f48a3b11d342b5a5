//! While doorkey reads: signals and the deadline end it at once, and a stderr that nobody reads
//! does not hold it up. The reading is made to last by an environment file that is a pipe.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, mkfifo};
use support::{DOORKEY, Place};

const ENDING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// A folder with a pipe called `pipe` in it.
fn place() -> Place {
    support::default_signals();
    let place = Place::new();
    mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    place
}

/// Waits until the child reads from the pipe; what is returned keeps it reading.
fn reading(place: &Place, child: &mut Child) -> File {
    loop {
        // There is an error as long as nobody reads.
        let open = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(place.path("pipe"));
        if let Ok(pipe) = open {
            return pipe;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it reads");
        std::thread::yield_now();
    }
}

fn send(to: u32, signal: Signal) {
    kill(Pid::from_raw(to.try_into().unwrap()), signal).unwrap();
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    children
        .split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

fn piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its exit code, standard output and standard error.
fn end(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn signals_during_the_fetch_end_it_with_their_code() {
    let place = place();
    for signal in ENDING {
        let mut run = place.doorkey(["run", "--env-file", "pipe", "--", "echo", "ran"]);
        let mut child = piped(&mut run.command);
        let pipe = reading(&place, &mut child);
        send(child.id(), signal);
        let expected = (Some(128 + signal as i32), String::new(), String::new());
        assert_eq!(end(child), expected, "{signal}");
        drop(pipe);
    }
}

#[test]
fn as_the_first_process_of_a_container_too() {
    let place = place();
    for signal in ENDING {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--mount-proc", DOORKEY])
            .args(["run", "--env-file", "pipe", "--", "echo", "ran"])
            .current_dir(place.path(""));
        let mut child = piped(&mut command);
        let pipe = reading(&place, &mut child);
        let inside = children(child.id());
        assert_eq!(inside.len(), 1);
        send(inside[0], signal);
        let expected = (Some(128 + signal as i32), String::new(), String::new());
        assert_eq!(end(child), expected, "{signal}");
        drop(pipe);
    }
}

#[test]
fn a_signal_that_was_ignored_ends_nothing() {
    let place = place();
    for signal in ENDING {
        let name = signal.as_str().trim_start_matches("SIG");
        let script = format!("trap '' {name}; exec \"$0\" run --env-file pipe -- sh -c 'echo $A'");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, DOORKEY])
            .current_dir(place.path(""));
        let mut child = piped(&mut command);
        let mut pipe = reading(&place, &mut child);
        send(child.id(), signal);
        pipe.write_all(b"A=ran\n").unwrap();
        drop(pipe);
        assert_eq!(
            end(child),
            (Some(0), "ran\n".to_owned(), String::new()),
            "{signal}"
        );
    }
}

#[test]
fn a_signal_that_was_blocked_waits_for_the_workload() {
    let place = place();
    for signal in ENDING {
        let script = "while read line; do case $line in ShdPnd*) echo $line $A; esac; done < /proc/$$/status";
        let mut run = place.doorkey(["run", "--env-file", "pipe", "--", "sh", "-c", script]);
        // SAFETY: between fork and exec it makes one system call.
        unsafe {
            run.command.pre_exec(move || {
                let mut set = SigSet::empty();
                set.add(signal);
                set.thread_block().map_err(Into::into)
            });
        }
        let mut child = piped(&mut run.command);
        let mut pipe = reading(&place, &mut child);
        send(child.id(), signal);
        pipe.write_all(b"A=ran\n").unwrap();
        drop(pipe);
        let expected = format!("ShdPnd: {:016x} ran\n", 1u64 << (signal as i32 - 1));
        assert_eq!(end(child), (Some(0), expected, String::new()), "{signal}");
    }
}

#[test]
fn the_timeout_ends_the_fetch_with_one_line() {
    let place = place();
    let line = "doorkey: error: gave up after 50ms (--timeout); nothing was executed: a file that was named did not answer\n";
    let run = place.doorkey([
        "run",
        "--env-file",
        "pipe",
        "--timeout",
        "50ms",
        "--",
        "echo",
        "ran",
    ]);
    run.fails(125, line);
    // With everything blocked that can be, its signal included.
    let mut run = place.doorkey([
        "run",
        "--env-file",
        "pipe",
        "--timeout",
        "50ms",
        "--",
        "echo",
        "ran",
    ]);
    // SAFETY: between fork and exec it makes one system call.
    unsafe {
        run.command.pre_exec(|| {
            let set = u64::MAX;
            let old = std::ptr::null_mut::<u64>();
            // SAFETY: the set has the eight bytes that are said.
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &set, old, 8);
            Ok(())
        });
    }
    run.fails(125, line);
}

#[test]
fn the_deadline_does_not_go_on_in_the_workload() {
    let place = Place::new();
    let run = place.doorkey(["run", "--timeout", "100ms", "--", "sleep", "0.3"]);
    run.ok();
    // A time that no clock can tell is only a long one.
    let run = place.doorkey(["run", "--timeout", "18446744073709551615s", "--", "true"]);
    run.ok();
}

/// A pipe that takes no byte more, and its other end.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    let mut file = File::from(OwnedFd::from(write));
    let flags = |on| {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        let flags = if on {
            OFlag::O_NONBLOCK
        } else {
            OFlag::empty()
        };
        fcntl(&file, FcntlArg::F_SETFL(flags)).unwrap();
    };
    flags(true);
    while (&file).write(&[b'x'; 4096]).is_ok() {}
    while (&file).write(b"x").is_ok() {}
    flags(false);
    file.flush().unwrap();
    (read.into(), file.into())
}

/// Launches a workload that prints a secret, with this as its stderr; it must succeed.
fn launches_with(stderr: std::os::fd::OwnedFd) {
    let place = Place::with_store();
    place.set("team", "name", "value");
    let mut run = place
        .run(["--", "sh", "-c", "echo $V"])
        .env("V", "secret:name");
    let child = run
        .command
        .stderr(stderr)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), &b"value\n"[..])
    );
}

#[test]
fn a_full_stderr_does_not_hold_the_launch_up() {
    let (unread, full) = full_pipe();
    launches_with(full);
    drop(unread);
}

#[test]
fn a_full_stderr_is_waited_for_once_not_for_each_fault() {
    let place = Place::with_store();
    let (unread, full) = full_pipe();
    let mut run = place.run(["--", "true"]);
    for number in 0..5000 {
        run = run.env(format!("V{number}"), "secret:none");
    }
    let mut child = run.command.stderr(full).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    // A moment for each of so many faults would be most of an hour.
    drop(unread);
}

#[test]
fn a_stderr_that_nobody_has_open_does_not_end_the_launch() {
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    launches_with(write.into());
}

#[test]
fn a_pipe_that_is_closed_ends_the_workload_as_it_would_without() {
    let place = Place::new();
    let mut run = place.doorkey(["run", "--", "yes"]);
    let mut child = piped(&mut run.command);
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"y\n");
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        (status.signal(), errors.as_str()),
        (Some(libc::SIGPIPE), "")
    );
}

#[test]
fn core_files_are_off_while_values_are_held() {
    let place = place();
    let mut run = place.doorkey([
        "run",
        "--env-file",
        "pipe",
        "--",
        "cat",
        "/proc/self/limits",
    ]);
    // SAFETY: between fork and exec it makes one system call.
    unsafe {
        run.command.pre_exec(|| {
            use nix::sys::resource::{Resource, setrlimit};
            setrlimit(Resource::RLIMIT_CORE, 4096, 8192).map_err(Into::into)
        });
    }
    let core = |limits: &str| {
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        line.unwrap()
            .split_whitespace()
            .skip(4)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut child = piped(&mut run.command);
    let pipe = reading(&place, &mut child);
    let limits = std::fs::read_to_string(
        Path::new("/proc")
            .join(child.id().to_string())
            .join("limits"),
    );
    assert_eq!(core(&limits.unwrap()), "0 8192");
    drop(pipe);
    let (code, out, err) = end(child);
    assert_eq!(
        (code, core(&out).as_str(), err.as_str()),
        (Some(0), "4096 8192", "")
    );
}

/// Whoever ends a launch that waits for a server learns what it waited for.
#[test]
fn a_launch_that_is_ended_says_what_it_waited_for() {
    for supervision in [None, Some("--init"), Some("--mask"), Some("--watch=60s")] {
        let place = place();
        let launch = ["run", "--store", "vault:kv/app?kv=2"].into_iter();
        let launch = launch.chain(supervision).chain(["--", "echo", "ran"]);
        let mut run = place.doorkey(launch.collect::<Vec<_>>());
        run.command
            .env("VAULT_ADDR", "http://127.0.0.1:1")
            .env("VAULT_TOKEN_FILE", place.write("token", "t"))
            .env("A", "secret:a");
        let mut child = piped(&mut run.command);
        let what = "GET http://127.0.0.1:1/v1/kv/data/app/team: connection refused";
        // It warns after the first try.
        let stderr = child.stderr.as_mut().unwrap();
        let mut said = String::new();
        while !said.ends_with('\n') {
            let mut byte = [0];
            stderr.read_exact(&mut byte).unwrap();
            said.push(byte[0] as char);
        }
        let warned = format!("doorkey: warning: {what}; trying again for up to ");
        assert!(
            said.starts_with(&warned) && said.ends_with(" (--timeout)\n"),
            "{said}"
        );
        send(child.id(), Signal::SIGTERM);
        let ended = format!("doorkey: error: ended by SIGTERM while fetching; the last: {what}\n");
        assert_eq!(
            end(child),
            (Some(143), String::new(), ended),
            "{supervision:?}"
        );
    }
}
