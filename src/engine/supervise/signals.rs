//! What a supervisor does with signals.

use super::relay::Relay;
use super::session::Session;
use super::supervisor::{Supervisor, Then};
use crate::core::signal::Signal;
use crate::sys::process::{self, Change, Taken, To};
use crate::sys::signals;
use crate::sys::startup::Mask;

pub(super) const HUP: i32 = 1;
pub(super) const INT: i32 = 2;
pub(super) const QUIT: i32 = 3;
pub(super) const KILL: i32 = 9;
pub(super) const TERM: i32 = 15;
pub(super) const CHLD: i32 = 17;
pub(super) const CONT: i32 = 18;
pub(super) const TSTP: i32 = 20;
pub(super) const TTIN: i32 = 21;
pub(super) const TTOU: i32 = 22;
pub(super) const WINCH: i32 = 28;

/// What a terminal sends to all of a group.
const OF_TERMINAL: [i32; 6] = [INT, QUIT, TSTP, TTIN, TTOU, WINCH];

impl Supervisor {
    pub(super) fn target(&self, all: bool) -> To {
        match all {
            true => To::Group(self.workload),
            false => To::Process(self.workload),
        }
    }

    /// The signal that has secrets fetched again.
    fn refresh(&self) -> Option<i32> {
        let watching = self.settings.watching?;
        (watching.refresh != 0).then_some(watching.refresh.into())
    }

    /// The signals that end a launch.
    pub(super) fn ending(&self) -> Mask {
        signals::ending() & !self.refresh().map_or(0, process::bit)
    }

    pub(super) fn on(&mut self, taken: &Taken) {
        let signal = taken.signal();
        if self.refresh() == Some(signal) {
            return self.watch.ask();
        }
        if self.link.is_some() && self.ending() & process::bit(signal) != 0 {
            self.abort(128 + signal as u8);
        }
        match signal {
            CHLD => {
                match process::reap(self.child) {
                    Some(Change::Ended(code)) => return self.ended(code),
                    Some(Change::Stopped(signal)) if self.child == self.workload => {
                        self.relay.iter_mut().for_each(Relay::flush);
                        self.job.stopped(signal);
                    }
                    _ => self.look_for_stop(),
                }
                // One that another process than ours has sent is the workload's.
                if taken.sender().is_some_and(|sender| sender != self.child) {
                    self.forward(taken);
                }
            }
            CONT => {
                self.job.continued();
                if let Some(relay) = &mut self.relay {
                    relay.resize();
                    relay.session().map(Session::continued);
                }
                self.forward(taken);
            }
            WINCH if self.relay.is_some() => {
                let relay = self.relay.as_mut();
                let has_heard = relay.is_some_and(|relay| {
                    relay.resize();
                    relay.session().is_some()
                });
                // Its own terminal has told it.
                if !has_heard || taken.is_sent() {
                    self.forward(taken);
                }
            }
            _ => {
                if [TERM, INT, QUIT, HUP].contains(&signal) {
                    // Whoever wants us to end does not want it launched anew. Whether it ends shows.
                    self.then = Then::End;
                    self.watch.hold_back(self.grace());
                }
                self.forward(taken);
            }
        }
    }

    /// A workload that has a terminal of its own may have been stopped: where that wants our
    /// terminal, and we have it, it goes on; else we are stopped in the same way.
    fn look_for_stop(&mut self) {
        let session = self.relay.as_mut().and_then(Relay::session);
        let Some(session) = session else { return };
        let Some(signal) = session.screen.stopped() else {
            return;
        };
        let is_wanted = [TTIN, TTOU].contains(&signal) && session.screen.is_ours();
        // Nobody could continue us: a terminal stops no such group.
        let can_stop = !self.job.is_orphaned();
        if is_wanted || !can_stop && signal == TSTP {
            return session.give();
        }
        if can_stop {
            if let Some(relay) = &mut self.relay {
                relay.flush();
                relay.session().map(Session::leave);
            }
            self.job.stopped(signal);
        }
    }

    /// Forwards a signal: to the workload's group where a terminal, or a shell, would.
    pub(super) fn forward(&self, taken: &Taken) {
        let signal = taken.signal();
        let Some(to) = Signal::try_from(signal)
            .ok()
            .and_then(|one| self.settings.map.of(one))
        else {
            return;
        };
        let by_shell = self.job.has_terminal() && [CONT, TSTP, TTIN, TTOU].contains(&signal);
        let by_terminal = !taken.is_sent() && OF_TERMINAL.contains(&signal);
        let target = self.target(self.settings.group || by_shell || by_terminal);
        process::forward(taken, target, to.into());
    }
}
