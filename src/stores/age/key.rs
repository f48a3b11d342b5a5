//! The key of an embedded store: the search for it, and its making.

use age::DecryptError;
use age::secrecy::{ExposeSecret, SecretString};
use age::x25519::Identity;
use age_core::format::{FileKey, Stanza};

use super::identity::{AgeKey, KeyHolder};
use super::ssh::{self, SshKey, Useless};
use super::{KEY, KEY_FILE, LARGEST_LIST, entry, file, foreign};
use crate::model::error::{Os, StoreError};
use crate::model::log;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::Access;
use crate::sys::{files, process};

/// The keys to read with, and their source in words.
pub struct Keys {
    /// age's own keys.
    x25519: Vec<AgeKey>,
    /// Keys of SSH.
    ssh: Vec<SshKey>,
    /// The variable or the file that they come from.
    pub from: String,
    /// The reason why a key is still locked.
    pub locked: Option<StoreError>,
}

impl Keys {
    /// Names the keys: their public halves, and their source.
    pub fn shown(&self) -> String {
        let own = self.x25519.iter().map(|key| key.recipient.clone());
        let ssh = self.ssh.iter().map(|key| entry::short(&key.recipient));
        let halves: Vec<_> = own.chain(ssh).collect();
        format!("{} ({})", halves.join(", "), self.from)
    }

    /// The public halves.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        let own = self.x25519.iter().map(|key| key.recipient.as_str());
        own.chain(self.ssh.iter().map(|key| key.recipient.as_str()))
    }

    /// Asks for the passphrases that keys of SSH have. If nobody can be asked, another key may do.
    fn unlock(&mut self, access: &Access) -> Result<(), StoreError> {
        for key in self.ssh.iter_mut().filter(|key| key.is_locked()) {
            let which = format!("{}, {}", self.from, entry::short(&key.recipient));
            match passphrase(access, &self.from, &which) {
                Ok(said) => {
                    if !key.unlock(said) {
                        return Err(wrong_passphrase(&self.from));
                    }
                }
                Err(why) => self.locked = Some(why),
            }
        }
        let has_other = !self.x25519.is_empty() || !self.ssh.iter().all(SshKey::is_locked);
        match self.locked.clone() {
            Some(why) if !has_other => Err(why),
            _ => Ok(()),
        }
    }
}

impl age::Identity for Keys {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    /// age's own keys come first: they take less time.
    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let own = KeyHolder(&self.x25519).unwrap_stanzas(stanzas);
        let mut ssh = self.ssh.iter();
        own.or_else(|| ssh.find_map(|key| key.identity.unwrap_stanzas(stanzas)))
    }
}

/// The keys to read with: `DOORKEY_KEY`, else `DOORKEY_KEY_FILE`, else the user's own file. They are
/// looked for once, so that nobody is asked twice.
///
/// # Errors
/// A missing key, or one that can't be used.
pub fn find(access: &Access) -> Result<&Keys, StoreError> {
    let found = access.keys.get_or_init(|| {
        let mut keys = public(access)?;
        keys.unlock(access)?;
        Ok(keys)
    });
    found.as_ref().map_err(StoreError::clone)
}

/// Finds the keys as [`find`] does, without asking for what their public halves don't need.
///
/// # Errors
/// Same as for [`find`].
pub fn public(access: &Access) -> Result<Keys, StoreError> {
    let said = access.path(KEY_FILE.id);
    if let Some(key) = access.credential(KEY) {
        if let Some(file) = said {
            let unused = file.setting();
            log::warning!(Ignored; "{KEY} counts, and not {unused}; unset one of them");
        }
        return read(key, KEY, access);
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
        None => read(&file.contents, &shown, access),
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

/// Reads the text of keys, which a passphrase may protect as a whole.
fn read(text: &Secret, from: &str, access: &Access) -> Result<Keys, StoreError> {
    let sealed = text.expose().trim_ascii_start();
    if !file::is_age(sealed) {
        return parse(text.expose(), from);
    }
    let opened = file::with_passphrase(sealed, passphrase(access, from, from)?);
    match opened.map_err(|trouble| bad(from, &trouble.to_string()))? {
        Some(text) => parse(text.expose(), from),
        None => Err(wrong_passphrase(from)),
    }
}

/// Asks for the passphrase of a key, which the question names.
fn passphrase(access: &Access, from: &str, which: &str) -> Result<SecretString, StoreError> {
    let answer = match access.ask {
        Some(ask) => ask(&format!("passphrase of {which}: ")),
        None => Err("nobody is asked for it where secrets are fetched again (--watch)".to_owned()),
    };
    let answer = answer.map_err(|why| {
        bad(from, &format!("it has a passphrase, and {why}")).hint("give a key without one")
    })?;
    // Of exactly the text's size, so that no copy is left.
    let text = String::from_utf8_lossy(answer.expose()).into_owned();
    Ok(text.into())
}

/// The error that a key can't be used.
fn bad(from: &str, why: &str) -> StoreError {
    StoreError::setting(format_args!("the key from {from} can't be used: {why}")).of_key()
}

fn wrong_passphrase(from: &str) -> StoreError {
    bad(from, "the passphrase is wrong")
}

/// Reads all keys of a text. Keys of a kind that is not supported are passed over, if there is another.
fn parse(text: &[u8], from: &str) -> Result<Keys, StoreError> {
    let mut keys = Keys {
        x25519: Vec::new(),
        ssh: Vec::new(),
        from: from.to_owned(),
        locked: None,
    };
    let mut other = None;
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let line = rest.split(|&byte| byte == b'\n').next().unwrap_or(rest);
        let mut length = line.len();
        let line = line.trim_ascii();
        let unusable = if line.starts_with(b"#") {
            None
        } else if line.starts_with(b"-----BEGIN ") {
            length = ssh::block(rest);
            match SshKey::read(&rest[..length]) {
                Ok(key) => {
                    keys.ssh.push(key);
                    None
                }
                Err(Useless::Kind(what)) => Some((format!("it is {what}"), "", true)),
                Err(Useless::Damaged(what)) => Some((format!("it is {what}"), "", false)),
            }
        } else if let Some(key) = str::from_utf8(line).ok().and_then(AgeKey::parse) {
            keys.x25519.push(key);
            None
        } else {
            let (what, hint) = foreign::key(line);
            Some((what, hint, foreign::is_other_kind(line)))
        };
        if let Some((what, hint, is_other_kind)) = unusable {
            let trouble = bad(from, &what).hint(hint);
            if !is_other_kind {
                return Err(trouble);
            }
            other.get_or_insert(trouble);
        }
        rest = rest[length..].trim_ascii_start();
    }
    let is_some = keys.recipients().next().is_some();
    match other {
        _ if is_some => Ok(keys),
        Some(other) => Err(other),
        None => Err(bad(from, "there is no age identity in it")),
    }
}
