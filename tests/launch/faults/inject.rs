//! doorkey with one system call failing: run by strace, in a PID namespace of its own, since a
//! number of a process that is wrong may be everybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::DOORKEY;

/// A launch that takes longer hangs. doorkey's own deadline is under it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is made to fail: the so manieth call of this name in each process, with this error.
#[derive(Clone, Hash)]
pub struct Fault {
    pub call: String,
    pub number: usize,
    pub error: &'static str,
}

/// What came of a launch.
pub struct Seen {
    /// As a shell gives it; none for one that hung.
    pub code: Option<i32>,
    /// Its folder's path stands there as `HERE`.
    pub out: String,
    pub err: String,
    /// The calls, as strace writes them down.
    pub calls: String,
}

/// Launches doorkey with these arguments in a folder. `before` are shell commands that run in the
/// same namespace beforehand; without a network nobody can be reached.
pub fn launch(
    folder: &Path,
    environment: &[(&str, String)],
    before: &str,
    network: bool,
    arguments: &[&str],
    fault: Option<&Fault>,
) -> Seen {
    let calls = folder.join("calls");
    // As a grandchild, so that the workload stays when strace, which lets go of it, ends.
    let mut traced = vec!["strace", "-D", "-f", "-qq", "-b", "execve", "-o"];
    traced.push(calls.to_str().unwrap());
    let inject = fault.map(
        |Fault {
             call,
             number,
             error,
         }| {
            [
                format!("trace={call}"),
                format!("inject={call}:error={error}:when={number}"),
            ]
        },
    );
    for expression in inject.iter().flatten() {
        traced.extend(["-e", expression]);
    }
    // Somebody whom no signal is meant for.
    let script = format!(
        "sleep 1000 & other=$!\n{before}\n\"$@\"\ncode=$?\n[ -e /proc/$other/exe ] || echo KILLED\nexit $code"
    );
    let mut command = Command::new("unshare");
    if !network {
        command.arg("-n");
    }
    command
        .args([
            "-p",
            "-f",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            &script,
            "sh",
        ])
        .args(traced)
        .arg(DOORKEY)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(fs::File::open(folder.join("in")).unwrap())
        .stdout(file(folder, "out"))
        .stderr(file(folder, "err"));
    let mut child = command.spawn().expect("unshare and strace are needed");
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if began.elapsed() > PATIENCE => break None,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let read = |name| {
        String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap_or_default()).into_owned()
    };
    Seen {
        code: status.map(|one| one.code().unwrap_or_else(|| 128 + one.signal().unwrap())),
        out: read("out").replace(folder.to_string_lossy().trim_end_matches('/'), "HERE"),
        err: read("err"),
        calls: read("calls"),
    }
}

fn file(folder: &Path, name: &str) -> Stdio {
    let path: PathBuf = folder.join(name);
    fs::File::create(path).unwrap().into()
}

/// Of each call in what strace has written down, how often a process made it at most.
pub fn counts(calls: &str) -> BTreeMap<String, usize> {
    let mut of_process: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in calls.lines() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let name = rest.trim_start().split('(').next().unwrap_or_default();
        let is_call = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if rest.contains('(') && !name.is_empty() && name.chars().all(is_call) {
            *of_process.entry((process, name)).or_default() += 1;
        }
    }
    let mut counts = BTreeMap::new();
    for ((_, name), count) in of_process {
        let most: &mut usize = counts.entry(name.to_owned()).or_default();
        *most = count.max(*most);
    }
    counts
}

impl Seen {
    /// The calls that were made to fail.
    pub fn injected(&self) -> BTreeSet<&str> {
        let lines = self
            .calls
            .lines()
            .filter(|line| line.contains("(INJECTED)"));
        let calls = lines.filter_map(|line| line.split_once(' '));
        calls.map(|(_, call)| call.trim_start()).collect()
    }
}
