//! The files that credentials are in.

use super::settings::Reader;
use crate::words::error::{Os, Trouble};
use crate::words::named::Named;
use crate::words::secret::Secret;
use crate::world::files::{self, KeyFile};

/// A file with a credential is not larger than this, in bytes.
const LARGEST: usize = 64 * 1024;

/// A credential in a variable, or in the file that another names.
///
/// # Errors
/// Why it can't be read.
pub fn credential(reader: &Reader<'_>, name: &str) -> Result<Option<Secret>, Trouble> {
    if let Some(secret) = reader.secret(name) {
        return Ok(Some(Secret::new(secret.expose().to_vec())));
    }
    let file = reader.path(&format!("{name}_FILE"));
    file.as_ref().map(read).transpose()
}

/// A credential's file, without white space at both ends.
///
/// # Errors
/// Why it can't be read.
pub fn read(path: &Named) -> Result<Secret, Trouble> {
    open(path).map(|file| trimmed(&file))
}

/// A credential's file, if nobody else can put another in its place.
///
/// # Errors
/// Why it can't be read, or that others can write it.
pub fn open(path: &Named) -> Result<KeyFile, Trouble> {
    let file = files::read_key(path, LARGEST);
    let file = file.map_err(|error| Trouble::Setting(path.cannot("read", error)))?;
    match file.open {
        None => Ok(file),
        Some(mode) => {
            let what = format!("{path} can be written by others (mode {mode:04o})");
            Err(Trouble::Setting(format!("{what}; run chmod go-w {path}")))
        }
    }
}

/// What it holds, without white space at both ends.
pub fn trimmed(file: &KeyFile) -> Secret {
    Secret::new(file.contents.expose().trim_ascii().to_vec())
}

/// Removes the file itself that was read, as it was to be read once.
///
/// # Errors
/// Why it is still there.
pub fn remove(file: &KeyFile, path: &Named) -> Result<(), Trouble> {
    file.remove(path).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::EMLINK) => "it has another name, a hard link".to_owned(),
            _ => Os::from(error).to_string(),
        };
        Trouble::Setting(format!("--token-once: can't remove {path}: {why}"))
    })
}
