//! The manual: a page for the program, one for each subcommand, and one for each format. Names,
//! synopses and options come from the table, the rest from texts in `pages`.

use std::fmt::Write;
use std::fs;
use std::process::ExitCode;

use super::command_line::{LEAVES, Leaf};
use super::help;
use super::options::Options;
use super::output::print;
use super::{flags, own_flags};
use crate::core::option::{Arity, Opt, Takes};
use crate::model::error::Error;

/// The date of the texts.
const DATE: &str = "2026-11-28";

const PROGRAM: &str = include_str!("pages/doorkey.1");
const COMMON: &str = include_str!("pages/common");
const EXIT_RUN: &str = include_str!("pages/exit-run");
const EXIT_OTHER: &str = include_str!("pages/exit-other");

/// The formats: name, purpose, text.
const FORMATS: [(&str, &str, &str); 2] = [
    (
        "doorkey-references",
        "references to secrets in values",
        include_str!("pages/doorkey-references.5"),
    ),
    (
        "doorkey.toml",
        "settings of doorkey",
        include_str!("pages/doorkey.toml.5"),
    ),
];

/// Prints a page, or writes all of them into a folder: `man1/doorkey.1` and its like.
///
/// # Errors
/// A usage error that there is no such page, or a failure to write.
pub fn manual(options: &Options) -> Result<ExitCode, Error> {
    if let Some(folder) = options.path(&own_flags::PAGES_DIR) {
        for (name, section, page) in pages() {
            let file = folder.join(format!("man{section}/{name}.{section}"));
            let fault = |error| Error::file("write", file.clone(), error);
            let parent = file.parent().unwrap_or(&file);
            fs::create_dir_all(parent).map_err(fault)?;
            fs::write(&file, page).map_err(fault)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let words = options.values(&own_flags::PAGE).into_iter();
    let words: Option<Vec<&str>> = words.map(|word| word.to_str()).collect();
    let asked = words.unwrap_or_default().join("-");
    let bare = asked.strip_prefix("doorkey-").unwrap_or(&asked);
    let is_it = |name: &str| {
        name == asked
            || name.strip_prefix("doorkey-") == Some(bare)
            || (name == "doorkey" && asked.is_empty())
    };
    match pages().into_iter().find(|(name, _, _)| is_it(name)) {
        Some((_, _, page)) => print(page.as_bytes()),
        None => Err(Error::Usage(
            "there is no such page; doorkey man has a list of them".to_owned(),
        )),
    }
}

/// Makes all pages: name, section and text.
fn pages() -> Vec<(String, u8, String)> {
    let mut pages = vec![("doorkey".to_owned(), 1, program())];
    pages.extend(LEAVES.iter().map(|leaf| (name(leaf), 1, subcommand(leaf))));
    for (name, about, text) in FORMATS {
        let page = heading(name, 5, about) + text + &see_also(&["doorkey(1)".to_owned()]);
        pages.push((name.to_owned(), 5, page));
    }
    pages
}

fn name(leaf: &Leaf) -> String {
    format!("doorkey-{}", leaf.words.join("-"))
}

/// The title and the name of a page.
fn heading(name: &str, section: u8, about: &str) -> String {
    let (version, name) = (env!("CARGO_PKG_VERSION"), escaped(name));
    format!(
        ".TH \"{}\" {section} {DATE} \"doorkey {version}\" \"doorkey\"\n.SH NAME\n{name} \\- {}\n",
        name.to_uppercase(),
        escaped(about)
    )
}

fn program() -> String {
    let mut page = heading(
        "doorkey",
        1,
        "hands a workload its secrets, then becomes the workload",
    );
    page += ".SH SYNOPSIS\n.B doorkey\n.I SUBCOMMAND\n[\\fIOPTIONS\\fR]\n.br\n.B doorkey run\n";
    page += "[\\fIOPTIONS\\fR] [\\-\\-] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n";
    page += PROGRAM;
    for leaf in LEAVES {
        let _ = writeln!(
            page,
            ".TP\n.BR {} (1)\n{}.",
            escaped(&name(leaf)),
            escaped(leaf.about)
        );
    }
    page += COMMON;
    page += EXIT_RUN;
    page += &examples(help::EXAMPLES).1;
    page + &see_also(&[
        "doorkey-references(5)".to_owned(),
        "doorkey.toml(5)".to_owned(),
    ])
}

fn subcommand(leaf: &Leaf) -> String {
    let mut about = leaf.about.to_owned();
    about[..1].make_ascii_lowercase();
    let mut page = heading(&name(leaf), 1, &about);
    let _ = write!(
        page,
        ".SH SYNOPSIS\n.B doorkey {}\n[\\fIOPTIONS\\fR]",
        leaf.words.join(" ")
    );
    for argument in leaf.arguments {
        if let Takes::Argument(name, arity) = argument.takes {
            page += &match arity {
                Arity::One => format!(" \\fI{name}\\fR"),
                Arity::Optional => format!(" [\\fI{name}\\fR]"),
                Arity::Any => format!(" [\\fI{name}\\fR...]"),
                Arity::Some => format!(" \\fI{name}\\fR..."),
                Arity::Rest => format!(" [\\-\\-] \\fI{name}\\fR [\\fIARGUMENTS\\fR]"),
                Arity::Hidden | Arity::HiddenRest => String::new(),
            };
        }
    }
    let (text, examples) = examples(leaf.after_help.unwrap_or_default());
    let _ = write!(page, "\n.SH DESCRIPTION\n{}.\n{text}", escaped(leaf.about));
    page += ".SH OPTIONS\n";
    let arguments = leaf
        .arguments
        .iter()
        .filter(|argument| !argument.help.is_empty());
    for argument in arguments {
        page += &entry(argument);
    }
    let mut sections = leaf.sections();
    sections.sort_by_key(|(heading, _)| *heading != flags::OWN);
    for (heading, options) in sections {
        if heading != flags::OWN {
            let _ = writeln!(page, ".SS {}", escaped(heading));
        }
        page.extend(options.into_iter().map(entry));
    }
    page += COMMON;
    page += match leaf.words {
        ["run"] | ["join"] => EXIT_RUN,
        _ => EXIT_OTHER,
    };
    page += &examples;
    let formats = FORMATS.iter().map(|(name, _, _)| format!("{name}(5)"));
    let others: Vec<_> = std::iter::once("doorkey(1)".to_owned())
        .chain(formats)
        .collect();
    page + &see_also(&others)
}

/// The entry of an option or argument.
fn entry(option: &Opt) -> String {
    let long = |name: &str| format!("\\fB\\-\\-{}\\fR", escaped(name));
    let value = match option.takes {
        Takes::Value(name) | Takes::Values(name) | Takes::Number(name) => {
            format!(" \\fI{}\\fR", escaped(name))
        }
        _ => String::new(),
    };
    let names = match option.takes {
        Takes::Argument(name, _) => format!("\\fI{name}\\fR"),
        _ => {
            let short = option.short.map(|short| format!("\\fB\\-{short}\\fR, "));
            let alias = option.alias.map(|alias| format!(", {}", long(alias)));
            format!(
                "{}{}{value}{}",
                short.unwrap_or_default(),
                long(option.id),
                alias.unwrap_or_default()
            )
        }
    };
    let repeated = match option.takes {
        Takes::Values(_) => " It can be repeated.",
        _ => "",
    };
    let help = option.help();
    let end = if help.ends_with('.') { "" } else { "." };
    format!(".TP\n{names}\n{}{end}{repeated}\n", escaped(&help))
}

/// Splits a subcommand's text into the paragraphs before its examples, and the examples.
fn examples(text: &str) -> (String, String) {
    let text = help::shown(text);
    let (before, examples) = match text.find("Example") {
        Some(at) => text.split_at(at),
        None => (&*text, ""),
    };
    let mut paragraphs = String::new();
    for paragraph in before.split("\n\n").filter(|part| !part.trim().is_empty()) {
        let _ = writeln!(paragraphs, ".PP\n{}", escaped(paragraph.trim_end()));
    }
    let mut shown = String::new();
    for line in examples
        .lines()
        .skip(1)
        .filter(|line| line.starts_with("  "))
    {
        let _ = writeln!(shown, "{}", escaped(line.trim_start()));
    }
    if shown.is_empty() {
        return (paragraphs, shown);
    }
    (paragraphs, format!(".SH EXAMPLES\n.EX\n{shown}.EE\n"))
}

fn see_also(pages: &[String]) -> String {
    let pages: Vec<_> = pages
        .iter()
        .filter_map(|page| page.split_once('('))
        .map(|(name, section)| format!(".BR {} ({section}", escaped(name)))
        .collect();
    format!(".SH SEE ALSO\n{}\n", pages.join(" ,\n"))
}

/// Writes a text so that troff shows it as it is.
fn escaped(text: &str) -> String {
    let mut shown = text.replace('\\', "\\e").replace('-', "\\-");
    for sign in ["\n.", "\n'"] {
        shown = shown.replace(sign, &sign.replace('\n', "\n\\&"));
    }
    if shown.starts_with(['.', '\'']) {
        shown.insert_str(0, "\\&");
    }
    shown
}
