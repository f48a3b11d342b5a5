//! The sources of an environment, and the environment that they make together. No reference is read
//! here.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::rc::Rc;

use super::env_files::EnvFiles;
use super::secret_files::Files;
use super::specs::{self, LARGEST, Outside, Source, Spec, read_text};
use crate::core::environment::{Environment, Inheriting, values};
use crate::model::error::{Cause, Error, Fault};
use crate::model::location::Scheme;
use crate::model::named::Named;
use crate::stores;
use crate::sys::files;
use crate::sys::trust::Trust;

/// The sources of an environment; later sources win.
#[derive(Default)]
pub struct Sources {
    /// True if nothing is inherited but a handful of names.
    pub clear: bool,
    /// Names that are passed on although they are doorkey's, or although all is cleared.
    pub keep: Vec<Vec<u8>>,
    /// The store, whose own variables no workload gets.
    pub store: Option<String>,
    /// Environment files; `-` is standard input.
    pub env_files: Vec<Named>,
    /// The variables of the configuration file.
    pub configured: Configured,
    /// A deployment spec.
    pub spec: Option<Spec>,
    /// True if `${NAME}` is filled in in env files and in a Compose file.
    pub interpolates: bool,
    /// True if no variable of the platform's is there, nor has to be.
    pub lacks_platform: bool,
    /// Templates that are filled in, each with the file that is written.
    pub renders: Vec<(Named, Named)>,
    /// Single assignments.
    pub assignments: Vec<(Vec<u8>, Vec<u8>)>,
    /// Variables whose values are no references, whatever they look like.
    pub literal: Vec<Vec<u8>>,
    /// The arguments of the command, in which nothing is filled in.
    pub arguments: Vec<Vec<u8>>,
    /// Names of variables whose plain values are masked.
    pub masked: Vec<Vec<u8>>,
    /// The words that make more values references.
    pub references: Vec<&'static str>,
    /// The owners that files have to have, where they are read again beside others.
    pub distrust: Option<Trust>,
    /// The settings of delivery in files.
    pub files: Files,
}

/// The variables of the configuration file.
#[derive(Default)]
pub struct Configured {
    /// Environment files.
    pub env_files: Vec<Named>,
    /// Single assignments, which win over the files: line, name and value.
    pub assignments: Vec<(usize, Vec<u8>, Vec<u8>)>,
    /// The configuration file.
    pub file: Named,
    /// The users whose files are obeyed, where the configuration file was found and not named.
    pub found: Option<Trust>,
}

impl Sources {
    /// Reads every source, and puts the environment together. Errors are added to `errors`.
    pub fn environment<'a>(
        &self,
        inherited: &[&'a CStr],
        schemes: &[Scheme],
        errors: &mut Vec<Error>,
    ) -> Environment<'a> {
        let inheriting = Inheriting {
            clear: self.clear,
            keep: set(&self.keep),
        };
        let mut gathering = Gathering {
            sources: self,
            inherited,
            values: OnceCell::new(),
            environment: Environment::inherit(inherited, &inheriting),
            inheriting,
            errors,
        };
        gathering.add_configured();
        gathering.add_env_files();
        let platform = gathering.add_spec(schemes);
        for (name, value) in &self.assignments {
            gathering.assign(name, value, None);
        }
        gathering.add_platform(platform);
        gathering.environment
    }
}

/// An environment while its sources are read.
struct Gathering<'a, 's> {
    sources: &'s Sources,
    inherited: &'s [&'a CStr],
    /// The inherited values by name, once they are needed.
    values: OnceCell<BTreeMap<&'a [u8], &'a [u8]>>,
    inheriting: Inheriting<'s>,
    environment: Environment<'a>,
    errors: &'s mut Vec<Error>,
}

/// A variable of a spec that the platform gives: its name, its source, true if it may be absent, and
/// its place.
type OfPlatform = (Vec<u8>, String, bool, String);

/// The place of a variable: the file as messages show it, and the line.
type Place<'p> = (&'p Rc<str>, usize);

fn shown(file: &Named) -> Rc<str> {
    file.to_string().into()
}

impl<'a> Gathering<'a, '_> {
    fn assign(&mut self, name: &[u8], value: &[u8], place: Option<Place<'_>>) {
        if !self.inheriting.strips(name) {
            self.environment.assign(name, value);
            if let Some((file, line)) = place {
                self.environment.note(name, file, line);
            }
        }
    }

    /// Returns the value that a variable has been started with.
    fn inherited(&self, name: &[u8]) -> Option<&'a [u8]> {
        let values = self.values.get_or_init(|| values(self.inherited));
        values.get(name).copied()
    }

    /// Adds the variables of the configuration file.
    fn add_configured(&mut self) {
        let configured = &self.sources.configured;
        let distrust = self.sources.distrust.as_ref();
        for path in &configured.env_files {
            let text = match &configured.found {
                Some(trust) if distrust.is_none() => trust.read_found(path, LARGEST),
                _ => read_text(path, distrust),
            };
            self.add_env_file(path, text, configured.found.is_some());
        }
        let file = shown(&configured.file);
        for (line, name, value) in &configured.assignments {
            self.assign(name, value, Some((&file, *line)));
        }
    }

    fn add_env_files(&mut self) {
        let distrust = self.sources.distrust.as_ref();
        for path in &self.sources.env_files {
            let (path, text) = match path.as_os_str() == "-" {
                true => read_stdin(),
                false => (path.clone(), read_text(path, distrust)),
            };
            self.add_env_file(&path, text, false);
        }
    }

    fn add_env_file(&mut self, path: &Named, text: Result<Vec<u8>, Error>, is_found: bool) {
        let values = self.values.get_or_init(|| values(self.inherited));
        let known = known(&self.environment, values, &[], self.sources);
        let files = EnvFiles {
            known: &known,
            interpolates: self.sources.interpolates,
            is_found,
        };
        let variables = files.read(path, text, self.errors);
        drop(known);
        let file = shown(path);
        for variable in variables {
            // A name alone on a line stands for the inherited value.
            let inherited = || self.inherited(&variable.name).map(<[u8]>::to_vec);
            if let Some(value) = variable.value.or_else(inherited) {
                self.assign(&variable.name, &value, Some((&file, variable.line)));
            }
        }
    }

    /// Adds the variables of the spec. Returns those that the platform gives.
    fn add_spec(&mut self, schemes: &[Scheme]) -> Vec<OfPlatform> {
        let Some(spec) = &self.sources.spec else {
            return Vec::new();
        };
        let values = self.values.get_or_init(|| values(self.inherited));
        let assignments = &self.sources.assignments;
        let known = known(&self.environment, values, assignments, self.sources);
        let outside = Outside {
            known: &known,
            interpolate: self.sources.interpolates,
            schemes,
            distrust: self.sources.distrust.as_ref(),
        };
        let variables = specs::chosen(spec, &outside, self.errors);
        drop(known);
        let mut platform = Vec::new();
        for variable in variables {
            let (name, line) = (variable.name, variable.line);
            let file = shown(&variable.file);
            let place = format!("{file}:{line}");
            match variable.value {
                Ok(Source::Text(value)) => self.assign(&name, &value, Some((&file, line))),
                Ok(Source::Platform(source, optional)) => {
                    platform.push((name, source, optional, place));
                }
                Err(cause) => {
                    let fault = Error::from(Fault::of(&name, None, cause));
                    self.errors.push(fault.placed(|_| Some(place)));
                }
            }
        }
        platform
    }

    /// Adds what the platform has given to the variables that nothing else assigns.
    fn add_platform(&mut self, variables: Vec<OfPlatform>) {
        for (name, source, optional, place) in variables {
            if self.environment.value(&name).is_some() {
                continue;
            }
            if self.inheriting.strips(&name) {
                continue;
            }
            match self.inherited(&name) {
                Some(value) => self.assign(&name, value, None),
                None if optional || self.sources.lacks_platform => {}
                None => {
                    let fault = Error::from(Fault::of(&name, None, Cause::NotHere(source)));
                    self.errors.push(fault.placed(|_| Some(place)));
                }
            }
        }
    }
}

/// Makes a set of names.
pub(super) fn set(names: &[Vec<u8>]) -> BTreeSet<&[u8]> {
    names.iter().map(Vec::as_slice).collect()
}

/// True if a name is among these; one that ends with `*` stands for all that begin so.
pub(super) fn is_own(own: &[&str], name: &[u8]) -> bool {
    own.iter().any(|own| match own.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => own.as_bytes() == name,
    })
}

/// Reads standard input. Also returns its name.
fn read_stdin() -> (Named, Result<Vec<u8>, Error>) {
    let name = Named::from("standard input");
    let text = files::read_stdin(LARGEST);
    let text = text.map_err(|why| Error::file("read", name.clone(), why));
    (name, text)
}

/// Makes the lookup of what is known outside of a file: these assignments, the environment so far,
/// and what is inherited. The store's credentials are not.
fn known<'k>(
    environment: &'k Environment<'_>,
    inherited: &'k BTreeMap<&[u8], &[u8]>,
    assignments: &'k [(Vec<u8>, Vec<u8>)],
    sources: &Sources,
) -> impl Fn(&[u8]) -> Option<Vec<u8>> + use<'k> {
    let own = stores::own_variables(sources.store.as_deref(), &BTreeSet::new());
    move |name| {
        let mut assigned = assignments.iter().rev();
        let assigned = assigned.find(|(known, _)| known == name);
        let value = match assigned {
            Some((_, value)) => Some(value.as_slice()),
            None if is_own(&own, name) => None,
            None => environment
                .value(name)
                .or_else(|| inherited.get(name).copied()),
        };
        value
            .filter(|_| !name.starts_with(b"DOORKEY_"))
            .map(<[u8]>::to_vec)
    }
}
