//! The access that stores are opened with, and the cache of their values.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use super::configuration::StorePlace;
use super::options::Options;
use super::{flags, passphrase};
use crate::core::environment::lookup;
use crate::core::option::{One, Takes};
use crate::engine::cache::Cache;
use crate::model::error::Error;
use crate::model::named::Named;
use crate::stores::{self, Access, Origin, Setting, StoreOption};
use crate::sys::{duration, files};

/// The time before its deadline at which a launch stops asking.
const SAYING: Duration = Duration::from_millis(300);

impl Options {
    /// Collects the settings and credentials that stores need to be opened, also those of single
    /// places with these `words`. Credentials are taken out of the environment, but those in `kept`
    /// stay there, too. Credentials that are not needed are overwritten at once; `reads` is true if
    /// values are read.
    pub fn access(
        &mut self,
        place: &StorePlace,
        words: &BTreeSet<&'static str>,
        kept: &[Vec<u8>],
        reads: bool,
    ) -> Access {
        let keeps = |name: &str| kept.iter().any(|kept| kept == name.as_bytes());
        let location = place.store.as_deref();
        let credentials = stores::credentials(location, words);
        let options = &*self;
        let setting = |option: &'static StoreOption| {
            let option = &option.option;
            let id = option.id;
            let said = options.raw(option).map(|value| match option.takes {
                Takes::Flag => OsString::new(),
                _ => value.to_owned(),
            });
            let configured = place.config.get(id).map(OsString::from);
            let of = |value, origin| Setting {
                id,
                name: options.setting(option),
                value,
                origin,
            };
            [
                said.map(|value| of(value, Origin::Said)),
                configured.map(|value| of(value, Origin::Configured)),
            ]
        };
        let variable = |name: &'static str| {
            let value = lookup(&self.inherited.0, name.as_bytes())?;
            Some((name, value.to_vec()))
        };
        let names = stores::read_variables(location, words);
        let settings = stores::flags(location, words).flat_map(setting);
        let settings = settings.flatten().collect();
        let variables = names.into_iter().filter_map(variable).collect();
        let mut credentials = self.inherited.take(&credentials, keeps);
        let again = self.value(&flags::WATCH).is_some() || self.comes_again;
        // With --watch, all credentials are kept and checked first: they would be here at each
        // fetch.
        if !again {
            let caches =
                self.value(&flags::CACHE).is_some() || place.config.get(flags::CACHE.id).is_some();
            let needed = stores::needed(location, words, reads, caches);
            credentials.retain(|(name, _)| needed.contains(name));
        }
        Access {
            base: place.base.clone(),
            settings,
            variables,
            credentials,
            config_home: self.config_home(),
            home: self.home(),
            scopes: vec![],
            again,
            // The deadline lies before the timer's end, so that the attempts can still be reported.
            deadline: self
                .timeout()
                .ok()
                .map(|timeout| self.began + timeout - SAYING.min(timeout / 10)),
            of_main: place.of_main(),
            // A process that comes later may have no terminal, and nobody at it.
            ask: (!again).then_some(passphrase::ask),
            tells_identity: self.leaf.words == ["check"],
            ..Access::default()
        }
    }

    /// Reads the settings of the cache for the last values, if there is one.
    ///
    /// # Errors
    /// A usage error.
    pub fn cache(&self, place: &StorePlace, access: &Arc<Access>) -> Result<Option<Cache>, Error> {
        let text = |one: &One| match self.text(one) {
            Ok(said) => Ok(said.or_else(|| place.config.get(one.id))),
            Err(error) => Err(error),
        };
        let configured = place.config.get(flags::CACHE.id);
        let configured = configured.map(|file| Named::new("cache in doorkey.toml", file));
        let Some(file) = self.path(&flags::CACHE).or(configured) else {
            self.needs(&flags::CACHE_RECIPIENT, &flags::CACHE)?;
            self.needs(&flags::CACHE_MAX_AGE, &flags::CACHE)?;
            return Ok(None);
        };
        let recipient = text(&flags::CACHE_RECIPIENT)?.ok_or_else(|| {
            self.usage(
                &flags::CACHE,
                "needs --cache-recipient, the public half of a key (age1…)",
            )
        })?;
        let longest = match text(&flags::CACHE_MAX_AGE)? {
            None => Duration::from_secs(24 * 60 * 60),
            Some(text) => duration::parse(text).ok_or_else(|| {
                self.usage(&flags::CACHE_MAX_AGE, "must be a duration such as 24h")
            })?,
        };
        Ok(Some(Cache {
            file,
            recipient: recipient.to_owned(),
            longest,
            access: Arc::clone(access),
        }))
    }
}

/// Names a needed credential or file that a process started like this one can't read again: a
/// credential in a variable, `spent`, or a pipe.
pub fn unread(options: &Options, spent: Vec<&str>, access: &Access) -> Option<String> {
    if let Some(name) = spent.first() {
        let instead = stores::instead(name);
        return Some(format!("credentials that can be read again: {instead}"));
    }
    let given = options.paths(&flags::ENV_FILE).into_iter();
    let given = given.chain(options.path(&flags::SPEC));
    let settings = access.settings.iter();
    let settings = settings.filter(|setting| stores::is_file(setting.id));
    let variables = access.variables.iter();
    let variables = variables.filter(|(name, _)| stores::is_file(name));
    let mut files = given
        .chain(settings.map(|setting| Named::new(&setting.name, &setting.value)))
        .chain(variables.map(|(name, file)| Named::new(*name, OsStr::from_bytes(file))));
    let once = files.find(|file| file.as_os_str() == "-" || files::is_pipe(file))?;
    let what = match once.as_os_str() == "-" {
        true => "standard input is none".to_owned(),
        false => format!("{once} is a pipe"),
    };
    Some(format!("files that can be read again: {what}"))
}
