//! Fills in a text file: each reference inside is replaced by its value, and nothing else of the
//! text is read.

use std::cell::LazyCell;
use std::os::unix::ffi::OsStrExt;

use super::assemble::{Assembled, Sources, assemble};
use super::fill::Filling;
use super::substitute::Piece;
use crate::model::error::{Error, Fault, Lines};
use crate::model::named::Named;
use crate::model::reference::{Part, Target, parse_inside};
use crate::model::secret::Secret;
use crate::stores;

/// A text with references inside.
pub struct Template {
    /// The name of the text in faults.
    pub path: Named,
    /// The text.
    pub text: Vec<u8>,
}

impl Template {
    /// Assembles all that has to be resolved: the references of the sources' variables, and those
    /// in the text, last.
    pub fn assemble(&self, sources: &Sources) -> Assembled<'static> {
        let mut assembled = assemble(&[], sources);
        let (parts, mut faults) = parse_inside(&self.text, &stores::schemes(&sources.references));
        // A text without references is one part.
        let parts = parts.unwrap_or_else(|| vec![(0, Part::Text(self.text.clone()))]);
        for (at, part) in &parts {
            if let Part::Reference(reference) = part {
                if let Target::Direct(place) = &reference.target {
                    assembled.words.insert(place.scheme);
                }
                if reference.is_file() {
                    faults.push((*at, "no |file in a template: it becomes a file itself"));
                }
            }
        }
        faults.sort_unstable_by_key(|(at, _)| *at);
        let lines = LazyCell::new(|| Lines::of(&self.text));
        assembled
            .errors
            .extend(faults.into_iter().map(|(at, reason)| {
                let (path, at) = (self.path.clone(), lines.fault(at, reason));
                Error::Text { path, at }
            }));
        assembled.template = parts;
        assembled
    }

    /// Returns the text filled in, and the errors in it.
    pub fn filled(&self, filling: &Filling<'_>) -> (Secret, Vec<Error>) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let lines = LazyCell::new(|| Lines::of(&self.text));
        for (at, part) in &filling.template {
            match &part.gives {
                Ok(piece) => out.extend_from_slice(piece.as_ref().map_or(&[], Piece::bytes)),
                Err(cause) => {
                    let at = lines.fault(*at, "");
                    let at = format!(":{}:{}", at.line, at.column);
                    let place = [self.path.as_os_str().as_bytes(), at.as_bytes()].concat();
                    let reference = part.reference.cloned();
                    errors.push(Fault::of(&place, reference, cause.clone()).into());
                }
            }
        }
        (Secret::new(out), errors)
    }
}
