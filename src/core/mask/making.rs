//! Makes the patterns of values, one value after another.

use super::encodings::{forms, trimmed};
use super::key::{Key, word};
use super::patterns::{
    FAR, Needle, Needles, Passed, SET_BITS, WINDOWS, empty, gram_mask, insert, prefix_lengths,
    sampling, shown,
};

/// Patterns that are being made, value by value. Nothing of a value is kept but hashes, and the
/// first [`FAR`] bytes of each form until all are there.
pub struct Making {
    key: Key,
    window: usize,
    labels: Vec<String>,
    drafts: Vec<Draft>,
    prefixes: Vec<u32>,
    grams: Vec<u32>,
}

/// A needle, with the bytes that it begins with.
struct Draft {
    needle: Needle,
    head: [u8; FAR],
}

impl Draft {
    fn head(&self) -> &[u8] {
        &self.head[..self.needle.probe_length()]
    }
}

impl Making {
    /// Begins, for a window of 4 to 32 bytes (other lengths count as the nearest).
    pub fn new(window: usize, key: [u8; 32]) -> Self {
        Making {
            key: Key::new(key),
            window: window.clamp(WINDOWS.start, WINDOWS.end - 1),
            labels: Vec::new(),
            drafts: Vec::new(),
            prefixes: Vec::new(),
            grams: Vec::new(),
        }
    }

    /// Adds a value. Each of its forms that is at least as long as the window is a pattern. A form
    /// of two values belongs to the first.
    pub fn add(&mut self, label: &str, value: &[u8]) {
        let window = self.window;
        let plain = trimmed(value);
        forms(value, &mut |form| {
            if form.len() >= window {
                self.take(form, plain);
            }
        });
        self.labels.push(label.to_owned());
    }

    fn take(&mut self, text: &[u8], plain: &[u8]) {
        let (key, window) = (&self.key, self.window);
        let (gram, step) = sampling(window);
        let grams = (0..step).map(|at| key.gram(word(text, at), gram_mask(gram)));
        self.grams.extend(grams);
        let (first, mut near) = (self.prefixes.len() as u32, 0);
        let (mut hash, mut at) = (0, 0);
        for length in prefix_lengths(window).take_while(|length| *length < text.len()) {
            let is_near = length < FAR;
            if is_near && plain.get(..length) != text.get(..length) {
                continue;
            }
            near += u8::from(is_near);
            hash = key.hash(hash, &text[at..length]);
            at = length;
            self.prefixes.push(shown(key.print(hash), length, false));
        }
        let mut head = [0; FAR];
        let known = text.len().min(FAR);
        head[..known].copy_from_slice(&text[..known]);
        let needle = Needle {
            window: key.window(text, 0, window),
            length: text.len() as u32,
            label: self.labels.len() as u32,
            hash: key.whole(text),
            goes_on: false,
            whole: key.print(key.hash(hash, &text[at..])),
            near,
            first,
            power: 0,
            probe: 0,
            last: 0,
        };
        self.drafts.push(Draft { needle, head });
    }

    /// Returns the patterns for [`Needles::from_bytes`].
    pub fn told(self) -> Vec<u8> {
        self.finish().to_bytes()
    }

    /// Returns the patterns.
    pub(super) fn finish(self) -> Passed {
        let Making {
            key,
            window,
            labels,
            mut drafts,
            prefixes,
            mut grams,
        } = self;
        let text = |one: &Draft| (one.needle.length, one.needle.hash);
        // In this order one that another begins with is before it.
        drafts.sort_by(|one, other| {
            let heads = one.head().cmp(other.head());
            heads.then_with(|| text(one).cmp(&text(other)))
        });
        drafts.dedup_by_key(|draft| text(draft));
        // The longest that begins as the last one does.
        let mut longest = 0;
        for at in (0..drafts.len()).rev() {
            let (one, later) = (&drafts[at], drafts.get(at + 1));
            let begins = later.is_some_and(|later| later.head().starts_with(one.head()));
            let length = one.needle.length;
            longest = if begins { length.max(longest) } else { length };
            drafts[at].needle.goes_on = length < longest;
        }
        let mut needles: Vec<Needle> = drafts.into_iter().map(|draft| draft.needle).collect();
        grams.sort_unstable();
        grams.dedup();
        let bits = (64 * grams.len()).max(1).ilog2();
        let set_mask = (1 << bits.clamp(SET_BITS.start, SET_BITS.end - 1)) - 1;
        let mut set = empty();
        for gram in grams {
            insert(&mut set, gram & set_mask);
        }
        for needle in &mut needles {
            needle.window &= set_mask;
        }
        Passed {
            key,
            window,
            set_mask: set_mask as usize,
            grams: set,
            labels,
            prefixes,
            needles,
        }
    }
}

impl Needles {
    /// Makes the patterns of values and their labels, as [`Making`] does.
    pub fn of<'a>(
        values: impl Iterator<Item = (&'a str, &'a [u8])>,
        window: usize,
        key: [u8; 32],
    ) -> Self {
        let mut making = Making::new(window, key);
        values.for_each(|(label, value)| making.add(label, value));
        Self::new(making.finish())
    }
}
