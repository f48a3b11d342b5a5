//! The key of an embedded store: the search for it, and its making.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;

use super::identity::AgeKey;
use super::{KEY, KEY_FILE, LARGEST_LIST, meaningful_lines};
use crate::model::error::{Os, StoreError};
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::Access;
use crate::sys::files;

/// The keys to read with: `DOORKEY_KEY`, else `DOORKEY_KEY_FILE`, else the user's own file.
///
/// # Errors
/// A missing key, or one that can't be used.
pub fn find(access: &Access) -> Result<Vec<AgeKey>, StoreError> {
    if let Some(key) = access.credential(KEY) {
        return parse(key, KEY);
    }
    let path = place(access)?;
    let shown = path.to_string();
    let file = match files::read_key(&path, LARGEST_LIST) {
        Err(error) if files::is_absent(&error) && access.path(KEY_FILE.id).is_none() => {
            let why = format!("none is named, and {shown} does not exist");
            return Err(none(&why));
        }
        Err(error) => {
            let why = Os::from(error);
            return Err(none(&path.cannot("read", why)).because_of(why));
        }
        Ok(file) => file,
    };
    match file.exposed {
        Some(mode) => Err(exposed(&shown, mode)),
        None => parse(&file.contents, &shown),
    }
}

/// Gives the path that the key's file has or would have.
///
/// # Errors
/// An error that no folder for the file is known.
pub fn place(access: &Access) -> Result<Named, StoreError> {
    let own = || Some(access.config_home.as_ref()?.join("doorkey/key.txt").into());
    let path = access.path(KEY_FILE.id).or_else(own);
    path.ok_or_else(|| none("none is named, and there is no HOME"))
}

/// The error that there is no key, and the places that were searched.
fn none(why: &str) -> StoreError {
    StoreError::setting(format_args!("no key: {why}"))
        .hint("give DOORKEY_KEY_FILE or DOORKEY_KEY")
        .of_key()
}

/// The error that others can read or write the key's file.
fn exposed(path: &str, mode: u32) -> StoreError {
    let can_be = if mode & 0o022 == 0 { "read" } else { "written" };
    let what = format_args!("the key file {path} can be {can_be} by others (mode {mode:04o})");
    StoreError::setting(what)
        .hint(format!("run chmod 600 {path}"))
        .of_key()
}

/// Makes a new key. Gives the text of its file, and its public half.
pub fn generate() -> (Secret, String) {
    let key = Identity::generate();
    let (public, private) = (key.to_public().to_string(), key.to_string());
    let text = format!("# public key: {public}\n{}\n", private.expose_secret());
    (Secret::new(text.into_bytes()), public)
}

fn parse(text: &Secret, from: &str) -> Result<Vec<AgeKey>, StoreError> {
    let bad = |why: &str| {
        let what = format_args!("the key from {from} can't be used: {why}");
        StoreError::setting(what).of_key()
    };
    let mut keys = Vec::new();
    for (_, line) in meaningful_lines(text.expose()) {
        let key = std::str::from_utf8(line).ok().and_then(AgeKey::parse);
        keys.push(key.ok_or_else(|| bad("it is no age identity (AGE-SECRET-KEY-1…)"))?);
    }
    if keys.is_empty() {
        Err(bad("there is no age identity in it"))
    } else {
        Ok(keys)
    }
}
