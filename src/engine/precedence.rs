//! The other scopes that have a name: those that a value shadows, and those that shadow it.

use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::stores::{Answer, Depth, Store};

/// The other scopes of a store that have a name, narrowest first.
pub struct Others {
    /// Those over whose values the scope's own wins.
    pub wider: Vec<Scope>,
    /// Those whose values win over the scope's own.
    pub narrower: Vec<Scope>,
}

/// Finds the other scopes that have a name. Stores of files answer at once; others are asked for
/// each scope.
///
/// # Errors
/// The reason why the store can't tell.
pub fn others(store: &dyn Store, scope: &Scope, name: &Name) -> Result<Others, StoreError> {
    let mut scopes = store.scopes()?;
    scopes.retain(|other| other.level() != scope.level());
    let questions = scopes
        .iter()
        .map(|other| Ok(vec![store.locate(other, name)?]));
    let questions: Vec<_> = questions.collect::<Result<_, StoreError>>()?;
    let answers = store.fetch(&questions, Depth::Names)?;
    let mut answers = answers.iter();
    scopes.retain(|_| matches!(answers.next(), Some(Answer::Found(..) | Answer::Failed(..))));
    let (wider, narrower) = scopes
        .into_iter()
        .partition(|other| other.level() > scope.level());
    Ok(Others { wider, narrower })
}
