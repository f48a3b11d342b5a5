//! The book: its commands run as they stand, its links lead somewhere, and its sentences are short.

use std::fs;
use std::path::{Path, PathBuf};

use support::Place;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The longest sentence, in words.
const LONGEST: usize = 25;

/// Put before a block that is not run, with the reason.
const NOT_RUN: &str = "<!-- not run: ";

/// Stores that ask a server, or a cloud's metadata address: their commands are never run here.
const SERVERS: [&str; 7] = [
    "aws-sm:",
    "aws-ssm:",
    "azure-kv:",
    "gcp-sm:",
    "k8s:",
    "vault:",
    "bao:",
];

/// The name that git wants for a commit.
const AUTHOR: &str = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a \
    GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a\n";

/// README and all pages, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let mut found = vec![Path::new(ROOT).join("README.md")];
    let mut folders = vec![Path::new(ROOT).join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None if path.is_dir() => folders.push(path),
                Some(kind) if kind == "md" => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    found.into_iter().map(read).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().display().to_string()
}

/// The blocks of shell commands that are run, one after the other.
fn commands(text: &str) -> String {
    let mut commands = String::new();
    let mut parts = text.split("```");
    let mut before = parts.next().unwrap_or_default();
    while let (Some(block), after) = (parts.next(), parts.next().unwrap_or_default()) {
        let is_run = !before
            .trim_end()
            .lines()
            .last()
            .is_some_and(|line| line.starts_with(NOT_RUN));
        if let Some(block) = block.strip_prefix("sh\n").filter(|_| is_run) {
            commands += block;
        }
        before = after;
    }
    commands
}

#[test]
fn the_commands_of_each_page_run_in_an_empty_home() {
    let mut count = 0;
    let mut faults = String::new();
    for (path, text) in pages() {
        // The README's commands build images as well, and have tests of their own.
        let commands = commands(&text);
        if commands.is_empty() || path.ends_with("README.md") {
            continue;
        }
        if let Some(server) = SERVERS.iter().find(|name| commands.contains(**name)) {
            faults += &format!("{}: {server} needs a mark '{NOT_RUN}'\n", shown(&path));
            continue;
        }
        let place = Place::new();
        let run = place
            .shell(&format!("{AUTHOR}set -eu\n{commands}"))
            .without("DOORKEY_STORE");
        let ended = run.end();
        if ended.code() != 0 {
            faults += &format!("{}: {}{}\n", shown(&path), ended.out(), ended.err());
        }
        count += 1;
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(count >= 8, "{count}");
}

/// True if a page has a heading that mdBook and GitHub give this anchor.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut anchors = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |sign: &char| sign.is_alphanumeric() || " -_".contains(*sign);
        heading
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    });
    anchors.any(|found| found == anchor)
}

#[test]
fn each_link_leads_to_a_file_and_a_heading() {
    let all = pages();
    for (path, text) in &all {
        let folder = path.parent().unwrap();
        for link in text.split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.contains("://") {
                continue;
            }
            let page = match file {
                "" => path.clone(),
                file => folder.join(file),
            };
            assert!(page.exists(), "{}: {target}", shown(path));
            if !anchor.is_empty() {
                let text = fs::read_to_string(page).unwrap();
                assert!(has_heading(&text, anchor), "{}: {target}", shown(path));
            }
        }
    }
    // Each page is in the table of contents.
    let summary = fs::read_to_string(Path::new(ROOT).join("docs/src/SUMMARY.md")).unwrap();
    for (path, _) in &all {
        if let Ok(page) = path.strip_prefix(Path::new(ROOT).join("docs/src")) {
            let link = format!("]({})", page.display());
            assert!(
                page.ends_with("SUMMARY.md") || summary.contains(&link),
                "{}",
                page.display()
            );
        }
    }
}

/// The sentences of a page's text: not of its tables, headings and blocks.
fn sentences(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut in_block = false;
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("```") {
            in_block = !in_block;
            plain.push_str("\n\n");
        } else if !in_block && !line.starts_with(['|', '#', '<']) {
            let item = line.strip_prefix("- ").or_else(|| {
                let (number, rest) = line.split_once(". ")?;
                number
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
                    .then_some(rest)
            });
            if item.is_some() || line.is_empty() {
                plain.push_str("\n\n");
            }
            plain.push_str(item.unwrap_or(line));
            plain.push(' ');
        }
    }
    let mut found = Vec::new();
    for paragraph in plain.split("\n\n") {
        // What stands in code is one word; a text in brackets of a link counts, its target does not.
        let mut text = String::new();
        for (at, part) in paragraph.split('`').enumerate() {
            text.push_str(if at % 2 == 0 { part } else { "code" });
        }
        let mut rest = &*text;
        let mut without = String::new();
        while let Some((before, after)) = rest.split_once("](") {
            without.push_str(before);
            rest = after.split_once(')').map_or("", |(_, after)| after);
        }
        without.push_str(rest);
        let ends = |text: &str| {
            text.replace(". ", ".\n")
                .replace(": ", ":\n")
                .replace("? ", "?\n")
                .replace("; ", ";\n")
        };
        found.extend(ends(&without).lines().map(|line| line.trim().to_owned()));
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

#[test]
fn sentences_are_short() {
    let mut long = Vec::new();
    for (path, text) in pages() {
        for sentence in sentences(&text) {
            let words = sentence.split_whitespace().count();
            if words > LONGEST {
                long.push(format!("{}: {words} words: {sentence}", shown(&path)));
            }
        }
    }
    assert!(
        long.is_empty(),
        "{} sentences:\n{}",
        long.len(),
        long.join("\n")
    );
}

/// Each row of the page about Paperspace has a command of ours. All run, after the page's blocks.
#[test]
fn the_commands_for_paperspace_run() {
    let page =
        fs::read_to_string(Path::new(ROOT).join("docs/src/guides/from-paperspace.md")).unwrap();
    let place = Place::new();
    place
        .shell(&format!("set -eu\n{}", commands(&page)))
        .without("DOORKEY_STORE")
        .ok();
    let mut count = 0;
    let is_row = |line: &&str| line.starts_with("| ") && line.contains("doorkey ");
    for row in page.lines().filter(is_row) {
        let row = row.replace("\\|", "\u{1}");
        let ours = row
            .split('|')
            .nth(2)
            .unwrap()
            .trim()
            .trim_matches('`')
            .replace('\u{1}', "|");
        let ours = ours
            .replace("NAME", "api_key")
            .replace("VALUE", "changeme")
            .replace("ID", "prj1");
        place.shell(&ours).ok();
        count += 1;
    }
    assert_eq!(count, 26);
}
