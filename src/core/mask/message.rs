//! Patterns on their way from the process that has the values to the one that searches.

use std::collections::BTreeSet;
use std::ops::Range;

use super::key::{BITS, Key};
use super::patterns::{Needle, Needles, Print, SET_BITS, Set, WINDOWS, empty};

impl Needles {
    /// Writes the patterns for [`Needles::from_bytes`]: only the hashes that are kept here.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, number: usize| {
            out.extend((number as u32).to_le_bytes());
        };
        out.extend(self.key.bytes);
        number(&mut out, self.window);
        number(&mut out, self.set_mask as usize);
        let words = &self.grams[..=self.set_mask as usize / 64];
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        number(&mut out, self.labels.len());
        for label in &self.labels {
            number(&mut out, label.len());
            out.extend(label.as_bytes());
        }
        number(&mut out, self.needles.len());
        for needle in &self.needles {
            for of_needle in [
                needle.window as usize,
                needle.length,
                needle.label,
                usize::from(needle.goes_on),
                needle.whole.print as usize,
                needle.prefixes.len(),
            ] {
                number(&mut out, of_needle);
            }
            out.extend(needle.hash.to_le_bytes());
            for prefix in &needle.prefixes {
                number(&mut out, prefix.length);
                number(&mut out, prefix.print as usize);
            }
        }
        out
    }

    /// Reads the bytes of [`Needles::to_bytes`]; `None` if they are malformed.
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
        Some(Self::new(
            passed.key,
            passed.window,
            passed.set_mask as u32,
            passed.grams,
            passed.labels,
            passed.needles,
        ))
    }
}

/// Patterns as they were read.
struct Passed {
    key: Key,
    window: usize,
    set_mask: usize,
    grams: Set,
    labels: Vec<String>,
    needles: Vec<Needle>,
}

impl Passed {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let key = Key::new(reader.array()?);
        let window = reader.number(WINDOWS)?;
        let set_mask = reader.number(0..1 << BITS)?;
        if !SET_BITS.contains(&set_mask.count_ones()) || !(set_mask + 1).is_power_of_two() {
            return None;
        }
        let mut grams = empty();
        for word in &mut grams[..=set_mask / 64] {
            *word = u64::from_le_bytes(reader.array()?);
        }
        let mut labels = Vec::new();
        for _ in 0..reader.number(0..usize::MAX)? {
            let length = reader.number(0..usize::MAX)?;
            labels.push(String::from_utf8(reader.take(length)?.to_vec()).ok()?);
        }
        let mut needles = Vec::new();
        for _ in 0..reader.number(0..usize::MAX)? {
            needles.push(reader.needle(&key, window, set_mask, labels.len())?);
        }
        let all = reader.0.is_empty();
        all.then_some(Passed {
            key,
            window,
            set_mask,
            grams,
            labels,
            needles,
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
            needle.label += self.labels.len();
            self.needles.push(needle);
        }
        self.labels.append(&mut other.labels);
        // Which of them another begins with is not known any more.
        let needles = self.needles.iter_mut();
        needles.for_each(|needle| needle.goes_on = true);
        Some(())
    }

    /// Reduces the bits that count in the sets.
    fn fold(&mut self, mask: usize) {
        let (size, words) = (mask / 64 + 1, self.set_mask / 64 + 1);
        for at in size..words {
            self.grams[at % size] |= std::mem::take(&mut self.grams[at]);
        }
        let needles = self.needles.iter_mut();
        needles.for_each(|needle| needle.window &= mask as u32);
        self.set_mask = mask;
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().ok()
    }

    fn number(&mut self, range: Range<usize>) -> Option<usize> {
        let number = u32::from_le_bytes(self.array()?) as usize;
        range.contains(&number).then_some(number)
    }

    fn needle(
        &mut self,
        key: &Key,
        window: usize,
        set_mask: usize,
        labels: usize,
    ) -> Option<Needle> {
        let prints = 0..1 << BITS;
        let begins = self.number(0..set_mask + 1)?;
        let length = self.number(window..usize::MAX)?;
        let label = self.number(0..labels)?;
        let goes_on = self.number(0..2)? == 1;
        let whole = Print::of(length, self.number(prints.clone())? as u32, key);
        let count = self.number(0..usize::MAX)?;
        let hash = u128::from_le_bytes(self.array()?);
        let mut prefixes: Vec<Print> = Vec::new();
        for _ in 0..count {
            let after = prefixes.last().map_or(window, |prefix| prefix.length);
            let prefix = self.number(after + 1..length)?;
            prefixes.push(Print::of(prefix, self.number(prints.clone())? as u32, key));
        }
        Some(Needle {
            window: begins as u32,
            length,
            label,
            hash,
            goes_on,
            whole,
            prefixes,
            probe: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
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
        let values = values
            .iter()
            .map(|(label, value)| (*label, value.as_bytes()));
        Needles::of(values, 8, [7; 32]).to_bytes()
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
        let values = || [("a", b"something".as_slice())].into_iter();
        let key = Needles::of(values(), 8, [8; 32]).to_bytes();
        let window = Needles::of(values(), 9, [7; 32]).to_bytes();
        for other in [&key, &window, &own[1..].to_vec()] {
            assert!(Needles::from_all(&[&own, other]).is_none());
        }
        assert!(Needles::from_all(&[]).is_none());
    }
}
