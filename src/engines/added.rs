//! Variables that nobody assigned: those that are added under the names of secrets themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::Answers;
use super::assemble::Assembled;
use crate::pure::executing::is_executing;
use crate::pure::nearest::{COMPARED, nearest};
use crate::stores::Found;
use crate::words::error::{Cause, Fault};
use crate::words::name::Name;
use crate::words::reference::{Direct, Reference, Scoped, Target, Value, What};
use crate::words::secret::Secret;
use crate::words::shown::Shown;

/// Adds secrets in force under their own names.
pub fn names(assembled: &mut Assembled<'_>, names: BTreeSet<Name>) {
    let target = |name: Name| {
        let variable = name.as_str().as_bytes().to_vec();
        let (level, member) = (None, None);
        let scoped = Scoped {
            level,
            name,
            member,
        };
        (variable, Target::Scoped(scoped))
    };
    add(assembled, "--all", names.into_iter().map(target));
}

/// Adds the members of the documents that a variable lists under their own names; of two that are
/// called the same the later one. What is wrong with a document is among the errors then.
pub fn documents(assembled: &mut Assembled<'_>, answers: &mut Answers<'_>) {
    for (variable, references) in std::mem::take(&mut assembled.documents) {
        let mut members = BTreeMap::new();
        for reference in &references {
            match found(reference, answers) {
                Ok(found) => members.extend(found),
                Err(cause) => {
                    let fault = Fault::of(&variable, Some(reference.clone()), cause);
                    assembled.errors.push(fault.into());
                }
            }
        }
        let mut targets = Vec::with_capacity(members.len());
        for (name, (place, value)) in members {
            answers
                .direct
                .insert(place.clone(), Ok(Found::Value(value)));
            targets.push((name.into_bytes(), Target::Direct(place)));
        }
        add(
            assembled,
            &String::from_utf8_lossy(&variable),
            targets.into_iter(),
        );
    }
}

/// A member's name, its own place, and its value.
type Member = (String, (Direct, Secret));

/// A document's members, each with its own place; none where it is missing and may be, or was not
/// asked for.
fn found(reference: &Reference, answers: &Answers<'_>) -> Result<Vec<Member>, Cause> {
    let Target::Direct(place) = &reference.target else {
        return Ok(vec![]);
    };
    let What::Document { path, version } = &place.what else {
        return Ok(vec![]);
    };
    let members = match answers.direct.get(place) {
        Some(Ok(Found::Members(members))) => members,
        // Why it was not asked for is among the errors.
        None => return Ok(vec![]),
        Some(Ok(_)) if reference.fallback.is_some() => return Ok(vec![]),
        Some(Ok(_)) if answers.leaves_out(place) => {
            log::warn!("{place} is missing, and left out");
            return Ok(vec![]);
        }
        Some(Ok(_)) => {
            return Err(Cause::Absent {
                store: answers.label_of(place),
                document: false,
            });
        }
        Some(Err(trouble)) => {
            return Err(Cause::Failed {
                scope: None,
                store: answers.label_of(place),
                trouble: Box::new(trouble.clone()),
            });
        }
    };
    if !members.iter().all(|(key, _)| is_variable(key)) {
        return Err(Cause::NoVariable);
    }
    let member = |(key, value): &(String, Secret)| {
        let what = What::Key {
            path: path.clone(),
            key: key.clone(),
            version: *version,
        };
        let scheme = place.scheme;
        let value = Secret::new(value.expose().to_vec());
        (key.clone(), (Direct { scheme, what }, value))
    };
    Ok(members.iter().map(member).collect())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Adds variables that refer to these targets, where nothing else assigns them; but none of
/// doorkey's or the store's own, and none by which a program would run what a secret says, unless
/// they are kept. `by` is what asks for them.
fn add(assembled: &mut Assembled<'_>, by: &str, targets: impl Iterator<Item = (Vec<u8>, Target)>) {
    let (mut own, mut executing) = (Vec::new(), Vec::new());
    for (variable, target) in targets {
        if assembled.environment.value(&variable).is_some() {
            continue;
        }
        if !assembled.kept.contains(&variable) {
            if variable.starts_with(b"DOORKEY_") || assembled.is_own(&variable) {
                own.push(Shown(&variable).to_string());
                continue;
            }
            if is_executing(&variable) {
                executing.push(Shown(&variable).to_string());
                continue;
            }
        }
        let place = assembled.environment.assign(&variable, b"");
        let value = Value::Whole(target.into());
        assembled.values.push((place, variable, value));
    }
    let own = (own, "as these variables are doorkey's or the store's own");
    let executing = (executing, "as programs run code by these variables");
    for (names, why) in [own, executing] {
        if !names.is_empty() {
            let names = names.join(", ");
            log::warn!("{by}: not added, {why}: {names}; --keep-env NAME adds one");
        }
    }
}

/// Warns of names that options give and no variable has.
pub fn unnamed(assembled: &Assembled<'_>) {
    let variables = assembled.environment.variables();
    let there: BTreeSet<&[u8]> = variables.map(|(_, name, _)| name).collect();
    let has = |name: &[u8]| there.contains(name);
    let unnamed: Vec<_> = assembled
        .unnamed
        .iter()
        .filter(|(_, name)| !has(name))
        .collect();
    if unnamed.is_empty() {
        return;
    }
    let known: Vec<_> = assembled
        .environment
        .variables()
        .map(|(_, name, _)| Shown(name).to_string())
        .collect();
    for (at, (option, name)) in unnamed.into_iter().enumerate() {
        let name = Shown(name).to_string();
        let known = if at < COMPARED { &known[..] } else { &[] };
        let meant = nearest(&name, known, String::as_str);
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        log::warn!("--{option} {name}: there is no such variable{meant}");
    }
}
