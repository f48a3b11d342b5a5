//! The people behind keys, as far as lists name them.

use std::path::Path;

use super::entry::{self, Entry};
use super::key::Keys;
use super::list;
use super::{Age, LARGEST_LIST, RECIPIENTS, file};
use crate::model::error::StoreError;
use crate::model::escape::counted;
use crate::model::location::Location;
use crate::model::name::Scope;
use crate::stores::{Finding, Member, Recipients};

/// The largest number of people that a message names.
const FEW: usize = 5;

impl Age {
    /// Finds the members that a scope's list has for these keys.
    pub(super) fn members_of(&self, scope: &Scope, keys: Vec<String>) -> Vec<Member> {
        let listed = self.recipients_of(Some(scope)).unwrap_or_default();
        let member = |key: String| {
            let entry = listed.iter().find(|entry| entry.text == key);
            entry.map_or_else(|| entry::member(key, None), Entry::member)
        };
        keys.into_iter().map(member).collect()
    }

    /// The error that no key of ours opens a file: which keys these are, who can add one, and how.
    pub(super) fn closed(&self, file: &[u8], location: &Location, keys: &Keys) -> StoreError {
        if let Some(locked) = &keys.locked {
            return locked.clone();
        }
        let what = format_args!("the key {} is not one of its recipients", keys.shown());
        let scope = Path::new(&location.path).parent();
        let scope = scope.and_then(|scope| Scope::parse(scope.to_str()?));
        let noted = file::inspect(file).ok().and_then(|found| found.recipients);
        let listed = self.recipients_of(scope.as_ref()).unwrap_or_default();
        let can_read = |entry: &Entry| noted.as_ref().is_some_and(|all| all.contains(&entry.text));
        let listed = listed.into_iter().filter(can_read);
        let mut names: Vec<_> = listed.filter_map(|entry| entry.name).collect();
        names.dedup();
        let who = match noted.as_deref() {
            _ if !names.is_empty() => any(&names),
            Some([one]) => format!("the holder of {one}"),
            Some([one, _]) => format!("the holder of {one}, or the other one"),
            Some([one, others @ ..]) => {
                format!("the holder of {one}, or one of {} others,", others.len())
            }
            _ => "somebody who can read it".to_owned(),
        };
        let scope = scope.filter(|scope| self.has_own_list(scope));
        let option = scope.map_or_else(String::new, |scope| format!(" {}", scope.option()));
        let key = match keys.recipients().next() {
            Some(key) if key.contains(' ') => format!("'{key}'"),
            key => key.unwrap_or_default().to_owned(),
        };
        let hint = format!("have {who} run doorkey store recipient add {key}{option}");
        StoreError::denied(what).hint(hint).of_key()
    }

    /// Reports our keys, and whether the store's list names one of them.
    pub(super) fn report(&self) -> Vec<Finding> {
        let key = self.keys().map(Keys::shown);
        let readers = self.list(None).and_then(|listed| {
            let Ok(keys) = self.keys() else {
                return Ok(counted(listed.len(), "recipient"));
            };
            let mut own = keys.recipients();
            match own.any(|key| listed.iter().any(|one| one.recipient == key)) {
                true => Ok(format!(
                    "{}, this key among them",
                    counted(listed.len(), "recipient")
                )),
                false => Err(
                    StoreError::setting("the store's list does not name this key").hint(
                        "have a recipient run doorkey store recipient add with its public half",
                    ),
                ),
            }
        });
        vec![("key", key), ("readers", readers)]
    }

    /// Finds the name of a member by what is left of a key: the name in the scope's list, in the
    /// store's, or where these say who was removed.
    pub(super) fn owner(&self, scope: &Scope, short: &str) -> String {
        for path in [list::path(Some(scope)), RECIPIENTS.into()] {
            let text = self.tree.read_file(&path, LARGEST_LIST);
            let text = text.ok().flatten().unwrap_or_default();
            let mut listed = list::known(&text).into_iter();
            let listed = listed.find(|(key, _)| entry::short(key) == short);
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
