//! Asks the store: each name once, in the narrowest scope that has it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use crate::pure::nearest::nearest;
use crate::pure::scope::Scopes;
use crate::stores::Store;
use crate::words::error::{Cause, Trouble};
use crate::words::name::{Level, Name, Scope};
use crate::words::reference::Reference;
use crate::words::secret::Secret;
use crate::world::processors;

/// A name, and the one level to look in where the reference says so.
pub type Wanted = (Option<Level>, Name);

/// What looking for a name came to.
pub enum Answer {
    /// It is in this scope; without its value where only names were asked for.
    Found(Scope, Option<Secret>),
    /// None of the scopes that were looked in has it.
    Missing,
    /// There is no scope of the level that it was asked of.
    NotInForce(Level),
    /// This scope could not answer, so no wider one was asked.
    Failed(Scope, Trouble),
}

/// Whether values are read, which needs a key, or only names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Look whether each name is there.
    Names,
    /// Read each value.
    Values,
}

/// The answers for everything that was wanted from a store.
pub struct Answers<'a> {
    store: &'a dyn Store,
    scopes: &'a Scopes,
    answers: BTreeMap<Wanted, Answer>,
    existing: OnceCell<Vec<(Name, Scope)>>,
}

/// For each so many names, a further thread reads with us. Opening one value takes about eighty
/// microseconds of arithmetic, starting a thread about forty: two names are as fast alone.
const NAMES_A_THREAD: usize = 2;

/// More threads than these are not worth the time to start them one after the other.
const MOST_THREADS: usize = 8;

impl<'a> Answers<'a> {
    /// Looks for every name that is wanted.
    pub fn find(
        store: &'a dyn Store,
        scopes: &'a Scopes,
        wanted: BTreeSet<Wanted>,
        depth: Depth,
    ) -> Self {
        let wanted: Vec<Wanted> = wanted.into_iter().collect();
        let one = |wanted: &Wanted| find(store, scopes, wanted, depth);
        let threads = match depth {
            Depth::Names => 1,
            Depth::Values => match wanted.len() / NAMES_A_THREAD {
                0 | 1 => 1,
                worth => processors::count(worth.min(MOST_THREADS)),
            },
        };
        let each = wanted.len().div_ceil(threads).max(1);
        let found: Vec<Answer> = thread::scope(|scope| {
            let (ours, theirs) = wanted.split_at(each.min(wanted.len()));
            let helpers: Vec<_> = theirs
                .chunks(each)
                .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Vec<_>>()))
                .collect();
            let mut found: Vec<Answer> = ours.iter().map(one).collect();
            for helper in helpers {
                found.extend(
                    helper
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                );
            }
            found
        });
        let answers = wanted.into_iter().zip(found).collect();
        Answers {
            store,
            scopes,
            answers,
            existing: OnceCell::new(),
        }
    }

    /// The store that answered.
    pub fn store(&self) -> &'a dyn Store {
        self.store
    }

    /// The answer for what a reference refers to.
    pub fn to(&self, reference: &Reference) -> &Answer {
        self.answers
            .get(&wanted(reference))
            .unwrap_or(&Answer::Missing)
    }

    /// Every secret whose value was read.
    pub fn values(&self) -> impl Iterator<Item = (&Name, &Scope, &Secret)> {
        self.answers
            .iter()
            .filter_map(|((_, name), answer)| match answer {
                Answer::Found(scope, Some(value)) => Some((name, scope, value)),
                _ => None,
            })
    }

    /// The wider scopes that have a name too, which one that was found hides.
    pub fn shadowed(&self, reference: &Reference, found: &Scope) -> Vec<Scope> {
        let mut wider = self.searched(reference);
        wider.retain(|scope| {
            scope.level() > found.level() && self.store.has(scope, &reference.name) == Ok(true)
        });
        wider
    }

    /// Why a name that is nowhere is a fault, with the existing name that is most like it.
    pub fn missing(&self, reference: &Reference) -> Cause {
        let searched = self.searched(reference);
        let existing = self.existing.get_or_init(|| {
            let names = |scope: Scope| {
                let names = self.store.names(&scope).unwrap_or_default();
                names.into_iter().map(move |name| (name, scope.clone()))
            };
            self.scopes.in_force().into_iter().flat_map(names).collect()
        });
        let nearest =
            nearest(reference.name.as_str(), existing, |(name, _)| name.as_str()).cloned();
        Cause::Missing {
            searched,
            store: self.store.label().to_owned(),
            nearest,
        }
    }

    fn searched(&self, reference: &Reference) -> Vec<Scope> {
        self.scopes.searched(reference.level).unwrap_or_default()
    }
}

/// What a reference wants of a store.
pub fn wanted(reference: &Reference) -> Wanted {
    (reference.level, reference.name.clone())
}

/// Looks for one name, narrowest scope first. A scope that fails ends the search: a wider one
/// must not answer in its place.
fn find(store: &dyn Store, scopes: &Scopes, (level, name): &Wanted, depth: Depth) -> Answer {
    let searched = match scopes.searched(*level) {
        Ok(searched) => searched,
        Err(level) => return Answer::NotInForce(level),
    };
    for scope in searched {
        let found = match depth {
            Depth::Names => store.has(&scope, name).map(|has| has.then_some(None)),
            Depth::Values => store.read(&scope, name).map(|value| value.map(Some)),
        };
        match found {
            Ok(Some(value)) => return Answer::Found(scope, value),
            Ok(None) => {}
            Err(trouble) => return Answer::Failed(scope, trouble),
        }
    }
    Answer::Missing
}
