//! The end: of the workload, of what is left of its processes, and of the supervisor.

use std::time::{Duration, Instant};

use super::Notice;
use super::relay::Relay;
use super::signals::{CHLD, CONT, KILL, TERM};
use super::supervisor::{Supervisor, Then};
use crate::core::signal::Signal;
use crate::engine::delivered::Delivered;
use crate::sys::process::{Change, Taken, To};
use crate::sys::startup::Mask;
use crate::sys::{descendants, exec, proc, process};

/// How long a workload that is to end may take without a `--grace`: as long as `docker stop` gives.
const USUAL_GRACE: Duration = Duration::from_secs(10);

/// The code of doorkey's own faults.
const OWN: u8 = 125;

/// How often what does not end is killed, and how long one that was is waited for.
const BEAT: Duration = Duration::from_secs(1);

impl Supervisor {
    /// How long a workload that is to end may take.
    pub(super) fn grace(&self) -> Duration {
        self.settings.grace.unwrap_or(USUAL_GRACE)
    }

    /// Ends the workload, for one of our own reasons.
    pub(super) fn stop(&mut self, then: Then) {
        self.watch.stop();
        if let Some(Change::Ended(code)) = process::reap(self.child) {
            // By itself, just now.
            return self.ended(code);
        }
        self.then = then;
        self.patience = Some(Instant::now() + self.grace());
        let term = self.settings.map.of(TERM as Signal);
        let term = term.map_or(TERM, i32::from);
        process::send(self.target(self.settings.group), term);
        // One that is stopped could not end.
        process::send(self.target(self.settings.group), CONT);
    }

    pub(super) fn ended(&mut self, code: u8) {
        self.child = 0;
        self.late = None;
        // What it has said last may still be on its way.
        while self.link.is_some() {
            self.hear();
        }
        match self.then {
            Then::End => self.end(code),
            Then::Exit(code) => self.end(code),
            Then::Launch => {
                self.job.over();
                let left = self.patience.take();
                let left = left.map(|until| until.saturating_duration_since(Instant::now()));
                // None is left to one that had to be killed, nor to what it has left.
                self.end_rest(Some(left.unwrap_or_default()));
                let mut signal = self.let_out();
                if signal.is_none() {
                    signal = process::take(self.ending(), Some(Duration::ZERO));
                }
                self.give_up_by(signal);
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
        self.remove_files();
        exec::quit(code)
    }

    /// Removes what was delivered in a folder.
    pub(super) fn remove_files(&self) {
        if let Some(Err(why)) = self.delivered.as_ref().map(Delivered::remove) {
            self.notify(Notice::NotRemoved(why));
        }
    }

    /// Lets out what the workload has written, however slowly it is read, but for a signal that
    /// ends us: that one.
    fn let_out(&mut self) -> Option<Taken> {
        if let Some(relay) = &mut self.relay {
            relay.end();
        }
        self.say_lost();
        let mut signal = None;
        while signal.is_none() && self.relay.as_ref().is_some_and(|relay| !relay.is_done()) {
            let taken = self.take(self.ending() | process::bit(CHLD), None);
            signal = taken.filter(|taken| taken.signal() != CHLD);
            process::has_children();
        }
        self.relay = None;
        signal
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
        self.say_lost();
        taken
    }

    /// Kills the workload, or what is to become it, and the process above.
    pub(super) fn kill(&self) {
        process::send(To::Process(self.workload), KILL);
        process::send(To::Process(self.child), KILL);
    }

    /// Ends, with this code, what is not yet the workload, and ourselves.
    pub(super) fn abort(&mut self, code: u8) -> ! {
        self.kill();
        let began = Instant::now();
        // One that hangs in the kernel may not end before what it waits for does.
        while self.child != 0
            && let Some(left) = BEAT.checked_sub(began.elapsed())
        {
            match process::reap(self.child) {
                Some(Change::Ended(_)) => self.child = 0,
                _ => drop(process::take(process::bit(CHLD), Some(left))),
            }
        }
        // What it has said last, of files above all, may still be on its way.
        while self.child == 0 && self.link.is_some() {
            self.hear();
        }
        self.link = None;
        self.end(code)
    }

    /// Says why a launch comes to nothing, and ends it and ourselves.
    pub(super) fn give_up(&mut self, why: Notice) -> ! {
        self.kill();
        self.notify(why);
        self.abort(OWN)
    }

    /// Says that something is lost that the workload has written, if it is.
    pub(super) fn say_lost(&mut self) {
        if let Some(why) = self.relay.as_mut().and_then(Relay::trouble) {
            self.notify(Notice::NotPassedOn(why));
        }
    }

    /// Says something where doorkey says what it has to say.
    pub(super) fn notify(&self, notice: Notice) {
        (self.waits.say)(notice);
    }

    /// What is left of the workload's processes is asked to end, and given the grace where there
    /// is one. Before a launch all of it has to be gone, but nobody who came from elsewhere.
    fn end_rest(&mut self, grace: Option<Duration>) {
        if !process::has_children() {
            return;
        }
        let launches = matches!(self.then, Then::Launch);
        let everybody = self.first && !(launches && proc::is_ours().unwrap_or(true));
        match everybody {
            true => process::send(To::Everybody, TERM),
            false => descendants::terminate(),
        }
        let Some(grace) = grace else { return };
        self.outwait(grace);
        if !everybody {
            descendants::kill();
        }
        while launches && process::has_children() {
            match everybody {
                true => process::send(To::Everybody, KILL),
                false => descendants::kill(),
            }
            self.outwait(BEAT);
        }
    }

    /// Waits until nothing is left, at most so long.
    fn outwait(&mut self, time: Duration) {
        let ending = match self.then {
            Then::Launch => self.ending(),
            Then::End | Then::Exit(_) => 0,
        };
        let began = Instant::now();
        while process::has_children()
            && let Some(left) = time.checked_sub(began.elapsed())
        {
            let taken = self.take(process::bit(CHLD) | ending, Some(left));
            self.give_up_by(taken.filter(|taken| taken.signal() != CHLD));
        }
    }

    /// A launch that was to come does not: this signal would have ended it.
    fn give_up_by(&mut self, signal: Option<Taken>) {
        if let Some(taken) = signal {
            self.then = Then::End;
            self.end(128 + taken.signal() as u8);
        }
    }
}
