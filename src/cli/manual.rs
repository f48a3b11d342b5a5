//! Help, which clap makes from the table; and the faults of words before a subcommand.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::command_line::{self, LEAVES, Leaf};
use super::logger;
use super::output::print;
use super::parse::option_in;
use crate::core::suggest::nearest;
use crate::model::error::Error;
use crate::model::log::Level;

/// Words that people know from other programs, and ours in their place.
const OTHERS_WORDS: [(&str, &str); 12] = [
    ("ls", "list"),
    ("rm", "delete"),
    ("remove", "delete"),
    ("add", "set"),
    ("put", "set"),
    ("new", "create"),
    ("show", "get"),
    ("read", "get"),
    ("exec", "run"),
    ("start", "run"),
    ("verify", "check"),
    ("status", "doctor"),
];

/// The exit code where help is printed in place of something to do.
const NOTHING_DONE: u8 = 2;

/// Handles arguments that begin with no subcommand: help, the version, or a usage error.
///
/// # Errors
/// A usage error, or a failure to write.
pub fn tree(arguments: &[OsString]) -> Result<ExitCode, Error> {
    logger::start(Level::INFO, logger::Format::Text);
    let words: Vec<&str> = arguments.iter().map_while(|word| word.to_str()).collect();
    let (wants_help, path) = match words.as_slice() {
        [] => return help_of(&[]).map(|_| ExitCode::from(NOTHING_DONE)),
        ["version"] => (false, &["--version"][..]),
        ["help", path @ ..] => (true, path),
        path => (false, path),
    };
    let known = path
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .count();
    let (path, rest) = path.split_at(known);
    let mut depth = 0;
    while depth < path.len()
        && LEAVES
            .iter()
            .any(|leaf| leaf.words.starts_with(&path[..=depth]))
    {
        depth += 1;
    }
    if let Some(unknown) = path.get(depth) {
        let next = meant(&path[..depth], unknown);
        return Err(Error::Usage(format!("there is no such subcommand; {next}")));
    }
    if wants_help {
        return help_of(path);
    }
    if rest.is_empty() && !path.is_empty() {
        return help_of(path).map(|_| ExitCode::from(NOTHING_DONE));
    }
    let program = ["doorkey"].iter().chain(path).chain(rest);
    match command_line::tree().try_get_matches_from(program) {
        Ok(_) => Err(Error::Usage(
            "this does nothing; see doorkey --help".to_owned(),
        )),
        Err(error) => help_or_usage(&error),
    }
}

/// Prints the help of a subcommand, of a group of them, or of the program.
fn help_of(path: &[&str]) -> Result<ExitCode, Error> {
    if let Some(leaf) = LEAVES.iter().find(|leaf| leaf.words == path) {
        return help(leaf, true);
    }
    let mut command = command_line::tree();
    for word in path {
        let next = command.find_subcommand(word).cloned();
        command = next.unwrap_or(command);
    }
    print_help(&command.render_help().to_string())
}

/// Returns the next step for a word that is no subcommand below `path`.
fn meant(path: &[&str], unknown: &str) -> String {
    let ours = OTHERS_WORDS.iter().find(|(theirs, _)| *theirs == unknown);
    let word = ours.map_or(unknown, |(_, ours)| ours);
    let below = LEAVES.iter().filter(|leaf| leaf.words.starts_with(path));
    let mut next: Vec<&str> = below.map(|leaf| leaf.words[path.len()]).collect();
    if path.is_empty() {
        next.extend(["help", "version"]);
    }
    let is_there = |leaf: &&Leaf| leaf.words.starts_with(path) && leaf.words.ends_with(&[word]);
    let elsewhere = || {
        LEAVES
            .iter()
            .find(is_there)
            .map(|leaf| leaf.words.join(" "))
    };
    let whole = |word: &&str| [path, &[*word]].concat().join(" ");
    let exact = next.iter().find(|one| **one == word).map(whole);
    let near = || nearest(word, &next, |word| word).map(whole);
    match exact.or_else(elsewhere).or_else(near) {
        Some(near) => format!("did you mean doorkey {near}?"),
        None if path.is_empty() => {
            "doorkey run -- COMMAND runs a command; see doorkey --help".to_owned()
        }
        None => format!("see doorkey {} --help", path.join(" ")),
    }
}

/// Prints help on request. A usage error becomes one line that holds no text of the arguments, as
/// that may be a value.
fn help_or_usage(error: &clap::Error) -> Result<ExitCode, Error> {
    let what = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return print_help(&error.render().to_string());
        }
        ErrorKind::UnknownArgument => match invalid(error).and_then(option_in) {
            Some(option) if is_of_some(option) => {
                let hint = "it stands after a subcommand, as in doorkey run";
                return Err(Error::Usage(format!(
                    "{option} is misplaced; {hint} {option}"
                )));
            }
            Some(option) => format!("there is no option {option}"),
            None => "there is an argument too many".to_owned(),
        },
        _ => "this can't be understood".to_owned(),
    };
    Err(Error::Usage(format!("{what}; see doorkey --help")))
}

/// True if some subcommand has an option.
fn is_of_some(option: &str) -> bool {
    let id = option.trim_start_matches('-');
    let mut all = LEAVES.iter().flat_map(Leaf::options);
    option.starts_with("--") && all.any(|option| option.id == id)
}

/// Returns the argument that clap refuses.
fn invalid(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

fn print_help(help: &str) -> Result<ExitCode, Error> {
    print(format!("{}\n", help.trim_end()).as_bytes())
}

/// Prints a subcommand's help: with all options, or with those that are used most.
///
/// # Errors
/// A failure to write.
pub fn help(leaf: &Leaf, all: bool) -> Result<ExitCode, Error> {
    let mut help = match all {
        true => leaf.command(),
        false => leaf.in_short(),
    };
    print_help(&help.render_help().to_string())
}
