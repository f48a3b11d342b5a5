//! Resolves an environment: everything that it refers to, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::added;
use super::assemble::Assembled;
use super::cache::{self, Cache};
use super::lookup::{Answers, Question};
use super::open_stores::{Stores, is_same};
use super::secret_files::{Deliveries, Files};
use super::substitute::{self, Filled};
use crate::core::environment::{Environment, refusal};
use crate::core::scope::Scopes;
use crate::model::error::{Error, Fault, StoreError};
use crate::model::log::{self, Label, Phase};
use crate::model::name::{Name, Scope};
use crate::model::reference::{Target, Value, references};
use crate::stores::{Depth, Store};

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

/// Adds every secret in force under its own name.
///
/// # Errors
/// What keeps all of them from being listed.
fn add_all(
    assembled: &mut Assembled<'_>,
    store: &dyn Store,
    scopes: &Scopes,
) -> Result<(), StoreError> {
    let mut names = BTreeSet::new();
    let scopes = scopes.in_force();
    for (scope, found) in scopes.iter().zip(store.names(&scopes)?) {
        match found {
            Ok(found) => names.extend(found),
            Err(trouble) => assembled.errors.push(Error::Store {
                store: format!("{scope} of {}", store.label()),
                trouble,
            }),
        }
    }
    added::names(assembled, names);
    Ok(())
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
    let _phase = log::begin(Phase::Fetch);
    let mut answers = Answers::none(stores, scopes);
    let asks = depth == Depth::Values && stores.all().next().is_some();
    let asked = questions(&assembled);
    let cache = cache.filter(|_| asks).map(|cache| {
        let identities: Vec<_> = stores.all().map(|store| store.identity()).collect();
        (cache, cache::bound(&identities, scopes, &asked, all))
    });
    for store in stores.all() {
        let trouble = match ask(&mut assembled, store, all, depth, &mut answers) {
            Ok(()) => continue,
            Err(trouble) => trouble,
        };
        match &cache {
            Some((cache, bound)) if trouble.is_unreached() => {
                match cache.use_instead(&trouble, bound, &mut answers, &asked) {
                    Ok(()) => {
                        if all {
                            added::names(&mut assembled, cached_names(&answers));
                        }
                        added::documents(&mut assembled, &mut answers);
                        return resolved(assembled, answers);
                    }
                    Err(error) => assembled.errors.push(error),
                }
            }
            Some((cache, _)) if trouble.is_denial() => cache.forget(),
            _ => {}
        }
        assembled.errors.push(Error::Store {
            store: store.label().to_owned(),
            trouble,
        });
    }
    added::documents(&mut assembled, &mut answers);
    if let Some((cache, bound)) = cache {
        keep(cache, bound, &assembled, &answers, &asked);
    }
    resolved(assembled, answers)
}

/// Everything that an environment refers to.
fn questions(assembled: &Assembled<'_>) -> BTreeSet<Question> {
    let values = assembled.values.iter();
    let values = values.flat_map(|(_, _, value)| references(value));
    let documents = assembled.documents.iter();
    let documents = documents.flat_map(|(_, documents)| documents);
    values.chain(documents).map(Question::from).collect()
}

/// Asks one store all that is for it.
///
/// # Errors
/// The errors that keep everything from being answered.
fn ask(
    assembled: &mut Assembled<'_>,
    store: &dyn Store,
    all: bool,
    depth: Depth,
    answers: &mut Answers<'_>,
) -> Result<(), StoreError> {
    let stores = answers.stores;
    if all && stores.is_main(store) {
        add_all(assembled, store, answers.scopes)?;
    }
    let mut questions = questions(assembled);
    questions.retain(|question| match question {
        Question::Scoped(..) => stores.is_main(store),
        Question::Direct(place) => stores.of(place).is_some_and(|of| is_same(of, store)),
    });
    match answers.ask(store, &questions, depth) {
        // What is missing can still be said beside a key that is.
        Err(trouble) if trouble.is_of_key() => {
            assembled.errors.push(Error::Store {
                store: store.label().to_owned(),
                trouble,
            });
            answers.ask(store, &questions, Depth::Names)
        }
        other => other,
    }
}

/// Keeps what the stores have said for when they can't be reached; where one said no, nothing.
fn keep(
    cache: &Cache,
    bound: String,
    assembled: &Assembled<'_>,
    answers: &Answers<'_>,
    asked: &BTreeSet<Question>,
) {
    if answers.has_denial() {
        return cache.forget();
    }
    // What a launch fails with is not worth keeping, nor losing what one had before.
    let mut values = assembled.values.iter();
    let has_value = |reference| substitute::piece(reference, answers).is_ok();
    let is_whole = values.all(|(_, _, value)| references(value).all(has_value));
    if assembled.errors.is_empty() && is_whole {
        cache.keep(bound, answers, asked);
    }
}

fn resolved<'a, 'e>(assembled: Assembled<'e>, answers: Answers<'a>) -> Resolved<'a, 'e> {
    added::unnamed(&assembled);
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
    let names = answers.all.keys().filter_map(|question| match question {
        Question::Scoped(_, name) => Some(name.clone()),
        Question::Direct(_) => None,
    });
    names.collect()
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
            match substitute::fill(name, value, &answers, &mut deliveries) {
                Ok(pieces) => {
                    see(name, &pieces);
                    let entry = pieces.map(|pieces| substitute::join(name, &pieces));
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
