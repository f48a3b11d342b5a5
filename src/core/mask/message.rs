//! Patterns on their way from the process that has the values to the one that searches.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::key::{BITS, Key};
use super::patterns::{FAR, Needle, Needles, Passed, SET_BITS, WINDOWS, empty, prefix_lengths};

/// Patterns as they are passed on.
#[derive(Serialize)]
struct Telling<'n> {
    key: [u8; 32],
    window: usize,
    set_mask: usize,
    grams: &'n [u64],
    labels: &'n [String],
    prefixes: &'n [u32],
    needles: &'n [Needle],
}

/// The same, as it is read.
#[derive(Deserialize)]
struct PassedNeedles {
    key: [u8; 32],
    window: usize,
    set_mask: usize,
    grams: Vec<u64>,
    labels: Vec<String>,
    prefixes: Vec<u32>,
    needles: Vec<Needle>,
}

impl Needles {
    /// Reads the bytes that [`Making::told`](super::making::Making::told) gives; `None` if they are
    /// malformed.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_all(&[bytes])
    }

    /// Reads several messages of one key and window as one set.
    pub fn from_all(all: &[&[u8]]) -> Option<Self> {
        let (first, others) = all.split_first()?;
        let mut passed = Passed::read(first)?;
        for other in others {
            passed.add(Passed::read(other)?)?;
        }
        Some(Self::new(passed))
    }
}

impl Passed {
    /// Writes the patterns: only the hashes that are kept here.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let telling = Telling {
            key: self.key.bytes,
            window: self.window,
            set_mask: self.set_mask,
            grams: &self.grams[..=self.set_mask / 64],
            labels: &self.labels,
            prefixes: &self.prefixes,
            needles: &self.needles,
        };
        let about =
            64 + 10 * telling.grams.len() + 40 * self.needles.len() + 4 * self.prefixes.len();
        // Writing to memory does not fail; who reads nothing of it refuses it.
        postcard::to_extend(&telling, Vec::with_capacity(about)).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (told, rest): (PassedNeedles, _) = postcard::take_from_bytes(bytes).ok()?;
        let (key, mask) = (Key::new(told.key), told.set_mask);
        let is_mask = SET_BITS.contains(&mask.count_ones()) && (mask + 1).is_power_of_two();
        let is_set = is_mask && told.grams.len() == mask / 64 + 1;
        if !rest.is_empty() || !is_set || !WINDOWS.contains(&told.window) {
            return None;
        }
        let mut grams = empty();
        grams[..told.grams.len()].copy_from_slice(&told.grams);
        let are_prints = told.prefixes.iter().all(|print| *print < 1 << BITS);
        let counts = (told.labels.len(), told.prefixes.len());
        let mut needles = told.needles.iter();
        if !are_prints || !needles.all(|needle| needle.is_of(told.window, mask, counts)) {
            return None;
        }
        Some(Passed {
            key,
            window: told.window,
            set_mask: mask,
            grams,
            labels: told.labels,
            prefixes: told.prefixes,
            needles: told.needles,
        })
    }

    /// Adds the patterns of another message. This one wins for a text that both have.
    fn add(&mut self, mut other: Passed) -> Option<()> {
        if (self.key.bytes, self.window) != (other.key.bytes, other.window) {
            return None;
        }
        let mask = self.set_mask.min(other.set_mask);
        self.fold(mask);
        other.fold(mask);
        let words = self.grams.iter_mut().zip(&other.grams[..]);
        words.for_each(|(word, more)| *word |= more);
        let text = |needle: &Needle| (needle.hash, needle.length);
        let known: BTreeSet<_> = self.needles.iter().map(text).collect();
        for mut needle in other.needles {
            if known.contains(&text(&needle)) {
                continue;
            }
            needle.label += self.labels.len() as u32;
            needle.first += self.prefixes.len() as u32;
            self.needles.push(needle);
        }
        self.prefixes.append(&mut other.prefixes);
        self.labels.append(&mut other.labels);
        // Which of them another begins with is not known any more.
        let needles = self.needles.iter_mut();
        needles.for_each(|needle| needle.goes_on = true);
        Some(())
    }

    /// Reduces the bits that count in the sets.
    pub(super) fn fold(&mut self, mask: usize) {
        let (size, words) = (mask / 64 + 1, self.set_mask / 64 + 1);
        for at in size..words {
            self.grams[at % size] |= std::mem::take(&mut self.grams[at]);
        }
        let needles = self.needles.iter_mut();
        needles.for_each(|needle| needle.window &= mask as u32);
        self.set_mask = mask;
    }
}

impl Needle {
    /// True if it can be one for this window and set, with so many labels and prefixes.
    fn is_of(&self, window: usize, set_mask: usize, (labels, prefixes): (usize, usize)) -> bool {
        let near = prefix_lengths(window).take_while(|length| *length < self.length().min(FAR));
        let own = usize::from(self.near) + self.far();
        self.window as usize <= set_mask
            && (self.label as usize) < labels
            && self.length() >= window
            && usize::from(self.near) <= near.count()
            && self.first as usize + own <= prefixes
            && self.whole < 1 << BITS
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::core::mask::making::Making;
    use crate::core::mask::stream::Stream;

    /// Masks a text that comes in two pieces, with these patterns for each.
    fn shown(first: (&str, &[&[u8]]), second: (&str, &[&[u8]])) -> String {
        let mut stream: Option<Stream> = None;
        let mut shown = Vec::new();
        for (text, needles) in [first, second] {
            let needles = Rc::new(Needles::from_all(needles).unwrap());
            match &mut stream {
                Some(stream) => stream.rearm(needles),
                None => stream = Some(Stream::new(needles)),
            }
            let stream = stream.as_mut().unwrap();
            stream.room()[..text.len()].copy_from_slice(text.as_bytes());
            stream.took(text.len());
            let waiting: Vec<u8> = stream.pieces().flatten().copied().collect();
            stream.wrote(waiting.len());
            shown.extend(waiting);
        }
        let mut stream = stream.unwrap();
        stream.end();
        shown.extend(stream.pieces().flatten());
        String::from_utf8(shown).unwrap()
    }

    fn told(values: &[(&str, &str)]) -> Vec<u8> {
        told_by(values, 8, [7; 32])
    }

    fn told_by(values: &[(&str, &str)], window: usize, key: [u8; 32]) -> Vec<u8> {
        let mut making = Making::new(window, key);
        for (label, value) in values {
            making.add(label, value.as_bytes());
        }
        making.told()
    }

    #[test]
    fn needles_of_several_are_all_found() {
        let old = told(&[("a", "an older value"), ("b", "what stays so")]);
        let new = told(&[("b", "what stays so"), ("a", "an older value and more")]);
        // So many that their sets are larger.
        let names: Vec<String> = (0..200).map(|at| format!("name-{at}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| ("many", name.as_str())).collect();
        let many = told(&many);
        let text = "an older value, an older value and more, what stays so";
        let all: [&[&[u8]]; 3] = [&[&old, &new], &[&new, &old], &[&old, &many, &new]];
        for needles in all {
            let expected = "[secret:a], [secret:a], [secret:b]";
            assert_eq!(shown((text, needles), ("", needles)), expected);
            // The longer of two is waited for, although each of them was told alone.
            let (begins, ends) = text.split_at("an older value, an older value".len());
            assert_eq!(shown((begins, needles), (ends, needles)), expected);
        }
        let all = [&old[..], &many, &new];
        assert_eq!(shown(("name-117 ", &all), ("", &all)), "[secret:many] ");
    }

    #[test]
    fn what_has_begun_is_found_by_new_needles() {
        let (old, new) = (
            told(&[("a", "an older value")]),
            told(&[("b", "and another one")]),
        );
        let both = [&old[..], &new];
        let first = ("an older value, an older", &both[..1]);
        let shown = shown(first, (" value, and another one", &both));
        assert_eq!(shown, "[secret:a], [secret:a], [secret:b]");
    }

    #[test]
    fn needles_of_another_key_or_window_are_none_of_these() {
        let own = told(&[("a", "something")]);
        let key = told_by(&[("a", "something")], 8, [8; 32]);
        let window = told_by(&[("a", "something")], 9, [7; 32]);
        for other in [&key, &window, &own[1..].to_vec()] {
            assert!(Needles::from_all(&[&own, other]).is_none());
        }
        assert!(Needles::from_all(&[]).is_none());
    }
}
