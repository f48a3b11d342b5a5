//! Resolves an environment: everything that it refers to, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answers, Depth, Questions};
use super::assemble::Assembled;
use super::cache::{self, Cache};
use super::deliver::{Deliveries, Files};
use super::fill::{self, Filled};
use super::opened::{Stores, is_same};
use crate::pure::environment::{Environment, refusal};
use crate::pure::scope::Scopes;
use crate::stores::{Asked, Store};
use crate::words::error::{Error, Fault};
use crate::words::log::{self, Label, Phase};
use crate::words::name::{Name, Scope};
use crate::words::reference::{Delivery, Reference, Scoped, Target, Value, references};

/// An environment, what its values refer to, and the answers.
pub struct Resolved<'a, 'e> {
    /// The environment as its sources give it.
    pub environment: Environment<'e>,
    /// The variables to fill in.
    pub values: Vec<(usize, Vec<u8>, Value)>,
    /// Where files are delivered.
    pub files: Files,
    /// What the stores said.
    pub answers: Answers<'a>,
    /// Everything that is wrong so far.
    pub errors: Vec<Error>,
}

/// How many references were filled in, and from where.
pub struct Summary {
    /// References in all variables.
    pub references: usize,
    /// Secrets by scope, the narrowest first.
    pub scopes: BTreeMap<Scope, usize>,
    /// Values of single places.
    pub direct: usize,
}

/// Adds every secret in force under its own name, where nothing else assigns it and the name is
/// none of doorkey's own.
fn add_all(assembled: &mut Assembled<'_>, store: &dyn Store, scopes: &Scopes) {
    let mut names = BTreeSet::new();
    for scope in scopes.in_force() {
        match store.names(&scope) {
            Ok(found) => names.extend(found),
            Err(trouble) => assembled.errors.push(Error::Store {
                store: format!("{scope} of {}", store.label()),
                trouble,
            }),
        }
    }
    add_names(assembled, names);
}

/// Adds secrets under their own names.
fn add_names(assembled: &mut Assembled<'_>, names: BTreeSet<Name>) {
    for name in names {
        let variable = name.as_str().as_bytes().to_vec();
        let own = variable.starts_with(b"DOORKEY_");
        if !own && assembled.environment.value(&variable).is_none() {
            let place = assembled.environment.assign(&variable, b"");
            let scoped = Scoped {
                level: None,
                name,
                member: None,
            };
            let reference = Reference {
                target: Target::Scoped(scoped),
                filters: vec![],
                delivery: Delivery::Plain,
                fallback: None,
            };
            assembled
                .values
                .push((place, variable, Value::Whole(reference)));
        }
    }
}

/// Whether anything in an environment is looked for in scopes.
pub fn has_scoped(assembled: &Assembled<'_>) -> bool {
    let values = assembled.values.iter();
    let mut all = values.flat_map(|(_, _, value)| references(value));
    all.any(|reference| matches!(reference.target, Target::Scoped(_)))
}

/// Looks up everything that the environment refers to, in stores that are open. With `all`, every
/// secret in force is referred to.
pub fn resolve<'a, 'e>(
    mut assembled: Assembled<'e>,
    stores: &'a Stores,
    scopes: &'a Scopes,
    all: bool,
    depth: Depth,
    cache: Option<&Cache>,
) -> Resolved<'a, 'e> {
    let all_references = |assembled: &Assembled<'_>| {
        let values = assembled.values.iter();
        Questions::of(values.flat_map(|(_, _, value)| references(value)))
    };
    let _phase = log::begin(Phase::Fetch);
    let mut questions = all_references(&assembled);
    let mut answers = Answers::none(stores, scopes);
    let asks = depth == Depth::Values && stores.all().next().is_some();
    let cache = cache.filter(|_| asks).map(|cache| {
        let identities: Vec<_> = stores.all().map(|store| store.identity()).collect();
        (cache, cache::bound(&identities, scopes, &questions, all))
    });
    for store in stores.all() {
        let asked = asked_of(store, stores, scopes, &questions, all);
        let mut reading = depth;
        if (depth != Depth::Names || !store.is_laborious())
            && let Err(trouble) = store.prepare(&asked)
        {
            match &cache {
                Some((cache, bound)) if trouble.is_unreached() => {
                    match cache.use_instead(&trouble, bound, &mut answers, &questions) {
                        Ok(()) => {
                            if all {
                                add_names(&mut assembled, cached_names(&answers));
                            }
                            return resolved(assembled, answers);
                        }
                        Err(error) => assembled.errors.push(error),
                    }
                }
                Some((cache, _)) if trouble.is_denial() => cache.forget(),
                _ => {}
            }
            // What is missing can still be said beside a key that is.
            let goes_on = trouble.is_of_key();
            assembled.errors.push(Error::Store {
                store: store.label().to_owned(),
                trouble,
            });
            if !goes_on {
                continue;
            }
            reading = Depth::Names;
        }
        let is_main = stores.is_main(store);
        if is_main && all {
            add_all(&mut assembled, store, scopes);
            questions = all_references(&assembled);
        }
        if !asked.scopes.is_empty() {
            answers.look_for(store, std::mem::take(&mut questions.scoped), reading);
        }
        answers.read(store, asked.direct.into_iter());
    }
    if let Some((cache, bound)) = cache {
        keep(cache, bound, &assembled, &answers);
    }
    resolved(assembled, answers)
}

/// What of all questions is one store's.
fn asked_of(
    store: &dyn Store,
    stores: &Stores,
    scopes: &Scopes,
    questions: &Questions,
    all: bool,
) -> Asked {
    let here = |place: &&_| stores.of(place).is_some_and(|other| is_same(other, store));
    let has_scoped = stores.is_main(store) && (all || !questions.scoped.is_empty());
    Asked {
        scopes: match has_scoped {
            true => scopes.in_force(),
            false => vec![],
        },
        direct: questions.direct.iter().filter(here).cloned().collect(),
    }
}

/// Keeps what the stores have said for when they can't be reached; where one said no, nothing.
fn keep(cache: &Cache, bound: String, assembled: &Assembled<'_>, answers: &Answers<'_>) {
    if answers.has_denial() {
        return cache.forget();
    }
    // What a launch fails with is not worth keeping, nor losing what one had before.
    let mut values = assembled.values.iter();
    let has_value = |reference| fill::piece(reference, answers).is_ok();
    let is_whole = values.all(|(_, _, value)| references(value).all(has_value));
    if assembled.errors.is_empty() && is_whole {
        cache.keep(bound, answers);
    }
}

fn resolved<'a, 'e>(assembled: Assembled<'e>, answers: Answers<'a>) -> Resolved<'a, 'e> {
    Resolved {
        environment: assembled.environment,
        values: assembled.values,
        files: assembled.files,
        answers,
        errors: assembled.errors,
    }
}

/// The names of a cache that answers a launch with all secrets.
fn cached_names(answers: &Answers<'_>) -> BTreeSet<Name> {
    let names = answers.scoped.keys();
    names.map(|(_, name)| name.clone()).collect()
}

impl<'e> Resolved<'_, 'e> {
    /// Fills every value in, and shows what of. What goes into files comes beside the environment;
    /// nothing of it is written yet.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn fill(
        self,
        mut see: impl FnMut(&[u8], &Filled<'_>),
    ) -> Result<(Environment<'e>, Deliveries, Summary), Error> {
        let _phase = log::begin(Phase::Fill);
        let Resolved {
            mut environment,
            values,
            files,
            answers,
            mut errors,
        } = self;
        let mut deliveries = Deliveries::new(files);
        let mut filled = Vec::with_capacity(values.len());
        for (place, name, value) in &values {
            match fill::fill(name, value, &answers, &mut deliveries) {
                Ok(pieces) => {
                    see(name, &pieces);
                    let entry = pieces.map(|pieces| fill::join(name, &pieces));
                    let value = entry.as_ref().map(|entry| &entry[name.len() + 1..]);
                    let refused = value.and_then(|value| refusal(name, value));
                    errors.extend(refused.map(|cause| Fault::of(name, None, cause).into()));
                    filled.push((*place, entry));
                }
                Err(faults) => {
                    let fault = |(reference, cause)| Fault::of(name, Some(reference), cause).into();
                    errors.extend(faults.into_iter().map(fault));
                }
            }
        }
        if !errors.is_empty() {
            return Err(Error::all(errors));
        }
        environment.fill(filled);
        let mut summary = Summary {
            references: values
                .iter()
                .map(|(_, _, value)| references(value).count())
                .sum(),
            scopes: BTreeMap::new(),
            direct: 0,
        };
        for (name, scope, _) in answers.values() {
            match scope {
                Some(scope) => {
                    log::debug!(
                        Found, reference = &Label(&name), scope = scope;
                        "{name} comes from {scope}"
                    );
                    *summary.scopes.entry(scope.clone()).or_default() += 1;
                }
                None => summary.direct += 1,
            }
        }
        Ok((environment, deliveries, summary))
    }
}
