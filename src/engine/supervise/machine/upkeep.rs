//! Errands: the knowledge that their processes are given, and the consequences of their end.

use std::time::Instant;

use super::{Machine, Phase};
use crate::engine::supervise::action::{Action, Actions, Event};
use crate::engine::supervise::errands::Purpose;
use crate::engine::supervise::known::{Known, Outcome};
use crate::engine::supervise::notice::Notice;
use crate::engine::supervise::watch::Follows;

impl Machine {
    /// True if messages of a process on an errand are heard.
    pub(in crate::engine::supervise) fn hears_errand(&self) -> bool {
        match &self.phase {
            Phase::Ending(end) => end.is_giving_back(),
            _ => self.hears(),
        }
    }

    /// Hands the knowledge of the workload's secrets to a process on an errand; the machine of that
    /// process is done with it.
    pub(in crate::engine::supervise) fn known(&mut self, purpose: Purpose, now: Instant) -> Known {
        let mut known = std::mem::take(&mut self.watch.known);
        known.held_back = self.watch.holds_back(now);
        known.lent = self.leases.paths();
        known.task = match self.phase {
            Phase::Ending(_) => self.leases.all(now),
            _ => self.leases.task(purpose, now),
        };
        known
    }

    /// Notes the outcome that a process on an errand tells.
    pub(super) fn reported(&mut self, outcome: Outcome) {
        match self.errands.purpose() {
            Some(Purpose::Refresh) => self.watch.report(outcome),
            Some(_) => {
                if let Outcome::Changed(digests) = &outcome
                    && !digests.is_empty()
                {
                    self.watch.known.digests.clone_from(digests);
                }
                self.leases.report(outcome);
            }
            None => {}
        }
    }

    /// Gives up an errand, with any outcome so far, and says so.
    pub(super) fn give_up_errand(&mut self, hangs: bool, now: Instant, actions: &mut Actions) {
        let notice = match (self.errands.purpose(), self.settings.watching) {
            (Some(Purpose::Refresh), Some(watching)) => {
                let next = self.watch.give_up(&watching);
                Notice::NotFetched { next, hangs }
            }
            _ => Notice::NotKept { hangs },
        };
        actions.extend([Action::EndErrand, Action::Notify(notice)]);
        self.errand_over(now, actions);
    }

    /// Handles the end of a process on an errand, or that it could not even begin.
    pub(super) fn errand_over(&mut self, now: Instant, actions: &mut Actions) {
        if let Phase::Ending(_) = self.phase {
            return self.of_end(Event::ErrandOver, now, actions);
        }
        let follows = match (self.errands.end(), self.settings.watching) {
            (None, _) | (Some(Purpose::Refresh), None) => return,
            (Some(Purpose::Refresh), Some(watching)) => {
                let follows = self.watch.end(&watching, &mut self.errands, now);
                self.leases.plan_fresh(&mut self.errands, now);
                follows
            }
            (Some(purpose), _) => self.leases.end(purpose, &mut self.errands, now),
        };
        match follows {
            Follows::Nothing => {}
            Follows::Signal(signal) => {
                let whom = self.whom(false);
                actions.extend([Action::Placed, Action::Send(whom, signal)]);
            }
            Follows::Stop(then) => {
                self.stop_errands(actions);
                actions.push_back(Action::ReapBefore(then));
            }
        }
    }

    pub(super) fn stop_errands(&mut self, actions: &mut Actions) {
        self.watch.stop();
        if self.errands.stop() {
            actions.push_back(Action::EndErrand);
        }
    }
}
