//! Damage that git does to a store's files: changed line ends, and conflict markers.

use std::path::Path;

use super::LARGEST_LIST;
use crate::sys::files;

/// The file that tells git the types of files.
pub const ATTRIBUTES: &str = ".gitattributes";

/// The line that a store needs in that file. An age file without a NUL byte looks like text to git,
/// which then changes its line ends.
pub const BINARY: &str = "*.age binary";

/// True if a line is one of those that git puts around what two branches have changed.
pub fn is_marker(line: &[u8]) -> bool {
    let marks = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    marks.iter().any(|mark| line.starts_with(mark.as_bytes()))
}

/// True if a file has conflict markers in it: both the first and the last.
pub fn is_conflict(file: &[u8]) -> bool {
    let has = |mark: &[u8]| {
        file.split(|&byte| byte == b'\n')
            .any(|l| l.starts_with(mark))
    };
    has(b"<<<<<<< ") && has(b">>>>>>> ")
}

/// True if git keeps this folder, or one above it.
pub fn has_repository(place: &Path) -> bool {
    let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    let mut folders = place.ancestors();
    folders.any(|folder| files::exists(&folder.join(".git")))
}

/// True if git keeps this folder and has not been told that age files are no text, there or above.
pub fn takes_for_text(place: &Path) -> bool {
    let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    for folder in place.ancestors() {
        let text = files::read(&folder.join(ATTRIBUTES), LARGEST_LIST).unwrap_or_default();
        if String::from_utf8_lossy(&text).lines().any(is_told) {
            return false;
        }
        if files::exists(&folder.join(".git")) {
            return true;
        }
    }
    false
}

/// True if a line says that all age files, or all files, are no text.
fn is_told(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let pattern = words.next().unwrap_or_default();
    (pattern.ends_with("*.age") || pattern.ends_with('*'))
        && !pattern.starts_with('#')
        && words.any(|word| ["binary", "-text"].contains(&word))
}
