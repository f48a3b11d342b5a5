//! Resolves an environment: everything that it refers to, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answers, Depth, Wanted, wanted};
use super::assemble::Assembled;
use super::fill::{self, Filled};
use crate::pure::environment::{Environment, refusal};
use crate::pure::scope::Scopes;
use crate::stores::Store;
use crate::words::error::{Cause, Error, Fault};
use crate::words::name::Scope;
use crate::words::reference::{Part, Reference, Value};

/// An environment, what its values refer to, and the answers.
pub struct Resolved<'a, 'e> {
    /// The environment as its sources give it.
    pub environment: Environment<'e>,
    /// The variables to fill in.
    pub values: Vec<(usize, Vec<u8>, Value)>,
    /// What the store said; `None` where it was not needed, or could not be opened.
    pub answers: Option<Answers<'a>>,
    /// Everything that is wrong so far.
    pub errors: Vec<Error>,
}

/// How many references were filled in, and how many secrets each scope gave.
pub struct Summary {
    /// References in all variables.
    pub references: usize,
    /// Secrets by scope, the narrowest first.
    pub scopes: BTreeMap<Scope, usize>,
}

/// The references in a value.
pub fn references(value: &Value) -> impl Iterator<Item = &Reference> {
    let (whole, parts): (_, &[Part]) = match value {
        Value::Plain => (None, &[]),
        Value::Whole(reference) => (Some(reference), &[]),
        Value::Mixed(parts) => (None, parts),
    };
    let inside = parts.iter().filter_map(|part| match part {
        Part::Reference(reference) => Some(reference),
        Part::Text(_) => None,
    });
    whole.into_iter().chain(inside)
}

/// Adds every secret in force under its own name, where nothing else assigns it and the name is
/// none of doorkey's own.
fn add_all(assembled: &mut Assembled<'_>, store: &dyn Store, scopes: &Scopes) {
    let mut names = BTreeSet::new();
    for scope in scopes.in_force() {
        match store.names(&scope) {
            Ok(found) => names.extend(found),
            Err(trouble) => assembled.errors.push(Error::Store {
                store: format!("{scope} of {}", store.label()),
                trouble,
            }),
        }
    }
    for name in names {
        let variable = name.as_str().as_bytes().to_vec();
        let own = variable.starts_with(b"DOORKEY_");
        if !own && assembled.environment.value(&variable).is_none() {
            let place = assembled.environment.assign(&variable, b"");
            let reference = Reference {
                level: None,
                name,
                member: None,
                filters: vec![],
                fallback: None,
            };
            assembled
                .values
                .push((place, variable, Value::Whole(reference)));
        }
    }
}

/// Whether anything in an environment refers to a secret.
pub fn has_references(assembled: &Assembled<'_>) -> bool {
    assembled
        .values
        .iter()
        .any(|(_, _, value)| references(value).next().is_some())
}

/// Looks up everything that the environment refers to; `store` is `None` where nothing does, or
/// where it can't be opened.
/// With `all`, every secret in force is referred to.
pub fn resolve<'a, 'e>(
    mut assembled: Assembled<'e>,
    store: Option<&'a dyn Store>,
    scopes: &'a Scopes,
    all: bool,
    mut depth: Depth,
) -> Resolved<'a, 'e> {
    let mut answers = None;
    if let Some(store) = store {
        if depth == Depth::Values
            && let Err(trouble) = store.prepare()
        {
            // What is missing can still be said beside it.
            assembled.errors.push(Error::Store {
                store: store.label().to_owned(),
                trouble,
            });
            depth = Depth::Names;
        }
        if all {
            add_all(&mut assembled, store, scopes);
        }
        let wanted: BTreeSet<Wanted> = assembled
            .values
            .iter()
            .flat_map(|(_, _, value)| references(value))
            .map(wanted)
            .collect();
        answers = Some(Answers::find(store, scopes, wanted, depth));
    }
    let Assembled {
        environment,
        values,
        errors,
    } = assembled;
    Resolved {
        environment,
        values,
        answers,
        errors,
    }
}

impl<'e> Resolved<'_, 'e> {
    /// Fills every value in.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn fill(self) -> Result<(Environment<'e>, Summary), Error> {
        let Resolved {
            mut environment,
            values,
            answers,
            mut errors,
        } = self;
        let mut filled = Vec::with_capacity(values.len());
        for (place, name, value) in &values {
            match fill_one(value, answers.as_ref()) {
                Ok(pieces) => {
                    let entry = pieces.map(|pieces| fill::join(name, &pieces));
                    let value = entry.as_ref().map(|entry| &entry[name.len() + 1..]);
                    let refused = value.and_then(|value| refusal(name, value));
                    errors.extend(refused.map(|cause| Fault::of(name, None, cause).into()));
                    filled.push((*place, entry));
                }
                Err(faults) => {
                    let fault = |(reference, cause)| Fault::of(name, Some(reference), cause).into();
                    errors.extend(faults.into_iter().map(fault));
                }
            }
        }
        if !errors.is_empty() {
            return Err(Error::all(errors));
        }
        environment.fill(filled);
        let mut summary = Summary {
            references: values
                .iter()
                .map(|(_, _, value)| references(value).count())
                .sum(),
            scopes: BTreeMap::new(),
        };
        for (name, scope, _) in answers.iter().flat_map(Answers::values) {
            log::debug!("{name} comes from {scope}");
            *summary.scopes.entry(scope.clone()).or_default() += 1;
        }
        Ok((environment, summary))
    }
}

/// Fills one value in; where no store could be asked, only what needs none.
///
/// # Errors
/// As [`fill::fill`].
pub fn fill_one<'a>(
    value: &'a Value,
    answers: Option<&'a Answers<'_>>,
) -> Result<Filled<'a>, Vec<(Reference, Cause)>> {
    match answers {
        Some(answers) => fill::fill(value, answers),
        None => Ok(Some(fill::texts(value))),
    }
}
