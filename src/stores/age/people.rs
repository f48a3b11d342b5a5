//! The people behind keys, as far as lists name them.

use std::path::Path;

use super::list::{self, Entry};
use super::{Age, LARGEST_LIST, RECIPIENTS};
use crate::model::error::StoreError;
use crate::model::location::Location;
use crate::model::name::Scope;
use crate::stores::Member;

/// The largest number of people that a message names.
const FEW: usize = 5;

impl Age {
    /// Finds the members that a scope's list has for these keys.
    pub(super) fn members_of(&self, scope: &Scope, keys: Vec<String>) -> Vec<Member> {
        let listed = self.recipients_of(Some(scope)).unwrap_or_default();
        let member = |key: String| {
            let entry = listed.iter().find(|entry| entry.text == key);
            entry.map_or_else(
                || Member {
                    recipient: key,
                    name: None,
                    kind: list::KIND,
                },
                Entry::member,
            )
        };
        keys.into_iter().map(member).collect()
    }

    /// Adds to a denial those who can let somebody read a secret.
    pub(super) fn naming_people(&self, trouble: StoreError, location: &Location) -> StoreError {
        if trouble.kind() != "denied" {
            return trouble;
        }
        let scope = Path::new(&location.path).parent();
        let scope = scope.and_then(|scope| Scope::parse(&scope.to_string_lossy()));
        let listed = self.recipients_of(scope.as_ref()).unwrap_or_default();
        let mut names: Vec<_> = listed.into_iter().filter_map(|entry| entry.name).collect();
        names.dedup();
        match names.is_empty() {
            true => trouble,
            false => trouble.hint(format!("have {} add the key", any(&names))),
        }
    }

    /// Finds the name of a member by what is left of a key: the name in the scope's list, in the
    /// store's, or where these say who was removed.
    pub(super) fn owner(&self, scope: &Scope, short: &str) -> String {
        for path in [list::path(Some(scope)), RECIPIENTS.into()] {
            let text = self.tree.read_file(&path, LARGEST_LIST);
            let text = text.ok().flatten().unwrap_or_default();
            let mut listed = list::known(&text).into_iter();
            let listed = listed.find(|(key, _)| list::short(key) == short);
            let listed = listed.and_then(|(_, name)| name);
            let mut removed = list::removals(&text);
            let removed = || removed.find(|(end, _)| *end == short)?.1.map(str::to_owned);
            if let Some(name) = listed.or_else(removed) {
                return name;
            }
        }
        short.to_owned()
    }
}

/// Joins names, of which one is enough: `a, b or c`.
fn any(names: &[String]) -> String {
    let more = names.len().saturating_sub(FEW);
    let mut names: Vec<&str> = names.iter().take(FEW).map(String::as_str).collect();
    if more > 0 {
        names.push("somebody else");
    }
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
