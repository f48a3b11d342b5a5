//! The embedded store: a folder of age files, one secret each.

mod entry;
mod file;
mod foreign;
mod git;
mod identity;
mod index;
mod key;
mod list;
mod made;
mod merge;
mod people;
mod recipients;
mod sealed;
mod ssh;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use self::entry::Entry;
use self::file::Inspected;
use super::folder::{AGAIN, StoreFolder, no_store, scope_folder, unwritten};
use super::{
    Answer, Context, Depth, Finding, Here, How, Location, Names, Opened, Recipients, Record, Store,
    StoreOption, Writer, search,
};
use crate::core::option::{InFile, Opt, value};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::model::store_error::FaultKind;
use crate::sys::processors;

pub use key::Keys;
pub use made::{OwnKeys, init, new_key, own_keys};
pub use sealed::{seal, unseal};

/// The variable that holds the key itself.
pub const KEY: &str = "DOORKEY_KEY";

/// A store, for examples.
pub const EXAMPLE: &str = "age:secrets";

/// The name of the store in a folder.
pub fn embedded(folder: &str) -> String {
    format!("age:{folder}")
}

/// The option that names the key's file.
pub const KEY_FILE: Opt = value("key-file", "FILE", "The key of an age: store");

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[
    StoreOption::flag(KEY_FILE, InFile::Never),
    // Which files are refused.
    StoreOption::flag(
        value(
            UNBOUND,
            "WHAT",
            "take or refuse unbound age: files [default: take]",
        ),
        InFile::Named,
    ),
];

const UNBOUND: &str = "unbound";

/// The file that lists who can read the store, or a scope, in the format of `age -R`.
const RECIPIENTS: &str = "recipients.txt";

/// The suffix of a secret's file name.
const SUFFIX: &str = ".age";

/// A key file or a list of recipients is not larger than this, in bytes.
const LARGEST_LIST: usize = 256 * 1024;

/// The number of names for which one more thread is worth starting. Opening a value takes about 80
/// µs of arithmetic, and starting a thread about 40 µs. One thread alone is as fast for two names.
const NAMES_A_THREAD: usize = 2;

/// The highest number of threads. More are not worth the time to start them one after the other.
const MOST_THREADS: usize = 8;

struct Age {
    label: String,
    place: PathBuf,
    /// True if a file that does not name its secret is refused.
    refuses_unbound: bool,
    tree: StoreFolder,
    context: Arc<Context>,
}

/// Opens `age:PLACE`.
///
/// # Errors
/// A missing folder, a folder with no sign of a store in it, or a setting that can't be used.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let folder = context.base.join(place);
    let tree = StoreFolder::open(&folder, SUFFIX)?;
    let unbound = context
        .said(UNBOUND)
        .or_else(|| context.configured(UNBOUND));
    let refuses_unbound = match unbound {
        None | Some("take") => false,
        Some("refuse") => true,
        Some(_) => {
            let why = "unbound must be take or refuse";
            return Err(StoreError::setting(why));
        }
    };
    if !tree.has_scopes()
        && tree
            .read_file(Path::new(RECIPIENTS), LARGEST_LIST)?
            .is_none()
    {
        return Err(no_store());
    }
    Ok(Box::new(Age {
        label: context.label.clone(),
        place: folder,
        refuses_unbound,
        tree,
        context: Arc::clone(context),
    }))
}

impl Store for Age {
    fn label(&self) -> &str {
        &self.label
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(self.tree.locate(scope, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        if depth == Depth::Names {
            let look = |location: &Location| self.tree.has(location).map(Here::exists);
            let questions = questions.iter();
            return Ok(questions.map(|question| search(question, look)).collect());
        }
        self.keys()?;
        let look = |location: &Location| {
            let file = self.tree.read(location)?;
            let value = file.map(|file| self.decrypt(&file, location, self.refuses_unbound));
            Ok(Here::value(value.transpose()?.map(|(value, _)| value)))
        };
        Ok(shared(questions, |question| search(question, look)))
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        Ok(scopes.iter().map(|scope| self.tree.names(scope)).collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        let (Some(bytes), Some(record)) = (self.read(scope, name)?, self.tree.record(scope, name)?)
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
                .filter(|noted| noted.len() == inspected.openers)
                .map(|noted| self.members_of(scope, noted)),
        }))
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.tree.scopes()
    }

    fn is_local(&self) -> bool {
        true
    }

    fn findings(&self) -> Vec<Finding> {
        self.report()
    }

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }

    fn recipients(&self) -> Option<&dyn Recipients> {
        Some(self)
    }
}

impl Writer for Age {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        let folder = scope_folder(scope);
        // Said before the folder is held, which would make it.
        if how == How::Update {
            for (name, _) in values {
                if !self.has(scope, name)? {
                    return Err(StoreError::no_secret());
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
                How::Create if has => return Err(StoreError::taken()),
                How::Update if !has => return Err(StoreError::no_secret()),
                _ => {
                    let bound = place_of(scope, name);
                    let file = file::encrypt(value, &recipients, Some(&bound), &[])?;
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

    fn copy(
        &self,
        from: (&Scope, &Name),
        value: &Secret,
        to: (&Scope, &Name),
    ) -> Result<(), StoreError> {
        let file = self.read(from.0, from.1)?.unwrap_or_default();
        let rotate = file::inspect(&file)?.rotate;
        let held = self.tree.own(&scope_folder(to.0))?;
        let bound = place_of(to.0, to.1);
        let recipients = self.recipients_of(Some(to.0))?;
        let file = file::encrypt(value, &recipients, Some(&bound), &rotate)?;
        held.create(&self.tree.file(to.1), &file).map_err(unwritten)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        if !self.has(scope, name)? {
            return Err(StoreError::no_secret());
        }
        let held = self.tree.own(&scope_folder(scope))?;
        held.remove(&self.tree.file(name)).map_err(unwritten)
    }
}

/// Answers questions, with further threads if there are enough questions.
fn shared(
    questions: &[Vec<Location>],
    answer: impl Fn(&[Location]) -> Answer + Sync,
) -> Vec<Answer> {
    let all = &|part: &[Vec<Location>]| part.iter().map(|one| answer(one)).collect::<Vec<_>>();
    let threads = match questions.len() / NAMES_A_THREAD {
        worth if worth > 1 => processors::count(worth.min(MOST_THREADS)),
        _ => 1,
    };
    let each = questions.len().div_ceil(threads).max(1);
    let (ours, theirs) = questions.split_at(each.min(questions.len()));
    thread::scope(|scope| {
        // Parts for which no thread can be started, under a limit of processes, are done here as
        // well.
        let help = |part| {
            let helper = thread::Builder::new().spawn_scoped(scope, move || all(part));
            helper.map_err(|_| part)
        };
        let helpers: Vec<_> = theirs.chunks(each).map(help).collect();
        let mut answers = all(ours);
        for helper in helpers {
            answers.extend(match helper.map(ScopedJoinHandle::join) {
                Ok(theirs) => theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(part) => all(part),
            });
        }
        answers
    })
}

impl Age {
    /// Gives the keys to read with, which are looked for when first needed.
    fn keys(&self) -> Result<&Keys, StoreError> {
        key::find(&self.context)
    }

    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.tree.read(&self.tree.locate(scope, name))
    }

    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, StoreError> {
        self.tree.has(&self.tree.locate(scope, name))
    }

    /// Decrypts a secret's file. Gives the value, and what the header says. If the header names a
    /// secret, that is this one.
    ///
    /// Without that name, anyone who can write to the store could put another secret's file there.
    /// A workload that may read it would then show them the secret.
    fn decrypt(
        &self,
        file: &[u8],
        location: &Location,
        refuses_unbound: bool,
    ) -> Result<(Secret, Inspected), StoreError> {
        let keys = self.keys()?;
        let opened = file::decrypt(file, keys);
        let (value, header) = opened.map_err(|trouble| match trouble.is_closed() {
            true => self.closed(file, location, keys),
            false => trouble,
        })?;
        match &header.bound {
            Some(bound) if location.path.strip_suffix(SUFFIX) != Some(bound) => {
                Err(misplaced(bound))
            }
            None if refuses_unbound => Err(unbound()),
            _ => Ok((value, header)),
        }
    }

    /// Gives the recipients who can read a scope: those of its own list, or else of the store's.
    fn recipients_of(&self, scope: Option<&Scope>) -> Result<Vec<Entry>, StoreError> {
        match self.list_of(scope)? {
            Some((path, text)) => list::parse(&text, &path),
            None => Err(no_recipients(RECIPIENTS)),
        }
    }

    /// Gives the list that counts for a scope: its path, and its text.
    fn list_of(&self, scope: Option<&Scope>) -> Result<Option<(PathBuf, Vec<u8>)>, StoreError> {
        let common = PathBuf::from(RECIPIENTS);
        let own = scope.map(|scope| list::path(Some(scope)));
        for list in own.into_iter().chain([common]) {
            if let Some(text) = self.tree.read_file(&list, LARGEST_LIST)? {
                return Ok(Some((list, text)));
            }
        }
        Ok(None)
    }
}

/// The name that a secret's file has for its secret: `SCOPE/NAME`.
fn place_of(scope: &Scope, name: &Name) -> String {
    format!("{scope}/{name}")
}

/// The error that a file is refused because it does not name its secret.
fn unbound() -> StoreError {
    StoreError::refused("it is bound to no name")
        .hint("see that it is the right one, then run doorkey store check --fix")
}

/// The error that a list names no recipient.
fn no_recipients(list: &str) -> StoreError {
    StoreError::setting(format_args!("{list} names no recipient"))
}

/// The error that an argument is no recipient. The argument is not shown: it may be a key.
fn bad_recipient(which: usize, text: &str) -> StoreError {
    let what = match foreign::recipient(text.as_bytes()) {
        Some(what) => format!("is {what}"),
        None => "is no age recipient, the public half of a key (age1…)".to_owned(),
    };
    StoreError::of(FaultKind::Unusable, format_args!("argument {which} {what}"))
}

/// The error that an argument is neither a recipient nor anybody's name.
fn bad_member(which: usize) -> StoreError {
    let what = "is no age recipient (age1…), and nobody in a list has that name";
    StoreError::of(
        FaultKind::Absent,
        format_args!("argument {which} {what}; nothing is changed"),
    )
}

/// The error that a file names something else. The text was written by another who can open the
/// file.
fn misplaced(bound: &str) -> StoreError {
    let is_secret = |(scope, name): (&str, &str)| {
        Scope::parse(scope).is_some() && Name::new(name.as_bytes()).is_some()
    };
    let known = match bound {
        CACHE => "a cache",
        _ if bound.rsplit_once('/').is_some_and(is_secret) => bound,
        _ => "something else",
    };
    let what = format_args!("it was written for {known} and put here afterwards");
    StoreError::refused(what).hint(AGAIN)
}

/// The lines that are neither blank nor comments, with their numbers, trimmed.
fn meaningful_lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// The name in the file of a cache. No secret has this name.
const CACHE: &str = "cache";
