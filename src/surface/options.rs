//! What the user said: options, then `DOORKEY_…` variables, then `doorkey.toml`.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::log::LevelFilter;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::cli::Leaf;
use super::given::{Given, variable};
use super::log::{self, Format};
use crate::engines::assemble::Sources;
use crate::pure::config::{self, Config};
use crate::pure::environment::lookup;
use crate::pure::scope::Scopes;
use crate::stores::{self, Access};
use crate::words::error::Error;
use crate::words::name::Name;
use crate::world::environ::Started;
use crate::world::{files, terminal};

/// `doorkey.toml` is not larger than this, in bytes.
const LARGEST_CONFIG: usize = 64 * 1024;

/// The options of one subcommand.
pub struct Options {
    matches: ArgMatches,
    home: Option<PathBuf>,
    no_color: bool,
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
                log::start(LevelFilter::Info, likely_format(arguments, environment));
                super::help_or_usage(&error, &format!("doorkey {}", leaf.words.join(" ")))?;
                std::process::exit(0);
            }
        };
        let options = Options {
            matches,
            home: home(environment),
            no_color: lookup(environment, b"NO_COLOR").is_some_and(|set| !set.is_empty()),
        };
        let started = options.start_log();
        log::start(LevelFilter::Info, Format::Text);
        started?;
        Ok(options)
    }

    fn start_log(&self) -> Result<(), Error> {
        let level = match self.text("log-level")?.unwrap_or("info") {
            "trace" => LevelFilter::Trace,
            "debug" => LevelFilter::Debug,
            "info" => LevelFilter::Info,
            "warn" | "warning" => LevelFilter::Warn,
            "error" | "critical" => LevelFilter::Error,
            _ => return Err(self.usage("log-level", "must be trace, debug, info, warn or error")),
        };
        let format = match self.text("log-format")?.unwrap_or("text") {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(self.usage("log-format", "must be text or json")),
        };
        let level = if self.flag("quiet") {
            LevelFilter::Error
        } else {
            level
        };
        log::start(level, format);
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
        let name = if self.is_given(id) {
            format!("--{id}")
        } else {
            variable(id)
        };
        Error::Usage(format!("{name} {what}"))
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
            return Ok(Duration::from_secs(30));
        };
        let seconds = text.parse().map(Duration::from_secs).ok();
        let duration = seconds.or_else(|| humantime::parse_duration(text).ok());
        duration
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
        let spec_path = self.text("spec-path")?.unwrap_or("env").to_owned();
        Ok(Sources {
            clear: self.flag("clear-env"),
            keep: bytes("keep-env"),
            own: place
                .store
                .as_deref()
                .map(stores::own_variables)
                .unwrap_or_default(),
            env_files: self
                .values("env-file")
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            spec: self
                .value("spec")
                .map(|file| (PathBuf::from(file), spec_path)),
            assignments,
            literal: bytes("literal"),
        })
    }

    /// The store and the scopes: options and variables first, then `doorkey.toml`.
    ///
    /// # Errors
    /// A usage error, or a configuration file that can't be read.
    pub fn place(&self) -> Result<Place, Error> {
        let (config, base) = self.config()?;
        let of_config = |value: &Option<String>, id: &str| match value {
            None => Ok(None),
            Some(id_text) => Name::new(id_text.as_bytes())
                .map(Some)
                .ok_or_else(|| Error::Usage(format!("{id} in doorkey.toml {NOT_AN_ID}"))),
        };
        let (store, base) = match self.text("store")? {
            Some(store) => (Some(store.to_owned()), PathBuf::new()),
            None => (config.store.clone(), base),
        };
        let project = self.name("project")?;
        let cluster = self.name("cluster")?;
        Ok(Place {
            store,
            base,
            scopes: Scopes {
                project: if project.is_some() {
                    project
                } else {
                    of_config(&config.project, "project")?
                },
                cluster: if cluster.is_some() {
                    cluster
                } else {
                    of_config(&config.cluster, "cluster")?
                },
            },
        })
    }

    /// What a store needs to be opened.
    pub fn access(&self, place: &Place, started: &mut Started) -> Access {
        let keep = self.values("keep-env");
        let own = stores::credentials(place.store.as_deref());
        Access {
            base: place.base.clone(),
            credentials: started.take(&own, |name| keep.contains(&OsStr::new(name))),
            key_file: self.value("key-file").map(PathBuf::from),
            own_key_file: self.home.as_ref().map(|home| home.join("doorkey/key.txt")),
            trim_newline: self.flag("trim-newline"),
        }
    }

    /// The configuration, and the folder that its store starts from.
    fn config(&self) -> Result<(Config, PathBuf), Error> {
        let read = |path: &Path| match files::read(path, LARGEST_CONFIG) {
            Ok(text) => config::parse(&text).map_err(|at| Error::Text {
                path: path.to_owned(),
                at,
            }),
            Err(error) => Err(Error::file("read", path, error)),
        };
        let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
        if let Some(file) = self.value("config") {
            let file = Path::new(file);
            return Ok((read(file)?, folder(file)));
        }
        let Some(start) = self.start_folder()? else {
            return Ok(Default::default());
        };
        for above in start.ancestors() {
            let file = above.join("doorkey.toml");
            if files::exists(&file) {
                ::log::debug!("settings come from {}", file.display());
                return Ok((read(&file)?, folder(&file)));
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

/// The log's format where the arguments can't be parsed: JSON if they seem to say so.
fn likely_format(arguments: &[OsString], environment: &[&'static CStr]) -> Format {
    let says_json = arguments
        .iter()
        .any(|argument| argument == "--log-format=json")
        || arguments
            .windows(2)
            .any(|pair| pair == ["--log-format", "json"])
        || environment.contains(&c"DOORKEY_LOG_FORMAT=json");
    if says_json {
        Format::Json
    } else {
        Format::Text
    }
}

const NOT_AN_ID: &str = "must be an id: letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";

/// Where secrets are looked for.
pub struct Place {
    /// The store, as `SCHEME:PLACE`.
    pub store: Option<String>,
    /// The folder that a relative place starts from.
    pub base: PathBuf,
    /// The scopes in force.
    pub scopes: Scopes,
}

/// The user's configuration folder.
fn home(environment: &[&'static CStr]) -> Option<PathBuf> {
    let value = |name: &str| {
        let value = lookup(environment, name.as_bytes())?;
        value
            .starts_with(b"/")
            .then(|| PathBuf::from(OsStr::from_bytes(value)))
    };
    value("XDG_CONFIG_HOME").or_else(|| Some(value("HOME")?.join(".config")))
}
