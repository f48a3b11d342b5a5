//! What keeps `doorkey join` from running anything: a workload that can't be told, has not started,
//! may not be looked into, has written over its environment, or ends meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::unistd::mkfifo;
use support::beside::{VALUE, Workload, join, place, run};
use support::trace::Begin;
use support::{DOORKEY, Place};

#[test]
fn an_environment_that_was_overwritten_is_refused() {
    let place = place();
    for (more, refused) in [
        (-2, false),
        (-1, true),
        (-3, true),
        (1, true),
        (7, true),
        (200, true),
    ] {
        let workload = Workload::start(run(&place), &format!("title:{more}"), false);
        let end = join(&place, workload.own(), &["printenv", "DB_PASSWORD"]);
        if refused {
            let said = format!(
                "doorkey: error: process {}: it has written over its environment, as programs do that change their title; name one of the workload that has not, with --pid\n",
                workload.own()
            );
            end.fails(125, &said);
        } else {
            end.gives(0, &format!("{VALUE}\n"), "");
        }
    }
}

/// Waits until doorkey reads from the pipe; what is returned keeps it reading.
fn reading(place: &Place) -> File {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    loop {
        match options.open(place.path("pipe")) {
            Ok(pipe) => return pipe,
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[test]
fn a_workload_that_has_not_started() {
    let place = place();
    mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Under another name as well; a supervisor's even where it is another program.
    let (link, copy) = (place.path("link"), place.path("copy"));
    std::os::unix::fs::symlink(DOORKEY, &link).unwrap();
    support::executable(&copy, &fs::read(DOORKEY).unwrap(), 0o755);
    let own = Path::new(DOORKEY);
    for (init, program) in [(false, own), (false, &link), (true, own), (true, &copy)] {
        let run = run(&place).env("DOORKEY_ENV_FILE", "pipe");
        let mut command = Command::new(program);
        command.arg("run").args(init.then_some("--init")).args([
            "-q",
            "--store=age:secrets",
            "cat",
        ]);
        let set = |(name, value): (_, Option<_>)| Some((name, value?));
        command
            .env_clear()
            .envs(run.command.get_envs().filter_map(set));
        command.current_dir(place.path("")).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pipe = reading(&place);
        let mut workload = child.id().to_string();
        while init && workload == child.id().to_string() {
            let name = fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
            if let Some(number) = name.trim().strip_prefix("doorkey:") {
                workload = number.to_owned();
            }
        }
        let said = format!(
            "doorkey: error: process {workload}: the workload has not started yet, doorkey is still fetching its secrets; try again\n"
        );
        for process in [child.id().to_string(), workload] {
            join(&place, process.parse().unwrap(), &["true"]).fails(125, &said);
        }
        drop(pipe);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn nobody_who_may_not_look() {
    let place = place();
    for init in [false, true] {
        let workload = Workload::start(run(&place), "memory-files", init);
        let join = join(&place, workload.first(), &["echo", "it runs"]);
        let said = format!(
            "doorkey: error: process {}: the kernel's ptrace check keeps its environment from this process; join as its own user 0:0 and with its capabilities (docker exec --user 0:0), or with CAP_SYS_PTRACE\n",
            workload.own()
        );
        join.unprivileged(&place).fails(125, &said);
    }
}

#[test]
fn no_workload() {
    let place = place();
    let absent =
        |process| format!("doorkey: error: process {process}: there is none, or it has ended\n");
    join(&place, i32::MAX, &["true"]).fails(125, &absent(i32::MAX));
    let mut ended = Command::new("true").spawn().unwrap();
    let number = ended.id().try_into().unwrap();
    let stat = || fs::read_to_string(format!("/proc/{number}/stat")).unwrap();
    while !stat().contains(") Z ") {}
    join(&place, number, &["true"]).fails(125, &absent(number));
    ended.wait().unwrap();

    // Without a /proc, and with that of another namespace.
    let workload = Workload::start(run(&place), "stay", false);
    for script in [
        "mount -t tmpfs none /proc && exec",
        "exec unshare --pid --fork",
    ] {
        let script = format!("{script} \"$0\" join --pid {} -- true", workload.own());
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, DOORKEY]);
        let ended = command.output().unwrap();
        let said = "doorkey: error: there is no /proc that shows this process, so the workload can't be looked for; mount one\n";
        assert_eq!(
            (
                ended.status.code(),
                String::from_utf8_lossy(&ended.stderr).as_ref()
            ),
            (Some(125), said)
        );
    }
}

/// What the workload comes to while it is read.
#[test]
fn a_workload_that_ends_or_changes_meanwhile() {
    let place = place();
    // In the middle of an exec there is a moment without any environment.
    for ends in [&[true][..], &[false; 8]].concat() {
        let mut run = place.run(["-q", "--", "sh", "-c", "read line; exec sleep 1000"]);
        let mut workload = run
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let number = workload.id();
        let is_called = |name: &str| {
            let comm = fs::read_to_string(format!("/proc/{number}/comm")).unwrap();
            comm == format!("{name}\n")
        };
        while !is_called("sh") {}
        let stderr = File::create(place.path("stderr")).unwrap();
        let arguments = [DOORKEY, "join", "--pid", &number.to_string(), "true"];
        let mut join = Begin::new(arguments).start(|| {
            // SAFETY: it takes two numbers; the new process owns its descriptors.
            nix::errno::Errno::result(unsafe { libc::dup2(stderr.as_raw_fd(), 2) }).map(drop)
        });
        let environ = format!("/proc/{number}/environ");
        loop {
            let (call, arguments) = join.next_call().expect("it reads the environment");
            let path = match call {
                libc::SYS_open => arguments[0],
                libc::SYS_openat => arguments[1],
                _ => continue,
            };
            if join.memory().string(path) == environ.as_bytes() {
                break;
            }
        }
        // It is open with the next call.
        join.next_call().unwrap();
        if ends {
            workload.kill().unwrap();
            workload.wait().unwrap();
        } else {
            drop(workload.stdin.take());
            while !is_called("sleep") {}
        }
        let code = join.finish();
        let _ = workload.kill();
        workload.wait().unwrap();
        assert_eq!(code, 125);
        let said = fs::read_to_string(place.path("stderr")).unwrap();
        let what = match ends {
            true => "there is none, or it has ended",
            false => "it has ended or become another program meanwhile; try again",
        };
        assert_eq!(said, format!("doorkey: error: process {number}: {what}\n"));
    }
}

/// Starts a command that ends with its standard input, and waits until it has said so often that
/// it is ready.
fn started(command: &mut Command, ready: usize) -> (Child, i32) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = vec![0; 6 * ready];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut said)
        .unwrap();
    assert_eq!(said, b"ready\n".repeat(ready));
    let number = child.id().try_into().unwrap();
    (child, number)
}

/// The init of others is left for its child, where it has one alone.
#[test]
fn which_child_of_an_init() {
    let place = place();
    let shell = fs::read("/bin/sh").unwrap();
    let init = support::executable(&place.path("tini"), &shell, 0o755);
    let server = format!("A={VALUE} sh -c 'echo ready; read line <&3' & ");
    for children in [1, 0, 2] {
        let script = format!(
            "exec 3<&0; {}echo ready; read line",
            server.repeat(children)
        );
        let (child, number) = started(Command::new(&init).args(["-c", &script]), children + 1);
        let join = join(&place, number, &["printenv", "A"]);
        if children == 1 {
            join.gives(0, &format!("{VALUE}\n"), "");
        } else {
            let said = format!(
                "doorkey: error: process {number} is tini, with {children} children: it can't be told which of them is the workload; name it with --pid\n"
            );
            join.fails(125, &said);
        }
        child.wait_with_output().unwrap();
    }
}

/// A supervisor that outlives its workload, in its grace, has none.
#[test]
fn a_supervisor_whose_workload_has_ended() {
    let place = place();
    let script = "trap '' TERM; exec 3<&0; (echo ready; read line <&3) & exit";
    let mut command = Command::new(DOORKEY);
    command.args(["run", "-q", "--init", "--grace=1000s", "sh", "-c", script]);
    let (child, number) = started(&mut command, 1);
    let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap();
    let workload = name.trim().strip_prefix("doorkey:").unwrap();
    while fs::exists(format!("/proc/{workload}")).unwrap() {}
    let said = format!(
        "doorkey: error: process {number} is doorkey, but its workload {workload} is not below it in this /proc, or has ended; name it with --pid\n"
    );
    join(&place, number, &["true"]).fails(125, &said);
    child.wait_with_output().unwrap();
}
