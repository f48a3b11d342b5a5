//! A stream of the workload's output, on its way from the workload to where it belongs.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::core::mask::patterns::Needles;
use crate::core::mask::stream::{Held, Stream};
use crate::model::error::Os;
use crate::sys::nonblocking::{self, Outlet, Received, Sent};
use crate::sys::poll::Watched;
use crate::sys::pty;

/// The silence of a stream after which the last bytes, too few to tell, go out. What has gone out
/// is overwritten after it.
const SILENCE: Duration = Duration::from_millis(20);

/// The time for which the beginning of a value waits for its rest.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// True if there was more than one turn takes.
    more: bool,
    /// The instant at which something came last.
    last: Instant,
    /// The place in the stream of bytes held back, and the instant since when.
    held: Option<(u64, Instant)>,
    /// True if output that has gone out is still in memory.
    used: bool,
    /// The number of bytes that are still read, where the workload has ended.
    rest: Option<usize>,
    /// The reason why something is lost, until that is said.
    trouble: Option<Os>,
    /// True if this is what the workload writes to the terminal that controls it.
    pub(super) is_terminal: bool,
}

impl Channel {
    /// Creates a channel whose output is looked through for these: without any there is none.
    pub(super) fn new(way: Way, needles: &Rc<Needles>) -> Self {
        let Way {
            source,
            outlet,
            is_terminal,
        } = way;
        Channel {
            source: Some(source),
            outlet,
            stream: Stream::new(Rc::clone(needles)),
            full: false,
            more: false,
            last: Instant::now(),
            held: None,
            used: false,
            rest: None,
            trouble: None,
            is_terminal,
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

    /// Returns the reason why something was lost since the last call.
    pub(super) fn trouble(&mut self) -> Option<Os> {
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
            _ if self.full => [Watched::nothing(), Watched::writable(outlet)],
            // The outlet's reader may be gone long before output comes.
            Some(source) => [Watched::readable(source), Watched::closed(outlet)],
            None => [Watched::nothing(), Watched::nothing()],
        }
    }

    /// Returns the instant at which the channel wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.full {
            return None;
        }
        if self.more {
            return Some(self.last);
        }
        let held = match (self.stream.held(), self.held) {
            (Some(Held::Short { .. }), _) => Some(self.last + SILENCE),
            (Some(Held::Long { .. }), Some((_, since))) => Some(since + PATIENCE),
            _ => None,
        };
        let used = self.used.then(|| self.last + SILENCE);
        held.into_iter().chain(used).min()
    }

    /// Passes on output that is ready or due.
    pub(super) fn serve(&mut self, watched: &[Watched]) {
        let [comes, goes] = watched else { return };
        if goes.is_ready() && !self.full {
            return self.close();
        }
        if comes.is_ready() || goes.is_ready() || self.more {
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
                    self.last = Instant::now();
                    self.used = true;
                    self.stream.took(count);
                    let held = self.stream.held().map(place);
                    if held != self.held.map(|(place, _)| place) {
                        self.held = held.map(|place| (place, self.last));
                    }
                    let Some(rest) = &mut self.rest else { continue };
                    *rest = rest.saturating_sub(count);
                    if *rest == 0 {
                        self.over();
                    }
                }
                Received::Nothing if self.rest.is_none() => return,
                Received::Nothing | Received::End => self.over(),
                Received::Failed(why) => {
                    self.trouble = Some(why);
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
        self.full = false;
        while self.stream.pieces().next().is_some() {
            match self.outlet.send(self.stream.pieces()) {
                Sent::Some(count) => self.stream.wrote(count),
                Sent::Full => {
                    self.full = true;
                    return false;
                }
                Sent::Lost(count, why) => {
                    self.trouble = Some(why);
                    self.stream.wrote(count);
                }
                Sent::Closed => {
                    self.close();
                    return false;
                }
                Sent::Failed(why) => {
                    self.trouble = Some(why);
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
        let waits = match (self.stream.held(), self.held) {
            (Some(Held::Long { .. }), Some((_, since))) => now < since + PATIENCE,
            _ => false,
        };
        if !waits {
            self.stream.release();
        }
        if self.write() && now >= self.last + SILENCE {
            self.stream.wipe();
            self.used = false;
        }
    }

    /// Closes the source, as nobody reads the outlet: a process that writes is to know.
    fn close(&mut self) {
        self.source = None;
        self.stream = Stream::new(Rc::new(Needles::of(std::iter::empty(), 0, [0; 32])));
        (self.full, self.more, self.used, self.held) = (false, false, false, None);
    }
}

fn place(held: Held) -> u64 {
    match held {
        Held::Short { since } | Held::Long { since } => since,
    }
}
