//! Pages of the book that are made from the tables of the code: the command line, and variables.

use std::collections::BTreeMap;
use std::fs;

use doorkey::cli::command_line::LEAVES;
use doorkey::core::option::{Opt, Takes};
use doorkey::stores::{KINDS, Kind, Use};
use support::Place;

const COMMANDS: &str = "docs/src/reference/command-line.md";
const VARIABLES: &str = "docs/src/reference/variables.md";

/// The variable that has the pages written anew.
const ANEW: &str = "PAGE_ANEW";

/// The end of a table that is made, inside a page that somebody writes.
const END: &str = "<!-- end -->";

/// Holds a page against its text, or writes it.
#[track_caller]
fn hold(page: &str, text: &str) {
    if std::env::var_os(ANEW).is_some() {
        fs::write(page, text).unwrap();
    }
    let is_same = fs::read_to_string(page).is_ok_and(|there| there == text);
    assert!(
        is_same,
        "{page} is out of date: {ANEW}=1 cargo test --test cli reference_pages writes it anew"
    );
}

/// Puts a table into a page, after the comment with its name.
fn filled(page: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- made: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{begin}\n{table}\n{END}{after}")
}

#[test]
fn the_page_of_the_command_line_is_its_help() {
    let place = Place::new();
    let mut page = "# Command line\n\n\
        The help of each subcommand, as `doorkey SUBCOMMAND --help` prints it. `-h` prints a shorter\n\
        one. Each option is also a [variable](variables.md).\n\n\
        <!-- Made from the help by `PAGE_ANEW=1 cargo test --test cli reference_pages`. -->\n"
        .to_owned();
    for leaf in LEAVES {
        let help = place.doorkey(leaf.words).args(["--help"]).ok();
        let (name, help) = (leaf.words.join(" "), help.out());
        let wide = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{name}");
        page += &format!(
            "\n## `doorkey {name}`\n\n```text\n{}\n```\n",
            help.trim_end()
        );
    }
    hold(COMMANDS, &page);
}

/// The table of options that can be variables.
fn options() -> String {
    let mut all: BTreeMap<&str, &Opt> = BTreeMap::new();
    for leaf in LEAVES {
        for option in leaf.options().filter(|option| option.takes != Takes::Help) {
            all.entry(option.id).or_insert(option);
        }
    }
    let mut table = "| variable | option | meaning |\n|---|---|---|\n".to_owned();
    for (id, option) in all {
        let variable = id.to_uppercase().replace('-', "_");
        let form = match option.takes {
            Takes::Value(name) | Takes::Values(name) | Takes::Number(name) => format!(" {name}"),
            _ => String::new(),
        };
        let more = match option.takes {
            Takes::Values(_) => " (repeatable)",
            _ => "",
        };
        let help = match option.help {
            // The help lists the kinds of stores there, and is long.
            "" => "The store of the secrets".to_owned(),
            help => help.replace('|', "\\|").replace('\n', " "),
        };
        table += &format!("| `DOORKEY_{variable}` | `--{id}{form}` | {help}{more} |\n");
    }
    table
}

/// The table of stores' variables.
fn vendors() -> String {
    let mut table =
        "| store | overwritten, and removed | removed | passed on |\n|---|---|---|---|\n"
            .to_owned();
    let mut done: Vec<&Kind> = Vec::new();
    for kind in KINDS.iter().filter(|kind| !kind.variables.is_empty()) {
        // The kinds of one vendor have the same variables.
        if done.iter().any(|other| other.variables == kind.variables) {
            continue;
        }
        done.push(kind);
        let list = |uses: &[Use]| {
            let mut names: Vec<_> = kind.variables(uses).collect();
            names.sort_unstable();
            names.dedup();
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(" ")
        };
        let schemes = KINDS
            .iter()
            .filter(|other| other.variables == kind.variables);
        let schemes = schemes.flat_map(|other| other.schemes);
        let schemes: Vec<_> = schemes.map(|scheme| format!("`{scheme}:`")).collect();
        table += &format!(
            "| {} | {} | {} | {} |\n",
            schemes.join(" "),
            list(&[Use::Secret]),
            list(&[Use::Own, Use::Passing, Use::Listing]),
            list(&[Use::Kept]),
        );
    }
    table
}

#[test]
fn the_page_of_variables_has_all_of_them() {
    let page = fs::read_to_string(VARIABLES).unwrap();
    let page = filled(&page, "options", &options());
    hold(VARIABLES, &filled(&page, "stores", &vendors()));
}
