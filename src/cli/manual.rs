//! Help, the version, and the faults of words before a subcommand.

use std::ffi::OsString;
use std::process::ExitCode;

use super::command_line::{LEAVES, Leaf};
use super::output::print;
use super::parse::option_in;
use super::{logger, usage};
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
    match rest {
        ["--help" | "-h", ..] => help_of(path),
        ["--version" | "-V", ..] if path.is_empty() => {
            print(concat!("doorkey ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())
        }
        [word, ..] => {
            let what = match option_in(word) {
                Some(option) if is_of_some(option) => {
                    let hint = "it stands after a subcommand, as in doorkey run";
                    return Err(Error::Usage(format!(
                        "{option} is misplaced; {hint} {option}"
                    )));
                }
                Some(option) => format!("there is no option {option}"),
                None => "there is an argument too many".to_owned(),
            };
            Err(Error::Usage(format!("{what}; see doorkey --help")))
        }
        [] => help_of(path).map(|_| ExitCode::from(NOTHING_DONE)),
    }
}

/// Prints the help of a subcommand, of a group of them, or of the program.
fn help_of(path: &[&str]) -> Result<ExitCode, Error> {
    match LEAVES.iter().find(|leaf| leaf.words == path) {
        Some(leaf) => help(leaf, true),
        None => print(usage::of_group(path).as_bytes()),
    }
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

/// True if some subcommand has an option.
fn is_of_some(option: &str) -> bool {
    let id = option.trim_start_matches('-');
    let mut all = LEAVES.iter().flat_map(Leaf::options);
    option.starts_with("--") && all.any(|option| option.id == id)
}

/// Prints a subcommand's help: with all options, or with those that are used most.
///
/// # Errors
/// A failure to write.
pub fn help(leaf: &Leaf, all: bool) -> Result<ExitCode, Error> {
    print(usage::of_leaf(leaf, all).as_bytes())
}
