//! The references of many manifests, for `check`. No container's environment is put together: each
//! reference has its place, and is looked up beside those of all others.

use std::collections::BTreeSet;
use std::path::Path;

use super::assemble::Assembled;
use super::meant::MeantPlaces;
use super::specs::{self, Outside, Source, Specified, read_text, unfit};
use crate::core::container::{Container, Dialect};
use crate::core::manifest;
use crate::model::error::{Cause, Error};
use crate::model::escape::Shown;
use crate::model::log;
use crate::model::named::Named;
use crate::model::reference::{self, Target, references};
use crate::sys::files;

/// The files to check, and the way to read them.
pub struct Manifests<'m> {
    /// Files, and folders with files.
    pub specs: Vec<Named>,
    /// The container to choose in each file; all of them where there is none.
    pub path: Option<String>,
    /// True if a file of a folder that can't be read as YAML is a fault.
    pub strict: bool,
    /// Variables whose values are no references.
    pub literal: Vec<Vec<u8>>,
    /// The facts that the containers' environments need beside these.
    pub outside: Outside<'m>,
}

/// The place of a variable.
#[derive(Clone)]
pub struct Place {
    /// The file, as messages show it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The container, as `--spec-path` names it.
    pub container: String,
}

/// A variable with a reference or a fault, or of the platform's.
pub struct Mention {
    /// The place of the variable.
    pub place: Place,
    /// The variable.
    pub variable: Vec<u8>,
    /// The value of the variable.
    pub what: What,
}

/// The value of a variable of a manifest.
pub enum What {
    /// A value with references: it is the next of the values to fill in.
    Value,
    /// No value can be given.
    Fault(Cause),
    /// A text in which a reference seems to be meant, by its number.
    Meant(usize),
    /// The platform gives it, by a source that is called so.
    Platform(String),
}

/// The variables of all manifests.
#[derive(Default)]
pub struct Gathered {
    /// The variables, in the order of the files.
    pub mentions: Vec<Mention>,
    /// The number of values that were added, after those that were there.
    pub values: usize,
    /// The number of values that were there.
    pub before: usize,
    /// The number of files that were read.
    pub files: usize,
    /// The number of variables in them.
    pub variables: usize,
    /// The number of variables in which a reference seems to be meant.
    pub meant: usize,
}

/// The beginning of doorkey's own variables.
const OWN: &[u8] = b"DOORKEY_";

/// Endings of manifests in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

impl Manifests<'_> {
    /// Reads all files. Their values are added to those that are to be filled in, and faults of
    /// files to the errors.
    pub fn gather(&self, assembled: &mut Assembled<'_>) -> Gathered {
        let mut gathered = Gathered {
            before: assembled.values.len(),
            ..Gathered::default()
        };
        for spec in &self.specs {
            let mut found = Vec::new();
            match below(spec, &mut found) {
                Ok(true) => {
                    for file in found {
                        self.file(&file, true, &mut gathered, assembled);
                    }
                }
                Ok(false) => self.file(spec, false, &mut gathered, assembled),
                Err(error) => assembled.errors.push(error),
            }
        }
        gathered.values = assembled.values.len() - gathered.before;
        gathered
    }

    /// Reads a text that is in no file, as [`Manifests::gather`] reads a file; `name` stands for it in
    /// messages.
    pub fn gather_text(
        &self,
        name: &Named,
        text: &[u8],
        assembled: &mut Assembled<'_>,
    ) -> Gathered {
        let mut gathered = Gathered {
            before: assembled.values.len(),
            ..Gathered::default()
        };
        self.text(name, text, false, &mut gathered, assembled);
        gathered.values = assembled.values.len() - gathered.before;
        gathered
    }

    /// Reads a file. One of a folder may be anything.
    fn file(
        &self,
        file: &Named,
        in_folder: bool,
        gathered: &mut Gathered,
        assembled: &mut Assembled<'_>,
    ) {
        let text = match read_text(file, self.outside.distrust) {
            Ok(text) => text,
            Err(error) => return assembled.errors.push(error),
        };
        self.text(file, &text, in_folder, gathered, assembled);
    }

    /// Reads the text of a file.
    fn text(
        &self,
        file: &Named,
        text: &[u8],
        in_folder: bool,
        gathered: &mut Gathered,
        assembled: &mut Assembled<'_>,
    ) {
        let (containers, faults) = match &self.path {
            Some(_) => match manifest::container(text, self.path.as_deref()) {
                Ok((container, faults)) => (vec![container], faults),
                Err(faults) => (vec![], faults),
            },
            None => manifest::containers(text, !in_folder),
        };
        gathered.files += 1;
        let mut left = BTreeSet::new();
        for container in containers {
            self.container(&container, file, &mut left, gathered, assembled);
        }
        for fault in faults {
            let is_skipped = in_folder && !self.strict && !fault.is_yaml;
            let error = unfit(file, fault);
            match is_skipped {
                true => log::warning!(Ignored; "{error}; it is not checked"),
                false => assembled.errors.push(error),
            }
        }
        specs::warn_of_left(file, &left, self.outside.interpolate);
    }

    fn container(
        &self,
        container: &Container,
        file: &Named,
        left: &mut BTreeSet<Vec<u8>>,
        gathered: &mut Gathered,
        assembled: &mut Assembled<'_>,
    ) {
        let place = |file: &Named, line| Place {
            file: file.to_string(),
            line,
            container: container.label.clone(),
        };
        let from = container.env_from.iter().map(|from| Mention {
            place: place(file, from.line),
            variable: format!("{}*", from.prefix).into_bytes(),
            what: What::Platform(from.source.clone()),
        });
        let mut mentions: Vec<Mention> = from.collect();
        let variables =
            specs::variables(container, file, &self.outside, left, &mut assembled.errors);
        gathered.variables += variables.len();
        let has = |name: &[u8]| variables.iter().any(|variable| variable.name == name);
        assembled.unnamed.retain(|(_, name)| !has(name));
        let texts = variables
            .iter()
            .filter_map(|variable| match &variable.value {
                Ok(Source::Text(text)) if !self.is_literal(&variable.name) => Some((
                    &*variable.name,
                    &**text,
                    reference::parse(text, self.outside.schemes),
                )),
                _ => None,
            });
        let texts: Vec<_> = texts.collect();
        let read = texts
            .iter()
            .map(|(name, text, value)| (*name, *text, value));
        let found = MeantPlaces::find(&read.collect::<Vec<_>>(), &[], self.outside.schemes);
        // Where a name is there twice, the last counts.
        let last = |name: &[u8]| variables.iter().rfind(|variable| variable.name == name);
        let placed = |variable: &Specified| place(&variable.file, variable.line);
        let label = |name: &[u8]| {
            let place = last(name).map(placed);
            let place = place.map_or_else(String::new, |at| format!("{}:{}: ", at.file, at.line));
            place + &Shown(name).to_string()
        };
        let (mut own, mut values) = (Vec::new(), texts.into_iter().map(|(_, _, value)| value));
        let names = assembled.meant.add_container(found, gathered.meant, &label);
        for variable in &variables {
            let what = match &variable.value {
                Err(cause) => What::Fault(cause.clone()),
                Ok(Source::Platform(source, _)) => What::Platform(source.clone()),
                Ok(Source::Text(_)) if self.is_literal(&variable.name) => continue,
                Ok(Source::Text(_)) => match values.next() {
                    Some(Ok(value)) if references(&value).next().is_some() => {
                        own.push((variable.name.clone(), value));
                        What::Value
                    }
                    Some(Err(at)) => What::Fault(Cause::Malformed(at)),
                    _ => continue,
                },
            };
            mentions.push(Mention {
                place: placed(variable),
                variable: variable.name.clone(),
                what,
            });
        }
        for name in names {
            mentions.extend(last(&name).map(|variable| Mention {
                place: placed(variable),
                variable: name.clone(),
                what: What::Meant(gathered.meant),
            }));
            gathered.meant += 1;
        }
        // Sources of the platform stand before or after the list, and the values follow in order.
        if container.dialect == Dialect::Kubernetes {
            mentions.sort_by_key(|mention| mention.place.line);
        }
        for value in own {
            for reference in references(&value.1) {
                if let Target::Direct(place) = &reference.target {
                    assembled.words.insert(place.scheme);
                }
            }
            assembled.values.push((0, value.0, value.1));
        }
        gathered.mentions.extend(mentions);
    }

    /// True if nothing in a variable's value is a reference.
    fn is_literal(&self, name: &[u8]) -> bool {
        // Doorkey's own are for the doorkey in the container.
        name.starts_with(OWN) || self.literal.iter().any(|literal| literal == name)
    }
}

/// Lists the files of a folder and of the folders in it; false for what is no folder. Hidden ones
/// and links to folders are left out.
fn below(spec: &Named, found: &mut Vec<Named>) -> Result<bool, Error> {
    if !files::is_folder(spec) {
        return Ok(false);
    }
    let mut folders = vec![spec.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let inside =
            files::list(&folder).map_err(|why| Error::file("read", spec.with(&folder), why))?;
        let mut deeper = Vec::new();
        for path in inside {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if files::is_own_folder(&path) {
                deeper.push(path);
            } else if has_ending(&path) && !files::is_folder(&path) {
                found.push(spec.with(path));
            }
        }
        folders.extend(deeper.into_iter().rev());
    }
    Ok(true)
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}
