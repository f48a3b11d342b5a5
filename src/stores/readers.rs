//! Stores that are encrypted for lists of recipients: who is in the lists, and what a change or a
//! check of them gives.

use std::path::PathBuf;

use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};

/// A recipient in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The public key.
    pub recipient: String,
    /// The name of its owner, if the list has one.
    pub name: Option<String>,
    /// The kind of key.
    pub kind: &'static str,
}

impl Member {
    /// The owner's name, or else the key.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.recipient)
    }
}

/// A store that is encrypted for lists of recipients. The store has one list; a scope can have its
/// own list instead. A `scope` of `None` means the store's list.
pub trait Recipients {
    /// Lists the recipients who can read a scope.
    ///
    /// # Errors
    /// The reason why a list can't be read.
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<Member>, StoreError>;

    /// Adds recipients to a list, with the name of their owner if there is one, and encrypts all its
    /// secrets anew, whatever recipients the files name. The list is written first. An interruption
    /// loses nothing, and the same change made again finishes.
    ///
    /// # Errors
    /// The reason why nothing was changed, or not all.
    fn add(
        &self,
        scope: Option<&Scope>,
        keys: &[String],
        name: Option<&str>,
    ) -> Result<Changed, StoreError>;

    /// Removes recipients from a list, each by key or by name, as [`Recipients::add`] adds them. Each
    /// secret notes that its value is to be replaced.
    ///
    /// # Errors
    /// The reason why nothing was changed, or not all.
    fn remove(&self, scope: Option<&Scope>, members: &[String]) -> Result<Changed, StoreError>;

    /// Finds every list that names some of these recipients, given by key or by name, and which
    /// ones. A list that can't be read is taken to name all. With `removed`, lists that note a
    /// removed recipient count too, and each recipient must be in some list.
    ///
    /// # Errors
    /// The argument that is no recipient, or that is in no list.
    fn naming(&self, members: &[String], removed: bool) -> Result<Vec<Naming>, StoreError>;

    /// Checks everything in the store. Each file must open and name its own secret. Its recipients
    /// must be those of its scope, and nothing else may lie in the store. Where `only` has
    /// scopes, no other scope is looked at. With a `fix`, conflicts that git left are settled, and
    /// files that can be are put right.
    ///
    /// # Errors
    /// A missing key, or a file that can't be written.
    fn check(&self, fix: Option<&Fix>, only: &[Scope]) -> Result<Checked, StoreError>;
}

/// The choices of a check that puts things right.
#[derive(Debug, Default)]
pub struct Fix {
    /// Secrets that take the value of our branch where both have changed it: `NAME`, or
    /// `SCOPE/NAME`.
    pub ours: Vec<String>,
    /// Secrets that take the value of the other branch.
    pub theirs: Vec<String>,
}

/// A secret whose value somebody knows who was removed since.
#[derive(Debug)]
pub struct Rotation {
    /// The secret.
    pub secret: (Scope, Name),
    /// The time of the first removal.
    pub since: String,
    /// Those who were removed: their names, or the ends of their keys.
    pub who: Vec<String>,
}

/// A list, given by its scope (`None` for the store's list), and the recipients that it names.
pub type Naming = (Option<Scope>, Vec<String>);

/// The result of a change of recipients.
#[derive(Debug, Default)]
pub struct Changed {
    /// The recipients after the change.
    pub recipients: Vec<Member>,
    /// True if the list has changed.
    pub list: bool,
    /// The secrets that were encrypted anew.
    pub rewritten: Vec<(Scope, Name)>,
    /// The secrets whose values those know who were removed.
    pub rotate: Vec<(Scope, Name)>,
    /// The scopes that have a list of their own, and were left unchanged.
    pub left: Vec<Scope>,
}

/// The result of a check of a store.
#[derive(Debug, Default)]
pub struct Checked {
    /// The number of secrets.
    pub secrets: usize,
    /// The number of scopes.
    pub scopes: usize,
    /// Faults: the place, and the fault there.
    pub findings: Vec<(String, String)>,
    /// The sound secrets whose files do not name their secret.
    pub unbound: Vec<(Scope, Name)>,
    /// The secrets whose files name their secret since this check.
    pub bound: Vec<(Scope, Name)>,
    /// The conflicts of lists and secrets that this check has settled.
    pub merged: Vec<String>,
    /// The secrets that this check has encrypted for other recipients than before.
    pub rewritten: Vec<(Scope, Name)>,
    /// The secrets whose values are to be replaced.
    pub rotate: Vec<Rotation>,
    /// Lists that name somebody whom the store's list notes as removed.
    pub remaining: Vec<Naming>,
    /// The file that should tell git that the store's files are no text, and the line for it.
    pub attributes: Option<(PathBuf, &'static str)>,
}
