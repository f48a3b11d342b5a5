//! A stream of the workload's output, on its way from the workload to where it belongs.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::notice::Notice;
use crate::core::mask::patterns::Needles;
use crate::core::mask::stream::Stream;
use crate::engine::hold::Hold;
use crate::sys::nonblocking::{self, Outlet, Received, Sent};
use crate::sys::poll::Watched;
use crate::sys::{descendants, pty};

/// The time between two writes to a disk that has no room.
const RETRY: Duration = Duration::from_millis(200);

/// The number of reads of one stream before others, and signals, have their turn.
const ROUNDS: usize = 16;

/// The limit, in bytes, of output that is still read when the workload has ended while others go on
/// writing.
const REST: usize = 2 * 1024 * 1024;

/// The source and the outlet of a stream, until the needles to look for are known.
pub(super) struct Way {
    pub(super) source: OwnedFd,
    pub(super) outlet: Outlet,
    pub(super) is_terminal: bool,
    /// True if the source is a pipe, and no terminal.
    pub(super) is_pipe: bool,
}

impl Way {
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let source = self.source.as_raw_fd();
        std::iter::once(source).chain(self.outlet.opened())
    }
}

pub(super) struct Channel {
    /// The source of the workload's output, until its end.
    source: Option<OwnedFd>,
    outlet: Outlet,
    stream: Stream,
    /// True if the outlet has no room.
    full: bool,
    /// The instant of the next write, where a disk has no room.
    retry: Option<Instant>,
    /// True if there was more than one turn takes.
    more: bool,
    /// The waits of bytes held back.
    hold: Hold,
    /// True if output that has gone out is still in memory.
    used: bool,
    /// The number of bytes that are still read, where the workload has ended.
    rest: Option<usize>,
    /// The notice that output is lost, or waits, until that is said.
    trouble: Option<Notice>,
    /// True if this is what the workload writes to the terminal that controls it.
    pub(super) is_terminal: bool,
    is_pipe: bool,
}

impl Channel {
    /// Creates a channel whose output is looked through for these: without any there is none.
    pub(super) fn new(way: Way, needles: &Rc<Needles>) -> Self {
        let Way {
            source,
            outlet,
            is_terminal,
            is_pipe,
        } = way;
        Channel {
            source: Some(source),
            outlet,
            stream: Stream::new(Rc::clone(needles)),
            full: false,
            retry: None,
            more: false,
            hold: Hold::new(Instant::now()),
            used: false,
            rest: None,
            trouble: None,
            is_terminal,
            is_pipe,
        }
    }

    /// Replaces the needles that are looked for.
    pub(super) fn rearm(&mut self, needles: &Rc<Needles>) {
        self.stream.rearm(Rc::clone(needles));
    }

    /// Gives the workload's terminal, where it is one, the size of ours.
    pub(super) fn resize(&self) {
        if let Some(source) = self.source() {
            pty::copy_size(self.outlet.descriptor(), source);
        }
    }

    fn source(&self) -> Option<RawFd> {
        self.source.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Returns the notice about output that was lost, or waits, since the last call.
    pub(super) fn trouble(&mut self) -> Option<Notice> {
        self.trouble.take()
    }

    /// True if nothing comes any more, and nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.source.is_none() && !self.full && !self.more
    }

    /// Lists the descriptors to wait at: the source of the output, and its outlet.
    pub(super) fn watch(&self) -> [Watched; 2] {
        let outlet = self.outlet.descriptor();
        match self.source() {
            // A file is always ready to be written to.
            _ if self.retry.is_some() => [Watched::nothing(), Watched::nothing()],
            _ if self.full => [Watched::nothing(), Watched::writable(outlet)],
            // The outlet's reader may be gone long before output comes.
            Some(source) => [Watched::readable(source), Watched::closed(outlet)],
            None => [Watched::nothing(), Watched::nothing()],
        }
    }

    /// Returns the instant at which the channel wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.full {
            return self.retry;
        }
        if self.more {
            return Some(self.hold.last());
        }
        let used = self.used.then(|| self.hold.silent());
        self.hold.due(&self.stream).into_iter().chain(used).min()
    }

    /// Passes on output that is ready or due.
    pub(super) fn serve(&mut self, watched: &[Watched]) {
        let [comes, goes] = watched else { return };
        if goes.is_ready() && !self.full {
            return self.close();
        }
        let retries = self.retry.is_some_and(|at| at <= Instant::now());
        if comes.is_ready() || goes.is_ready() || self.more || retries {
            self.pass_on();
        }
        if !self.full && !self.more && self.due().is_some_and(|due| due <= Instant::now()) {
            self.settle();
        }
    }

    /// Begins the end, as the workload has ended: its last output is still read.
    pub(super) fn end(&mut self) {
        self.rest = Some(REST);
        self.pass_on();
    }

    /// Passes on the output written before we are stopped, as far as there is room.
    pub(super) fn flush(&mut self) {
        self.pass_on();
        if !self.full {
            self.stream.release();
            self.write();
        }
    }

    /// Reads and writes as long as nobody has to be waited for.
    fn pass_on(&mut self) {
        self.more = false;
        for _ in 0..ROUNDS {
            if !self.write() {
                return;
            }
            let Some(source) = &self.source else { return };
            match nonblocking::receive(source.as_raw_fd(), self.stream.room()) {
                Received::Some(count) => {
                    self.used = true;
                    self.stream.took(count);
                    self.hold.took(&self.stream, Instant::now());
                    let Some(rest) = &mut self.rest else { continue };
                    *rest = rest.saturating_sub(count);
                    if *rest == 0 {
                        self.over();
                    }
                }
                Received::Nothing if self.rest.is_none() => return,
                Received::Nothing | Received::End => self.over(),
                Received::Failed(why) => {
                    self.trouble = Some(Notice::NotPassedOn(why));
                    self.over();
                }
            }
        }
        self.more = true;
    }

    /// Stops reading.
    fn over(&mut self) {
        self.source = None;
        self.stream.end();
    }

    /// Writes output that may go out. True if all of it went.
    fn write(&mut self) -> bool {
        (self.full, self.retry) = (false, None);
        while self.stream.pieces().next().is_some() {
            match self.outlet.send(self.stream.pieces()) {
                Sent::Some(count) => self.stream.wrote(count),
                Sent::Full => {
                    self.full = true;
                    return false;
                }
                // The workload waits, too, as soon as the pipe is full.
                Sent::NoRoom(why) => {
                    self.trouble = Some(Notice::NoRoom(why));
                    (self.full, self.retry) = (true, Some(Instant::now() + RETRY));
                    return false;
                }
                Sent::Lost(count, why) => {
                    self.trouble = Some(Notice::NotPassedOn(why));
                    self.stream.wrote(count);
                }
                Sent::Closed => {
                    self.close();
                    return false;
                }
                Sent::Failed(why) => {
                    self.trouble = Some(Notice::NotPassedOn(why));
                    self.close();
                    return false;
                }
            }
        }
        true
    }

    /// Writes the bytes held back after enough silence, and overwrites those that have gone out.
    fn settle(&mut self) {
        let now = Instant::now();
        let is_due = self.hold.due(&self.stream).is_some_and(|due| due <= now);
        if is_due && !self.waits_on(now) {
            self.stream.release();
        }
        if self.write() && now >= self.hold.silent() {
            self.stream.wipe();
            self.used = false;
        }
    }

    /// True if bytes held back wait on, as their writer may be waiting for a processor. A pipe does
    /// not tell its writer, so that every process below counts.
    fn waits_on(&mut self, now: Instant) -> bool {
        if !self.is_pipe || self.source.is_none() || !self.hold.may_last(&self.stream, now) {
            return false;
        }
        if descendants::any_is_busy() {
            self.hold.postpone(now);
            return true;
        }
        // Bytes that were written before the look are in the pipe now.
        let last = self.hold.last();
        self.pass_on();
        self.hold.last() != last
    }

    /// Closes the source, as nobody reads the outlet: a process that writes is to know.
    fn close(&mut self) {
        self.source = None;
        self.stream = Stream::new(Rc::new(Needles::of(std::iter::empty(), 0, [0; 32])));
        (self.full, self.more, self.used) = (false, false, false);
        self.retry = None;
    }
}
