//! Job control: the consequences of a stop of the workload. Our parent is to see a job that is
//! stopped; a user who types is to see one that has the terminal.

use super::action::{Action, Actions, Output, Stop, Whom};
use crate::core::signal::{CONT, TSTP, TTIN, TTOU};
use crate::sys::job::Foreground;

/// The supervisor's job, as far as a stop asks for it.
#[derive(Clone, Copy, Default)]
pub(super) struct Job {
    /// True if a terminal controls us.
    pub(super) has_terminal: bool,
    /// The way of the workload's output.
    pub(super) output: Output,
}

impl Job {
    /// Handles a stop of the workload.
    pub(super) fn stopped(self, stop: Stop, actions: &mut Actions) {
        let wants = wants(stop);
        if !stop.inner {
            if self.output != Output::Direct {
                actions.push_back(Action::Flush);
            }
            if self.has_terminal && wants {
                return actions.push_back(Action::GiveTerminal(stop));
            }
            return self.stop_with(stop, actions);
        }
        // No process could continue us: a terminal stops no such group.
        if wants || stop.orphaned && stop.signal == TSTP {
            return actions.push_back(Action::GiveSession);
        }
        if !stop.orphaned {
            actions.extend([Action::Flush, Action::LeaveSession]);
            self.stop_with(stop, actions);
        }
    }

    /// Continues the workload, as it got the terminal that it was stopped for want of.
    pub(super) fn given(actions: &mut Actions) {
        actions.push_back(Action::Send(Whom::Group, CONT));
    }

    /// Stops us as the workload was stopped.
    pub(super) fn stop_with(self, stop: Stop, actions: &mut Actions) {
        if !self.has_terminal {
            return;
        }
        if stop.orphaned {
            // No process is there that could continue us; a terminal stops no such group.
            if stop.signal == TSTP {
                actions.push_back(Action::Send(Whom::Group, CONT));
            }
            return;
        }
        if stop.foreground == Foreground::Workload {
            actions.push_back(Action::TakeTerminal);
        }
        actions.push_back(Action::StopOurselves(stop.signal));
    }
}

/// True if the workload only wants the terminal, and that is ours.
fn wants(stop: Stop) -> bool {
    [TTIN, TTOU].contains(&stop.signal) && stop.foreground == Foreground::Ours
}
