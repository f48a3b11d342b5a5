//! Parts of a structured value that programs print alone: strings in JSON, texts in base64, and
//! what [`settings`](super::settings) finds.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Deserializer, Value};

use super::encodings::trimmed;
use super::settings::{is_name, settings};

/// Most texts in one another: JSON in a string of JSON, a URL in that.
const DEPTH: usize = 4;

/// Shortest text, in bytes, that may be another one in base64.
const SHORTEST_BASE64: usize = 12;

/// Gives the parts of a value, each after its place there: `member`, `list.0`.
pub fn parts(value: &[u8], give: &mut dyn FnMut(&str, &[u8])) {
    below(value, "", DEPTH, give);
}

fn below(value: &[u8], path: &str, depth: usize, give: &mut dyn FnMut(&str, &[u8])) {
    let Ok(text) = std::str::from_utf8(trimmed(value)) else {
        return;
    };
    if depth == 0 {
        return;
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut part = |name: &str, part: &[u8], goes_on: bool| {
        let path = joined(path, name);
        give(&path, part);
        if goes_on {
            below(part, &path, depth - 1, give);
        }
    };
    if let Some(all) = json(text) {
        let mut member = |name: &str, text: &[u8]| part(name, text, true);
        all.iter().for_each(|one| members(one, "", &mut member));
    } else if let Some(inside) = base64(text) {
        part("base64", &inside, true);
    } else {
        settings(text, &mut part);
    }
}

/// Parses JSON that can have strings, or several one after another.
fn json(text: &str) -> Option<Vec<Value>> {
    let begins = text.trim_start().starts_with(['{', '[', '"']);
    let all = || Deserializer::from_str(text).into_iter().collect();
    if begins { Result::ok(all()) } else { None }
}

/// Decodes a text in base64, if it is a text that is encoded there.
fn base64(text: &str) -> Option<Vec<u8>> {
    if text.len() < SHORTEST_BASE64 {
        return None;
    }
    let bytes: Vec<u8> = text
        .bytes()
        .filter(|byte| !b"\r\n".contains(byte))
        .collect();
    let any = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = |alphabet: &Alphabet| GeneralPurpose::new(alphabet, any).decode(&bytes).ok();
    let inside = decoded(&STANDARD).or_else(|| decoded(&URL_SAFE))?;
    let is_text = |one: char| !one.is_control() || "\t\r\n".contains(one);
    let is_text = std::str::from_utf8(&inside).is_ok_and(|text| text.chars().all(is_text));
    is_text.then_some(inside)
}

fn joined(path: &str, name: &str) -> String {
    match path.is_empty() || name.is_empty() {
        true => [path, name].concat(),
        false => [path, ".", name].concat(),
    }
}

/// Gives the strings of JSON, at all depths.
fn members(json: &Value, path: &str, give: &mut dyn FnMut(&str, &[u8])) {
    match json {
        Value::String(text) => give(path, text.as_bytes()),
        Value::Array(all) => {
            for (at, one) in all.iter().enumerate() {
                members(one, &joined(path, &at.to_string()), give);
            }
        }
        Value::Object(all) => {
            for (name, one) in all {
                // A key that is no name may be a secret itself.
                let name = if is_name(name) { name } else { "*" };
                members(one, &joined(path, name), give);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn has(value: &str, expected: &[(&str, &str)]) {
        let mut found = Vec::new();
        parts(value.as_bytes(), &mut |path, part| {
            found.push((path.to_owned(), String::from_utf8(part.to_vec()).unwrap()));
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, part)| ((*path).to_owned(), (*part).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_of_json() {
        has(
            r#"{"a": "one", "b": {"c": ["two", {"d.e": "thr\nee"}], "n": 12345678}, "odd key": "four"}"#,
            &[
                ("a", "one"),
                ("b.c.0", "two"),
                ("b.c.1.d.e", "thr\nee"),
                ("*", "four"),
            ],
        );
        has(r#"["one", "two"]"#, &[("0", "one"), ("1", "two")]);
        has("{not JSON", &[]);
        has("12345678", &[]);
    }

    #[test]
    fn texts_in_texts() {
        let inner = r#"{"url": "postgres://app:s%40cret@db/name?sslpassword=other"}"#;
        has(
            &serde_json::json!({ "config": inner }).to_string(),
            &[
                ("config", inner),
                (
                    "config.url",
                    "postgres://app:s%40cret@db/name?sslpassword=other",
                ),
                ("config.url.password", "s%40cret"),
                ("config.url.password", "s@cret"),
                ("config.url.sslpassword", "other"),
            ],
        );
    }

    #[test]
    fn json_as_it_is_written() {
        has("\u{feff}{\"a\": \"one\"}", &[("a", "one")]);
        has(
            "{\"a\": \"one\"}\n{\"a\": \"two\"}\n",
            &[("a", "one"), ("a", "two")],
        );
        // Of what is no JSON after all, the settings with a secret's name.
        has(
            "{\"a\": \"one\", \"password\": \"two\",}",
            &[("password", "two")],
        );
    }

    #[test]
    fn texts_in_base64() {
        let pair = ("base64", "app:a password");
        has("YXBwOmEgcGFzc3dvcmQ=", &[pair]);
        has(
            "YXBwOnBhc3N3b3JkMQ",
            &[
                ("base64", "app:password1"),
                ("base64.password", "password1"),
            ],
        );
        has(
            r#"{"auth":"YXBwOnBhc3N3b3JkMQ=="}"#,
            &[
                ("auth", "YXBwOnBhc3N3b3JkMQ=="),
                ("auth.base64", "app:password1"),
                ("auth.base64.password", "password1"),
            ],
        );
        // What is encoded here is no text.
        has("Vq8Zt2LxWm4Rk9Ys6Hc1", &[]);
    }
}
