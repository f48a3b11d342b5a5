//! Masks one stream of output.

use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroize;

use super::patterns::Needles;
use super::search::{Match, SLACK, Search, Sums};

/// Most bytes of one read.
const ROOM: usize = 256 * 1024;

/// Least room, in bytes. With less the kept bytes move to the front.
const LITTLE: usize = 64 * 1024;

/// Reason why output waits. `since` is the place of the first waiting byte in the stream: while it
/// stays the same, the same bytes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Last bytes, too few to tell whether a pattern begins.
    Short {
        /// The first byte's place.
        since: u64,
    },
    /// Bytes that begin as a pattern does.
    Long {
        /// The first byte's place.
        since: u64,
    },
}

/// Takes a stream in pieces and replaces each pattern by a placeholder: the leftmost first, and the
/// longest of those, wherever the pieces are cut.
///
/// `from <= out <= end`. Bytes before `from` only wait to be written. Bytes before `out` are
/// decided. Those between the two were released early, and are kept so that the rest of a pattern
/// is found.
pub struct Stream {
    needles: Rc<Needles>,
    /// Empty until the first read, and short while the stream is idle.
    buffer: Vec<u8>,
    from: usize,
    out: usize,
    end: usize,
    /// Start of the part of the buffer that no read has touched.
    clean: usize,
    /// True if a pattern may begin at `from`; false if there are too few bytes to tell.
    begun: bool,
    /// Place of the buffer's first byte in the stream.
    before: u64,
    sums: Sums,
    queue: Vec<Chunk>,
    /// First queued piece that is not wholly written, and the number of its written bytes.
    next: usize,
    written: usize,
    /// Number of placeholders by label.
    found: Vec<u64>,
}

enum Chunk {
    Text(Range<usize>),
    Placeholder(Rc<[u8]>),
}

impl Stream {
    /// Makes a stream before its first read.
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
            found: Vec::new(),
        }
    }

    /// Replaces the patterns for all bytes that are not decided yet. The new ones have the same
    /// key.
    pub fn rearm(&mut self, needles: Rc<Needles>) {
        self.needles = needles;
    }

    /// Returns room for the next read, 64 to 256 KiB; none while output waits.
    pub fn room(&mut self) -> &mut [u8] {
        if !self.queue.is_empty() {
            return &mut [];
        }
        let wanted = ROOM + self.needles.longest() + SLACK;
        if self.buffer.len() < wanted {
            let mut buffer = vec![0; wanted];
            buffer[..self.end].copy_from_slice(&self.buffer[..self.end]);
            self.buffer = buffer;
        }
        let limit = self.buffer.len() - SLACK;
        if self.from == self.end || limit - self.end < LITTLE {
            self.close_up();
        }
        let limit = limit.min(self.end + ROOM);
        &mut self.buffer[self.end..limit]
    }

    /// Moves the kept bytes to the front.
    fn close_up(&mut self) {
        let by = self.from;
        self.buffer.copy_within(by..self.end, 0);
        self.sums.shift(by);
        self.before += by as u64;
        (self.from, self.out, self.end) = (0, self.out - by, self.end - by);
    }

    /// Takes the number of bytes that were read into the room.
    pub fn took(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len().saturating_sub(SLACK));
        self.clean = self.clean.max(self.end);
        let (from, begun) = self.search(false);
        self.let_out(from);
        (self.from, self.begun) = (from, begun);
    }

    /// Queues the results from `from` on. Returns the first undecided place, and whether a pattern
    /// may begin there.
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
                Match::Whole { start, end, label } => {
                    self.let_out(start);
                    // Some or all of it may have been released.
                    if end > self.out {
                        let placeholder = Rc::clone(&needles.placeholders[label]);
                        self.queue.push(Chunk::Placeholder(placeholder));
                        self.out = end;
                        self.count(label);
                    }
                    from = end;
                }
                Match::Beginning { start } => return (start, true),
                Match::Nothing => {
                    let undecided = needles.window - 1;
                    let undecided = if needles.longest() == 0 { 0 } else { undecided };
                    return (from.max(self.end.saturating_sub(undecided)), false);
                }
            }
        }
    }

    fn count(&mut self, label: usize) {
        if self.found.len() <= label {
            self.found.resize(label + 1, 0);
        }
        self.found[label] += 1;
    }

    /// Lists the placeholders that were put in, each with its number. It is right for a stream that
    /// had one set of patterns.
    pub fn found(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let placeholders = self.needles.placeholders.iter().map(|text| &**text);
        placeholders.zip(self.found.iter().copied())
    }

    /// Queues the bytes before `to` that are not queued yet.
    fn let_out(&mut self, to: usize) {
        if to > self.out {
            self.queue.push(Chunk::Text(self.out..to));
            self.out = to;
        }
    }

    /// Ends the stream: all held bytes go out.
    pub fn end(&mut self) {
        self.release();
        self.from = self.end;
    }

    /// Releases held bytes, masking whole patterns. The rest of a pattern that has begun is still
    /// found when more comes.
    pub fn release(&mut self) {
        if self.out < self.end {
            self.search(true);
            self.let_out(self.end);
        }
    }

    /// Returns the reason why bytes are held, if any are.
    pub fn held(&self) -> Option<Held> {
        let since = self.before + self.out as u64;
        (self.out < self.end).then_some(match self.begun {
            true => Held::Long { since },
            false => Held::Short { since },
        })
    }

    /// True if the last byte is a line's end.
    pub fn ends_line(&self) -> bool {
        self.buffer[..self.end].ends_with(b"\n")
    }

    /// Iterates over the pieces that may be written now, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.queue.get(self.next..).unwrap_or_default().iter();
        let mut written = self.written;
        pieces.map(move |piece| {
            let bytes = self.bytes(piece);
            &bytes[std::mem::take(&mut written)..]
        })
    }

    fn bytes<'a>(&'a self, piece: &'a Chunk) -> &'a [u8] {
        match piece {
            Chunk::Text(range) => &self.buffer[range.clone()],
            Chunk::Placeholder(placeholder) => placeholder,
        }
    }

    /// Takes the number of written bytes.
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

    /// Wipes the rest of written output and gives its memory back. Does nothing while output waits.
    pub fn wipe(&mut self) {
        if self.queue.is_empty() && !self.buffer.is_empty() {
            self.close_up();
            self.buffer[self.end..self.clean].zeroize();
            self.clean = self.end;
            self.sums.wipe();
            let kept = self.buffer[..self.end + SLACK].to_vec();
            self.buffer[..self.end].zeroize();
            self.buffer = kept;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.buffer.zeroize();
        self.sums.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(values: &[(&str, &[u8])]) -> Stream {
        Stream::new(Rc::new(Needles::of(values.iter().copied(), 8, [7; 32])))
    }

    /// Returns the output that goes out at once for these bytes.
    fn gives(stream: &mut Stream, bytes: &[u8]) -> String {
        stream.room()[..bytes.len()].copy_from_slice(bytes);
        stream.took(bytes.len());
        out(stream)
    }

    fn out(stream: &mut Stream) -> String {
        let out: Vec<u8> = stream.pieces().flatten().copied().collect();
        stream.wrote(out.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_beginning_that_was_released_has_its_rest_masked() {
        let mut stream = stream(&[("pw", b"Password123!")]);
        assert_eq!(gives(&mut stream, b"$ Pass"), "");
        assert_eq!(stream.held(), Some(Held::Short { since: 0 }));
        assert_eq!(gives(&mut stream, b"word"), "$ ");
        assert_eq!(stream.held(), Some(Held::Long { since: 2 }));
        stream.release();
        assert_eq!((out(&mut stream), stream.held()), ("Password".into(), None));
        assert_eq!(gives(&mut stream, b"12"), "");
        // It is another wait: nothing that has waited once does so again.
        assert_eq!(stream.held(), Some(Held::Long { since: 10 }));
        assert_eq!(gives(&mut stream, b"3!"), "[secret:pw]");
        assert_eq!(stream.held(), None);
        assert_eq!(gives(&mut stream, b"Password: "), "");
        stream.release();
        assert_eq!(out(&mut stream), "Password: ");
    }

    #[test]
    fn the_longer_of_two_may_still_come() {
        let values: [(&str, &[u8]); 2] = [("short", b"password"), ("long", b"password-two")];
        let mut stream = stream(&values);
        assert_eq!(gives(&mut stream, b"password"), "");
        assert_eq!(stream.held(), Some(Held::Long { since: 0 }));
        stream.release();
        assert_eq!(out(&mut stream), "[secret:short]");
        assert_eq!(gives(&mut stream, b"-two."), "[secret:long]");
        assert_eq!(gives(&mut stream, b"password"), ".");
        stream.end();
        assert_eq!(out(&mut stream), "[secret:short]");
    }

    #[test]
    fn nothing_is_read_while_output_waits() {
        let mut stream = stream(&[("a", b"something")]);
        assert_eq!(stream.room().len(), ROOM);
        stream.room()[..20].copy_from_slice(b"more than a window..");
        stream.took(20);
        assert!(stream.room().is_empty());
        let some: usize = stream.pieces().map(<[u8]>::len).sum();
        stream.wrote(some - 1);
        assert!(stream.room().is_empty());
        stream.wrote(1);
        assert!(stream.room().len() >= LITTLE);
    }

    #[test]
    fn without_needles_nothing_is_held() {
        let mut stream = stream(&[("empty", b""), ("short", b"1")]);
        assert_eq!(gives(&mut stream, b"1"), "1");
        assert_eq!(stream.held(), None);
    }

    #[test]
    fn what_has_gone_is_overwritten() {
        let value = [b"a long value".as_slice(), &[b'x'; 100]].concat();
        let mut stream = stream(&[("a", &value)]);
        // One that came whole, one after whose beginning something else came, one that begins.
        for bytes in [&value[..], &value[..90], b" and more ", &value[..80]] {
            gives(&mut stream, bytes);
            gives(&mut stream, &[b'.'; 40]);
        }
        assert!(!stream.sums.is_empty());
        // And what comes next is shorter.
        gives(&mut stream, &value);
        gives(&mut stream, b".");
        stream.release();
        out(&mut stream);
        stream.wipe();
        assert!(stream.sums.is_empty());
        assert_eq!(stream.from, 0);
        assert!(stream.end < 8);
        assert!(stream.buffer[stream.end..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_value_behind_more_of_the_byte_that_it_begins_with() {
        for spaces in [7, 8, 9, 62, 63, 64, 65, 200] {
            for end in ["x", "xy", "a longer end"] {
                let value = " ".repeat(spaces) + end;
                let mut stream = stream(&[("a", value.as_bytes()), ("b", b"        other")]);
                let text = " ".repeat(300) + &value + &" ".repeat(50);
                let mut out_of = gives(&mut stream, text.as_bytes());
                stream.end();
                out_of += &out(&mut stream);
                let expected = " ".repeat(300) + "[secret:a]" + &" ".repeat(50);
                assert_eq!(out_of, expected, "{spaces} and {end}");
            }
        }
    }

    /// More than a buffer holds, in reads and writes of any size, with a needle that is longer
    /// than a read: against the same, masked as a whole.
    #[test]
    fn many_buffers_full() {
        let long: Vec<u8> = (0..100_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8 | 1)
            .collect();
        let values: [(String, &[u8]); 2] = [
            ("short".into(), b"a value of its own"),
            ("long".into(), &long),
        ];
        let (mut text, mut seed) = (Vec::new(), 1_u32);
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        while text.len() < 3 << 20 {
            match random(4) {
                0 => text.extend(values[0].1),
                1 => text.extend(&long[..random(long.len())]),
                2 => text.extend(&long),
                _ => (0..random(5_000)).for_each(|_| text.push(random(256) as u8)),
            }
        }
        let expected = crate::core::mask::Hidden::new(&values).masked(&text);

        let pairs: Vec<(&str, &[u8])> = values.iter().map(|(a, b)| (a.as_str(), *b)).collect();
        let mut stream = stream(&pairs);
        let (mut rest, mut shown) = (text.as_slice(), Vec::<u8>::new());
        while !rest.is_empty() || stream.pieces().next().is_some() {
            let room = stream.room();
            let count = room.len().min(rest.len()).min(1 + random(300_000));
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            stream.took(count);
            if rest.is_empty() {
                stream.end();
            }
            let waiting: Vec<u8> = stream.pieces().flatten().copied().collect();
            let count = waiting.len().min(random(400_000));
            shown.extend(&waiting[..count]);
            stream.wrote(count);
        }
        assert!(shown == expected, "{} {}", shown.len(), expected.len());
    }
}
