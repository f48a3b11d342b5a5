//! Help, made from the table of subcommands.

use std::fmt::Write;

use super::command_line::{LEAVES, Leaf};
use super::{flags, help};
use crate::core::option::{Arity, Opt, Takes};

/// The groups of subcommands, with their purposes and the examples of their help.
const GROUPS: [(&str, &str, &str); 4] = [
    ("secret", "Manage secrets", help::LIST),
    ("key", "Make and show keys", help::KEY_EXAMPLE),
    ("store", "Manage a store", help::CHECK_EXAMPLE),
    ("recipient", "Manage who can read a store", help::RECIPIENTS),
];

/// The number of options from which on the short help leaves out those that are used less.
const FEW: usize = 12;

/// Makes the help of a subcommand: with all options, or with those that are used most.
pub fn of_leaf(leaf: &Leaf, all: bool) -> String {
    let words = leaf.words.join(" ");
    let is_shown = |option: &Opt| flags::USED_MOST.contains(&option.id) || leaf.is_own(option);
    let all = all || leaf.options().count() <= FEW;
    let mut text = match all {
        true => String::new(),
        false => format!("doorkey {words} --help has all options.\n\n"),
    };
    let _ = write!(text, "{}\n\nUsage: {}\n", leaf.about, synopsis(leaf));
    let arguments = leaf
        .arguments
        .iter()
        .filter(|argument| !argument.is_hidden());
    let arguments: Vec<Row> = arguments
        .map(|argument| (argument.form(), argument.help()))
        .collect();
    section(&mut text, "Arguments", &arguments);
    for (heading, options) in leaf.sections() {
        let shown = options.into_iter().filter(|option| all || is_shown(option));
        let rows: Vec<Row> = shown
            .map(|option| (option.form(), described(option)))
            .collect();
        section(&mut text, heading, &rows);
    }
    if let Some(after) = leaf.after_help {
        let _ = write!(text, "\n{}\n", help::shown(after));
    }
    text
}

/// Makes the help of the program, or of a group of subcommands.
pub fn of_group(path: &[&str]) -> String {
    let group = |name: &str| GROUPS.iter().find(|(group, ..)| *group == name);
    let (about, after) = match path.last().and_then(|name| group(name)) {
        Some((_, about, after)) => (*about, *after),
        None => (
            "Hands a workload its secrets, then becomes the workload",
            help::EXAMPLES,
        ),
    };
    let program = ["doorkey"]
        .iter()
        .chain(path)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let mut text = format!("{about}\n\nUsage: {program} <COMMAND>\n");
    let mut rows: Vec<Row> = Vec::new();
    for leaf in LEAVES.iter().filter(|leaf| leaf.words.starts_with(path)) {
        let next = leaf.words[path.len()];
        let about = match leaf.words.len() == path.len() + 1 {
            true => leaf.about,
            false => group(next).map_or("", |(_, about, _)| about),
        };
        if rows
            .last()
            .is_none_or(|(last, _)| last.trim_start() != next)
        {
            rows.push((format!("  {next}"), about.to_owned()));
        }
    }
    section(&mut text, "Commands", &rows);
    let mut options = vec![("  -h, --help".to_owned(), "Print help".to_owned())];
    if path.is_empty() {
        options.push(("  -V, --version".to_owned(), "Print version".to_owned()));
    }
    section(&mut text, "Options", &options);
    let _ = write!(text, "\n{}\n", help::shown(after));
    text
}

/// The form of an option or argument, and its description.
type Row = (String, String);

/// Adds rows below a heading, their descriptions in one column.
fn section(text: &mut String, heading: &str, rows: &[Row]) {
    let Some(width) = rows.iter().map(|(form, _)| form.len() + 2).max() else {
        return;
    };
    let _ = write!(text, "\n{heading}:\n");
    for (form, about) in rows {
        let about = about.replace('\n', &format!("\n{:width$}", ""));
        let _ = writeln!(text, "{form:width$}{about}");
    }
}

/// The command line of a subcommand.
fn synopsis(leaf: &Leaf) -> String {
    if let Some(usage) = leaf.usage {
        return usage.to_owned();
    }
    let mut usage = format!("doorkey {} [OPTIONS]", leaf.words.join(" "));
    for argument in leaf
        .arguments
        .iter()
        .filter(|argument| !argument.is_hidden())
    {
        usage.push_str(&argument.form().replace("  ", " "));
    }
    usage
}

fn described(option: &Opt) -> String {
    let help = option.help();
    match option.alias {
        Some(alias) => format!("{help} [alias: --{alias}]"),
        None => help,
    }
}

impl Opt {
    /// True for an argument that the help leaves out.
    fn is_hidden(&self) -> bool {
        matches!(
            self.takes,
            Takes::Argument(_, Arity::Hidden | Arity::HiddenRest)
        )
    }

    /// Its form on the command line, indented: `  -p, --project <ID>`, `  [DIR]`.
    fn form(&self) -> String {
        let short = self
            .short
            .map_or("    ".to_owned(), |short| format!("-{short}, "));
        let long = self.id;
        match self.takes {
            Takes::Flag | Takes::Help => format!("  {short}--{long}"),
            Takes::Value(name) | Takes::Values(name) | Takes::Number(name) => {
                format!("  {short}--{long} <{name}>")
            }
            Takes::Argument(name, Arity::Optional) => format!("  [{name}]"),
            Takes::Argument(name, Arity::Any) => format!("  [{name}]..."),
            Takes::Argument(name, Arity::Some | Arity::Rest) => format!("  <{name}>..."),
            Takes::Argument(name, _) => format!("  <{name}>"),
        }
    }
}
