//! Makes the patterns of values, one value after another.

use super::encodings::{forms, trimmed};
use super::key::{BITS, Key, word};
use super::patterns::{
    FAR, Needle, Needles, Passed, SET_BITS, Set, WINDOWS, empty, gram_mask, insert, prefix_lengths,
    sampling, shown,
};

/// Most drafts in one piece of memory.
const PIECE: usize = 2048;

/// Patterns that are being made, value by value. Nothing of a value is kept but hashes, and the
/// first [`FAR`] bytes of each form until all are there.
pub struct Making {
    key: Key,
    window: usize,
    labels: Vec<String>,
    drafts: Drafts,
    prefixes: Vec<u32>,
    grams: Set,
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

/// Drafts in pieces of [`PIECE`]. One vector would take twice the memory when it grows.
#[derive(Default)]
struct Drafts(Vec<Vec<Draft>>);

impl Drafts {
    fn push(&mut self, draft: Draft) {
        match self.0.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(draft),
            _ => self.0.push(vec![draft]),
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn at(&self, at: usize) -> &Draft {
        &self.0[at / PIECE][at % PIECE]
    }

    fn needle(&mut self, at: usize) -> &mut Needle {
        &mut self.0[at / PIECE][at % PIECE].needle
    }
}

impl Making {
    /// Begins, for a window of 4 to 32 bytes (other lengths count as the nearest).
    pub fn new(window: usize, key: [u8; 32]) -> Self {
        Making {
            key: Key::new(key),
            window: window.clamp(WINDOWS.start, WINDOWS.end - 1),
            labels: Vec::new(),
            drafts: Drafts::default(),
            prefixes: Vec::new(),
            grams: empty(),
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
        for at in 0..step {
            insert(&mut self.grams, key.gram(word(text, at), gram_mask(gram)));
        }
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
            grams,
        } = self;
        let text = |one: &Draft| (one.needle.length, one.needle.hash);
        // In this order one that another begins with is before it.
        let mut order: Vec<usize> = (0..drafts.count()).collect();
        order.sort_unstable_by(|at, other_at| {
            let (one, other) = (drafts.at(*at), drafts.at(*other_at));
            let heads = one.head().cmp(other.head());
            heads.then_with(|| (text(one), at).cmp(&(text(other), other_at)))
        });
        // The first of the same texts stays.
        let mut is_known = vec![false; order.len()];
        order.dedup_by(|later, first| {
            is_known[*later] = text(drafts.at(*later)) == text(drafts.at(*first));
            is_known[*later]
        });
        // The longest that begins as the last one does.
        let (mut longest, mut later) = (0, None);
        for at in order.into_iter().rev() {
            let one = drafts.at(at);
            let begins = later.is_some_and(|at| drafts.at(at).head().starts_with(one.head()));
            let length = one.needle.length;
            longest = if begins { length.max(longest) } else { length };
            drafts.needle(at).goes_on = length < longest;
            later = Some(at);
        }
        let mut needles = Vec::with_capacity(drafts.count());
        let all = drafts.0.into_iter().flatten().zip(is_known);
        needles.extend(all.filter(|(_, known)| !known).map(|(one, _)| one.needle));
        let count: u32 = grams.iter().map(|word| word.count_ones()).sum();
        let bits = (64 * count).max(1).ilog2();
        let set_mask = (1 << bits.clamp(SET_BITS.start, SET_BITS.end - 1)) - 1;
        let mut passed = Passed {
            key,
            window,
            set_mask: (1 << BITS) - 1,
            grams,
            labels,
            prefixes,
            needles,
        };
        passed.fold(set_mask);
        passed
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
