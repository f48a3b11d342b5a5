//! Options as data, for the command line, the table of stores and the configuration file.

/// Form of an option on the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Without a value.
    Flag,
    /// Once, with a value of this name.
    Value(&'static str),
    /// Any number of times, each with a value of this name.
    Values(&'static str),
    /// Once, with a number of this name, which may be negative.
    Number(&'static str),
    /// Without a value; prints help.
    Help,
}

/// An option.
#[derive(Clone, Copy)]
pub struct Opt {
    /// Name after two dashes.
    pub id: &'static str,
    /// Form on the command line.
    pub takes: Takes,
    /// Help text.
    pub help: &'static str,
    /// Short name after one dash.
    pub short: Option<char>,
    /// Second name after two dashes.
    pub alias: Option<&'static str>,
    /// Options that exclude this one.
    pub conflicts: &'static [&'static str],
}

impl Opt {
    /// Makes an option with one name.
    pub const fn new(id: &'static str, takes: Takes, help: &'static str) -> Self {
        Opt {
            id,
            takes,
            help,
            short: None,
            alias: None,
            conflicts: &[],
        }
    }

    /// Adds a short name.
    pub const fn short(self, short: char) -> Self {
        Opt {
            short: Some(short),
            ..self
        }
    }

    /// Adds a second name.
    pub const fn alias(self, alias: &'static str) -> Self {
        Opt {
            alias: Some(alias),
            ..self
        }
    }

    /// Excludes these options.
    pub const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Opt { conflicts, ..self }
    }
}

/// Makes an option without a value.
pub const fn flag(id: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Flag, help)
}

/// Makes an option that takes one value, called `name`.
pub const fn value(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Value(name), help)
}

/// Makes an option that may be repeated, each time with a value called `name`.
pub const fn values(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Values(name), help)
}

/// Explains that only a named configuration file may have this setting.
pub fn named_only(id: &str) -> String {
    format!("{id} counts only in a file that --config or DOORKEY_CONFIG names")
}

/// Permission of the configuration file to set an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFile {
    /// Any file may.
    Always,
    /// Only a file that the user has named may. A found file could be anybody's who can write to
    /// its folder.
    Named,
    /// No file may.
    Never,
}
