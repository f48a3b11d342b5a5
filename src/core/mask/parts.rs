//! Parts of a structured value that programs print alone: strings in JSON, values of an env file,
//! passwords of URLs and connection strings.

use percent_encoding::percent_decode;
use serde_json::Value;

use super::encodings::trimmed;

/// Most texts in one another: JSON in a string of JSON, a URL in that.
const DEPTH: usize = 4;

/// Ends of names whose values are secret.
const SECRET: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "secret",
    "token",
    "key",
    "sig",
    "signature",
    "credentials",
];

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
    let mut part = |name: &str, part: &[u8]| {
        let path = joined(path, name);
        give(&path, part);
        below(part, &path, depth - 1, give);
    };
    if text.trim_start().starts_with(['{', '[', '"']) {
        if let Ok(json) = serde_json::from_str(text) {
            members(&json, "", &mut part);
        }
    } else if text.contains('\n') {
        env_file(text, &mut part);
    } else {
        of_line(text, &mut |name, part| give(&joined(path, name), part));
    }
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

fn is_name(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(part)
}

/// Gives the values of lines `NAME=value`, where no other lines are there but comments.
fn env_file(text: &str, give: &mut dyn FnMut(&str, &[u8])) {
    let lines = || {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    };
    if lines().all(|line| assigned(line).is_some()) {
        for (name, value) in lines().filter_map(assigned) {
            give(name, value.as_bytes());
        }
    }
}

/// Splits `NAME=value`, or `export NAME="value"`.
fn assigned(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("export ").unwrap_or(text);
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let inside = value.strip_prefix(quote)?;
        inside.strip_suffix(quote)
    });
    is_name(name).then_some((name, quoted.unwrap_or(value)))
}

/// Gives the secrets of a URL, of `user:password`, and of a list of settings.
fn of_line(text: &str, give: &mut dyn FnMut(&str, &[u8])) {
    let mut both = |name: &str, part: &str| {
        give(name, part.as_bytes());
        let decoded: Vec<u8> = percent_decode(part.as_bytes()).collect();
        if decoded != part.as_bytes() {
            give(name, &decoded);
        }
    };
    if let Some((_, rest)) = text.split_once("://") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if let Some((user, _)) = rest[..end].rsplit_once('@') {
            match user.split_once(':') {
                Some((_, password)) if !password.is_empty() => both("password", password),
                // A token in the place of a user.
                Some((token, _)) => both("user", token),
                None => both("user", user),
            }
        }
    } else if let Some((user, rest)) = text.split_once(':')
        && is_name(&user.replace(['@', '+'], "_"))
        && !rest.contains(char::is_whitespace)
    {
        let password = rest.rsplit_once('@').map_or(rest, |(password, _)| password);
        both("password", password);
    }
    let settings = text.split(|one: char| one.is_whitespace() || ";&?".contains(one));
    for (name, value) in settings.filter_map(assigned) {
        let lower = name.to_ascii_lowercase();
        if SECRET.iter().any(|end| lower.ends_with(end)) {
            both(name, value);
        }
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
    fn urls_and_settings() {
        has("https://token@host/path", &[("user", "token")]);
        has("https://token:@host/path", &[("user", "token")]);
        has("redis://:pw@host:6379", &[("password", "pw")]);
        has("https://host:8080/a@b", &[]);
        has("admin:a:b", &[("password", "a:b")]);
        has("app:p@ss@tcp(db:3306)/name", &[("password", "p@ss")]);
        has("a text: with spaces", &[]);
        has(
            "host=db user=app password='p w' sslmode=require",
            &[("password", "'p")],
        );
        has(
            "Server=tcp:host,1433;User ID=app;Password=pw=x;",
            &[("Password", "pw=x")],
        );
        has(
            "AccountName=a;AccountKey=abc==;EndpointSuffix=x",
            &[("AccountKey", "abc==")],
        );
        has(
            "A=one\n# two\nexport B=\"t w o\"\n",
            &[("A", "one"), ("B", "t w o")],
        );
        has("A=one\nnothing\n", &[]);
    }
}
