//! The stores of a launch: the main one, which has the scopes, and those of single places.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::error::Error;
use crate::model::reference::Direct;
use crate::stores::{self, Access, Store};

/// The open stores.
#[derive(Default)]
pub struct Stores {
    /// The main store, which has the scopes, if it was needed and could be opened.
    pub main: Option<Box<dyn Store>>,
    /// The stores of single places, each with the words that references to it begin with.
    others: Vec<(&'static [&'static str], Box<dyn Store>)>,
    /// The words that references to places in the main store begin with.
    schemes_of_main: &'static [&'static str],
}

impl Stores {
    /// Opens the stores that a launch needs. These are the store at `location` if names are looked
    /// for in scopes, and one for each kind of single place. A store that can't be opened is among
    /// the errors then.
    pub fn open(
        location: Option<&str>,
        scoped: bool,
        words: &BTreeSet<&'static str>,
        access: &Arc<Access>,
        errors: &mut Vec<Error>,
    ) -> Self {
        let mut stores = Stores {
            schemes_of_main: location
                .map(|location| stores::schemes_of(location, access))
                .unwrap_or_default(),
            ..Stores::default()
        };
        let mut needed = scoped;
        for word in words {
            if stores.schemes_of_main.contains(word) {
                needed = true;
            } else if stores.others.iter().all(|(known, _)| !known.contains(word)) {
                match stores::open_places(word, access) {
                    Ok(store) => {
                        let schemes = stores::schemes_of(&format!("{word}:"), access);
                        stores.others.push((schemes, store));
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        if needed {
            let location = location.ok_or_else(stores::unnamed);
            match location.and_then(|location| stores::open(location, access)) {
                Ok(store) => stores.main = Some(store),
                Err(error) => errors.push(error),
            }
        }
        stores
    }

    /// Returns the store that a single place is in.
    pub fn of(&self, place: &Direct) -> Option<&dyn Store> {
        self.of_scheme(place.scheme)
    }

    /// Returns the store to which references with a scheme are.
    pub fn of_scheme(&self, scheme: &str) -> Option<&dyn Store> {
        if self.schemes_of_main.contains(&scheme) {
            return self.main.as_deref();
        }
        let mut others = self.others.iter();
        let other = others.find(|(words, _)| words.contains(&scheme));
        other.map(|(_, store)| store.as_ref())
    }

    /// True if a store is the main one, which has the scopes.
    pub fn is_main(&self, store: &dyn Store) -> bool {
        let main = self.main.as_deref();
        main.is_some_and(|main| is_same(main, store))
    }

    /// Lists all open stores, the main one first.
    pub fn all(&self) -> impl Iterator<Item = &dyn Store> {
        let others = self.others.iter().map(|(_, store)| store.as_ref());
        self.main.as_deref().into_iter().chain(others)
    }
}

/// True if both are the same store.
pub fn is_same(one: &dyn Store, other: &dyn Store) -> bool {
    std::ptr::addr_eq(one, other)
}
