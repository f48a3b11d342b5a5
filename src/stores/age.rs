//! The embedded store: a folder of age files, one secret each.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};

use super::folder::{Tree, scope_folder};
use super::{Access, Opened, Store};
use crate::words::error::{Malformed, Os, Trouble};
use crate::words::name::{Name, Scope};
use crate::words::secret::Secret;
use crate::world::files;

/// The variable that holds the key itself.
pub const KEY: &str = "DOORKEY_KEY";

/// The file that lists who can read the store, or a scope, in the format of `age -R`.
const RECIPIENTS: &str = "recipients.txt";

/// A key file or a list of recipients is not larger than this, in bytes.
const LARGEST_LIST: usize = 256 * 1024;

/// What every age file begins with; a version follows.
const SIGNATURE: &[u8] = b"age-encryption.org/";

struct Age {
    label: String,
    tree: Tree,
    access: Access,
    keys: OnceLock<Vec<Identity>>,
}

/// Opens `age:PLACE`.
///
/// # Errors
/// [`Trouble::NoStore`] where there is no such folder, or one with no sign of a store in it.
pub fn open(place: &str, access: Access) -> Opened {
    let tree = Tree::open(&access.base.join(place), ".age")?;
    if !tree.has_scopes()
        && tree
            .read_file(Path::new(RECIPIENTS), LARGEST_LIST)?
            .is_none()
    {
        return Err(Trouble::NoStore);
    }
    Ok(Box::new(Age {
        label: format!("age:{place}"),
        tree,
        access,
        keys: OnceLock::new(),
    }))
}

impl Store for Age {
    fn label(&self) -> &str {
        &self.label
    }

    fn prepare(&self) -> Result<(), Trouble> {
        let keys = find_keys(&self.access)?;
        let _ = self.keys.set(keys);
        Ok(())
    }

    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble> {
        let Some(file) = self.tree.read(scope, name)? else {
            return Ok(None);
        };
        let keys = self.keys.get().map(Vec::as_slice).unwrap_or_default();
        decrypt(&file, keys).map(Some)
    }

    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, Trouble> {
        self.tree.has(scope, name)
    }

    fn names(&self, scope: &Scope) -> Result<Vec<Name>, Trouble> {
        self.tree.names(scope)
    }

    fn write(&self, scope: &Scope, name: &Name, value: &Secret) -> Result<(), Trouble> {
        let file = encrypt(value, &self.recipients(scope)?)?;
        self.tree.write(scope, name, &file)
    }
}

impl Age {
    /// Who can read a scope: those of its own list, or else of the store's.
    fn recipients(&self, scope: &Scope) -> Result<Vec<Recipient>, Trouble> {
        for list in [
            scope_folder(scope).join(RECIPIENTS),
            PathBuf::from(RECIPIENTS),
        ] {
            if let Some(text) = self.tree.read_file(&list, LARGEST_LIST)? {
                return parse_recipients(&text, &list);
            }
        }
        Err(Trouble::NoRecipients(RECIPIENTS.to_owned()))
    }
}

fn decrypt(file: &[u8], keys: &[Identity]) -> Result<Secret, Trouble> {
    if !file.starts_with(SIGNATURE) {
        return Err(Trouble::Corrupt("it is no age file"));
    }
    let trouble = |error| match error {
        DecryptError::NoMatchingKeys => Trouble::Denied,
        _ => Trouble::Corrupt("it is a damaged age file"),
    };
    let decryptor = Decryptor::new_buffered(file).map_err(trouble)?;
    let keys = keys.iter().map(|key| key as &dyn age::Identity);
    let mut plain = decryptor.decrypt(keys).map_err(trouble)?;
    // The value is shorter than its file, so the buffer never grows.
    let mut value = Vec::with_capacity(file.len());
    plain
        .read_to_end(&mut value)
        .map_err(|_| Trouble::Corrupt("it is a damaged age file"))?;
    Ok(Secret::new(value))
}

fn encrypt(value: &Secret, recipients: &[Recipient]) -> Result<Vec<u8>, Trouble> {
    let recipients = recipients
        .iter()
        .map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients)
        .map_err(|_| Trouble::NoRecipients(RECIPIENTS.to_owned()))?;
    let mut file = Vec::new();
    encryptor
        .wrap_output(&mut file)
        .and_then(|mut out| {
            out.write_all(value.expose())?;
            out.finish()
        })
        .map_err(|error| Trouble::Unwritable(error.into()))?;
    Ok(file)
}

fn parse_recipients(text: &[u8], list: &Path) -> Result<Vec<Recipient>, Trouble> {
    let list = list.display().to_string();
    let mut recipients = Vec::new();
    for (line, text) in meaningful_lines(text) {
        let recipient = std::str::from_utf8(text)
            .ok()
            .and_then(|text| Recipient::from_str(text).ok());
        recipients.push(recipient.ok_or_else(|| {
            let reason = "this is no age recipient (age1…)";
            Trouble::BadRecipients(
                list.clone(),
                Malformed {
                    line,
                    column: 1,
                    reason,
                },
            )
        })?);
    }
    if recipients.is_empty() {
        Err(Trouble::NoRecipients(list))
    } else {
        Ok(recipients)
    }
}

/// The lines that are neither blank nor comments, with their numbers, trimmed.
fn meaningful_lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// The keys to read with: `DOORKEY_KEY`, else `DOORKEY_KEY_FILE`, else the user's own file.
fn find_keys(access: &Access) -> Result<Vec<Identity>, Trouble> {
    if let Some(key) = access.credential(KEY) {
        return parse_keys(key, KEY);
    }
    let (path, chosen) = match (&access.key_file, &access.own_key_file) {
        (Some(path), _) => (path, true),
        (None, Some(path)) => (path, false),
        (None, None) => {
            return Err(Trouble::NoKey(
                "no key is named, and there is no HOME".to_owned(),
            ));
        }
    };
    let shown = path.display().to_string();
    let file = match files::read_key(path, LARGEST_LIST) {
        Err(error) if files::is_absent(&error) && !chosen => {
            return Err(Trouble::NoKey(format!(
                "no key is named, and {shown} does not exist"
            )));
        }
        Err(error) => {
            return Err(Trouble::NoKey(format!(
                "can't read {shown}: {}",
                Os::from(error)
            )));
        }
        Ok(file) => file,
    };
    match file.exposed {
        Some(mode) => Err(Trouble::KeyExposed(shown, mode)),
        None => parse_keys(&file.contents, &shown),
    }
}

fn parse_keys(text: &Secret, from: &str) -> Result<Vec<Identity>, Trouble> {
    let bad = |why| Trouble::BadKey(from.to_owned(), why);
    let mut keys = Vec::new();
    for (_, line) in meaningful_lines(text.expose()) {
        let key = std::str::from_utf8(line)
            .ok()
            .and_then(|line| Identity::from_str(line).ok());
        keys.push(key.ok_or_else(|| bad("it is no age identity (AGE-SECRET-KEY-1…)"))?);
    }
    if keys.is_empty() {
        Err(bad("there is no age identity in it"))
    } else {
        Ok(keys)
    }
}

/// What making a store came to.
pub struct Made {
    /// The key's file, or the variable that holds the key.
    pub key: String,
    /// Whether the key is a new one.
    pub new_key: bool,
    /// The key's public half, which the store is now readable for.
    pub recipient: String,
}

/// Makes an empty store at `place`, readable with the user's key, which is made where there is
/// none yet.
///
/// # Errors
/// Where there is a store already, or the key can't be found or made, or lies in the store.
pub fn init(place: &Path, access: &Access) -> Result<Made, Trouble> {
    let place = access.base.join(place);
    let unwritable = |error| Trouble::Unwritable(Os::from(error));
    if files::exists(&place.join(RECIPIENTS)) {
        return Err(Trouble::Exists);
    }
    let mut made = Made {
        key: KEY.to_owned(),
        new_key: false,
        recipient: String::new(),
    };
    if access.credential(KEY).is_none() {
        let path = access.key_file.as_ref().or(access.own_key_file.as_ref());
        let path =
            path.ok_or_else(|| Trouble::NoKey("no key is named, and there is no HOME".to_owned()))?;
        if files::is_within(path, &place) {
            return Err(Trouble::KeyInside(path.display().to_string()));
        }
        if !files::exists(path) {
            files::write_private(path, new_key().expose()).map_err(unwritable)?;
            made.new_key = true;
        }
        made.key = path.display().to_string();
    }
    let recipients: Vec<_> = find_keys(access)?
        .iter()
        .map(|key| key.to_public().to_string())
        .collect();
    made.recipient = recipients.join(" ");
    files::make_folder(&place).map_err(unwritable)?;
    let list = format!(
        "# who can read this store, one age recipient a line\n{}\n",
        recipients.join("\n")
    );
    let folder = files::Folder::open(&place).map_err(unwritable)?;
    folder
        .replace(Path::new(""), RECIPIENTS, list.as_bytes())
        .map_err(unwritable)?;
    Ok(made)
}

/// A new key, as the text of its file.
fn new_key() -> Secret {
    let key = Identity::generate();
    let text = format!(
        "# public key: {}\n{}\n",
        key.to_public(),
        key.to_string().expose_secret()
    );
    Secret::new(text.into_bytes())
}
