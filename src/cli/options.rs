//! What the user said: options, then `DOORKEY_…` variables, then `doorkey.toml`.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::command_line::{self, Leaf};
use super::configuration::Place;
use super::given::{Given, variable};
use super::logger::{self, Format};
use crate::core::environment::lookup;
use crate::core::scope::Scopes;
use crate::engine::assemble::Sources;
use crate::engine::cache::Cache;
use crate::model::error::Error;
use crate::model::log::Level;
use crate::model::name::Name;
use crate::model::named::Named;
use crate::stores::{self, Access, Origin, Setting, StoreOption};
use crate::sys::environ::{Started, c_string};
use crate::sys::{duration, terminal};

/// How long a launch may take where nobody says so.
pub const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long before its deadline a launch stops asking.
const SAYING: Duration = Duration::from_millis(300);

/// The options of one subcommand.
pub struct Options {
    matches: ArgMatches,
    began: Instant,
    /// The user's configuration folder.
    home: Option<PathBuf>,
    user_home: Option<PathBuf>,
    no_color: bool,
    /// The user who has called sudo.
    pub sudo: Option<u32>,
}

impl Options {
    /// Parses the arguments, with the environment's variables where an option is not given, and
    /// starts the log.
    ///
    /// # Errors
    /// A usage error. Help that was asked for is printed, and ends the process.
    pub fn parse(
        leaf: &Leaf,
        arguments: &[OsString],
        environment: &[&'static CStr],
    ) -> Result<Self, Error> {
        let words = &arguments[leaf.words.len()..];
        let given = Given::new(words, environment);
        let parse = |command: Command| {
            let command = given.with_variables(command).no_binary_name(true);
            command.try_get_matches_from(words)
        };
        let possible = leaf.command_with(|option| given.may_have(option));
        // Help and errors are those of the whole subcommand.
        let matches = match parse(possible).or_else(|_| parse(leaf.command())) {
            Ok(matches) => matches,
            Err(error) => {
                logger::start(Level::INFO, logger::likely_format(arguments, environment));
                super::help_or_usage(&error, &format!("doorkey {}", leaf.words.join(" ")))?;
                std::process::exit(0);
            }
        };
        let options = Options {
            matches,
            began: Instant::now(),
            home: folder(environment, "XDG_CONFIG_HOME")
                .or_else(|| Some(folder(environment, "HOME")?.join(".config"))),
            user_home: folder(environment, "HOME"),
            sudo: lookup(environment, b"SUDO_UID")
                .and_then(|uid| str::from_utf8(uid).ok()?.parse().ok()),
            no_color: lookup(environment, b"NO_COLOR").is_some_and(|set| !set.is_empty()),
        };
        let started = options.start_log();
        logger::start(Level::INFO, Format::Text);
        started?;
        given.judge_flags(leaf)?;
        given.warn_of_unknown(&options.values("keep-env"));
        Ok(options)
    }

    fn start_log(&self) -> Result<(), Error> {
        let level = match self.text("log-level")?.unwrap_or("info") {
            "trace" => Level::TRACE,
            "debug" => Level::DEBUG,
            "info" => Level::INFO,
            "warn" | "warning" => Level::WARN,
            "error" | "critical" => Level::ERROR,
            _ => return Err(self.usage("log-level", "must be trace, debug, info, warn or error")),
        };
        let format = match self.text("log-format")?.unwrap_or("text") {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(self.usage("log-format", "must be text or json")),
        };
        let level = if self.flag("quiet") {
            Level::ERROR
        } else {
            level
        };
        logger::start(level, format);
        Ok(())
    }

    /// Whether what is printed may have colours: on a terminal, unless NO_COLOR is set.
    pub fn is_colourful(&self) -> bool {
        terminal::is_shown() && !self.no_color
    }

    /// Whether a flag is given.
    pub fn flag(&self, id: &str) -> bool {
        self.matches
            .try_get_one::<bool>(id)
            .ok()
            .flatten()
            .copied()
            .unwrap_or(false)
    }

    /// An option's value.
    pub fn value(&self, id: &str) -> Option<&OsStr> {
        self.matches
            .try_get_one::<OsString>(id)
            .ok()
            .flatten()
            .map(OsString::as_os_str)
    }

    /// All values of a repeatable option or argument. In a variable they stand on lines of their
    /// own or, names and files, between commas.
    pub fn values(&self, id: &str) -> Vec<&OsStr> {
        let values = self
            .matches
            .try_get_many::<OsString>(id)
            .ok()
            .flatten()
            .into_iter()
            .flatten();
        if self.is_given(id) {
            return values.map(OsString::as_os_str).collect();
        }
        let separates = |byte: &u8| *byte == b'\n' || (*byte == b',' && id != "env");
        values
            .flat_map(|value| value.as_bytes().split(separates))
            .filter(|value| !value.is_empty())
            .map(OsStr::from_bytes)
            .collect()
    }

    /// What an option, or the variable that stands for it, is called.
    pub fn setting(&self, id: &str) -> String {
        match command_line::argument(id) {
            Some(name) => name.to_owned(),
            None if self.is_given(id) => format!("--{id}"),
            None => variable(id),
        }
    }

    /// The path that an option or argument holds.
    pub fn path(&self, id: &str) -> Option<Named> {
        let path = self.value(id)?;
        Some(Named::new(self.setting(id), path))
    }

    /// All paths of a repeatable one. One that can't be shown has none shown: together they may be
    /// the lines of a key.
    pub fn paths(&self, id: &str) -> Vec<Named> {
        let values = self.values(id);
        let paths = values.iter().map(|path| Named::new(self.setting(id), path));
        let paths: Vec<Named> = paths.collect();
        match paths.iter().all(Named::is_shown) {
            true => paths,
            false => paths.into_iter().map(Named::hidden).collect(),
        }
    }

    /// The command, and its arguments.
    pub fn command(&self) -> Vec<CString> {
        let words = self.values("command").into_iter();
        words.map(|word| c_string(word.to_owned())).collect()
    }

    /// An option's value as text.
    ///
    /// # Errors
    /// A usage error where it is not UTF-8.
    pub fn text(&self, id: &str) -> Result<Option<&str>, Error> {
        self.value(id)
            .map(|value| value.to_str().ok_or_else(|| self.usage(id, "is not UTF-8")))
            .transpose()
    }

    /// Whether an option stands on the command line itself.
    pub fn is_given(&self, id: &str) -> bool {
        // Asking for the source of an option that the subcommand does not have is an error to clap.
        let known = self.matches.try_contains_id(id).unwrap_or(false);
        known && self.matches.value_source(id) == Some(ValueSource::CommandLine)
    }

    /// A usage error about an option, under the name by which it was given.
    pub fn usage(&self, id: &str, what: &str) -> Error {
        Error::Usage(format!("{} {what}", self.setting(id)))
    }

    /// Refuses an option on the command line that does nothing without another.
    fn needs(&self, id: &str, other: &str) -> Result<(), Error> {
        match self.is_given(id) && self.value(other).is_none() {
            true => Err(self.usage(id, &format!("needs --{other}"))),
            false => Ok(()),
        }
    }

    fn name(&self, id: &str) -> Result<Option<Name>, Error> {
        let Some(value) = self.value(id) else {
            return Ok(None);
        };
        let name = Name::new(value.as_bytes());
        name.map(Some).ok_or_else(|| self.usage(id, NOT_AN_ID))
    }

    /// How long a launch may take.
    ///
    /// # Errors
    /// A usage error where it is no duration.
    pub fn timeout(&self) -> Result<Duration, Error> {
        let Some(text) = self.text("timeout")? else {
            return Ok(USUAL_TIMEOUT);
        };
        duration::parse(text)
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| {
                self.usage(
                    "timeout",
                    "must be a duration above zero, such as 30s or 500ms",
                )
            })
    }

    /// Where the environment comes from.
    ///
    /// # Errors
    /// A usage error.
    pub fn sources(&self, place: &Place) -> Result<Sources, Error> {
        let bytes = |id| {
            self.values(id)
                .into_iter()
                .map(|value| value.as_bytes().to_vec())
                .collect()
        };
        let mut assignments = Vec::new();
        for value in self.values("env") {
            let value = value.as_bytes();
            let equals = value
                .iter()
                .position(|&byte| byte == b'=')
                .filter(|&at| at > 0);
            let equals = equals.ok_or_else(|| self.usage("env", "must be NAME=VALUE"))?;
            assignments.push((value[..equals].to_vec(), value[equals + 1..].to_vec()));
        }
        self.needs("spec-path", "spec")?;
        let spec_path = self.text("spec-path")?.unwrap_or("env").to_owned();
        Ok(Sources {
            clear: self.flag("clear-env"),
            keep: bytes("keep-env"),
            store: place.store.clone(),
            env_files: self.paths("env-file"),
            spec: self.path("spec").map(|file| (file, spec_path)),
            assignments,
            literal: bytes("literal"),
            references: self.references(place)?,
            distrust: self.distrust()?,
            files: super::run::files(self)?,
        })
    }

    /// The words that have more values be references.
    fn references(&self, place: &Place) -> Result<Vec<&'static str>, Error> {
        let said = self.text("references")?;
        let list = said.or_else(|| place.config.get("references"));
        let known = stores::references();
        let words = list.unwrap_or_default().split(',').map(str::trim);
        let words = words.filter(|word| !word.is_empty()).map(|word| {
            let found = known.iter().find(|known| **known == word).copied();
            let among = || format!("must be of {}, with commas between", known.join(", "));
            found.ok_or_else(|| match said {
                Some(_) => self.usage("references", &among()),
                None => Error::Usage(format!("references in doorkey.toml {}", among())),
            })
        });
        words.collect()
    }

    /// The store and the scopes: options and variables first, then `doorkey.toml`.
    ///
    /// # Errors
    /// A usage error, or a configuration file that can't be read.
    pub fn place(&self) -> Result<Place, Error> {
        let (config, file) = self.config()?;
        let base = file.parent().unwrap_or(Path::new("")).to_owned();
        let name = |id: &str| match (self.name(id)?, config.get(id)) {
            (None, Some(text)) => Name::new(text.as_bytes())
                .map(Some)
                .ok_or_else(|| Error::Usage(format!("{id} in doorkey.toml {NOT_AN_ID}"))),
            (said, _) => Ok(said),
        };
        let scopes = Scopes {
            project: name("project")?,
            cluster: name("cluster")?,
        };
        let (store, origin, base) = match self.text("store")? {
            Some(store) => (Some(store.to_owned()), Origin::Said, PathBuf::new()),
            None => {
                let store = config.get("store").map(str::to_owned);
                (store, Origin::Configured, base)
            }
        };
        Ok(Place {
            store,
            origin,
            base,
            scopes,
            config,
            file,
        })
    }

    /// What stores need to be opened, those at single places with these `words` included. Their
    /// credentials are taken out of the environment, but what is `kept` stays there, too. Those
    /// that nothing here needs, as values are only read where it `reads`, are overwritten at once.
    pub fn access(
        &self,
        place: &Place,
        started: &mut Started,
        words: &BTreeSet<&'static str>,
        kept: &[Vec<u8>],
        reads: bool,
    ) -> Access {
        let keeps = |name: &str| kept.iter().any(|kept| kept == name.as_bytes());
        let location = place.store.as_deref();
        let credentials = stores::credentials(location, words);
        let setting = |option: &'static StoreOption| {
            let id = option.option.id;
            let flag = self.flag(id).then(OsString::new);
            let said = flag.or_else(|| self.value(id).map(OsStr::to_owned));
            let configured = place.config.get(id).map(OsString::from);
            let of = |origin| {
                move |value| Setting {
                    id,
                    name: self.setting(id),
                    value,
                    origin,
                }
            };
            let configured = configured.map(of(Origin::Configured));
            [said.map(of(Origin::Said)), configured]
        };
        let variable = |name: &'static str| {
            let value = lookup(&started.environment, name.as_bytes())?;
            Some((name, value.to_vec()))
        };
        let names = stores::read_variables(location, words);
        let settings = stores::flags(location, words).flat_map(setting);
        let settings = settings.flatten().collect();
        let variables = names.into_iter().filter_map(variable).collect();
        let mut credentials = started.take(&credentials, keeps);
        let again = self.value("watch").is_some();
        // With --watch they are judged first: what is here would be here at each fetch.
        if !again {
            let caches = self.value("cache").is_some() || place.config.get("cache").is_some();
            let needed = stores::needed(location, words, reads, caches);
            credentials.retain(|(name, _)| needed.contains(name));
        }
        Access {
            base: place.base.clone(),
            settings,
            variables,
            credentials,
            config_home: self.home.clone(),
            home: self.user_home.clone(),
            scopes: vec![],
            again,
            // Before the timer, so that what was tried can still be said.
            deadline: self
                .timeout()
                .ok()
                .map(|timeout| self.began + timeout - SAYING.min(timeout / 10)),
            of_main: place.of_main(),
        }
    }

    /// Where the last values are kept, if anywhere.
    ///
    /// # Errors
    /// A usage error.
    pub fn cache(&self, place: &Place, access: &Arc<Access>) -> Result<Option<Cache>, Error> {
        let text = |id: &str| match self.text(id) {
            Ok(said) => Ok(said.or_else(|| place.config.get(id))),
            Err(error) => Err(error),
        };
        let configured = place.config.get("cache");
        let configured = configured.map(|file| Named::new("cache in doorkey.toml", file));
        let Some(file) = self.path("cache").or(configured) else {
            self.needs("cache-recipient", "cache")?;
            self.needs("cache-max-age", "cache")?;
            return Ok(None);
        };
        let recipient = text("cache-recipient")?.ok_or_else(|| {
            self.usage(
                "cache",
                "needs --cache-recipient, the public half of a key (age1…)",
            )
        })?;
        let longest = match text("cache-max-age")? {
            None => Duration::from_secs(24 * 60 * 60),
            Some(text) => humantime::parse_duration(text)
                .map_err(|_| self.usage("cache-max-age", "must be a duration such as 24h"))?,
        };
        Ok(Some(Cache {
            file,
            recipient: recipient.to_owned(),
            longest,
            access: Arc::clone(access),
        }))
    }
}

const NOT_AN_ID: &str = "must be an id: letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";

/// The absolute path that a variable holds.
fn folder(environment: &[&'static CStr], name: &str) -> Option<PathBuf> {
    let value = lookup(environment, name.as_bytes())?;
    value
        .starts_with(b"/")
        .then(|| PathBuf::from(OsStr::from_bytes(value)))
}
