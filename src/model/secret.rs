//! The one type that holds a secret's value.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

/// The bytes of a secret. The type has no `Display` and no `Clone`, and its `Debug` shows nothing
/// of them. The bytes are overwritten when dropped.
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(SecretSlice::from(bytes))
    }

    /// Returns the bytes themselves. The caller must copy them only to their destination.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// True if the secret is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
