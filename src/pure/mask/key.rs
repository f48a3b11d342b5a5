//! The keyed hashes by which values are known: of a few bytes, of a stretch of the stream, and of
//! a whole value.

use siphasher::sip::SipHasher24 as Words;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many bits of a fingerprint there are at most: too few for a guess to be sure of.
pub(super) const BITS: u32 = 20;

/// The key of one launch, and the numbers that it stands for.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Key {
    pub(super) bytes: [u8; 32],
    /// Odd numbers, by which words are multiplied.
    gram: u64,
    words: [u64; 4],
    /// What stands for a byte in the hash of a stretch, what one byte more multiplies that by, and
    /// what mixes it at last.
    table: [u32; 256],
    powers: [u32; 4],
    last: u32,
}

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        let mut count = 0_u64;
        let (first, second) = halves(&bytes, 16);
        let mut next = || {
            count += 1;
            let mut hasher = Words::new_with_keys(first, second);
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

    /// The hash of the bytes that `mask` leaves of a word.
    #[inline(always)]
    pub(super) fn gram(&self, word: u64, mask: u64) -> u32 {
        ((word & mask).wrapping_mul(self.gram) >> (64 - BITS)) as u32
    }

    /// The hash of the first `window` bytes of a text, which are 4 to 32.
    #[inline(always)]
    pub(super) fn window(&self, text: &[u8], window: usize) -> u32 {
        let word = |at| word(text, at);
        let mixed = match window {
            ..8 => {
                let half = |at: usize| word(at) & u64::from(u32::MAX);
                (half(0) | half(window - 4) << 32).wrapping_mul(self.words[0])
            }
            8 => word(0).wrapping_mul(self.words[0]),
            _ => [0, 8.min(window - 8), window.saturating_sub(16), window - 8]
                .into_iter()
                .zip(self.words)
                .fold(0_u64, |mixed, (at, factor)| {
                    mixed.wrapping_add(word(at).wrapping_mul(factor))
                }),
        };
        (mixed >> (64 - BITS)) as u32
    }

    /// The keyed hash that decides.
    pub(super) fn whole(&self, text: &[u8]) -> u128 {
        let (first, second) = halves(&self.bytes, 0);
        let mut hasher = SipHasher24::new_with_keys(first, second);
        hasher.write(text);
        hasher.finish128().as_u128()
    }

    /// By what the hash of a stretch is multiplied that comes so many bytes before.
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

    /// The fingerprint of a stretch, from its hash.
    #[inline(always)]
    pub(super) fn print(&self, hash: u32) -> u32 {
        hash.wrapping_mul(self.last) >> (32 - BITS)
    }

    /// The hash of all of a text.
    pub(super) fn hash(&self, text: &[u8]) -> u32 {
        text.iter().fold(0, |hash: u32, byte| {
            hash.wrapping_mul(self.powers[0])
                .wrapping_add(self.table[usize::from(*byte)])
        })
    }

    /// The hashes of what ends after each byte of `text`, given that of what ends before it.
    pub(super) fn hashes(&self, mut hash: u32, text: &[u8], into: &mut [u32]) {
        let (blocks, rest) = text.as_chunks::<4>();
        let (into_blocks, into_rest) = into.as_chunks_mut::<4>();
        let [one, two, three, four] = self.powers;
        for (block, into) in blocks.iter().zip(into_blocks) {
            // The multiplications of one block wait for one alone of those of the block before.
            let of = |at: usize| self.table[usize::from(block[at])];
            let first = of(0);
            let second = first.wrapping_mul(one).wrapping_add(of(1));
            let third = second.wrapping_mul(one).wrapping_add(of(2));
            let fourth = third.wrapping_mul(one).wrapping_add(of(3));
            *into = [
                hash.wrapping_mul(one).wrapping_add(first),
                hash.wrapping_mul(two).wrapping_add(second),
                hash.wrapping_mul(three).wrapping_add(third),
                hash.wrapping_mul(four).wrapping_add(fourth),
            ];
            hash = into[3];
        }
        for (byte, into) in rest.iter().zip(into_rest) {
            hash = hash
                .wrapping_mul(one)
                .wrapping_add(self.table[usize::from(*byte)]);
            *into = hash;
        }
    }
}

/// The eight bytes at a place; of a text that ends before, with zeros for what is missing.
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

fn halves(bytes: &[u8; 32], at: usize) -> (u64, u64) {
    (word(bytes, at), word(bytes, at + 8))
}
