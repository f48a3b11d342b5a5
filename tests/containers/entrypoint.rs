//! doorkey in real containers, as PID 1: FROM scratch by `Dockerfile.example`, and on Debian by
//! the README's Dockerfile; with a read-only root, a numeric user, no capability and no network;
//! becoming the workload, and staying above it with `--init`.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::podman;
use crate::podman::{BUILD, Container, Image, KEPT, LOCKED, only_child};
use support::workload;
use support::{Place, executable};

const VALUE: &str = "canary-7c1e0f4ab93d";

/// A store and its key, and both images.
struct Fixture {
    place: Place,
    scratch: Image,
    debian: Image,
    /// The key's text.
    key: String,
}

/// One of the four: an image, and whether doorkey stays.
#[derive(Clone, Copy, Debug)]
struct Kind {
    scratch: bool,
    init: bool,
}

const KINDS: [Kind; 4] = {
    const fn kind(scratch: bool, init: bool) -> Kind {
        Kind { scratch, init }
    }
    [
        kind(true, false),
        kind(true, true),
        kind(false, false),
        kind(false, true),
    ]
};

impl Fixture {
    fn new() -> Self {
        let place = Place::within(KEPT);
        let key = place.path("key.txt");
        let mut init = place.doorkey(["store", "init", "secrets", "-q", "--key-file", "key.txt"]);
        init.command.env("HOME", place.path(""));
        init.ok();
        place.set("team", "db_password", VALUE);
        // Mounted for a user who is not its owner.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o444)).unwrap();
        let name = place.path("");
        let name = name.file_name().unwrap().to_str().unwrap();
        let scratch = Image(format!("localhost/{name}-scratch"));
        podman::build_example(&place, &scratch.0);
        let debian = Image(format!("localhost/{name}-debian"));
        build_readme(&place, &debian.0);
        let text = fs::read_to_string(&key).unwrap();
        let key = text.lines().find(|line| line.starts_with("AGE-")).unwrap();
        Fixture {
            key: key.to_owned(),
            place,
            scratch,
            debian,
        }
    }

    /// Starts a container whose workload is one of `support::workload`, or a command.
    fn start(&self, kind: Kind, workload: &str, command: &[&str]) -> Container {
        self.start_with(kind, workload, command, &[])
    }

    /// The same, with more options for podman.
    fn start_with(&self, kind: Kind, workload: &str, command: &[&str], more: &[&str]) -> Container {
        let path = |inside: &str| self.place.path(inside).display().to_string();
        let program = std::env::current_exe().unwrap().display().to_string();
        let mount = |from: &str, to: &str| format!("--volume={from}:{to}:ro");
        let mut words: Vec<String> = LOCKED.map(str::to_owned).into();
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.push(mount(&path("key.txt"), "/run/secrets/key"));
        words.push("--env=DB_PASSWORD=secret:db_password".to_owned());
        words.push(format!("--env={}={workload}", workload::WORKLOAD));
        if kind.scratch {
            words.push(mount(&path("secrets"), "/secrets"));
            words.push(mount(&program, "/workload"));
            if kind.init {
                words.push(r#"--entrypoint=["/doorkey", "run", "--init", "--"]"#.to_owned());
            }
            words.push(self.scratch.0.clone());
            words.extend(command.is_empty().then(|| "/workload".to_owned()));
        } else {
            words.push("--user=65534:65534".to_owned());
            words.extend(kind.init.then(|| "--env=DOORKEY_INIT=1".to_owned()));
            if !command.is_empty() {
                words.push(r#"--entrypoint=["/app/doorkey", "run", "--"]"#.to_owned());
            }
            words.push(self.debian.0.clone());
        }
        words.extend(command.iter().map(|&word| word.to_owned()));
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Container::start(&format!("doorkey-{}-{count}", std::process::id()), words)
    }
}

/// Builds the README's Dockerfile as it is, the test's workload being the server.
fn build_readme(place: &Place, tag: &str) {
    podman::debian();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, file) = readme.split_once("```dockerfile\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    place.write("context/Dockerfile", file);
    for (from, to) in [
        (support::DOORKEY.into(), "doorkey"),
        (std::env::current_exe().unwrap(), "server"),
    ] {
        let contents = fs::read(from).unwrap();
        executable(&place.path("context").join(to), &contents, 0o755);
    }
    let mut copy = Command::new("cp");
    copy.arg("-r")
        .args([place.path("secrets"), place.path("context")]);
    assert!(copy.status().unwrap().success());
    let context = place.path("context").display().to_string();
    podman::done(
        ["build", "--tag", tag]
            .into_iter()
            .chain(BUILD)
            .chain([&*context]),
    );
}

/// Whether bytes are in the memory of a process that can be read.
fn is_in_memory(pid: i32, needle: &str) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut read = 0;
    let mut found = false;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let readable = words.next().unwrap().starts_with('r');
        let mut bytes = vec![0; (end - start) as usize];
        // The kernel's own pages can't be read so.
        if readable && !line.contains("[v") {
            memory.read_exact_at(&mut bytes, start).unwrap();
            read += bytes.len();
            found |= bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
        }
    }
    assert!(read > 100_000, "{read} bytes are no process's memory");
    found
}

#[test]
fn it_stops_at_once_with_its_own_code() {
    let fixture = Fixture::new();
    for kind in KINDS {
        // Other work on the machine may hold up podman itself.
        let at_once = (0..10).any(|_| {
            let mut container = fixture.start(kind, "stay", &[]);
            container.says("ready");
            let asked = Instant::now();
            podman::done(["stop", &container.name]);
            let took = asked.elapsed();
            // Not 137: it has not been killed after podman's ten seconds.
            assert_eq!(container.end().0, 42, "{kind:?}");
            println!("{kind:?}: {took:?}");
            took < Duration::from_secs(1)
        });
        assert!(at_once, "{kind:?}");
    }
}

#[test]
fn only_references_are_to_be_seen() {
    let fixture = Fixture::new();
    for kind in KINDS {
        let mut container = fixture.start(kind, "stay", &[]);
        container.says("ready");
        let first = container.first();
        let workload = if kind.init { only_child(first) } else { first };
        // It has what the others must not: the search sees it.
        assert!(is_in_memory(workload, VALUE));
        assert!(!is_in_memory(workload, &fixture.key));
        let environ = fs::read_to_string(format!("/proc/{workload}/environ")).unwrap();
        assert!(
            environ.contains(&format!("DB_PASSWORD={VALUE}\0")),
            "{kind:?}"
        );
        if kind.init {
            let name = fs::read_to_string(format!("/proc/{first}/comm")).unwrap();
            assert_eq!(name, format!("doorkey:{}\n", number_inside(workload)));
            assert!(!is_in_memory(first, VALUE), "{kind:?}");
            assert!(!is_in_memory(first, &fixture.key), "{kind:?}");
        }
        is_locked(workload);
        let name = container.name.as_str();
        let env: &[&str] = match kind.scratch {
            true => &["exec", "--env=WORKLOAD=show", name, "/workload"],
            false => &["exec", name, "env"],
        };
        let image = if kind.scratch {
            &fixture.scratch
        } else {
            &fixture.debian
        };
        let shown = [
            podman::done(env),
            podman::done(["inspect", name]),
            podman::done(["image", "inspect", &image.0]),
            podman::done(["logs", name]),
            podman::done(["top", name, "pid", "args"]),
        ];
        for (which, text) in shown.iter().enumerate() {
            assert!(!text.contains(VALUE), "{kind:?} {which}");
            assert!(!text.contains(&fixture.key), "{kind:?} {which}");
            let reference = text.contains("DB_PASSWORD=secret:db_password");
            // What else is shown need not have an environment.
            assert!(reference || which > 1, "{kind:?} {which}: {text}");
        }
    }
}

/// A key in a variable, which podman itself shows: of doorkey's processes none keeps it.
#[test]
fn a_key_in_a_variable_is_gone() {
    let fixture = Fixture::new();
    let key = format!("--env=DOORKEY_KEY={}", fixture.key);
    for kind in KINDS {
        let more = [&key, "--env=DOORKEY_KEY_FILE="];
        let mut container = fixture.start_with(kind, "stay", &[], &more);
        container.says("ready");
        let first = container.first();
        assert!(!is_in_memory(first, &fixture.key), "{kind:?}");
        if kind.init {
            assert!(!is_in_memory(only_child(first), &fixture.key), "{kind:?}");
            let environ = fs::read(format!("/proc/{first}/environ")).unwrap();
            assert!(environ.iter().all(|&byte| byte == 0), "{kind:?}");
        }
    }
}

/// The number that a process has in its container.
fn number_inside(pid: i32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("NSpid:"));
    line.unwrap().split_whitespace().last().unwrap().to_owned()
}

/// The test's own conditions: they are what they are said to be.
#[track_caller]
fn is_locked(pid: i32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(field("Uid:"), "65534 65534 65534 65534");
    assert_eq!(field("NoNewPrivs:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000");
    }
    let mounts = fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap();
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some("/"))
        .unwrap();
    assert!(
        root.split(' ')
            .nth(3)
            .unwrap()
            .split(',')
            .any(|option| option == "ro"),
        "{root}"
    );
    let network = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    assert_eq!(
        network.lines().skip(2).count(),
        1,
        "the loopback alone: {network}"
    );
}

#[test]
fn orphans_leave_no_zombie() {
    let fixture = Fixture::new();
    for kind in KINDS {
        let ended = fixture.start(kind, "orphans:300", &[]).end();
        // A workload that reaps nothing but its own has them all without --init.
        let zombies = if kind.init {
            "0 zombies\n"
        } else {
            "300 zombies\n"
        };
        assert_eq!(
            (ended.0, ended.1.as_str()),
            (0, zombies),
            "{kind:?} {}",
            ended.2
        );
    }
}

#[test]
fn exit_codes_pass() {
    let fixture = Fixture::new();
    for kind in KINDS {
        for code in [0, 1, 42, 125, 255] {
            let ended = fixture.start(kind, &format!("exit:{code}"), &[]).end();
            assert_eq!(ended.0, code, "{kind:?} {ended:?}");
        }
        // To the first process of a container the kernel lets no deadly signal through from within.
        let signals: &[i32] = if kind.init {
            &[6, 9, 11, 15, 64]
        } else {
            &[11]
        };
        for signal in signals {
            let ended = fixture.start(kind, &format!("signal:{signal}"), &[]).end();
            assert_eq!(ended.0, 128 + signal, "{kind:?} {ended:?}");
        }
        let mut container = fixture.start(kind, "stay", &[]);
        container.says("ready");
        podman::done(["kill", "--signal=KILL", &container.name]);
        assert_eq!(container.end().0, 137);
        for (command, code, said) in [
            ("/etc", 126, "/etc: can't be executed: it is a folder"),
            (
                "/run/secrets/key",
                126,
                "/run/secrets/key: can't be executed: permission denied: nobody may, by its mode \
                 0444; run chmod +x on it",
            ),
            ("/missing", 127, "/missing: command not found"),
            ("missing", 127, "missing: command not found"),
        ] {
            let (found, out, err) = fixture.start(kind, "", &[command]).end();
            let said = format!("doorkey: error: {said}");
            assert_eq!(found, code, "{kind:?} {command} {err}");
            assert_eq!(err.lines().last(), Some(said.as_str()), "{kind:?}");
            assert_eq!(out, "");
        }
    }
}

#[test]
fn nothing_is_executed_without_the_key_or_a_secret() {
    let fixture = Fixture::new();
    for kind in KINDS {
        fs::rename(fixture.place.path("key.txt"), fixture.place.path("kept")).unwrap();
        fixture.place.write("key.txt", "");
        let (code, out, err) = fixture.start(kind, "show", &[]).end();
        assert_eq!((code, out.as_str()), (125, ""), "{err}");
        fs::rename(fixture.place.path("kept"), fixture.place.path("key.txt")).unwrap();
        let (code, out, _) = fixture.start(kind, "exit:3", &[]).end();
        assert_eq!((code, out.as_str()), (3, ""));
    }
}
