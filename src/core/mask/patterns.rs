//! Hashes of the values to find, for a process that must not know the values.
//!
//! A reader of the key and of a whole text's hash can test guesses of the whole text. Parts have
//! fingerprints of at most 20 bits, so that a strong value can't be guessed piece by piece. After
//! its first `window` bytes an encoding's next part ends at least `FAR` bytes from the beginning.
//! Only the plain value has a few bits in between.

use std::ops::Range;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::encodings::forms;
use super::key::{BITS, Key, word};
use super::placeholder;
use crate::model::secret::Secret;

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
    pub(super) needles: Vec<Needle>,
    pub(super) placeholders: Vec<Rc<[u8]>>,
    pub(super) longest: usize,
    pub(super) labels: Vec<String>,
}

/// Patterns with the same beginning.
pub(super) struct PatternGroup {
    pub(super) window: u32,
    pub(super) longest: usize,
    pub(super) runs: Vec<Run>,
}

/// Patterns of a group that the same stretch tells apart: the whole or the first `FAR` bytes.
pub(super) struct Run {
    pub(super) length: usize,
    pub(super) power: u32,
    /// Last six bits of the fingerprints of that stretch, as a set.
    some: u64,
    /// The whole pattern, if it is the only one.
    pub(super) only: Option<Print>,
    pub(super) needles: Range<usize>,
}

impl Run {
    /// True if a pattern may have this fingerprint.
    #[inline(always)]
    pub(super) fn may_have(&self, print: u32) -> bool {
        self.some >> (print % 64) & 1 != 0
    }
}

/// A text to find.
#[derive(Serialize, Deserialize)]
pub(super) struct Needle {
    pub(super) window: u32,
    pub(super) length: usize,
    pub(super) label: usize,
    pub(super) hash: u128,
    /// True if another pattern begins with this one.
    pub(super) goes_on: bool,
    pub(super) whole: Print,
    /// Fingerprints of prefixes, the shortest first.
    pub(super) prefixes: Vec<Print>,
    /// Fingerprint that tells it from others with the same beginning; not passed on.
    #[serde(skip)]
    pub(super) probe: u32,
}

/// Fingerprint of the first `length` bytes.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Print {
    pub(super) length: usize,
    /// Follows from the key and the length; not passed on.
    #[serde(skip)]
    pub(super) power: u32,
    pub(super) print: u32,
}

impl Print {
    pub(super) fn of(length: usize, print: u32, key: &Key) -> Self {
        let power = key.power(length as u32);
        Print {
            length,
            power,
            print,
        }
    }

    /// True if a stretch with this whole fingerprint may be the same.
    #[inline(always)]
    pub(super) fn allows(&self, print: u32, of_whole: bool) -> bool {
        self.print == shown(print, self.length, of_whole)
    }
}

/// Bits of a fingerprint that are kept.
#[inline(always)]
fn shown(print: u32, length: usize, of_whole: bool) -> u32 {
    match length < FAR && !of_whole {
        true => print >> (BITS - NEAR_BITS),
        false => print,
    }
}

impl Needle {
    /// Returns the stretch that tells it from others with the same beginning.
    fn probe(&self) -> &Print {
        let mut prefixes = self.prefixes.iter();
        prefixes
            .find(|prefix| prefix.length == FAR)
            .unwrap_or(&self.whole)
    }
}

/// Lists the labels of values shorter than a window, in bytes. Empty values are left out.
pub fn too_short<'a>(
    values: impl Iterator<Item = (&'a str, &'a [u8])>,
    window: usize,
) -> Vec<&'a str> {
    let short = values.filter(|(_, value)| (1..window).contains(&value.len()));
    short.map(|(label, _)| label).collect()
}

impl Needles {
    /// Makes the patterns of values and their labels, for a window of 4 to 32 bytes (other lengths
    /// count as the nearest). Each form of a value that is at least as long as the window is a
    /// pattern. A form of two values belongs to the first.
    pub fn of<'a>(
        values: impl Iterator<Item = (&'a str, &'a [u8])>,
        window: usize,
        key: [u8; 32],
    ) -> Self {
        let window = window.clamp(WINDOWS.start, WINDOWS.end - 1);
        let key = Key::new(key);
        let (gram, step) = sampling(window);
        let values: Vec<_> = values.collect();
        let mut texts: Vec<(Secret, usize)> = Vec::new();
        for (label, (_, value)) in values.iter().enumerate() {
            let long = forms(value).into_iter();
            let long = long.filter(|form| form.len() >= window);
            texts.extend(long.map(|form| (form, label)));
        }
        // In this order one that another begins with is before it.
        texts.sort_by(|(one, _), (other, _)| one.expose().cmp(other.expose()));
        texts.dedup_by(|(one, _), (other, _)| one.expose() == other.expose());
        let (mut needles, mut grams) = (Vec::new(), Vec::new());
        for (at, (text, label)) in texts.iter().enumerate() {
            let text = text.expose();
            let next = texts.get(at + 1);
            grams.extend((0..step).map(|at| key.gram(word(text, at), gram_mask(gram))));
            let print = |length: usize, of_whole| {
                let print = key.print(key.hash(&text[..length]));
                Print::of(length, shown(print, length, of_whole), &key)
            };
            let prefixes = prefix_lengths(window).take_while(|length| *length < text.len());
            let prefixes = prefixes.filter(|length| {
                *length >= FAR || values[*label].1.get(..*length) == text.get(..*length)
            });
            needles.push(Needle {
                window: key.window(text, 0, window),
                length: text.len(),
                label: *label,
                hash: key.whole(text),
                goes_on: next.is_some_and(|(next, _)| next.expose().starts_with(text)),
                whole: print(text.len(), true),
                prefixes: prefixes.map(|length| print(length, false)).collect(),
                probe: 0,
            });
        }
        let labels = values.iter().map(|(label, _)| label.to_string()).collect();
        let bits = (64 * grams.len()).max(1).ilog2();
        let set_mask = (1 << bits.clamp(SET_BITS.start, SET_BITS.end - 1)) - 1;
        let mut set = empty();
        for gram in grams {
            insert(&mut set, gram & set_mask);
        }
        for needle in &mut needles {
            needle.window &= set_mask;
        }
        Self::new(key, window, set_mask, set, labels, needles)
    }

    pub(super) fn new(
        key: Key,
        window: usize,
        set_mask: u32,
        grams: Set,
        labels: Vec<String>,
        mut needles: Vec<Needle>,
    ) -> Self {
        for needle in &mut needles {
            needle.probe = needle.probe().print;
        }
        needles.sort_by_key(|needle| {
            let probe = needle.probe();
            (needle.window, probe.length)
        });
        let mut windows = empty();
        let mut groups: Vec<PatternGroup> = Vec::new();
        for (at, needle) in needles.iter().enumerate() {
            insert(&mut windows, needle.window);
            if groups
                .last()
                .is_none_or(|group| group.window != needle.window)
            {
                groups.push(PatternGroup {
                    window: needle.window,
                    longest: 0,
                    runs: Vec::new(),
                });
            }
            let (Some(group), probe) = (groups.last_mut(), needle.probe()) else {
                continue;
            };
            group.longest = group.longest.max(needle.length);
            let some = 1 << (probe.print % 64);
            match group.runs.last_mut() {
                Some(run) if run.length == probe.length => {
                    run.needles.end = at + 1;
                    run.some |= some;
                    run.only = None;
                }
                _ => group.runs.push(Run {
                    length: probe.length,
                    power: probe.power,
                    some,
                    only: Some(needle.whole),
                    needles: at..at + 1,
                }),
            }
        }
        let (gram, step) = sampling(window);
        Needles {
            key,
            window,
            set_mask,
            gram_mask: gram_mask(gram),
            gram,
            step,
            grams,
            windows,
            groups,
            placeholders: labels
                .iter()
                .map(|label| placeholder(label).into())
                .collect(),
            longest: needles
                .iter()
                .map(|needle| needle.length)
                .max()
                .unwrap_or(0),
            needles,
            labels,
        }
    }

    /// Returns the length of the longest text to find, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

/// Returns the bytes of a gram and the distance of the places that are looked at. A window always
/// has such a place in it.
fn sampling(window: usize) -> (usize, usize) {
    let step = if window < 7 { 2 } else { 4 };
    ((window + 1 - step).min(8), step)
}

fn gram_mask(gram: usize) -> u64 {
    u64::MAX >> (64 - 8 * gram)
}

/// Lists the lengths of prefixes with fingerprints: each is twice the one before.
fn prefix_lengths(window: usize) -> impl Iterator<Item = usize> {
    let doubled = |from: usize| std::iter::successors(Some(from), |length| Some(2 * length));
    let near = doubled(2 * window).take_while(|length| *length < FAR);
    near.chain(doubled(FAR))
}

pub(super) fn empty() -> Set {
    let words = vec![0; 1 << (BITS - 6)].into_boxed_slice();
    words.try_into().unwrap_or_else(|_| Box::new([0; _]))
}

fn insert(set: &mut Set, hash: u32) {
    set[hash as usize / 64] |= 1 << (hash % 64);
}

#[inline(always)]
pub(super) fn is_in(set: &Set, hash: u32) -> bool {
    set[(hash >> 6) as usize] >> (hash & 63) & 1 != 0
}
