//! One age file: the value's bytes, exactly, for a list of recipients.
//!
//! Beside the stanzas that open it, the header names the recipients in a stanza of doorkey's own,
//! since age's are anonymous. Every age program passes over a stanza that it does not know.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{Read, Write};

use age::armor::ArmoredReader;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};

use super::RECIPIENTS;
use crate::words::error::Trouble;
use crate::words::secret::Secret;

/// The type of the stanza that names the recipients, one an argument.
const NOTE: &str = "doorkey-recipients";

/// age encrypts in pieces of 64 KiB, each with a tag of 16 bytes.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;

/// Opens a file.
///
/// # Errors
/// [`Trouble::Denied`] where none of the keys is a recipient's; [`Trouble::Corrupt`].
pub fn decrypt(file: &[u8], keys: &[Identity]) -> Result<Secret, Trouble> {
    let file = binary(file)?;
    let decryptor = Decryptor::new_buffered(&*file).map_err(trouble)?;
    let keys = keys.iter().map(|key| key as &dyn age::Identity);
    let mut plain = decryptor.decrypt(keys).map_err(trouble)?;
    // The value is shorter than its file, so the buffer never grows.
    let mut value = Vec::with_capacity(file.len());
    plain
        .read_to_end(&mut value)
        .map_err(|_| Trouble::Corrupt(DAMAGED))?;
    Ok(Secret::new(value))
}

/// Writes a value for recipients.
///
/// # Errors
/// Where there are none, or the system has no randomness.
pub fn encrypt(value: &Secret, recipients: &[Recipient]) -> Result<Vec<u8>, Trouble> {
    let note = Note(recipients.iter().map(Recipient::to_string).collect());
    let recipients = recipients
        .iter()
        .map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients.chain([&note as &dyn age::Recipient]))
        .map_err(|_| Trouble::NoRecipients(RECIPIENTS.to_owned()))?;
    let mut file = Vec::new();
    encryptor
        .wrap_output(&mut file)
        .and_then(|mut out| {
            out.write_all(value.expose())?;
            out.finish()
        })
        .map_err(|error| Trouble::Unwritable(error.into()))?;
    Ok(file)
}

/// What can be said of a file without a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// The value's length in bytes.
    pub size: usize,
    /// How many recipients can open it.
    pub openers: usize,
    /// Who they are, sorted, where doorkey wrote the file.
    pub recipients: Option<Vec<String>>,
}

/// Looks at a file without opening it.
///
/// # Errors
/// [`Trouble::Corrupt`].
pub fn inspect(file: &[u8]) -> Result<Inspected, Trouble> {
    let look = Look::default();
    let file = binary(file)?;
    let mut rest = &*file;
    let decryptor = Decryptor::new_buffered(&mut rest).map_err(trouble)?;
    // `Look` opens nothing, so this ends with `NoMatchingKeys`.
    let _ = decryptor.decrypt([&look as &dyn age::Identity].into_iter());
    let mut inspected = look.0.take();
    let pieces = rest.len().div_ceil(PIECE + TAG);
    inspected.size = rest
        .len()
        .checked_sub(pieces * TAG)
        .filter(|_| pieces > 0)
        .ok_or(Trouble::Corrupt(DAMAGED))?;
    Ok(inspected)
}

/// A file as age writes it by itself; one that `age --armor` wrote is decoded.
fn binary(file: &[u8]) -> Result<Cow<'_, [u8]>, Trouble> {
    if file.starts_with(b"age-encryption.org/") {
        return Ok(Cow::Borrowed(file));
    }
    if !file.starts_with(b"-----BEGIN AGE ") {
        return Err(Trouble::Corrupt("it is no age file"));
    }
    let mut decoded = Vec::with_capacity(file.len());
    ArmoredReader::new(file)
        .read_to_end(&mut decoded)
        .map_err(|_| Trouble::Corrupt(DAMAGED))?;
    Ok(Cow::Owned(decoded))
}

const DAMAGED: &str = "it is a damaged age file";

fn trouble(error: DecryptError) -> Trouble {
    match error {
        DecryptError::NoMatchingKeys => Trouble::Denied,
        DecryptError::UnknownFormat => Trouble::Corrupt("it is of a later version of age"),
        _ => Trouble::Corrupt(DAMAGED),
    }
}

/// A recipient that opens nothing, and writes the names of the others.
struct Note(Vec<String>);

impl age::Recipient for Note {
    fn wrap_file_key(&self, _: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let note = Stanza {
            tag: NOTE.to_owned(),
            args: self.0.clone(),
            body: Vec::new(),
        };
        Ok((vec![note], HashSet::new()))
    }
}

/// An identity that opens nothing, and notes what it is shown.
#[derive(Default)]
struct Look(std::cell::RefCell<Inspected>);

impl age::Identity for Look {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let mut seen = self.0.borrow_mut();
        if stanza.tag == NOTE {
            let mut recipients = stanza.args.clone();
            recipients.sort();
            seen.recipients = Some(recipients);
        } else if matches!(
            stanza.tag.as_str(),
            "X25519" | "scrypt" | "ssh-ed25519" | "ssh-rsa"
        ) {
            seen.openers += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_without_a_key() {
        let keys = [Identity::generate(), Identity::generate()];
        let recipients = keys.each_ref().map(Identity::to_public);
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1] {
            let file = encrypt(&Secret::new(vec![b'x'; size]), &recipients).unwrap();
            let mut names = recipients.each_ref().map(Recipient::to_string).to_vec();
            names.sort();
            let expected = Inspected {
                size,
                openers: 2,
                recipients: Some(names),
            };
            assert_eq!(inspect(&file), Ok(expected));
            for key in &keys {
                assert_eq!(
                    decrypt(&file, std::slice::from_ref(key)).unwrap().len(),
                    size
                );
            }
        }
        assert_eq!(inspect(b"x"), Err(Trouble::Corrupt("it is no age file")));
    }
}
