//! `doorkey.toml`: the few settings that a repository keeps.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::executing::is_executing;
use super::option::{self, InFile};
use super::suggest::nearest;
use crate::model::error::Malformed;

/// Options that the file can set. Command line options and variables win over the file. None of
/// these runs a program or says where a credential goes: `store` chooses among documents of the
/// server that the user has named, and among folders.
const OWN: [(&str, InFile); 8] = [
    ("store", InFile::Always),
    ("project", InFile::Always),
    ("cluster", InFile::Always),
    ("references", InFile::Always),
    // Where values are kept, and for whom.
    ("cache", InFile::Named),
    ("cache-recipient", InFile::Named),
    ("cache-max-age", InFile::Always),
    ("splay", InFile::Always),
];

/// Key that names the store where `store` is a table.
const LOCATION: &str = "location";

/// The settings of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: Vec<(&'static str, String)>,
    /// Settings of the `[store]` table: line, column, key, value.
    pub of_store: Vec<(usize, usize, String, String)>,
    /// Variables of the workload, from `[env]`: line, name and value.
    pub variables: Vec<(usize, Vec<u8>, Vec<u8>)>,
    /// Paths of env files, from the file's folder.
    pub env_files: Vec<String>,
    /// True if the user has named the file, false if it was found.
    pub named: bool,
}

impl Config {
    /// Value of a setting; `None` where the file does not set it.
    pub fn get(&self, setting: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == setting);
        found.map(|(_, value)| value.as_str())
    }
}

/// Line, column and reason of a fault in the file.
pub type Unfit = (usize, usize, String);

/// Parses the file's text. `named` is true if the user has named the file; `stores` lists the
/// store options that may stand at its top level.
///
/// # Errors
/// All places that are no setting that this file may have, or no string; or the first that is no
/// TOML.
pub fn parse(
    bytes: &[u8],
    named: bool,
    stores: impl Iterator<Item = (&'static str, InFile)>,
) -> Result<Config, Vec<Unfit>> {
    let place = |at| {
        let at = Malformed::at(bytes, at, "");
        (at.line, at.column)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = place(error.valid_up_to());
        vec![(
            line,
            column,
            "this is not UTF-8; save it as UTF-8".to_owned(),
        )]
    })?;
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = place(error.span().map_or(0, |span| span.start));
        let reason = match error.message() {
            "duplicate key" => "this key is repeated; leave one out",
            _ => "this is not TOML",
        };
        vec![(line, column, reason.to_owned())]
    })?;
    let mut reading = Reading {
        known: OWN.into_iter().chain(stores).collect(),
        place: &place,
        config: Config {
            named,
            ..Config::default()
        },
        faults: Vec::new(),
    };
    for (key, value) in table.get_ref() {
        reading.setting(key, value);
    }
    reading.faults.sort_unstable();
    match reading.faults.is_empty() {
        true => Ok(reading.config),
        false => Err(reading.faults),
    }
}

/// A file that is read, and the faults in it.
struct Reading<'r> {
    known: Vec<(&'static str, InFile)>,
    /// The line and the column of an offset.
    place: &'r dyn Fn(usize) -> (usize, usize),
    config: Config,
    faults: Vec<Unfit>,
}

impl Reading<'_> {
    fn fail(&mut self, at: usize, reason: impl Into<String>) {
        let (line, column) = (self.place)(at);
        self.faults.push((line, column, reason.into()));
    }

    /// Takes a string; anything else is a fault.
    fn text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = string(value);
        if text.is_none() {
            self.fail(value.span().start, "a string is wanted here");
        }
        text
    }

    fn setting(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (VARIABLES, DeValue::Table(variables)) => {
                for (key, value) in variables {
                    self.variable(key, value);
                }
            }
            (VARIABLES, _) => self.fail(value.span().start, "a table is wanted here"),
            (ENV_FILES, DeValue::Array(files)) => {
                for file in files {
                    let file = self.text(file);
                    self.config.env_files.extend(file);
                }
            }
            (ENV_FILES, _) => {
                let file = self.text(value);
                self.config.env_files.extend(file);
            }
            (name, _) => match self.known.iter().find(|(known, _)| *known == name) {
                Some(&(id, file)) => self.known(id, file, key, value),
                None => self.fail(key.span().start, no_such(name, &self.known)),
            },
        }
    }

    fn variable(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let text = self.text(value);
        match (variable(key.get_ref(), self.config.named), text) {
            (Ok(name), Some(value)) => {
                let (line, _) = (self.place)(key.span().start);
                let variable = (line, name, value.into_bytes());
                self.config.variables.push(variable);
            }
            (Err(why), _) => self.fail(key.span().start, why),
            (Ok(_), None) => {}
        }
    }

    fn known(
        &mut self,
        id: &'static str,
        file: InFile,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        if let (OWN_STORE, DeValue::Table(settings)) = (id, value.get_ref()) {
            for (key, value) in settings {
                let Some(value) = self.text(value) else {
                    continue;
                };
                if key.get_ref().as_ref() == LOCATION {
                    self.config.values.push((id, value));
                } else {
                    let (line, column) = (self.place)(key.span().start);
                    let key = key.get_ref().clone().into_owned();
                    self.config.of_store.push((line, column, key, value));
                }
            }
            return;
        }
        let text = self.text(value);
        if file == InFile::Named && !self.config.named {
            self.fail(key.span().start, option::named_only(id));
        } else {
            self.config.values.extend(text.map(|text| (id, text)));
        }
    }
}

/// The table of the workload's variables.
const VARIABLES: &str = "env";

/// The list of env files.
const ENV_FILES: &str = "env-file";

/// Returns the name of a variable that this file may set.
fn variable(name: &str, named: bool) -> Result<Vec<u8>, String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("a variable's name is not empty, and has no = and no NUL in it".to_owned());
    }
    if !named && is_executing(name.as_bytes()) {
        return Err(option::named_only("a variable by which programs run code"));
    }
    Ok(name.into())
}

/// The setting that may be a table.
const OWN_STORE: &str = OWN[0].0;

fn no_such(key: &str, known: &[(&'static str, InFile)]) -> String {
    match nearest(key, known, |(id, _)| id) {
        Some((meant, _)) => format!("there is no such setting; did you mean {meant}?"),
        None => {
            let known = known
                .iter()
                .map(|(id, _)| *id)
                .chain([ENV_FILES, VARIABLES]);
            let known: Vec<_> = known.collect();
            format!("this setting is none of {}", known.join(", "))
        }
    }
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

    fn parse(text: &[u8], named: bool) -> Result<Config, Vec<Unfit>> {
        let stores = [("address", InFile::Named), ("role", InFile::Always)];
        super::parse(text, named, stores.into_iter())
    }

    #[test]
    fn settings() {
        let config = parse(b"store = \"age:secrets\"\nproject = 'web'\n", false).unwrap();
        assert_eq!(config.get("store"), Some("age:secrets"));
        assert_eq!(config.get("project"), Some("web"));
        assert_eq!(config.get("cluster"), None);
    }

    #[test]
    fn the_store_can_be_a_table() {
        let text = b"project = 'web'\n[store]\nlocation = 'x:a'\nregion = 'b'\n";
        let config = parse(text, false).unwrap();
        assert_eq!(config.get("store"), Some("x:a"));
        let region = (4, 1, "region".to_owned(), "b".to_owned());
        assert_eq!(config.of_store, [region]);
    }

    #[test]
    fn where_a_token_goes_is_said_by_a_file_that_was_named() {
        for setting in ["store", "cluster", "role", "cache", "address"] {
            let text = format!("\n{setting} = 'x'");
            let parse = |named| parse(text.as_bytes(), named);
            assert_eq!(parse(true).unwrap().get(setting), Some("x"));
            let refused = ["cache", "address"].contains(&setting);
            let fault = (2, 1, option::named_only(setting));
            assert_eq!(parse(false).err(), refused.then(|| vec![fault]));
        }
    }

    #[test]
    fn faults_say_where() {
        let at = |text: &[u8]| parse(text, true).unwrap_err();
        let fault = |line, column, reason: &str| vec![(line, column, reason.to_owned())];
        let near = "there is no such setting; did you mean store?";
        assert_eq!(at(b"\nstor = ''"), fault(2, 1, near));
        let none = "this setting is none of store, project, cluster, references, cache, cache-recipient, \
                    cache-max-age, splay, address, role, env-file, env";
        assert_eq!(at(b"x = ''"), fault(1, 1, none));
        let string = "a string is wanted here";
        assert_eq!(at(b"store = 1"), fault(1, 9, string));
        assert_eq!(at(b"[store]\na = 1"), fault(2, 5, string));
        assert_eq!(at(b"[role]"), fault(1, 1, string));
        assert_eq!(
            at(b"store = \xff"),
            fault(1, 9, "this is not UTF-8; save it as UTF-8")
        );
        assert!(matches!(&at(b"\n store")[..], [(2, _, why)] if why == "this is not TOML"));
        let repeated = at(b"[env]\nA = ''\nA = ''");
        assert_eq!(repeated, fault(3, 1, "this key is repeated; leave one out"));
    }

    #[test]
    fn all_faults_at_once() {
        let text = b"stor = ''\nenv-file = ['a', 1]\naddress = 'x'\n[env]\nA = 1\n'B=C' = ''\nD = ''\nPATH = ''";
        let faults = parse(text, false).unwrap_err();
        let places: Vec<_> = faults
            .iter()
            .map(|(line, column, _)| (*line, *column))
            .collect();
        assert_eq!(places, [(1, 1), (2, 18), (3, 1), (5, 5), (6, 1), (8, 1)]);
    }
}
