//! Finds what the user may have meant by a name that is in none of the searched scopes. A store that
//! asks a server is asked at most once more; if it does not answer, nothing is suggested.

use std::cell::OnceCell;

use crate::core::suggest::{Hints, nearest};
use crate::model::meant::Meant;
use crate::model::name::{Name, Scope};
use crate::stores::{Names, Store};

/// The names and scopes of a store, listed when first needed.
#[derive(Default)]
pub struct Existing {
    /// The names in the scopes in force.
    near: OnceCell<Vec<(Name, Scope)>>,
    /// Every scope.
    scopes: OnceCell<Vec<Scope>>,
    /// The names in the other scopes, where that costs no request.
    far: OnceCell<Vec<(Name, Scope)>>,
    hints: Hints,
}

/// Lists the names in some scopes.
fn names(store: &dyn Store, scopes: &[Scope]) -> Vec<(Name, Scope)> {
    let names = store.names(scopes).unwrap_or_default();
    let of_scope = |(scope, names): (&Scope, Names)| {
        let names = names.unwrap_or_default().into_iter();
        let scope = scope.clone();
        names.map(move |name| (name, scope.clone()))
    };
    scopes.iter().zip(names).flat_map(of_scope).collect()
}

impl Existing {
    /// Finds what was meant by a name that is missing in the scopes in force. `is_one_level` is true
    /// if the reference names the kind of scope to look in.
    pub fn meant(
        &self,
        store: &dyn Store,
        in_force: &[Scope],
        name: &Name,
        is_one_level: bool,
    ) -> Meant {
        let near = self.near.get_or_init(|| names(store, in_force));
        let nearest_name = || {
            let hints = &self.hints;
            let found = hints.nearest(name.as_str(), near, |(name, _)| name.as_str());
            found.map(|(name, scope)| Meant::Name(name.clone(), scope.clone()))
        };
        // A scope with a name in it exists.
        let mut empty = in_force.iter().filter(|scope| {
            **scope != Scope::Team && near.iter().all(|(_, other)| other != *scope)
        });
        if !store.is_local() && empty.clone().next().is_none() {
            return nearest_name().unwrap_or_default();
        }
        let scopes = self
            .scopes
            .get_or_init(|| store.scopes().unwrap_or_default());
        let missing = empty.find(|scope| !scopes.is_empty() && !scopes.contains(scope));
        let missing = missing.map(|missing| {
            let others: Vec<&Scope> = scopes
                .iter()
                .filter(|other| other.level() == missing.level())
                .collect();
            let like = nearest(missing.id(), &others, |scope| scope.id());
            Meant::Scope {
                missing: missing.clone(),
                nearest: like.copied().cloned(),
            }
        });
        let is_misspelt = |meant: &Meant| {
            matches!(
                meant,
                Meant::Scope {
                    nearest: Some(_),
                    ..
                }
            )
        };
        if missing.as_ref().is_some_and(is_misspelt) {
            return missing.unwrap_or_default();
        }
        let elsewhere = || {
            let far = self.far.get_or_init(|| {
                let mut others = scopes.clone();
                others.retain(|scope| !in_force.contains(scope));
                match store.is_local() {
                    true => names(store, &others),
                    false => vec![],
                }
            });
            let all = near.iter().filter(|_| is_one_level).chain(far);
            let mut same = all.filter(|(other, _)| other == name);
            let same = same.next();
            same.map(|(_, scope)| Meant::Elsewhere(scope.clone(), is_one_level))
        };
        let meant = elsewhere().or_else(nearest_name);
        meant.or(missing).unwrap_or_default()
    }
}
