//! Caches that are sealed for one recipient, in the form of a store's files.

use super::entry::Entry;
use super::{CACHE, bad_recipient, file, key, misplaced};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::{Access, folder};

/// Encrypts a cache, for one recipient.
///
/// # Errors
/// An error that the text is no recipient.
pub fn seal(text: &Secret, recipient: &str) -> Result<Vec<u8>, StoreError> {
    let recipient = Entry::new(recipient).ok_or_else(|| bad_recipient(1, recipient))?;
    file::encrypt(text, &[recipient], Some(CACHE), &[])
}

/// Opens a cache with the key of a store.
///
/// # Errors
/// A missing key, a key that does not open the file, or a file that was not written as a cache.
pub fn unseal(file: &[u8], access: &Access) -> Result<Secret, StoreError> {
    let (text, header) = file::decrypt(file, key::find(access)?)?;
    match header.bound {
        Some(bound) if bound == CACHE => Ok(text),
        Some(bound) => Err(misplaced(&bound)),
        None => Err(folder::corrupt("it does not say that it is a cache")),
    }
}
