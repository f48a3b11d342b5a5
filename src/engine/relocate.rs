//! Secrets that go elsewhere: to another name or scope, or to another store.

use super::managed::find;
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::{Answer, Depth, How, Store, Writer};

/// A secret of a store.
pub type Spot<'a> = (&'a Scope, &'a Name);

/// Reads the value of a secret, as it is now; `None` if there is none.
///
/// # Errors
/// The reason why it can't be read.
pub fn value(store: &dyn Store, (scope, name): Spot) -> Result<Option<Secret>, StoreError> {
    let found = find(store, scope, name, Depth::Fresh)??;
    Ok(found.and_then(|found| found.value))
}

/// Moves a secret to a name that must be new. It is there twice for a moment, and never nowhere. The
/// same move made again finishes one that was interrupted.
///
/// # Errors
/// [`StoreError::taken`] where there is another value; or the reason why it is not moved.
pub fn relocate(
    store: &dyn Store,
    writer: &dyn Writer,
    from: Spot,
    to: Spot,
) -> Result<(), StoreError> {
    let moved = value(store, from)?.ok_or_else(StoreError::no_secret)?;
    match writer.copy(from, &moved, to) {
        Err(trouble) if trouble.is_taken() => {
            let there = value(store, to)?;
            if there.is_none_or(|there| there.expose() != moved.expose()) {
                return Err(trouble);
            }
        }
        copied => copied?,
    }
    writer.delete(from.0, from.1)
}

/// The names of a scope that are copied, and whether each exists at the other store.
pub type Part = (Scope, Vec<(Name, bool)>);

/// The store that an error is of: true for the one that is read.
pub type OfStore = (bool, StoreError);

/// Lists what a copy of a store, or of a scope, would write.
///
/// # Errors
/// A store that does not list its names.
pub fn plan(from: &dyn Store, to: &dyn Store, only: Option<Scope>) -> Result<Vec<Part>, OfStore> {
    let of = |is_first| move |trouble| (is_first, trouble);
    let scopes = match only {
        Some(scope) => vec![scope],
        None => from.scopes().map_err(of(true))?,
    };
    let found = from.names(&scopes).map_err(of(true))?;
    let there = to.names(&scopes).map_err(of(false))?;
    let mut parts = Vec::new();
    for ((scope, found), there) in scopes.into_iter().zip(found).zip(there) {
        let (found, there) = (found.map_err(of(true))?, there.map_err(of(false))?);
        let names = found.into_iter().map(|name| {
            let exists = there.contains(&name);
            (name, exists)
        });
        parts.push((scope, names.collect()));
    }
    parts.retain(|(_, names): &Part| !names.is_empty());
    Ok(parts)
}

/// The values of a scope.
pub type Values = (Scope, Vec<(Name, Secret)>);

/// A secret that could not be read, and the reason; no secret where the whole store can't be read.
pub type Unread = (Option<(Scope, Name)>, StoreError);

/// Reads everything that is copied.
///
/// # Errors
/// All secrets that can't be read, each with its reason.
pub fn read(from: &dyn Store, parts: &[Part]) -> Result<Vec<Values>, Vec<Unread>> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for (scope, names) in parts {
        let questions = names
            .iter()
            .map(|(name, _)| Ok(vec![from.locate(scope, name)?]));
        let questions: Result<Vec<_>, StoreError> = questions.collect();
        let answers = questions.and_then(|asked| from.fetch(&asked, Depth::Values));
        let answers = answers.map_err(|trouble| vec![(None, trouble)])?;
        let mut values = Vec::new();
        for ((name, _), answer) in names.iter().zip(answers) {
            let value = match answer {
                Answer::Found(_, found) => found.value.ok_or_else(StoreError::no_secret),
                Answer::Failed(_, trouble) => Err(trouble),
                Answer::Missing { .. } => Err(StoreError::no_secret()),
            };
            match value {
                Ok(value) => values.push((name.clone(), value)),
                Err(trouble) => errors.push((Some((scope.clone(), name.clone())), trouble)),
            }
        }
        all.push((scope.clone(), values));
    }
    match errors.is_empty() {
        true => Ok(all),
        false => Err(errors),
    }
}

/// Writes what was read, a scope after the other.
///
/// # Errors
/// The scope that could not be written, and the reason. Those before it are.
pub fn write(to: &dyn Writer, all: &[Values]) -> Result<(), (Scope, StoreError)> {
    for (scope, values) in all {
        let written = to.write(scope, values, How::Set);
        written.map_err(|trouble| (scope.clone(), trouble))?;
    }
    Ok(())
}
