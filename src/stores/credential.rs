//! Credentials that stores are given: in variables, and in files.

use std::path::Path;

use crate::words::error::{Os, Trouble};
use crate::words::secret::Secret;
use crate::world::files::{self, KeyFile};

/// A file with a credential is not larger than this, in bytes.
const LARGEST: usize = 64 * 1024;

/// A credential: itself, or else what is in a file.
///
/// # Errors
/// As [`read`].
pub fn value_or_file(
    value: Option<&Secret>,
    file: Option<&str>,
) -> Result<Option<Secret>, Trouble> {
    if let Some(value) = value {
        return Ok(Some(Secret::new(value.expose().to_vec())));
    }
    file.map(|file| read(Path::new(file))).transpose()
}

/// A credential's file, without white space at both ends.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> Result<Secret, Trouble> {
    open(path).map(|file| trimmed(&file))
}

/// A credential's file, if nobody else can put another in its place.
///
/// # Errors
/// Why it can't be read, or that others can write it.
pub fn open(path: &Path) -> Result<KeyFile, Trouble> {
    let file = files::read_key(path, LARGEST).map_err(|error| {
        let (path, why) = (path.display(), Os::from(error));
        Trouble::Setting(format!("can't read {path}: {why}"))
    })?;
    match file.open {
        None => Ok(file),
        Some(mode) => {
            let path = path.display();
            let what = format!("{path} can be written by others (mode {mode:04o})");
            Err(Trouble::Setting(format!("{what}; run chmod go-w {path}")))
        }
    }
}

/// What it holds, without white space at both ends.
pub fn trimmed(file: &KeyFile) -> Secret {
    Secret::new(file.contents.expose().trim_ascii().to_vec())
}
