//! Fills a value in: one pass, never reading what a secret contains.

use std::borrow::Cow;

use super::answers::{Answer, Answers, wanted};
use super::deliver::Deliveries;
use crate::pure::{filter, json};
use crate::stores::Found;
use crate::words::error::Cause;
use crate::words::log;
use crate::words::reference::{Direct, Part, Reference, Scoped, Target, Value};

/// A stretch of a filled value.
pub enum Piece<'a> {
    /// Bytes that are no secret.
    Text(&'a [u8]),
    /// What a reference gave, and what stands for it where it isn't shown.
    Secret(String, Cow<'a, [u8]>),
    /// The path of the file that what a reference gave is delivered in, and that.
    File(Vec<u8>, String, Cow<'a, [u8]>),
}

impl Piece<'_> {
    /// The bytes that the workload gets.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Piece::Text(text) => text,
            Piece::Secret(_, value) => value,
            Piece::File(path, _, _) => path,
        }
    }

    /// The secret in it, after what stands for it where it isn't shown.
    pub fn secret(&self) -> Option<(&str, &[u8])> {
        match self {
            Piece::Text(_) => None,
            Piece::Secret(label, value) | Piece::File(_, label, value) => Some((label, value)),
        }
    }
}

/// What a value came to: its pieces, or that the variable is to be removed.
pub type Filled<'a> = Option<Vec<Piece<'a>>>;

/// Fills in the value of a variable. What goes into files is added to `deliveries`.
///
/// # Errors
/// Every reference in it that has no value, with the cause.
pub fn fill<'a>(
    variable: &[u8],
    value: &'a Value,
    answers: &'a Answers<'_>,
    deliveries: &mut Deliveries,
) -> Result<Filled<'a>, Vec<(Reference, Cause)>> {
    let mut piece = |reference| match piece(reference, answers)? {
        Some(Piece::Secret(label, value)) if reference.is_file() => {
            let path = deliveries.add(variable, reference, &value);
            Ok(Some(Piece::File(path, label, value)))
        }
        piece => Ok(piece),
    };
    match value {
        Value::Plain => Ok(None),
        Value::Whole(reference) => match piece(reference) {
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
                    Part::Reference(reference) => match piece(reference) {
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

/// What one reference gives; `None` where it may be absent, is, and has no text in its place, and
/// where it was not asked for.
pub fn piece<'a>(
    reference: &'a Reference,
    answers: &'a Answers<'_>,
) -> Result<Option<Piece<'a>>, Cause> {
    match &reference.target {
        Target::Scoped(scoped) => of_scopes(reference, scoped, answers),
        Target::Direct(place) => of_place(reference, place, answers),
    }
}

fn of_scopes<'a>(
    reference: &'a Reference,
    scoped: &'a Scoped,
    answers: &'a Answers<'_>,
) -> Result<Option<Piece<'a>>, Cause> {
    match answers.scoped.get(&wanted(scoped)) {
        Some(Answer::Found(scope, Some(value))) => {
            let from = || scope.to_string();
            let value = match &scoped.member {
                None => Cow::Borrowed(value.expose()),
                Some(path) => json::member(value.expose(), path).map_err(|fault| match fault {
                    json::MemberFault::NotJson => Cause::NotJson(from()),
                    json::MemberFault::Missing => Cause::NoMember(from()),
                })?,
            };
            filtered(reference, value, from).map(Some)
        }
        // Only names were asked for, or nothing: there is nothing to fill in.
        Some(Answer::Found(_, None)) | None => Ok(None),
        Some(Answer::Missing) => fallback(reference).ok_or_else(|| answers.missing(scoped)),
        Some(Answer::NotInForce(level)) => Err(Cause::NotInForce(*level)),
        Some(Answer::Failed(scope, trouble)) => Err(Cause::Failed {
            scope: Some(scope.clone()),
            store: answers.label(),
            trouble: Box::new(trouble.clone()),
        }),
    }
}

fn of_place<'a>(
    reference: &'a Reference,
    place: &'a Direct,
    answers: &'a Answers<'_>,
) -> Result<Option<Piece<'a>>, Cause> {
    let store = || answers.label_of(place);
    let absent = |document| Cause::Absent {
        store: store(),
        document,
    };
    match answers.direct.get(place) {
        None => Ok(None),
        Some(Ok(Found::Value(value))) => {
            let from = || place.to_string();
            filtered(reference, Cow::Borrowed(value.expose()), from).map(Some)
        }
        Some(Ok(Found::NoKey)) => fallback(reference).ok_or_else(|| absent(true)),
        Some(Ok(Found::Nothing)) => match fallback(reference) {
            Some(text) => Ok(text),
            None if answers.leaves_out(place) => {
                log::warning!(LeftOut, reference = place; "{place} is missing, and left out");
                Ok(None)
            }
            None => Err(absent(false)),
        },
        Some(Err(trouble)) => Err(Cause::Failed {
            scope: None,
            store: store(),
            trouble: Box::new(trouble.clone()),
        }),
    }
}

/// What stands in for something that is missing; `None` where nothing may.
fn fallback(reference: &Reference) -> Option<Option<Piece<'_>>> {
    let text = reference.fallback.as_deref()?;
    Some((!text.is_empty()).then_some(Piece::Text(text)))
}

/// A value with the reference's filters applied.
fn filtered<'a>(
    reference: &Reference,
    mut value: Cow<'a, [u8]>,
    from: impl Fn() -> String,
) -> Result<Piece<'a>, Cause> {
    for filter in &reference.filters {
        value = filter::apply(*filter, value).map_err(|_| Cause::NotBase64(from()))?;
    }
    Ok(Piece::Secret(reference.label(), value))
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
