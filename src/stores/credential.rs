//! Credentials that stores are given: in variables, and in files.

use crate::model::error::StoreError;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::sys::files::{self, KeyFile};

/// A file with a credential is not larger than this, in bytes.
const LARGEST: usize = 64 * 1024;

/// Gives a credential: the value itself, or else the content of a file.
///
/// # Errors
/// The errors of [`read`].
pub fn value_or_file(
    value: Option<&Secret>,
    file: Option<&Named>,
) -> Result<Option<Secret>, StoreError> {
    if let Some(value) = value {
        return Ok(Some(Secret::new(value.expose().to_vec())));
    }
    file.map(read).transpose()
}

/// Reads a credential's file, without white space at both ends.
///
/// # Errors
/// The errors of [`open`].
pub fn read(path: &Named) -> Result<Secret, StoreError> {
    open(path).map(|file| trimmed(&file))
}

/// Opens a credential's file, if nobody else can put another in its place.
///
/// # Errors
/// The reason why it can't be read, or that others can write it.
pub fn open(path: &Named) -> Result<KeyFile, StoreError> {
    open_up_to(path, LARGEST)
}

/// Opens a credential's file of at most `largest` bytes.
///
/// # Errors
/// The errors of [`open`].
pub fn open_up_to(path: &Named, largest: usize) -> Result<KeyFile, StoreError> {
    let file = files::read_key(path, largest);
    let file = file.map_err(|error| StoreError::file("read", path, error))?;
    match file.open {
        None => Ok(file),
        Some(mode) => {
            let what = format_args!("{path} can be written by others (mode {mode:04o})");
            Err(StoreError::setting(what).hint(format!("run chmod go-w {path}")))
        }
    }
}

/// Gives the content of the file, without white space at both ends.
pub fn trimmed(file: &KeyFile) -> Secret {
    Secret::new(file.contents.expose().trim_ascii().to_vec())
}
