//! Fills a value in: one pass, never reading what a secret contains.

use std::borrow::Cow;

use super::lookup::{Answered, Answers, with_fallback};
use super::secret_files::Deliveries;
use crate::core::{filter, json};
use crate::model::error::Cause;
use crate::model::log;
use crate::model::name::Scope;
use crate::model::named::ShownPath;
use crate::model::reference::{Part, Reference, Scoped, Target, Value};
use crate::stores::Answer;

/// A stretch of a filled value.
pub enum Piece<'a> {
    /// Bytes that are no secret.
    Text(&'a [u8]),
    /// A reference's value, and the label that stands for it where it isn't shown.
    Secret(String, Cow<'a, [u8]>),
    /// A value that was not read, as the store would make one for that; the label that stands for
    /// it.
    Lent(String),
    /// A reference's value that is delivered in a file: the file's path, the label, and the value.
    File(Vec<u8>, String, Cow<'a, [u8]>),
}

impl Piece<'_> {
    /// Returns the bytes that the workload gets.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Piece::Text(text) => text,
            Piece::Secret(_, value) => value,
            Piece::Lent(_) => b"",
            Piece::File(path, _, _) => path,
        }
    }

    /// Returns the secret in the piece, after the label that stands for it where it isn't shown.
    pub fn secret(&self) -> Option<(&str, &[u8])> {
        match self {
            Piece::Text(_) | Piece::Lent(_) => None,
            Piece::Secret(label, value) | Piece::File(_, label, value) => Some((label, value)),
        }
    }
}

/// A part of a value: text, or a reference.
pub struct FilledPart<'a> {
    /// The reference; none for text.
    pub reference: Option<&'a Reference>,
    /// The piece that the part gives: none where it may be absent and is, or was not asked for.
    pub gives: Result<Option<Piece<'a>>, Cause>,
}

/// A value that is filled in, each reference once.
pub struct Filled<'a> {
    /// The parts in their order.
    pub parts: Vec<FilledPart<'a>>,
    /// True if the value is one reference, without which the variable is removed.
    is_whole: bool,
}

impl<'a> Filled<'a> {
    /// Fills in the parts of a template, none of which goes into a file.
    pub fn of_template(parts: impl Iterator<Item = &'a Part>, answers: &'a Answers) -> Self {
        let part = |part: &'a Part| match part {
            Part::Text(text) => FilledPart::text(text),
            Part::Reference(reference) => FilledPart {
                reference: Some(reference),
                gives: said(reference, answers),
            },
        };
        Filled {
            parts: parts.map(part).collect(),
            is_whole: false,
        }
    }

    /// Lists the parts with a reference.
    pub fn references(&self) -> impl Iterator<Item = (&'a Reference, &FilledPart<'a>)> {
        let parts = self.parts.iter();
        parts.filter_map(|part| Some((part.reference?, part)))
    }

    /// Lists the pieces that the value is made of.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece<'a>> {
        let parts = self.parts.iter();
        parts.filter_map(|part| part.gives.as_ref().ok()?.as_ref())
    }

    /// True if the variable is to be removed.
    pub fn is_removed(&self) -> bool {
        self.is_whole && self.pieces().next().is_none()
    }

    /// Lists each reference in the value that has no value itself, with the cause.
    pub fn faults(&self) -> impl Iterator<Item = (&'a Reference, &Cause)> {
        let references = self.references();
        references.filter_map(|(reference, part)| Some((reference, part.gives.as_ref().err()?)))
    }

    /// Joins `NAME=` and the pieces, in one buffer that is never moved, with room for its end.
    pub fn entry(&self, name: &[u8]) -> Vec<u8> {
        let length: usize = self.pieces().map(|piece| piece.bytes().len()).sum();
        let mut entry = Vec::with_capacity(name.len() + length + 2);
        entry.extend_from_slice(name);
        entry.push(b'=');
        for piece in self.pieces() {
            entry.extend_from_slice(piece.bytes());
        }
        entry
    }
}

/// Fills in the value of a variable. Values for files are added to `deliveries`.
pub fn fill<'a>(
    variable: &[u8],
    value: &'a Value,
    answers: &'a Answers,
    deliveries: &mut Deliveries,
) -> Filled<'a> {
    let mut of = |reference| FilledPart {
        reference: Some(reference),
        gives: given(variable, reference, answers, deliveries),
    };
    let (parts, is_whole) = match value {
        Value::Plain => (Vec::new(), true),
        Value::Whole(reference) => (vec![of(reference)], true),
        Value::Mixed(parts) => {
            let parts = parts.iter().map(|part| match part {
                Part::Text(text) => FilledPart::text(text),
                Part::Reference(reference) => of(reference),
            });
            (parts.collect(), false)
        }
    };
    Filled { parts, is_whole }
}

impl<'a> FilledPart<'a> {
    fn text(text: &'a [u8]) -> Self {
        FilledPart {
            reference: None,
            gives: Ok(Some(Piece::Text(text))),
        }
    }
}

/// Gives the piece for a reference in a variable: the file's path, where it is to be in a file.
fn given<'a>(
    variable: &[u8],
    reference: &'a Reference,
    answers: &'a Answers,
    deliveries: &mut Deliveries,
) -> Result<Option<Piece<'a>>, Cause> {
    match said(reference, answers)? {
        Some(Piece::Secret(label, value)) if reference.is_file() => {
            let path = deliveries.add(variable, reference, &value);
            Ok(Some(Piece::File(path, label, value)))
        }
        piece => Ok(piece),
    }
}

/// Gives the piece for one reference, and warns where it is left out.
///
/// # Errors
/// The errors of [`piece`].
pub fn said<'a>(
    reference: &'a Reference,
    answers: &'a Answers,
) -> Result<Option<Piece<'a>>, Cause> {
    let piece = piece(reference, answers)?;
    if piece.is_none()
        && reference.fallback.is_none()
        && let Target::Direct(place) = &reference.target
        && let Some(Answered::Asked(_, Answer::Missing { .. })) = answers.to(reference)
    {
        log::warning!(LeftOut, reference = place; "{place} is missing, and left out");
    }
    Ok(piece)
}

/// Gives the piece for one reference. `None` where it was not asked for. `None` also where it may
/// be absent, is, and has no text in its place.
pub fn piece<'a>(
    reference: &'a Reference,
    answers: &'a Answers,
) -> Result<Option<Piece<'a>>, Cause> {
    let target = &reference.target;
    let (scopes, answer) = match answers.to(reference) {
        None => return Ok(None),
        Some(Answered::NotInForce(level)) => return Err(Cause::NotInForce(*level)),
        Some(Answered::Asked(scopes, answer)) => (scopes, answer),
    };
    if answers.is_of_key(reference) {
        return Err(Cause::KeyWithMark);
    }
    match answer {
        Answer::Found(at, found) => {
            let Some(value) = &found.value else {
                // No value is there to fill in where only names were asked for.
                let lease = found.lease.as_ref();
                return Ok(lease.map(|_| Piece::Lent(reference.label())));
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
                    let longer = with_fallback(path, reference);
                    if longer
                        .is_some_and(|path| json::member(value.expose(), &path, levels).is_ok())
                    {
                        return Err(Cause::KeyWithMark);
                    }
                    json::member(value.expose(), path, levels).map_err(|fault| match fault {
                        json::MemberFault::NotJson => Cause::NotJson(from()),
                        json::MemberFault::Missing => Cause::NoMember {
                            place: from(),
                            likely: levels
                                .nearest(path)
                                .map(|near| [path, near].map(|name| ShownPath(name).to_string()))
                                .map(|[path, near]| (path, near)),
                        },
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
                Target::Direct(_) if !document && answers.leaves_out(target) => Ok(None),
                Target::Direct(place) => Err(answers.absent(place, *document)),
            }
        }
        Answer::Failed(at, trouble) => Err(Cause::Failed {
            scope: scopes.get(*at).cloned(),
            store: answers.label(target),
            trouble: Box::new(trouble.clone()),
        }),
    }
}

/// Returns the text in the place of a missing value; `None` where the reference has none.
fn fallback(reference: &Reference) -> Option<Option<Piece<'_>>> {
    let text = reference.fallback.as_deref()?;
    Some((!text.is_empty()).then_some(Piece::Text(text)))
}

/// Applies the reference's filters to a value.
fn filtered<'a>(
    reference: &Reference,
    mut value: Cow<'a, [u8]>,
    from: impl Fn() -> String,
) -> Result<Piece<'a>, Cause> {
    for filter in &reference.filters {
        value = filter::apply(*filter, value).map_err(|wanted| Cause::Unfit {
            filter: *filter,
            from: from(),
            wanted,
        })?;
    }
    Ok(Piece::Secret(reference.label(), value))
}
