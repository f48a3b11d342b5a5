//! The pages of the manual: one for each subcommand, whole, and without a fault for `mandoc`.

use std::fs;
use std::process::Command;

use doorkey::cli::command_line::LEAVES;
use support::Place;

#[test]
fn each_subcommand_has_a_page_with_all_its_options() {
    let place = Place::new();
    for leaf in LEAVES {
        let page = place.doorkey(["man"]).args(leaf.words).ok().out();
        let name = format!("doorkey-{}", leaf.words.join("-")).replace('-', "\\-");
        assert!(page.contains(&format!(".SH NAME\n{name} \\- ")), "{page}");
        for option in leaf.options() {
            let shown = format!("\\fB\\-\\-{}\\fR", option.id.replace('-', "\\-"));
            assert!(page.contains(&shown), "{:?}: {}", leaf.words, option.id);
        }
        let sections = [
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "ENVIRONMENT",
            "FILES",
            "EXIT STATUS",
            "EXAMPLES",
            "SEE ALSO",
        ];
        let mut rest = &*page;
        for section in sections {
            let heading = format!("\n.SH {section}\n");
            let (_, after) = rest
                .split_once(&heading)
                .unwrap_or_else(|| panic!("{:?}: {section}", leaf.words));
            rest = after;
        }
    }
}

#[test]
fn pages_are_asked_for_by_several_names() {
    let place = Place::new();
    let page = |words: &[&str]| place.doorkey(["man"]).args(words).ok().out();
    for same in [&["secret-set"][..], &["doorkey-secret-set"]] {
        assert_eq!(page(same), page(&["secret", "set"]));
    }
    assert_eq!(page(&["doorkey"]), page(&[]));
    assert!(page(&["references"]).contains("REFERENCES\" 5 "));
    assert!(page(&["doorkey.toml"]).contains(".TH \"DOORKEY.TOML\" 5 "));
    let message = "doorkey: error: there is no such page; doorkey man has a list of them\n";
    place.doorkey(["man", "nothing"]).fails(2, message);
}

#[test]
fn the_folder_of_pages_has_no_fault() {
    let place = Place::new();
    let folder = place.path("pages");
    place
        .doorkey(["man", "--dir"])
        .arg(&folder)
        .gives(0, "", "");
    let mut files = Vec::new();
    for section in ["man1", "man5"] {
        let entries = fs::read_dir(folder.join(section)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    assert_eq!(files.len(), LEAVES.len() + 3);
    // Other pages are looked for on this machine, where they are not installed.
    let lint = Command::new("mandoc")
        .args(["-Tlint", "-Wstyle"])
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&lint.stdout).into_owned();
    let faults: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("referenced manual not found"))
        .collect();
    assert_eq!(faults, Vec::<&str>::new());
}

/// The examples of the page about doorkey.toml are files that doorkey takes.
#[test]
fn the_examples_of_settings_are_taken() {
    let place = Place::new();
    place.doorkey(["store", "init", "secrets", "-q"]).ok();
    place.set("project/web", "db_password", "changeme");
    place.write(".env", "");
    let page = place.doorkey(["man", "doorkey.toml"]).ok().out();
    let examples: Vec<_> = page.split(".EX\n").skip(1).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let (file, _) = example.split_once(".EE\n").unwrap();
        place.write("doorkey.toml", file.replace("\\-", "-"));
        place.doorkey(["env", "--clear-env"]).ok();
    }
}
