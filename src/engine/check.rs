//! Looks at every reference without launching anything.

use super::lookup::Question;
use super::resolve::Resolved;
use super::secret_files::Deliveries;
use super::substitute;
use crate::core::environment::refusal;
use crate::model::error::{Cause, Error, Fault};
use crate::model::name::Scope;
use crate::model::reference::references;

/// What there is to say of one reference. No value is in it, nor a hash of one.
pub struct Row {
    /// The variable.
    pub variable: Vec<u8>,
    /// The reference, without what may be secret in it; nothing for a malformed one.
    pub reference: Option<String>,
    /// The scope that has it.
    pub scope: Option<Scope>,
    /// The wider scopes that have the name too.
    pub shadows: Vec<Scope>,
    /// Bytes that the reference gives, where values were read.
    pub size: Option<usize>,
    /// One word: `ok`, `default`, `absent`, or what is wrong.
    pub status: &'static str,
}

/// A row for each reference, in the environment's order, and everything that is wrong.
pub fn check(resolved: &mut Resolved<'_, '_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for error in &resolved.errors {
        if let Error::Fault(fault) = error {
            rows.push(Row {
                status: status(&fault.cause),
                ..Row::new(&fault.variable)
            });
        }
    }
    let shadows = resolved.answers.shadows();
    let mut deliveries = Deliveries::new(resolved.files.clone());
    for (_, variable, value) in &resolved.values {
        let first = rows.len();
        for reference in references(value) {
            let mut row = Row {
                reference: Some(reference.to_string()),
                ..Row::new(variable)
            };
            let answers = &resolved.answers;
            let question = Question::from(reference);
            let answered = answers.all.get(&question);
            if let (Question::Scoped(..), Some(answered)) = (&question, answered)
                && let Some(found) = answered.found()
            {
                row.scope = answered.scope().cloned();
                row.shadows = shadows.get(&question).cloned().unwrap_or_default();
                row.status = if found.value.is_some() {
                    "ok"
                } else {
                    "exists"
                };
            }
            let is_asked = answered.is_some();
            if !is_asked {
                row.status = "unknown";
                rows.push(row);
                continue;
            }
            match substitute::piece(reference, answers) {
                Ok(Some(substitute::Piece::Secret(_, value))) => {
                    row.size = Some(value.len());
                    row.status = "ok";
                }
                Ok(Some(_)) => row.status = "default",
                Ok(None) if row.scope.is_none() => row.status = "absent",
                Ok(None) => {}
                Err(cause) => {
                    row.status = status(&cause);
                    resolved
                        .errors
                        .push(Fault::of(variable, Some(reference.clone()), cause).into());
                }
            }
            rows.push(row);
        }
        // What is wrong with the whole value is said of each reference in it.
        if let Ok(Some(pieces)) =
            substitute::fill(variable, value, &resolved.answers, &mut deliveries)
            && let Some(cause) = refusal(variable, &substitute::value(&pieces))
        {
            for row in &mut rows[first..] {
                row.status = status(&cause);
            }
            resolved
                .errors
                .push(Fault::of(variable, None, cause).into());
        }
    }
    rows
}

impl Row {
    fn new(variable: &[u8]) -> Self {
        Row {
            variable: variable.to_vec(),
            reference: None,
            scope: None,
            shadows: vec![],
            size: None,
            status: "",
        }
    }
}

/// A fault in one word.
fn status(cause: &Cause) -> &'static str {
    match cause {
        Cause::Malformed(_) | Cause::NoVariable => "malformed",
        Cause::Missing { .. } | Cause::Absent { .. } => "missing",
        Cause::NotInForce(_) => "no-scope",
        Cause::Failed { trouble, .. } => trouble.status(),
        Cause::NotJson(_) => "not-json",
        Cause::NoMember(_) => "no-member",
        Cause::NotBase64(_) => "not-base64",
        Cause::NoFileName | Cause::SameFile(_) => "file-name",
        Cause::Nul => "nul",
        Cause::TooLong(_) => "too-long",
    }
}
