//! What `run` can change of the workload's process, with and without `--init`.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use support::{DOORKEY, Place, Run};

/// What a shell prints with these options: the same with and without `--init`.
#[track_caller]
fn prints(place: &Place, options: &[&str], script: &str, expected: &str) {
    for init in [&[][..], &["--init"]] {
        let run = place.doorkey(["run"]).args(init).args(options);
        run.args(["--", "sh", "-c", script]).gives(0, expected, "");
    }
}

/// What is said, once and before anything is fetched, of options that can't be put in force.
#[track_caller]
fn is_refused(run: impl Fn() -> Run, options: &[&str], message: &str) {
    for init in [&[][..], &["--init"]] {
        // The store that is not there is not even looked for.
        let run = run()
            .args(["-e", "A=secret:a", "--store", "age:none"])
            .args(init);
        let run = run.args(options).args(["--", "true"]);
        run.fails(125, &format!("doorkey: error: {message}\n"));
    }
}

const WHO: &str = "id -u; id -g; id -G; echo $HOME; grep -E '^(Uid|Gid|CapEff)' /proc/self/status";

fn who(uid: u32, gid: u32, groups: &str, home: &str) -> String {
    let four = |id: u32| vec![id.to_string(); 4].join("\t");
    let none = "0000000000000000";
    format!(
        "{uid}\n{gid}\n{groups}\n{home}\nUid:\t{}\nGid:\t{}\nCapEff:\t{none}\n",
        four(uid),
        four(gid)
    )
}

#[test]
fn another_user() {
    let place = Place::new();
    let home = place.path("home").display().to_string();
    // As Debian has them: nobody, mail and its group 8, games (5, group 60).
    for (user, expected) in [
        ("nobody", who(65534, 65534, "65534", "/nonexistent")),
        ("65534:65534", who(65534, 65534, "65534", "/nonexistent")),
        ("games", who(5, 60, "60", "/usr/games")),
        ("games:mail", who(5, 8, "8", "/usr/games")),
        ("5:1234", who(5, 1234, "1234", "/usr/games")),
        ("12345", who(12345, 12345, "12345", &home)),
    ] {
        prints(&place, &["--user", user], WHO, &expected);
    }
    // What the user's own folder is can still be said otherwise.
    prints(
        &place,
        &["--user=games", "-e", "HOME=/other"],
        "echo $HOME",
        "/other\n",
    );
    is_refused(
        || place.doorkey(["run"]),
        &["--user", "no-such-user"],
        "--user names the user no-such-user, not found in /etc/passwd; a number needs no entry",
    );
    is_refused(
        || place.doorkey(["run"]),
        &["--user", "0:no-such-group"],
        "--user names the group no-such-group, not found in /etc/group; a number needs no entry",
    );
}

/// With files of its own, in a namespace: groups that list the user, and none of ours.
#[test]
fn further_groups_are_those_that_list_the_user() {
    let place = Place::new();
    let passwd = place.write(
        "passwd",
        "root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n",
    );
    let group = place.write(
        "group",
        "web:x:1001:\nlog:x:40:web,root\naudio:x:29:web\nother:x:7:root\n",
    );
    let script = format!(
        "mount --bind {} /etc/passwd; mount --bind {} /etc/group; exec \"$0\" \"$@\"",
        passwd.display(),
        group.display()
    );
    for init in ["--init", "-q"] {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "setpriv",
            "--groups=7,29",
            "sh",
            "-c",
            &script,
            DOORKEY,
            "run",
            init,
        ]);
        command.args(["--user", "web", "sh", "-c", "id -u; id -G"]);
        let output = command.output().unwrap();
        let found = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(found, ("1000\n1001 29 40\n".to_owned(), String::new()));
    }
}

#[test]
fn who_may_not_become_another_user_is_told() {
    let place = Place::new();
    let run = || place.doorkey(["run"]).unprivileged(&place);
    is_refused(
        run,
        &["--user", "root"],
        "can't become the user root: operation not permitted",
    );
    is_refused(
        run,
        &["--user", "65534:1"],
        "can't become the user 65534:1: operation not permitted",
    );
    // Who is that user already needs no right.
    for init in ["--init", "-q"] {
        run()
            .args([init, "--user", "65534:65534", "id", "-u"])
            .gives(0, "65534\n", "");
    }
}

/// The key is read as whoever starts doorkey, the command is looked for as the other user.
#[test]
fn the_key_stays_out_of_the_user_s_reach() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    for init in ["--init", "-q"] {
        let run = place.run([
            init,
            "--log-level=warn",
            "--user",
            "nobody",
            "-e",
            "A=secret:a",
        ]);
        let run = run.args([
            "sh",
            "-c",
            "echo $A; cat home/.config/doorkey/key.txt 2>/dev/null || echo denied",
        ]);
        run.gives(0, "value\ndenied\n", "");
    }
    support::executable(&place.path("own"), b"#!/bin/sh\necho ran\n", 0o700);
    std::fs::set_permissions(place.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let ended = place.doorkey(["run", "--user", "nobody", "./own"]);
    ended.fails(
        126,
        "doorkey: error: ./own: can't be executed: permission denied\n",
    );
}

#[test]
fn everything_else() {
    let place = Place::new();
    place.write("below/file", "");
    prints(
        &place,
        &["--no-new-privs"],
        "grep NoNewPrivs /proc/self/status",
        "NoNewPrivs:\t1\n",
    );
    prints(
        &place,
        &[],
        "grep NoNewPrivs /proc/self/status",
        "NoNewPrivs:\t0\n",
    );
    prints(&place, &["--umask", "0137"], "umask", "0137\n");
    let below = place.path("below").display().to_string();
    prints(
        &place,
        &["--chdir", "below"],
        "pwd; ls",
        &format!("{below}\nfile\n"),
    );
    prints(
        &place,
        &["--argv0", "other"],
        "tr '\\0' ' ' </proc/$$/cmdline | cut -d' ' -f1-2",
        "other -c\n",
    );
    prints(&place, &["--nice", "3"], "nice", "3\n");
    prints(&place, &["--nice", "-3"], "nice", "-3\n");
    prints(
        &place,
        &["--rlimit", "nofile=100:200"],
        "ulimit -Sn; ulimit -Hn",
        "100\n200\n",
    );
    let both = ["--rlimit=core=0:unlimited", "--rlimit", "CPU=50"];
    prints(
        &place,
        &both,
        "ulimit -Sc; ulimit -Hc; ulimit -t",
        "0\nunlimited\n50\n",
    );
    // A command without a folder is looked for in PATH still, one with a folder from the new one.
    support::executable(&place.path("below/own"), b"#!/bin/sh\necho ran\n", 0o755);
    place
        .doorkey(["run", "--chdir", "below", "./own"])
        .gives(0, "ran\n", "");
    for (options, message) in [
        (
            &["--umask", "8"][..],
            "--umask must be octal, from 0 to 777",
        ),
        (&["--umask", "1000"], "--umask must be octal, from 0 to 777"),
        (
            &["--nice", "much"],
            "--nice must be a number from -40 to 40",
        ),
        (
            &["--rlimit", "nofile"],
            "--rlimit must be NAME=SOFT:HARD, such as nofile=1024:4096",
        ),
        (
            &["--rlimit", "files=1"],
            "--rlimit must name a limit: nofile, nproc, core, stack, memlock, as …",
        ),
        (
            &["--rlimit", "core=2:1"],
            "--rlimit must not have a SOFT above its HARD",
        ),
        (
            &["--chdir", "none"],
            "--chdir: can't enter none: no such file or directory",
        ),
        (
            &["--chdir", "below/file"],
            "--chdir: can't enter below/file: not a directory",
        ),
        (
            &["--parent-death-signal", "none"],
            "--parent-death-signal must be a signal, such as TERM",
        ),
    ] {
        is_refused(|| place.doorkey(["run"]), options, message);
    }
}

#[test]
fn who_may_not_raise_a_limit_is_told() {
    let place = Place::new();
    let run = || {
        let mut run = place.doorkey(["run"]).unprivileged(&place);
        // SAFETY: between fork and exec it makes one system call.
        unsafe {
            run.command.pre_exec(|| {
                use nix::sys::resource::{Resource, setrlimit};
                setrlimit(Resource::RLIMIT_NOFILE, 50, 100).map_err(Into::into)
            });
        }
        run
    };
    is_refused(
        run,
        &["--rlimit", "nofile=50:101"],
        "can't set the limit nofile: operation not permitted",
    );
    is_refused(
        run,
        &["--nice", "-1"],
        "can't set the niceness to -1: permission denied",
    );
    run()
        .args(["--rlimit=nofile=60:90", "sh", "-c", "ulimit -n"])
        .gives(0, "60\n", "");
}

/// The workload's parent is killed, or the supervisor's.
#[test]
fn the_end_of_a_parent() {
    let place = Place::new();
    let script = "trap 'echo asked >asked; exit' TERM; echo $$ >pid; while :; do sleep 0.01; done";
    for (init, kills_supervisor) in [("-q", false), ("--init", false), ("--init", true)] {
        for file in ["pid", "asked"] {
            let _ = std::fs::remove_file(place.path(file));
        }
        let mut command = Command::new("sh");
        // A parent that does not become doorkey.
        command.args([
            "-c",
            "\"$0\" \"$@\"; :",
            DOORKEY,
            "run",
            init,
            "--parent-death-signal",
            "TERM",
        ]);
        command
            .args(["--", "bash", "-c", script])
            .current_dir(place.path(""));
        let mut parent = command.stdout(Stdio::null()).spawn().unwrap();
        let read = |file: &str| std::fs::read_to_string(place.path(file)).unwrap_or_default();
        while !read("pid").ends_with('\n') {
            std::thread::yield_now();
        }
        if kills_supervisor {
            let below = format!("/proc/{0}/task/{0}/children", parent.id());
            let supervisor = std::fs::read_to_string(below).unwrap();
            let kill = Command::new("kill")
                .args(["-9", supervisor.trim()])
                .status();
            assert!(kill.unwrap().success());
        } else {
            parent.kill().unwrap();
        }
        parent.wait().unwrap();
        while read("asked") != "asked\n" {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_hint_where_a_shell_is_the_first_process() {
    let place = Place::new();
    let said = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--mount-proc", DOORKEY, "run"])
            .args(words);
        let output = command.current_dir(place.path("")).output().unwrap();
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--init does, and reaps orphans")
    };
    assert!(said(&["--log-level=debug", "/bin/sh", "-c", ":"]));
    assert!(!said(&["/bin/sh", "-c", ":"]));
    assert!(!said(&[
        "--log-level=debug",
        "--init",
        "/bin/sh",
        "-c",
        ":"
    ]));
    assert!(!said(&["--log-level=debug", "true"]));
    let plain = place
        .doorkey(["run", "--log-level=debug", "sh", "-c", ":"])
        .ok();
    assert!(!plain.err().contains("PID 1"));
}
