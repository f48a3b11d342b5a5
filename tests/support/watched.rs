//! A workload that is watched over, line by line: what doorkey says, and what the workload does.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Place, Run, default_signals};

/// After so long a test that waits for something has failed.
const GUARD: Duration = Duration::from_secs(60);

/// A store `dir:plain` with these secrets.
pub fn plain(secrets: &[(&str, &str)]) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("plain")).unwrap();
    for (name, value) in secrets {
        put(&place, name, value);
    }
    place
}

/// Gives a secret another value, in one step.
pub fn put(place: &Place, name: &str, value: &str) {
    let new = place.write("new", value);
    fs::rename(new, place.path("plain").join(name)).unwrap();
}

/// Removes a secret.
pub fn remove(place: &Place, name: &str) {
    fs::remove_file(place.path("plain").join(name)).unwrap();
}

/// `doorkey run` on that store that fetches when it is asked to, with A from `a`.
pub fn watch(place: &Place, options: &[&str], script: &str) -> Run {
    let run = place.doorkey(["run", "--store=dir:plain", "--watch=1h", "-eA=secret:a"]);
    run.args(options).args(["--", "sh", "-c", script])
}

/// A workload that says its value, and stays.
pub const SAYS: &str = "echo \"began $A\"; exec sleep 1000";

/// It runs.
pub struct Watched {
    /// doorkey.
    pub child: Child,
    out: Receiver<String>,
    said: Receiver<String>,
}

impl Watched {
    /// Starts it.
    pub fn start(run: Run) -> Self {
        default_signals();
        let mut run = run;
        let command = &mut run.command;
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let out = lines(child.stdout.take().unwrap());
        let said = lines(child.stderr.take().unwrap());
        Watched { child, out, said }
    }

    /// The same, up to when the workload has said its first line and doorkey that it is launched.
    #[track_caller]
    pub fn began(run: Run, line: &str) -> Self {
        let mut watched = Self::start(run);
        watched.resolved();
        watched.shows(line);
        watched
    }

    /// The supervisor's number.
    pub fn id(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends it a signal.
    pub fn send(&self, signal: i32) {
        // SAFETY: it takes no pointer, and the process has not been waited for.
        assert_eq!(unsafe { libc::kill(self.id(), signal) }, 0);
    }

    /// Has secrets fetched now.
    pub fn refresh(&self) {
        self.send(libc::SIGUSR2);
    }

    /// Has secrets fetched, and waits for the end of that.
    #[track_caller]
    pub fn fetches(&self) {
        let before = self.taken_in();
        self.refresh();
        until("it fetches", || self.taken_in() > before);
        self.settles();
    }

    /// Grows with each child that it has taken in.
    pub fn taken_in(&self) -> u64 {
        let stat = self.proc("stat");
        let after = stat.rsplit_once(") ").unwrap().1;
        // `cminflt`, the faults of children that were waited for.
        after.split(' ').nth(8).unwrap().parse().unwrap()
    }

    /// The workload's next line.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.out.recv_timeout(GUARD).expect("a line")
    }

    /// The workload's next line is this one.
    #[track_caller]
    pub fn shows(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// The next line that doorkey says.
    #[track_caller]
    pub fn saying(&mut self) -> String {
        self.said.recv_timeout(GUARD).expect("a line")
    }

    /// doorkey says this next.
    #[track_caller]
    pub fn says(&mut self, line: &str) {
        assert_eq!(self.saying(), format!("doorkey: {line}"));
    }

    /// doorkey says next that it has resolved something.
    #[track_caller]
    pub fn resolved(&mut self) {
        let line = self.saying();
        assert!(line.contains(" resolved: "), "{line}");
    }

    /// A restart is said, and the workload begins again with this line.
    #[track_caller]
    pub fn restarts(&mut self, changed: &str, line: &str) {
        self.says(&format!("changed: {changed}; the command is launched anew"));
        self.resolved();
        self.shows(line);
    }

    /// The processes that it is the parent of.
    pub fn children(&self) -> Vec<i32> {
        let file = format!("/proc/{0}/task/{0}/children", self.id());
        let text = fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    }

    /// A file of /proc about it.
    pub fn proc(&self, file: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{file}", self.id())).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How many descriptors it has.
    pub fn descriptors(&self) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.id()));
        entries.unwrap().count()
    }

    /// Waits until it has the workload alone for a child: nothing is being fetched.
    #[track_caller]
    pub fn settles(&self) {
        let name = self.proc("comm");
        let workload = name.trim().trim_start_matches("doorkey:");
        until("nothing is fetched", || {
            self.children() == [workload.parse::<i32>().unwrap()]
        });
    }

    /// Waits for its end; gives its code, and what was not read yet of what it says and the
    /// workload shows.
    pub fn end(mut self) -> (i32, Vec<String>, Vec<String>) {
        let status = self.child.wait().unwrap();
        let code = status.code();
        let code = code.unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, self.said.iter().collect(), self.out.iter().collect())
    }

    /// It ends with this code, and nothing more is said or shown.
    #[track_caller]
    pub fn ends(self, code: i32) {
        assert_eq!(self.end(), (code, vec![], vec![]));
    }

    /// It is asked to end, and does, with nothing more to say.
    #[track_caller]
    pub fn stop(self) {
        self.stop_with(143);
    }

    /// The same with another code.
    #[track_caller]
    pub fn stop_with(self, code: i32) {
        self.send(libc::SIGTERM);
        self.ends(code);
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < GUARD, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process is there, and no zombie.
pub fn lives(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}
