//! The supervisor of `run --init` holds no secret, at no time: not what the other process reads, and
//! not what it was itself started with. It holds nothing else either that it does not need.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Pid, mkfifo};
use support::strays::{Needle, strays};
use support::trace;
use support::trace::Memory;
use support::{Place, Run};

const VALUE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";
const INHERITED: &str = "Jd7Nf3Bp5Gw0Xe2Ku9Ta";

/// A store with a value in it, a pipe that an environment is read from, and doorkey's key.
fn place() -> (Place, String) {
    support::default_signals();
    let place = Place::with_store();
    place.set("team", "name", VALUE);
    mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let file = fs::read_to_string(place.path("home/.config/doorkey/key.txt")).unwrap();
    let key = file
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-1"));
    (place, key.unwrap().to_owned())
}

/// `doorkey run --init` that has its key and more in variables.
fn run(place: &Place, key: &str, options: &[&str], script: &str) -> Run {
    let run = place.run(["--init", "-q", "--env-file", "pipe", "--literal=LITERAL"]);
    run.args(options)
        .args(["--", "sh", "-c", script])
        .env("DOORKEY_KEY", key)
        .env("INHERITED", INHERITED)
        .env("A", "secret:name")
        .env("B", "${secret:name}")
}

/// Waits until somebody reads from the pipe; what is returned keeps it reading.
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

/// Waits until a file is there.
fn wait_for(place: &Place, file: &str) {
    while !place.path(file).exists() {
        std::thread::yield_now();
    }
}

fn proc(child: &Child, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Searches all that the supervisor can read.
#[track_caller]
fn holds_nothing(child: &Child, key: &str) {
    let needle = |label: &str, text: &str| Needle {
        label: label.to_owned(),
        bytes: text.as_bytes().to_vec(),
        variables: vec![],
    };
    let needles = [
        needle("the value", VALUE),
        needle("an inherited variable", INHERITED),
        // What each key begins with is in the program itself.
        needle("the key", key.strip_prefix("AGE-SECRET-KEY-1").unwrap()),
    ];
    let memory = Memory::of(Pid::from_raw(child.id() as i32));
    assert!(
        memory
            .mappings
            .iter()
            .any(|mapping| mapping.name.contains("[stack]"))
    );
    let found = strays(&memory, &needles, &BTreeMap::new());
    assert!(found.is_empty(), "{}", found.join("\n"));
    let environ = fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    assert!(environ.len() > 100 && environ.iter().all(|&byte| byte == 0));
}

#[test]
fn before_during_and_after_the_workload() {
    let (place, key) = place();
    let script = "[ \"$A$B$INHERITED\" ] && touch began; until [ -e go ]; do sleep 0.01; done; \
                  setsid bash -c 'trap \"touch asked\" TERM; touch left; while [ -e left ]; do sleep 0.01; done' \
                  >/dev/null 2>&1 </dev/null & until [ -e left ]; do sleep 0.01; done; exit 5";
    let mut child = run(&place, &key, &["--grace=1h"], script)
        .command
        .spawn()
        .unwrap();
    let pipe = reading(&place);
    // The environment is overwritten when the other process is already there.
    while !proc(&child, "comm").starts_with("doorkey:") {
        std::thread::yield_now();
    }
    holds_nothing(&child, &key);
    drop(pipe);
    wait_for(&place, "began");
    holds_nothing(&child, &key);
    place.write("go", "");
    wait_for(&place, "asked");
    holds_nothing(&child, &key);
    fs::remove_file(place.path("left")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn what_the_supervisor_keeps() {
    let (place, key) = place();
    let mut run = run(&place, &key, &[], "touch began; exec sleep 1000");
    let inherited = File::open("/dev/zero").unwrap();
    // SAFETY: between fork and exec it makes system calls only.
    unsafe {
        run.command.pre_exec(move || {
            let from = std::os::fd::AsRawFd::as_raw_fd(&inherited);
            // SAFETY: it takes no pointer.
            libc::dup2(from, 77);
            setrlimit(Resource::RLIMIT_CORE, 4096, 8192).map_err(Into::into)
        });
    }
    let mut child = run.command.stdin(Stdio::null()).spawn().unwrap();
    drop(reading(&place));
    wait_for(&place, "began");
    let below = proc(&child, &format!("task/{}/children", child.id()));
    assert_eq!(
        proc(&child, "comm").trim(),
        format!("doorkey:{}", below.trim())
    );
    let link = |process: &str, link: &str| fs::read_link(format!("/proc/{process}/{link}"));
    assert_eq!(
        link(&child.id().to_string(), "cwd").unwrap().to_str(),
        Some("/")
    );
    assert_eq!(
        link(below.trim(), "fd/77").unwrap().to_str(),
        Some("/dev/zero")
    );
    // The last one is closed when the workload has begun.
    let descriptors = || {
        let entries = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    while descriptors() != ["0", "1", "2"] {
        std::thread::yield_now();
    }
    let limits = proc(&child, "limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"));
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = nix::sys::signal::kill(
        Pid::from_raw(below.trim().parse().unwrap()),
        nix::sys::signal::SIGKILL,
    );
}

/// As another user, whose processes are that user's as long as they are dumpable.
#[test]
fn neither_process_is_dumpable() {
    let (place, key) = place();
    let run = run(
        &place,
        &key,
        &[],
        "touch home/began; while [ -e home/began ]; do sleep 0.01; done",
    );
    nix::unistd::chown(&place.path("home"), Some(65534.into()), None).unwrap();
    let mut run = run.unprivileged(&place);
    let mut child = run.command.spawn().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(place.path("pipe"), mode).unwrap();
    let pipe = reading(&place);
    let owner = |process: &str| fs::metadata(format!("/proc/{process}/mem")).unwrap().uid();
    let below = proc(&child, &format!("task/{}/children", child.id()));
    while !proc(&child, "comm").starts_with("doorkey:") {
        std::thread::yield_now();
    }
    assert_eq!(
        (owner(&child.id().to_string()), owner(below.trim())),
        (0, 0)
    );
    drop(pipe);
    wait_for(&place, "home/began");
    assert_eq!(
        (owner(&child.id().to_string()), owner(below.trim())),
        (0, 65534)
    );
    fs::remove_file(place.path("home/began")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A core is asked for where the limit allows one.
#[test]
fn no_core_is_dumped() {
    let (place, key) = place();
    let mut run = run(
        &place,
        &key,
        &[],
        "touch began; while [ -e began ]; do sleep 0.01; done",
    );
    // SAFETY: between fork and exec it makes one system call.
    unsafe {
        run.command
            .pre_exec(|| setrlimit(Resource::RLIMIT_CORE, u64::MAX, u64::MAX).map_err(Into::into));
    }
    let mut child = run.command.spawn().unwrap();
    drop(reading(&place));
    wait_for(&place, "began");
    let status = loop {
        // The first one is for the standard library, which looks for a stack that is full.
        let _ = nix::sys::signal::kill(Pid::from_raw(child.id() as i32), nix::sys::signal::SIGSEGV);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(
        (status.signal(), status.core_dumped()),
        (Some(libc::SIGSEGV), false)
    );
}

#[test]
fn an_idle_supervisor_does_not_wake() {
    let (place, key) = place();
    let mut child = run(&place, &key, &[], "touch began; sleep 1000")
        .command
        .spawn()
        .unwrap();
    drop(reading(&place));
    wait_for(&place, "began");
    let supervisor = Pid::from_raw(child.id() as i32);
    trace::stays_asleep(supervisor);
    nix::sys::signal::kill(supervisor, nix::sys::signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
