//! The stores. A new one is one file, or folder, here and one line of [`KINDS`].

mod access;
mod age;
mod dir;
mod folder;
mod kinds;
mod remote;
mod vault;

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::words::error::Trouble;
use crate::words::name::{Name, Scope};
use crate::words::reference::Direct;
use crate::words::secret::Secret;

pub use access::{Access, Opened, Setting};
pub use age::{init as init_age, seal, unseal};
pub use kinds::{KINDS, Kind, credentials, open, own_variables, passed, settings, spent, words_of};

/// What a launch will ask of a store.
#[derive(Default)]
pub struct Asked {
    /// The scopes that names are looked for in; none where no name is.
    pub scopes: Vec<Scope>,
    /// Single places.
    pub direct: BTreeSet<Direct>,
}

/// What every store can do. One name in one scope is asked for at a time; precedence between
/// scopes is not a store's business.
pub trait Store: Sync {
    /// The store as messages name it.
    fn label(&self) -> &str;

    /// What its values come from, so that nobody takes another's for them.
    fn identity(&self) -> String {
        self.label().to_owned()
    }

    /// Makes ready for reading: finds the key, or fetches what will be asked. Called once,
    /// before the first `read`.
    ///
    /// # Errors
    /// What keeps every read from working.
    fn prepare(&self, asked: &Asked) -> Result<(), Trouble>;

    /// The value of a name in a scope; `None` where the scope does not have it. Called from
    /// several threads at once.
    ///
    /// # Errors
    /// Why the scope could not answer.
    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble>;

    /// Whether `read` has work to do that a second processor could share.
    fn is_laborious(&self) -> bool {
        true
    }

    /// The value at a single place; `None` where there is none. Only places that `prepare` was
    /// told of are asked for.
    ///
    /// # Errors
    /// As `read`.
    fn read_direct(&self, _place: &Direct) -> Result<Found, Trouble> {
        Ok(Found::Nothing)
    }

    /// Whether what is missing at single places is left out, as the user's variables have it.
    fn leaves_out_missing(&self) -> bool {
        false
    }

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

/// What is at a single place.
#[derive(Debug)]
pub enum Found {
    /// A value.
    Value(Secret),
    /// A document without that key.
    NoKey,
    /// Nothing.
    Nothing,
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
