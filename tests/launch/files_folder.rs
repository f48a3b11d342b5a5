//! `--files`: values in files of a folder, put into their place all together.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use support::trace::Begin;
use support::{Ended, Place, Run};

const VALUE: &str = "canary-90c4ae11d6";

const BOTH: [&[&str]; 2] = [&["-q"], &["-q", "--init"]];

/// A store, and a folder of which nothing is on a disk.
fn places() -> (Place, Place) {
    let place = Place::with_store();
    place.set("team", "a", VALUE);
    place.set("team", "b", [b"\0\xff", VALUE.as_bytes()].concat());
    (place, Place::within("/dev/shm"))
}

/// A launch with files in this folder.
fn run(place: &Place, folder: &Path) -> Run {
    let files = format!("--files={}", folder.display());
    place.run(["-q", &files])
}

/// What is in a folder: names, modes, owners and contents.
fn listed(folder: &Path) -> Vec<(String, u32, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let status = path.symlink_metadata().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let contents = fs::read(&path).unwrap_or_default();
        found.push((name, status.mode(), status.uid(), contents));
    }
    found.sort();
    found
}

fn file(name: &str, owner: u32, contents: impl AsRef<[u8]>) -> (String, u32, u32, Vec<u8>) {
    (
        name.to_owned(),
        0o100_400,
        owner,
        contents.as_ref().to_vec(),
    )
}

#[track_caller]
fn shows_nothing(ended: &Ended) {
    let all = ended.out() + &ended.err();
    assert!(!all.contains("canary"), "{all}");
}

#[test]
fn named_as_the_variable_or_as_is_said() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let bytes = [b"\0\xff", VALUE.as_bytes()].concat();
    // Leftovers of a launch that was killed, one of them a link that leads elsewhere.
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(folder.join("A"), "old").unwrap();
    fs::write(folder.join(".tmp-A.doorkey-0"), "half").unwrap();
    symlink(shared.path("other"), folder.join(".tmp-tls.key.doorkey-0")).unwrap();
    symlink(shared.path("other"), folder.join("tls.key")).unwrap();
    let run = run(&place, &folder)
        .env("A", "secret:a|file")
        .env("KEY", "--key=${secret:b|file:tls.key}")
        .env("AGAIN", "secret:b|file:tls.key?")
        .env("C", "secret:none|file?")
        .env("D", "secret:none|file:d?text");
    let script =
        "echo $A $KEY $AGAIN ${C-gone} $D; cat $A; ls -l /proc/self/fd | grep -c memfd || :";
    let path = folder.display();
    let expected = format!("{path}/A --key={path}/tls.key {path}/tls.key gone text\n{VALUE}0\n");
    run.args(["sh", "-c", script]).gives(0, &expected, "");
    assert_eq!(
        listed(&folder),
        [file("A", 0, VALUE), file("tls.key", 0, bytes)]
    );
    assert!(!shared.path("other").exists());
}

#[test]
fn another_user_s() {
    let (place, shared) = places();
    fs::set_permissions(place.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(shared.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    for options in BOTH {
        let folder = shared.path("files");
        let run = run(&place, &folder).args(&options[1..]);
        let mut run = run.args(["--user=nobody", "--umask=777", "-eA=secret:a|file"]);
        // SAFETY: between fork and exec it makes one system call.
        unsafe {
            run.command.pre_exec(|| {
                libc::umask(0o777);
                Ok(())
            });
        }
        let script = "id -u; cat $A; stat -c ' %a %u %g' $A ${A%/*}; ls ${A%/*}";
        let expected = format!("65534\n{VALUE} 400 65534 65534\n 750 0 65534\nA\n");
        run.args(["sh", "-c", script]).gives(0, &expected, "");
        let _ = fs::remove_dir_all(&folder);
    }
    // A folder that the user can't get into.
    let folder = shared.path("closed/files");
    fs::create_dir(shared.path("closed")).unwrap();
    fs::set_permissions(shared.path("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    let run = run(&place, &folder).args(["--user=nobody", "-eA=secret:a|file"]);
    let said = format!(
        "doorkey: error: can't open {}/A: permission denied\n",
        folder.display()
    );
    run.args(["echo", "launched"]).fails(125, &said);
}

#[test]
fn in_memory_unless_a_disk_is_allowed() {
    let (place, shared) = places();
    let disk = Place::within(concat!(env!("CARGO_MANIFEST_DIR"), "/target"));
    let on_disk = |path: &Path| {
        format!(
            "doorkey: error: {}: it is not on tmpfs, so values would be on a disk; --allow-disk \
             allows that\n",
            path.display()
        )
    };
    for folder in [disk.path(""), disk.path("new")] {
        let folder = Path::new(folder.to_str().unwrap().trim_end_matches('/'));
        for command in ["check", "env"] {
            let run = place.doorkey([command, "--store", "age:secrets", "-eA=secret:a|file"]);
            let ended = run.env("DOORKEY_FILES", folder).end();
            assert_eq!((ended.code(), ended.err()), (1, on_disk(folder)));
            shows_nothing(&ended);
        }
        let refused = run(&place, folder).args(["-eA=secret:a|file", "true"]);
        refused.fails(125, &on_disk(folder));
        assert!(!disk.path("new").exists() && !disk.path("A").exists());
        // What is not needed is not looked at.
        run(&place, folder).args(["-eA=secret:a", "true"]).ok();
    }
    let folder = disk.path("new");
    let run = run(&place, &folder).args(["--allow-disk", "-eA=secret:a|file"]);
    run.args(["sh", "-c", "cat $A"]).gives(0, VALUE, "");
    assert_eq!(listed(&folder), [file("A", 0, VALUE)]);

    // A path from where doorkey was started, whatever the workload's folder is.
    let store = format!("age:{}", place.path("secrets").display());
    let run = place.doorkey(["run", "-q", "--store", &store, "-eA=secret:a|file"]);
    let run = run.args(["--files=files", "--chdir=/", "sh", "-c"]);
    let expected = format!("{}\n{VALUE}", shared.path("home/files/A").display());
    let run = run.arg("echo $A; cat $A").dir(shared.path("home"));
    run.gives(0, &expected, "");
}

#[test]
fn faults() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let free = "give one of them another name with |file:NAME";
    let name = "the variable's name can't be a file's; give another with |file:NAME";
    fs::write(shared.path("plain"), "").unwrap();
    let inside = |path: &str| shared.path(path).display().to_string();
    for (at, variables, said) in [
        (
            "files",
            &["A=secret:a|file", "B=secret:b|file:A"][..],
            vec![format!(
                "B: secret:b: another value is to be in the file A; {free}"
            )],
        ),
        (
            "files",
            &["A=${secret:a|file} ${secret:a|trim|file}", "B=secret:none"],
            vec![
                format!("A: secret:a: another value is to be in the file A; {free}"),
                "B: secret:none: not found in team of age:secrets; create it, or allow its \
                 absence with '?'"
                    .to_owned(),
            ],
        ),
        (
            "files",
            &[".A=secret:a|file", "B/C=secret:b|file", "D E=secret:a|file"],
            vec![
                format!(".A: secret:a: {name}"),
                format!("B/C: secret:b: {name}"),
                format!("D E: secret:a: {name}"),
            ],
        ),
        (
            "none/files",
            &["A=secret:a|file"],
            vec![format!(
                "--files: can't write to {}: no such file or directory",
                inside("none/files")
            )],
        ),
        (
            "plain",
            &["A=secret:a|file"],
            vec![format!(
                "--files: can't write to {}: not a directory",
                inside("plain")
            )],
        ),
    ] {
        let mut launch = run(&place, &shared.path(at));
        for variable in variables {
            launch = launch.args(["-e", variable]);
        }
        let said: String = said
            .iter()
            .map(|line| format!("doorkey: error: {line}\n"))
            .collect();
        shows_nothing(&launch.args(["echo", "launched"]).fails(125, &said));
        assert!(!folder.exists());
    }
    // The same value under one name, and names that any file may have.
    let same = run(&place, &folder).args(["-e.A=secret:a|file:x", "-eB=--a=${secret:a|file:x}"]);
    same.arg("true").ok();
    assert_eq!(listed(&folder), [file("x", 0, VALUE)]);
    let alone = place.run(["--allow-disk", "true"]);
    alone.fails(
        125,
        "doorkey: error: --allow-disk needs --files or --render\n",
    );
    place
        .run(["--files=", "true"])
        .fails(125, "doorkey: error: --files is no path to a folder\n");
    let check = place.doorkey([
        "check",
        "--store=age:secrets",
        "-eA=${secret:a|file}${secret:b|file}",
    ]);
    let ended = check.env("DOORKEY_FILES", &folder).end();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.out().lines().any(|row| row.ends_with("file-name")),
        "{}",
        ended.out()
    );
    // In memory there are no names to be taken.
    let run = place.run([
        "-q",
        "-e.A=secret:a|file",
        "-eB=secret:b|file:x",
        "-eC=secret:a|file:x",
    ]);
    run.arg("true").ok();
}

/// Where a launch fails after all, nothing is left of it.
#[test]
fn nothing_is_left_of_what_failed() {
    let (place, shared) = places();
    let folder = shared.path("files");
    for options in BOTH {
        let run = || {
            let run = run(&place, &folder).args(&options[1..]);
            run.args(["-eA=secret:a|file", "-eB=secret:b|file"])
        };
        run()
            .arg("no-such-command")
            .fails(127, "doorkey: error: no-such-command: command not found\n");
        assert_eq!(listed(&folder), []);
        // The second can't be put into its place.
        fs::create_dir(folder.join("B")).unwrap();
        let said = format!(
            "doorkey: error: --files: can't write to {}: is a directory\n",
            folder.display()
        );
        run().args(["echo", "launched"]).fails(125, &said);
        let left: Vec<_> = listed(&folder).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(left, ["B"]);
        fs::remove_dir(folder.join("B")).unwrap();
    }
}

#[test]
fn env_says_where_and_writes_nothing() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let env = place.doorkey(["env", "--store", "age:secrets"]);
    let env = env.without("PATH").without("HOME");
    let env = env.env("DOORKEY_KEY_FILE", "home/.config/doorkey/key.txt");
    let env = env.env("DOORKEY_FILES", &folder);
    let env = env.args(["-eA=secret:a|file", "-eB=--b=${secret:b|file:c}"]);
    let path = folder.display();
    env.gives(0, &format!("A={path}/A\nB=--b={path}/c\n"), "");
    let check = place.doorkey(["check", "--store=age:secrets", "-eA=secret:a|file"]);
    shows_nothing(&check.env("DOORKEY_FILES", &folder).ok());
    assert!(!folder.exists());
}

/// Whoever reads while it is replaced finds the old one or the new one.
#[test]
fn a_reader_sees_whole_files() {
    let (place, shared) = places();
    let values = ["1", "2"].map(|one| one.repeat(200_000));
    for (folder, value) in ["one", "two"].iter().zip(&values) {
        place.write(&format!("{folder}/a"), value);
    }
    let folder = shared.path("files");
    let launch = |store: &str| {
        let files = format!("--files={}", folder.display());
        let run = place.doorkey(["run", "-q", "--store", store, &files, "-eA=secret:a|file"]);
        run.arg("true").ok();
    };
    launch("dir:one");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0, 0];
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(folder.join("A")).unwrap();
                let which = values.iter().position(|value| *value == text);
                seen[which.expect("a whole value")] += 1;
            }
            seen
        });
        for _ in 0..60 {
            launch("dir:two");
            launch("dir:one");
        }
        done.store(true, Ordering::Relaxed);
        let seen = reader.join().unwrap();
        assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
    });
}

/// Killed at any of its system calls, it leaves nothing half written under the file's name.
/// Launches at the same moment do not take each other's files for leftovers, however many.
#[test]
fn many_files_of_many_launches() {
    let place = Place::new();
    let shared = Place::within("/dev/shm");
    let folder = shared.path("files");
    let names: Vec<_> = (0..100).map(|number| format!("v{number}")).collect();
    for name in &names {
        place.write(&format!("values/{name}"), name);
    }
    let launch = || {
        let files = format!("--files={}", folder.display());
        let run = place.doorkey(["run", "-q", "--store", "dir:values", &files]);
        let run = names.iter().fold(run, |run, name| {
            run.env(name, format!("secret:{name}|file"))
        });
        run.args(["--", "true"]).ok();
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..4).for_each(|_| launch()));
        }
    });
    let all = listed(&folder);
    let is_odd = |(name, _, _, value): &&(String, u32, u32, Vec<u8>)| name.as_bytes() != value;
    let odd: Vec<_> = all.iter().filter(is_odd).collect();
    assert!(odd.is_empty() && all.len() == names.len(), "{odd:?}");
}

#[test]
fn a_killed_launch_leaves_nothing_half_done() {
    let (place, shared) = places();
    let folder = shared.path("files");
    fs::create_dir(&folder).unwrap();
    let store = format!("--store=age:{}", place.path("secrets").display());
    let files = format!("--files={}", folder.display());
    let mut calls = 0;
    for kill_after in 0.. {
        let begin = Begin::new([support::DOORKEY, "run", "-q", &store, &files, "/bin/true"]);
        let begin = begin.env("HOME", place.path("home"));
        let begin = begin.env("A", "secret:a|file").env("B", "secret:b|file");
        let mut tracee = begin.start(|| Ok(()));
        let mut writes = 0;
        // From where the first name appears there.
        while let Some((number, _)) = tracee.next_call() {
            if number == libc::SYS_execve {
                break;
            }
            writes += usize::from(!listed(&folder).is_empty());
            if writes > kill_after {
                break;
            }
        }
        let is_done = writes <= kill_after;
        tracee.kill();
        for (name, mode, _, contents) in listed(&folder) {
            if !name.starts_with('.') {
                assert_eq!(mode, 0o100_400);
                assert!(contents.ends_with(VALUE.as_bytes()), "{name}");
            }
        }
        calls = kill_after;
        if is_done {
            break;
        }
        let again = run(&place, &folder).args(["-eA=secret:a|file", "-eB=secret:b|file"]);
        again.arg("true").ok();
        let names: Vec<_> = listed(&folder).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["A", "B"]);
        for name in names {
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
    assert!(calls > 5, "{calls}");
}

/// Under `--init` the supervisor removes them when the workload has ended, however it ended.
#[test]
fn removed_when_the_workload_ends() {
    let (place, shared) = places();
    let folder = shared.path("files");
    for (script, code) in [("test -r $A", 0), ("exit 3", 3), ("kill -9 $$", 137)] {
        let run = run(&place, &folder).args(["--init", "-eA=secret:a|file", "-eB=secret:b|file"]);
        let ended = run.args(["sh", "-c", script]).end();
        assert_eq!((ended.code(), ended.err()), (code, String::new()));
        assert_eq!(listed(&folder), [], "{script}");
    }
}
