//! Fills in a text file: its bytes with a value wherever a reference stands inside, and nothing
//! else of it read.

use std::cell::LazyCell;
use std::os::unix::ffi::OsStrExt;

use super::assemble::{Assembled, Sources, assemble};
use super::resolve::Resolved;
use super::secret_files::{Deliveries, Files};
use super::substitute;
use crate::model::error::{Error, Fault, Lines};
use crate::model::named::Named;
use crate::model::reference::{Part, Target, Value, parse_inside};
use crate::model::secret::Secret;
use crate::stores;

/// A text with references inside.
pub struct Template {
    /// What faults call it.
    pub path: Named,
    /// The text.
    pub text: Vec<u8>,
}

impl Template {
    /// What has to be resolved: the references in it, last, and those of the sources' variables.
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
        for (at, part) in parts {
            // No variable has no name.
            let value = Value::Mixed(vec![part]);
            assembled.values.push((at, Vec::new(), value));
        }
        assembled
    }

    /// The text filled in.
    ///
    /// # Errors
    /// Everything that is wrong, with the sources' variables too.
    pub fn fill(&self, mut resolved: Resolved<'_, '_>) -> Result<Secret, Error> {
        let parts: Vec<_>;
        let all = std::mem::take(&mut resolved.values).into_iter();
        (parts, resolved.values) = all.partition(|(_, name, _)| name.is_empty());
        let mut none = Deliveries::new(Files::default());
        let mut out = Vec::new();
        let lines = LazyCell::new(|| Lines::of(&self.text));
        for (at, _, part) in &parts {
            match substitute::fill(b"", part, &resolved.answers, &mut none) {
                Ok(pieces) => {
                    for piece in pieces.iter().flatten() {
                        out.extend_from_slice(piece.bytes());
                    }
                }
                Err(faults) => {
                    let at = lines.fault(*at, "");
                    let at = format!(":{}:{}", at.line, at.column);
                    let place = [self.path.as_os_str().as_bytes(), at.as_bytes()].concat();
                    let fault = |(reference, cause)| Fault::of(&place, Some(reference), cause);
                    let faults = faults.into_iter().map(fault);
                    resolved.errors.extend(faults.map(Error::from));
                }
            }
        }
        let out = Secret::new(out);
        resolved.fill(|_, _| ())?;
        Ok(out)
    }
}
