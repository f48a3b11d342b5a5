//! `run --watch`: the times at which secrets are fetched again, and the consequences of the
//! outcome.

use std::time::{Duration, Instant};

use super::action::Then;
use super::errands::{Errands, Purpose};
use super::known::{Known, Outcome, pause};
use super::notice::OWN;
use super::settings::{OnChange, Watching};
use crate::core::signal::Signal;

/// The least time between two fetches that somebody asks for.
const LEAST: Duration = Duration::from_secs(1);

/// The secrets that are watched.
pub(super) struct Watch {
    pub(super) known: Known,
    /// True if somebody has asked for the next fetch.
    asked: bool,
    /// The instant at which the last fetch began that somebody had asked for.
    answered: Option<Instant>,
    /// No end of a workload because of a change before this instant.
    held_back: Option<Instant>,
    /// The outcome of the errand under way.
    outcome: Option<Outcome>,
    /// Returns a time by chance, at most this one.
    chance: fn(Duration) -> Duration,
}

/// The consequence of an errand's outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Follows {
    Nothing,
    /// The workload gets a signal: its files have other values now.
    Signal(Signal),
    /// The workload is ended.
    Stop(Then),
}

impl Watch {
    pub(super) fn new(chance: fn(Duration) -> Duration) -> Self {
        Watch {
            known: Known::default(),
            asked: false,
            answered: None,
            held_back: None,
            outcome: None,
            chance,
        }
    }

    /// Plans the next fetch, an interval away, as the workload has the known secrets.
    pub(super) fn wait(&mut self, watching: &Watching, errands: &mut Errands, now: Instant) {
        let every = pause(watching.every, self.known.failures);
        // A tenth more or less, so that a fleet does not march in step.
        let tenth = every / 10;
        let time = (every - tenth).saturating_add((self.chance)(2 * tenth));
        if let Some(due) = now.checked_add(time) {
            errands.plan(Purpose::Refresh, due);
        }
        self.ask_again(errands, now);
    }

    /// Plans a fetch that somebody asks for now.
    pub(super) fn ask(&mut self, errands: &mut Errands, now: Instant) {
        self.asked = true;
        self.ask_again(errands, now);
    }

    /// Plans a fetch that was asked for while it could not be done, as soon as it can.
    fn ask_again(&self, errands: &mut Errands, now: Instant) {
        if self.asked {
            let soonest = self.answered.map_or(now, |last| now.max(last + LEAST));
            errands.hasten(Purpose::Refresh, soonest);
        }
    }

    /// Holds back changes for this time, as somebody wants the workload to end. Until then it is
    /// not ended to be launched anew.
    pub(super) fn hold_back(&mut self, time: Duration, now: Instant) {
        self.held_back = now.checked_add(time);
    }

    /// True if changes are held back now.
    pub(super) fn holds_back(&self, now: Instant) -> bool {
        self.held_back.is_some_and(|until| until > now)
    }

    /// Notes that secrets are fetched now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.outcome = None;
        if std::mem::take(&mut self.asked) {
            self.answered = Some(now);
        }
    }

    /// Notes the outcome that the process that fetches tells.
    pub(super) fn report(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// Gives up the fetch under way. Returns the time until the next.
    pub(super) fn give_up(&mut self, watching: &Watching) -> Duration {
        self.outcome = None;
        pause(watching.every, self.known.failures.saturating_add(1))
    }

    /// Handles the end of the process that fetched: returns what follows, and plans the next fetch.
    pub(super) fn end(
        &mut self,
        watching: &Watching,
        errands: &mut Errands,
        now: Instant,
    ) -> Follows {
        let outcome = self.outcome.take().unwrap_or(Outcome::Failed);
        self.count(&outcome);
        let mut follows = Follows::Nothing;
        match (outcome, watching.on_change) {
            (Outcome::Changed(digests), OnChange::Signal(signal)) => {
                self.known.digests = digests;
                follows = Follows::Signal(signal);
            }
            (Outcome::HeldBack, _) => {
                self.look_again(errands, now);
                return Follows::Nothing;
            }
            (Outcome::Changed(_), _) if self.holds_back(now) => {
                self.look_again(errands, now);
                return Follows::Nothing;
            }
            (Outcome::Anew, _) => errands.plan(Purpose::Replace, now),
            (Outcome::Changed(_), OnChange::Restart) => return Follows::Stop(Then::Launch),
            (Outcome::Changed(_), OnChange::Exit(code)) => {
                return Follows::Stop(Then::Exit(code));
            }
            (Outcome::Lost(_), _) if watching.stop_on_loss => {
                return Follows::Stop(Then::Exit(OWN));
            }
            _ => {}
        }
        self.wait(watching, errands, now);
        follows
    }

    /// Counts failures in a row, and keeps the digest of the message about lost secrets.
    fn count(&mut self, outcome: &Outcome) {
        (self.known.failures, self.known.lost) = match outcome {
            Outcome::Failed => (self.known.failures.saturating_add(1), self.known.lost),
            Outcome::Lost(digest) => (0, Some(*digest)),
            _ => (0, None),
        };
    }

    /// Plans to look at changes again when nothing is held back any more.
    fn look_again(&self, errands: &mut Errands, now: Instant) {
        errands.plan(Purpose::Refresh, self.held_back.unwrap_or(now));
        self.ask_again(errands, now);
    }

    /// Stops fetching.
    pub(super) fn stop(&mut self) {
        self.asked = false;
        self.outcome = None;
    }
}
