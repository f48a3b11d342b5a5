//! The events that a supervisor gets, and the actions that it takes: the words of
//! [`machine`](super::machine).

use std::collections::VecDeque;
use std::time::Duration;

use super::errands::Purpose;
use super::known::{Digests, Loans, Outcome};
use super::notice::Notice;
use super::settings::Supervision;
use crate::core::signal::Signal;
use crate::sys::job::Foreground;
use crate::sys::process::Taken;
use crate::sys::signal_mask::Mask;

/// An event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A process that gets ready to become the workload was forked.
    Forked(Below),
    /// The child process that launches has told how to supervise.
    Supervision(Supervision),
    /// The launch waits this long before it asks a server.
    Pauses(Duration),
    /// The child process that launches has told the digests of what the workload gets.
    Digests(Digests),
    /// The child process that launches, or one on an errand, has told the leases.
    Loans(Loans),
    /// The child process that launches has become the workload, or has ended, which a signal says.
    /// `armed` is true if its output can be relayed: else it is not known what to mask.
    Begun { armed: bool },
    /// A message of a launch can't be understood.
    Unheard,
    /// A signal was taken.
    Signal(Arrived),
    /// Children that have ended were taken in.
    Child(Change),
    /// The workload has not ended just before [`Action::ReapBefore`].
    Lives(Then),
    /// The terminal could be given to the workload.
    TerminalGiven,
    /// The terminal could not be given to the workload.
    TerminalNotGiven(Stop),
    /// Messages are heard up to their end.
    HeardOut,
    /// The workload's output is passed on in another way.
    Output(Output),
    /// Output is passed on to its end.
    OutputDone,
    /// The answer to [`Action::CountRest`]. `any` is true if children are left; `apart` if those
    /// that came from elsewhere can be told from them.
    Rest { any: bool, apart: bool },
    /// The answer to [`Action::TakeEnding`].
    Taken(Option<Signal>),
    /// A process on an errand tells its outcome.
    Reported(Outcome),
    /// The process on an errand has ended.
    ErrandOver,
    /// The process on an errand could not be started, or not be heard.
    ErrandLost,
    /// The process on an errand has had its time, and has said nothing.
    ErrandHangs,
    /// Time has passed.
    Time,
}

/// A signal that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Arrived {
    pub(super) signal: Signal,
    /// True if a process has sent it; else it is the kernel's own, such as a terminal's.
    pub(super) is_sent: bool,
}

impl Arrived {
    pub(super) fn of(taken: &Taken) -> Self {
        Arrived {
            signal: taken.signal() as Signal,
            is_sent: taken.is_sent(),
        }
    }
}

/// A change of the child process whose end is the workload's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    None,
    /// The workload has ended, with this code.
    Ended(u8),
    /// The workload was stopped.
    Stopped(Stop),
}

/// A stop of the workload, and how the terminal was then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stop {
    pub(super) signal: Signal,
    /// The owner of the terminal that controls us.
    pub(super) foreground: Foreground,
    /// True if no process is there that could continue us.
    pub(super) orphaned: bool,
    /// True if the workload has a terminal of its own.
    pub(super) inner: bool,
}

/// A workload that was just forked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Below {
    pub(super) output: Output,
    /// True if a terminal controls us.
    pub(super) has_terminal: bool,
}

/// The way of the workload's output.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Output {
    /// Output that does not pass through us.
    #[default]
    Direct,
    /// Relayed output.
    Relayed,
    /// Relayed output, from a terminal of the workload's own.
    Terminal,
}

/// The step to take when the workload has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// Ends us, with the workload's code.
    End,
    /// Ends us, with this code.
    Exit(u8),
    /// Launches the workload anew.
    Launch,
}

/// The step to take after the workload's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Quit(u8),
    Launch,
}

/// The receiver of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whom {
    Workload,
    /// The workload's whole process group.
    Group,
}

/// The processes that are left when the workload has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Every process below us.
    Below,
    /// Every process but PID 1, which is us.
    Everybody,
}

/// An action. One that asks for an answer is the last of its step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Has this signal come when our parent ends.
    SignalAtParentsEnd(Signal),
    /// Sends on the signal that was taken last, as this one.
    Forward(Whom, Signal),
    /// Sends a signal of our own.
    Send(Whom, Signal),
    /// Kills the workload, or the process that is to become it, and the process above it.
    Kill,
    /// Takes in children that have ended, after a signal that said so: answered by
    /// [`Event::Child`].
    Reap,
    /// Takes in children just before the workload is told to end. The answer is [`Event::Child`]
    /// where it has ended by itself just now, else [`Event::Lives`].
    ReapBefore(Then),
    /// Hears the messages up to their end: [`Event::HeardOut`].
    HearOut,
    /// Says a notice where doorkey's messages go.
    Notify(Notice),

    /// Passes on the output that was written before we are stopped.
    Flush,
    /// Gives the workload's terminal the size of ours.
    Resize,
    /// Notes that the workload's files have the values that were told last.
    Placed,
    /// Passes on only the output that is written already: [`Event::OutputDone`] when that is done.
    EndOutput,
    /// Drops the output that is not passed on.
    DropOutput,

    /// Gives the terminal back to its last owner, as we were continued.
    Continued,
    /// Gives the workload our terminal: [`Event::TerminalGiven`] or [`Event::TerminalNotGiven`].
    GiveTerminal(Stop),
    /// Takes the terminal from a workload that was stopped.
    TakeTerminal,
    /// Makes our terminal the workload's by way of its own.
    GiveSession,
    /// Gives our terminal its settings back.
    LeaveSession,
    /// Stops us by this signal, as the workload was stopped; returns when we are continued.
    StopOurselves(Signal),
    /// Takes the terminal back, as the workload has ended.
    TerminalBack,

    /// Starts a fresh process: [`Event::ErrandLost`] where there is none to be had.
    StartErrand(Purpose),
    /// Looks whether a process on an errand that is late has told something: else
    /// [`Event::ErrandHangs`].
    LookAtErrand,
    /// Kills the process on an errand.
    EndErrand,

    /// Counts the processes that are left of the workload: [`Event::Rest`].
    CountRest,
    /// Asks the processes that are left to end.
    TerminateRest(Rest),
    /// Kills the processes that are left.
    KillRest(Rest),
    /// Takes one of these signals, if one has come: [`Event::Taken`].
    TakeEnding(Mask),
    /// Lets go of the environment and descriptors that this process has inherited: none of it is
    /// needed again.
    LetGo,
    /// Removes the files that were delivered in a folder.
    RemoveFiles,
    /// Forks the process that becomes the workload.
    Launch,
    /// Ends, with this code.
    Quit(u8),
}

/// The actions to take, the next first. There is one list for all steps, so that none allocates.
pub(super) type Actions = VecDeque<Action>;
