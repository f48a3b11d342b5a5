//! The embedded store: a folder of age files, one secret each.

mod file;
mod git;
mod identity;
mod key;
mod recipients;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use age::x25519::Recipient;

use self::identity::Key;
use super::folder::{Tree, scope_folder, unwritten};
use super::{Access, Asked, How, Opened, Recipients, Record, Store};
use crate::words::error::{Malformed, Os, Trouble};
use crate::words::name::{Name, Scope};
use crate::words::secret::Secret;
use crate::world::draft::{self, Kind};
use crate::world::files;
use crate::world::folder::Folder;

/// Its options.
pub const SETTINGS: &[&str] = &["unbound"];

/// The variable that holds the key itself.
pub const KEY: &str = "DOORKEY_KEY";

/// The file that lists who can read the store, or a scope, in the format of `age -R`.
const RECIPIENTS: &str = "recipients.txt";

/// A key file or a list of recipients is not larger than this, in bytes.
const LARGEST_LIST: usize = 256 * 1024;

struct Age {
    label: String,
    place: PathBuf,
    /// Whether a file that says not which secret it is, is refused.
    refuses_unbound: bool,
    tree: Tree,
    access: Arc<Access>,
    keys: OnceLock<Vec<Key>>,
}

/// Opens `age:PLACE`.
///
/// # Errors
/// [`Trouble::NoStore`] where there is no such folder, or one with no sign of a store in it; where
/// a setting can't be used.
pub fn open(place: &str, access: &Arc<Access>) -> Opened {
    let folder = access.base.join(place);
    let tree = Tree::open(&folder, ".age")?;
    let unbound = access
        .said("unbound")
        .or_else(|| access.configured("unbound"));
    let refuses_unbound = match unbound {
        None | Some("take") => false,
        Some("refuse") => true,
        Some(_) => {
            return Err(Trouble::Setting(
                "unbound must be take or refuse".to_owned(),
            ));
        }
    };
    if !tree.has_scopes()
        && tree
            .read_file(Path::new(RECIPIENTS), LARGEST_LIST)?
            .is_none()
    {
        return Err(Trouble::NoStore);
    }
    Ok(Box::new(Age {
        label: format!("age:{place}"),
        place: folder,
        refuses_unbound,
        tree,
        access: Arc::clone(access),
        keys: OnceLock::new(),
    }))
}

impl Store for Age {
    fn label(&self) -> &str {
        &self.label
    }

    fn prepare(&self, _: &Asked) -> Result<(), Trouble> {
        let keys = key::find(&self.access)?;
        let _ = self.keys.set(keys);
        Ok(())
    }

    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble> {
        let Some(bytes) = self.tree.read(scope, name)? else {
            return Ok(None);
        };
        let (value, _) = self.decrypt(&bytes, scope, name, self.refuses_unbound)?;
        Ok(Some(value))
    }

    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, Trouble> {
        self.tree.has(scope, name)
    }

    fn names(&self, scope: &Scope) -> Result<Vec<Name>, Trouble> {
        self.tree.names(scope)
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, Trouble> {
        let (Some(bytes), Some(record)) =
            (self.tree.read(scope, name)?, self.tree.record(scope, name)?)
        else {
            return Ok(None);
        };
        let inspected = file::inspect(&bytes)?;
        let (created, modified) = (record.created, record.modified);
        Ok(Some(Record {
            size: inspected.size,
            created,
            modified,
            // A note that the stanzas belie says nothing.
            recipients: inspected
                .recipients
                .filter(|noted| noted.len() == inspected.openers),
        }))
    }

    fn scopes(&self) -> Result<Vec<Scope>, Trouble> {
        self.tree.scopes()
    }

    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), Trouble> {
        let folder = scope_folder(scope);
        // Said before the folder is held, which would make it.
        if how == How::Update {
            for (name, _) in values {
                if !self.has(scope, name)? {
                    return Err(Trouble::Absent(None));
                }
            }
        }
        // The list is read while the folder is held, so that none is read that is being replaced.
        let held = match how {
            How::Set => self.tree.share(&folder)?,
            How::Create | How::Update => self.tree.own(&folder)?,
        };
        let recipients = self.recipients_of(Some(scope))?;
        let mut written = Vec::with_capacity(values.len());
        for (name, value) in values {
            let has = self.has(scope, name)?;
            match how {
                How::Create if has => return Err(Trouble::Taken),
                How::Update if !has => return Err(Trouble::Absent(None)),
                _ => {
                    let bound = place_of(scope, name);
                    let file = file::encrypt(value, &recipients, Some(&bound))?;
                    written.push((self.tree.file(name), file));
                }
            }
        }
        match (how, written.as_slice()) {
            (How::Create, [(name, contents)]) => held.create(name, contents),
            _ => held.replace(&written),
        }
        .map_err(unwritten)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), Trouble> {
        if !self.has(scope, name)? {
            return Err(Trouble::Absent(None));
        }
        let held = self.tree.own(&scope_folder(scope))?;
        held.remove(&self.tree.file(name)).map_err(unwritten)
    }

    fn recipients(&self) -> Option<&dyn Recipients> {
        Some(self)
    }
}

impl Age {
    fn keys(&self) -> &[Key] {
        self.keys.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The value in a secret's file, and whether the file says that it is this secret's. Without
    /// that, whoever can write to the store could put another secret's file there, and have it read
    /// to them by a workload that may.
    fn decrypt(
        &self,
        file: &[u8],
        scope: &Scope,
        name: &Name,
        refuses_unbound: bool,
    ) -> Result<(Secret, bool), Trouble> {
        let (value, bound) = file::decrypt(file, self.keys())?;
        match bound {
            Some(bound) if bound == place_of(scope, name) => Ok((value, true)),
            Some(bound) => Err(misplaced(&bound)),
            None if refuses_unbound => Err(Trouble::Unbound),
            None => Ok((value, false)),
        }
    }

    /// Who can read a scope: those of its own list, or else of the store's.
    fn recipients_of(&self, scope: Option<&Scope>) -> Result<Vec<Recipient>, Trouble> {
        match self.list_of(scope)? {
            Some((list, text)) => parse_recipients(&text, &list),
            None => Err(Trouble::NoRecipients(RECIPIENTS.to_owned())),
        }
    }

    /// The list that counts for a scope: where it is, and its text.
    fn list_of(&self, scope: Option<&Scope>) -> Result<Option<(PathBuf, Vec<u8>)>, Trouble> {
        let common = PathBuf::from(RECIPIENTS);
        for list in scope.map(own_list).into_iter().chain([common]) {
            if let Some(text) = self.tree.read_file(&list, LARGEST_LIST)? {
                return Ok(Some((list, text)));
            }
        }
        Ok(None)
    }
}

/// What a secret's file says that it is.
fn place_of(scope: &Scope, name: &Name) -> String {
    format!("{scope}/{name}")
}

/// What a file that says something else is. The text is another's, who can open the file.
fn misplaced(bound: &str) -> Trouble {
    let is_secret = |(scope, name): (&str, &str)| {
        Scope::parse(scope).is_some() && Name::new(name.as_bytes()).is_some()
    };
    let known = match bound {
        CACHE => "a cache",
        _ if bound.rsplit_once('/').is_some_and(is_secret) => bound,
        _ => "something else",
    };
    Trouble::Misplaced(known.to_owned())
}

/// Where a scope's own list would be.
fn own_list(scope: &Scope) -> PathBuf {
    scope_folder(scope).join(RECIPIENTS)
}

fn parse_recipients(text: &[u8], list: &Path) -> Result<Vec<Recipient>, Trouble> {
    let list = list.display().to_string();
    let mut recipients = Vec::new();
    for (line, text) in meaningful_lines(text) {
        let recipient = std::str::from_utf8(text)
            .ok()
            .and_then(|text| Recipient::from_str(text).ok());
        recipients.push(recipient.ok_or_else(|| {
            let reason = if git::is_marker(text) {
                "this is a conflict marker of git's; keep the recipients that count and no marker, or take one side: git checkout --ours, or --theirs"
            } else {
                "this is no age recipient (age1…)"
            };
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

/// What making a store came to.
pub struct Made {
    /// The key's file, or the variable that holds the key.
    pub key: String,
    /// Whether the key is a new one.
    pub new_key: bool,
    /// The public half of the key that the store is now readable with.
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
        let path = key::place(access)?;
        if files::is_within(path, &place) {
            return Err(Trouble::KeyInside(path.display().to_string()));
        }
        if !files::exists(path) {
            let key = key::generate();
            draft::write_new(path, key.expose(), &Kind::LASTING).map_err(unwritable)?;
            made.new_key = true;
        }
        made.key = path.display().to_string();
    }
    let keys = key::find(access)?;
    let recipients: Vec<_> = keys.into_iter().map(|key| key.recipient).collect();
    made.recipient = recipients.join(" ");
    files::make_folder(&place).map_err(unwritable)?;
    let comment = "# who can read this store, one age recipient a line";
    let list = format!("{comment}\n{}\n", recipients.join("\n")).into_bytes();
    let held = Folder::open(&place)
        .and_then(|folder| folder.own(Path::new("")))
        .map_err(unwritable)?;
    // The list comes last, as it makes the folder a store. Attributes that are there already stay.
    match held.create(git::ATTRIBUTES, format!("{}\n", git::BINARY).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(unwritable(error));
        }
        _ => {}
    }
    held.create(RECIPIENTS, &list)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Trouble::Exists,
            _ => unwritable(error),
        })?;
    Ok(made)
}

/// What the file of a cache says that it is: no secret has such a place.
const CACHE: &str = "cache";

/// Encrypts a cache, for one recipient.
///
/// # Errors
/// [`Trouble::BadRecipient`].
pub fn seal(text: &Secret, recipient: &str) -> Result<Vec<u8>, Trouble> {
    let recipient = Recipient::from_str(recipient).map_err(|_| Trouble::BadRecipient(1))?;
    file::encrypt(text, &[recipient], Some(CACHE))
}

/// Opens a cache with the key of a store.
///
/// # Errors
/// Where there is no key, it does not open the file, or the file was not written as a cache.
pub fn unseal(file: &[u8], access: &Access) -> Result<Secret, Trouble> {
    match file::decrypt(file, &key::find(access)?)? {
        (text, Some(bound)) if bound == CACHE => Ok(text),
        (_, Some(bound)) => Err(misplaced(&bound)),
        (_, None) => Err(Trouble::Corrupt("it does not say that it is a cache")),
    }
}
