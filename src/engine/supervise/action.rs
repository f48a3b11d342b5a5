//! What happens to a supervisor, and what it does: the words of [`machine`](super::machine).

use std::collections::VecDeque;
use std::time::Duration;

use super::errands::Purpose;
use super::known::{Digests, Lent, Outcome};
use super::notice::Notice;
use super::settings::Settings;
use crate::core::signal::Signal;
use crate::sys::job::Foreground;
use crate::sys::process::Taken;
use crate::sys::signal_mask::Mask;

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A process that gets ready to become the workload was forked.
    Forked(Below),
    /// It has told how to supervise.
    Settings(Settings),
    /// The launch waits so long before it asks a server.
    Pauses(Duration),
    /// It has told the digests of what the workload gets.
    Digests(Digests),
    /// It, or a process on an errand, has told what is lent.
    Lent(Lent),
    /// It has become the workload, or has ended, which a signal says. `armed` is whether its output
    /// can be relayed: else it is not known what to mask.
    Begun { armed: bool },
    /// What it has told can't be understood.
    Unheard,
    /// A signal was taken.
    Signal(Arrived),
    /// Children that have ended were taken in.
    Child(Change, Option<Arrived>),
    /// The workload has not ended just before [`Action::ReapBefore`].
    Lives(Then),
    /// The terminal could be given to the workload.
    TerminalGiven,
    /// It could not.
    TerminalNotGiven(Stop),
    /// All that was told is heard.
    HeardOut,
    /// What passes the workload's output on is another.
    Output(Output),
    /// Nothing of the output is left to pass on.
    OutputDone,
    /// The answer to [`Action::CountRest`]: whether children are left; and whether those that came
    /// from elsewhere can be told from them.
    Rest { any: bool, apart: bool },
    /// The answer to [`Action::TakeEnding`].
    Taken(Option<Signal>),
    /// A process on an errand tells what has come of it.
    Reported(Outcome),
    /// It has ended.
    ErrandOver,
    /// It could not be started, or not be heard.
    ErrandLost,
    /// It has had its time, and has said nothing.
    ErrandHangs,
    /// Time has passed.
    Time,
}

/// A signal that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Arrived {
    pub(super) signal: Signal,
    /// Whether a process has sent it; else it is the kernel's own, such as a terminal's.
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

/// What has become of the child whose end is the workload's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    None,
    /// It has ended, with this code.
    Ended(u8),
    /// The workload was stopped.
    Stopped(Stop),
}

/// A stop of the workload, and how the terminal was then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stop {
    pub(super) signal: Signal,
    /// Whose the terminal is that controls us.
    pub(super) foreground: Foreground,
    /// Whether nobody is there who could continue us.
    pub(super) orphaned: bool,
    /// Whether the workload has a terminal of its own.
    pub(super) inner: bool,
}

/// A workload that was just forked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Below {
    pub(super) output: Output,
    /// Whether a terminal controls us.
    pub(super) has_terminal: bool,
}

/// How the workload's output goes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Output {
    /// Not through us.
    #[default]
    Direct,
    /// It is relayed.
    Relayed,
    /// It is relayed, from a terminal of the workload's own.
    Terminal,
}

/// What comes when the workload has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// We end, with its code.
    End,
    /// We end, with this one.
    Exit(u8),
    /// It is launched anew.
    Launch,
}

/// What comes after the workload's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Quit(u8),
    Launch,
}

/// Whom a signal is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whom {
    Workload,
    /// Its whole process group.
    Group,
}

/// Who is left when the workload has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Every process below us.
    Below,
    /// Everybody but PID 1, which is us.
    Everybody,
}

/// What is done. Whatever asks for an answer is the last of its step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Has this signal come when whoever has started us ends.
    SignalAtParentsEnd(Signal),
    /// Sends on the signal that was taken last, as this one.
    Forward(Whom, Signal),
    /// Sends a signal of our own.
    Send(Whom, Signal),
    /// Kills the workload, or what is to become it, and the process above it.
    Kill,
    /// Takes in children that have ended, after a signal that said so: answered by
    /// [`Event::Child`].
    Reap(Arrived),
    /// The same before the workload is told to end: [`Event::Child`] where it has ended by itself
    /// just now, else [`Event::Lives`].
    ReapBefore(Then),
    /// Hears what was told up to its end: [`Event::HeardOut`].
    HearOut,
    /// Says something where doorkey says what it has to say.
    Notify(Notice),

    /// Passes on what was written before we are stopped.
    Flush,
    /// Gives the workload's terminal the size of ours.
    Resize,
    /// The workload's files have what was to be looked for last.
    Placed,
    /// Passes on only what is written already: [`Event::OutputDone`] when that is done.
    EndOutput,
    /// Lets go of what is not passed on.
    DropOutput,

    /// We were continued: whoever had the terminal has it again.
    Continued,
    /// Gives the workload our terminal: [`Event::TerminalGiven`] or [`Event::TerminalNotGiven`].
    GiveTerminal(Stop),
    /// Takes the terminal from a workload that was stopped.
    TakeTerminal,
    /// Has our terminal be the workload's by way of its own.
    GiveSession,
    /// Gives our terminal its settings back.
    LeaveSession,
    /// Has us be stopped by this signal as the workload was; comes back when we are continued.
    StopOurselves(Signal),
    /// The workload has ended: the terminal is ours again.
    TerminalBack,

    /// Starts a fresh process: [`Event::ErrandLost`] where there is none to be had.
    StartErrand(Purpose),
    /// Looks whether one that is late has told something: else [`Event::ErrandHangs`].
    LookAtErrand,
    /// Kills it.
    EndErrand,

    /// Counts what is left of the workload's processes: [`Event::Rest`].
    CountRest,
    /// Asks them to end.
    TerminateRest(Rest),
    /// Kills them.
    KillRest(Rest),
    /// Takes one of these signals, if one has come: [`Event::Taken`].
    TakeEnding(Mask),
    /// Nothing that this process was started with is needed again: lets go of it, and of what was
    /// inherited.
    LetGo,
    /// Removes what was delivered in a folder.
    RemoveFiles,
    /// Forks the process that becomes the workload.
    Launch,
    /// Ends, with this code.
    Quit(u8),
}

/// What is to be done, the next first. There is one list for all steps, so that none allocates.
pub(super) type Actions = VecDeque<Action>;
