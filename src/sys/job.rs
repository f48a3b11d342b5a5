//! TerminalJob control: the workload's process group, and the terminal that it may have.

use std::os::fd::{AsRawFd, RawFd};

use nix::unistd::{Pid, getsid};

use super::process::{self, To, be_stopped_by};
use super::pty::{self, foreground_of};
use super::signal_mask;

/// A supervisor and its workload as jobs of a terminal, or without one.
#[derive(Default)]
pub struct TerminalJob {
    /// Where our own standard descriptors are.
    standard: [RawFd; 3],
    /// True if there is a terminal that controls this process.
    terminal: bool,
    /// Our own group.
    group: i32,
    /// The workload's, of the same number as its process.
    workload: i32,
    /// True if the workload has been given the terminal.
    given: bool,
}

/// Whose a terminal is, by the process group in its foreground.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreground {
    /// Our own.
    Ours,
    /// The workload's.
    Workload,
    /// Another, or nobody's.
    Other,
}

impl TerminalJob {
    /// Looks at the terminal. The workload is given it at once where it is ours, and where both
    /// standard input and output are that terminal: in a pipeline others of our group may need
    /// it. There, and where we are brought to the foreground later, it is given when it is wanted.
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

    /// Gives the calling process, the one to become the workload, a group of its own, and the
    /// terminal; where there is none, a session of its own. Every signal is blocked.
    pub fn separate(&self) {
        if !self.terminal {
            return process::leave_session();
        }
        process::lead_group(0);
        if self.given {
            self.give(process::own());
        }
    }

    /// Others stand in the places of our standard descriptors, which are here now.
    pub fn finds_terminal_at(&mut self, standard: [RawFd; 3]) {
        self.standard = standard;
    }

    /// The workload has a terminal of its own: ours is not given to it.
    pub fn keep_terminal(&mut self) {
        self.given = false;
    }

    /// Says which process is to be the workload.
    pub fn is_of(&mut self, workload: i32) {
        self.workload = workload;
    }

    /// True if a terminal controls us.
    pub fn has_terminal(&self) -> bool {
        self.terminal
    }

    /// Whose the terminal is that controls us.
    pub fn whose(&self) -> Foreground {
        match self.foreground() {
            Some(group) if group == self.group => Foreground::Ours,
            Some(group) if group == self.workload => Foreground::Workload,
            _ => Foreground::Other,
        }
    }

    /// Gives the workload the terminal, from here on wherever we have it; whether that went well.
    pub fn give_to_workload(&mut self) -> bool {
        let is_given = self.give(self.workload);
        self.given |= is_given;
        is_given
    }

    /// Takes the terminal.
    pub fn take(&self) {
        self.give(self.group);
    }

    /// Has us be stopped as the workload was, by this signal, so that whoever has started us sees
    /// it; comes back when we are continued.
    pub fn stop(&self, signal: libc::c_int) {
        if signal == libc::SIGSTOP {
            process::send(To::Process(process::own()), signal);
        } else {
            process::send(To::Group(self.group), signal);
            be_stopped_by(signal);
        }
    }

    /// We were continued: the terminal, where the workload had it, is its again.
    pub fn continued(&mut self) {
        if self.given && self.foreground() == Some(self.group) {
            self.give(self.workload);
        }
    }

    /// The workload has ended: the terminal, where it had that, is ours again.
    pub fn over(&self) {
        if self.given
            && let Some(group) = self.foreground()
            && (group == self.workload || !process::has_group(group))
        {
            self.give(self.group);
        }
    }

    /// The foreground group of the terminal that controls us.
    fn foreground(&self) -> Option<i32> {
        on_terminal(self.standard, foreground_of).flatten()
    }

    /// Makes a group of our session that group; whether that went well. SIGTTOU is blocked, else
    /// we would be stopped for it.
    fn give(&self, group: i32) -> bool {
        let before = signal_mask::change(libc::SIG_BLOCK, signal_mask::bit(libc::SIGTTOU));
        let given = on_terminal(self.standard, |terminal| pty::give(terminal, group));
        signal_mask::change(libc::SIG_SETMASK, before);
        given == Some(true)
    }

    /// True if nobody in our session, but outside of our group, has started us: then there is no
    /// shell that looks after us as a job.
    pub fn is_orphaned(&self) -> bool {
        let parent = process::parent();
        let session = |of: Option<i32>| getsid(of.map(Pid::from_raw)).ok();
        parent == 0 || session(Some(parent)) != session(None)
    }
}

/// Does something with the terminal that controls us; nothing where there is none.
fn on_terminal<T>(standard: [RawFd; 3], act: impl FnOnce(RawFd) -> T) -> Option<T> {
    let ours = |&descriptor: &RawFd| foreground_of(descriptor).is_some();
    if let Some(terminal) = standard.into_iter().find(ours) {
        return Some(act(terminal));
    }
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    Some(act(terminal.as_raw_fd()))
}
