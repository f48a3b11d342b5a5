//! Job control: the workload's process group, and the terminal that it may have.

use std::os::fd::{AsRawFd, RawFd};

use nix::unistd::{Pid, getsid};

use super::process::{self, To, be_stopped_by};
use super::pty::{self, foreground_of};
use super::signal_mask;

/// A supervisor and its workload as jobs of a terminal, or without one.
#[derive(Default)]
pub struct TerminalJob {
    /// The descriptors that are our own standard descriptors now.
    standard: [RawFd; 3],
    /// True if there is a terminal that controls this process.
    terminal: bool,
    /// Our own process group.
    group: i32,
    /// The workload's process group, of the same number as its process.
    workload: i32,
    /// True if the workload has been given the terminal.
    given: bool,
}

/// The owner of a terminal, by the process group in its foreground.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreground {
    /// Our own group.
    Ours,
    /// The workload's group.
    Workload,
    /// Another group, or none.
    Other,
}

impl TerminalJob {
    /// Looks at the terminal. The workload is given it at once if it is ours, and both standard
    /// input and output are that terminal. In a pipeline others of our group may need it.
    ///
    /// In a pipeline, or if we are brought to the foreground later, the terminal is given when it
    /// is wanted.
    pub fn survey() -> Self {
        let (group, standard) = (process::group(), [0, 1, 2]);
        let foreground = foreground_of(0);
        TerminalJob {
            standard,
            terminal: foreground.is_some() || on_terminal(standard, |_| ()).is_some(),
            group,
            workload: 0,
            given: foreground == Some(group) && foreground_of(1).is_some(),
        }
    }

    /// Gives the calling process, the future workload, a group of its own and the terminal. Without
    /// a terminal it gets a session of its own. Every signal is blocked.
    pub fn separate(&self) {
        if !self.terminal {
            return process::leave_session();
        }
        process::lead_group(0);
        if self.given {
            self.give(process::own());
        }
    }

    /// Sets the descriptors that are our standard descriptors now, as others are in their places.
    pub fn finds_terminal_at(&mut self, standard: [RawFd; 3]) {
        self.standard = standard;
    }

    /// Keeps our terminal from the workload, which has one of its own.
    pub fn keep_terminal(&mut self) {
        self.given = false;
    }

    /// Sets the process of the workload.
    pub fn is_of(&mut self, workload: i32) {
        self.workload = workload;
    }

    /// True if a terminal controls us.
    pub fn has_terminal(&self) -> bool {
        self.terminal
    }

    /// Returns the owner of the terminal that controls us.
    pub fn whose(&self) -> Foreground {
        match self.foreground() {
            Some(group) if group == self.group => Foreground::Ours,
            Some(group) if group == self.workload => Foreground::Workload,
            _ => Foreground::Other,
        }
    }

    /// Gives the workload the terminal, from now on whenever we have it. True if that worked.
    pub fn give_to_workload(&mut self) -> bool {
        let is_given = self.give(self.workload);
        self.given |= is_given;
        is_given
    }

    /// Takes the terminal.
    pub fn take(&self) {
        self.give(self.group);
    }

    /// Stops us by the signal that stopped the workload, so that our parent sees it. Returns when
    /// we are continued.
    pub fn stop(&self, signal: libc::c_int) {
        if signal == libc::SIGSTOP {
            process::send(To::Process(process::own()), signal);
        } else {
            process::send(To::Group(self.group), signal);
            be_stopped_by(signal);
        }
    }

    /// Gives the workload the terminal again, if it had it, after we were continued.
    pub fn continued(&mut self) {
        if self.given && self.foreground() == Some(self.group) {
            self.give(self.workload);
        }
    }

    /// Takes back the terminal, if the workload had it, after its end.
    pub fn over(&self) {
        if self.given
            && let Some(group) = self.foreground()
            && (group == self.workload || !process::has_group(group))
        {
            self.give(self.group);
        }
    }

    /// Returns the foreground group of the terminal that controls us.
    fn foreground(&self) -> Option<i32> {
        on_terminal(self.standard, foreground_of).flatten()
    }

    /// Makes a group of our session the foreground group. True if that worked. SIGTTOU is blocked,
    /// else it would stop us.
    fn give(&self, group: i32) -> bool {
        let before = signal_mask::change(libc::SIG_BLOCK, signal_mask::bit(libc::SIGTTOU));
        let given = on_terminal(self.standard, |terminal| pty::give(terminal, group));
        signal_mask::change(libc::SIG_SETMASK, before);
        given == Some(true)
    }

    /// True if our parent is not in our session: then there is no shell that treats us as a job.
    pub fn is_orphaned(&self) -> bool {
        let parent = process::parent();
        let session = |of: Option<i32>| getsid(of.map(Pid::from_raw)).ok();
        parent == 0 || session(Some(parent)) != session(None)
    }
}

/// Calls `act` with the terminal that controls us; `None` if there is none.
fn on_terminal<T>(standard: [RawFd; 3], act: impl FnOnce(RawFd) -> T) -> Option<T> {
    let ours = |&descriptor: &RawFd| foreground_of(descriptor).is_some();
    if let Some(terminal) = standard.into_iter().find(ours) {
        return Some(act(terminal));
    }
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    Some(act(terminal.as_raw_fd()))
}
