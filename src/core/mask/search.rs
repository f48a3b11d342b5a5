//! Finds patterns in a text.
//!
//! The search looks at every fourth place as a rule. A text that begins as a pattern does has a
//! known gram at one of these places, and may begin at the few places before it. Hashes of longer
//! stretches then tell it from others; they cost the same whatever their length. The keyed hash of
//! the whole decides.

use zeroize::Zeroize;

use super::key::{Key, word};
use super::patterns::{Needle, Needles, PatternGroup, Print, is_in, shown};

/// Result of a search.
pub(super) enum Match {
    /// A needle of this length and label.
    Whole {
        start: usize,
        end: usize,
        label: usize,
    },
    /// A beginning that may become a pattern when more comes.
    Beginning { start: usize },
    /// Neither.
    Nothing,
}

/// Bytes of any content that must follow a text.
pub(super) const SLACK: usize = BLOCK;

/// Bytes that eight places, four bytes apart, look at.
const BLOCK: usize = 7 * 4 + 8;

/// Hashes that are made ahead when the one before was just asked for.
const AHEAD: usize = 256;

/// Hashes of the stretches that end at each place, from a first place on.
#[derive(Default)]
pub(super) struct Sums {
    hashes: Box<[u32]>,
    from: usize,
    to: usize,
}

impl Sums {
    /// Makes the hashes from `start` to `end` for a text that ends at `limit`. Callers whose starts
    /// grow hash each byte once.
    #[inline(never)]
    fn extend(&mut self, key: &Key, padded: &[u8], start: usize, end: usize, limit: usize) {
        if self.hashes.len() <= padded.len() {
            self.hashes = vec![0; padded.len() + 1].into_boxed_slice();
            (self.from, self.to) = (start, start);
        }
        let mut to = end;
        if start < self.from || start > self.to {
            (self.from, self.to) = (start, start);
            self.hashes[start] = 0;
        } else {
            to = limit.min(end + AHEAD);
        }
        let known = self.hashes[self.to];
        let into = &mut self.hashes[self.to + 1..=to];
        key.hashes(known, &padded[self.to..to], into);
        self.to = to;
    }

    /// Moves all places `by` bytes to the front and forgets those before.
    pub(super) fn shift(&mut self, by: usize) {
        self.from = self.from.max(by);
        if self.from >= self.to {
            (self.from, self.to) = (0, 0);
        } else {
            self.hashes.copy_within(self.from..=self.to, self.from - by);
            (self.from, self.to) = (self.from - by, self.to - by);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Wipes all hashes: they would tell the text.
    pub(super) fn wipe(&mut self) {
        self.hashes.zeroize();
        self.hashes = Box::default();
        (self.from, self.to) = (0, 0);
    }
}

/// A search through `padded[..end]`, with [`SLACK`] bytes behind it.
pub(super) struct Search<'s> {
    pub(super) needles: &'s Needles,
    pub(super) padded: &'s [u8],
    pub(super) end: usize,
    /// True if the text ends here: no pattern goes on behind the end.
    pub(super) ends: bool,
    pub(super) sums: &'s mut Sums,
}

impl Search<'_> {
    /// Finds the first pattern from `from` on: the leftmost, and the longest of those. The last
    /// bytes, fewer than a window, are not looked at.
    pub(super) fn first(&mut self, from: usize) -> Match {
        match self.needles.step {
            2 => self.stepping::<2>(from),
            _ => self.stepping::<4>(from),
        }
    }

    fn stepping<const STEP: usize>(&mut self, from: usize) -> Match {
        let needles = self.needles;
        if needles.needles.is_empty() || from + needles.window > self.end {
            return Match::Nothing;
        }
        let last = self.end - needles.gram;
        let last_start = self.end - needles.window;
        let mut group: (u32, Option<&PatternGroup>) = (u32::MAX, None);
        // One and the same byte goes on to here.
        let mut same = from;
        let mut at = next_hit::<STEP>(needles, self.padded, from + STEP - 1, last);
        while at <= last {
            let mut start = from.max(at + 1 - STEP);
            while start <= at.min(last_start) {
                let window = needles.key.window(self.padded, start, needles.window);
                let window = window & needles.set_mask;
                if window != group.0 {
                    let known = is_in(&needles.windows, window);
                    let found = if known {
                        group_of(needles, window)
                    } else {
                        None
                    };
                    group = (window, found);
                }
                if let Some(group) = group.1 {
                    let mut seen = self.refuses(start, group);
                    if seen == 0 {
                        match self.among(start, group) {
                            Match::Nothing => seen = group.longest,
                            found => return found,
                        }
                    }
                    if start >= same {
                        same = self.repeats(start);
                    }
                    if start + seen <= same {
                        // Up to here each next start sees what this one has seen.
                        start = same - seen;
                    }
                }
                start += 1;
            }
            at = (at + STEP).max(start + STEP - 1);
            if at <= last && !has(needles, word(self.padded, at)) {
                at = next_hit::<STEP>(needles, self.padded, at + STEP, last);
            }
        }
        Match::Nothing
    }

    /// Returns the number of bytes from `start` in which no pattern of a group begins; 0 if one
    /// may.
    #[inline(always)]
    fn refuses(&mut self, start: usize, group: &PatternGroup) -> usize {
        let there = self.end - start;
        let mut seen = 0;
        for run in self.needles.runs(group) {
            if run.length > there {
                return 0;
            }
            seen = run.length.max(seen);
            if run.may_have(self.print(start, run.length, run.power)) {
                match &run.only {
                    Some(whole) if whole.length <= there && !self.allows(start, whole, true) => {
                        seen = whole.length.max(seen);
                    }
                    _ => return 0,
                }
            }
        }
        seen
    }

    /// Returns the end of the repetition of the byte at `start`.
    #[inline(always)]
    fn repeats(&self, start: usize) -> usize {
        let byte = self.padded[start];
        let mut at = start;
        while at + 8 <= self.end && word(self.padded, at) == u64::from_le_bytes([byte; 8]) {
            at += 8;
        }
        while at < self.end && self.padded[at] == byte {
            at += 1;
        }
        at
    }

    /// Finds the pattern of a group that begins at `start`.
    #[inline(never)]
    fn among(&mut self, start: usize, group: &PatternGroup) -> Match {
        let needles = self.needles;
        let there = self.end - start;
        let (mut best, mut more): (Option<&Needle>, bool) = (None, false);
        for run in needles.runs(group) {
            let all = needles.in_run(run);
            if run.length > there {
                more = more || self.any_begins(start, all);
                continue;
            }
            let print = self.print(start, run.length, run.power);
            if run.may_have(print) {
                let alike = equal(all, print, |needle| needle.probe);
                self.among_alike(start, alike, &mut best, &mut more);
            }
        }
        let may_go_on = best.is_none_or(|best| best.goes_on);
        if more && may_go_on && self.has_all_grams(start) {
            return Match::Beginning { start };
        }
        match best {
            Some(needle) => Match::Whole {
                start,
                end: start + needle.length(),
                label: needle.label as usize,
            },
            None => Match::Nothing,
        }
    }

    /// Finds the longest of needles with the same first stretch. Of those with a longer prefix in
    /// common only one length after another is looked at: not more of them than the text that is
    /// the same has bytes.
    fn among_alike<'n>(
        &mut self,
        start: usize,
        mut rest: &'n [Needle],
        best: &mut Option<&'n Needle>,
        more: &mut bool,
    ) {
        let there = self.end - start;
        while let Some(first) = rest.first() {
            let last = first.last_length();
            let level = rest.partition_point(|needle| needle.last_length() == last);
            let (level, longer) = rest.split_at(level);
            rest = longer;
            if last > there {
                *more = *more || self.any_begins(start, level);
                continue;
            }
            let print = self.print(start, last, self.needles.key.power(last as u32));
            let mut alike = equal(level, print, |needle| needle.last);
            while let Some(first) = alike.first() {
                let length = first.length();
                if length > there {
                    *more |= !self.ends;
                    break;
                }
                let same = alike.partition_point(|needle| needle.length() == length);
                let (same, longer) = alike.split_at(same);
                alike = longer;
                let print = self.print(start, length, first.power);
                let mut same = equal(same, print, |needle| needle.whole).iter();
                let found = same.find(|needle| self.is(start, needle));
                if best.is_none_or(|best| best.length() < length) {
                    *best = found.or(*best);
                }
            }
        }
    }

    /// True if the text may be the beginning of one of these.
    fn any_begins(&mut self, start: usize, needles: &[Needle]) -> bool {
        !self.ends && needles.iter().any(|needle| self.begins(start, needle))
    }

    /// True if the text may be the beginning of a pattern with this window. The longest prefix with
    /// a fingerprint decides.
    fn begins(&mut self, start: usize, needle: &Needle) -> bool {
        let longest = self.needles.prefix(needle, self.end - start);
        longest.is_none_or(|prefix| self.allows(start, &prefix, false))
    }

    fn is(&self, start: usize, needle: &Needle) -> bool {
        let text = &self.padded[start..start + needle.length()];
        self.needles.key.whole(text) == needle.hash
    }

    #[inline(always)]
    fn allows(&mut self, start: usize, print: &Print, of_whole: bool) -> bool {
        let there = self.print(start, print.length, print.power);
        print.print == shown(there, print.length, of_whole)
    }

    /// Returns the fingerprint of `length` bytes from `start`. The text must have them.
    #[inline(always)]
    fn print(&mut self, start: usize, length: usize, power: u32) -> u32 {
        let (key, end) = (&self.needles.key, start + length);
        if start < self.sums.from || end > self.sums.to {
            self.sums.extend(key, self.padded, start, end, self.end);
        }
        let before = self.sums.hashes[start].wrapping_mul(power);
        key.print(self.sums.hashes[end].wrapping_sub(before))
    }

    /// True if all grams of the window are known. The window's fingerprint alone would sometimes
    /// hold back text without a pattern.
    fn has_all_grams(&self, start: usize) -> bool {
        (start..start + self.needles.step).all(|at| has(self.needles, word(self.padded, at)))
    }
}

/// Returns those of sorted needles that have this fingerprint.
fn equal(needles: &[Needle], print: u32, of: impl Fn(&Needle) -> u32) -> &[Needle] {
    let from = needles.partition_point(|needle| of(needle) < print);
    let count = needles[from..].partition_point(|needle| of(needle) == print);
    &needles[from..from + count]
}

#[inline(never)]
fn group_of(needles: &Needles, window: u32) -> Option<&PatternGroup> {
    let groups = &needles.groups;
    let at = groups.binary_search_by_key(&window, |group| group.window);
    at.ok().map(|at| &groups[at])
}

#[inline(always)]
fn has(needles: &Needles, word: u64) -> bool {
    let hash = needles.key.gram(word, needles.gram_mask) & needles.set_mask;
    is_in(&needles.grams, hash)
}

/// Finds the first place with a gram of a pattern, in steps of `STEP` from `at` to `last`. Returns
/// a place behind `last` if there is none.
#[inline(never)]
fn next_hit<const STEP: usize>(
    needles: &Needles,
    padded: &[u8],
    mut at: usize,
    last: usize,
) -> usize {
    // This is where nearly all of the time is spent: eight places at once, none of them checked.
    while at + 7 * STEP <= last
        && let Some(block) = padded
            .get(at..)
            .and_then(|rest| rest.first_chunk::<BLOCK>())
    {
        let nth = match () {
            () if has(needles, word(block, 0)) => 0,
            () if has(needles, word(block, STEP)) => 1,
            () if has(needles, word(block, 2 * STEP)) => 2,
            () if has(needles, word(block, 3 * STEP)) => 3,
            () if has(needles, word(block, 4 * STEP)) => 4,
            () if has(needles, word(block, 5 * STEP)) => 5,
            () if has(needles, word(block, 6 * STEP)) => 6,
            () if has(needles, word(block, 7 * STEP)) => 7,
            () => {
                at += 8 * STEP;
                continue;
            }
        };
        return at + nth * STEP;
    }
    while at <= last && !has(needles, word(padded, at)) {
        at += STEP;
    }
    at
}
