//! The key of an embedded store: the search for it, and its making.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;

use super::identity::AgeKey;
use super::{KEY, KEY_FILE, LARGEST_LIST, foreign, meaningful_lines};
use crate::model::error::{Os, StoreError};
use crate::model::log;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::Access;
use crate::sys::{files, process};

/// The keys to read with, and their source in words.
pub struct Keys {
    /// The keys.
    pub all: Vec<AgeKey>,
    /// The variable or the file that they come from.
    pub from: String,
}

impl Keys {
    /// Names the keys: their public halves, and their source.
    pub fn shown(&self) -> String {
        let halves: Vec<_> = self.all.iter().map(|key| key.recipient.as_str()).collect();
        format!("{} ({})", halves.join(", "), self.from)
    }
}

/// The keys to read with: `DOORKEY_KEY`, else `DOORKEY_KEY_FILE`, else the user's own file.
///
/// # Errors
/// A missing key, or one that can't be used.
pub fn find(access: &Access) -> Result<Keys, StoreError> {
    let said = access.path(KEY_FILE.id);
    if let Some(key) = access.credential(KEY) {
        if let Some(file) = said {
            let unused = file.setting();
            log::warning!(Ignored; "{KEY} counts, and not {unused}; unset one of them");
        }
        return parse(key, KEY);
    }
    let path = place(access)?;
    let shown = path.to_string();
    let file = match files::read_key(&path, LARGEST_LIST) {
        Err(error) if files::is_absent(&error) && said.is_none() => {
            let why = format!("none is named, and {shown} does not exist");
            return Err(none(&why));
        }
        Err(error) => {
            let hint = match files::why_closed(&path, &error) {
                Some(why) => why,
                None if files::is_absent(&error) => "mount or write the key there".to_owned(),
                None => NAME_ONE.to_owned(),
            };
            let why = Os::from(error);
            return Err(none(&path.cannot("read", why)).because_of(why).hint(hint));
        }
        Ok(file) => file,
    };
    match file.exposed {
        Some(mode) => Err(exposed(&shown, mode, file.owner)),
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
        .hint(NAME_ONE)
        .of_key()
}

const NAME_ONE: &str = "give DOORKEY_KEY_FILE or DOORKEY_KEY";

/// The error that others can read or write the key's file. Only its owner can change the mode; a
/// file in a container is mounted.
fn exposed(path: &str, mode: u32, owner: u32) -> StoreError {
    let can_be = if mode & 0o022 == 0 { "read" } else { "written" };
    let what = format_args!("the key file {path} can be {can_be} by others (mode {mode:04o})");
    let chmod = format!("chmod 600 {path}");
    let hint = match owner == process::user() {
        true if process::own() == 1 => format!("mount it read-only, or run {chmod}"),
        true => format!("run {chmod}"),
        false => format!("mount it read-only, or have its owner, uid {owner}, run {chmod}"),
    };
    StoreError::setting(what).hint(hint).of_key()
}

/// Makes a new key. Gives the text of its file, and its public half.
pub fn generate() -> (Secret, String) {
    let key = Identity::generate();
    let (public, private) = (key.to_public().to_string(), key.to_string());
    let text = format!("# public key: {public}\n{}\n", private.expose_secret());
    (Secret::new(text.into_bytes()), public)
}

fn parse(text: &Secret, from: &str) -> Result<Keys, StoreError> {
    let bad = |why: &str| {
        let what = format_args!("the key from {from} can't be used: {why}");
        StoreError::setting(what).of_key()
    };
    let mut all = Vec::new();
    for (_, line) in meaningful_lines(text.expose()) {
        let key = std::str::from_utf8(line).ok().and_then(AgeKey::parse);
        all.push(key.ok_or_else(|| {
            let (what, hint) = foreign::key(line);
            bad(&what).hint(hint)
        })?);
    }
    if all.is_empty() {
        return Err(bad("there is no age identity in it"));
    }
    let from = from.to_owned();
    Ok(Keys { all, from })
}
