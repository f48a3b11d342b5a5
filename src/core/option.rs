//! Options as data: what the command line, a store's row of the table and the configuration file
//! have in common.

/// How an option is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// By itself.
    Flag,
    /// Once, with a value; what the value is called.
    Value(&'static str),
    /// Any number of times, each with a value; what the value is called.
    Values(&'static str),
    /// Once, with a number, which may be negative; what it is called.
    Number(&'static str),
    /// By itself, and help is printed.
    Help,
}

/// An option.
#[derive(Clone, Copy)]
pub struct Opt {
    /// Its name after the two dashes.
    pub id: &'static str,
    /// How it is given.
    pub takes: Takes,
    /// What it does.
    pub help: &'static str,
    /// Its name after one dash.
    pub short: Option<char>,
    /// Another name after two dashes.
    pub alias: Option<&'static str>,
    /// The options that it can't be given with.
    pub conflicts: &'static [&'static str],
}

impl Opt {
    /// An option with one name.
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

    /// With a name after one dash, too.
    pub const fn short(self, short: char) -> Self {
        Opt {
            short: Some(short),
            ..self
        }
    }

    /// With another name after two dashes, too.
    pub const fn alias(self, alias: &'static str) -> Self {
        Opt {
            alias: Some(alias),
            ..self
        }
    }

    /// Not together with these.
    pub const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Opt { conflicts, ..self }
    }
}

/// An option that is given by itself.
pub const fn flag(id: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Flag, help)
}

/// An option that is given once, with a value called `name`.
pub const fn value(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Value(name), help)
}

/// An option that is given any number of times, each with a value called `name`.
pub const fn values(id: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt::new(id, Takes::Values(name), help)
}

/// What is wrong with a setting that a file has no right to say.
pub fn named_only(id: &str) -> String {
    format!("{id} counts only in a file that --config or DOORKEY_CONFIG names")
}

/// Whether the configuration file can say what an option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFile {
    /// It can.
    Always,
    /// It can where the user has named the file. One that merely lies in a folder is anybody's who
    /// could write there.
    Named,
    /// It can't.
    Never,
}
