//! Times for which output waits that may begin a value.

use std::time::{Duration, Instant};

use crate::core::mask::stream::{Held, Stream};

/// Silence after which last bytes, too few to tell, go out. Output that has gone out is overwritten
/// after it.
const SILENCE: Duration = Duration::from_millis(20);

/// Wait of a beginning as long as the window.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longest wait of last bytes while their writer may be waiting for a processor.
const LONGEST_SHORT: Duration = Duration::from_secs(1);

/// Longest wait of a beginning as long as the window, as above.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits of one stream.
pub struct Hold {
    /// Instant at which something came last.
    last: Instant,
    /// Place in the stream of the bytes held back, and the instant since when.
    held: Option<(u64, Instant)>,
    /// Instant before which nothing goes out.
    postponed: Option<Instant>,
}

impl Hold {
    /// Begins at this instant.
    pub fn new(now: Instant) -> Self {
        Hold {
            last: now,
            held: None,
            postponed: None,
        }
    }

    /// Notes that the stream has taken bytes.
    pub fn took(&mut self, stream: &Stream, now: Instant) {
        self.last = now;
        self.postponed = None;
        let since = stream.held().map(|held| match held {
            Held::Short { since } | Held::Long { since } => since,
        });
        if since != self.held.map(|(place, _)| place) {
            self.held = since.map(|place| (place, now));
        }
    }

    /// Returns the instant at which something came last.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Returns the instant at which output that has gone out is overwritten.
    pub fn silent(&self) -> Instant {
        self.last + SILENCE
    }

    /// Returns the instant at which the bytes held back go out, if there are any.
    pub fn due(&self, stream: &Stream) -> Option<Instant> {
        let due = match (stream.held()?, self.held) {
            (Held::Short { .. }, _) => self.silent(),
            (Held::Long { .. }, held) => held?.1 + PATIENCE,
        };
        Some(self.postponed.map_or(due, |until| until.max(due)))
    }

    /// True if the bytes held back may wait longer for a writer that has no processor. The end of a
    /// line may not: most lines have one, and nearly no value goes on behind it.
    pub fn may_last(&self, stream: &Stream, now: Instant) -> bool {
        let longest = match stream.held() {
            Some(Held::Long { .. }) => LONGEST,
            Some(Held::Short { .. }) if !stream.ends_line() => LONGEST_SHORT,
            _ => return false,
        };
        self.held.is_some_and(|(_, since)| now < since + longest)
    }

    /// Has the bytes held back wait once more.
    pub fn postpone(&mut self, now: Instant) {
        self.postponed = Some(now + SILENCE);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::core::mask::patterns::Needles;

    fn given(bytes: &[u8], now: Instant) -> (Stream, Hold) {
        let values: [(&str, &[u8]); 1] = [("a", b"a value of some bytes")];
        let needles = Needles::of(values.into_iter(), 8, [7; 32]);
        let mut stream = Stream::new(Rc::new(needles));
        let mut hold = Hold::new(now);
        stream.room()[..bytes.len()].copy_from_slice(bytes);
        stream.took(bytes.len());
        hold.took(&stream, now);
        (stream, hold)
    }

    #[test]
    fn waits_are_bounded() {
        let now = Instant::now();
        for (bytes, due, longest) in [
            (&b"a prompt: "[..], SILENCE, Some(LONGEST_SHORT)),
            (b"a valu", SILENCE, Some(LONGEST_SHORT)),
            (b"a value of", PATIENCE, Some(LONGEST)),
            (b"a line\n", SILENCE, None),
        ] {
            let (stream, mut hold) = given(bytes, now);
            assert_eq!(hold.due(&stream), Some(now + due));
            let instant = Duration::from_nanos(1);
            let longest = longest.unwrap_or(instant);
            let ends = [longest - instant, longest].map(|time| hold.may_last(&stream, now + time));
            assert_eq!(ends, [longest > instant, false]);
            hold.postpone(now + due);
            assert_eq!(hold.due(&stream), Some(now + due + SILENCE));
            hold.took(&stream, now + due);
            assert!(hold.due(&stream) <= Some(now + due + SILENCE));
        }
        let (mut stream, hold) = given(b"a value of", now);
        stream.release();
        assert_eq!(hold.due(&stream), None);
        assert!(!hold.may_last(&stream, now));
    }
}
