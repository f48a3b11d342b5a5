//! What is left of the workload's processes when it has ended: they are asked to end, given the
//! grace where there is one, and killed.

use std::time::{Duration, Instant};

use super::action::{Action, Actions, Next, Rest};

/// How often what does not end is killed.
const BEAT: Duration = Duration::from_secs(1);

/// Their end, up to where nothing is waited for any more. Before a launch all of them have to be
/// gone, but nobody who came from elsewhere.
#[derive(Debug)]
pub(super) struct Clearing {
    pub(super) next: Next,
    /// How long they may take; without one they are not waited for.
    grace: Option<Duration>,
    /// True if we are PID 1.
    first: bool,
    rest: Rest,
    step: ClearingStep,
}

#[derive(Clone, Copy, Debug)]
enum ClearingStep {
    /// True if there are any is asked.
    Counting,
    /// They were asked to end, and have time until then.
    Asked(Option<Instant>),
    /// True if any is left to be killed is asked.
    Recounting,
    /// They were killed, and are again then.
    Killed(Instant),
}

impl Clearing {
    /// Begins by counting them, which is for the caller to ask for.
    pub(super) fn begin(next: Next, grace: Option<Duration>, first: bool) -> Self {
        Clearing {
            next,
            grace,
            first,
            rest: Rest::Below,
            step: ClearingStep::Counting,
        }
    }

    /// The instant to wait for at most.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.step {
            ClearingStep::Asked(until) => until,
            ClearingStep::Killed(until) => Some(until),
            ClearingStep::Counting | ClearingStep::Recounting => None,
        }
    }

    /// They were counted: whether there are `any`, and whether those from elsewhere can be told
    /// from them. Says whether it is over.
    pub(super) fn counted(
        &mut self,
        any: bool,
        apart: bool,
        now: Instant,
        actions: &mut Actions,
    ) -> bool {
        match self.step {
            ClearingStep::Counting if any => {
                let spares = self.next == Next::Launch && apart;
                if self.first && !spares {
                    self.rest = Rest::Everybody;
                }
                actions.push_back(Action::TerminateRest(self.rest));
                let Some(grace) = self.grace else { return true };
                self.step = ClearingStep::Asked(now.checked_add(grace));
                grace.is_zero() && self.over(actions)
            }
            ClearingStep::Asked(_) if !any => self.over(actions),
            ClearingStep::Recounting if any => {
                actions.push_back(Action::KillRest(self.rest));
                self.step = ClearingStep::Killed(now + BEAT);
                false
            }
            _ => !any,
        }
    }

    /// Time has passed. Says whether it is over.
    pub(super) fn time(&mut self, now: Instant, actions: &mut Actions) -> bool {
        match self.step {
            ClearingStep::Asked(Some(until)) if until <= now => self.over(actions),
            ClearingStep::Killed(until) if until <= now => {
                self.step = ClearingStep::Recounting;
                actions.push_back(Action::CountRest);
                false
            }
            _ => false,
        }
    }

    /// They have had their time. At our end the kernel kills everybody, where that is for us to do.
    fn over(&mut self, actions: &mut Actions) -> bool {
        if self.rest == Rest::Below {
            actions.push_back(Action::KillRest(Rest::Below));
        }
        if self.next != Next::Launch {
            return true;
        }
        self.step = ClearingStep::Recounting;
        actions.push_back(Action::CountRest);
        false
    }
}
