//! Clearing: the processes that are left when the workload has ended are asked to end, given the
//! grace where there is one, and killed.

use std::time::{Duration, Instant};

use super::action::{Action, Actions, Next, Rest};

/// The time after which a process that does not end is killed again.
const BEAT: Duration = Duration::from_secs(1);

/// The end of the processes left, up to where nothing is waited for any more. Before a launch all
/// of them have to be gone, but none that came from elsewhere.
#[derive(Debug)]
pub(super) struct Clearing {
    pub(super) next: Next,
    /// The time that they may take; without one they are not waited for.
    grace: Option<Duration>,
    /// True if we are PID 1.
    first: bool,
    rest: Rest,
    step: ClearingStep,
}

#[derive(Clone, Copy, Debug)]
enum ClearingStep {
    /// The caller was asked whether there are any processes.
    Counting,
    /// The processes were asked to end, and have time until this instant.
    Asked(Option<Instant>),
    /// The caller was asked whether any process is left to be killed.
    Recounting,
    /// The processes were killed, and are killed again at this instant.
    Killed(Instant),
}

impl Clearing {
    /// Begins by counting the processes, which is for the caller to ask for.
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

    /// Handles a count: there are `any`, and those from elsewhere can be told `apart`. True if the
    /// clearing is over.
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

    /// Handles that time has passed. True if the clearing is over.
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

    /// Kills the processes, as they have had their time. At our end the kernel kills every process,
    /// where that is for us to do. True if the clearing is over.
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
