//! `doorkey.toml`: finds and reads it. The user names the file, or it is found in or above the
//! start folder; a found one must be trusted.

use std::path::{Path, PathBuf};

use super::account::account;
use super::flags;
use super::options::{NOT_AN_ID, Options};
use crate::core::config::{self, Config};
use crate::core::option::One;
use crate::core::scope::Scopes;
use crate::model::error::Error;
use crate::model::log;
use crate::model::name::Name;
use crate::model::named::Named;
use crate::stores::{self, OfMain, Origin};
use crate::sys::files;
use crate::sys::trust::Trust;

/// The largest size of `doorkey.toml`, in bytes.
const LARGEST_CONFIG: usize = 64 * 1024;

impl Options {
    /// Reads the store and the scopes: from options and variables first, then from `doorkey.toml`.
    ///
    /// # Errors
    /// A usage error, or a configuration file that can't be read.
    pub fn place(&self) -> Result<StorePlace, Error> {
        let (config, file) = self.config()?;
        let base = file.parent().unwrap_or(Path::new("")).to_owned();
        let name = |one: &One| match (self.name(one)?, config.get(one.id)) {
            (None, Some(text)) => Name::new(text.as_bytes())
                .map(Some)
                .ok_or_else(|| Error::Usage(format!("{} in doorkey.toml {NOT_AN_ID}", one.id))),
            (said, _) => Ok(said),
        };
        let scopes = Scopes {
            project: name(&flags::PROJECT)?,
            cluster: name(&flags::CLUSTER)?,
        };
        let (store, origin, base) = match self.text(&flags::STORE)? {
            Some(store) => (Some(store.to_owned()), Origin::Said, PathBuf::new()),
            None => {
                let store = config.get(flags::STORE.id).map(str::to_owned);
                (store, Origin::Configured, base)
            }
        };
        Ok(StorePlace {
            store,
            origin,
            base,
            scopes,
            config,
            file,
        })
    }

    /// Reads the configuration; returns its file, too.
    fn config(&self) -> Result<(Config, Named), Error> {
        let parse = |path: Named, text: &[u8], named| {
            let config = config::parse(text, named, stores::configurable());
            let config = config.map_err(|faults| {
                let faults = faults.into_iter().map(|(line, column, what)| Error::Found {
                    place: in_file(&path, line, column),
                    what,
                });
                Error::all(faults.collect())
            })?;
            Ok((config, path))
        };
        if let Some(file) = self.path(&flags::CONFIG) {
            let text = match self.distrust()? {
                Some(trust) => trust.read_again(&file, LARGEST_CONFIG)?,
                None => files::read(&file, LARGEST_CONFIG)
                    .map_err(|error| Error::file("read", file.clone(), error))?,
            };
            return parse(file, &text, true);
        }
        let Some(start) = self.start_folder()? else {
            return Ok(Default::default());
        };
        for above in start.ancestors() {
            let file = above.join("doorkey.toml");
            if files::exists(&file) {
                log::debug!("settings come from {}", Named::from(&file));
                let trust = Trust::new(self.sudo);
                let text = trust.read_found(&file, LARGEST_CONFIG)?;
                return parse(file.into(), &text, false);
            }
        }
        Ok(Default::default())
    }

    /// Returns the owners that files may have if they are read again beside a workload of another
    /// user. `None` if there is no such workload.
    pub fn distrust(&self) -> Result<Option<Trust>, Error> {
        if self.value(&flags::WATCH).is_none() && !self.comes_again {
            return Ok(None);
        }
        let account = account(self, &flags::USER)?;
        Ok(account.and_then(|(account, _)| Trust::new(self.sudo).beside(account.uid)))
    }

    fn start_folder(&self) -> Result<Option<PathBuf>, Error> {
        match self.path(&flags::CWD) {
            // A working directory that was removed has no configuration above it.
            None => Ok(std::env::current_dir().ok()),
            Some(folder) => match folder.canonicalize() {
                Ok(found) => Ok(Some(found)),
                Err(error) => Err(Error::file("read", folder, error)),
            },
        }
    }
}

/// The place where secrets are looked for.
#[derive(Clone)]
pub struct StorePlace {
    /// The store, as `SCHEME:PLACE`.
    pub store: Option<String>,
    /// The origin of the store's name.
    pub origin: Origin,
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The scopes in force.
    pub scopes: Scopes,
    /// The settings in `doorkey.toml`.
    pub config: Config,
    /// The path of that file.
    pub file: Named,
}

impl StorePlace {
    /// The place of a store that the command itself names, whatever the configuration.
    pub fn said(store: String) -> Self {
        StorePlace {
            store: Some(store),
            origin: Origin::Said,
            base: PathBuf::new(),
            scopes: Scopes::default(),
            config: Config::default(),
            file: Named::default(),
        }
    }

    /// Returns the settings of the store alone. Those that the file has for its own store don't
    /// apply to a store of another kind.
    pub fn of_main(&self) -> OfMain {
        let its_own = self.config.get(flags::STORE.id);
        let is_other = |store: &str| its_own.is_some_and(|own| !stores::is_same_kind(own, store));
        let table = match self.store.as_deref().is_some_and(is_other) {
            true => [].iter(),
            false => self.config.of_store.iter(),
        };
        let table = table.map(|(line, column, key, value)| {
            let place = in_file(&self.file, *line, *column);
            (place, key.clone(), value.clone())
        });
        OfMain {
            origin: self.origin,
            table: table.collect(),
            named: self.config.named,
        }
    }
}

/// Formats a place in a file for messages.
fn in_file(path: &Named, line: usize, column: usize) -> String {
    format!("{path}:{line}:{column}")
}
