//! Secrets out of a dotenv file.

use std::collections::BTreeSet;

use super::env_files::warn_of_braced;
use super::managed::{LARGEST, RULE, TOO_LARGE, is_creatable};
use crate::core::dotenv;
use crate::core::environment::refusal;
use crate::model::error::{Error, Fault};
use crate::model::escape::Shown;
use crate::model::log::{self, Label};
use crate::model::name::Name;
use crate::model::named::{self, Named};
use crate::model::reference::{self, Value};
use crate::model::secret::Secret;
use crate::stores;

/// True if a text in the place of a name is likely to be one. It may be a piece of an unquoted value,
/// which is not shown: such pieces mostly have digits and small letters, or many of them.
pub fn is_shown(name: &[u8]) -> bool {
    let has = |is_it: fn(&u8) -> bool| name.iter().any(is_it);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    let is_long = has(u8::is_ascii_digit) && name.len() > 12 && !has(|byte| b"_.-".contains(byte));
    name.is_ascii() && name.len() <= 64 && !is_mixed && !is_long && named::is_path(name)
}

/// Warns of names without a value, which are skipped.
pub fn warn_of_empty(empty: &[Name]) {
    if empty.is_empty() {
        return;
    }
    let shown = |name: &&Name| is_shown(name.as_str().as_bytes());
    let names: Vec<_> = empty.iter().filter(shown).map(Name::as_str).collect();
    let hidden = empty.len() - names.len();
    let hidden = (hidden > 0).then(|| format!("{hidden} whose names are not shown"));
    let names = names.into_iter().map(str::to_owned).chain(hidden);
    let names = names.collect::<Vec<_>>().join(", ");
    log::warning!(Ignored, reference = &Label(&names); "skipped, as they are empty: {names}");
}

/// Secrets to store, and the names without a value.
pub type Imported = (Vec<(Name, Secret)>, Vec<Name>);

/// Reads the assignments of a dotenv file to import, the last of each name. Warns of values that a
/// launch would not have had as they are.
///
/// # Errors
/// All faults in the text.
pub fn assignments(text: &[u8], file: &Named) -> Result<Imported, Error> {
    let wrong = |at| Error::Text {
        path: file.clone(),
        at,
    };
    let assignments = dotenv::parse(text, false).map_err(|faults| {
        let faults = faults.into_iter().map(wrong);
        Error::all(faults.collect())
    })?;
    let lines = dotenv::lines(text);
    let schemes = stores::schemes(&[]);
    let mut values: Vec<(Name, Secret)> = Vec::new();
    let (mut errors, mut braced, mut references) = (Vec::new(), BTreeSet::new(), Vec::new());
    for mut assignment in assignments {
        let has_value = assignment.value.is_some();
        let value = Secret::new(assignment.value.take().unwrap_or_default());
        let name = Name::new(&assignment.name).filter(|name| is_creatable(name.as_str()));
        if name.is_none() {
            let at = assignment.fault(&lines, RULE);
            errors.push(match is_shown(&assignment.name) {
                true => Error::Found {
                    place: format!("{file}:{}:{}", at.line, at.column),
                    what: format!("{}: {RULE}", Shown(&assignment.name)),
                },
                false => wrong(at),
            });
        }
        let unfit = match value.len() {
            _ if !has_value => Some("the value is empty"),
            0..=LARGEST => None,
            _ => Some(TOO_LARGE),
        };
        errors.extend(unfit.map(|reason| wrong(assignment.fault(&lines, reason))));
        let Some(name) = name else {
            continue;
        };
        braced.extend(assignment.braced);
        if !matches!(reference::parse(value.expose(), &schemes), Ok(Value::Plain)) {
            references.push(name.to_string());
        }
        if let Some(cause) = refusal(&assignment.name, value.expose()) {
            let fault = Fault::of(&assignment.name, None, cause);
            log::warning!(Advice, reference = &name; "{fault}");
        }
        values.push((name, value));
    }
    if !errors.is_empty() {
        return Err(Error::all(errors));
    }
    warn_of_braced(file, &braced);
    if !references.is_empty() {
        let names = references.join(", ");
        log::warning!(
            Advice, reference = &Label(&names);
            "stored as text, and never read as references: {names}"
        );
    }
    let mut later = BTreeSet::new();
    values.reverse();
    values.retain(|(name, _)| later.insert(name.clone()));
    values.reverse();
    let (values, empty): (Vec<_>, Vec<_>) =
        values.into_iter().partition(|(_, value)| !value.is_empty());
    Ok((values, empty.into_iter().map(|(name, _)| name).collect()))
}
