//! What a store is opened with: settings, credentials, variables, the deadline. Nothing here is of
//! one kind of store.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::Store;
use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::model::named::{self, Named};
use crate::model::secret::Secret;

/// An open store, or why it can't be opened.
pub type Opened = Result<Box<dyn Store>, StoreError>;

/// What all stores of a launch are opened with.
#[derive(Default)]
pub struct Access {
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The credentials that were taken out of the environment.
    pub credentials: Vec<(&'static str, Secret)>,
    /// What options and the configuration file say, by the ids of the kinds' options.
    pub settings: Vec<Setting>,
    /// The other variables that the kinds of stores read.
    pub variables: Vec<(&'static str, Vec<u8>)>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The user's configuration folder.
    pub config_home: Option<PathBuf>,
    /// True if all of it is needed again later, in another process.
    pub again: bool,
    /// The scopes in force, narrowest first; none where a command works on scopes that it names.
    pub scopes: Vec<Scope>,
    /// When everything has to be over.
    pub deadline: Option<Instant>,
    /// What is said of the main store alone.
    pub of_main: OfMain,
}

/// What is said of the store that the scopes are in.
#[derive(Default)]
pub struct OfMain {
    /// Who has named it.
    pub origin: Origin,
    /// What `[store]` of the configuration file says: where, the key, its value.
    pub table: Vec<(String, String, String)>,
    /// True if the user has named the file.
    pub named: bool,
}

/// Who has said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The user, by an option or a variable.
    #[default]
    Said,
    /// A configuration file.
    Configured,
}

/// A setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option's id.
    pub id: &'static str,
    /// What it is called where it is said.
    pub name: String,
    /// Its value; of a flag nothing.
    pub value: OsString,
    /// Who has said it.
    pub origin: Origin,
}

impl Access {
    /// The value of a credential's variable; an empty one is none.
    pub fn credential(&self, name: &str) -> Option<&Secret> {
        let found = self.credentials.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// The path that an option, or its variable, says.
    pub fn path(&self, id: &str) -> Option<Named> {
        find(&self.settings, id, Origin::Said).and_then(named)
    }

    /// The value of another variable, even an empty one.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_slice())
    }
}

fn find<'s>(settings: &'s [Setting], id: &str, origin: Origin) -> Option<&'s Setting> {
    let mut found = settings.iter();
    found.find(|setting| setting.id == id && setting.origin == origin)
}

fn named(setting: &Setting) -> Option<Named> {
    let path = Named::new(&setting.name, &setting.value);
    (!setting.value.is_empty()).then_some(path)
}

/// What one store is opened with: what all are, and the settings that are its own.
pub struct Context {
    access: Arc<Access>,
    /// The store's name.
    pub location: String,
    /// The same as messages have it, shown or not.
    pub label: String,
    /// What stands behind its place, and what the configuration file says of it alone.
    own: Vec<Setting>,
}

impl Context {
    /// Adds what is said of one store alone.
    pub fn new(access: &Arc<Access>, location: String, own: Vec<Setting>) -> Self {
        Context {
            access: Arc::clone(access),
            label: named::location(&location),
            location,
            own,
        }
    }

    /// What an option says, or its variable, or what stands behind the place that the user gave.
    pub fn said(&self, id: &str) -> Option<&str> {
        self.find(id, Origin::Said)?.value.to_str()
    }

    /// What the configuration file says.
    pub fn configured(&self, id: &str) -> Option<&str> {
        self.find(id, Origin::Configured)?.value.to_str()
    }

    /// The path that an option says, or what stands behind the place that the user gave.
    pub fn path(&self, id: &str) -> Option<Named> {
        self.find(id, Origin::Said).and_then(named)
    }

    fn find(&self, id: &str, origin: Origin) -> Option<&Setting> {
        // An option on the command line is for this launch, what a place is given with for many;
        // of a file what it says of the store counts before what it says of all.
        let own = || find(&self.own, id, origin);
        let common = || find(&self.access.settings, id, origin);
        match origin {
            Origin::Said => common().or_else(own),
            Origin::Configured => own().or_else(common),
        }
    }
}

impl Deref for Context {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}
