//! `run --init` forwards signals: each of them, before and after the workload begins.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::receiver::{Receiver, program, send};
use nix::unistd::mkfifo;
use support::{DOORKEY, Place, Run};

/// All that are forwarded: none that can't be caught, comes of a process's own faults or children.
fn forwarded() -> impl Iterator<Item = i32> {
    (1..=64).filter(|signal| ![4, 5, 7, 8, 9, 11, 17, 19, 31].contains(signal))
}

/// Those that end a launch before the workload has begun.
const ENDING: [i32; 4] = [1, 2, 3, 15];

fn run(place: &Place, options: &[&str]) -> Run {
    support::default_signals();
    place
        .doorkey(["run", "--init"])
        .args(options)
        .args(["--", &program()])
}

#[test]
fn each_signal_arrives_once() {
    let place = Place::new();
    let mut receiver = Receiver::start(run(&place, &[]), forwarded().count());
    for signal in forwarded() {
        receiver.send(signal);
        let line = receiver.line();
        let number = line.split(' ').next().unwrap();
        assert_eq!(number, signal.to_string());
    }
    assert_eq!(receiver.end(), (vec![], Some(42)));
}

/// But those that stop or continue, which take each other back.
#[test]
fn distinct_ones_sent_together_all_arrive() {
    let place = Place::new();
    let sent: Vec<i32> = forwarded()
        .filter(|signal| ![18, 20, 21, 22].contains(signal))
        .collect();
    let receiver = Receiver::start(run(&place, &[]), sent.len());
    for &signal in &sent {
        receiver.send(signal);
    }
    let (lines, code) = receiver.end();
    let number = |line: &String| line.split(' ').next().unwrap().parse::<i32>().unwrap();
    let mut found: Vec<i32> = lines.iter().map(number).collect();
    found.sort_unstable();
    assert_eq!((found, code), (sent, Some(42)));
}

#[test]
fn values_go_with_their_signals() {
    let place = Place::new();
    let receiver = Receiver::start(run(&place, &[]), 4);
    for (signal, value) in [(40, 7), (40, 8), (libc::SIGUSR1, 9), (64, usize::MAX)] {
        receiver.queue(signal, value);
    }
    let (mut lines, code) = receiver.end();
    lines.sort();
    let last = format!("64 {}", usize::MAX);
    assert_eq!(
        (lines, code),
        (
            ["10 9", "40 7", "40 8", &last].map(String::from).to_vec(),
            Some(42)
        )
    );
}

/// Real-time signals are counted and stay in order, beside others, which may merge.
#[test]
fn a_storm_of_ten_thousand() {
    let place = Place::new();
    let receiver = Receiver::start(run(&place, &["--signal-map", "USR1:0"]), 10_000);
    for number in 0..10_000 {
        receiver.queue(34 + number as i32 % 2, number);
        if number % 16 == 0 {
            receiver.send(libc::SIGUSR1);
        }
    }
    let (lines, code) = receiver.end();
    assert_eq!((lines.len(), code), (10_000, Some(42)));
    for parity in 0..2 {
        let own = format!("{} ", 34 + parity);
        let values: Vec<usize> = lines
            .iter()
            .filter_map(|line| line.strip_prefix(&own)?.parse().ok())
            .collect();
        let expected: Vec<usize> = (parity..10_000).step_by(2).collect();
        assert!(
            values == expected,
            "signal {own}: {} of 5000, or not in order",
            values.len()
        );
    }
}

/// As with `kill`, without a value.
#[test]
fn plain_real_time_signals_are_counted_too() {
    let place = Place::new();
    let receiver = Receiver::start(run(&place, &[]), 5_000);
    for _ in 0..5_000 {
        receiver.send(50);
    }
    let (lines, code) = receiver.end();
    assert_eq!((lines.len(), code), (5_000, Some(42)));
}

#[test]
fn signals_are_mapped() {
    let place = Place::new();
    let maps = [
        "--signal-map=TERM:INT",
        "--signal-map",
        "USR1:none,35:SIGUSR2",
    ];
    let receiver = Receiver::start(run(&place, &maps[..1]), 1);
    receiver.send(libc::SIGTERM);
    assert_eq!(receiver.end(), (vec!["2".to_owned()], Some(42)));
    // In a variable they stand side by side.
    let by_variable = run(&place, &[]).env("DOORKEY_SIGNAL_MAP", "USR1:none,RTMIN+1:SIGUSR2");
    let receiver = Receiver::start(by_variable, 1);
    receiver.send(libc::SIGUSR1);
    receiver.send(35);
    let (lines, code) = receiver.end();
    assert_eq!((lines[0].split(' ').next(), code), (Some("12"), Some(42)));
    for (rule, why) in [
        ("TERM", "must be FROM:TO"),
        ("KILL:TERM", "can only map a signal that is forwarded"),
        (
            "NONE:TERM",
            "must name signals: TERM, SIGTERM, 15 or RTMIN+1",
        ),
    ] {
        let line = format!("doorkey: error: --signal-map {why}\n");
        run(&place, &["--signal-map", rule]).fails(125, &line);
    }
    let line = "doorkey: error: --signal-map needs --init\n";
    place
        .doorkey(["run", "--signal-map", "TERM:INT", "true"])
        .fails(125, line);
}

/// A shell that waits for another process in its group, which is bash: dash loses a signal that
/// comes while it starts a program. Both say which signal they get. `then` is
/// what the shell does when it has got its own.
fn family(place: &Place, options: &[&str], then: &str) -> (Vec<String>, Option<i32>) {
    let script = format!(
        "trap 'echo parent' USR1; \
         bash -c 'trap \"echo child; exit\" USR1; echo ready; while :; do sleep 0.01; done' & \
         child=$!; wait $child; {then}; wait $child; exit 42"
    );
    let run = place.doorkey(["run", "--init"]).args(options);
    let mut run = run.args(["sh", "-c", &script]);
    let mut child = run.command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = {
        use std::io::{BufRead, BufReader};
        BufReader::new(child.stdout.take().unwrap()).lines()
    };
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    send(child.id() as i32, libc::SIGUSR1);
    let mut said: Vec<String> = lines.map(Result::unwrap).collect();
    said.sort();
    (said, child.wait().unwrap().code())
}

#[test]
fn the_whole_group_gets_them_where_that_is_asked_for() {
    let place = Place::new();
    let lines = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        family(&place, &[], "kill $child"),
        (lines(&["parent"]), Some(42))
    );
    assert_eq!(
        family(&place, &["--signal-group"], ":"),
        (lines(&["child", "parent"]), Some(42))
    );
}

/// A folder with a pipe in it, which doorkey reads an environment from.
fn slow() -> Place {
    support::default_signals();
    let place = Place::new();
    mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    place
}

/// Waits until doorkey reads from the pipe; what is returned keeps it reading.
fn reading(place: &Place) -> File {
    loop {
        let open = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(place.path("pipe"));
        match open {
            Ok(pipe) => return pipe,
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[test]
fn early_ones_wait_for_the_workload() {
    let place = slow();
    let kept: Vec<i32> = forwarded()
        .filter(|signal| !ENDING.contains(signal))
        // These act at once, as on any job.
        .filter(|signal| ![18, 20, 21, 22].contains(signal))
        .collect();
    // As signals that are pending may come before the receiver blocks them, they are blocked.
    let mut started = run(&place, &["--env-file", "pipe"]);
    block_all(&mut started);
    let receiver = Receiver::starting(started, kept.len() + 1);
    let pipe = reading(&place);
    for &signal in &kept {
        receiver.send(signal);
    }
    receiver.queue(40, 77);
    drop(pipe);
    let mut receiver = receiver;
    receiver.wait_until_ready();
    let (lines, code) = receiver.end();
    let mut found: Vec<i32> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    found.sort_unstable();
    let mut expected = [&kept[..], &[40]].concat();
    expected.sort_unstable();
    assert_eq!((found, code), (expected, Some(42)));
    assert!(lines.contains(&"40 77".to_owned()));
}

fn block_all(run: &mut Run) {
    // SAFETY: between fork and exec it makes one system call, with a set of the eight bytes that
    // are said.
    unsafe {
        run.command.pre_exec(|| {
            let set = u64::MAX;
            let old = std::ptr::null_mut::<u64>();
            // SAFETY: as above.
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &set, old, 8);
            Ok(())
        });
    }
}

#[test]
fn those_that_end_a_launch_end_both_processes() {
    for signal in ENDING {
        for to_both in [false, true] {
            let place = slow();
            let mut started = place.doorkey(["run", "--init", "--env-file", "pipe", "echo", "ran"]);
            let command = started
                .command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            let pipe = reading(&place);
            let below = children(child.id());
            assert_eq!(below.len(), 1);
            if to_both {
                send(below[0], signal);
            } else {
                send(child.id() as i32, signal);
            }
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(128 + signal));
            assert_eq!((output.stdout, output.stderr), (vec![], vec![]));
            assert!(!std::path::Path::new(&format!("/proc/{}", below[0])).exists());
            drop(pipe);
        }
    }
}

fn children(of: u32) -> Vec<i32> {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    children
        .split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

#[test]
fn as_the_first_process_of_a_container_too() {
    let place = slow();
    for signal in ENDING {
        let mut command = std::process::Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", DOORKEY, "run", "--init"]);
        command.args(["--env-file", "pipe", "--", "echo", "ran"]);
        let child = command
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = reading(&place);
        send(children(child.id())[0], signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout),
            (Some(128 + signal), vec![])
        );
        drop(pipe);
    }
    // And what comes later is the workload's.
    let mut inside = place.doorkey([""; 0]);
    let mut command = std::process::Command::new("unshare");
    command.args([
        "--pid",
        "--fork",
        "--mount-proc",
        DOORKEY,
        "run",
        "--init",
        "--",
    ]);
    command.arg(program()).current_dir(place.path(""));
    inside.command = command;
    let count = forwarded().count();
    let mut receiver = Receiver::start(inside, count);
    assert_eq!(receiver.receiver, 2);
    let first = children(receiver.child.id())[0];
    for signal in forwarded() {
        send(first, signal);
        assert_eq!(
            receiver.line().split(' ').next().unwrap(),
            signal.to_string()
        );
    }
    assert_eq!(receiver.end(), (vec![], Some(42)));
}

#[test]
fn one_that_was_ignored_ends_nothing() {
    let place = slow();
    for signal in ENDING {
        let script =
            format!("trap '' {signal}; exec \"$0\" run --init --env-file pipe -- sh -c 'echo $A'");
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", &script, DOORKEY])
            .current_dir(place.path(""));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = reading(&place);
        send(child.id() as i32, signal);
        pipe.write_all(b"A=ran\n").unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..]),
            (Some(0), &b"ran\n"[..])
        );
    }
}

/// A SIGCHLD is doorkey's own, whoever sends it.
#[test]
fn one_about_children_is_not_forwarded() {
    let place = Place::new();
    let mut receiver = Receiver::start(run(&place, &[]), 1);
    receiver.send(libc::SIGCHLD);
    receiver.send(libc::SIGUSR1);
    assert_eq!(receiver.line(), libc::SIGUSR1.to_string());
    assert_eq!(receiver.end(), (vec![], Some(42)));
}

/// Variables of systemd name the process that was started, which the workload is not.
#[test]
fn variables_with_a_process_name_the_workload() {
    let place = Place::new();
    let script = "echo $LISTEN_PID $WATCHDOG_PID $SYSTEMD_EXEC_PID $OTHER_PID; echo $$ $$ $$ $1; \
                  echo \"$LISTEN_PIDFDID\"";
    let started = |before: &str, init: &str| {
        let start = format!("{before} exec \"$0\" run {init} -- sh -c '{script}' sh $$");
        let mut shell = std::process::Command::new("sh");
        let ended = shell
            .args(["-c", &start, DOORKEY])
            .current_dir(place.path(""))
            .output();
        let text = String::from_utf8(ended.unwrap().stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all =
        "export LISTEN_PID=$$ WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=$$ OTHER_PID=$$ LISTEN_PIDFDID=1;";
    for init in ["--init", ""] {
        let lines = started(all, init);
        assert_eq!(lines[0], lines[1], "{init}");
        assert_eq!(lines[2] == "1", init.is_empty(), "{init}: {lines:?}");
    }
    // Those that name another process stay.
    let others =
        "export LISTEN_PID=1 WATCHDOG_PID=1 SYSTEMD_EXEC_PID=1 OTHER_PID=1 LISTEN_PIDFDID=1;";
    let lines = started(others, "--init");
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("1 1 1 1", "1"));
}
