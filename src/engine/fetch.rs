//! Fetches all that an environment refers to from the stores, or from a cache where they can't be
//! reached.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::added;
use super::assemble::Assembled;
use super::cache::{self, Cache};
use super::lookup::{Answers, Question};
use super::open_stores::{Stores, is_same};
use super::render::Template;
use super::secret_files::Files;
use super::substitute;
use crate::core::environment::Environment;
use crate::core::scope::Scopes;
use crate::model::error::{Cause, Error, StoreError};
use crate::model::log::{self, Phase};
use crate::model::name::Name;
use crate::model::reference::Value;
use crate::stores::{Depth, Store};
use crate::sys::signals::{self, Work};

/// An environment that is put together, the open stores, and the way to ask them.
pub struct Located<'e> {
    /// The environment, and its references.
    pub assembled: Assembled<'e>,
    /// The stores.
    pub stores: Stores,
    /// The scopes in force.
    pub scopes: Scopes,
    /// True if every secret in force is referred to.
    pub all: bool,
    /// The depth to which the stores are read.
    pub depth: Depth,
    /// The cache that keeps the last values.
    pub cache: Option<Cache>,
    /// The store that tells which names exist, where no reference needs it.
    pub names: Option<Box<dyn Store>>,
}

impl Located<'_> {
    /// Names the stores that are asked.
    pub fn labels(&self) -> String {
        let labels: Vec<_> = self.stores.all().map(Store::label).collect();
        labels.join(" and ")
    }
}

/// An environment, its references, and the answers.
pub struct Fetched<'e> {
    /// The environment as its sources give it.
    pub environment: Environment<'e>,
    /// The variables to fill in.
    pub values: Vec<(usize, Vec<u8>, Value)>,
    /// The texts to fill in beside them.
    pub templates: Vec<Template>,
    /// The settings of delivery in files.
    pub files: Files,
    /// The answers of the stores.
    pub answers: Answers,
    /// The errors so far.
    pub errors: Vec<Error>,
    /// Faults in manifests: references that are meant and not read, each by its number.
    pub of_manifests: BTreeMap<usize, Cause>,
}

impl Fetched<'_> {
    /// Lists the stores that were asked, as messages name them.
    pub fn stores(&self) -> Vec<String> {
        let stores = self.answers.stores.all();
        stores.map(|store| store.label().to_owned()).collect()
    }
}

/// Adds every secret in force under its own name.
///
/// # Errors
/// The error that keeps all of them from being listed.
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

/// Looks up everything that the environment refers to.
pub fn fetch(located: Located<'_>) -> Fetched<'_> {
    let _phase = log::begin(Phase::Fetch);
    let _asking = signals::begin(Work::Store);
    let Located {
        mut assembled,
        stores,
        scopes,
        all,
        depth,
        cache,
        names,
    } = located;
    let mut answers = Answers::none(stores, scopes);
    let stores = Rc::clone(&answers.stores);
    let asks = matches!(depth, Depth::Values | Depth::Look) && stores.all().next().is_some();
    let asked = questions(&assembled);
    let cache = cache.as_ref().filter(|_| asks).map(|cache| {
        let identities: Vec<_> = stores.all().map(|store| store.identity()).collect();
        let bound = cache::bound(&identities, &answers.scopes, &asked, all);
        (cache, bound)
    });
    let mut can_tell = true;
    for store in stores.all() {
        let trouble = match ask(&mut assembled, store, all, depth, &mut answers) {
            Ok(()) => continue,
            Err(trouble) => trouble,
        };
        can_tell &= !stores.is_main(store);
        match &cache {
            Some((cache, bound)) if trouble.is_unreached() => {
                match cache.use_instead(&trouble, bound, &mut answers, &asked) {
                    Ok(()) => {
                        if all {
                            added::names(&mut assembled, cached_names(&answers));
                        }
                        added::documents(&mut assembled, &mut answers);
                        return fetched(assembled, answers);
                    }
                    Err(error) => assembled.errors.push(error),
                }
            }
            Some((cache, _)) if trouble.is_denial() => cache.forget(),
            _ => {}
        }
        let label = store.label();
        assembled.errors.push(Error::Store {
            // A store of single places has no name of its own.
            store: match label.ends_with(':') {
                true => store.at(),
                false => label.to_owned(),
            },
            trouble,
        });
    }
    added::documents(&mut assembled, &mut answers);
    let teller = stores.main.as_deref().or(names.as_deref());
    let meant = std::mem::take(&mut assembled.meant);
    let judged = meant.judge(&answers, teller.filter(|_| can_tell));
    assembled.errors.extend(judged.errors);
    if let Some((cache, bound)) = cache {
        keep(cache, bound, &assembled, &answers, &asked);
    }
    Fetched {
        of_manifests: judged.of_manifests,
        ..fetched(assembled, answers)
    }
}

/// Lists the questions of all references of an environment.
fn questions(assembled: &Assembled<'_>) -> BTreeSet<Question> {
    let documents = assembled.documents.iter();
    let documents = documents.flat_map(|(_, documents)| documents);
    let all = assembled.references().chain(documents);
    let longer = assembled.references().filter_map(Question::with_fallback);
    all.map(Question::from).chain(longer).collect()
}

/// Asks one store all that is for it.
///
/// # Errors
/// The error that keeps everything from being answered.
fn ask(
    assembled: &mut Assembled<'_>,
    store: &dyn Store,
    all: bool,
    depth: Depth,
    answers: &mut Answers,
) -> Result<(), StoreError> {
    let stores = Rc::clone(&answers.stores);
    if all && stores.is_main(store) {
        add_all(assembled, store, &answers.scopes)?;
    }
    let mut questions = questions(assembled);
    questions.retain(|question| match question {
        Question::Scoped(..) => stores.is_main(store),
        Question::Direct(place) => stores.of(place).is_some_and(|of| is_same(of, store)),
    });
    match answers.ask(store, &questions, depth) {
        // A missing value can still be reported beside a missing key of the store.
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

/// Keeps the stores' answers for when the stores can't be reached. Removes the cache where one
/// denied something.
fn keep(
    cache: &Cache,
    bound: String,
    assembled: &Assembled<'_>,
    answers: &Answers,
    asked: &BTreeSet<Question>,
) {
    if answers.has_denial() {
        return cache.forget();
    }
    // The answers of a launch that fails are not worth keeping, nor losing older ones.
    let has_value = |reference| substitute::piece(reference, answers).is_ok();
    let is_whole = assembled.references().all(has_value);
    if assembled.errors.is_empty() && is_whole {
        cache.keep(bound, answers, asked);
    }
}

fn fetched(assembled: Assembled<'_>, answers: Answers) -> Fetched<'_> {
    added::unnamed(&assembled);
    Fetched {
        environment: assembled.environment,
        values: assembled.values,
        templates: assembled.templates,
        files: assembled.files,
        answers,
        errors: assembled.errors,
        of_manifests: BTreeMap::new(),
    }
}

/// Lists the names of a cache that answers a launch with all secrets.
fn cached_names(answers: &Answers) -> BTreeSet<Name> {
    let names = answers.all.keys().filter_map(|question| match question {
        Question::Scoped(_, name) => Some(name.clone()),
        Question::Direct(_) => None,
    });
    names.collect()
}
