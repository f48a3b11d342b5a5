//! Hashes of the values to find, for a process that must not know the values.
//!
//! A reader of the key and of a whole text's hash can test guesses of the whole text. Parts have
//! fingerprints of at most 20 bits, so that a strong value can't be guessed piece by piece. After
//! its first `window` bytes an encoding's next part ends at least `FAR` bytes from the beginning.
//! Only the plain value has a few bits in between.

use std::ops::Range;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::encodings::trimmed;
use super::key::{BITS, Key};
use super::placeholder;

/// Shortest prefix of every pattern with a fingerprint, in bytes. Each further prefix is twice as
/// long.
pub(super) const FAR: usize = 64;

/// Bits of the fingerprint of a shorter prefix.
const NEAR_BITS: u32 = 8;

/// Lengths of a window, in bytes.
pub(super) const WINDOWS: Range<usize> = 4..33;

/// Bits of the hash of a gram: enough to keep a set thin, few enough to keep it in the processor's
/// first cache.
pub(super) const SET_BITS: Range<u32> = 15..BITS + 1;

/// A set of hashes of [`BITS`] bits.
pub(super) type Set = Box<[u64; 1 << (BITS - 6)]>;

/// Patterns to find, as hashes.
pub struct Needles {
    pub(super) key: Key,
    pub(super) window: usize,
    /// Bits of a hash that count in the two sets and in [`PatternGroup::window`].
    pub(super) set_mask: u32,
    /// Bytes of a word that make a gram, and the number of places at the beginning of a pattern
    /// whose grams are in the set.
    pub(super) gram_mask: u64,
    pub(super) gram: usize,
    pub(super) step: usize,
    pub(super) grams: Set,
    pub(super) windows: Set,
    pub(super) groups: Vec<PatternGroup>,
    pub(super) runs: Vec<Run>,
    pub(super) needles: Vec<Needle>,
    /// Fingerprints of prefixes of all needles, each needle's together, the shortest first.
    pub(super) prefixes: Vec<u32>,
    /// Lengths of prefixes that have fingerprints, each with its power.
    pub(super) levels: Vec<(usize, u32)>,
    pub(super) placeholders: Vec<Rc<[u8]>>,
    pub(super) longest: usize,
}

/// Patterns before they are passed on, and as they were read.
pub(super) struct Passed {
    pub(super) key: Key,
    pub(super) window: usize,
    /// Bits that count in the set and in each needle's window.
    pub(super) set_mask: usize,
    pub(super) grams: Set,
    pub(super) labels: Vec<String>,
    pub(super) prefixes: Vec<u32>,
    pub(super) needles: Vec<Needle>,
}

/// Patterns with the same beginning.
pub(super) struct PatternGroup {
    pub(super) window: u32,
    pub(super) longest: usize,
    pub(super) runs: Range<u32>,
}

/// Patterns of a group that the same stretch tells apart: the whole or the first `FAR` bytes.
pub(super) struct Run {
    pub(super) length: usize,
    pub(super) power: u32,
    /// Last six bits of the fingerprints of that stretch, as a set.
    some: u64,
    /// The whole pattern, if it is the only one.
    pub(super) only: Option<Print>,
    pub(super) needles: Range<u32>,
}

impl Run {
    /// True if a pattern may have this fingerprint.
    #[inline(always)]
    pub(super) fn may_have(&self, print: u32) -> bool {
        self.some >> (print % 64) & 1 != 0
    }
}

/// A text to find. It is small, as a long value has thousands, one for each of its lines.
#[derive(Serialize, Deserialize)]
pub(super) struct Needle {
    pub(super) window: u32,
    pub(super) length: u32,
    pub(super) label: u32,
    pub(super) hash: [u8; 16],
    /// True if another pattern begins with this one.
    pub(super) goes_on: bool,
    /// Fingerprint of the whole.
    pub(super) whole: u32,
    /// Number of its prefixes under `FAR` bytes that have a fingerprint.
    pub(super) near: u8,
    /// Place of its first prefix in [`Needles::prefixes`].
    pub(super) first: u32,
    /// Factor for its length, fingerprint that tells it from others with the same beginning, and
    /// that of its longest prefix. They are not passed on.
    #[serde(skip)]
    pub(super) power: u32,
    #[serde(skip)]
    pub(super) probe: u32,
    #[serde(skip)]
    pub(super) last: u32,
}

/// Fingerprint of the first `length` bytes.
#[derive(Clone, Copy)]
pub(super) struct Print {
    pub(super) length: usize,
    pub(super) power: u32,
    pub(super) print: u32,
}

/// Bits of a fingerprint that are kept.
#[inline(always)]
pub(super) fn shown(print: u32, length: usize, of_whole: bool) -> u32 {
    match length < FAR && !of_whole {
        true => print >> (BITS - NEAR_BITS),
        false => print,
    }
}

impl Needle {
    pub(super) fn length(&self) -> usize {
        self.length as usize
    }

    /// Returns the number of its prefixes of `FAR` bytes and more.
    pub(super) fn far(&self) -> usize {
        match self.length() > FAR {
            true => ((self.length() - 1) / FAR).ilog2() as usize + 1,
            false => 0,
        }
    }

    /// Returns the length of the stretch that tells it from others with the same beginning.
    pub(super) fn probe_length(&self) -> usize {
        self.length().min(FAR)
    }

    /// Returns the length of its longest prefix with a fingerprint, or its own if it has none that
    /// is long.
    pub(super) fn last_length(&self) -> usize {
        match self.far() {
            0 => self.length(),
            far => FAR << (far - 1),
        }
    }

    fn whole(&self) -> Print {
        Print {
            length: self.length(),
            power: self.power,
            print: self.whole,
        }
    }

    /// Order in which those that one stretch tells apart are side by side.
    fn order(&self) -> impl Ord + use<> {
        let beginning = (self.window, self.probe_length(), self.probe);
        let rest = (self.last_length(), self.last, self.length, self.whole);
        (beginning, rest)
    }
}

/// Lists the labels of values shorter than a window, in bytes. Line breaks at the end don't count.
/// Empty values are left out.
pub fn too_short<'a>(
    values: impl Iterator<Item = (&'a str, &'a [u8])>,
    window: usize,
) -> Vec<&'a str> {
    let short = values.filter(|(_, value)| (1..window).contains(&trimmed(value).len()));
    short.map(|(label, _)| label).collect()
}

impl Needles {
    /// Returns the runs of a group.
    pub(super) fn runs(&self, group: &PatternGroup) -> &[Run] {
        &self.runs[group.runs.start as usize..group.runs.end as usize]
    }

    /// Returns the needles of a run.
    pub(super) fn in_run(&self, run: &Run) -> &[Needle] {
        &self.needles[run.needles.start as usize..run.needles.end as usize]
    }

    pub(super) fn new(passed: Passed) -> Self {
        let Passed {
            key,
            window,
            set_mask,
            grams,
            labels,
            prefixes,
            mut needles,
        } = passed;
        for needle in &mut needles {
            needle.power = key.power(needle.length);
            let far = needle.first as usize + usize::from(needle.near);
            (needle.probe, needle.last) = match needle.far() {
                0 => (needle.whole, needle.whole),
                count => (prefixes[far], prefixes[far + count - 1]),
            };
        }
        needles.sort_unstable_by_key(Needle::order);
        let mut windows = empty();
        let (mut groups, mut runs): (Vec<PatternGroup>, Vec<Run>) = (Vec::new(), Vec::new());
        for (at, needle) in (0..).zip(&needles) {
            let (window, length) = (needle.window, needle.probe_length());
            insert(&mut windows, window);
            let next = runs.len() as u32;
            if groups.last().is_none_or(|group| group.window != window) {
                groups.push(PatternGroup {
                    window,
                    longest: 0,
                    runs: next..next,
                });
            }
            let Some(group) = groups.last_mut() else {
                continue;
            };
            group.longest = group.longest.max(needle.length());
            let some = 1 << (needle.probe % 64);
            match runs.last_mut() {
                Some(run) if !group.runs.is_empty() && run.length == length => {
                    run.needles.end = at + 1;
                    run.some |= some;
                    run.only = None;
                }
                _ => {
                    group.runs.end += 1;
                    runs.push(Run {
                        length,
                        power: key.power(length as u32),
                        some,
                        only: Some(needle.whole()),
                        needles: at..at + 1,
                    });
                }
            }
        }
        let (gram, step) = sampling(window);
        Needles {
            window,
            set_mask: set_mask as u32,
            gram_mask: gram_mask(gram),
            gram,
            step,
            grams,
            windows,
            groups,
            runs,
            placeholders: labels
                .iter()
                .map(|label| placeholder(label).into())
                .collect(),
            longest: needles.iter().map(Needle::length).max().unwrap_or(0),
            levels: prefix_lengths(window)
                .take_while(|length| *length <= u32::MAX as usize)
                .map(|length| (length, key.power(length as u32)))
                .collect(),
            key,
            needles,
            prefixes,
        }
    }

    /// Returns the length of the longest text to find, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Returns the longest prefix of a needle with a fingerprint that has at most so many bytes.
    pub(super) fn prefix(&self, needle: &Needle, most: usize) -> Option<Print> {
        let near_levels = self
            .levels
            .iter()
            .filter(|(length, _)| *length < FAR)
            .count();
        let (near, far) = (usize::from(needle.near), needle.far());
        let known = (0..near).chain(near_levels..near_levels + far);
        let known = known.zip(&self.prefixes[needle.first as usize..]);
        let fits = known.take_while(|(level, _)| self.levels[*level].0 <= most);
        let (level, print) = fits.last()?;
        let (length, power) = self.levels[level];
        Some(Print {
            length,
            power,
            print: *print,
        })
    }
}

/// Returns the bytes of a gram and the distance of the places that are looked at. A window always
/// has such a place in it.
pub(super) fn sampling(window: usize) -> (usize, usize) {
    let step = if window < 7 { 2 } else { 4 };
    ((window + 1 - step).min(8), step)
}

pub(super) fn gram_mask(gram: usize) -> u64 {
    u64::MAX >> (64 - 8 * gram)
}

/// Lists the lengths of prefixes with fingerprints: each is twice the one before.
pub(super) fn prefix_lengths(window: usize) -> impl Iterator<Item = usize> {
    let doubled = |from: usize| std::iter::successors(Some(from), |length| Some(2 * length));
    let near = doubled(2 * window).take_while(|length| *length < FAR);
    near.chain(doubled(FAR))
}

pub(super) fn empty() -> Set {
    let words = vec![0; 1 << (BITS - 6)].into_boxed_slice();
    words.try_into().unwrap_or_else(|_| Box::new([0; _]))
}

pub(super) fn insert(set: &mut Set, hash: u32) {
    set[hash as usize / 64] |= 1 << (hash % 64);
}

#[inline(always)]
pub(super) fn is_in(set: &Set, hash: u32) -> bool {
    set[(hash >> 6) as usize] >> (hash & 63) & 1 != 0
}
