//! Puts an environment together from its sources, before any secret is known.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::rc::Rc;

use super::env_files::EnvFiles;
use super::meant::{self, MeantPlaces};
use super::render::{self, Template};
use super::secret_files::{self, Files};
use super::specs::{self, LARGEST, Outside, Source, Spec, read_text};
use crate::core::environment::{Environment, Inheriting, lookup, refusal, values};
use crate::model::error::{Cause, Error, Fault, Malformed};
use crate::model::escape::Shown;
use crate::model::log;
use crate::model::named::Named;
use crate::model::reference::{self, Reference, Target, Value, references};
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

/// An environment with the references of its values.
pub struct Assembled<'a> {
    /// The environment as its sources give it.
    pub environment: Environment<'a>,
    /// The variables that have a reference or an escape: place, name and parsed value.
    pub values: Vec<(usize, Vec<u8>, Value)>,
    /// The texts to fill in beside the environment.
    pub templates: Vec<Template>,
    /// The words with which references to single places begin.
    pub words: BTreeSet<&'static str>,
    /// The variables that are passed on although they are a store's own.
    pub kept: Vec<Vec<u8>>,
    /// The variables that no workload of this launch gets.
    own: Vec<&'static str>,
    /// The documents whose members are added, by the variable that lists them.
    pub documents: Vec<(Vec<u8>, Vec<Reference>)>,
    /// The names that an option gives and no variable has, so far.
    pub unnamed: Vec<(&'static str, Vec<u8>)>,
    /// The places where a reference is meant, and none is read.
    pub meant: MeantPlaces,
    /// The settings of delivery in files.
    pub files: Files,
    /// The errors so far.
    pub errors: Vec<Error>,
}

impl Assembled<'_> {
    /// Lists every reference whose value is filled in.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        let values = self.values.iter();
        let values = values.flat_map(|(_, _, value)| references(value));
        values.chain(self.templates.iter().flat_map(Template::references))
    }

    /// Adds a text to fill in, with its references. `asked` are the words that make more values
    /// references.
    pub fn add(&mut self, mut template: Template, asked: &[&'static str]) {
        self.errors.extend(template.parse(asked));
        self.meant.add_template(template.misspelt().into_iter());
        for reference in template.references() {
            if let Target::Direct(place) = &reference.target {
                self.words.insert(place.scheme);
            }
        }
        self.templates.push(template);
    }

    /// True if anything is looked for in scopes.
    pub fn has_scoped(&self) -> bool {
        let is_scoped = |reference: &Reference| matches!(reference.target, Target::Scoped(_));
        self.references().any(is_scoped)
    }

    /// True if a variable is one that no workload of this launch gets.
    pub fn is_own(&self, name: &[u8]) -> bool {
        is_own(&self.own, name)
    }
}

fn is_own(own: &[&str], name: &[u8]) -> bool {
    own.iter().any(|own| match own.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => own.as_bytes() == name,
    })
}

/// Reads every source, and parses every value for references.
pub fn assemble<'a>(inherited: &[&'a CStr], sources: &Sources) -> Assembled<'a> {
    let mut errors = Vec::new();
    let inheriting = Inheriting {
        clear: sources.clear,
        keep: set(&sources.keep),
    };
    let mut environment = Environment::inherit(inherited, &inheriting);
    type Place<'p> = Option<(&'p Rc<str>, usize)>;
    let assign = |environment: &mut Environment<'a>, name: &[u8], value: &[u8], at: Place<'_>| {
        if !inheriting.strips(name) {
            environment.assign(name, value);
            if let Some((file, line)) = at {
                environment.note(name, file, line);
            }
        }
    };
    let shown = |file: &Named| Rc::<str>::from(file.to_string());
    let by_name = OnceCell::new();
    let by_name = || by_name.get_or_init(|| values(inherited));
    let distrust = sources.distrust.as_ref();
    let add = |environment: &mut Environment<'a>, path: &Named, text, is_found, errors: &mut _| {
        let known = known(environment, by_name(), &[], sources);
        let files = EnvFiles {
            known: &known,
            interpolates: sources.interpolates,
            is_found,
        };
        let variables = files.read(path, text, errors);
        drop(known);
        let file = shown(path);
        for variable in variables {
            // A name alone on a line stands for the inherited value.
            let inherited = || by_name().get(&*variable.name).map(|value| value.to_vec());
            if let Some(value) = variable.value.or_else(inherited) {
                let at = Some((&file, variable.line));
                assign(environment, &variable.name, &value, at);
            }
        }
    };
    let configured = &sources.configured;
    for path in &configured.env_files {
        let text = match &configured.found {
            Some(trust) if distrust.is_none() => trust.read_found(path, LARGEST),
            _ => read_text(path, distrust),
        };
        let is_found = configured.found.is_some();
        add(&mut environment, path, text, is_found, &mut errors);
    }
    let file = shown(&configured.file);
    for (line, name, value) in &configured.assignments {
        assign(&mut environment, name, value, Some((&file, *line)));
    }
    for path in &sources.env_files {
        let (path, text) = match path.as_os_str() == "-" {
            true => read_stdin(),
            false => (path.clone(), read_text(path, distrust)),
        };
        add(&mut environment, &path, text, false, &mut errors);
    }
    let schemes = stores::schemes(&sources.references);
    let mut wanted = Vec::new();
    if let Some(spec) = &sources.spec {
        let known = known(&environment, by_name(), &sources.assignments, sources);
        let outside = Outside {
            known: &known,
            interpolate: sources.interpolates,
            schemes: &schemes,
            distrust,
        };
        let variables = specs::chosen(spec, &outside, &mut errors);
        drop(known);
        for variable in variables {
            let (name, line) = (variable.name, variable.line);
            let file = shown(&variable.file);
            let at = Some((&file, line));
            match variable.value {
                Ok(Source::Text(value)) => assign(&mut environment, &name, &value, at),
                Ok(Source::Platform(source, optional)) => {
                    wanted.push((name, source, optional, format!("{file}:{line}")));
                }
                Err(cause) => {
                    let fault = Error::from(Fault::of(&name, None, cause));
                    errors.push(fault.placed(|_| Some(format!("{file}:{line}"))));
                }
            }
        }
    }
    for (name, value) in &sources.assignments {
        assign(&mut environment, name, value, None);
    }
    for (name, source, optional, at) in wanted {
        if environment.value(&name).is_some() || inheriting.strips(&name) {
            continue;
        }
        match by_name().get(&*name) {
            Some(value) => assign(&mut environment, &name, value, None),
            None if optional || sources.lacks_platform => {}
            None => {
                let fault = Error::from(Fault::of(&name, None, Cause::NotHere(source)));
                errors.push(fault.placed(|_| Some(at)));
            }
        }
    }

    let literals = set(&sources.literal);
    let is_literal = |name: &[u8]| literals.contains(name);
    let mut meant: Vec<(Vec<u8>, Result<Value, Malformed>)> = environment
        .variables()
        .map(|(_, name, value)| match is_literal(name) {
            true => (name.to_vec(), Ok(Value::Plain)),
            false => (name.to_vec(), reference::parse(value, &schemes)),
        })
        .collect();
    warn_of_likely(&environment, &is_literal, &sources.references);
    let value = |name: &[u8]| environment.value(name).or_else(|| lookup(inherited, name));
    let documents = listed(&value, &is_literal, &mut errors);
    let options = [
        ("literal", &sources.literal),
        ("keep-env", &sources.keep),
        ("mask-also", &sources.masked),
    ];
    let options = options.iter();
    let unnamed = options.flat_map(|(option, names)| names.iter().map(|name| (*option, name)));
    let unnamed: Vec<_> = unnamed
        .filter(|(_, name)| name.as_slice() != meant::ARGUMENTS)
        .filter(|(_, name)| environment.value(name).is_none())
        .filter(|(_, name)| !by_name().contains_key(name.as_slice()))
        .map(|(option, name)| (option, name.clone()))
        .collect();
    let (words, kept) = used(&meant, &documents, inherited, sources);
    let own = stores::own_variables(sources.store.as_deref(), &words);
    let passed = set(&kept);
    let stays = |name: &[u8]| !is_own(&own, name) || passed.contains(name);
    environment.retain(stays);
    meant.retain(|(name, _)| stays(name));

    let read = environment.variables().zip(&meant);
    let read = read.filter(|(_, (name, _))| !is_literal(name));
    let read: Vec<_> = read
        .map(|((_, name, text), (_, value))| (name, text, value))
        .collect();
    let arguments: &[_] = match is_literal(meant::ARGUMENTS) {
        true => &[],
        false => &sources.arguments,
    };
    let places = MeantPlaces::find(&read, arguments, &schemes);
    let mut values = Vec::new();
    for ((place, _, value), (name, meant)) in environment.variables().zip(meant) {
        match meant {
            Ok(Value::Plain) => {
                let refused = refusal(&name, value);
                errors.extend(refused.map(|cause| Fault::of(&name, None, cause).into()));
            }
            Ok(value) => values.push((place, name, value)),
            Err(at) => errors.push(Fault::of(&name, None, Cause::Malformed(at)).into()),
        }
    }
    errors.extend(secret_files::faults(&sources.files, &values));
    let (templates, wrong) = render::read(&sources.renders, &sources.files, distrust);
    errors.extend(wrong);
    let mut assembled = Assembled {
        environment,
        values,
        templates: Vec::new(),
        words,
        kept,
        own,
        documents,
        unnamed,
        meant: places,
        files: sources.files.clone(),
        errors,
    };
    for template in templates {
        assembled.add(template, &sources.references);
    }
    assembled
}

/// Warns of values that `secret-init` would take for references, where others are beside them: the
/// environment looks as if it was meant for `secret-init`.
fn warn_of_likely(
    environment: &Environment<'_>,
    is_literal: &impl Fn(&[u8]) -> bool,
    asked: &[&'static str],
) {
    let variables = environment.variables();
    let likely = variables.filter_map(|(_, name, value)| Some((name, stores::likely(value)?)));
    let likely: Vec<_> = likely.filter(|(name, _)| !is_literal(name)).collect();
    for (name, word) in likely.iter().filter(|_| likely.len() > 1) {
        if let Some(word) = word.filter(|word| !asked.contains(word)) {
            let name = Shown(name);
            log::warning!(
                Ignored, variable = &name;
                "{name} looks like a reference, and is passed on as it is: give --references {word}, \
                 or --literal {name}"
            );
        }
    }
}

fn set(names: &[Vec<u8>]) -> BTreeSet<&[u8]> {
    names.iter().map(Vec::as_slice).collect()
}

/// Lists the words of single places that are referred to, and the variables that are passed on
/// although they are a store's own.
fn used(
    meant: &[(Vec<u8>, Result<Value, Malformed>)],
    documents: &[(Vec<u8>, Vec<Reference>)],
    inherited: &[&CStr],
    sources: &Sources,
) -> (BTreeSet<&'static str>, Vec<Vec<u8>>) {
    let mut words = BTreeSet::new();
    let mut kept = sources.keep.clone();
    for reference in documents.iter().flat_map(|(_, documents)| documents) {
        if let Target::Direct(place) = &reference.target {
            words.insert(place.scheme);
        }
    }
    for (name, meant) in meant {
        for reference in meant.iter().flat_map(references) {
            if let Target::Direct(place) = &reference.target {
                words.insert(place.scheme);
                if stores::is_handed_over(place) {
                    kept.push(name.clone());
                }
            }
        }
    }
    for list in stores::passed(sources.store.as_deref(), &words) {
        let names = lookup(inherited, list.as_bytes()).unwrap_or_default();
        let names = names.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        kept.extend(names.map(<[u8]>::to_vec));
    }
    (words, kept)
}

/// Lists the documents whose members are added, by the variable that lists them. Any source of the
/// environment can set one.
fn listed<'v>(
    value: &impl Fn(&[u8]) -> Option<&'v [u8]>,
    is_literal: &impl Fn(&[u8]) -> bool,
    errors: &mut Vec<Error>,
) -> Vec<(Vec<u8>, Vec<Reference>)> {
    let mut all = Vec::new();
    for (group, mut schemes) in stores::listing() {
        let mut set = group.iter().map(|name| name.as_bytes());
        let Some((name, list)) = set.find_map(|name| Some((name, value(name)?))) else {
            continue;
        };
        if is_literal(name) {
            continue;
        }
        // A family of variables is named after the scheme that it is for.
        let lower = name.to_ascii_lowercase();
        schemes.sort_by_key(|scheme| !lower.starts_with(scheme.word.as_bytes()));
        match reference::documents(list, &schemes) {
            Ok(documents) if documents.is_empty() => {}
            Ok(documents) => all.push((name.to_vec(), documents)),
            Err(at) => errors.push(Fault::of(name, None, Cause::Malformed(at)).into()),
        }
    }
    all
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
