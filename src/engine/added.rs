//! Variables that nobody assigned: those added under the names of secrets themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::Assembled;
use super::lookup::{Answered, Answers, Question};
use super::substitute;
use crate::core::executing::is_executing;
use crate::core::suggest::Hints;
use crate::model::error::{Cause, Fault};
use crate::model::escape::Shown;
use crate::model::log::{self, Label};
use crate::model::name::Name;
use crate::model::named::ShownPath;
use crate::model::reference::{Direct, Reference, Scoped, Target, Value};
use crate::model::secret::Secret;
use crate::stores::{Answer, Found, Lease};

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

/// Adds the members of the documents that a variable lists under their own names. The later one of
/// two with the same name wins. Faults of a document are added to the errors.
pub fn documents(assembled: &mut Assembled<'_>, answers: &mut Answers) {
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
        for (name, (place, value, lease)) in members {
            let found = Found {
                value: Some(value),
                lease,
                ..Found::default()
            };
            let answered = Answered::Asked(vec![], Answer::Found(0, found));
            answers
                .all
                .insert(Question::Direct(place.clone()), answered);
            targets.push((name.into_bytes(), Target::Direct(place)));
        }
        add(
            assembled,
            &String::from_utf8_lossy(&variable),
            targets.into_iter(),
        );
    }
}

/// The name of a member, its own place, its value, and the lease of the value.
type Member = (String, (Direct, Secret, Option<Lease>));

/// Lists a document's members, each with its own place. None where the document is missing and may
/// be, or was not asked for.
fn found(reference: &Reference, answers: &Answers) -> Result<Vec<Member>, Cause> {
    substitute::said(reference, answers)?;
    let found = answers.to(reference).and_then(Answered::found);
    let (Target::Direct(document), Some(found)) = (&reference.target, found) else {
        return Ok(vec![]);
    };
    if !found.members.iter().all(|(key, _)| is_variable(key)) {
        return Err(Cause::NoVariable);
    }
    let member = |(key, value): &(String, Secret)| {
        let mut place = document.clone();
        place.location.key = Some(key.clone());
        let value = Secret::new(value.expose().to_vec());
        (key.clone(), (place, value, found.lease.clone()))
    };
    Ok(found.members.iter().map(member).collect())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Adds variables that refer to these targets, where nothing else assigns them. Doorkey's own and
/// the store's own are left out unless they are kept. So are those by which a program would run
/// what a secret says. `by` is the source that asks for them.
fn add(assembled: &mut Assembled<'_>, by: &str, targets: impl Iterator<Item = (Vec<u8>, Target)>) {
    let (mut own, mut executing) = (Vec::new(), Vec::new());
    let kept: BTreeSet<_> = assembled.kept.iter().cloned().collect();
    for (variable, target) in targets {
        if assembled.environment.value(&variable).is_some() {
            continue;
        }
        if !kept.contains(&variable) {
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
            log::warning!(Ignored, variable = &Label(&names); "{by}: not added, {why}: {names}; --keep-env NAME adds one");
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
    let hints = Hints::default();
    for (option, name) in unnamed {
        let name = Shown(name).to_string();
        let meant = hints.nearest(&name, &known, String::as_str);
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        // A value may stand where its variable's name belongs.
        let shown = ShownPath(&name);
        log::warning!(Ignored, variable = &Label(&shown.to_string()); "--{option} {shown}: there is no such variable{meant}");
    }
}
