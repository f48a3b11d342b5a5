//! The architecture, as src/lib.rs describes it: who imports whom, where `unsafe`, printing and
//! the environment are, how long a file is, and that every dependency is accounted for.

use std::fs;
use std::path::Path;

use doorkey::model::secret::Secret;
use doorkey::stores::KINDS;

/// The layers; each imports only from itself and those before it.
const LAYERS: [&str; 6] = ["model", "core", "sys", "stores", "engine", "cli"];

/// No file is longer.
const LONGEST: usize = 450;

/// Every Rust file below a folder of the repository, by its path in it, with its text.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push((inside, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The lines of a file with their numbers, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.split(" //").next().unwrap_or_default();
        (!line.trim_start().starts_with("//")).then_some((at + 1, line))
    })
}

/// The layer that a file is in; none for src/lib.rs and src/main.rs.
fn layer(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/').skip(1);
    let first = parts.next()?.trim_end_matches(".rs");
    LAYERS.into_iter().find(|layer| *layer == first)
}

/// Where a word stands by itself in a line.
fn words<'l>(line: &'l str, word: &'l str) -> impl Iterator<Item = usize> + 'l {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part)
        })
}

/// The first names after each `crate::` in a text.
fn of_crate(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].lines().count().max(1);
        let rest = &text[at + "crate::".len()..];
        let name = |text: &str| -> String {
            let part = |c: &char| c.is_alphanumeric() || *c == '_';
            text.trim_start().chars().take_while(part).collect()
        };
        let Some(inside) = rest.strip_prefix('{') else {
            found.push((line, name(rest)));
            continue;
        };
        let (mut depth, mut start) = (1, 0);
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    found.push((line, name(&inside[start..at])));
                    start = at + 1;
                }
                _ => {}
            }
            if depth == 0 {
                found.push((line, name(&inside[start..at])));
                break;
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// What a file imports that it may not.
fn imports(path: &str, text: &str) -> Vec<String> {
    let Some(layer) = layer(path) else {
        return vec![];
    };
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    // Comments become empty lines, so that numbers stay.
    let mut lines = vec![""; text.lines().count()];
    code(text).for_each(|(number, line)| lines[number - 1] = line);
    let text = lines.join("\n");
    let mut faults = Vec::new();
    for (line, name) in of_crate(&text) {
        if rank(&name).is_none_or(|other| other > rank(layer).unwrap()) {
            faults.push(format!("{path}:{line}: {layer} imports {name}"));
        }
    }
    // A `super` must not leave the layer; inside `mod tests` it leads to the file itself.
    let own = text.split("#[cfg(test)]").next().unwrap_or_default();
    // `src/LAYER/file.rs` may go up once, `src/LAYER/mod.rs` not at all, a folder in it once more.
    let ups = path.split('/').count() - 2 - usize::from(path.ends_with("/mod.rs"));
    let leaves = "super::".repeat(ups + 1);
    for (at, line) in own
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(&leaves))
    {
        faults.push(format!(
            "{path}:{}: {} leaves the layer",
            at + 1,
            line.trim()
        ));
    }
    faults
}

/// What a file does that only others may do.
fn privileges(path: &str, text: &str) -> Vec<String> {
    let is_in = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    // Words, and where alone they may stand.
    let rules: [(&str, &[&str]); 6] = [
        ("unsafe", &["src/sys/"]),
        (
            "println! print! eprintln! eprint! dbg! stdout() stderr()",
            &["src/cli/", "src/sys/stdio.rs", "src/sys/terminal.rs"],
        ),
        (
            "env::var env::var_os env::vars env::vars_os env::args env::args_os env::set_var \
             env::remove_var",
            &["src/sys/environ.rs"],
        ),
        ("libc::syscall asm!", &["src/sys/"]),
        // What is logged goes by the types of the first, and is written by the second.
        ("tracing", &["src/model/log.rs", "src/cli/logger.rs"]),
        // The first two layers know no system at all.
        (
            "std::fs std::env std::net std::process std::thread std::time libc nix",
            &[
                "src/sys/",
                "src/stores/",
                "src/engine/",
                "src/cli/",
                "src/main.rs",
                "src/lib.rs",
            ],
        ),
    ];
    let mut faults = Vec::new();
    for (number, line) in code(text) {
        for (forbidden, places) in rules {
            for what in forbidden.split(' ').filter(|_| !is_in(places)) {
                if words(line, what).next().is_some()
                    || what.ends_with([')', '!']) && line.contains(what)
                {
                    faults.push(format!("{path}:{number}: {what}"));
                }
            }
        }
    }
    faults
}

#[test]
fn layers_import_only_what_is_before_them() {
    let files = files("src");
    assert!(
        LAYERS
            .iter()
            .all(|layer| files.iter().any(|(path, _)| path.contains(layer)))
    );
    let faults: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| imports(path, text))
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn each_privilege_is_in_its_place() {
    let files = files("src");
    let faults: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| privileges(path, text))
        .collect();
    assert_eq!(faults, [""; 0]);
    let modules = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    for entry in modules {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known =
            LAYERS.contains(&name.as_str()) || ["lib.rs", "main.rs"].contains(&name.as_str());
        assert!(known, "src/{name} is in no layer");
    }
}

/// What a file says of a kind of store that only its own files and the table may say: a scheme
/// with its colon, a variable of a vendor's.
fn of_one_store(path: &str, text: &str) -> Vec<String> {
    // A kind without a place has no scopes, and its word may be anybody's.
    let kinds = KINDS.iter().filter(|kind| !kind.place.is_empty());
    let schemes: Vec<_> = kinds.flat_map(|kind| kind.schemes).collect();
    // What a cloud's stores share is called as their first word.
    let first = schemes.iter().filter_map(|scheme| scheme.split('-').next());
    let own = schemes.iter().map(|scheme| scheme.replace('-', "_"));
    let mut own = own.chain(first.map(str::to_owned));
    let is_own = own.any(|scheme| {
        [format!("{scheme}.rs"), format!("{scheme}/")]
            .iter()
            .any(|file| path.starts_with(&format!("src/stores/{file}")))
    });
    if is_own || path == "src/stores/registry.rs" {
        return vec![];
    }
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut faults = Vec::new();
    for (number, line) in code(text) {
        for scheme in &schemes {
            let is_literal = |at: usize| {
                let is_text = line[..at].matches('"').count() % 2 == 1;
                let after = line[at + scheme.len()..].strip_prefix(':');
                let after = after.filter(|after| !after.starts_with(':'));
                after.is_some_and(|after| is_text || !after.starts_with(' '))
            };
            if words(line, scheme).any(is_literal) {
                faults.push(format!("{path}:{number}: {scheme}:"));
            }
        }
        for prefix in [
            "VAULT_",
            "BAO_",
            "AWS_",
            "AZURE_",
            "CLOUDSDK_",
            "GCE_",
            "GOOGLE_",
            "KUBECONFIG",
            "KUBERNETES_",
        ] {
            if line.contains(prefix) {
                faults.push(format!("{path}:{number}: {prefix}"));
            }
        }
    }
    faults
}

#[test]
fn what_is_known_of_a_store_is_in_its_own_files() {
    let files = files("src");
    let faults: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| of_one_store(path, text))
        .collect();
    assert_eq!(faults, [""; 0]);
}

/// The library blocks signals before `main`, also in a test that it is linked to.
#[test]
fn few_tests_are_linked_to_the_library() {
    for (path, text) in files("tests") {
        let may = ["tests/house/", "tests/cli/", "tests/conformance/"];
        if !may.iter().any(|folder| path.starts_with(folder)) {
            let named = code(&text).find(|(_, line)| line.contains("doorkey::"));
            assert_eq!(named, None, "{path}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let files = [files("src"), files("tests")].concat();
    let long = files
        .iter()
        .map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = long.filter(|(_, lines)| *lines > LONGEST).collect();
    assert_eq!(long, [], "over {LONGEST} lines");
}

#[test]
fn every_dependency_has_a_line_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let page = "docs/src/dependencies.md";
    let table = fs::read_to_string(root.join(page)).expect(page);
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let names = section.lines().take_while(|line| !line.starts_with('['));
    let names: Vec<_> = names
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    assert!(names.contains(&"age"), "{names:?}");
    let row = |name: &&str| {
        let named = format!("`{name}`");
        table
            .lines()
            .any(|line| line.starts_with('|') && line.contains(&named))
    };
    let missing: Vec<_> = names.into_iter().filter(|name| !row(name)).collect();
    assert_eq!(missing, [""; 0], "in no row of {page}");
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    let secret = Secret::new(b"canary".to_vec());
    assert_eq!(format!("{secret:?}"), "[secret]");
    assert_eq!(format!("{secret:#?}"), "[secret]");
    assert_eq!(format!("{:?}", Some(secret)), "Some([secret])");
    let files = files("src");
    let (_, text) = files
        .iter()
        .find(|(path, _)| path == "src/model/secret.rs")
        .unwrap();
    for (number, line) in code(text) {
        let shows = [
            "Display for",
            "Clone",
            "Serialize",
            "Deref",
            "AsRef",
            "ToString",
        ];
        assert!(
            !shows.iter().any(|word| line.contains(word)),
            "{number}: {line}"
        );
    }
}

/// The checks above see what they look for.
#[test]
fn the_checks_can_fail() {
    for (path, text) in [
        ("src/model/a.rs", "use crate::core::json;"),
        ("src/core/a.rs", "let x: Vec<crate::sys::files::Folder>;"),
        ("src/sys/a.rs", "use crate::{model, stores::{self, Store}};"),
        ("src/stores/a.rs", "use crate::{\n    model,\n    cli,\n};"),
        ("src/engine/mod.rs", "use super::cli::cli;"),
        ("src/engine/a.rs", "use super::super::cli;"),
        ("src/engine/a.rs", "use crate::other;"),
    ] {
        assert_eq!(
            imports(path, text).len(),
            1,
            "{text}: {:?}",
            imports(path, text)
        );
    }
    for (path, text) in [
        (
            "src/cli/run.rs",
            "use crate::{model::name, engine::{substitute, launch}};",
        ),
        (
            "src/sys/a.rs",
            "// crate::cli\n/// [`crate::engine`]\nlet a = 1; // crate::stores",
        ),
        (
            "src/model/a.rs",
            "use super::name;\n#[cfg(test)]\nmod tests { use super::*; }",
        ),
        ("src/lib.rs", "use crate::cli;"),
    ] {
        assert_eq!(imports(path, text), [""; 0], "{text}");
    }
    for (path, text) in [
        ("src/stores/a.rs", "    unsafe { x() }"),
        ("src/lib.rs", "unsafe impl Sync for X {}"),
        ("src/engine/a.rs", "println!(\"{x}\");"),
        ("src/sys/files.rs", "eprintln!(\"{x}\");"),
        ("src/engine/a.rs", "let mut out = io::stdout().lock();"),
        ("src/stores/a.rs", "dbg!(x);"),
        ("src/cli/options.rs", "std::env::var(\"HOME\")"),
        ("src/stores/age.rs", "env::vars_os()"),
        ("src/core/a.rs", "use std::fs;"),
        ("src/model/a.rs", "libc::getpid()"),
        ("src/stores/a.rs", "tracing::info!(%value);"),
    ] {
        assert!(!privileges(path, text).is_empty(), "{text}");
    }
    for text in [
        "let store = \"age:secrets\";",
        "\"a key of an age: store\"",
        "doorkey run --store vault:kv/app",
        "\"give VAULT_ADDR\"",
        "lookup(b\"AWS_REGION\")",
    ] {
        assert_eq!(of_one_store("src/cli/a.rs", text).len(), 1, "{text}");
        assert_eq!(of_one_store("src/stores/vault/a.rs", text), [""; 0]);
    }
    for text in ["use age::Identity;", "fn a(dir: &Path) {}", "// vault:a"] {
        assert_eq!(of_one_store("src/cli/a.rs", text), [""; 0], "{text}");
    }
    for (path, text) in [
        ("src/sys/memory.rs", "unsafe { x() }"),
        ("src/stores/a.rs", "// unsafe"),
        ("src/stores/a.rs", "fn fingerprint() {}"),
        ("src/cli/options.rs", "std::env::current_dir()"),
    ] {
        assert_eq!(privileges(path, text), [""; 0], "{text}");
    }
}
