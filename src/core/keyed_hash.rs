//! Keyed digests. They show a change to a process that must not know the value.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// Digests these parts under the first half of a key. Their boundaries count.
pub fn keyed<'a>(key: &[u8; 32], stretches: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&key[..16]);
    let mut hasher = SipHasher24::new_with_key(&half);
    for stretch in stretches {
        hasher.write(&stretch.len().to_le_bytes());
        hasher.write(stretch);
    }
    hasher.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::keyed;

    #[test]
    fn stretches_and_keys_count() {
        let of =
            |key: u8, stretches: &[&'static [u8]]| keyed(&[key; 32], stretches.iter().copied());
        let one = of(1, &[b"ab", b"c"]);
        assert_eq!(one, of(1, &[b"ab", b"c"]));
        assert_ne!(one, of(1, &[b"a", b"bc"]));
        assert_ne!(one, of(1, &[b"ab", b"d"]));
        assert_ne!(one, of(2, &[b"ab", b"c"]));
    }
}
