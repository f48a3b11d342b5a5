//! Fills a value in: one pass, never reading what a secret contains.

use std::borrow::Cow;

use super::lookup::{Answered, Answers};
use super::secret_files::Deliveries;
use crate::core::{filter, json};
use crate::model::error::Cause;
use crate::model::log;
use crate::model::name::Scope;
use crate::model::reference::{Part, Reference, Scoped, Target, Value};
use crate::stores::Answer;

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
    let target = &reference.target;
    let (scopes, answer) = match answers.to(reference) {
        None => return Ok(None),
        Some(Answered::NotInForce(level)) => return Err(Cause::NotInForce(*level)),
        Some(Answered::Asked(scopes, answer)) => (scopes, answer),
    };
    match answer {
        Answer::Found(at, found) => {
            // Where only names were asked for there is nothing to fill in.
            let Some(value) = &found.value else {
                return Ok(None);
            };
            let from = || match target {
                Target::Scoped(_) => scopes.get(*at).map(Scope::to_string).unwrap_or_default(),
                Target::Direct(place) => place.to_string(),
            };
            let value = match target {
                Target::Scoped(Scoped {
                    member: Some(path), ..
                }) => {
                    let levels = &mut *found.levels.borrow_mut();
                    json::member(value.expose(), path, levels).map_err(|fault| match fault {
                        json::MemberFault::NotJson => Cause::NotJson(from()),
                        json::MemberFault::Missing => Cause::NoMember(from()),
                    })?
                }
                _ => Cow::Borrowed(value.expose()),
            };
            filtered(reference, value, from).map(Some)
        }
        Answer::Missing { document } => {
            if let Some(text) = fallback(reference) {
                return Ok(text);
            }
            match target {
                Target::Scoped(scoped) => Err(answers.missing(scoped)),
                Target::Direct(place) if !document && answers.leaves_out(target) => {
                    log::warning!(LeftOut, reference = place; "{place} is missing, and left out");
                    Ok(None)
                }
                Target::Direct(_) => Err(Cause::Absent {
                    store: answers.label(target),
                    document: *document,
                }),
            }
        }
        Answer::Failed(at, trouble) => Err(Cause::Failed {
            scope: scopes.get(*at).cloned(),
            store: answers.label(target),
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
