//! The sources of an environment, and the folder for delivered files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::account::account;
use super::configuration::StorePlace;
use super::options::Options;
use super::{flags, own_flags};
use crate::engine::secret_files::Files;
use crate::engine::sources::{Configured, Sources};
use crate::engine::specs::Spec;
use crate::model::error::Error;
use crate::model::named::Named;
use crate::stores;
use crate::sys::trust::Trust;

impl Options {
    /// Reads the sources of the environment.
    ///
    /// # Errors
    /// A usage error.
    pub fn sources(&self, place: &StorePlace) -> Result<Sources, Error> {
        let bytes = |many| {
            self.values(many)
                .into_iter()
                .map(|value| value.as_bytes().to_vec())
                .collect()
        };
        let mut assignments = Vec::new();
        for value in self.values(&flags::ENV) {
            let value = value.as_bytes();
            let equals = value
                .iter()
                .position(|&byte| byte == b'=')
                .filter(|&at| at > 0);
            let equals = equals.ok_or_else(|| self.usage(&flags::ENV, "must be NAME=VALUE"))?;
            assignments.push((value[..equals].to_vec(), value[equals + 1..].to_vec()));
        }
        self.needs(&flags::SPEC_PATH, &flags::SPEC)?;
        // Some take all specs, one by one.
        let takes_all = self.leaf.words == ["check"] || self.masks_text();
        let spec = self.path(&flags::SPEC).filter(|_| !takes_all);
        let path = self.text(&flags::SPEC_PATH)?.map(str::to_owned);
        Ok(Sources {
            clear: self.flag(&flags::CLEAR_ENV),
            keep: bytes(&flags::KEEP_ENV),
            store: place.store.clone(),
            env_files: self.paths(&flags::ENV_FILE),
            configured: self.configured(place),
            spec: spec.map(|file| Spec { file, path }),
            interpolates: self.flag(&flags::INTERPOLATE),
            lacks_platform: false,
            assignments,
            renders: renders(self)?,
            arguments: bytes(&own_flags::COMMAND).into_iter().skip(1).collect(),
            literal: bytes(&flags::LITERAL),
            masked: bytes(&flags::MASK_ALSO),
            references: self.references(place)?,
            distrust: self.distrust()?,
            files: files(self)?,
        })
    }

    fn masks_text(&self) -> bool {
        self.leaf.words == ["redact"]
    }

    /// True if every secret in force counts. A text is masked for all of them where no file or
    /// option refers to some.
    pub fn takes_all(&self) -> bool {
        let some = [flags::ENV_FILE.0, flags::SPEC.0, flags::ENV.0];
        self.flag(&flags::ALL) || self.masks_text() && !some.iter().any(|option| self.has(option))
    }

    /// Reads the variables of the configuration file. Its env files are beside it.
    fn configured(&self, place: &StorePlace) -> Configured {
        let config = &place.config;
        let folder = place.file.parent().unwrap_or(Path::new(""));
        let env_files = config.env_files.iter();
        let env_files =
            env_files.map(|file| Named::new("env-file in doorkey.toml", folder.join(file)));
        Configured {
            env_files: env_files.collect(),
            assignments: config.variables.clone(),
            file: place.file.clone(),
            found: (!config.named).then(|| Trust::new(self.sudo)),
        }
    }

    /// Reads the words that make more values references.
    fn references(&self, place: &StorePlace) -> Result<Vec<&'static str>, Error> {
        let said = self.text(&flags::REFERENCES)?;
        let list = said.or_else(|| place.config.get("references"));
        let known = stores::references();
        let words = list.unwrap_or_default().split(',').map(str::trim);
        let words = words.filter(|word| !word.is_empty()).map(|word| {
            let found = known.iter().find(|known| **known == word).copied();
            let among = || format!("must be of {}, with commas between", known.join(", "));
            found.ok_or_else(|| match said {
                Some(_) => self.usage(&flags::REFERENCES, &among()),
                None => Error::Usage(format!("references in doorkey.toml {}", among())),
            })
        });
        words.collect()
    }
}

/// Reads the templates that a launch fills in, each with the absolute path of the file.
///
/// # Errors
/// A usage error.
fn renders(options: &Options) -> Result<Vec<(Named, Named)>, Error> {
    let wrong = || options.usage(&flags::RENDER, "must be IN:OUT, two files");
    let mut renders: Vec<(Named, Named)> = Vec::new();
    for value in options.values(&flags::RENDER) {
        let value = value.as_bytes();
        let colon = value
            .iter()
            .position(|&byte| byte == b':')
            .ok_or_else(wrong)?;
        let path = |path: &[u8]| {
            let path = Path::new(OsStr::from_bytes(path));
            let named = path.file_name().is_some() && path.as_os_str() != "-";
            let path = named.then(|| Named::new(options.setting(&flags::RENDER), path));
            path.ok_or_else(wrong)
        };
        let (from, to) = (path(&value[..colon])?, path(&value[colon + 1..])?);
        let absolute = std::path::absolute(&to).map_err(|_| wrong())?;
        let to = to.with(absolute);
        if renders.iter().any(|(_, other)| **other == *to) {
            return Err(options.usage(&flags::RENDER, "names one OUT twice"));
        }
        renders.push((from, to));
    }
    Ok(renders)
}

/// Reads the settings of delivered files.
///
/// # Errors
/// A usage error.
fn files(options: &Options) -> Result<Files, Error> {
    let allow_disk = options.flag(&flags::ALLOW_DISK);
    let folder = match options.path(&flags::FILES) {
        None if allow_disk && !options.has(&flags::RENDER) => {
            return Err(options.usage(&flags::ALLOW_DISK, "needs --files or --render"));
        }
        None => None,
        Some(folder) => {
            let path = std::path::absolute(&folder);
            let path = path.map_err(|_| options.usage(&flags::FILES, "is no path to a folder"))?;
            Some(folder.with(path))
        }
    };
    let account = match account(options, &flags::FILES_OWNER)? {
        None => account(options, &flags::USER)?,
        named => named,
    };
    Ok(Files {
        folder,
        allow_disk,
        owner: account.map(|(account, _)| account.owner()),
    })
}
