//! One age file: the value's bytes, exactly, for a list of recipients.
//!
//! Beside the stanzas that open it, the header has two of doorkey's own: one names the recipients,
//! since age's are anonymous, one says which secret it is, so that no file counts under another's
//! name. Every age program passes over a stanza that it does not know. What the header says is
//! authenticated by a MAC that only who can open the file can make.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, Read, Write};

use age::armor::ArmoredReader;
use age::x25519::Recipient;
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};

use super::identity::{AgeKey, KeyHolder};
use super::{RECIPIENTS, git, no_recipients};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::model::store_error::FaultKind;
use crate::stores::folder;

/// The type of the stanza that names the recipients, one an argument, in the order of their stanzas.
pub const NOTE: &str = "doorkey-recipients";

/// The type of the stanza that says what the file was written for, as its argument.
const BINDING: &str = "doorkey-secret";

/// age encrypts in pieces of 64 KiB, each with a tag of 16 bytes.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;

/// Opens a file. Gives its value and what it was written for, where it says so.
///
/// # Errors
/// Where none of the keys is a recipient's; where it is damaged.
pub fn decrypt(file: &[u8], keys: &[AgeKey]) -> Result<(Secret, Option<String>), StoreError> {
    let look = Look::default();
    let bytes = binary(file)?;
    let decryptor = Decryptor::new_buffered(File(&bytes)).map_err(|error| trouble(file, error))?;
    // Ours comes first: nobody is asked after the key that opens the file.
    let identities: [&dyn age::Identity; 2] = [&look, &KeyHolder(keys)];
    let opened = decryptor.decrypt(identities.into_iter());
    // From here on the header is known to be as it was written.
    let mut plain = opened.map_err(|error| trouble(file, error))?;
    // The value is shorter than its file, so the buffer never grows.
    let mut value = Vec::with_capacity(bytes.len());
    plain
        .read_to_end(&mut value)
        .map_err(|_| corrupt(file, DAMAGED))?;
    drop(plain);
    Ok((Secret::new(value), look.0.into_inner().bound))
}

/// Writes a value for recipients. `bound` is what the file says that it was written for.
///
/// # Errors
/// Where there are none, or the system has no randomness.
pub fn encrypt(
    value: &Secret,
    recipients: &[Recipient],
    bound: Option<&str>,
) -> Result<Vec<u8>, StoreError> {
    let note = Note {
        recipients: recipients.iter().map(Recipient::to_string).collect(),
        bound: bound.map(str::to_owned),
    };
    let recipients = recipients
        .iter()
        .map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients.chain([&note as &dyn age::Recipient]))
        .map_err(|_| no_recipients(RECIPIENTS))?;
    let mut file = Vec::new();
    encryptor
        .wrap_output(&mut file)
        .and_then(|mut out| {
            out.write_all(value.expose())?;
            out.finish()
        })
        .map_err(StoreError::unwritable)?;
    Ok(file)
}

/// What can be said of a file without a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// The value's length in bytes.
    pub size: usize,
    /// How many recipients can open it: the stanzas of every kind but doorkey's own, and but those
    /// that age programs add so that others get used to unknown ones.
    pub openers: usize,
    /// Who they are, sorted, as the file itself has it, where doorkey wrote it.
    pub recipients: Option<Vec<String>>,
    /// What it was written for, where it says so.
    pub bound: Option<String>,
}

/// Looks at a file without opening it: what it says is not authenticated then.
///
/// # Errors
/// What is wrong with it.
pub fn inspect(file: &[u8]) -> Result<Inspected, StoreError> {
    let look = Look::default();
    let bytes = binary(file)?;
    let mut rest = File(&bytes);
    let decryptor = Decryptor::new_buffered(&mut rest).map_err(|error| trouble(file, error))?;
    // `Look` opens nothing, so this ends with `NoMatchingKeys`.
    let _ = decryptor.decrypt([&look as &dyn age::Identity].into_iter());
    let mut inspected = look.0.take();
    let File(rest) = rest;
    let pieces = rest.len().div_ceil(PIECE + TAG);
    inspected.size = rest
        .len()
        .checked_sub(pieces * TAG)
        .filter(|_| pieces > 0)
        .ok_or_else(|| corrupt(file, DAMAGED))?;
    Ok(inspected)
}

/// What is left to read of a file. age asks for its header line by line, and parses all that it has
/// so far after each; it gets the header at once.
struct File<'a>(&'a [u8]);

impl Read for File<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl BufRead for File<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.0)
    }

    fn consume(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }

    fn read_until(&mut self, end: u8, into: &mut Vec<u8>) -> io::Result<usize> {
        // The header's last line alone begins like that.
        let last = self.0.windows(4).position(|four| four == b"\n---");
        let before = last.map_or(0, |at| at + 1);
        let (head, rest) = self.0.split_at(before);
        into.extend_from_slice(head);
        self.0 = rest;
        Ok(before + self.0.read_until(end, into)?)
    }
}

/// A file as age writes it by itself; one that `age --armor` wrote is decoded.
fn binary(file: &[u8]) -> Result<Cow<'_, [u8]>, StoreError> {
    if file.starts_with(b"age-encryption.org/") {
        return Ok(Cow::Borrowed(file));
    }
    if !file.starts_with(b"-----BEGIN AGE ") {
        return Err(corrupt(file, "it is no age file"));
    }
    let mut decoded = Vec::with_capacity(file.len());
    ArmoredReader::new(file)
        .read_to_end(&mut decoded)
        .map_err(|_| corrupt(file, DAMAGED))?;
    Ok(Cow::Owned(decoded))
}

const DAMAGED: &str = "it is a damaged age file";

fn trouble(file: &[u8], error: DecryptError) -> StoreError {
    match error {
        DecryptError::NoMatchingKeys => StoreError::denied("the key is not one of its recipients")
            .hint("have somebody who can read it add the key")
            .of_key(),
        DecryptError::UnknownFormat => corrupt(file, "it is of a later version of age"),
        _ => corrupt(file, DAMAGED),
    }
}

/// What is wrong with a file that can't be read: what git has done to it, or else `why`.
fn corrupt(file: &[u8], why: &'static str) -> StoreError {
    if git::is_conflict(file) {
        let what = "git left conflict markers in it";
        StoreError::of(FaultKind::Corrupt, what)
            .hint("take one side whole: git checkout --ours, or --theirs, and its path")
    } else if file.starts_with(b"age-encryption.org/v1\r") {
        folder::corrupt("git took it for text and changed its line ends")
    } else {
        folder::corrupt(why)
    }
}

/// A recipient that opens nothing, and writes the names of the others, and what the file is for.
struct Note {
    recipients: Vec<String>,
    bound: Option<String>,
}

impl age::Recipient for Note {
    fn wrap_file_key(&self, _: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let stanza = |tag: &str, args| Stanza {
            tag: tag.to_owned(),
            args,
            body: Vec::new(),
        };
        let mut stanzas = vec![stanza(NOTE, self.recipients.clone())];
        let bound = self.bound.clone();
        stanzas.extend(bound.map(|bound| stanza(BINDING, vec![bound])));
        Ok((stanzas, HashSet::new()))
    }
}

/// An identity that opens nothing, and notes what it is shown.
#[derive(Default)]
struct Look(std::cell::RefCell<Inspected>);

impl age::Identity for Look {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let mut seen = self.0.borrow_mut();
        match stanza.tag.as_str() {
            NOTE => {
                let mut recipients = stanza.args.clone();
                recipients.sort();
                seen.recipients = Some(recipients);
            }
            // A second one makes neither of them count.
            BINDING => seen
                .bound
                .get_or_insert_default()
                .push_str(&stanza.args.join(" ")),
            tag if tag.ends_with("-grease") => {}
            _ => seen.openers += 1,
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use age::x25519::Identity;

    use super::*;

    #[test]
    fn what_is_seen_without_a_key() {
        let keys = [Identity::generate(), Identity::generate()];
        let recipients = keys.each_ref().map(Identity::to_public);
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1] {
            let value = Secret::new(vec![b'x'; size]);
            let file = encrypt(&value, &recipients, Some("team/a")).unwrap();
            let mut names = recipients.each_ref().map(Recipient::to_string).to_vec();
            names.sort();
            let expected = Inspected {
                size,
                openers: 2,
                recipients: Some(names),
                bound: Some("team/a".to_owned()),
            };
            assert_eq!(inspect(&file), Ok(expected));
            for key in &keys {
                let key = [AgeKey::parse(key.to_string().expose_secret()).unwrap()];
                let (value, bound) = decrypt(&file, &key).unwrap();
                assert_eq!((value.len(), bound.as_deref()), (size, Some("team/a")));
            }
        }
        assert_eq!(inspect(b"x"), Err(folder::corrupt("it is no age file")));
    }
}
