//! The release's binary for arm64, under qemu's user emulation: it starts, and does its main job.
//! What it launches are this machine's own programs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use support::{Place, Run};

const BINARY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/release-binaries/doorkey-linux-arm64"
);

/// The program for arm64, to be run as `Place::doorkey` runs the one for this machine.
fn arm64(place: &Place, words: &[&str]) -> Run {
    is_current();
    let mut run = place.doorkey(["--", BINARY]).args(words);
    let mut command = Command::new("qemu-aarch64-static");
    command.args(run.command.get_args().skip(1)).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("HOME", place.path("home"));
    run.command = command;
    run.dir(place.path(""))
}

/// It is built of what is here now.
fn is_current() {
    let why = "sh .ci/release arm64 builds it, as sh .ci/test does";
    let built = fs::metadata(BINARY).unwrap_or_else(|_| panic!("{BINARY} is missing: {why}"));
    let newest = newest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        built.modified().unwrap() >= newest,
        "{BINARY} is old: {why}"
    );
}

fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let times = entries.map(|path| match path.is_dir() {
        true => newest(&path),
        false => path.metadata().unwrap().modified().unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

#[test]
fn it_is_a_static_program_for_arm64_without_paths_of_the_builder() {
    let place = Place::new();
    let version = concat!("doorkey ", env!("CARGO_PKG_VERSION"), "\n");
    arm64(&place, &["--version"]).gives(0, version, "");
    let bytes = fs::read(BINARY).unwrap();
    // ELF for AArch64, and no interpreter is asked for.
    assert_eq!((&bytes[..4], bytes[18]), (&b"\x7fELF"[..], 183));
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(!has("/lib/ld-"));
    let home = std::env::var("CARGO_HOME")
        .or(std::env::var("HOME"))
        .unwrap();
    for path in [
        env!("CARGO_MANIFEST_DIR"),
        &format!("{home}/"),
        "/.cargo/registry",
    ] {
        assert!(!has(path), "{path} is in it");
    }
    let sums = fs::read_to_string(Path::new(BINARY).with_file_name("SHA256SUMS")).unwrap();
    let sum = Command::new("sha256sum").arg(BINARY).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split(' ').next().unwrap();
    assert!(sums.contains(&format!("{sum}  doorkey-linux-arm64\n")));
}

#[test]
fn a_store_and_a_launch() {
    let place = Place::new();
    arm64(&place, &["store", "init", "secrets", "-q"]).ok();
    let words = [
        "secret",
        "set",
        "name",
        "--store=age:secrets",
        "--team",
        "-q",
    ];
    arm64(&place, &words).stdin("the value").ok();
    // Each opens what the other has written.
    assert_eq!(place.reveal("team", "name").unwrap(), b"the value");
    place.set("project/web", "name", "of the project");
    for options in [&["run"][..], &["run", "--init"]] {
        let words = ["--store=age:secrets", "-q", "--project=web", "--"];
        let script = "echo $V; echo $W; exit 42";
        let words = [options, &words, &["sh", "-c", script]].concat();
        let run = arm64(&place, &words).env("V", "secret:name");
        run.env("W", "secret:team/name")
            .gives(42, "of the project\nthe value\n", "");
        let run = arm64(&place, &words).env("V", "secret:missing");
        assert_eq!(run.end().code(), 125);
    }
}

#[test]
fn exit_codes_and_installing() {
    support::default_signals();
    let place = Place::new();
    for options in [&["run"][..], &["run", "--init"]] {
        let code = |words: &[&str]| {
            let words = [options, &["--"], words].concat();
            arm64(&place, &words).end().code()
        };
        for expected in [0, 1, 42, 125, 255] {
            assert_eq!(code(&["sh", "-c", &format!("exit {expected}")]), expected);
        }
        assert_eq!(code(&["/etc"]), 126);
        assert_eq!(code(&["missing"]), 127);
        assert_eq!(code(&["sh", "-c", "kill -9 $$"]), 137);
        assert_eq!(code(&["sh", "-c", "kill -15 $$"]), 143);
    }
    arm64(&place, &["install", "copy"]).gives(0, "", "doorkey: copy is installed\n");
    assert_eq!(
        fs::read(place.path("copy")).unwrap(),
        fs::read(BINARY).unwrap()
    );
}

#[test]
fn a_supervisor_forwards_and_reaps() {
    support::default_signals();
    let place = Place::new();
    let script = "(sh -c 'exit 0' &); trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let mut run = arm64(&place, &["run", "--init", "--", "sh", "-c", script]);
    let mut child = run.command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}
