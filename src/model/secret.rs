//! The one type that holds a secret's value.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

/// A secret's bytes. It has no `Display`, its `Debug` shows nothing of it, it can't be cloned,
/// and it overwrites itself when dropped.
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(SecretSlice::from(bytes))
    }

    /// The bytes themselves. Whoever calls this must copy them only to where they are going.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
