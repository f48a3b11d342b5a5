//! Puts an environment together from its sources, and reads its references, before any secret is
//! known.

use std::collections::BTreeSet;
use std::ffi::CStr;

use super::meant::{self, MeantPlaces};
use super::render::{self, Template};
use super::secret_files::{self, Files};
use super::sources::{Sources, is_own, set};
use crate::core::environment::{Environment, lookup, refusal};
use crate::model::error::{Cause, Error, Fault, Malformed};
use crate::model::escape::Shown;
use crate::model::log;
use crate::model::reference::{self, Reference, Target, Value, references};
use crate::stores;

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

/// Reads every source, and parses every value for references.
pub fn assemble<'a>(inherited: &[&'a CStr], sources: &Sources) -> Assembled<'a> {
    let mut errors = Vec::new();
    let schemes = stores::schemes(&sources.references);
    let mut environment = sources.environment(inherited, &schemes, &mut errors);
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
    let unnamed = unnamed(&environment, inherited, sources);
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
    let distrust = sources.distrust.as_ref();
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

/// Lists the names that an option gives and no variable has, each with the option.
fn unnamed(
    environment: &Environment<'_>,
    inherited: &[&CStr],
    sources: &Sources,
) -> Vec<(&'static str, Vec<u8>)> {
    let options = [
        ("literal", &sources.literal),
        ("keep-env", &sources.keep),
        ("mask-also", &sources.masked),
    ];
    let names = options.iter();
    let names = names.flat_map(|(option, names)| names.iter().map(|name| (*option, name)));
    names
        .filter(|(_, name)| name.as_slice() != meant::ARGUMENTS)
        .filter(|(_, name)| environment.value(name).is_none())
        .filter(|(_, name)| lookup(inherited, name).is_none())
        .map(|(option, name)| (option, name.clone()))
        .collect()
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
