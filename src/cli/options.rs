//! The user's options, or else their `DOORKEY_…` variables. Code asks for each by its constant in
//! the table, so that its name and its type can't be wrong.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command_line::{LEAVES, Leaf};
use super::logger::Format;
use super::parse::{self, PREFIX, Refusal, Said, is_no, is_yes, value_for, variable};
use super::{flags, own_flags};
use crate::core::environment::{lookup, value_in};
use crate::core::option::{Flag, Many, One, Opt, Takes};
use crate::core::suggest::Hints;
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::log::{self, Level};
use crate::model::name::Name;
use crate::model::named::Named;
use crate::stores;
use crate::sys::environ::{Inherited, c_string};
use crate::sys::{duration, terminal};

/// The timeout of a launch without `--timeout`.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest timeout, a hundred years: its end can still be told as an instant.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The options of one subcommand, and the environment beside them.
pub struct Options {
    /// The subcommand.
    pub leaf: &'static Leaf,
    said: Vec<Said>,
    /// The variables whose names begin as doorkey's.
    variables: Vec<&'static CStr>,
    /// The inherited environment. The code that takes it becomes its owner.
    pub inherited: Inherited,
    /// The time at which this process began its work.
    pub began: Instant,
    /// The user's folders, if the environment gives absolute paths.
    home: Option<&'static Path>,
    config_home: Option<&'static Path>,
    no_color: bool,
    /// The user who called sudo.
    pub sudo: Option<u32>,
    /// True if another process like this one ran before, and read the same sources.
    pub comes_again: bool,
    /// A credential or file that is needed and can't be read again, as a message names it.
    pub unread: Option<String>,
}

/// The settings of the log.
#[derive(Clone, Copy)]
pub struct Logging {
    /// The last level that is logged.
    pub level: Level,
    /// The format of a line.
    pub format: Format,
}

impl Options {
    /// Reads the arguments after the subcommand. The environment's variables stand in for options
    /// that are not given.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn parse(
        leaf: &'static Leaf,
        arguments: impl IntoIterator<Item = OsString>,
        inherited: Inherited,
    ) -> Result<Self, Refusal> {
        let environment = &inherited.0;
        let ours = |entry: &&'static CStr| entry.to_bytes().starts_with(PREFIX);
        let variables: Vec<_> = environment.iter().copied().filter(ours).collect();
        let number = |uid| str::from_utf8(uid).ok()?.parse().ok();
        Ok(Options {
            leaf,
            said: parse::parse(leaf, arguments, &variables)?,
            variables,
            began: Instant::now(),
            home: folder(environment, b"HOME"),
            config_home: folder(environment, b"XDG_CONFIG_HOME"),
            comes_again: false,
            unread: None,
            no_color: lookup(environment, b"NO_COLOR").is_some_and(|set| !set.is_empty()),
            sudo: lookup(environment, b"SUDO_UID").and_then(number),
            inherited,
        })
    }

    /// The settings of the log.
    ///
    /// # Errors
    /// A usage error.
    pub fn logging(&self) -> Result<Logging, Error> {
        let level = match self.text(&flags::LOG_LEVEL)?.unwrap_or("info") {
            "trace" => Level::TRACE,
            "debug" => Level::DEBUG,
            "info" => Level::INFO,
            "warn" | "warning" => Level::WARN,
            "error" | "critical" => Level::ERROR,
            _ => {
                let what = "must be trace, debug, info, warn or error";
                return Err(self.usage(&flags::LOG_LEVEL, what));
            }
        };
        let format = match self.text(&flags::LOG_FORMAT)?.unwrap_or("text") {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(self.usage(&flags::LOG_FORMAT, "must be text or json")),
        };
        let level = match self.flag(&flags::QUIET) {
            true => Level::ERROR,
            false => level,
        };
        Ok(Logging { level, format })
    }

    /// Refuses a flag's variable that says neither yes nor no, since the user may have meant the
    /// safer one.
    ///
    /// # Errors
    /// A usage error about the first such variable.
    pub fn judge_flags(&self) -> Result<(), Error> {
        let is_odd = |said: &&Said| {
            let value = said.value.as_bytes();
            let is_flag = said.option.takes == Takes::Flag;
            is_flag && !said.by_argument && !is_yes(value) && !is_no(value)
        };
        match self.said.iter().find(is_odd) {
            Some(said) => {
                let name = variable(said.option);
                Err(Error::Usage(format!(
                    "{name} must be 1 or 0, or true or false"
                )))
            }
            None => Ok(()),
        }
    }

    /// Warns of variables that look like doorkey's, but stand for no option, and aren't passed on.
    pub fn warn_of_unknown(&self) {
        if self.variables.is_empty() {
            return;
        }
        let kept = self.values(&flags::KEEP_ENV);
        let kept: BTreeSet<_> = kept.iter().map(|name| name.as_bytes()).collect();
        let hints = Hints::default();
        let all = || LEAVES.iter().flat_map(Leaf::options);
        for entry in self.variables.iter().map(|entry| entry.to_bytes()) {
            let stands = all().any(|option| value_for(entry, option.id).is_some())
                || value_for(entry, UNDER_TEST).is_some()
                || stores::ours().any(|name| value_in(entry, name.as_bytes()).is_some());
            let name = entry.split(|&byte| byte == b'=').next().unwrap_or_default();
            if stands || !entry.contains(&b'=') || kept.contains(name) {
                continue;
            }
            // The common prefix must not make names similar.
            let own = Shown(&name[PREFIX.len()..]).to_string();
            let mut known: Vec<_> = all().map(variable).collect();
            known.extend(stores::ours().map(str::to_owned));
            let meant = hints.nearest(&own, &known, |known| &known[PREFIX.len()..]);
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            log::warning!(Ignored, variable = &Shown(name); "DOORKEY_{own} stands for no option{meant}");
        }
    }

    /// True if the output may have colours: on a terminal, unless NO_COLOR is set.
    pub fn is_colourful(&self) -> bool {
        terminal::is_shown() && !self.no_color
    }

    /// Returns the user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.home.map(Path::to_owned)
    }

    /// Returns the user's configuration folder.
    pub fn config_home(&self) -> Option<PathBuf> {
        let own = self.config_home.map(Path::to_owned);
        own.or_else(|| Some(self.home?.join(".config")))
    }

    fn said(&self, option: &Opt) -> impl Iterator<Item = &Said> {
        let id = option.id;
        self.said.iter().filter(move |said| said.option.id == id)
    }

    /// True if an option is given, or its variable is set.
    pub fn has(&self, option: &Opt) -> bool {
        self.said(option).next().is_some()
    }

    /// Returns the first value of an option; an empty text for a flag on the command line.
    pub fn raw(&self, option: &Opt) -> Option<&OsStr> {
        self.said(option).next().map(|said| said.value.as_ref())
    }

    /// True if a flag is given.
    pub fn flag(&self, flag: &Flag) -> bool {
        self.has(flag)
    }

    /// Returns an option's value.
    pub fn value(&self, one: &One) -> Option<&OsStr> {
        self.raw(one)
    }

    /// Returns all values of a repeatable option or argument. A variable holds them on separate
    /// lines; values other than those of `--env` may have commas between.
    pub fn values(&self, many: &Many) -> Vec<&OsStr> {
        let values = self.said(many).map(|said| said.value.as_ref());
        if self.is_given(many) {
            return values.collect();
        }
        let is_env = many.id == flags::ENV.id;
        let separates = |byte: &u8| *byte == b'\n' || (*byte == b',' && !is_env);
        values
            .flat_map(|value: &OsStr| value.as_bytes().split(separates))
            .filter(|value| !value.is_empty())
            .map(OsStr::from_bytes)
            .collect()
    }

    /// Returns the name of an option, or of the variable that stands for it.
    pub fn setting(&self, option: &Opt) -> String {
        match option.takes {
            Takes::Argument(name, _) => name.to_owned(),
            _ if self.is_given(option) => format!("--{}", option.id),
            _ => variable(option),
        }
    }

    /// Returns the path that an option or argument holds.
    pub fn path(&self, one: &One) -> Option<Named> {
        let path = self.value(one)?;
        Some(Named::new(self.setting(one), path))
    }

    /// Returns all paths of a repeatable option. If one can't be shown, none is shown: together
    /// they may be the lines of a key.
    pub fn paths(&self, many: &Many) -> Vec<Named> {
        let values = self.values(many);
        let paths = values
            .iter()
            .map(|path| Named::new(self.setting(many), path));
        let paths: Vec<Named> = paths.collect();
        match paths.iter().all(Named::is_shown) {
            true => paths,
            false => paths.into_iter().map(Named::hidden).collect(),
        }
    }

    /// Returns the command and its arguments.
    pub fn command(&self) -> Vec<CString> {
        let words = self.values(&own_flags::COMMAND).into_iter();
        words.map(|word| c_string(word.to_owned())).collect()
    }

    /// Returns an option's value as text.
    ///
    /// # Errors
    /// A usage error if the value is not UTF-8.
    pub fn text(&self, one: &One) -> Result<Option<&str>, Error> {
        self.value(one)
            .map(|value| {
                value
                    .to_str()
                    .ok_or_else(|| self.usage(one, "is not UTF-8"))
            })
            .transpose()
    }

    /// True if an option stands on the command line itself.
    pub fn is_given(&self, option: &Opt) -> bool {
        self.said(option).any(|said| said.by_argument)
    }

    /// Makes a usage error about an option, under the name by which it was given.
    pub fn usage(&self, option: &Opt, what: &str) -> Error {
        Error::Usage(format!("{} {what}", self.setting(option)))
    }

    /// Refuses an option on the command line that does nothing without another.
    ///
    /// # Errors
    /// A usage error.
    pub fn needs(&self, option: &Opt, other: &One) -> Result<(), Error> {
        match self.is_given(option) && self.value(other).is_none() {
            true => Err(self.usage(option, &format!("needs --{}", other.id))),
            false => Ok(()),
        }
    }

    /// Returns an option's value as an id.
    ///
    /// # Errors
    /// A usage error.
    pub fn name(&self, one: &One) -> Result<Option<Name>, Error> {
        let Some(value) = self.value(one) else {
            return Ok(None);
        };
        let name = Name::new(value.as_bytes());
        name.map(Some).ok_or_else(|| self.usage(one, NOT_AN_ID))
    }

    /// Returns the timeout of a launch.
    ///
    /// # Errors
    /// A usage error if the value is no duration above zero.
    pub fn timeout(&self) -> Result<Duration, Error> {
        let Some(text) = self.text(&flags::TIMEOUT)? else {
            return Ok(USUAL_TIMEOUT);
        };
        let time = duration::parse(text).filter(|duration| !duration.is_zero());
        let time = time.map(|time| time.min(LONGEST_TIMEOUT));
        time.ok_or_else(|| {
            let what = "must be a duration above zero, such as 30s or 500ms";
            self.usage(&flags::TIMEOUT, what)
        })
    }
}

/// The name of a variable without an option, with which this project's own tests are built and run.
const UNDER_TEST: &str = "under-test";

/// The reason for refusing a text that is no id.
pub const NOT_AN_ID: &str = "must be an id: letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";

/// Returns the absolute path that a variable holds.
fn folder(environment: &[&'static CStr], name: &[u8]) -> Option<&'static Path> {
    let value = lookup(environment, name)?;
    value
        .starts_with(b"/")
        .then(|| Path::new(OsStr::from_bytes(value)))
}
