//! A workload under doorkey, and `doorkey join` beside it. It is always told which process: PID 1 of
//! the machine that runs the tests is nobody's business here.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::workload;
use crate::{Place, Run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The secret that it has.
pub const VALUE: &str = "canary-2f9b60d1c7e8";

/// A workload that runs; it ends when dropped.
pub struct Workload {
    child: Child,
    init: bool,
}

impl Workload {
    /// Starts one of `workload.rs`, under doorkey, and waits until it is there.
    pub fn start(run: Run, what: &str, init: bool) -> Self {
        let run = run.env(workload::WORKLOAD, what);
        let run = if init {
            run.env("DOORKEY_INIT", "1")
        } else {
            run
        };
        let mut command = run.arg(std::env::current_exe().unwrap()).command;
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Workload { child, init }
    }

    /// The process that was started: the supervisor, where there is one.
    pub fn first(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// The workload itself.
    pub fn own(&self) -> i32 {
        if !self.init {
            return self.first();
        }
        // The workload can begin before its supervisor has been given the processor.
        loop {
            let name = fs::read_to_string(format!("/proc/{}/comm", self.first())).unwrap();
            if let Some(number) = name.trim().strip_prefix("doorkey:") {
                return number.parse().unwrap();
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Its environment, as the kernel shows it.
    pub fn environ(&self) -> Vec<u8> {
        fs::read(format!("/proc/{}/environ", self.own())).unwrap()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.own()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// A store with a value in it.
pub fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "db_password", VALUE);
    place
}

/// `doorkey run` with a reference, and everything that an environment can hold.
pub fn run(place: &Place) -> Run {
    let run = place.run(["-q", "--"]);
    run.env("DB_PASSWORD", "secret:db_password")
        .env("BYTES", OsStr::from_bytes(b"\xff\xfe\x01=\x7f"))
        .env("LINES", "one\n\ntwo\n")
        .env("EMPTY", "")
        .env("LONG", "l".repeat(100_000))
        .env("TERM", "canary-term")
}

/// `doorkey join`, with variables of its own that the command must not get.
pub fn join(place: &Place, process: i32, command: &[&str]) -> Run {
    let run = place.doorkey(["join", "--pid", &process.to_string(), "--"]);
    run.args(command)
        .env("OWN", "canary-own")
        .env("TERM", "own")
}
