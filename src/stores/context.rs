//! What a store is opened with.

use std::path::PathBuf;
use std::time::Instant;

use super::Store;
use crate::words::error::Trouble;
use crate::words::name::Scope;
use crate::words::secret::Secret;

/// An open store, or why it can't be opened.
pub type Opened = Result<Box<dyn Store>, Trouble>;

/// All that a store may need to be opened.
#[derive(Default)]
pub struct Access {
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The credentials that were taken out of the environment.
    pub credentials: Vec<(&'static str, Secret)>,
    /// The key's file, where one was named.
    pub key_file: Option<PathBuf>,
    /// The key's file in the user's configuration folder, where there is such a folder.
    pub own_key_file: Option<PathBuf>,
    /// Whether one newline at the end of a plain file is dropped.
    pub trim_newline: bool,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// What the kinds of stores have settings for.
    pub settings: Vec<Setting>,
    /// The other variables that the kinds of stores read.
    pub variables: Vec<(&'static str, Vec<u8>)>,
    /// Whether all of it is needed again later, in another process.
    pub again: bool,
    /// The scopes in force, narrowest first; none where a command works on scopes that it names.
    pub scopes: Vec<Scope>,
    /// When everything has to be over.
    pub deadline: Option<Instant>,
}

/// A setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option's name.
    pub id: &'static str,
    /// Its value; of a flag nothing.
    pub value: String,
    /// Whether an option or a variable said it; else the configuration file did.
    pub said: bool,
}

impl Access {
    /// The value of a credential's variable; an empty one is none.
    pub fn credential(&self, name: &str) -> Option<&Secret> {
        let found = self.credentials.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// What an option or its variable says.
    pub fn said(&self, id: &str) -> Option<&str> {
        let mut found = self.settings.iter();
        let found = found.find(|setting| setting.id == id && setting.said)?;
        Some(&found.value)
    }

    /// What the configuration file says.
    pub fn configured(&self, id: &str) -> Option<&str> {
        let mut found = self.settings.iter();
        let found = found.find(|setting| setting.id == id && !setting.said)?;
        Some(&found.value)
    }

    /// The value of another variable, even an empty one.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_slice())
    }
}
