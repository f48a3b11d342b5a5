//! Options as data, for the command line, the table of stores and the configuration file.

use std::ops::Deref;

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
    /// No option but an argument, by its place; what the value is called.
    Argument(&'static str, Arity),
}

/// Number of arguments that are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One, which has to be there.
    One,
    /// One, which may be absent.
    Optional,
    /// One, which is refused: taken only so that this can be said with a reason.
    Hidden,
    /// One or more, between options.
    Some,
    /// None or more, between options.
    Any,
    /// One or more: the first, and all that follow, whatever they look like.
    Rest,
    /// None or more, as above, and not in the help.
    HiddenRest,
}

impl Arity {
    /// True if one has to be there.
    pub const fn is_required(self) -> bool {
        matches!(self, Arity::One | Arity::Some | Arity::Rest)
    }
}

/// An option or argument.
#[derive(Clone, Copy)]
pub struct Opt {
    /// Its name after the two dashes; of an argument, in the code.
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

    /// True for one that has a value.
    pub const fn has_value(&self) -> bool {
        !matches!(self.takes, Takes::Flag | Takes::Help)
    }

    /// Not together with these.
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

/// The handle of an option that is given by itself.
#[derive(Clone, Copy)]
pub struct Flag(pub Opt);

/// The handle of an option or argument with one value.
#[derive(Clone, Copy)]
pub struct One(pub Opt);

/// The handle of an option or argument with any number of values.
#[derive(Clone, Copy)]
pub struct Many(pub Opt);

/// The handle of [`flag`].
pub const fn switch(id: &'static str, help: &'static str) -> Flag {
    Flag(flag(id, help))
}

/// The handle of [`value`].
pub const fn one(id: &'static str, name: &'static str, help: &'static str) -> One {
    One(value(id, name, help))
}

/// The same of one whose value is a number, which may be negative.
pub const fn number(id: &'static str, name: &'static str, help: &'static str) -> One {
    One(Opt::new(id, Takes::Number(name), help))
}

/// The handle of an option that is given any number of times.
pub const fn many(id: &'static str, name: &'static str, help: &'static str) -> Many {
    Many(Opt::new(id, Takes::Values(name), help))
}

/// The handle of an argument called `name`; `id` is its name in the code.
pub const fn argument(
    id: &'static str,
    name: &'static str,
    arity: Arity,
    help: &'static str,
) -> One {
    One(Opt::new(id, Takes::Argument(name, arity), help))
}

/// The handle of an argument that is there any number of times.
pub const fn arguments(
    id: &'static str,
    name: &'static str,
    arity: Arity,
    help: &'static str,
) -> Many {
    Many(Opt::new(id, Takes::Argument(name, arity), help))
}

impl Flag {
    /// With a name after one dash, too.
    pub const fn short(self, short: char) -> Self {
        Flag(self.0.short(short))
    }

    /// With another name after two dashes, too.
    pub const fn alias(self, alias: &'static str) -> Self {
        Flag(self.0.alias(alias))
    }

    /// Not together with these.
    pub const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Flag(self.0.conflicts(conflicts))
    }
}

impl One {
    /// With a name after one dash, too.
    pub const fn short(self, short: char) -> Self {
        One(self.0.short(short))
    }
}

impl Many {
    /// With a name after one dash, too.
    pub const fn short(self, short: char) -> Self {
        Many(self.0.short(short))
    }
}

impl Deref for Flag {
    type Target = Opt;

    fn deref(&self) -> &Opt {
        &self.0
    }
}

impl Deref for One {
    type Target = Opt;

    fn deref(&self) -> &Opt {
        &self.0
    }
}

impl Deref for Many {
    type Target = Opt;

    fn deref(&self) -> &Opt {
        &self.0
    }
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
