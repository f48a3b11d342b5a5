//! The stores. A new one is one file here and one line of [`KINDS`].

mod age;
mod dir;
mod folder;

use std::path::PathBuf;
use std::time::SystemTime;

use crate::words::error::{Error, Trouble};
use crate::words::name::{Name, Scope};
use crate::words::secret::Secret;

pub use age::init as init_age;

/// What every store can do. One name in one scope is asked for at a time; precedence between
/// scopes is not a store's business.
pub trait Store: Sync {
    /// The store as messages name it.
    fn label(&self) -> &str;

    /// Makes ready for reading: finds the key, say. Called once, before the first `read`.
    ///
    /// # Errors
    /// What keeps every read from working.
    fn prepare(&self) -> Result<(), Trouble>;

    /// The value of a name in a scope; `None` where the scope does not have it. Called from
    /// several threads at once.
    ///
    /// # Errors
    /// Why the scope could not answer.
    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble>;

    /// Whether a scope has a name. Like all that follows but `recipients`, it needs no key.
    ///
    /// # Errors
    /// As `read`.
    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, Trouble>;

    /// The names in a scope, sorted.
    ///
    /// # Errors
    /// As `read`.
    fn names(&self, scope: &Scope) -> Result<Vec<Name>, Trouble>;

    /// What the store knows of a secret; `None` where the scope does not have it.
    ///
    /// # Errors
    /// As `read`.
    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, Trouble>;

    /// Every scope that there is, sorted.
    ///
    /// # Errors
    /// Why that can't be said.
    fn scopes(&self) -> Result<Vec<Scope>, Trouble>;

    /// Stores values in a scope, lastingly: all of them or, where the store can't, none. Says of
    /// each whether there was one before.
    ///
    /// # Errors
    /// [`Trouble::Taken`] and [`Trouble::Absent`], as `how` has it; why nothing is stored.
    fn write(&self, _scope: &Scope, _values: &[(Name, Secret)], _how: How) -> Result<(), Trouble> {
        Err(Trouble::ReadOnly)
    }

    /// Removes a secret, lastingly.
    ///
    /// # Errors
    /// [`Trouble::Absent`]; why it is not removed.
    fn delete(&self, _scope: &Scope, _name: &Name) -> Result<(), Trouble> {
        Err(Trouble::ReadOnly)
    }

    /// The store's lists of who can read it, for a store that keeps such lists.
    fn recipients(&self) -> Option<&dyn Recipients> {
        None
    }
}

/// What is expected of a name that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It must be new. Of several writers at once exactly one succeeds.
    Create,
    /// It may be there or not.
    Set,
    /// It must be there.
    Update,
}

/// What a store knows of a secret, without its value.
#[derive(Clone, Debug)]
pub struct Record {
    /// The value's length in bytes.
    pub size: usize,
    /// When it was made, by the store's own record.
    pub created: Option<SystemTime>,
    /// When it was last changed, by the store's own record.
    pub modified: Option<SystemTime>,
    /// Who can read it, where the store knows.
    pub recipients: Option<Vec<String>>,
}

/// A store that is encrypted for lists of recipients: one of its own, and those that scopes have
/// of theirs in its place. A `scope` of `None` means the store's own list.
pub trait Recipients {
    /// Who can read a scope.
    ///
    /// # Errors
    /// Where a list can't be read.
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<String>, Trouble>;

    /// Changes a list, and encrypts everything that it is for anew. The list is written first:
    /// interrupted at any moment, nothing is lost, and the same change made again finishes.
    ///
    /// # Errors
    /// Why nothing was changed, or not all.
    fn change(
        &self,
        scope: Option<&Scope>,
        add: &[String],
        remove: &[String],
    ) -> Result<Changed, Trouble>;

    /// Looks at everything in the store: each file opens, its recipients are those of its scope,
    /// and nothing else lies there.
    ///
    /// # Errors
    /// Where there is no key to look with.
    fn check(&self) -> Result<Checked, Trouble>;
}

/// What a change of recipients came to.
#[derive(Debug, Default)]
pub struct Changed {
    /// Who can read it now.
    pub recipients: Vec<String>,
    /// Whether the list was another before.
    pub list: bool,
    /// The secrets that were encrypted anew.
    pub rewritten: Vec<(Scope, Name)>,
    /// Every secret that the list is for.
    pub covered: Vec<(Scope, Name)>,
    /// The scopes that have a list of their own, and were left.
    pub left: Vec<Scope>,
}

/// What looking at a store came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many secrets there are.
    pub secrets: usize,
    /// In how many scopes.
    pub scopes: usize,
    /// What is wrong: where, and what.
    pub findings: Vec<(String, String)>,
}

/// All that a store may need to be opened.
#[derive(Default)]
pub struct Access {
    /// The folder that a relative path starts from.
    pub base: PathBuf,
    /// The credentials that were taken out of the environment.
    pub credentials: Vec<(&'static str, Secret)>,
    /// The key's file, where one was named.
    pub key_file: Option<PathBuf>,
    /// The key's file in the user's configuration folder, where there is such a folder.
    pub own_key_file: Option<PathBuf>,
    /// Whether one newline at the end of a plain file is dropped.
    pub trim_newline: bool,
}

impl Access {
    /// The value of a credential's variable; an empty one is none.
    pub fn credential(&self, name: &str) -> Option<&Secret> {
        let found = self.credentials.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }
}

/// An open store, or why it can't be opened.
pub type Opened = Result<Box<dyn Store>, Trouble>;

/// A kind of store.
pub struct Kind {
    /// What stands before the colon.
    pub scheme: &'static str,
    /// Opens the store at the place after the colon.
    pub open: fn(&str, Access) -> Opened,
    /// The variables that hold its credentials. They are overwritten where they stand as soon
    /// as they are read, and no workload gets them.
    pub credentials: &'static [&'static str],
    /// Its other variables that no workload gets, beside all that begin with `DOORKEY_`.
    pub variables: &'static [&'static str],
}

/// Every kind of store.
pub const KINDS: &[Kind] = &[
    Kind {
        scheme: "age",
        open: age::open,
        credentials: &[age::KEY],
        variables: &[],
    },
    Kind {
        scheme: "dir",
        open: dir::open,
        credentials: &[],
        variables: &[],
    },
];

/// The kind of the store at `location`, and the place after the colon.
fn kind(location: &str) -> Option<(&'static Kind, &str)> {
    let (scheme, place) = location.split_once(':')?;
    Some((KINDS.iter().find(|kind| kind.scheme == scheme)?, place))
}

/// The variables that hold the credentials of the store at `location`, and those that are
/// doorkey's own, whatever the store.
pub fn credentials(location: Option<&str>) -> Vec<&'static str> {
    let chosen = location.and_then(kind).map(|(kind, _)| kind.scheme);
    let mut names = Vec::new();
    for kind in KINDS {
        let is_taken = |name: &&&str| chosen == Some(kind.scheme) || name.starts_with("DOORKEY_");
        names.extend(kind.credentials.iter().filter(is_taken));
    }
    names
}

/// All variables of the store at `location` that no workload gets.
pub fn own_variables(location: &str) -> Vec<&'static str> {
    let all = |(kind, _): (&'static Kind, _)| [kind.credentials, kind.variables].concat();
    kind(location).map(all).unwrap_or_default()
}

/// Opens the store that `location` names, as `SCHEME:PLACE`.
///
/// # Errors
/// A usage error for an unknown scheme; whatever keeps the store from being opened.
pub fn open(location: &str, access: Access) -> Result<Box<dyn Store>, Error> {
    let Some((kind, place)) = kind(location) else {
        let known: Vec<_> = KINDS
            .iter()
            .map(|kind| format!("{}:DIR", kind.scheme))
            .collect();
        return Err(Error::Usage(format!(
            "the store must be one of {}",
            known.join(", ")
        )));
    };
    (kind.open)(place, access).map_err(|trouble| Error::Store {
        store: location.to_owned(),
        trouble,
    })
}
