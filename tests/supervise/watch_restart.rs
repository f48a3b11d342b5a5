//! `run --watch`: a restart, whatever the workload does, and whatever comes in between.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::watched::{SAYS, Watched, lives, plain, put, until, watch};
use support::{DOORKEY, Place, Run};

/// Ignores TERM.
const STUBBORN: &str = "trap '' TERM; echo \"began $A\"; exec sleep 1000";

/// Leaves a process in a session of its own, whose number is in `left`, and which ends at once
/// or, with a stubborn workload, ignores TERM; says whether that of the last launch is gone.
fn leaving(stubborn: bool) -> String {
    let trap = if stubborn { "trap '' TERM; " } else { "" };
    format!(
        "{trap}[ -e left ] && {{ kill -0 $(cat left) 2>/dev/null && echo there || echo gone; }}; rm -f left; \
         setsid sh -c 'echo $$ >new; mv new left; exec sleep 1000' >/dev/null 2>&1 </dev/null & \
         until [ -e left ]; do sleep 0.01; done; echo \"began $A\"; exec sleep 1000"
    )
}

/// The process that was left.
fn left(place: &Place) -> i32 {
    let text = fs::read_to_string(place.path("left")).unwrap();
    text.trim().parse().unwrap()
}

fn kill(process: i32) {
    // SAFETY: it takes no pointer.
    unsafe { libc::kill(process, libc::SIGKILL) };
}

/// The process that is the workload.
fn workload(watched: &Watched) -> i32 {
    loop {
        // The supervisor may not have had the processor since.
        let name = watched.proc("comm");
        if let Some(number) = name.trim().strip_prefix("doorkey:") {
            return number.parse().unwrap();
        }
        std::thread::yield_now();
    }
}

/// As PID 1 of a namespace of its own, with its own /proc.
fn first(place: &Place, options: &[&str], script: &str) -> Run {
    let mut run = watch(place, options, script);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", DOORKEY]);
    command
        .args(run.command.get_args())
        .current_dir(place.path(""));
    run.command = command;
    run
}

/// PID 1 of the namespace, as it is known here.
fn inside(watched: &Watched) -> i32 {
    let mut found = None;
    until("unshare has forked", || {
        found = watched.children().first().copied();
        found.is_some()
    });
    found.unwrap()
}

fn refresh(process: i32) {
    // SAFETY: it takes no pointer.
    unsafe { libc::kill(process, libc::SIGUSR2) };
}

#[test]
fn one_that_ignores_its_end_is_killed() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(watch(&place, &["--grace=100ms"], STUBBORN), "began one");
    for round in 0..3 {
        put(&place, "a", &format!("{round}"));
        watched.refresh();
        watched.restarts("A", &format!("began {round}"));
    }
    kill(workload(&watched));
    watched.ends(137);
}

#[test]
fn what_it_leaves_is_gone_before_the_next() {
    for (stubborn, grace) in [(false, "1h"), (true, "100ms"), (true, "0")] {
        let place = plain(&[("a", "one")]);
        let grace = format!("--grace={grace}");
        let script = leaving(stubborn);
        let mut watched = Watched::began(watch(&place, &[&grace], &script), "began one");
        for round in 0..3 {
            put(&place, "a", &format!("{round}"));
            watched.refresh();
            watched.restarts("A", "gone");
            watched.shows(&format!("began {round}"));
        }
        kill(workload(&watched));
        let left = left(&place);
        watched.ends(137);
        until("it is gone", || !lives(left));
    }
}

#[test]
fn as_the_first_process_too() {
    for (stubborn, grace) in [(false, "1h"), (true, "100ms")] {
        let place = plain(&[("a", "one")]);
        let grace = format!("--grace={grace}");
        let run = first(&place, &[&grace], &leaving(stubborn));
        let mut watched = Watched::began(run, "began one");
        let first = inside(&watched);
        // One who came from outside is not the workload's.
        let number = first.to_string();
        let enter = ["-t", &number, "--pid", "--mount", "sleep", "1000"];
        let mut guest = Command::new("nsenter").args(enter).spawn().unwrap();
        let inside = format!("/proc/{0}/task/{0}/children", guest.id());
        until("it is inside", || {
            !fs::read_to_string(&inside).unwrap().is_empty()
        });
        for round in 0..3 {
            put(&place, "a", &format!("{round}"));
            refresh(first);
            watched.restarts("A", "gone");
            watched.shows(&format!("began {round}"));
        }
        assert!(guest.try_wait().unwrap().is_none());
        kill(first);
        watched.end();
        guest.wait().unwrap();
    }
}

#[test]
fn one_that_is_stopped_ends() {
    let place = plain(&[("a", "one")]);
    let mut watched = Watched::began(watch(&place, &[], SAYS), "began one");
    // SAFETY: it takes no pointer.
    unsafe { libc::kill(workload(&watched), libc::SIGSTOP) };
    put(&place, "a", "two");
    watched.refresh();
    watched.restarts("A", "began two");
    watched.stop();
}

#[test]
fn its_end_is_the_signal_that_it_is_mapped_to() {
    let place = plain(&[("a", "one")]);
    let script =
        "trap : TERM; trap 'echo INT; exit 0' INT; echo \"began $A\"; while :; do sleep 0.01; done";
    for options in [
        &["--signal-map=TERM:INT"][..],
        &["--signal-map=TERM:INT", "--signal-group"],
    ] {
        put(&place, "a", "one");
        let mut watched = Watched::began(watch(&place, options, script), "began one");
        put(&place, "a", "two");
        watched.refresh();
        watched.restarts("A", "INT");
        watched.shows("began two");
        watched.send(15);
        assert_eq!(watched.end(), (0, vec![], vec!["INT".to_owned()]));
    }
}

/// A launch that hangs as an environment's file does not end: what must be a file is a pipe now.
fn hanging(place: &Place, options: &[&str], script: &str) -> Watched {
    place.write("file.env", "F=1\n");
    let options = [&["--env-file=file.env"], options].concat();
    let watched = Watched::began(watch(place, &options, script), "began one");
    mkfifo(&place.path("pipe"), Mode::S_IRWXU).unwrap();
    fs::rename(place.path("pipe"), place.path("file.env")).unwrap();
    watched
}

/// The process that fetches.
fn fetching(watched: &Watched) -> i32 {
    let own = workload(watched);
    let mut found = None;
    until("it fetches", || {
        found = watched.children().into_iter().find(|&one| one != own);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn it_ends_by_itself_while_secrets_are_fetched() {
    let place = plain(&[("a", "one")]);
    let script = "echo \"began $A\"; until [ -e go ]; do sleep 0.01; done; exit 9";
    let watched = hanging(&place, &[], script);
    watched.refresh();
    let fetching = fetching(&watched);
    place.write("go", "");
    watched.ends(9);
    until("nobody fetches any more", || !lives(fetching));
}

#[test]
fn it_is_told_to_end_while_secrets_are_fetched() {
    let place = plain(&[("a", "one")]);
    let watched = hanging(&place, &[], SAYS);
    watched.refresh();
    let fetching = fetching(&watched);
    watched.stop();
    until("nobody fetches any more", || !lives(fetching));
}

#[test]
fn a_fetch_that_hangs_gives_up() {
    let place = plain(&[("a", "one")]);
    let mut watched = hanging(&place, &["--timeout=300ms"], SAYS);
    watched.refresh();
    watched.refresh();
    let line = "error: gave up after 300ms (--timeout); the command goes on: a file that was named \
                did not answer";
    watched.says(line);
    place.write("file.env.new", "F=1\n");
    fs::rename(place.path("file.env.new"), place.path("file.env")).unwrap();
    put(&place, "a", "two");
    watched.refresh();
    let mut next = watched.saying();
    // The second one who asked may have come in between.
    if next.ends_with(line) {
        next = watched.saying();
    }
    assert_eq!(next, "doorkey: secrets can be fetched again");
    watched.restarts("A", "began two");
    watched.stop();
}

#[test]
fn a_fetch_may_take_longer_than_the_interval() {
    let place = plain(&[("a", "one")]);
    place.write("file.env", "F=1\n");
    let script = format!("{SAYS} # $F");
    let run = place.doorkey([
        "run",
        "--store=dir:plain",
        "-eA=secret:a",
        "--env-file=file.env",
    ]);
    let run = run.args(["--watch=100ms", "--timeout=1h", "--", "sh", "-c", &script]);
    let mut watched = Watched::began(run, "began one");
    mkfifo(&place.path("pipe"), Mode::S_IRWXU).unwrap();
    fs::rename(place.path("pipe"), place.path("file.env")).unwrap();
    // It is opened as soon as somebody reads.
    let mut pipe = OpenOptions::new()
        .write(true)
        .open(place.path("file.env"))
        .unwrap();
    place.write("file.env.new", "F=1\n");
    fs::rename(place.path("file.env.new"), place.path("file.env")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(
        watched.children().len(),
        2,
        "one fetches, and no second one"
    );
    put(&place, "a", "two");
    pipe.write_all(b"F=1\n").unwrap();
    drop(pipe);
    // That one fails, as what it reads from is a pipe.
    let line = watched.saying();
    assert!(
        line.contains("file.env") || line.contains("changed: A"),
        "{line}"
    );
    watched.send(15);
    assert_eq!(watched.end().0, 143);
}

/// What changes while the workload ends is in the next one, and is no change after that.
#[test]
fn a_change_in_between() {
    let place = plain(&[("a", "one"), ("b", "1")]);
    let script = "trap 'printf three >new; mv new plain/a; exit 0' TERM; echo \"began $A\"; \
                  while :; do sleep 0.01; done";
    let mut watched = Watched::began(watch(&place, &["-eB=secret:b"], script), "began one");
    put(&place, "a", "two");
    watched.refresh();
    watched.restarts("A", "began three");
    watched.fetches();
    put(&place, "b", "2");
    watched.refresh();
    watched.restarts("B", "began three");
    watched.stop_with(0);
}

/// Who asks while the workload ends hears of the next one.
#[test]
fn asked_while_it_ends() {
    let place = plain(&[("a", "one")]);
    let script = "trap 'echo ending; until [ -e go ]; do sleep 0.01; done; rm go; exit 0' TERM; \
                  echo \"began $A\"; while :; do sleep 0.01; done";
    let mut watched = Watched::began(watch(&place, &["--grace=1h"], script), "began one");
    put(&place, "a", "two");
    watched.refresh();
    watched.shows("ending");
    for _ in 0..100 {
        watched.refresh();
        assert!(watched.children().len() <= 1);
    }
    place.write("go", "");
    watched.restarts("A", "began two");
    watched.settles();
    place.write("go", "");
    watched.send(15);
    assert_eq!(watched.end(), (0, vec![], vec!["ending".to_owned()]));
}

#[test]
fn told_to_end_while_it_ends() {
    for signal in [1, 2, 3, 15] {
        let place = plain(&[("a", "one")]);
        let script = "trap 'trap \"\" TERM; echo ending; until [ -e go ]; do sleep 0.01; done; exit 7' TERM; \
                      trap '' HUP INT QUIT; echo \"began $A\"; while :; do sleep 0.01; done";
        let mut watched = Watched::began(watch(&place, &["--grace=1h"], script), "began one");
        put(&place, "a", "two");
        watched.refresh();
        watched.says("changed: A; the command is launched anew");
        watched.shows("ending");
        watched.send(signal);
        place.write("go", "");
        watched.ends(7);
    }
}

#[test]
fn told_to_end_while_the_rest_does_not() {
    let place = plain(&[("a", "one")]);
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ >left; exec sleep 1000' >/dev/null 2>&1 & \
                  until [ -s left ]; do sleep 0.01; done; echo \"began $A\"; exec sleep 1000";
    let mut watched = Watched::began(watch(&place, &[], script), "began one");
    let before = workload(&watched);
    put(&place, "a", "two");
    watched.refresh();
    watched.says("changed: A; the command is launched anew");
    until("the workload has ended", || !lives(before));
    watched.send(15);
    watched.ends(143);
    kill(left(&place));
}

/// Someone who is just told to end is not launched anew; who stays is watched on.
#[test]
fn a_change_after_it_was_told_to_end() {
    let place = plain(&[("a", "one")]);
    let script = "trap 'echo ending; until [ -e go ]; do sleep 0.01; done; exit 7' TERM; \
                  echo \"began $A\"; while :; do sleep 0.01; done";
    let run = |options: &[&str], script: &str| {
        let run = place.doorkey(["run", "--store=dir:plain", "-eA=secret:a", "--watch=100ms"]);
        run.args(options).args(["--", "sh", "-c", script])
    };
    let mut watched = Watched::began(run(&["--grace=1h"], script), "began one");
    watched.send(15);
    watched.shows("ending");
    put(&place, "a", "two");
    std::thread::sleep(Duration::from_millis(500));
    place.write("go", "");
    watched.ends(7);
    let mut watched = Watched::began(run(&["--grace=200ms"], STUBBORN), "began two");
    watched.send(15);
    put(&place, "a", "three");
    watched.restarts("A", "began three");
    kill(workload(&watched));
    watched.ends(137);
}

/// At whatever moment of a restart it is told to end: it does, and nothing is left.
#[test]
fn told_to_end_at_any_moment() {
    let (signals, rounds) = ([15, 2, 3, 1], 240);
    for round in 0..rounds {
        let place = plain(&[("a", "one")]);
        let mark = place.path("").display().to_string();
        let script = format!("echo \"began $A\"; exec sleep 1000 # {mark}");
        let watched = Watched::began(watch(&place, &[], &script), "began one");
        put(&place, "a", "two");
        watched.refresh();
        let moment = Instant::now();
        while moment.elapsed() < Duration::from_micros(25 * round) {
            std::hint::spin_loop();
        }
        let signal = signals[round as usize % signals.len()];
        watched.send(signal);
        let (code, _, shown) = watched.end();
        // By its own code, where it has ended of the restart.
        assert!([143, 128 + signal].contains(&code), "round {round}: {code}");
        assert!(shown.len() <= 1, "round {round}: {shown:?}");
        let left = processes_with(&mark);
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
}

/// The command lines that contain a text, but for those of processes that have ended.
fn processes_with(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.contains(text)).collect()
}
