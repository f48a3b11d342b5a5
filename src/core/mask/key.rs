//! Keyed hashes that identify values: of a few bytes, of a stretch of the stream, of a whole
//! value.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::core::keyed_hash::keyed;

/// Most bits of a fingerprint: too few to confirm a guess.
pub(super) const BITS: u32 = 20;

/// Key of one launch and the numbers derived from it.
pub(super) struct Key {
    pub(super) bytes: [u8; 32],
    /// Odd factors for words.
    gram: u64,
    words: [u64; 4],
    /// Number of each byte in the hash of a stretch, factor for each further byte, and final mixing
    /// factor.
    table: [u32; 256],
    powers: [u32; 4],
    last: u32,
}

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        let mut count = 0_u64;
        let (first, second) = (word(&bytes, 16), word(&bytes, 24));
        let mut next = || {
            count += 1;
            let mut hasher = SipHasher24::new_with_keys(first, second);
            hasher.write_u64(count);
            hasher.finish()
        };
        let gram = next() | 1;
        let words = [(); 4].map(|()| next() | 1);
        let table = [(); 256].map(|()| next() as u32);
        // Such a number's powers are all different for as long as they can be.
        let base = next() as u32 & !7 | 5;
        let last = next() as u32 | 1;
        let mut power = 1_u32;
        let powers = [(); 4].map(|()| {
            power = power.wrapping_mul(base);
            power
        });
        Key {
            bytes,
            gram,
            words,
            table,
            powers,
            last,
        }
    }

    /// Hashes the bytes of a word that `mask` leaves.
    #[inline(always)]
    pub(super) fn gram(&self, word: u64, mask: u64) -> u32 {
        ((word & mask).wrapping_mul(self.gram) >> (64 - BITS)) as u32
    }

    /// Hashes `window` bytes from `at`; a window has 4 to 32 bytes.
    #[inline(always)]
    pub(super) fn window(&self, text: &[u8], at: usize, window: usize) -> u32 {
        let mixed = match window {
            8 => word(text, at).wrapping_mul(self.words[0]),
            _ => self.other_window(text, at, window),
        };
        (mixed >> (64 - BITS)) as u32
    }

    #[inline(never)]
    fn other_window(&self, text: &[u8], at: usize, window: usize) -> u64 {
        let [one, two, three, four] = self.words;
        let mixed = |from: usize, factor: u64| word(text, at + from).wrapping_mul(factor);
        if window < 8 {
            let half = |from: usize| word(text, at + from) & u64::from(u32::MAX);
            return (half(0) | half(window - 4) << 32).wrapping_mul(one);
        }
        let ends = mixed(0, one).wrapping_add(mixed(window - 8, two));
        if window <= 16 {
            return ends;
        }
        let between = mixed(8, three).wrapping_add(mixed(window - 16, four));
        ends.wrapping_add(between)
    }

    /// Hashes a whole text. This keyed hash decides.
    pub(super) fn whole(&self, text: &[u8]) -> [u8; 16] {
        keyed(&self.bytes, std::iter::once(text))
    }

    /// Factor for the hash of a stretch that lies this number of bytes before.
    pub(super) fn power(&self, mut bytes: u32) -> u32 {
        let (mut power, mut square) = (1_u32, self.powers[0]);
        while bytes > 0 {
            if bytes & 1 == 1 {
                power = power.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            bytes >>= 1;
        }
        power
    }

    /// Makes a stretch's fingerprint from its hash.
    #[inline(always)]
    pub(super) fn print(&self, hash: u32) -> u32 {
        hash.wrapping_mul(self.last) >> (32 - BITS)
    }

    /// Hashes a text that goes on from one with this hash.
    pub(super) fn hash(&self, mut hash: u32, text: &[u8]) -> u32 {
        let [one, two, three, four] = self.powers;
        let (blocks, rest) = text.as_chunks::<4>();
        let of = |byte: &u8| self.table[usize::from(*byte)];
        for [a, b, c, d] in blocks {
            let ends = add(of(c), one, of(d)).wrapping_add(of(b).wrapping_mul(two));
            hash = add(hash, four, add(of(a), three, ends));
        }
        rest.iter()
            .fold(hash, |hash, byte| add(hash, one, of(byte)))
    }

    /// Hashes the stretches that end after each byte of `text`, from the hash of the stretch before
    /// it.
    pub(super) fn hashes(&self, mut hash: u32, text: &[u8], into: &mut [u32]) {
        let (blocks, rest) = text.as_chunks::<4>();
        let (into_blocks, into_rest) = into.as_chunks_mut::<4>();
        let [one, two, three, four] = self.powers;
        // The multiplications of four bytes wait for a single one of those of the four before.
        for ([a, b, c, d], into) in blocks.iter().zip(into_blocks) {
            let first = self.table[usize::from(*a)];
            let second = add(first, one, self.table[usize::from(*b)]);
            let third = add(second, one, self.table[usize::from(*c)]);
            let fourth = add(third, one, self.table[usize::from(*d)]);
            into[0] = add(hash, one, first);
            into[1] = add(hash, two, second);
            into[2] = add(hash, three, third);
            hash = add(hash, four, fourth);
            into[3] = hash;
        }
        for (byte, into) in rest.iter().zip(into_rest) {
            hash = add(hash, one, self.table[usize::from(*byte)]);
            *into = hash;
        }
    }
}

#[inline(always)]
fn add(hash: u32, power: u32, next: u32) -> u32 {
    hash.wrapping_mul(power).wrapping_add(next)
}

/// Reads eight bytes at a place, with zeros beyond the end of the text.
#[inline(always)]
pub(super) fn word(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(word) => u64::from_le_bytes(*word),
        None => short_word(text.get(at..).unwrap_or_default()),
    }
}

#[cold]
fn short_word(text: &[u8]) -> u64 {
    let bytes = text.iter().rev();
    bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
}
