//! Reads the words of a command line by the table, once, before the process is forked. Nothing is
//! printed, read from a file, or judged beyond its form. Clap, built from the same table, gives the
//! help; tests compare the answers of both.

use std::borrow::Cow;
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use lexopt::{Arg, Parser};

use super::command_line::Leaf;
use crate::core::option::{Arity, Opt, Takes};
use crate::core::suggest::nearest;

/// An option or argument with its value.
pub struct Said {
    /// The option or argument, as the subcommand has it.
    pub option: &'static Opt,
    /// The value; empty for a flag on the command line. A variable's value is borrowed from the
    /// environment, where a supervisor overwrites it.
    pub value: Cow<'static, OsStr>,
    /// True if it stands on the command line, not in a variable.
    pub by_argument: bool,
}

/// The reason why a command line is not followed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A request for help: with all options, or with those that are used most.
    Help {
        /// True if all options are wanted.
        all: bool,
    },
    /// A usage error: its reason, and behind a semicolon the next step if that is not the help.
    /// Only names of options are in the text, as anything else may be a value.
    Usage(String),
}

impl Refusal {
    fn usage<T>(what: String) -> Result<T, Refusal> {
        Err(Refusal::Usage(what))
    }

    /// Refuses an unknown option, or an argument too many.
    fn unknown<T>(leaf: &Leaf, text: &str) -> Result<T, Refusal> {
        let Some(option) = option_in(text) else {
            return Refusal::usage("there is an argument too many".to_owned());
        };
        let known: Vec<&str> = leaf.options().map(|option| option.id).collect();
        let meant = nearest(option.trim_start_matches('-'), &known, |id| id);
        let takes_command = leaf.arguments.iter().any(Opt::is_rest);
        let next = match meant.filter(|_| option.starts_with("--")) {
            Some(meant) => format!("; did you mean --{meant}?"),
            None if takes_command => {
                format!("; an option of the command stands after it: -- COMMAND {option}")
            }
            None => String::new(),
        };
        Refusal::usage(format!("there is no option {option}{next}"))
    }

    /// Refuses an option without its value, or with a value that it does not take.
    fn misvalued<T>(option: &Opt) -> Result<T, Refusal> {
        let shown = option.shown();
        match option_in(&shown) {
            Some(option) => Refusal::usage(format!(
                "{option} is given without a value, or with one too many"
            )),
            None => Refusal::usage("this can't be understood".to_owned()),
        }
    }
}

/// Returns the name of an option at the beginning of a text, if there is one.
pub fn option_in(text: &str) -> Option<&str> {
    let option = text.split(['=', ' ']).next().unwrap_or_default();
    let name = option.trim_start_matches('-');
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    (option.starts_with('-') && is_name).then_some(option)
}

/// Reads a subcommand's arguments, after its words, and the variables that stand for its options.
/// An empty variable counts as none, since compose makes an unset variable empty.
///
/// # Errors
/// A [`Refusal`].
pub fn parse(
    leaf: &'static Leaf,
    arguments: impl IntoIterator<Item = OsString>,
    variables: &[&'static CStr],
) -> Result<Vec<Said>, Refusal> {
    let mut words = Words {
        leaf,
        parser: Parser::from_args(arguments),
        said: Vec::new(),
        valueless: None,
        place: 0,
    };
    while words.step()? {}
    let Words {
        mut said,
        valueless,
        ..
    } = words;
    if let Some(option) = valueless {
        return Refusal::misvalued(option);
    }
    let mut helps = leaf.options().filter(|option| option.takes == Takes::Help);
    let is_wanted = |value: &[u8]| !value.is_empty() && !is_no(value);
    if helps.any(|option| of_option(variables, option).is_some_and(is_wanted)) {
        return Err(Refusal::Help { all: true });
    }
    judge(leaf, &said)?;
    if !variables.is_empty() {
        let is_free = |option: &Opt| said.iter().all(|one| one.option.id != option.id);
        let free = leaf.options().filter(|option| is_free(option));
        let by_variable = free.filter_map(|option| {
            let value = of_option(variables, option)?;
            let is_off = option.takes == Takes::Flag && is_no(value);
            (!value.is_empty() && !is_off).then_some(Said {
                option,
                value: Cow::Borrowed(OsStr::from_bytes(value)),
                by_argument: false,
            })
        });
        let by_variable: Vec<_> = by_variable.collect();
        said.extend(by_variable);
    }
    Ok(said)
}

struct Words {
    leaf: &'static Leaf,
    parser: Parser,
    said: Vec<Said>,
    /// The option whose value is missing. An unknown option after it is the worse fault.
    valueless: Option<&'static Opt>,
    /// The place of the next argument that is no option.
    place: usize,
}

impl Words {
    /// Reads the next word with its value; false if there is none.
    fn step(&mut self) -> Result<bool, Refusal> {
        let leaf = self.leaf;
        match self.parser.next() {
            Ok(None) => return Ok(false),
            Ok(Some(Arg::Value(value))) => return self.argument(value),
            Ok(Some(Arg::Long(name))) => {
                let Some(option) = leaf.options().find(|option| option.is_called(name)) else {
                    return Refusal::unknown(leaf, &format!("--{name}"));
                };
                if !option.has_value() && self.parser.optional_value().is_some() {
                    return Refusal::misvalued(option);
                }
                self.option(option, true)?;
            }
            Ok(Some(Arg::Short(name))) => {
                let mut options = leaf.options();
                let Some(option) = options.find(|option| option.short == Some(name)) else {
                    return Refusal::unknown(leaf, &format!("-{name}"));
                };
                self.option(option, false)?;
            }
            // lexopt refuses a value behind a flag's letter; clap reads it as more letters.
            Err(_) => return Refusal::unknown(leaf, "-="),
        }
        Ok(true)
    }

    fn option(&mut self, option: &'static Opt, is_long: bool) -> Result<(), Refusal> {
        let value = match option.has_value() {
            true => self.parser.optional_value(),
            false => Some(OsString::new()),
        };
        if let Some(before) = self.valueless {
            return Refusal::misvalued(before);
        }
        if option.takes == Takes::Help {
            return Err(Refusal::Help { all: is_long });
        }
        let takes_next = |next: &OsStr| {
            let next = next.as_bytes();
            let is_number = matches!(option.takes, Takes::Number(_)) && is_negative(next);
            next.len() < 2 || !next.starts_with(b"-") || is_number
        };
        let next = |parser: &mut Parser| parser.try_raw_args()?.next_if(takes_next);
        match value.or_else(|| next(&mut self.parser)) {
            None => self.valueless = Some(option),
            Some(value) => self.add(option, value)?,
        }
        Ok(())
    }

    fn add(&mut self, option: &'static Opt, value: OsString) -> Result<(), Refusal> {
        let is_repeated = self.said.iter().any(|one| one.option.id == option.id);
        if is_repeated && !option.is_repeatable() {
            return Refusal::usage(format!("{} is given twice", option.shown()));
        }
        self.said.push(Said {
            option,
            value: Cow::Owned(value),
            by_argument: true,
        });
        Ok(())
    }

    fn argument(&mut self, value: OsString) -> Result<bool, Refusal> {
        let Some(argument) = self.leaf.arguments.get(self.place) else {
            return Refusal::unknown(self.leaf, &value.to_string_lossy());
        };
        if let Some(before) = self.valueless {
            return Refusal::misvalued(before);
        }
        self.add(argument, value)?;
        match argument.takes {
            Takes::Argument(_, Arity::Rest | Arity::HiddenRest) => {
                let rest = self.parser.raw_args().into_iter().flatten();
                self.said.extend(rest.map(|value| Said {
                    option: argument,
                    value: Cow::Owned(value),
                    by_argument: true,
                }));
            }
            Takes::Argument(_, Arity::Some | Arity::Any) => {}
            _ => self.place += 1,
        }
        Ok(true)
    }
}

/// Refuses conflicting options, and missing arguments.
fn judge(leaf: &Leaf, said: &[Said]) -> Result<(), Refusal> {
    let clash = |one: &Opt, other: &Opt| one.conflicts.contains(&other.id);
    for one in said {
        let mut others = said.iter().map(|other| other.option);
        let other = others.find(|other| clash(one.option, other) || clash(other, one.option));
        if let Some(other) = other {
            let (one, other) = (one.option.shown(), other.shown());
            return Refusal::usage(format!("{one} can't be used with {other}"));
        }
    }
    let mut missing = leaf.arguments.iter().filter(|argument| {
        let is_required =
            matches!(argument.takes, Takes::Argument(_, arity) if arity.is_required());
        is_required && said.iter().all(|one| one.option.id != argument.id)
    });
    match missing.next() {
        Some(argument) if argument.is_rest() => {
            let of_image = match leaf.words {
                ["run"] => {
                    "; an image's own command is dropped where its entrypoint is replaced, so \
                     repeat it there"
                }
                _ => "",
            };
            let shown = argument.shown();
            Refusal::usage(format!("{shown} is missing; put it after --{of_image}"))
        }
        Some(argument) => Refusal::usage(format!("{} is missing", argument.shown())),
        None => Ok(()),
    }
}

impl Opt {
    fn is_called(&self, long: &str) -> bool {
        long == self.id || self.alias.is_some_and(|alias| long == alias)
    }

    /// True for an argument that takes all that follows.
    fn is_rest(&self) -> bool {
        matches!(self.takes, Takes::Argument(_, Arity::Rest))
    }

    fn is_repeatable(&self) -> bool {
        matches!(
            self.takes,
            Takes::Values(_)
                | Takes::Argument(
                    _,
                    Arity::Some | Arity::Any | Arity::Rest | Arity::HiddenRest
                )
        )
    }

    /// Returns the name for a usage error.
    fn shown(&self) -> String {
        match self.takes {
            Takes::Argument(name, Arity::Some | Arity::Rest) => format!("<{name}>..."),
            Takes::Argument(name, _) => format!("<{name}>"),
            _ => format!("--{}", self.id),
        }
    }
}

/// True if a word that begins like an option is a number below zero, with or without a fraction
/// and an exponent.
fn is_negative(word: &[u8]) -> bool {
    let Some((b'-', number)) = word.split_first() else {
        return false;
    };
    let (mut has_dot, mut exponent) = (false, None);
    for (at, byte) in number.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {}
            b'.' if !has_dot && exponent.is_none() && at > 0 => has_dot = true,
            b'e' | b'E' if exponent.is_none() && at > 0 => exponent = Some(at),
            _ => return false,
        }
    }
    exponent.is_none_or(|at| at + 1 < number.len())
}

/// The beginning of doorkey's variables.
pub const PREFIX: &[u8] = b"DOORKEY_";

/// Returns the name of the variable that stands for an option.
pub fn variable(option: &Opt) -> String {
    format!("DOORKEY_{}", option.id.to_uppercase().replace('-', "_"))
}

/// Returns the value of an option's variable among doorkey's own. Unlike [`variable`], it allocates
/// no memory.
pub fn of_option(variables: &[&'static CStr], option: &Opt) -> Option<&'static [u8]> {
    let mut variables = variables.iter();
    variables.find_map(|entry| value_for(entry.to_bytes(), option.id))
}

/// Returns the value of an entry if it is the variable of an option.
pub fn value_for<'e>(entry: &'e [u8], id: &str) -> Option<&'e [u8]> {
    let of_variable = |byte: u8| match byte {
        b'-' => b'_',
        byte => byte.to_ascii_uppercase(),
    };
    let (name, rest) = entry.get(PREFIX.len()..)?.split_at_checked(id.len())?;
    let value = rest.strip_prefix(b"=")?;
    let mut bytes = id.bytes().zip(name);
    bytes
        .all(|(byte, &there)| of_variable(byte) == there)
        .then_some(value)
}

/// True if a flag's variable says no.
pub fn is_no(value: &[u8]) -> bool {
    is_one_of(&["0", "false", "no", "off", "n", "f"], value)
}

/// True if a flag's variable says yes.
pub fn is_yes(value: &[u8]) -> bool {
    is_one_of(&["1", "true", "yes", "on", "y", "t"], value)
}

fn is_one_of(words: &[&str], value: &[u8]) -> bool {
    let mut words = words.iter();
    words.any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests;
