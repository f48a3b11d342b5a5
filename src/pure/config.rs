//! `doorkey.toml`: the few settings that a repository keeps.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::words::error::Malformed;

/// What the file can say: names of options. All of it can also be said by options and variables,
/// which win. None has a program run or says where a credential goes: `store` chooses among the
/// documents of the server that the user has named, and among folders; `auth` and `role` say as
/// whom to log in there, at the place that every such server has for it.
const SETTINGS: [&str; 10] = [
    "store",
    "project",
    "cluster",
    "team-path",
    "cluster-path",
    "project-path",
    "auth",
    "role",
    "cache-max-age",
    "require-tls",
];

/// What only a file can say that was named: where credentials are sent (a login's mount, in any
/// namespace, may be set up to hand them on), where values are kept and for whom, and which files
/// are refused. A file that merely lies in a folder is anybody's who could write there, or have it
/// checked out.
const TRUSTED: [&str; 6] = [
    "address",
    "namespace",
    "auth-path",
    "cache",
    "cache-recipient",
    "unbound",
];

const NOT_FOUND: &str = "address, namespace, auth-path, cache, cache-recipient and unbound count only in \
     a file that --config or DOORKEY_CONFIG names";

const NO_SUCH: &str = "this setting is none of store, project, cluster, team-path, cluster-path, \
     project-path, address, namespace, auth, auth-path, role, require-tls, cache, cache-recipient, \
     cache-max-age, unbound";

/// The settings of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: Vec<(&'static str, String)>,
}

impl Config {
    /// What the file says.
    pub fn get(&self, setting: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == setting);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads the file's text; `named` says whether the user named the file.
///
/// # Errors
/// The first place that is not TOML, not a setting that the file may say, or not a string.
pub fn parse(bytes: &[u8], named: bool) -> Result<Config, Malformed> {
    let fault = |at, reason| Malformed::at(bytes, at, reason);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| fault(error.valid_up_to(), "this is not UTF-8"))?;
    let table = DeTable::parse(text).map_err(|error| {
        fault(
            error.span().map_or(0, |span| span.start),
            "this is not TOML",
        )
    })?;
    let mut config = Config::default();
    for (key, value) in table.get_ref() {
        let is_it = |known: &&&str| **known == key.get_ref().as_ref();
        let known = SETTINGS.iter().chain(&TRUSTED).find(is_it);
        let known = *known.ok_or_else(|| fault(key.span().start, NO_SUCH))?;
        let value =
            string(value).ok_or_else(|| fault(value.span().start, "a string is wanted here"))?;
        if TRUSTED.contains(&known) && !named {
            return Err(fault(key.span().start, NOT_FOUND));
        }
        config.values.push((known, value));
    }
    Ok(config)
}

fn string(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.clone().into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let config = parse(b"store = \"age:secrets\"\nproject = 'web'\n", false).unwrap();
        assert_eq!(config.get("store"), Some("age:secrets"));
        assert_eq!(config.get("project"), Some("web"));
        assert_eq!(config.get("cluster"), None);
    }

    #[test]
    fn where_a_token_goes_is_said_by_a_file_that_was_named() {
        for setting in SETTINGS.iter().chain(&TRUSTED) {
            let text = format!("\n{setting} = 'x'");
            let parse = |named| parse(text.as_bytes(), named);
            assert_eq!(parse(true).unwrap().get(setting), Some("x"));
            match TRUSTED.contains(setting) {
                false => assert_eq!(parse(false), parse(true)),
                true => assert_eq!(
                    parse(false),
                    Err(Malformed {
                        line: 2,
                        column: 1,
                        reason: NOT_FOUND
                    })
                ),
            }
            assert!(NO_SUCH.contains(setting), "{setting}");
            assert_eq!(
                NOT_FOUND.contains(setting),
                TRUSTED.contains(setting) || *setting == "auth",
                "{setting}"
            );
        }
    }

    #[test]
    fn faults_say_where() {
        let at = |text: &[u8]| {
            parse(text, true).map_err(|fault| (fault.line, fault.column, fault.reason))
        };
        assert_eq!(at(b"\nstor = ''"), Err((2, 1, NO_SUCH)));
        assert_eq!(at(b"store = 1"), Err((1, 9, "a string is wanted here")));
        assert!(matches!(
            at(b"store = \xff"),
            Err((1, 9, "this is not UTF-8"))
        ));
        assert!(matches!(at(b"\n store"), Err((2, _, "this is not TOML"))));
    }
}
