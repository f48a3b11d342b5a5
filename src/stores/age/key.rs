//! The key of an embedded store: where it is found, and how one is made.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;

use super::identity::Key;
use super::{KEY, KEY_FILE, LARGEST_LIST, meaningful_lines};
use crate::model::error::Trouble;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::Access;
use crate::sys::files;

/// The keys to read with: `DOORKEY_KEY`, else `DOORKEY_KEY_FILE`, else the user's own file.
///
/// # Errors
/// Where there is none, or it can't be used.
pub fn find(access: &Access) -> Result<Vec<Key>, Trouble> {
    if let Some(key) = access.credential(KEY) {
        return parse(key, KEY);
    }
    let path = place(access)?;
    let shown = path.to_string();
    let file = match files::read_key(&path, LARGEST_LIST) {
        Err(error) if files::is_absent(&error) && access.path(KEY_FILE.id).is_none() => {
            return Err(Trouble::NoKey(format!(
                "none is named, and {shown} does not exist"
            )));
        }
        Err(error) => {
            return Err(Trouble::NoKey(path.cannot("read", error)));
        }
        Ok(file) => file,
    };
    match file.exposed {
        Some(mode) => Err(Trouble::KeyExposed(shown, mode)),
        None => parse(&file.contents, &shown),
    }
}

/// Where the key's file is, or would be.
///
/// # Errors
/// Where there is no folder that it could be in.
pub fn place(access: &Access) -> Result<Named, Trouble> {
    let own = || Some(access.config_home.as_ref()?.join("doorkey/key.txt").into());
    let path = access.path(KEY_FILE.id).or_else(own);
    path.ok_or_else(|| Trouble::NoKey("none is named, and there is no HOME".to_owned()))
}

/// A new key, as the text of its file.
pub fn generate() -> Secret {
    let key = Identity::generate();
    let (public, private) = (key.to_public(), key.to_string());
    Secret::new(format!("# public key: {public}\n{}\n", private.expose_secret()).into_bytes())
}

fn parse(text: &Secret, from: &str) -> Result<Vec<Key>, Trouble> {
    let bad = |why| Trouble::BadKey(from.to_owned(), why);
    let mut keys = Vec::new();
    for (_, line) in meaningful_lines(text.expose()) {
        let key = std::str::from_utf8(line).ok().and_then(Key::parse);
        keys.push(key.ok_or_else(|| bad("it is no age identity (AGE-SECRET-KEY-1…)"))?);
    }
    if keys.is_empty() {
        Err(bad("there is no age identity in it"))
    } else {
        Ok(keys)
    }
}
