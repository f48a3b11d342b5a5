//! Fills a value in: one pass, never reading what a secret contains.

use std::borrow::Cow;

use super::answers::{Answer, Answers};
use crate::pure::{filter, json};
use crate::words::error::Cause;
use crate::words::name::{Name, Scope};
use crate::words::reference::{Part, Reference, Value};

/// A stretch of a filled value.
pub enum Piece<'a> {
    /// Bytes that are no secret.
    Text(&'a [u8]),
    /// What a reference gave.
    Secret(&'a Name, Cow<'a, [u8]>),
}

impl Piece<'_> {
    /// The bytes that the workload gets.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Piece::Text(text) => text,
            Piece::Secret(_, value) => value,
        }
    }
}

/// What a value came to: its pieces, or that the variable is to be removed.
pub type Filled<'a> = Option<Vec<Piece<'a>>>;

/// Fills in one value.
///
/// # Errors
/// Every reference in it that has no value, with the cause.
pub fn fill<'a>(
    value: &'a Value,
    answers: &'a Answers<'_>,
) -> Result<Filled<'a>, Vec<(Reference, Cause)>> {
    match value {
        Value::Plain => Ok(None),
        Value::Whole(reference) => match piece(reference, answers) {
            Ok(None) => Ok(None),
            Ok(Some(piece)) => Ok(Some(vec![piece])),
            Err(cause) => Err(vec![(reference.clone(), cause)]),
        },
        Value::Mixed(parts) => {
            let mut pieces = Vec::with_capacity(parts.len());
            let mut faults = Vec::new();
            for part in parts {
                match part {
                    Part::Text(text) => pieces.push(Piece::Text(text)),
                    Part::Reference(reference) => match piece(reference, answers) {
                        Ok(piece) => pieces.extend(piece),
                        Err(cause) => faults.push((reference.clone(), cause)),
                    },
                }
            }
            if faults.is_empty() {
                Ok(Some(pieces))
            } else {
                Err(faults)
            }
        }
    }
}

/// The text around the references in a value, for when there are no answers.
pub fn texts(value: &Value) -> Vec<Piece<'_>> {
    let parts: &[Part] = if let Value::Mixed(parts) = value {
        parts
    } else {
        &[]
    };
    let mut pieces = Vec::new();
    for part in parts {
        if let Part::Text(text) = part {
            pieces.push(Piece::Text(text));
        }
    }
    pieces
}

/// What one reference gives; `None` where it may be absent, is, and has no text in its place.
pub fn piece<'a>(
    reference: &'a Reference,
    answers: &'a Answers<'_>,
) -> Result<Option<Piece<'a>>, Cause> {
    match (answers.to(reference), &reference.fallback) {
        (Answer::Found(scope, Some(value)), _) => {
            let value = shape(reference, scope, value.expose())?;
            Ok(Some(Piece::Secret(&reference.name, value)))
        }
        // Only names were asked for: there is nothing to fill in, and nothing wrong.
        (Answer::Found(_, None), _) => Ok(None),
        (Answer::Missing, Some(text)) if text.is_empty() => Ok(None),
        (Answer::Missing, Some(text)) => Ok(Some(Piece::Text(text))),
        (Answer::Missing, None) => Err(answers.missing(reference)),
        (Answer::NotInForce(level), _) => Err(Cause::NotInForce(*level)),
        (Answer::Failed(scope, trouble), _) => Err(Cause::Failed {
            scope: scope.clone(),
            store: answers.store().label().to_owned(),
            trouble: trouble.clone(),
        }),
    }
}

/// The member that is asked for, filtered.
fn shape<'a>(
    reference: &Reference,
    scope: &Scope,
    value: &'a [u8],
) -> Result<Cow<'a, [u8]>, Cause> {
    let mut shaped = match &reference.member {
        None => Cow::Borrowed(value),
        Some(path) => json::member(value, path).map_err(|fault| match fault {
            json::MemberFault::NotJson => Cause::NotJson(scope.clone()),
            json::MemberFault::Missing => Cause::NoMember(scope.clone()),
        })?,
    };
    for filter in &reference.filters {
        shaped = filter::apply(*filter, shaped).map_err(|_| Cause::NotBase64(scope.clone()))?;
    }
    Ok(shaped)
}

/// The pieces together.
pub fn value(pieces: &[Piece<'_>]) -> Vec<u8> {
    join(b"", pieces).split_off(1)
}

/// `NAME=` and the pieces, in one buffer that is never moved, with room for its end.
pub fn join(name: &[u8], pieces: &[Piece<'_>]) -> Vec<u8> {
    let length: usize = pieces.iter().map(|piece| piece.bytes().len()).sum();
    let mut entry = Vec::with_capacity(name.len() + length + 2);
    entry.extend_from_slice(name);
    entry.push(b'=');
    for piece in pieces {
        entry.extend_from_slice(piece.bytes());
    }
    entry
}
