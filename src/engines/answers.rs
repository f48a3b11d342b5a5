//! What the stores say: each name asked once, in the narrowest scope that has it, each single
//! place once.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread::{self, ScopedJoinHandle};

use super::opened::Stores;
use crate::pure::nearest::Hints;
use crate::pure::scope::Scopes;
use crate::stores::{Found, Store};
use crate::words::error::{Cause, Trouble};
use crate::words::name::{Level, Name, Scope};
use crate::words::reference::{Direct, Reference, Scoped, Target};
use crate::words::secret::Secret;
use crate::world::processors;

/// A name, and the one level to look in where the reference says so.
pub type Wanted = (Option<Level>, Name);

/// Everything that is asked.
#[derive(Default)]
pub struct Questions {
    /// Names in the scopes.
    pub scoped: BTreeSet<Wanted>,
    /// Single places.
    pub direct: BTreeSet<Direct>,
}

impl Questions {
    /// What these references ask.
    pub fn of<'r>(references: impl Iterator<Item = &'r Reference>) -> Self {
        let mut questions = Questions::default();
        for reference in references {
            match &reference.target {
                Target::Scoped(scoped) => questions.scoped.insert(wanted(scoped)),
                Target::Direct(direct) => questions.direct.insert(direct.clone()),
            };
        }
        questions
    }
}

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
    /// Read each value, and take no kept one in its place.
    Fresh,
}

/// The answers to everything that was asked. What could not be asked has none: why is among the
/// errors already.
pub struct Answers<'a> {
    stores: &'a Stores,
    scopes: &'a Scopes,
    /// By name.
    pub scoped: BTreeMap<Wanted, Answer>,
    /// By single place.
    pub direct: BTreeMap<Direct, Result<Found, Trouble>>,
    existing: OnceCell<Vec<(Name, Scope)>>,
    hints: Hints,
}

/// For each so many names, a further thread reads with us. Opening one value takes about eighty
/// microseconds of arithmetic, starting a thread about forty: two names are as fast alone.
const NAMES_A_THREAD: usize = 2;

/// More threads than these are not worth the time to start them one after the other.
const MOST_THREADS: usize = 8;

impl<'a> Answers<'a> {
    /// No answers, yet.
    pub fn none(stores: &'a Stores, scopes: &'a Scopes) -> Self {
        Answers {
            stores,
            scopes,
            scoped: BTreeMap::new(),
            direct: BTreeMap::new(),
            existing: OnceCell::new(),
            hints: Hints::default(),
        }
    }

    /// Looks for every name in the main store.
    pub fn look_for(&mut self, store: &dyn Store, wanted: BTreeSet<Wanted>, depth: Depth) {
        let wanted: Vec<Wanted> = wanted.into_iter().collect();
        let scopes = self.scopes;
        let one = |wanted: &Wanted| find(store, scopes, wanted, depth);
        let is_work = depth != Depth::Names && store.is_laborious();
        let threads = match wanted.len() / NAMES_A_THREAD {
            worth if is_work && worth > 1 => processors::count(worth.min(MOST_THREADS)),
            _ => 1,
        };
        let each = wanted.len().div_ceil(threads).max(1);
        let found: Vec<Answer> = thread::scope(|scope| {
            let (ours, theirs) = wanted.split_at(each.min(wanted.len()));
            let all = |chunk: &[Wanted]| chunk.iter().map(one).collect::<Vec<Answer>>();
            // What no thread is to be had for, under a limit of processes, is ours as well.
            let help = |chunk| {
                let helper = thread::Builder::new().spawn_scoped(scope, move || all(chunk));
                helper.map_err(|_| chunk)
            };
            let helpers: Vec<_> = theirs.chunks(each).map(help).collect();
            let mut found = all(ours);
            for helper in helpers {
                found.extend(match helper.map(ScopedJoinHandle::join) {
                    Ok(theirs) => theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    Err(chunk) => all(chunk),
                });
            }
            found
        });
        self.scoped = wanted.into_iter().zip(found).collect();
    }

    /// Reads single places.
    pub fn read(&mut self, store: &dyn Store, places: impl Iterator<Item = Direct>) {
        for place in places {
            let found = store.read_direct(&place);
            self.direct.insert(place, found);
        }
    }

    /// The store of the scopes, as messages name it.
    pub fn label(&self) -> String {
        let main = self.stores.main.as_ref();
        main.map(|store| store.label().to_owned())
            .unwrap_or_default()
    }

    /// The store that a reference is to, as messages name it.
    pub fn label_of(&self, place: &Direct) -> String {
        let store = self.stores.of(place);
        store
            .map(|store| store.label().to_owned())
            .unwrap_or_default()
    }

    /// Whether what is missing at a single place is left out.
    pub fn leaves_out(&self, place: &Direct) -> bool {
        self.stores
            .of(place)
            .is_some_and(|store| store.leaves_out_missing())
    }

    /// Whether a store has said no to anything.
    pub fn has_denial(&self) -> bool {
        let scoped = self.scoped.values().filter_map(|answer| match answer {
            Answer::Failed(_, trouble) => Some(trouble),
            _ => None,
        });
        let direct = self
            .direct
            .values()
            .filter_map(|found| found.as_ref().err());
        scoped.chain(direct).any(Trouble::is_denial)
    }

    /// Every value that was read: what stands for it where it isn't shown, its scope, itself.
    pub fn values(&self) -> impl Iterator<Item = (String, Option<&Scope>, &Secret)> {
        let scoped = self
            .scoped
            .iter()
            .filter_map(|((_, name), answer)| match answer {
                Answer::Found(scope, Some(value)) => Some((name.to_string(), Some(scope), value)),
                _ => None,
            });
        let direct = self.direct.iter().filter_map(|(place, found)| match found {
            Ok(Found::Value(value)) => Some((place.to_string(), None, value)),
            _ => None,
        });
        scoped.chain(direct)
    }

    /// The wider scopes that have a name too, which one that was found hides.
    pub fn shadowed(&self, scoped: &Scoped, found: &Scope) -> Vec<Scope> {
        let Some(store) = &self.stores.main else {
            return Vec::new();
        };
        let mut wider = self.searched(scoped);
        wider.retain(|scope| {
            scope.level() > found.level() && store.has(scope, &scoped.name) == Ok(true)
        });
        wider
    }

    /// Why a name that is nowhere is a fault, with the existing name that is most like it.
    pub fn missing(&self, scoped: &Scoped) -> Cause {
        let existing = self.existing.get_or_init(|| {
            let names = |scope: Scope| {
                let main = self.stores.main.as_ref();
                let names = main.and_then(|store| store.names(&scope).ok());
                let names = names.unwrap_or_default();
                names.into_iter().map(move |name| (name, scope.clone()))
            };
            self.scopes.in_force().into_iter().flat_map(names).collect()
        });
        let name = scoped.name.as_str();
        let nearest = self
            .hints
            .nearest(name, existing, |(name, _)| name.as_str());
        let nearest = nearest.cloned();
        Cause::Missing {
            searched: self.searched(scoped),
            store: self.label(),
            nearest,
        }
    }

    fn searched(&self, scoped: &Scoped) -> Vec<Scope> {
        self.scopes.searched(scoped.level).unwrap_or_default()
    }
}

/// What a reference wants of the scopes.
pub fn wanted(scoped: &Scoped) -> Wanted {
    (scoped.level, scoped.name.clone())
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
            Depth::Values | Depth::Fresh => store.read(&scope, name).map(|value| value.map(Some)),
        };
        match found {
            Ok(Some(value)) => return Answer::Found(scope, value),
            Ok(None) => {}
            Err(trouble) => return Answer::Failed(scope, trouble),
        }
    }
    Answer::Missing
}
