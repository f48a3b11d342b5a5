//! The end: of the workload, of what is left of its processes, and of the supervisor.

use std::time::{Duration, Instant};

use super::signals::{CHLD, CONT, KILL, TERM};
use super::supervisor::{Supervisor, Then};
use crate::world::origin::Mask;
use crate::world::process::Taken;
use crate::world::{descendants, exec, files, process, signals};

/// Whoever a process may send signals to, but itself and PID 1.
const EVERYBODY: i32 = -1;

/// How long a workload that is to end may take without a `--grace`: as long as `docker stop` gives.
const USUAL_GRACE: Duration = Duration::from_secs(10);

impl Supervisor {
    /// Ends the workload, for one of our own reasons.
    pub(super) fn stop(&mut self, then: Then) {
        self.watch.stop();
        self.then = then;
        self.patience = Some(Instant::now() + self.settings.grace.unwrap_or(USUAL_GRACE));
        process::send(self.target(self.settings.group), TERM);
        // One that is stopped could not end.
        process::send(self.target(self.settings.group), CONT);
    }

    pub(super) fn ended(&mut self, code: u8) {
        match self.then {
            Then::End => self.end(code),
            Then::Exit(code) => self.end(code),
            Then::Launch => {
                self.job.over();
                let left = self.patience.take();
                let left = left.map(|until| until.saturating_duration_since(Instant::now()));
                self.end_rest(left);
                if !self.let_out() {
                    self.then = Then::End;
                    self.end(code);
                }
                self.workload = 0;
            }
        }
    }

    /// The workload has ended, and so do we. As PID 1 without a grace the kernel ends the rest.
    pub(super) fn end(&mut self, code: u8) -> ! {
        self.watch.stop();
        self.job.over();
        let grace = self.settings.grace;
        if !self.first || !grace.unwrap_or_default().is_zero() {
            self.end_rest(grace);
        }
        self.let_out();
        for file in &self.files {
            let _ = files::remove(file);
        }
        exec::quit(code)
    }

    /// Lets out what the workload has written, however slowly it is read; false where somebody
    /// wants us to end before.
    pub(super) fn let_out(&mut self) -> bool {
        if let Some(relay) = &mut self.relay {
            relay.end();
        }
        let ending = signals::ending();
        while self.relay.as_ref().is_some_and(|relay| !relay.is_done()) {
            let taken = self.take(ending | process::bit(CHLD), None);
            if taken.is_some_and(|taken| taken.signal() != CHLD) {
                return false;
            }
            process::has_children();
        }
        self.relay = None;
        true
    }

    /// Takes the next of these signals, waiting at most so long; what is written meanwhile is
    /// passed on, and may be what is waited for.
    fn take(&mut self, set: Mask, time: Option<Duration>) -> Option<Taken> {
        let (Some(relay), Some(ears)) = (&mut self.relay, &mut self.ears) else {
            return process::take(set, time);
        };
        ears.listen_for(set);
        let mut watched = Vec::with_capacity(8);
        relay.watch(&mut watched);
        let due = relay.due();
        let due = due.map(|due| due.saturating_duration_since(Instant::now()));
        let taken = ears.wait(&mut watched, due.into_iter().chain(time).min());
        relay.serve(&watched);
        taken
    }

    /// What is left of the workload's processes is asked to end, and given the grace where there
    /// is one.
    pub(super) fn end_rest(&mut self, grace: Option<Duration>) {
        if !process::has_children() {
            return;
        }
        match self.first {
            true => process::send(EVERYBODY, TERM),
            false => descendants::terminate(),
        }
        let Some(grace) = grace else { return };
        let began = Instant::now();
        while process::has_children()
            && let Some(time) = grace.checked_sub(began.elapsed())
        {
            self.take(process::bit(CHLD), Some(time));
        }
        if !self.first {
            descendants::kill();
        } else if matches!(self.then, Then::Launch) {
            process::send(EVERYBODY, KILL);
        }
        while matches!(self.then, Then::Launch) && process::has_children() {
            self.take(process::bit(CHLD), Some(Duration::from_secs(1)));
        }
    }
}
