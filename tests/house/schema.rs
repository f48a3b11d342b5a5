//! The JSON schema of `doorkey.toml`: what the parser takes is in it, and nothing else.

use std::collections::BTreeSet;

use doorkey::core::config;
use doorkey::core::option::InFile;
use doorkey::stores::{KINDS, configurable};
use serde_json::Value;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/doorkey.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

fn parse(text: &str) -> Result<config::Config, Vec<config::Unfit>> {
    config::parse(text.as_bytes(), true, configurable())
}

/// The parser lists all settings where one is like none of them.
#[test]
fn its_settings_are_the_parsers() {
    let faults = parse("qqqqqqqqqqqqqq = 1").unwrap_err();
    let (_, _, fault) = &faults[0];
    let list = fault.strip_prefix("this setting is none of ").unwrap();
    let parsers: BTreeSet<String> = list.split(", ").map(str::to_owned).collect();
    let schema = schema();
    assert_eq!(keys(&schema["properties"]), parsers);
    assert_eq!(schema["additionalProperties"], false);
}

/// Each form of a setting in the schema is one that the parser takes.
#[test]
fn its_forms_are_the_parsers() {
    let schema = schema();
    for (key, setting) in schema["properties"].as_object().unwrap() {
        let forms = match setting["oneOf"].as_array() {
            Some(forms) => forms.clone(),
            None => vec![setting.clone()],
        };
        for form in ["string", "array", "object", "integer", "boolean"] {
            let text = match form {
                "string" => "\"x\"",
                "array" => "[\"x\"]",
                "object" => "{location = \"x\"}",
                "integer" => "1",
                _ => "true",
            };
            let is_in_schema = forms.iter().any(|one| one["type"] == form);
            let is_parsed = parse(&format!("{key} = {text}")).is_ok();
            assert_eq!(is_in_schema, is_parsed, "{key} = {text}");
        }
        assert!(setting["description"].is_string(), "{key}");
    }
}

#[test]
fn the_settings_of_a_store_are_those_of_all_kinds() {
    let schema = schema();
    let table = &schema["properties"]["store"]["oneOf"][1];
    let options = KINDS.iter().flat_map(|kind| kind.options);
    let options = options.filter(|option| option.file != InFile::Never);
    let options = options.map(|option| option.option.id).chain(["location"]);
    let options: BTreeSet<String> = options.map(str::to_owned).collect();
    assert_eq!(keys(&table["properties"]), options);
}
