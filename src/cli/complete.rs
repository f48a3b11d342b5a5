//! Completions. A shell's script is short: it asks doorkey itself for the candidates of the words
//! so far, so that projects, clusters and names of a local store are among them.

use std::ffi::OsString;
use std::process::ExitCode;

use super::command_line::{LEAVES, Leaf};
use super::options::Options;
use super::output::print;
use super::own_flags;
use super::store_and_scope::ScopeTarget;
use crate::core::option::{Arity, Opt, Takes};
use crate::model::error::Error;
use crate::model::name::Scope;
use crate::stores;
use crate::sys::environ::Inherited;

const SHELLS: [(&str, &str); 3] = [
    ("bash", include_str!("completions/doorkey.bash")),
    ("fish", include_str!("completions/doorkey.fish")),
    ("zsh", include_str!("completions/doorkey.zsh")),
];

/// The subcommand whose options say all about a store and a scope, and which needs no argument.
const LISTING: [&str; 2] = ["secret", "list"];

/// Prints the script for a shell; behind `--`, the candidates for the last of these words.
///
/// # Errors
/// A usage error, or a failure to write.
pub fn completions(options: &mut Options) -> Result<ExitCode, Error> {
    let given = options.text(&own_flags::SHELL)?.unwrap_or_default();
    let shell = SHELLS.iter().find(|(shell, _)| *shell == given);
    let Some(&(shell, script)) = shell else {
        return Err(Error::Usage(
            "the shell must be bash, fish or zsh".to_owned(),
        ));
    };
    if !options.is_given(&own_flags::WORDS) {
        return print(script.as_bytes());
    }
    let words = options.values(&own_flags::WORDS).into_iter();
    // A word that is not UTF-8 is none of doorkey's own.
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let inherited = std::mem::take(&mut options.inherited);
    let mut text = String::new();
    for (candidate, about) in candidates(shell, words, inherited) {
        text += &match shell {
            "fish" => format!("{candidate}\t{about}\n"),
            "zsh" if !about.is_empty() => format!("{}:{about}\n", candidate.replace(':', "\\:")),
            "zsh" => format!("{}\n", candidate.replace(':', "\\:")),
            _ => format!("{candidate}\n"),
        };
    }
    print(text.as_bytes())
}

/// A candidate, and a few words about it.
type Candidate = (String, &'static str);

/// Returns all candidates that begin as the last word does.
fn candidates(shell: &str, words: Vec<String>, inherited: Inherited) -> Vec<Candidate> {
    let mut words = match shell {
        "bash" => joined(words),
        _ => words,
    };
    let Some(last) = words.pop() else {
        return Vec::new();
    };
    let path = |leaf: &Leaf| {
        let mut both = leaf.words.iter().zip(&words);
        words.len() >= leaf.words.len() && both.all(|(word, given)| word == given)
    };
    let Some(leaf) = LEAVES.iter().find(|leaf| path(leaf)) else {
        return subcommands(&words, &last);
    };
    let (found, prefix, last) = match place(leaf, &words[leaf.words.len()..], &last) {
        Place::Option => {
            let long = |option: &Opt| option.id;
            let named = leaf.options().map(|option| {
                let end = if option.has_value() { "=" } else { "" };
                (format!("--{}{end}", long(option)), option.help)
            });
            (named.collect(), "", last.as_str())
        }
        Place::Value(option, prefix) => {
            let found = values(option, &words[leaf.words.len()..], inherited);
            (found, prefix, &last[prefix.len()..])
        }
        Place::Elsewhere => return Vec::new(),
    };
    // Bash takes the text behind the last = for the word.
    let shown = if shell == "bash" { "" } else { prefix };
    let fits = |(candidate, _): &Candidate| candidate.starts_with(last);
    let found: Vec<Candidate> = found;
    found
        .into_iter()
        .filter(fits)
        .map(|(candidate, about)| (format!("{shown}{candidate}"), about))
        .collect()
}

/// Puts words together that bash has split at = and :.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    let mut goes_on = false;
    for word in words {
        let splits = word == "=" || word == ":";
        match whole.last_mut().filter(|_| splits || goes_on) {
            Some(before) => before.push_str(&word),
            None => whole.push(word),
        }
        goes_on = splits;
    }
    whole
}

/// Returns the subcommands below these words.
fn subcommands(words: &[String], last: &str) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for leaf in LEAVES {
        let mut both = leaf.words.iter().zip(words);
        let next = leaf.words.get(words.len());
        let Some(next) = next.filter(|_| both.all(|(word, given)| word == given)) else {
            continue;
        };
        let is_new = found.iter().all(|(word, _)| word != next);
        if is_new && next.starts_with(last) {
            let is_leaf = leaf.words.len() == words.len() + 1;
            found.push(((*next).to_owned(), if is_leaf { leaf.about } else { "" }));
        }
    }
    found
}

/// The place of the last word.
enum Place<'w> {
    /// The name of an option.
    Option,
    /// The value of an option or argument, behind this beginning of the word.
    Value(&'static Opt, &'w str),
    /// A place that doorkey has no candidates for.
    Elsewhere,
}

/// Tells what the last word after a subcommand is.
fn place<'w>(leaf: &'static Leaf, words: &[String], last: &'w str) -> Place<'w> {
    let option = |word: &str| {
        let (long, short) = (word.strip_prefix("--"), word.strip_prefix('-'));
        leaf.options().find(|option| match long {
            Some(name) => option.id == name || option.alias == Some(name),
            None => {
                short.is_some_and(|short| option.short.is_some_and(|one| short.chars().eq([one])))
            }
        })
    };
    let mut at = 0;
    let mut expected = None;
    for word in words {
        if expected.take().is_some() {
            continue;
        }
        let takes_rest = leaf.arguments.get(at).is_some_and(is_rest);
        if word == "--" || (takes_rest && !word.starts_with('-')) {
            return Place::Elsewhere;
        }
        match word.starts_with('-') {
            true => expected = option(word).filter(|option| option.has_value()),
            false => at += 1,
        }
    }
    if let Some(option) = expected {
        return Place::Value(option, "");
    }
    if !last.starts_with('-') {
        return match leaf.arguments.get(at) {
            Some(argument) if !is_rest(argument) => Place::Value(argument, ""),
            _ => Place::Elsewhere,
        };
    }
    match last.split_once('=') {
        None => Place::Option,
        Some((name, _)) => match option(name) {
            Some(option) => Place::Value(option, &last[..=name.len()]),
            None => Place::Elsewhere,
        },
    }
}

fn is_rest(argument: &Opt) -> bool {
    matches!(
        argument.takes,
        Takes::Argument(_, Arity::Rest | Arity::HiddenRest)
    )
}

/// Returns the values that an option or argument can have, of a local store. A fault has none.
fn values(option: &Opt, words: &[String], inherited: Inherited) -> Vec<Candidate> {
    if option.id == own_flags::SHELL.id {
        return SHELLS
            .iter()
            .map(|(shell, _)| ((*shell).to_owned(), ""))
            .collect();
    }
    let wanted: fn(&Scope) -> Option<String> = match option.id {
        "project" => |scope| match scope {
            Scope::Project(id) => Some(id.to_string()),
            _ => None,
        },
        "cluster" => |scope| match scope {
            Scope::Cluster(id) => Some(id.to_string()),
            _ => None,
        },
        "name" => |_| None,
        _ => return Vec::new(),
    };
    let found = local(words, inherited).and_then(|(target, named)| {
        let scopes = target.store.scopes().ok()?;
        if option.id != own_flags::NAME.id {
            return Some(scopes.iter().filter_map(wanted).collect());
        }
        let counts = |scope: &&Scope| named.as_ref().is_none_or(|named| named == *scope);
        let names = scopes
            .iter()
            .filter(counts)
            .filter_map(|scope| target.names(scope).ok());
        Some(names.flatten().map(|name| name.to_string()).collect())
    });
    let mut found: Vec<String> = found.unwrap_or_default();
    found.sort();
    found.dedup();
    found.into_iter().map(|found| (found, "")).collect()
}

/// Opens the store that the words and the environment name, if it is a local one; gives the scope
/// that the words name, too.
fn local(words: &[String], inherited: Inherited) -> Option<(ScopeTarget, Option<Scope>)> {
    let leaf = LEAVES.iter().find(|leaf| leaf.words == LISTING)?;
    let of_store = |name: &str| {
        leaf.options()
            .find(|option| option.id == name && option.has_value())
    };
    let mut kept: Vec<OsString> = Vec::new();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let long = match word {
            "-p" => Some("project"),
            "-g" | "--global" => Some("team"),
            _ => word.strip_prefix("--"),
        };
        let (name, value) = match long.map(|long| long.split_once('=').unwrap_or((long, ""))) {
            Some(("team", _)) => {
                kept.push(OsString::from("--team"));
                continue;
            }
            Some((name, value)) => (name, value),
            None => continue,
        };
        if of_store(name).is_none() {
            continue;
        }
        let value = if value.is_empty() {
            words.next().unwrap_or_default()
        } else {
            value
        };
        // The option whose value is being completed has none yet.
        if !value.is_empty() {
            kept.push(OsString::from(format!("--{name}={value}")));
        }
    }
    let mut options = Options::parse(leaf, kept, inherited).ok()?;
    let place = options.place().ok()?;
    let location = place.store.as_deref()?;
    // Others want a login, or start another program.
    if !stores::is_local(location) {
        return None;
    }
    let target = ScopeTarget::open(&mut options, false).ok()?;
    let scope = target.named_scope(&options);
    Some((target, scope))
}
