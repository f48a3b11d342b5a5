//! Masks inputs on their way to standard output, in one process that waits for both.

use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::hold::Hold;
use crate::core::mask::patterns::Needles;
use crate::core::mask::stream::Stream;
use crate::model::error::Os;
use crate::sys::nonblocking::{self, Outlet, Received, Sent};
use crate::sys::poll::{Watched, wait_at};

/// Inputs that are masked as one stream. A writer that pauses is judged by the clock alone, as it is
/// any process.
pub struct Redaction {
    stream: Stream,
    outlet: Outlet,
    hold: Hold,
    /// True if output that has gone out is still in memory.
    used: bool,
}

/// Reason why no more is passed on.
pub enum Halt {
    /// No reader is left.
    Unread,
    /// The input can't be read.
    Input(Os),
    /// The output can't be written.
    Output(Os),
}

impl Redaction {
    /// Begins to mask these patterns, on standard output.
    pub fn new(needles: Needles) -> Self {
        Redaction {
            stream: Stream::new(Rc::new(needles)),
            outlet: Outlet::standard(libc::STDOUT_FILENO),
            hold: Hold::new(Instant::now()),
            used: false,
        }
    }

    /// Passes an input on, to its end.
    ///
    /// # Errors
    /// The reason why it is not passed on to its end.
    pub fn pass(&mut self, input: RawFd) -> Result<(), Halt> {
        loop {
            if let Some(due) = self.due() {
                let time = due.saturating_duration_since(Instant::now());
                if !wait(Watched::readable(input), time) {
                    self.settle()?;
                    continue;
                }
            }
            match nonblocking::receive(input, self.stream.room()) {
                Received::Some(count) => {
                    self.used = true;
                    self.stream.took(count);
                    self.hold.took(&self.stream, Instant::now());
                    self.write()?;
                }
                // Somebody has made it non-blocking.
                Received::Nothing => {
                    let due = self.due();
                    let time = due.map(|due| due.saturating_duration_since(Instant::now()));
                    wait(Watched::readable(input), time.unwrap_or(Duration::MAX));
                }
                Received::End => return Ok(()),
                Received::Failed(why) => return Err(Halt::Input(why)),
            }
        }
    }

    /// Passes on what is held back, as no input is left.
    ///
    /// # Errors
    /// The reason why it is not passed on.
    pub fn end(&mut self) -> Result<(), Halt> {
        self.stream.end();
        self.write()
    }

    /// Lists the placeholders that were put in, each with its number.
    pub fn found(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.stream.found().filter(|(_, count)| *count > 0)
    }

    fn due(&self) -> Option<Instant> {
        let used = self.used.then(|| self.hold.silent());
        self.hold.due(&self.stream).into_iter().chain(used).min()
    }

    /// Writes the bytes held back after enough silence, and overwrites those that have gone out.
    fn settle(&mut self) -> Result<(), Halt> {
        let now = Instant::now();
        if self.hold.due(&self.stream).is_some_and(|due| due <= now) {
            self.stream.release();
            self.write()?;
        }
        if now >= self.hold.silent() {
            self.stream.wipe();
            self.used = false;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Halt> {
        while self.stream.pieces().next().is_some() {
            match self.outlet.send(self.stream.pieces()) {
                Sent::Some(count) => self.stream.wrote(count),
                Sent::Full => {
                    wait(Watched::writable(self.outlet.descriptor()), Duration::MAX);
                }
                Sent::Closed => return Err(Halt::Unread),
                Sent::NoRoom(why) | Sent::Lost(_, why) | Sent::Failed(why) => {
                    return Err(Halt::Output(why));
                }
            }
        }
        Ok(())
    }
}

/// Waits for one event, at most so long. True if it has come.
fn wait(watched: Watched, time: Duration) -> bool {
    let mut watched = [watched];
    wait_at(&mut watched, time);
    watched[0].is_ready()
}
