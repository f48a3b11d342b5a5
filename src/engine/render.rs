//! Fills in a text file: each reference inside is replaced by its value, and nothing else of the
//! text is read. What is JSON, YAML or TOML by its name has to stay that.

use std::cell::LazyCell;
use std::os::unix::ffi::OsStrExt;

use super::lookup::Answers;
use super::secret_files::Files;
use super::specs::read_text;
use super::substitute::{Filled, Piece};
use crate::core::filling::{self, Breach, Slice};
use crate::core::meant::{Meant, Words};
use crate::core::shape::Format;
use crate::model::error::{Cause, Error, Fault, Lines};
use crate::model::named::Named;
use crate::model::reference::{Part, Reference, parse_inside, references_in};
use crate::model::secret::Secret;
use crate::stores;
use crate::sys::trust::Trust;

/// A text with references inside.
pub struct Template {
    /// The name of the text in faults.
    pub path: Named,
    /// The file that a launch writes; `None` where the text is asked for by itself.
    pub out: Option<Named>,
    /// The format that the text has to keep.
    pub format: Option<Format>,
    /// The text.
    text: Vec<u8>,
    /// The parts of the text, each with the offset of its beginning.
    parts: Vec<(usize, Part)>,
    /// The misspelt references in the text, each with its place.
    misspelt: Vec<(String, Meant)>,
}

impl Template {
    /// Makes a template of a text. Its format is that of the first of these names which has one.
    pub fn new(path: Named, text: Vec<u8>, names: &[&Named]) -> Self {
        Template {
            format: names.iter().find_map(|name| Format::of(name)),
            path,
            out: None,
            text,
            parts: Vec::new(),
            misspelt: Vec::new(),
        }
    }

    /// Reads the references in the text. `asked` are the words that make more values references.
    /// Returns the errors in it.
    pub fn parse(&mut self, asked: &[&'static str]) -> Vec<Error> {
        let schemes = stores::schemes(asked);
        let (parts, mut faults) = parse_inside(&self.text, &schemes);
        // A text without references is one part.
        self.parts = parts.unwrap_or_else(|| vec![(0, Part::Text(self.text.clone()))]);
        for (at, part) in &self.parts {
            if matches!(part, Part::Reference(reference) if reference.is_file()) {
                faults.push((*at, "no |file in a template: it becomes a file itself"));
            }
        }
        faults.sort_unstable_by_key(|(at, _)| *at);
        let lines = LazyCell::new(|| Lines::of(&self.text));
        let words = Words::new(&schemes, &[]);
        for (start, part) in &mut self.parts {
            let Part::Text(text) = part else {
                continue;
            };
            let found = words.misspelt(text).into_iter().map(|(at, meant)| {
                let at = lines.fault(*start + at, "");
                (format!("{}:{}:{}", self.path, at.line, at.column), meant)
            });
            self.misspelt.extend(found);
            let mut escapes = words.escapes(text).into_iter().peekable();
            if escapes.peek().is_some() {
                let bytes = std::mem::take(text).into_iter().enumerate();
                let stays = |(at, _): &(usize, u8)| escapes.next_if_eq(at).is_none();
                *text = bytes.filter(stays).map(|(_, byte)| byte).collect();
            }
        }
        let faults = faults.into_iter().map(|(at, reason)| {
            let (path, at) = (self.path.clone(), lines.fault(at, reason));
            Error::Text { path, at }
        });
        faults.collect()
    }

    /// Takes the misspelt references in the text, each with its place.
    pub fn misspelt(&mut self) -> Vec<(String, Meant)> {
        std::mem::take(&mut self.misspelt)
    }

    /// Lists the references in the text.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        references_in(self.parts.iter().map(|(_, part)| part))
    }

    /// Fills the text in. The errors in it are added to `errors`.
    pub fn filled<'f>(&'f self, answers: &'f Answers, errors: &mut Vec<Error>) -> Rendered<'f> {
        let filled = Filled::of_template(self.parts.iter().map(|(_, part)| part), answers);
        let lines = LazyCell::new(|| Lines::of(&self.text));
        let fault = |at: usize, cause: Cause| {
            let (at, part) = &self.parts[at];
            let reference = match part {
                Part::Reference(reference) => Some(reference.clone()),
                Part::Text(_) => None,
            };
            let at = lines.fault(*at, "");
            let at = format!(":{}:{}", at.line, at.column);
            let place = [self.path.as_os_str().as_bytes(), at.as_bytes()].concat();
            Error::from(Fault::of(&place, reference, cause))
        };
        let before = errors.len();
        let (mut text, mut slices, mut is_read) = (Vec::new(), Vec::new(), true);
        for (at, part) in filled.parts.iter().enumerate() {
            let piece = match &part.gives {
                Ok(piece) => piece.as_ref(),
                Err(cause) => {
                    errors.push(fault(at, cause.clone()));
                    continue;
                }
            };
            is_read &= !matches!(piece, Some(Piece::Lent(_)));
            let bytes = piece.map_or(&[][..], Piece::bytes);
            text.extend_from_slice(bytes);
            slices.push(match part.reference {
                Some(_) => Slice::Value(bytes),
                None => Slice::Text(bytes),
            });
        }
        if let Some(format) = self.format.filter(|_| is_read && errors.len() == before) {
            match filling::check(format, &slices) {
                Ok(()) => {}
                Err(Breach::Template(part, offset)) => {
                    let at = self.parts.get(part).map_or(0, |(at, _)| *at);
                    let at = (at + offset).min(self.text.len());
                    let (path, at) = (self.path.clone(), lines.fault(at, format.unreadable()));
                    errors.push(Error::Text { path, at });
                }
                Err(Breach::Values(parts)) => {
                    let breaks = |at| fault(at, Cause::Breaks(format.as_str()));
                    errors.extend(parts.into_iter().map(breaks));
                }
            }
        }
        Rendered {
            template: self,
            filled,
            text: Secret::new(text),
        }
    }
}

/// A text that is filled in.
pub struct Rendered<'f> {
    /// The template.
    pub template: &'f Template,
    /// The parts as they are filled in.
    pub filled: Filled<'f>,
    /// The text.
    pub text: Secret,
}

/// Reads the templates that a launch fills in, and looks at the folders of their files. Also returns
/// the errors.
pub fn read(
    renders: &[(Named, Named)],
    files: &Files,
    distrust: Option<&Trust>,
) -> (Vec<Template>, Vec<Error>) {
    let (mut templates, mut errors) = (Vec::new(), Vec::new());
    for (from, to) in renders {
        let folder = to.with(to.parent().unwrap_or(to));
        errors.extend(files.look(&folder).err());
        match read_text(from, distrust) {
            Err(error) => errors.push(error),
            Ok(text) => {
                let mut template = Template::new(from.clone(), text, &[to, from]);
                template.out = Some(to.clone());
                templates.push(template);
            }
        }
    }
    (templates, errors)
}
