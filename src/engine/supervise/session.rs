//! A workload at a terminal of its own. Input typed at ours goes to it, and ours is as if the
//! workload had it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use zeroize::Zeroize;

use crate::core::signal::{Signal, USR1};
use crate::sys::nonblocking::{self, Received, Sent};
use crate::sys::outer_terminal::Screen;
use crate::sys::poll::Watched;
use crate::sys::process::{self, To};
use crate::sys::pty::{self, Pty};

/// The limit, in bytes, of typed input that is passed on at once.
const TYPED: usize = 4096;

pub(super) struct Session {
    pub(super) screen: Screen,
    /// The master side of the workload's terminal, which is in our hands.
    master: OwnedFd,
    /// The slave side, until the workload has it.
    pub(super) slave: Option<OwnedFd>,
    /// The input that was typed and has not gone on yet.
    typed: Box<[u8; TYPED]>,
    waiting: std::ops::Range<usize>,
    /// True if nothing more will be typed.
    deaf: bool,
    /// True if the workload has the terminal whenever we have ours: where the terminal is its
    /// standard input. Else others may need ours, and the workload gets it when it wants it.
    pub(super) wanted: bool,
    begun: bool,
    /// True if the workload's terminal processed output, which ours does now.
    processed: bool,
    /// The process above the workload.
    pub(super) monitor: i32,
}

/// The signal by which [`Session::monitor`] is told to give the workload its terminal.
pub(super) const GIVE: Signal = USR1;

impl Session {
    /// Creates a session at the workload's terminal, in the place of the one that this descriptor
    /// is.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn new(descriptor: RawFd, wanted: bool, pty: &Pty) -> io::Result<Self> {
        let mut session = Session {
            screen: Screen::of(descriptor)?,
            master: pty.master.try_clone()?,
            slave: Some(pty.slave.try_clone()?),
            typed: Box::new([0; TYPED]),
            waiting: 0..0,
            deaf: false,
            wanted,
            begun: false,
            processed: false,
            monitor: 0,
        };
        if !session.is_wanted() {
            session.cook(true);
        }
        Ok(session)
    }

    pub(super) fn descriptors(&self) -> [RawFd; 2] {
        [self.screen.descriptor(), self.master.as_raw_fd()]
    }

    /// True if the workload has the terminal whenever we have ours, and we have it.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted && self.screen.is_ours()
    }

    pub(super) fn begin(&mut self) {
        self.begun = true;
        if self.is_wanted() {
            self.enter();
        }
    }

    /// Stops passing on input, as none of it is for the workload any more.
    pub(super) fn end(&mut self) {
        self.deaf = true;
        self.waiting = 0..0;
    }

    /// Has typed input go to the workload.
    fn enter(&mut self) {
        if self.begun {
            self.cook(false);
            self.screen.make_raw();
        }
    }

    /// Turns off output processing of the workload's terminal where `ours` does it; else back on.
    fn cook(&mut self, ours: bool) {
        if ours {
            self.processed |= pty::process_output(self.master.as_raw_fd(), false);
        } else if std::mem::take(&mut self.processed) {
            pty::process_output(self.master.as_raw_fd(), true);
        }
    }

    /// Gives the workload the terminal, and continues it.
    pub(super) fn give(&mut self) {
        self.wanted = true;
        self.enter();
        process::send(To::Process(self.monitor), GIVE.into());
    }

    /// Restores our terminal as it was before, as we are about to be stopped.
    pub(super) fn leave(&mut self) {
        self.screen.restore();
        self.cook(true);
    }

    /// Handles that we were continued. We may have been stopped by force before.
    pub(super) fn continued(&mut self) {
        if self.is_wanted() {
            self.give();
        } else {
            // The owner of our terminal now has settings of its own there.
            self.screen.forget();
            self.cook(true);
        }
    }

    /// Lists the descriptors to wait at: the typed input, and the terminal that it goes to.
    pub(super) fn watch(&self) -> [Watched; 2] {
        let goes_on = !self.deaf && self.screen.is_raw();
        match self.waiting.is_empty() {
            true if goes_on => [
                Watched::readable(self.screen.descriptor()),
                Watched::nothing(),
            ],
            true => [Watched::nothing(), Watched::nothing()],
            false => [
                Watched::nothing(),
                Watched::writable(self.master.as_raw_fd()),
            ],
        }
    }

    /// Passes on typed input.
    pub(super) fn serve(&mut self, watched: &[Watched]) {
        if !watched.iter().any(Watched::is_ready) {
            return;
        }
        if self.waiting.is_empty() {
            match nonblocking::receive(self.screen.descriptor(), &mut self.typed[..]) {
                Received::Some(count) => self.waiting = 0..count,
                Received::Nothing => return,
                // The terminal is another job's now; or nobody is there any more.
                Received::End | Received::Failed(_) if !self.screen.is_ours() => {
                    return self.screen.forget();
                }
                Received::End | Received::Failed(_) => self.deaf = true,
            }
        }
        match nonblocking::transmit(self.master.as_raw_fd(), &self.typed[self.waiting.clone()]) {
            Sent::Some(count) => self.waiting.start += count,
            Sent::Full => {}
            Sent::NoRoom(_) | Sent::Lost(..) | Sent::Closed | Sent::Failed(_) => self.end(),
        }
        if self.waiting.is_empty() {
            self.typed.zeroize();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.typed.zeroize();
    }
}
