//! One stream of output, from which values are taken before anyone sees it.

use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroize;

use super::needles::Needles;
use super::search::{Found, SLACK, Search, Sums};

/// How many bytes are read at once, at most.
const ROOM: usize = 256 * 1024;

/// With less room than this, what is kept is moved to the front.
const LITTLE: usize = 64 * 1024;

/// What holds output back. `since` is the place in the stream of the first byte that waits, in
/// bytes: while it is the same, the same bytes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The last bytes, too few to tell whether a needle begins with them.
    Short {
        /// The first byte's place.
        since: u64,
    },
    /// What begins as a needle does.
    Long {
        /// The first byte's place.
        since: u64,
    },
}

/// Takes a stream in pieces, and gives it out with a placeholder for each needle in it: the
/// leftmost first, of those the longest, wherever the pieces were cut.
///
/// `from <= out <= end`: before `from` nothing is needed any more but to be written, up to `out`
/// everything has been decided on. What is between the two was released: it is known only so that
/// the rest of a needle is found.
pub struct Stream {
    needles: Rc<Needles>,
    /// Empty until there is something to read.
    buffer: Vec<u8>,
    from: usize,
    out: usize,
    end: usize,
    /// From here on nothing was ever read into the buffer.
    clean: usize,
    /// A needle may begin at `from`; otherwise there are too few bytes to tell.
    begun: bool,
    /// The place in the stream at which the buffer begins.
    before: u64,
    sums: Sums,
    queue: Vec<Piece>,
    /// The first piece of the queue that is not written, and how many of its bytes are.
    next: usize,
    written: usize,
}

enum Piece {
    Text(Range<usize>),
    Placeholder(usize),
}

impl Stream {
    /// One of which nothing has been read.
    pub fn new(needles: Rc<Needles>) -> Self {
        Stream {
            needles,
            buffer: Vec::new(),
            from: 0,
            out: 0,
            end: 0,
            clean: 0,
            begun: false,
            before: 0,
            sums: Sums::default(),
            queue: Vec::new(),
            next: 0,
            written: 0,
        }
    }

    /// Where to read the next bytes into, from 64 to 256 KiB; none while output waits.
    pub fn room(&mut self) -> &mut [u8] {
        if !self.queue.is_empty() {
            return &mut [];
        }
        if self.buffer.is_empty() {
            self.buffer = vec![0; ROOM + self.needles.longest() + SLACK];
        }
        let limit = self.buffer.len() - SLACK;
        if self.from == self.end || limit - self.end < LITTLE {
            self.to_front();
        }
        let limit = limit.min(self.end + ROOM);
        &mut self.buffer[self.end..limit]
    }

    /// Moves what is needed to the front.
    fn to_front(&mut self) {
        let by = self.from;
        self.buffer.copy_within(by..self.end, 0);
        self.sums.shift(by);
        self.before += by as u64;
        (self.from, self.out, self.end) = (0, self.out - by, self.end - by);
    }

    /// So many bytes have been read into the room.
    pub fn took(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len().saturating_sub(SLACK));
        self.clean = self.clean.max(self.end);
        let (from, begun) = self.search(false);
        self.let_out(from);
        (self.from, self.begun) = (from, begun);
    }

    /// Queues what has been found from `from` on, and says from where on something is to be
    /// decided when more comes, and whether a needle may begin there.
    fn search(&mut self, ends: bool) -> (usize, bool) {
        let needles = Rc::clone(&self.needles);
        let mut from = self.from;
        loop {
            let mut search = Search {
                needles: &needles,
                padded: &self.buffer,
                end: self.end,
                ends,
                sums: &mut self.sums,
            };
            match search.first(from) {
                Found::Whole { start, end, label } => {
                    self.let_out(start);
                    // Some or all of it may have been released.
                    if end > self.out {
                        self.queue.push(Piece::Placeholder(label));
                        self.out = end;
                    }
                    from = end;
                }
                Found::Beginning { start } => return (start, true),
                Found::Nothing => {
                    let undecided = needles.window - 1;
                    let undecided = if needles.longest() == 0 { 0 } else { undecided };
                    return (from.max(self.end.saturating_sub(undecided)), false);
                }
            }
        }
    }

    /// Queues the bytes before `to` that are not yet in the queue.
    fn let_out(&mut self, to: usize) {
        if to > self.out {
            self.queue.push(Piece::Text(self.out..to));
            self.out = to;
        }
    }

    /// Nothing more comes: all there is goes out.
    pub fn end(&mut self) {
        self.release();
        self.from = self.end;
    }

    /// What is held back goes out, but for needles that are there as a whole. When more comes,
    /// the rest of a needle that has begun is found all the same.
    pub fn release(&mut self) {
        if self.out < self.end {
            self.search(true);
            self.let_out(self.end);
        }
    }

    /// What is held back, if anything.
    pub fn held(&self) -> Option<Held> {
        let since = self.before + self.out as u64;
        (self.out < self.end).then_some(match self.begun {
            true => Held::Long { since },
            false => Held::Short { since },
        })
    }

    /// What may go out now, in its order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.queue.get(self.next..).unwrap_or_default().iter();
        let mut written = self.written;
        pieces.map(move |piece| {
            let bytes = self.bytes(piece);
            &bytes[std::mem::take(&mut written)..]
        })
    }

    fn bytes(&self, piece: &Piece) -> &[u8] {
        match piece {
            Piece::Text(range) => &self.buffer[range.clone()],
            Piece::Placeholder(label) => &self.needles.placeholders[*label],
        }
    }

    /// So many bytes of that have gone out.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(piece) = self.queue.get(self.next) {
            let length = self.bytes(piece).len();
            if self.written < length {
                return;
            }
            self.written -= length;
            self.next += 1;
        }
        self.queue.clear();
        (self.next, self.written) = (0, 0);
    }

    /// Overwrites what is left of output that has gone. While some waits nothing happens.
    pub fn wipe(&mut self) {
        if self.queue.is_empty() {
            self.to_front();
            self.buffer[self.end..self.clean].zeroize();
            self.clean = self.end;
            self.sums.wipe();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.buffer.zeroize();
        self.sums.wipe();
    }
}
