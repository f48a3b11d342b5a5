//! Inputs to open a store: settings, credentials, variables, the deadline. Nothing here belongs to
//! one kind of store.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::Store;
use super::age::Keys;
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::name::Scope;
use crate::model::named::{self, Named};
use crate::model::secret::Secret;

/// An open store, or why it can't be opened.
pub type Opened = Result<Box<dyn Store>, StoreError>;

/// Inputs that all stores of a launch share.
#[derive(Default)]
pub struct Access {
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The credentials that were taken out of the environment.
    pub credentials: Vec<(&'static str, Secret)>,
    /// Settings from options and the configuration file, by the ids of the kinds' options.
    pub settings: Vec<Setting>,
    /// The other variables that the kinds of stores read.
    pub variables: Vec<(&'static str, Vec<u8>)>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The user's configuration folder.
    pub config_home: Option<PathBuf>,
    /// True if another process needs all of this again later.
    pub again: bool,
    /// The scopes in force, narrowest first; none where a command works on scopes that it names.
    pub scopes: Vec<Scope>,
    /// The deadline of the launch.
    pub deadline: Option<Instant>,
    /// Settings of the main store alone.
    pub of_main: OfMain,
    /// True if the user asks which identity counts; otherwise only the debug log has it.
    pub tells_identity: bool,
    /// Asks a person a question whose answer is not shown, or tells why that can't be. `None` if this
    /// process asks nobody.
    pub ask: Option<Ask>,
    /// The keys of the embedded stores, once they are needed.
    pub keys: OnceLock<Result<Keys, StoreError>>,
    /// The identity that counts, once it was told.
    pub identity: Mutex<Option<String>>,
}

/// A question to a person. The error is the reason why it can't be asked.
pub type Ask = fn(&str) -> Result<Secret, String>;

/// Settings of the store that the scopes are in.
#[derive(Clone, Default)]
pub struct OfMain {
    /// The source of the store's name.
    pub origin: Origin,
    /// Entries of `[store]` in the configuration file: position, key, value.
    pub table: Vec<(String, String, String)>,
    /// True if the user has named the configuration file.
    pub named: bool,
}

/// The source of a setting.
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
    /// The name of the setting at its source.
    pub name: String,
    /// The value; empty for a flag.
    pub value: OsString,
    /// The source of the setting.
    pub origin: Origin,
}

impl Access {
    /// Makes the inputs for opening a store once more, with a deadline of its own.
    pub fn renewed(&self, deadline: Instant) -> Self {
        let credentials = self.credentials.iter();
        let copied = |(name, value): &(_, Secret)| (*name, Secret::new(value.expose().to_vec()));
        Access {
            base: self.base.clone(),
            credentials: credentials.map(copied).collect(),
            settings: self.settings.clone(),
            variables: self.variables.clone(),
            home: self.home.clone(),
            config_home: self.config_home.clone(),
            again: self.again,
            scopes: self.scopes.clone(),
            deadline: Some(deadline),
            of_main: self.of_main.clone(),
            tells_identity: self.tells_identity,
            // A person is asked on a terminal alone.
            ask: None,
            keys: OnceLock::new(),
            identity: Mutex::default(),
        }
    }

    /// Logs the identity that counts: at info if the user asks for it, at debug otherwise.
    pub fn tell_identity(&self, who: &str) {
        *self.lock() = Some(who.to_owned());
        match self.tells_identity {
            true => log::info!(LoggedIn; "{who}"),
            false => log::debug!(LoggedIn; "{who}"),
        }
    }

    /// Returns the identity that was told, if one was.
    pub fn told(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

/// Inputs to open one store: the shared ones, and its own settings.
pub struct Context {
    access: Arc<Access>,
    /// The store's name.
    pub location: String,
    /// The store's name as messages show it, or a text that hides it.
    pub label: String,
    /// Settings behind the place in the store's name, and those of the configuration file for this
    /// store alone.
    own: Vec<Setting>,
}

impl Context {
    /// Adds the settings of one store alone.
    pub fn new(access: &Arc<Access>, location: String, own: Vec<Setting>) -> Self {
        Context {
            access: Arc::clone(access),
            label: named::location(&location),
            location,
            own,
        }
    }

    /// The value of an option, of its variable, or of a setting behind the place that the user
    /// gave.
    pub fn said(&self, id: &str) -> Option<&str> {
        self.find(id, Origin::Said)?.value.to_str()
    }

    /// The value in the configuration file.
    pub fn configured(&self, id: &str) -> Option<&str> {
        self.find(id, Origin::Configured)?.value.to_str()
    }

    /// The path in an option, or in a setting behind the place that the user gave.
    pub fn path(&self, id: &str) -> Option<Named> {
        self.find(id, Origin::Said).and_then(named)
    }

    fn find(&self, id: &str, origin: Origin) -> Option<&Setting> {
        // A command-line option is for this launch, a setting behind a place for many. In a file, a
        // setting of the store wins over a setting of all stores.
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
