//! No circle of imports among the files of a layer, where there is none any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The layers without one.
const FREE: [&str; 3] = ["core", "engine", "cli"];

/// A module by its path: `cli::run`.
type Module = Vec<String>;

/// The modules of a folder and those below it, with their texts.
fn modules(folder: &Path, name: &[String], found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let below: Module = name.iter().chain([&stem]).cloned().collect();
        if path.is_dir() {
            modules(&path, &below, found);
        } else if stem != "tests" {
            let name = if stem == "mod" { name.to_vec() } else { below };
            found.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

/// A text without comments and tests.
fn code(text: &str) -> String {
    let own = text.split("#[cfg(test)]").next().unwrap();
    let lines = own.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path in a tree of them, as in `use a::{b, c::{d, e}}`.
fn paths(before: &[String], tree: &str, found: &mut Vec<Module>) {
    let (mut depth, mut start) = (0, 0);
    let mut branch = |one: &str| match one.split_once('{') {
        Some((stem, rest)) => {
            let stem = [before, &words(stem)].concat();
            paths(&stem, rest.trim_end().trim_end_matches('}'), found);
        }
        None => found.push([before, &words(one)].concat()),
    };
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branch(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branch(&tree[start..]);
}

fn words(path: &str) -> Module {
    let path = path.split(" as ").next().unwrap();
    let words = path.split("::").map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The modules of its own layer that a module imports, beside itself.
fn imports(module: &Module, text: &str, all: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let text = code(text);
    let mut found = Vec::new();
    for beginning in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(beginning) {
            let is_inside = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == ':');
            let end = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
            let is_use = text[..at].trim_end().ends_with("use");
            let end = match is_use {
                true => text[at..].find(';'),
                false => text[at..].find(end),
            };
            if !is_inside {
                paths(&[], &text[at..at + end.unwrap()], &mut found);
            }
        }
    }
    let known = found.iter().filter_map(|path| {
        let ups = path.iter().take_while(|word| *word == "super").count();
        let rest = path.iter().skip_while(|word| *word == "super");
        let mut whole = match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [module, &path[1..]].concat(),
            _ => module[..module.len() - ups]
                .iter()
                .chain(rest)
                .cloned()
                .collect(),
        };
        while !whole.is_empty() && !all.contains_key(&whole) {
            whole.pop();
        }
        (!whole.is_empty() && whole != *module && whole[0] == module[0]).then_some(whole)
    });
    known.collect()
}

/// What is left of a graph when all is taken out that leads to no circle.
fn circles(mut graph: BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    loop {
        let all: BTreeSet<_> = graph.keys().cloned().collect();
        let imported: BTreeSet<_> = graph.values().flatten().cloned().collect();
        let before = graph.len();
        graph
            .values_mut()
            .for_each(|to| to.retain(|one| all.contains(one)));
        graph.retain(|one, to| !to.is_empty() && imported.contains(one));
        if graph.len() == before {
            return graph.keys().map(|module| module.join("::")).collect();
        }
    }
}

fn graph(all: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let is_free = |module: &Module| FREE.contains(&module[0].as_str());
    let of = all.iter().filter(|(module, _)| is_free(module));
    of.map(|(module, text)| (module.clone(), imports(module, text, all)))
        .collect()
}

#[test]
fn no_file_imports_itself_by_way_of_others() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = BTreeMap::new();
    modules(&src, &[], &mut all);
    all.retain(|module, _| !["lib", "main"].contains(&module[0].as_str()));
    let graph = graph(&all);
    assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 100);
    assert_eq!(circles(graph), [""; 0]);
}

#[test]
fn a_circle_is_seen() {
    let module = |name: &str, text: &str| (words(name), text.to_owned());
    let of = |third: &str| {
        let files = [
            module("cli", "mod run;\nuse self::run::run;"),
            module("cli::run", "use super::{a::{self, B}, b as c};"),
            module("cli::a", "fn a() { crate::cli::b::b() }"),
            module("cli::b", third),
        ];
        circles(graph(&files.into()))
    };
    assert_eq!(of("// super::run\nuse crate::cli;\n").len(), 4);
    assert_eq!(of("use super::run;").len(), 3);
    assert_eq!(of("use super::d;\n#[cfg(test)]\nuse super::run;").len(), 4);
    assert_eq!(of("use crate::core::a;"), [""; 0]);
}
