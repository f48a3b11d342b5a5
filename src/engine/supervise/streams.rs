//! Streams between the workload and our standard descriptors: the job, the relay, and the place of
//! ours while the workload's stand in theirs.

use super::action::{Action, Change, Event, Output, Stop};
use super::notice::Notice;
use super::relay::Relay;
use super::session::Session;
use crate::core::signal::Signal;
use crate::sys::job::{Foreground, TerminalJob};
use crate::sys::streams::Aside;

#[derive(Default)]
pub(super) struct Streams {
    pub(super) job: TerminalJob,
    pub(super) relay: Option<Relay>,
    /// Our own standard descriptors, in the place of which we have the workload's.
    pub(super) aside: Aside,
}

impl Streams {
    /// Returns the way of the workload's output.
    pub(super) fn output(&self) -> Output {
        self.relay.as_ref().map_or(Output::Direct, Relay::output)
    }

    /// Returns the workload's terminal, where it has one of its own.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        self.relay.as_mut().and_then(Relay::session)
    }

    /// Returns the notice that output of the workload is lost, or waits; each only once.
    pub(super) fn trouble(&mut self) -> Option<Notice> {
        self.relay.as_mut().and_then(Relay::trouble)
    }

    /// Lets go of the relay where nothing is left to pass on. True if it has done so now.
    pub(super) fn let_go(&mut self) -> bool {
        self.relay.take_if(|relay| relay.is_done()).is_some()
    }

    /// Describes a stop of the workload by this signal: the state of the terminal then.
    pub(super) fn stopped(&mut self, signal: Signal, inner: bool) -> Change {
        let is_ours = inner && self.session().is_some_and(|it| it.screen.is_ours());
        let foreground = match is_ours {
            true => Foreground::Ours,
            false => self.job.whose(),
        };
        Change::Stopped(Stop {
            signal,
            foreground,
            orphaned: self.job.is_orphaned(),
            inner,
        })
    }

    /// Takes an action on the terminal, or on the workload's output. Returns the answer, where one
    /// is asked for.
    pub(super) fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Flush => self.relay.iter_mut().for_each(Relay::flush),
            Action::Resize => self.relay.iter().for_each(Relay::resize),
            Action::Placed => self.relay.iter_mut().for_each(Relay::placed),
            Action::EndOutput => {
                self.relay.iter_mut().for_each(Relay::end);
                let is_done = self.relay.as_ref().is_none_or(Relay::is_done);
                return is_done.then_some(Event::OutputDone);
            }
            Action::DropOutput => self.relay = None,
            Action::Continued => {
                self.job.continued();
                self.relay.iter().for_each(Relay::resize);
                self.session().map(Session::continued);
            }
            Action::GiveTerminal(stop) => {
                return Some(match self.job.give_to_workload() {
                    true => Event::TerminalGiven,
                    false => Event::TerminalNotGiven(stop),
                });
            }
            Action::TakeTerminal => self.job.take(),
            Action::GiveSession => drop(self.session().map(Session::give)),
            Action::LeaveSession => drop(self.session().map(Session::leave)),
            Action::StopOurselves(signal) => self.job.stop(signal.into()),
            Action::TerminalBack => self.job.over(),
            _ => {}
        }
        None
    }
}
