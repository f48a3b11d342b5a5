//! What a process is told of the values that it is to find, so that it needs none of them.
//!
//! With the key of the launch, the hash of a whole text lets whoever reads it try guesses of that
//! text. Of less than the whole there are fingerprints of at most 20 bits. They are chosen so that
//! a strong value can't be guessed piece by piece: beyond its first `window` bytes an encoding's
//! next piece is at least `FAR` bytes from its beginning, and only for the value as it is there
//! are a few bits in between.

use std::ops::Range;
use std::rc::Rc;

use super::encodings::forms;
use super::key::{BITS, Key, word};
use super::placeholder;
use crate::model::secret::Secret;

/// From here on the prefixes of all needles have fingerprints, at this length and each doubling.
pub(super) const FAR: usize = 64;

/// The bits of a fingerprint of a prefix that is shorter.
const NEAR_BITS: u32 = 8;

/// How short and how long a window may be, in bytes.
pub(super) const WINDOWS: Range<usize> = 4..33;

/// The bits of hashes of grams: so many that a set of them is thin, so few that it stays in the
/// processor's first cache.
pub(super) const SET_BITS: Range<u32> = 15..BITS + 1;

/// A set of hashes of [`BITS`] bits.
pub(super) type Set = Box<[u64; 1 << (BITS - 6)]>;

/// What is to be found, as hashes.
pub struct Needles {
    pub(super) key: Key,
    pub(super) window: usize,
    /// Which of a hash's bits count in the two sets, and in [`Group::window`].
    pub(super) set_mask: u32,
    /// Which of a word's bytes make a gram, and at how many places from its beginning on a
    /// needle's grams are in the set.
    pub(super) gram_mask: u64,
    pub(super) gram: usize,
    pub(super) step: usize,
    pub(super) grams: Set,
    pub(super) windows: Set,
    pub(super) groups: Vec<Group>,
    pub(super) needles: Vec<Needle>,
    pub(super) placeholders: Vec<Rc<[u8]>>,
    pub(super) longest: usize,
    pub(super) labels: Vec<String>,
}

/// Needles that begin alike.
pub(super) struct Group {
    pub(super) window: u32,
    pub(super) longest: usize,
    pub(super) runs: Vec<Run>,
}

/// Needles of a group that are told apart by the same stretch: their whole or their first
/// `FAR` bytes.
pub(super) struct Run {
    pub(super) length: usize,
    pub(super) power: u32,
    /// The last six bits of the fingerprints of that stretch.
    some: u64,
    /// Where there is one needle alone, its whole.
    pub(super) only: Option<Print>,
    pub(super) needles: Range<usize>,
}

impl Run {
    /// Whether a needle may have this fingerprint.
    #[inline(always)]
    pub(super) fn may_have(&self, print: u32) -> bool {
        self.some >> (print % 64) & 1 != 0
    }
}

/// A text to find.
pub(super) struct Needle {
    pub(super) window: u32,
    pub(super) length: usize,
    pub(super) label: usize,
    pub(super) hash: u128,
    /// Another begins with it.
    pub(super) goes_on: bool,
    pub(super) whole: Print,
    /// Shorter ones, the shortest first.
    pub(super) prefixes: Vec<Print>,
    /// The fingerprint that tells it from others that begin alike.
    pub(super) probe: u32,
}

/// The fingerprint of the first `length` bytes.
#[derive(Clone, Copy)]
pub(super) struct Print {
    pub(super) length: usize,
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

    /// Whether a stretch that has this fingerprint, all bits of it, may be the same.
    #[inline(always)]
    pub(super) fn allows(&self, print: u32, of_whole: bool) -> bool {
        self.print == shown(print, self.length, of_whole)
    }
}

/// What is kept of a fingerprint.
#[inline(always)]
fn shown(print: u32, length: usize, of_whole: bool) -> u32 {
    match length < FAR && !of_whole {
        true => print >> (BITS - NEAR_BITS),
        false => print,
    }
}

impl Needle {
    /// The stretch that tells it from others that begin alike.
    fn probe(&self) -> &Print {
        let mut prefixes = self.prefixes.iter();
        prefixes
            .find(|prefix| prefix.length == FAR)
            .unwrap_or(&self.whole)
    }
}

/// The labels of values that are too short for a window of so many bytes, empty ones not among
/// them.
pub fn too_short<'a>(
    values: impl Iterator<Item = (&'a str, &'a [u8])>,
    window: usize,
) -> Vec<&'a str> {
    let short = values.filter(|(_, value)| (1..window).contains(&value.len()));
    short.map(|(label, _)| label).collect()
}

impl Needles {
    /// Those of values, each with the label by which it is shown, for a window of 4 to 32 bytes
    /// (what is beyond counts as the nearest). All forms of a value are looked for that are at
    /// least as long as the window. Where two values have a form in common the first has it.
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
        let mut groups: Vec<Group> = Vec::new();
        for (at, needle) in needles.iter().enumerate() {
            insert(&mut windows, needle.window);
            if groups
                .last()
                .is_none_or(|group| group.window != needle.window)
            {
                groups.push(Group {
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

    /// The length of the longest text to find, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

/// The bytes in a gram, and how far apart the places are at which one is looked for: of those that
/// lie in a window, one is always such a place.
fn sampling(window: usize) -> (usize, usize) {
    let step = if window < 7 { 2 } else { 4 };
    ((window + 1 - step).min(8), step)
}

fn gram_mask(gram: usize) -> u64 {
    u64::MAX >> (64 - 8 * gram)
}

/// The lengths at which prefixes have fingerprints: each twice the one before.
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
