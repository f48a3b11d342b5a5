//! `doorkey.toml`: the one that is named, or that is found.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::options::Options;
use crate::pure::config::{self, Config};
use crate::pure::scope::Scopes;
use crate::stores::{self, OfMain, Origin};
use crate::words::error::Error;
use crate::words::log;
use crate::words::shown::Shown;
use crate::world::files;

/// `doorkey.toml` is not larger than this, in bytes.
const LARGEST_CONFIG: usize = 64 * 1024;

impl Options {
    /// The configuration, and its file.
    pub fn config(&self) -> Result<(Config, PathBuf), Error> {
        let read = |path: &Path, named| match files::read(path, LARGEST_CONFIG) {
            Ok(text) => {
                let config = config::parse(&text, named, stores::configurable());
                config.map_err(|(line, column, what)| {
                    let place = in_file(path, line, column);
                    Error::Found { place, what }
                })
            }
            Err(error) => Err(Error::file("read", path, error)),
        };
        if let Some(file) = self.value("config") {
            let file = Path::new(file);
            return Ok((read(file, true)?, file.to_owned()));
        }
        let Some(start) = self.start_folder()? else {
            return Ok(Default::default());
        };
        for above in start.ancestors() {
            let file = above.join("doorkey.toml");
            if files::exists(&file) {
                log::debug!("settings come from {}", file.display());
                let config = read(&file, false)?;
                for setting in &config.ignored {
                    log::warning!(
                        Ignored;
                        "{}: {setting} counts only in a file that --config names; ignored",
                        file.display()
                    );
                }
                return Ok((config, file));
            }
        }
        Ok(Default::default())
    }

    fn start_folder(&self) -> Result<Option<PathBuf>, Error> {
        match self.value("cwd") {
            // A working directory that was removed has no configuration above it.
            None => Ok(std::env::current_dir().ok()),
            Some(folder) => {
                let folder = Path::new(folder);
                let found = folder.canonicalize();
                found
                    .map(Some)
                    .map_err(|error| Error::file("read", folder, error))
            }
        }
    }
}

/// Where secrets are looked for.
pub struct Place {
    /// The store, as `SCHEME:PLACE`.
    pub store: Option<String>,
    /// Who has named it.
    pub origin: Origin,
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The scopes in force.
    pub scopes: Scopes,
    /// What else `doorkey.toml` says.
    pub config: Config,
    /// Where that is.
    pub file: PathBuf,
}

impl Place {
    /// What is said of the store alone. What the file says of its own store is nothing to one of
    /// another kind.
    pub fn of_main(&self) -> OfMain {
        let its_own = self.config.get("store");
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

/// A place in a file, as messages name it.
fn in_file(path: &Path, line: usize, column: usize) -> String {
    let path = Shown(path.as_os_str().as_bytes());
    format!("{path}:{line}:{column}")
}
