//! Making an embedded store.

use std::io;
use std::path::Path;

use super::{KEY, RECIPIENTS, entry, git, key, list};
use crate::model::error::StoreError;
use crate::model::store_error;
use crate::stores::{Access, Member};
use crate::sys::draft::{self, FileKind};
use crate::sys::files;
use crate::sys::rooted_dir::Folder;

/// The result of making a store.
pub struct Made {
    /// The key's file, or the variable that holds the key.
    pub key: String,
    /// True if the key is a new one.
    pub new_key: bool,
    /// The public half of the key that the store is now readable with.
    pub recipient: String,
}

/// The keys to read with.
pub struct OwnKeys {
    /// The keys' file, or the variable that holds them.
    pub key: String,
    /// The public halves, and their kinds.
    pub recipients: Vec<Member>,
}

/// Makes a new key in the user's own place for it, and the folder around it. A file that is there
/// stays.
///
/// # Errors
/// A file that is there already, or one that can't be written.
pub fn new_key(access: &Access) -> Result<OwnKeys, StoreError> {
    let path = key::place(access)?;
    let (key, recipient) = key::generate();
    draft::write_new(&path, key.expose(), &FileKind::LASTING).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AlreadyExists if files::exists(&path) => {
                let what = format_args!("{path} is there already, and stays as it is");
                StoreError::of(store_error::FaultKind::Taken, what)
                    .hint("doorkey key show prints the public half of a key")
            }
            _ => StoreError::file("write", &path, error),
        }
        .of_key()
    })?;
    Ok(OwnKeys {
        key: path.to_string(),
        recipients: vec![entry::member(recipient, None)],
    })
}

/// Tells which keys would be used.
///
/// # Errors
/// A missing key, or one that can't be used.
pub fn own_keys(access: &Access) -> Result<OwnKeys, StoreError> {
    let keys = key::public(access)?;
    let recipients = keys.recipients().map(str::to_owned);
    let recipients = recipients.map(|key| entry::member(key, None)).collect();
    let key = keys.from;
    Ok(OwnKeys { key, recipients })
}

/// Makes an empty store at `place`, readable with the user's key. The key is made if there is none.
/// The list of recipients has the user's `name`.
///
/// # Errors
/// A store that exists already, a key that can't be found or made, or a key that lies in the store.
pub fn init(place: &Path, name: Option<&str>, access: &Access) -> Result<Made, StoreError> {
    list::check_name(name)?;
    let place = access.base.join(place);
    let unwritable = |error: io::Error| StoreError::unwritable(error);
    if files::exists(&place.join(RECIPIENTS)) {
        return Err(exists());
    }
    let mut made = Made {
        key: KEY.to_owned(),
        new_key: false,
        recipient: String::new(),
    };
    if access.credential(KEY).is_none() {
        let path = key::place(access)?;
        if files::is_within(&path, &place) {
            let what = format_args!("the key file {path} lies inside the store");
            return Err(StoreError::setting(what).hint("give another DOORKEY_KEY_FILE"));
        }
        if !files::exists(&path) {
            let (key, _) = key::generate();
            draft::write_new(&path, key.expose(), &FileKind::LASTING).map_err(unwritable)?;
            made.new_key = true;
        }
        made.key = path.to_string();
    }
    let keys = key::public(access)?;
    let recipients: Vec<_> = keys.recipients().map(str::to_owned).collect();
    made.recipient = recipients.join(", ");
    files::make_folder(&place).map_err(unwritable)?;
    let comment = "# who can read this store, one age recipient a line";
    let members = recipients
        .into_iter()
        .map(|key| (key, name.map(str::to_owned)));
    let members: Vec<_> = members.collect();
    let list = list::edited(comment.as_bytes(), &members, &[]);
    let held = Folder::open(&place)
        .and_then(|folder| folder.own(Path::new("")))
        .map_err(unwritable)?;
    // The list comes last, as it makes the folder a store. Attributes that are there already stay.
    match held.create(git::ATTRIBUTES, format!("{}\n", git::BINARY).as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(unwritable(error));
        }
        _ => {}
    }
    held.create(RECIPIENTS, &list)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => unwritable(error),
        })?;
    Ok(made)
}

fn exists() -> StoreError {
    StoreError::of(store_error::FaultKind::Taken, "there is a store already")
}
