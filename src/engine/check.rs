//! Looks at every reference without launching anything.

use std::collections::BTreeMap;

use super::fetch::Fetched;
use super::fill::Filling;
use super::lookup::Question;
use super::substitute::Piece;
use crate::model::error::{Cause, Error};
use crate::model::name::Scope;
use crate::model::reference::Reference;

/// The facts about one reference. No value is in it, nor a hash of one.
pub struct Row {
    /// The variable.
    pub variable: Vec<u8>,
    /// The reference, without parts that may be secret; nothing for a malformed one.
    pub reference: Option<String>,
    /// The scope that has it.
    pub scope: Option<Scope>,
    /// The wider scopes that have the name too.
    pub shadows: Vec<Scope>,
    /// The number of bytes that the reference gives, where values were read.
    pub size: Option<usize>,
    /// The status in one word: `ok`, `leased`, `default`, `absent`, or the fault.
    pub status: &'static str,
}

/// Makes a row for each reference, in the environment's order; `shadows` are the wider scopes of
/// each.
pub fn check(
    fetched: &Fetched<'_>,
    filling: &Filling<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for error in &fetched.errors {
        if let Error::Fault(fault) = error {
            rows.push(Row {
                status: status(&fault.cause),
                ..Row::new(&fault.variable)
            });
        }
    }
    for variable in &filling.variables {
        let first = rows.len();
        let references = variable.filled.references();
        rows.extend(references.map(|(reference, part)| Row {
            reference: Some(reference.in_full()),
            ..row(variable.name, reference, &part.gives, fetched, shadows)
        }));
        // A fault of the whole value is said of each reference in it.
        if let Some(cause) = &variable.refused {
            for row in &mut rows[first..] {
                row.status = status(cause);
            }
        }
    }
    rows
}

fn row(
    variable: &[u8],
    reference: &Reference,
    gives: &Result<Option<Piece<'_>>, Cause>,
    fetched: &Fetched<'_>,
    shadows: &BTreeMap<Question, Vec<Scope>>,
) -> Row {
    let mut row = Row::new(variable);
    let question = Question::from(reference);
    let Some(answered) = fetched.answers.all.get(&question) else {
        row.status = "unknown";
        return row;
    };
    if let (Question::Scoped(..), Some(found)) = (&question, answered.found()) {
        row.scope = answered.scope().cloned();
        row.shadows = shadows.get(&question).cloned().unwrap_or_default();
        row.status = match found.value {
            Some(_) => "ok",
            None => "exists",
        };
    }
    match gives {
        Ok(Some(Piece::Secret(_, value) | Piece::File(_, _, value))) => {
            row.size = Some(value.len());
            row.status = "ok";
        }
        Ok(Some(Piece::Lent(_))) => row.status = "leased",
        Ok(Some(Piece::Text(_))) => row.status = "default",
        Ok(None) if row.scope.is_none() => row.status = "absent",
        Ok(None) => {}
        Err(cause) => row.status = status(cause),
    }
    row
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

/// Returns a fault in one word.
fn status(cause: &Cause) -> &'static str {
    match cause {
        Cause::Malformed(_) | Cause::NoVariable => "malformed",
        Cause::Missing { .. } | Cause::Absent { .. } => "missing",
        Cause::NotInForce(_) => "no-scope",
        Cause::Failed { trouble, .. } => trouble.status(),
        Cause::NotJson(_) => "not-json",
        Cause::NoMember { .. } => "no-member",
        Cause::NotBase64(_) => "not-base64",
        Cause::NoFileName | Cause::SameFile(_) => "file-name",
        Cause::Nul => "nul",
        Cause::TooLong(_) => "too-long",
    }
}
