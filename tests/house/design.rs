//! Pages of the book that name things of the repository: tests that hold promises, a whole file of
//! configuration.

use std::fs;
use std::path::Path;

use doorkey::core::config;
use doorkey::stores::configurable;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn each_promise_names_tests_that_exist() {
    let page = read("docs/src/design.md");
    let (_, table) = page.split_once("| promise | tests |\n").unwrap();
    let mut count = 0;
    let rows = table.lines().skip(1);
    for row in rows.take_while(|row| row.starts_with('|')) {
        let tests = row.split('|').nth(2).unwrap();
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for name in named {
            let (file, test) = name.split_once("::").unwrap_or_else(|| panic!("{name}"));
            let is_there = read(file).contains(&format!("#[test]\nfn {test}()"));
            assert!(is_there, "{name}");
        }
        count += 1;
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn the_whole_file_of_the_book_is_taken() {
    let page = read("docs/src/reference/doorkey-toml.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```\n").unwrap();
    let parse = |text: &str, is_named| config::parse(text.as_bytes(), is_named, configurable());
    assert!(parse(file, true).is_ok());
    // Each setting of the schema is in the page.
    let schema: serde_json::Value =
        serde_json::from_str(&read("docs/src/doorkey.schema.json")).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}
