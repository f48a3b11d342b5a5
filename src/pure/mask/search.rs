//! Finding needles in a text.
//!
//! Of every text that begins as a needle does, a gram lies at one of the places that are looked
//! at, every fourth as a rule. What has a known gram there may begin at the few places before it;
//! what has a known window is told from others by the hashes of longer stretches, which cost the
//! same whatever their length is; the keyed hash of the whole decides.

use zeroize::Zeroize;

use super::key::{Key, word};
use super::needles::{Group, Needle, Needles, Print};

/// What is in a text.
pub(super) enum Found {
    /// A needle of this length and label.
    Whole {
        start: usize,
        end: usize,
        label: usize,
    },
    /// What may become a needle when more comes.
    Beginning { start: usize },
    /// Neither.
    Nothing,
}

/// The bytes that must be there behind a text, whatever they are.
pub(super) const SLACK: usize = BLOCK;

/// What eight places look at that are four bytes apart.
const BLOCK: usize = 7 * 4 + 8;

/// The hashes of all that ends at a place, counted from some place on.
#[derive(Default)]
pub(super) struct Sums {
    hashes: Vec<u32>,
    from: usize,
    to: usize,
}

impl Sums {
    /// The fingerprint of the `length` bytes from `start`, which are in the text. Starts that grow
    /// make each byte count once.
    #[inline(always)]
    fn print(&mut self, key: &Key, text: &[u8], start: usize, length: usize, power: u32) -> u32 {
        let end = start + length;
        if start < self.from || end > self.to {
            self.extend(key, text, start, end);
        }
        let before = self.hashes[start].wrapping_mul(power);
        key.print(self.hashes[end].wrapping_sub(before))
    }

    #[inline(never)]
    fn extend(&mut self, key: &Key, text: &[u8], start: usize, end: usize) {
        if self.hashes.len() <= text.len() {
            self.hashes = vec![0; text.len() + 1];
            (self.from, self.to) = (start, start);
        }
        if start < self.from || start > self.to {
            (self.from, self.to) = (start, start);
            self.hashes[start] = 0;
        }
        let known = self.hashes[self.to];
        let into = &mut self.hashes[self.to + 1..=end];
        key.hashes(known, &text[self.to..end], into);
        self.to = end;
    }

    /// Everything is `by` bytes further in front from now on; what was before is forgotten.
    pub(super) fn shift(&mut self, by: usize) {
        self.from = self.from.max(by);
        if self.from >= self.to {
            (self.from, self.to) = (0, 0);
        } else {
            self.hashes.copy_within(self.from..=self.to, self.from - by);
            (self.from, self.to) = (self.from - by, self.to - by);
        }
    }

    /// Forgets everything: it would tell the text.
    pub(super) fn wipe(&mut self) {
        self.hashes.zeroize();
        self.hashes = Vec::new();
        (self.from, self.to) = (0, 0);
    }
}

/// A search through `padded[..end]`, with [`SLACK`] bytes behind it.
pub(super) struct Search<'s> {
    pub(super) needles: &'s Needles,
    pub(super) padded: &'s [u8],
    pub(super) end: usize,
    /// Nothing can begin here that would end behind the end.
    pub(super) ends: bool,
    pub(super) sums: &'s mut Sums,
}

impl Search<'_> {
    /// The first of what there is from `from` on: leftmost, then longest. What begins within less
    /// than a window of the end is not looked at.
    pub(super) fn first(&mut self, from: usize) -> Found {
        match self.needles.step {
            2 => self.stepping::<2>(from),
            _ => self.stepping::<4>(from),
        }
    }

    fn stepping<const STEP: usize>(&mut self, from: usize) -> Found {
        let needles = self.needles;
        if needles.needles.is_empty() || from + needles.window > self.end {
            return Found::Nothing;
        }
        let last = self.end - needles.gram;
        let mut group: (u32, Option<&Group>) = (u32::MAX, None);
        let mut at = from + STEP - 1;
        while let Some(hit) = next_hit::<STEP>(needles, self.padded, at, last) {
            for start in from.max(hit + 1 - STEP)..=hit.min(self.end - needles.window) {
                let window = needles.key.window(&self.padded[start..], needles.window);
                let window = window & needles.set_mask;
                if window != group.0 {
                    group = (window, group_of(needles, window));
                }
                if let Some(group) = group.1 {
                    match self.at(start, group) {
                        Found::Nothing => {}
                        found => return found,
                    }
                }
            }
            at = hit + STEP;
        }
        Found::Nothing
    }

    /// What of a group begins at `start`.
    fn at(&mut self, start: usize, group: &Group) -> Found {
        let needles = self.needles;
        let there = self.end - start;
        let mut best: Option<&Needle> = None;
        let mut more = false;
        for run in &group.runs {
            let all = &needles.needles[run.needles.clone()];
            if run.length > there {
                more = more || !self.ends && all.iter().any(|needle| self.begins(start, needle));
                continue;
            }
            let print = self.print(start, run.length, run.power);
            let from = all.partition_point(|needle| needle.probe().print < print);
            let alike = all[from..]
                .iter()
                .take_while(|needle| needle.probe().print == print);
            for needle in alike {
                if needle.length > there {
                    more = more || !self.ends && self.begins(start, needle);
                } else if best.is_none_or(|best| best.length < needle.length)
                    && self.is(start, needle)
                {
                    best = Some(needle);
                }
            }
        }
        if more && self.has_all_grams(start) {
            return Found::Beginning { start };
        }
        match best {
            Some(needle) => Found::Whole {
                start,
                end: start + needle.length,
                label: needle.label,
            },
            None => Found::Nothing,
        }
    }

    /// Whether what is there may be the beginning of a needle whose window is there: by the longest
    /// prefix that has a fingerprint.
    fn begins(&mut self, start: usize, needle: &Needle) -> bool {
        let mut shorter = needle.prefixes.iter().rev();
        let longest = shorter.find(|prefix| start + prefix.length <= self.end);
        longest.is_none_or(|prefix| self.allows(start, prefix, false))
    }

    fn is(&mut self, start: usize, needle: &Needle) -> bool {
        self.allows(start, &needle.whole, true)
            && self
                .needles
                .key
                .whole(&self.padded[start..start + needle.length])
                == needle.hash
    }

    fn allows(&mut self, start: usize, print: &Print, of_whole: bool) -> bool {
        print.allows(self.print(start, print.length, print.power), of_whole)
    }

    #[inline(always)]
    fn print(&mut self, start: usize, length: usize, power: u32) -> u32 {
        self.sums
            .print(&self.needles.key, self.padded, start, length, power)
    }

    /// A window's fingerprint alone would now and then hold back what no needle begins with.
    fn has_all_grams(&self, start: usize) -> bool {
        (start..start + self.needles.step).all(|at| has(self.needles, word(self.padded, at)))
    }
}

#[cold]
fn group_of(needles: &Needles, window: u32) -> Option<&Group> {
    if needles.windows[window as usize / 64] >> (window % 64) & 1 == 0 {
        return None;
    }
    let groups = &needles.groups;
    let at = groups.binary_search_by_key(&window, |group| group.window);
    at.ok().map(|at| &groups[at])
}

#[inline(always)]
fn has(needles: &Needles, word: u64) -> bool {
    let hash = needles.key.gram(word, needles.gram_mask) & needles.set_mask;
    needles.grams[(hash >> 6) as usize] >> (hash & 63) & 1 != 0
}

/// The first place with a gram of a needle, of each `STEP`th from `at` to `last`.
fn next_hit<const STEP: usize>(
    needles: &Needles,
    padded: &[u8],
    mut at: usize,
    last: usize,
) -> Option<usize> {
    // This is where nearly all of the time is spent: eight places at once, none of them checked.
    while at + 7 * STEP <= last
        && let Some(block) = padded
            .get(at..)
            .and_then(|rest| rest.first_chunk::<BLOCK>())
    {
        let hit = |nth: usize| has(needles, word(block, nth * STEP));
        if hit(0) || hit(1) || hit(2) || hit(3) || hit(4) || hit(5) || hit(6) || hit(7) {
            break;
        }
        at += 8 * STEP;
    }
    (at..=last)
        .step_by(STEP)
        .find(|at| has(needles, word(padded, *at)))
}
