//! A program of the user's own: asked once a launch for all names in all scopes. Read only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::remote::PATIENCE;
use super::{
    Answer, Context, Depth, Here, Location, Opened, Origin, Record, Store, program, search,
};
use crate::core::json;
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::sys::duration;
use crate::sys::program::{Program, found};

/// The version of request and answer.
const VERSION: u32 = 1;

/// The exit codes that mean something, from BSD's `sysexits.h`: "permission denied", and "temporary
/// failure".
const DENIED: u8 = 77;
const UNREACHABLE: u8 = 75;

struct Exec {
    label: String,
    file: PathBuf,
    deadline: Option<Instant>,
    known: Mutex<Memo>,
}

/// Questions that were asked so far, and their answers.
#[derive(Default)]
struct Memo {
    /// The scopes and the names of each time.
    asked: Vec<(Vec<String>, BTreeSet<String>)>,
    /// The scopes that are denied.
    denied: BTreeSet<String>,
    /// Values by scope and name.
    values: BTreeMap<(String, String), Secret>,
}

/// Opens `exec:PROGRAM`. Nothing is run yet.
///
/// # Errors
/// An error that no program is named, or that only a file that was found in a folder names it.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let of_main = &context.of_main;
    if of_main.origin == Origin::Configured && !of_main.named {
        let what = "a program is run only where --store, DOORKEY_STORE or a file that --config or \
                    DOORKEY_CONFIG names says so";
        return Err(StoreError::setting(what));
    }
    if place.is_empty() {
        return Err(StoreError::setting(
            "the store's name says no program; give exec:PROGRAM",
        ));
    }
    Ok(Box::new(Exec {
        label: context.label.clone(),
        file: found(place.as_ref(), &context.base),
        deadline: context.deadline,
        known: Mutex::default(),
    }))
}

/// The answer of the program.
#[derive(Deserialize)]
struct Reply<'a> {
    version: u32,
    #[serde(borrow, default)]
    values: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(default)]
    denied: BTreeSet<String>,
}

impl Exec {
    fn known(&self) -> MutexGuard<'_, Memo> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the program for these locations, unless it has been asked for all of them.
    fn ask(&self, locations: impl Iterator<Item = (String, String)>) -> Result<(), StoreError> {
        let (mut scopes, mut names) = (Vec::new(), BTreeSet::new());
        for (scope, name) in locations {
            let known = self.known();
            let mut asked = known.asked.iter();
            if !asked.any(|(scopes, names)| scopes.contains(&scope) && names.contains(&name)) {
                scopes.push(scope);
                names.insert(name);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        // The narrowest first, as they are looked in.
        scopes.sort_by_cached_key(|scope| Scope::parse(scope));
        scopes.dedup();
        let request = json!({"version": VERSION, "scopes": scopes, "names": names}).to_string();
        let began = Instant::now();
        let answer = program::run(&Program {
            file: &self.file,
            arguments: &[],
            environment: &[],
            without: &[],
            input: format!("{request}\n").as_bytes(),
            deadline: self.deadline.unwrap_or(began + PATIENCE),
        })?;
        let shown = program::shown(&self.file);
        let fault = match answer.code {
            0 => match given(answer.output.expose()) {
                Ok((values, denied)) => {
                    answer.log(values.values().map(Secret::expose));
                    let took = began.elapsed();
                    log::debug!(
                        Fetched, elapsed = took;
                        "{shown} has answered in {}", duration::shown(took)
                    );
                    let mut known = self.known();
                    known.values.extend(values);
                    known.denied.extend(denied);
                    known.asked.push((scopes, names));
                    return Ok(());
                }
                Err(why) => StoreError::unusable(&shown, why),
            },
            DENIED => StoreError::not_admitted(&shown, "it says that we have no right"),
            UNREACHABLE => {
                StoreError::unreachable(format_args!("{shown}: it can't reach what it asks"))
            }
            code => {
                StoreError::unusable(&shown, format_args!("it has ended with exit code {code}"))
            }
        };
        answer.log(std::iter::empty());
        Err(fault.hint("--log-level debug shows what it has said"))
    }

    fn look(&self, location: &Location, depth: Depth) -> Result<Here, StoreError> {
        let (scope, name) = place(location);
        let known = self.known();
        if known.denied.contains(&scope) {
            return Err(StoreError::denied("the program says that it is not for us"));
        }
        let value = known.values.get(&(scope, name));
        Ok(match (value, depth) {
            (value, Depth::Names) => Here::exists(value.is_some()),
            (value, _) => Here::value(value.map(|value| Secret::new(value.expose().to_vec()))),
        })
    }
}

/// The scope and the name of a location.
fn place(location: &Location) -> (String, String) {
    let name = location.key.clone().unwrap_or_default();
    (location.path.clone(), name)
}

/// Values by scope and name.
type Values = BTreeMap<(String, String), Secret>;

/// Reads an answer: the values, and the scopes that are denied.
fn given(text: &[u8]) -> Result<(Values, BTreeSet<String>), &'static str> {
    let no_answer = "its answer is not the JSON that is expected of it";
    let given: Reply<'_> = serde_json::from_slice(text).map_err(|_| no_answer)?;
    if given.version != VERSION {
        return Err("its answer has another version than 1");
    }
    let mut values = Values::new();
    for (scope, members) in given.values {
        for (name, value) in json::members(members.get().as_bytes()).map_err(|_| no_answer)? {
            let value = bytes(value)
                .ok_or("in its answer a value is neither text nor an object with its base64")?;
            values.insert((scope.clone().into_owned(), name), value);
        }
    }
    Ok((values, given.denied))
}

/// Reads a value: text, or `{"base64": …}`.
fn bytes(value: &RawValue) -> Option<Secret> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Bytes<'a> {
        #[serde(borrow)]
        base64: &'a RawValue,
    }
    let text = |value: &RawValue| {
        let is_text = value.get().starts_with('"');
        json::plain(value).ok().filter(|_| is_text).map(Secret::new)
    };
    if let Some(text) = text(value) {
        return Some(text);
    }
    let encoded: Bytes<'_> = serde_json::from_str(value.get()).ok()?;
    let encoded = text(encoded.base64)?;
    BASE64_STANDARD
        .decode(encoded.expose())
        .ok()
        .map(Secret::new)
}

impl Store for Exec {
    fn label(&self) -> &str {
        &self.label
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location::member(scope.to_string(), name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        self.ask(questions.iter().flatten().map(place))?;
        let look = |location: &Location| self.look(location, depth);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        let place = (scope.to_string(), name.to_string());
        self.ask(std::iter::once(place.clone()))?;
        let known = self.known();
        let value = known.values.get(&place);
        Ok(value.map(|value| Record {
            size: value.len(),
            created: None,
            modified: None,
            recipients: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::given;

    #[test]
    fn answers() {
        let text = r#"{"version":1,"denied":["cluster/eu"],"values":{"team":
            {"a":"x\u00e9\n","b":{"base64":"AP8="},"c":""},"project/w":{}}}"#;
        let (values, denied) = given(text.as_bytes()).unwrap();
        let shown = |name: &str| {
            let value = values.get(&("team".to_owned(), name.to_owned()));
            value.unwrap().expose().to_vec()
        };
        assert_eq!(
            (shown("a"), shown("b")),
            ("xé\n".as_bytes().to_vec(), vec![0, 255])
        );
        assert_eq!((shown("c"), values.len()), (vec![], 3));
        assert!(denied.contains("cluster/eu"));
        for text in [
            "",
            "[]",
            r#"{"values":{}}"#,
            r#"{"version":2,"values":{}}"#,
            r#"{"version":1,"values":{"team":[]}}"#,
            r#"{"version":1,"values":{"team":{"a":1}}}"#,
            r#"{"version":1,"values":{"team":{"a":null}}}"#,
            r#"{"version":1,"values":{"team":{"a":{"base64":"="}}}}"#,
            r#"{"version":1,"values":{"team":{"a":{"base64":"","b":1}}}}"#,
        ] {
            assert!(given(text.as_bytes()).is_err(), "{text}");
        }
        assert!(given(br#"{"version":1}"#).unwrap().0.is_empty());
    }
}
