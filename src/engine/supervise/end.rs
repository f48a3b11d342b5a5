//! The end of the processes that the workload leaves, of its output, and of us. A launch may take
//! the place of our own end.

use std::time::{Duration, Instant};

use super::action::{Action, Actions, Next};
use super::clearing::Clearing;
use super::errands::Purpose;
use crate::core::signal::{CHLD, Signal};
use crate::sys::signal_mask::{Mask, bit};

/// Facts that do not change during the end.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) now: Instant,
    /// The time that giving back leases may take; none where there is nothing.
    pub(super) gives_back: Option<Duration>,
    /// True if we are PID 1, whose end the kernel makes everybody's.
    pub(super) first: bool,
    /// The time that the rest may take; without it no process is waited for.
    pub(super) grace: Option<Duration>,
    /// The signals that end a launch.
    pub(super) ending: Mask,
}

/// The step that the end has reached.
#[derive(Debug)]
pub(super) enum End {
    /// The processes that are left of the workload are ended.
    Clearing(Clearing),
    /// The output that the workload has written is passed on.
    LettingOut(Next),
    /// The signals that have come meanwhile are looked at, before a launch.
    Looking,
    /// The leases are given back, until then; the code to end with.
    GivingBack(Option<Instant>, u8),
    /// All is done.
    Over,
}

impl End {
    /// Begins our own end. As PID 1 without a grace, the kernel ends the rest.
    pub(super) fn quit(code: u8, terms: Terms, actions: &mut Actions) -> Self {
        actions.push_back(Action::TerminalBack);
        let next = Next::Quit(code);
        if terms.first && terms.grace.unwrap_or_default().is_zero() {
            return End::let_out(next, actions);
        }
        End::clear(Clearing::begin(next, terms.grace, terms.first), actions)
    }

    /// Begins the workload's end alone, before it is launched anew. The processes that it leaves
    /// get the time that is `left` of the workload's own.
    pub(super) fn launch(left: Duration, terms: Terms, actions: &mut Actions) -> Self {
        actions.push_back(Action::TerminalBack);
        End::clear(
            Clearing::begin(Next::Launch, Some(left), terms.first),
            actions,
        )
    }

    fn clear(clearing: Clearing, actions: &mut Actions) -> Self {
        actions.push_back(Action::CountRest);
        End::Clearing(clearing)
    }

    /// Passes on the rest of the output, however slowly it is read, as no process is left.
    fn let_out(next: Next, actions: &mut Actions) -> Self {
        actions.push_back(Action::EndOutput);
        End::LettingOut(next)
    }

    /// Lists the signals to wait for.
    pub(super) fn listens(&self, ending: Mask) -> Mask {
        match self {
            End::Clearing(clearing) if clearing.next == Next::Launch => ending | bit(CHLD.into()),
            End::Clearing(_) => bit(CHLD.into()),
            End::LettingOut(_) | End::GivingBack(..) => ending | bit(CHLD.into()),
            End::Looking | End::Over => 0,
        }
    }

    /// Returns the instant to wait for at most.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            End::Clearing(clearing) => clearing.due(),
            End::GivingBack(until, _) => *until,
            End::LettingOut(_) | End::Looking | End::Over => None,
        }
    }

    /// Handles a signal. One that ends a launch ends one that was to come.
    pub(super) fn signal(&mut self, signal: Signal, terms: Terms, actions: &mut Actions) {
        let ends = terms.ending & bit(signal.into()) != 0;
        match self {
            End::Clearing(_) | End::LettingOut(_) if signal == CHLD => {
                actions.push_back(Action::CountRest);
            }
            End::Clearing(clearing) if ends && clearing.next == Next::Launch => {
                *self = End::quit(128 + signal, terms, actions);
            }
            End::LettingOut(next) if ends => {
                actions.push_back(Action::DropOutput);
                *self = match next {
                    Next::Launch => End::quit(128 + signal, terms, actions),
                    Next::Quit(code) => End::give_back(*code, terms, actions),
                };
            }
            End::GivingBack(_, code) if ends => {
                let code = *code;
                actions.push_back(Action::EndErrand);
                *self = End::over(code, actions);
            }
            _ => {}
        }
    }

    /// Handles the count of the processes that are left.
    pub(super) fn counted(&mut self, any: bool, apart: bool, now: Instant, actions: &mut Actions) {
        if let End::Clearing(clearing) = self
            && clearing.counted(any, apart, now, actions)
        {
            *self = End::let_out(clearing.next, actions);
        }
    }

    /// Takes the actions that are due.
    pub(super) fn time(&mut self, terms: Terms, actions: &mut Actions) {
        let now = terms.now;
        if let End::GivingBack(Some(until), code) = *self
            && until <= now
        {
            actions.push_back(Action::EndErrand);
            *self = End::over(code, actions);
        }
        if let End::Clearing(clearing) = self
            && clearing.time(now, actions)
        {
            *self = End::let_out(clearing.next, actions);
        }
    }

    /// Goes on once all output is passed on.
    pub(super) fn output_done(&mut self, terms: Terms, actions: &mut Actions) {
        *self = match self {
            End::LettingOut(Next::Quit(code)) => End::give_back(*code, terms, actions),
            End::LettingOut(Next::Launch) => {
                actions.push_back(Action::TakeEnding(terms.ending));
                End::Looking
            }
            _ => return,
        }
    }

    /// Launches, or ends where a signal has come that ends a launch.
    pub(super) fn looked(&mut self, signal: Option<Signal>, terms: Terms, actions: &mut Actions) {
        match signal {
            Some(signal) => *self = End::quit(128 + signal, terms, actions),
            None => actions.push_back(Action::Launch),
        }
    }

    /// True if a process is heard that gives back leases.
    pub(super) fn is_giving_back(&self) -> bool {
        matches!(self, End::GivingBack(..))
    }

    /// Handles the end of the process that gives back leases.
    pub(super) fn given_back(&mut self, actions: &mut Actions) {
        if let End::GivingBack(_, code) = *self {
            *self = End::over(code, actions);
        }
    }

    /// Gives back the leases: the workload is gone, and needs them no more.
    fn give_back(code: u8, terms: Terms, actions: &mut Actions) -> Self {
        let Some(time) = terms.gives_back else {
            return End::over(code, actions);
        };
        actions.push_back(Action::StartErrand(Purpose::GiveBack));
        End::GivingBack(terms.now.checked_add(time), code)
    }

    fn over(code: u8, actions: &mut Actions) -> Self {
        actions.extend([Action::RemoveFiles, Action::Quit(code)]);
        End::Over
    }
}
