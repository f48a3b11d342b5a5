//! Lines about values that a change shadows, or uncovers: where a store can tell without asking a
//! server.

use std::collections::BTreeMap;

use super::store_and_scope::ScopeTarget;
use crate::engine::precedence::others;
use crate::model::log;
use crate::model::name::{Name, Scope};

/// The names that a scope is about to get.
pub struct Before {
    scope: Scope,
    new: Vec<Name>,
}

impl Before {
    /// Finds those of these names that the scope does not have yet.
    pub fn of<'n>(
        target: &ScopeTarget,
        scope: &Scope,
        names: impl IntoIterator<Item = &'n Name>,
    ) -> Self {
        let is_new = |name: &&Name| target.is_local() && target.has(scope, name) == Ok(false);
        let new = names.into_iter().filter(is_new);
        Before {
            scope: scope.clone(),
            new: new.cloned().collect(),
        }
    }

    /// Tells what the new values shadow, and what shadows them.
    pub fn say(self, target: &ScopeTarget) {
        let scope = &self.scope;
        let mut lines = BTreeMap::<String, Vec<Name>>::new();
        for name in self.new {
            let Ok(others) = others(&*target.store, scope, &name) else {
                continue;
            };
            let lists = [&others.wider, &others.narrower].map(|list| joined(list));
            if !others.wider.is_empty() {
                let line = format!("{scope} now shadows {}", lists[0]);
                lines.entry(line).or_default().push(name.clone());
            }
            if !others.narrower.is_empty() {
                let line = format!("where {} is in force, its own value counts", lists[1]);
                lines.entry(line).or_default().push(name);
            }
        }
        for (line, names) in lines {
            let names: Vec<_> = names.iter().map(Name::as_str).collect();
            log::info!(Advice, scope = scope; "{}: {line}", names.join(", "));
        }
    }
}

/// Lines about what is gone.
pub mod say {
    use super::{Name, Scope, ScopeTarget, joined, log, others};

    /// Tells whose value counts now that a scope has it no more.
    pub fn uncovered(target: &ScopeTarget, scope: &Scope, name: &Name) {
        if !target.is_local() {
            return;
        }
        let wider = others(&*target.store, scope, name).map(|others| others.wider);
        let wider = wider.unwrap_or_default();
        if !wider.is_empty() {
            let wider = joined(&wider);
            log::info!(Advice, reference = name, scope = scope; "{name}: the value of {wider} counts again");
        }
    }
}

fn joined(scopes: &[Scope]) -> String {
    let scopes: Vec<_> = scopes.iter().map(Scope::to_string).collect();
    scopes.join(", ")
}
