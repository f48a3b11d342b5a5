//! One age file: the value's bytes, exactly, for a list of recipients.
//!
//! Beside the stanzas that open the file, the header has stanzas of doorkey. One names the
//! recipients, since age's are anonymous. Another names the secret, so that no file counts under
//! another name. Each of the rest names somebody who was removed while the file had this value, so
//! that the value is to be replaced. A new value has none of these. Every age program passes over a stanza that it does not know. A MAC authenticates
//! the header; only a program that can open the file can make it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, Read, Write};

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};

use super::entry::{self, Entry};
use super::{RECIPIENTS, git, no_recipients};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::model::store_error::FaultKind;
use crate::stores::folder;

/// The type of the stanza that names the recipients, one an argument, in the order of their stanzas.
/// An SSH key has a colon for its blank.
pub const NOTE: &str = "doorkey-recipients";

/// The type of the stanza with the name that the file was written for, as its argument.
const BINDING: &str = "doorkey-secret";

/// The type of a stanza about a removed recipient: the time, and the end of the key.
const ROTATE: &str = "doorkey-rotate";

/// age encrypts in pieces of 64 KiB, each with a tag of 16 bytes.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;

/// A recipient who was removed while a file had its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The end of the key, as [`entry::short`] writes it.
    pub who: String,
    /// The time of the removal.
    pub since: String,
}

/// Opens a file. Gives its value, and what its header says.
///
/// # Errors
/// The error that none of the keys is a recipient's, or that the file is damaged.
pub fn decrypt(file: &[u8], keys: &dyn age::Identity) -> Result<(Secret, Inspected), StoreError> {
    let look = Look::default();
    let bytes = binary(file)?;
    let decryptor = Decryptor::new_buffered(File(&bytes)).map_err(|error| trouble(file, error))?;
    // Ours comes first: nobody is asked after the key that opens the file.
    let opened = decryptor.decrypt([&look, keys].into_iter());
    // The header is verified now: it is as it was written.
    let mut plain = opened.map_err(|error| trouble(file, error))?;
    // The value is shorter than its file, so the buffer never grows.
    let mut value = Vec::with_capacity(bytes.len());
    plain
        .read_to_end(&mut value)
        .map_err(|_| corrupt(file, DAMAGED))?;
    drop(plain);
    let mut inspected = look.0.into_inner();
    inspected.size = value.len();
    Ok((Secret::new(value), inspected))
}

/// Writes a value for recipients. `bound` is the name that the file is written for, `rotate` names
/// those who were removed while it had the value.
///
/// # Errors
/// An empty list of recipients, or a system without randomness.
pub fn encrypt(
    value: &Secret,
    recipients: &[Entry],
    bound: Option<&str>,
    rotate: &[Mark],
) -> Result<Vec<u8>, StoreError> {
    let note = Note {
        recipients: recipients
            .iter()
            .map(|one| entry::word(&one.text))
            .collect(),
        bound: bound.map(str::to_owned),
        rotate: rotate.to_vec(),
    };
    let recipients = recipients.iter().map(|one| &*one.key);
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

/// True if a text is an age file.
pub fn is_age(text: &[u8]) -> bool {
    text.starts_with(b"age-encryption.org/") || text.starts_with(ARMORED)
}

/// Opens a file that is encrypted with a passphrase. `None` if the passphrase is wrong.
///
/// # Errors
/// The error that the file is damaged, is for recipients, or asks for too much work.
pub fn with_passphrase(
    file: &[u8],
    passphrase: SecretString,
) -> Result<Option<Secret>, StoreError> {
    let bytes = binary(file)?;
    let damaged = |_| corrupt(file, DAMAGED);
    let decryptor = Decryptor::new_buffered(File(&bytes)).map_err(damaged)?;
    if !decryptor.is_scrypt() {
        return Err(corrupt(file, "it is an age file without a passphrase"));
    }
    let mut identity = age::scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(MOST_WORK);
    let mut plain = match decryptor.decrypt([&identity as &dyn age::Identity].into_iter()) {
        Err(DecryptError::DecryptionFailed) => return Ok(None),
        Err(DecryptError::ExcessiveWork { .. }) => {
            return Err(StoreError::refused("its passphrase takes too much work"));
        }
        plain => plain.map_err(damaged)?,
    };
    let mut value = Vec::with_capacity(bytes.len());
    plain
        .read_to_end(&mut value)
        .map_err(|_| corrupt(file, DAMAGED))?;
    Ok(Some(Secret::new(value)))
}

/// The most work for a passphrase, as the power of two that scrypt takes for N. age's own program has
/// the same limit: 4 GiB, and some seconds.
const MOST_WORK: u8 = 22;

/// Facts about a file that can be read without a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// The value's length in bytes.
    pub size: usize,
    /// The number of recipients who can open it. Stanzas of doorkey are not counted. Neither are
    /// those that age programs add to get others used to unknown ones.
    pub openers: usize,
    /// The recipients, sorted, as the file names them; `None` if doorkey did not write it.
    pub recipients: Option<Vec<String>>,
    /// The name that it was written for, if the file has one.
    pub bound: Option<String>,
    /// Recipients who were removed while the file had its value, sorted.
    pub rotate: Vec<Mark>,
}

/// Inspects a file without opening it. What the file says is not authenticated then.
///
/// # Errors
/// The fault of the file.
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

/// The rest of a file to read. age asks for its header line by line, and parses it anew after each
/// line. This type gives the header all at once.
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

/// Gives a file in age's binary form; decodes one that `age --armor` wrote.
fn binary(file: &[u8]) -> Result<Cow<'_, [u8]>, StoreError> {
    if file.starts_with(b"age-encryption.org/") {
        return Ok(Cow::Borrowed(file));
    }
    // age's programs take blanks before the first line.
    let file = file.trim_ascii_start();
    if !file.starts_with(ARMORED) {
        return Err(corrupt(file, "it is no age file"));
    }
    let mut decoded = Vec::with_capacity(file.len());
    ArmoredReader::new(file)
        .read_to_end(&mut decoded)
        .map_err(|_| corrupt(file, DAMAGED))?;
    Ok(Cow::Owned(decoded))
}

/// The beginning of a file that `age --armor` wrote.
const ARMORED: &[u8] = b"-----BEGIN AGE ";

const DAMAGED: &str = "it is a damaged age file";

/// The beginning of an age file in the format that is known.
const KNOWN_FORMAT: &[u8] = b"age-encryption.org/v1\n";

/// The beginning of a stanza for a passphrase, which stands alone.
const PASSPHRASE: &[u8] = b"age-encryption.org/v1\n-> scrypt ";

fn trouble(file: &[u8], error: DecryptError) -> StoreError {
    match error {
        _ if binary(file).is_ok_and(|file| file.starts_with(PASSPHRASE)) => {
            StoreError::refused("it is encrypted with a passphrase, so that no key opens it")
                .hint("set it again, or decrypt it with age -d first")
        }
        DecryptError::NoMatchingKeys => {
            StoreError::denied("the key is not one of its recipients").of_key()
        }
        DecryptError::UnknownFormat if !file.starts_with(KNOWN_FORMAT) => {
            corrupt(file, "it is of a later version of age")
        }
        _ => corrupt(file, DAMAGED),
    }
}

/// The fault of a file that can't be read: a change that git has made to it, or else `why`.
fn corrupt(file: &[u8], why: &'static str) -> StoreError {
    if git::is_conflict(file) {
        let what = "git left conflict markers in it";
        StoreError::of(FaultKind::Corrupt, what)
            .hint("run doorkey store check --fix, or take one side whole: git checkout --ours, or --theirs, and its path")
    } else if file.starts_with(b"age-encryption.org/v1\r") {
        folder::corrupt("git took it for text and changed its line ends")
    } else {
        folder::corrupt(why)
    }
}

/// A recipient that opens nothing. It writes the names of the others, and the file's own name.
struct Note {
    recipients: Vec<String>,
    bound: Option<String>,
    rotate: Vec<Mark>,
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
        let marks = self.rotate.iter();
        stanzas
            .extend(marks.map(|mark| stanza(ROTATE, vec![mark.since.clone(), mark.who.clone()])));
        Ok((stanzas, HashSet::new()))
    }
}

/// An identity that opens nothing, and notes the stanzas that it is shown.
#[derive(Default)]
struct Look(std::cell::RefCell<Inspected>);

impl age::Identity for Look {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let mut seen = self.0.borrow_mut();
        match stanza.tag.as_str() {
            NOTE => {
                let words = stanza.args.iter();
                let mut recipients: Vec<_> = words.map(|word| entry::of_word(word)).collect();
                recipients.sort();
                seen.recipients = Some(recipients);
            }
            // A second one makes neither of them count.
            BINDING => seen
                .bound
                .get_or_insert_default()
                .push_str(&stanza.args.join(" ")),
            ROTATE => {
                // Only what is printable by its form.
                if let [since, who] = stanza.args.as_slice()
                    && humantime::parse_rfc3339(since).is_ok()
                    && entry::is_short(who)
                {
                    let (since, who) = (since.clone(), who.clone());
                    seen.rotate.push(Mark { who, since });
                    seen.rotate.sort();
                }
            }
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

    use super::super::identity::{AgeKey, KeyHolder};
    use super::*;

    #[test]
    fn what_is_seen_without_a_key() {
        let keys = [Identity::generate(), Identity::generate()];
        let recipients = keys.each_ref().map(|key| {
            let text = key.to_public().to_string();
            Entry::new(&text).unwrap()
        });
        let mark = |who: char, since: &str| Mark {
            who: entry::short(&who.to_string().repeat(20)),
            since: since.to_owned(),
        };
        let marks = [
            mark('a', "2026-01-02T03:04:05Z"),
            mark('b', "2025-01-02T03:04:05Z"),
        ];
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1] {
            let value = Secret::new(vec![b'x'; size]);
            let file = encrypt(&value, &recipients, Some("team/a"), &marks).unwrap();
            let mut names = recipients.each_ref().map(|one| one.text.clone()).to_vec();
            names.sort();
            let expected = Inspected {
                size,
                openers: 2,
                recipients: Some(names),
                bound: Some("team/a".to_owned()),
                rotate: marks.to_vec(),
            };
            assert_eq!(inspect(&file), Ok(expected));
            for key in &keys {
                let key = [AgeKey::parse(key.to_string().expose_secret()).unwrap()];
                let (value, found) = decrypt(&file, &KeyHolder(&key)).unwrap();
                assert_eq!(
                    (value.len(), found.bound.as_deref()),
                    (size, Some("team/a"))
                );
                assert_eq!(found.rotate, marks);
            }
        }
        assert_eq!(inspect(b"x"), Err(folder::corrupt("it is no age file")));
    }
}
