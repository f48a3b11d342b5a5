//! `doorkey.toml`: the few settings that a repository keeps.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::words::error::Malformed;

/// What `doorkey.toml` can say. All of it can also be said by options and variables, which win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The store; a relative place starts from the file's folder.
    pub store: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
}

/// Reads the file's text.
///
/// # Errors
/// The first place that is not TOML, not a known setting, or not a string.
pub fn parse(bytes: &[u8]) -> Result<Config, Malformed> {
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
        let setting = match key.get_ref().as_ref() {
            "store" => &mut config.store,
            "project" => &mut config.project,
            "cluster" => &mut config.cluster,
            _ => {
                return Err(fault(
                    key.span().start,
                    "this setting is none of store, project, cluster",
                ));
            }
        };
        *setting = Some(
            string(value).ok_or_else(|| fault(value.span().start, "a string is wanted here"))?,
        );
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
        let config = parse(b"store = \"age:secrets\"\nproject = 'web'\n").unwrap();
        assert_eq!(config.store.as_deref(), Some("age:secrets"));
        assert_eq!(config.project.as_deref(), Some("web"));
        assert_eq!(config.cluster, None);
    }

    #[test]
    fn faults_say_where() {
        let at =
            |text: &[u8]| parse(text).map_err(|fault| (fault.line, fault.column, fault.reason));
        assert_eq!(
            at(b"\nstor = ''"),
            Err((2, 1, "this setting is none of store, project, cluster"))
        );
        assert_eq!(at(b"store = 1"), Err((1, 9, "a string is wanted here")));
        assert!(matches!(
            at(b"store = \xff"),
            Err((1, 9, "this is not UTF-8"))
        ));
        assert!(matches!(at(b"\n store"), Err((2, _, "this is not TOML"))));
    }
}
