//! `doorkey.toml`: the one that is named, or that is found and may be obeyed.

use std::path::{Path, PathBuf};

use super::options::Options;
use super::workload;
use crate::pure::config::{self, Config};
use crate::words::error::Error;
use crate::words::named::Named;
use crate::world::files;
use crate::world::trust::Trust;

/// `doorkey.toml` is not larger than this, in bytes.
const LARGEST_CONFIG: usize = 64 * 1024;

impl Options {
    /// The configuration, and the folder that its store starts from.
    pub fn config(&self) -> Result<(Config, PathBuf), Error> {
        let parse = |path: Named, text: &[u8], named| {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            let config = config::parse(text, named).map_err(|at| Error::Text { path, at })?;
            Ok((config, folder))
        };
        if let Some(file) = self.path("config") {
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
                ::log::debug!("settings come from {}", Named::from(&file));
                let trust = Trust::new(self.sudo);
                let text = trust.read_found(&file, LARGEST_CONFIG)?;
                return parse(file.into(), &text, false);
            }
        }
        Ok(Default::default())
    }

    /// Whom files have to belong to that are read again beside a workload of another user; `None`
    /// where there is no such workload.
    pub fn distrust(&self) -> Result<Option<Trust>, Error> {
        if self.value("watch").is_none() {
            return Ok(None);
        }
        let account = workload::account(self, "user")?;
        Ok(account.and_then(|(account, _)| Trust::new(self.sudo).beside(account.uid)))
    }

    fn start_folder(&self) -> Result<Option<PathBuf>, Error> {
        match self.path("cwd") {
            // A working directory that was removed has no configuration above it.
            None => Ok(std::env::current_dir().ok()),
            Some(folder) => match folder.canonicalize() {
                Ok(found) => Ok(Some(found)),
                Err(error) => Err(Error::file("read", folder, error)),
            },
        }
    }
}
