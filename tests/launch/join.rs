//! What a command gets that `doorkey join` runs beside a workload; `join_refused.rs` has what
//! keeps it from starting, `tests/containers/join.rs` what is found from PID 1.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use support::beside::{VALUE, Workload, join, place, run};
use support::canaries::{Canaries, Random, SEED, held};
use support::trace::{Begin, Tracee};
use support::workload;
use support::{DOORKEY, Run};

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

#[test]
fn the_environment_byte_for_byte() {
    let place = place();
    for init in [false, true] {
        let workload = Workload::start(run(&place), "stay", init);
        let expected = replaced(&workload.environ(), "TERM=canary-term\0", "TERM=own\0");
        let text = String::from_utf8_lossy(&expected);
        assert!(text.contains(&format!("\0DB_PASSWORD={VALUE}\0")) && expected.len() > 100_000);
        for process in [workload.first(), workload.own()] {
            let ended = join(&place, process, &["cat", "/proc/self/environ"]).ok();
            assert!(
                ended.output.stdout == expected,
                "init: {init}, {}",
                ended.out()
            );
            assert_eq!(ended.err(), "");
        }
        // By a variable; nothing is told of the environment at any level.
        let cat = place.doorkey(["join", "--log-level=trace", "cat", "/proc/self/environ"]);
        let variable = cat
            .env("DOORKEY_PID", workload.own().to_string())
            .env("TERM", "own");
        let ended = variable.ok();
        assert!(ended.output.stdout == expected);
        let found = format!(
            "doorkey: debug: the workload is process {}\n",
            workload.own()
        );
        assert_eq!(ended.err(), found);
    }
}

#[test]
fn its_own_term_or_none() {
    let place = place();
    for its in [None, Some("canary-term")] {
        let run = run(&place).without("TERM");
        let run = if let Some(its) = its {
            run.env("TERM", its)
        } else {
            run
        };
        let workload = Workload::start(run, "stay", false);
        let term = |run: Run| run.end().out();
        let own = || join(&place, workload.own(), &["printenv", "TERM"]);
        assert_eq!(term(own()), "own\n");
        assert_eq!(term(own().env("TERM", "")), "\n");
        assert_eq!(term(own().without("TERM")), "");
    }
}

#[test]
fn the_working_directory_is_its_own() {
    let place = place();
    let workload = Workload::start(run(&place).env("DOORKEY_CHDIR", "/usr"), "stay", true);
    let pwd = |options: &[&str]| {
        let run = place.doorkey(["join", "--pid", &workload.first().to_string()]);
        run.args(options).args(["/bin/pwd"])
    };
    let home = place.path("home");
    pwd(&[])
        .dir(&home)
        .gives(0, &format!("{}\n", home.display()), "");
    pwd(&["--chdir", "/etc"]).gives(0, "/etc\n", "");
    let none = "doorkey: error: --chdir: can't enter none: no such file or directory\n";
    pwd(&["--chdir", "none"]).fails(125, none);
}

#[test]
fn exit_codes_and_usage() {
    let place = place();
    let workload = Workload::start(run(&place).env("PATH", place.path("bin")), "stay", false);
    support::executable(&place.path("bin/own"), b"#!/bin/sh\nexit 42\n", 0o755);
    support::executable(&place.path("bin/odd"), b"no program", 0o755);
    let end = |command: &str| join(&place, workload.own(), &[command]).env("PATH", "/bin");
    // Looked for in the workload's PATH.
    assert_eq!(end("own").end().code(), 42);
    end("cat").fails(127, "doorkey: error: cat: command not found\n");
    end("/etc").fails(
        126,
        "doorkey: error: /etc: can't be executed: it is a folder\n",
    );
    let odd = "it is neither a program for this machine nor a script with #!";
    end("odd").fails(
        126,
        &format!("doorkey: error: odd: can't be executed: {odd}\n"),
    );
    for wrong in ["0", "-1", "x", "99999999999", " 1"] {
        let run = place.doorkey(["join", &format!("--pid={wrong}"), "true"]);
        run.fails(
            125,
            "doorkey: error: --pid must be the number of a process\n",
        );
    }
    let missing = "doorkey: error: <COMMAND>... is missing; put it after --\n";
    place.doorkey(["join", "--pid=1"]).fails(125, missing);
}

/// What the filter makes, in memory and in a folder.
#[test]
fn files_of_the_filter() {
    let place = place();
    let tmpfs = std::path::Path::new("/dev/shm").join(place.path("").file_name().unwrap());
    fs::create_dir_all(&tmpfs).unwrap();
    for init in [false, true] {
        for files in [None, Some(&tmpfs)] {
            let run = run(&place).env("OF_FILTER", "secret:db_password|file");
            let run = match files {
                Some(files) => run.env("DOORKEY_FILES", files),
                None => run,
            };
            let workload = Workload::start(run, "stay", init);
            let script = "echo \"$OF_FILTER\"; cat \"$OF_FILTER\"";
            let path = files.map_or("/proc/self/fd/100".into(), |files| files.join("OF_FILTER"));
            let out = format!("{}\n{VALUE}", path.display());
            join(&place, workload.first(), &["sh", "-c", script]).gives(0, &out, "");
        }
    }
    fs::remove_dir_all(&tmpfs).unwrap();
}

#[test]
fn memory_files_are_at_the_same_numbers() {
    let place = place();
    for init in [false, true] {
        let workload = Workload::start(run(&place), "memory-files", init);
        let script = "cat /proc/self/fd/100 /proc/self/fd/101; [ -e /proc/self/fd/102 ]";
        let mut join = join(&place, workload.first(), &["sh", "-c", script]);
        let null = File::open("/dev/null").unwrap();
        let taken = null.as_raw_fd();
        // SAFETY: it takes two numbers; the new process owns its descriptors.
        unsafe {
            join.command.pre_exec(move || {
                nix::errno::Errno::result(libc::dup2(taken, 101))?;
                Ok(())
            });
        }
        let [first, second] = workload::FILES;
        join.env("DOORKEY_LOG_LEVEL", "debug").gives(
            1,
            &format!("{first}{second}"),
            &format!(
                "doorkey: debug: the workload is process {}\n\
                 doorkey: debug: descriptor 100 is the workload's file\n\
                 doorkey: debug: descriptor 101 is the workload's file, in place of another\n",
                workload.own()
            ),
        );
    }
}

/// Signals, mask, descriptors, limits and the rest are what the command finds without doorkey.
#[test]
fn the_command_is_the_process_that_it_would_have_been() {
    let place = place();
    let workload = Workload::start(run(&place).without("TERM"), "stay", true);
    let entries = workload.environ();
    let nothing = || Ok(());
    let ignoring = || {
        for one in [Signal::SIGPIPE, Signal::SIGTERM, Signal::SIGCHLD] {
            // SAFETY: it is no handler.
            unsafe { signal(one, SigHandler::SigIgn) }?;
        }
        Ok(())
    };
    let by_default = || {
        // SAFETY: it is no handler.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.map(drop)
    };
    let blocking = || sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
    let closing = || {
        nix::unistd::close(0)?;
        nix::unistd::close(2)
    };
    let conditions: [&dyn Fn() -> nix::Result<()>; 5] =
        [&nothing, &ignoring, &by_default, &blocking, &closing];
    for (number, prepare) in conditions.into_iter().enumerate() {
        let mut bare = Begin::empty(["/bin/true", "an argument", ""]);
        for entry in entries.split_inclusive(|&byte| byte == 0) {
            bare = bare.entry(&entry[..entry.len() - 1]);
        }
        let process = workload.first().to_string();
        let under = [
            DOORKEY,
            "join",
            "--pid",
            &process,
            "/bin/true",
            "an argument",
            "",
        ];
        let (bare, mut under) = (bare.start(prepare), Begin::new(under).start(prepare));
        under.reach_program();
        assert_eq!(under.inherited(), bare.inherited(), "condition {number}");
        assert_eq!((under.finish(), bare.finish()), (0, 0));
    }
}

/// At the entry of its `execve` doorkey has each value where the kernel takes it from, alone.
#[test]
fn the_environment_is_in_memory_once() {
    let place = place();
    let mut random = Random(SEED);
    let mut canaries = Canaries::default();
    let mut run = place.run(["-q", "--"]);
    for length in [20, 4_000, 60_000] {
        let name = format!("CANARY_{length}");
        let value = random.text(length);
        place.set("team", &name, &value);
        run = run.env(&name, format!("secret:{name}"));
        canaries.needle(&name, &value, &[&name]);
        canaries.variable(&name, "", value);
    }
    let workload = Workload::start(run, "stay", false);
    let process = workload.own().to_string();
    let mut join = Begin::new([DOORKEY, "join", "--pid", &process, "/bin/true"]).start(|| Ok(()));
    let before = held(&join);
    let [_, _, envp] = join.reach_execve();
    canaries.search(join, envp, &before);
}

/// Until the exec nobody of the same user may look into it, and it leaves no core file.
#[test]
fn it_is_concealed_while_it_has_the_environment() {
    let place = place();
    let program = support::executable(&place.path("copy"), &fs::read(DOORKEY).unwrap(), 0o755);
    let mut command = Command::new("sh");
    command.args(["-c", "read line"]).stdin(Stdio::piped());
    let mut workload = command.uid(65534).gid(65534).spawn().unwrap();
    let process = workload.id().to_string();
    while fs::read(format!("/proc/{process}/comm")).unwrap() != b"sh\n" {}
    let mut join = Begin::new([&program, "join", "--pid", &process, "/bin/true"]).start(|| {
        let nobody = 65534;
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(nobody.into())?;
        nix::unistd::setuid(nobody.into())?;
        setrlimit(Resource::RLIMIT_CORE, 4096, 8192)
    });
    let core = |join: &Tracee| {
        let limits = join.read_proc("limits");
        let line = limits.lines().find(|line| line.starts_with("Max core"));
        line.unwrap().contains(" 4096 ")
    };
    assert_eq!((join.proc_owner(), core(&join)), (65534, true));
    loop {
        let (call, arguments) = join.next_call().expect("it reads the environment");
        let is_open = call == libc::SYS_open || call == libc::SYS_openat;
        let path = arguments[usize::from(call == libc::SYS_openat)];
        if is_open && join.memory().string(path).ends_with(b"/environ") {
            break;
        }
    }
    assert_eq!((join.proc_owner(), core(&join)), (0, false));
    join.reach_execve();
    assert_eq!((join.proc_owner(), core(&join)), (0, true));
    assert_eq!(join.finish(), 0);
    drop(workload.stdin.take());
    workload.wait().unwrap();
}
