//! Credentials that stores are given: in variables, and in files.

use crate::core::json;
use crate::model::error::StoreError;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::sys::files::{self, KeyFile};
use crate::sys::http::Answer;

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

/// Reads a credential's file, without white space at both ends. Something must be left.
///
/// # Errors
/// The errors of [`open`], or an error that the file is empty.
pub fn read(path: &Named) -> Result<Secret, StoreError> {
    let content = open(path).map(|file| trimmed(&file))?;
    match content.is_empty() {
        false => Ok(content),
        true => Err(StoreError::setting(format_args!(
            "{} is empty",
            path.named()
        ))),
    }
}

/// The text of a member in an answer of status 200, if it is a credential: a string of visible
/// characters, which fit a header.
pub fn in_answer(answer: &Answer, name: &str) -> Option<Secret> {
    let body = answer.body.expose();
    (answer.status == 200).then(|| in_json(body, name))?
}

/// The text of a member of a JSON object, if it is a credential as in [`in_answer`].
pub fn in_json(text: &[u8], name: &str) -> Option<Secret> {
    let found = json::text_of(text, name).map(Secret::new);
    found.filter(|text| is_visible(text.expose()))
}

/// True for a text of visible ASCII characters, at least one.
pub fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

/// The text of a setting that is a credential. An end of a line in it is a slip of whoever wrote it.
///
/// # Errors
/// An error that names the setting.
pub fn as_text<'t>(bytes: &'t [u8], setting: &str) -> Result<&'t str, StoreError> {
    match str::from_utf8(bytes) {
        Err(_) => Err(StoreError::setting(format_args!("{setting} is no UTF-8"))),
        Ok(text) if text.contains(char::is_control) => {
            let what =
                format_args!("{setting} has a line break, or another control character, in it");
            Err(StoreError::setting(what).hint("give it without"))
        }
        Ok(text) => Ok(text),
    }
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
