//! Changes to the recipients of an embedded store.

use std::path::Path;
use std::time::SystemTime;

use super::entry::{Entry, short};
use super::file::{Inspected, Mark};
use super::list::{self, Who};
use super::{Age, LARGEST_LIST, RECIPIENTS, bad_member, file, meaningful_lines, place_of};
use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::model::store_error::FaultKind;
use crate::stores::folder::{scope_folder, unwritten};
use crate::stores::{Changed, Checked, Fix, Member, Naming, Recipients, Store};
use crate::sys::rooted_dir::FolderLock;

impl Recipients for Age {
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<Member>, StoreError> {
        let entries = self.recipients_of(scope)?;
        Ok(entries.iter().map(Entry::member).collect())
    }

    fn add(
        &self,
        scope: Option<&Scope>,
        keys: &[String],
        name: Option<&str>,
    ) -> Result<Changed, StoreError> {
        list::check_name(name)?;
        let keys = list::keys(keys, 0)?.into_iter();
        let add: Vec<_> = keys
            .map(|(key, own)| (key, name.map(str::to_owned).or(own)))
            .collect();
        self.change(scope, &add, &[])
    }

    fn remove(&self, scope: Option<&Scope>, members: &[String]) -> Result<Changed, StoreError> {
        self.change(scope, &[], &list::members(members, 0)?)
    }

    fn naming(&self, members: &[String], removed: bool) -> Result<Vec<Naming>, StoreError> {
        let members = list::members(members, 0)?;
        let scopes = self.scopes()?.into_iter().map(Some);
        let mut lists = Vec::new();
        for scope in [None].into_iter().chain(scopes) {
            let list = self
                .tree
                .read_file(&list::path(scope.as_ref()), LARGEST_LIST);
            let named = members.iter().filter(|who| match &list {
                Ok(None) => false,
                Ok(Some(text)) => who.is_in(text) || removed && who.was_in(text),
                Err(_) => true,
            });
            let named: Vec<_> = named.map(|who| who.as_str().to_owned()).collect();
            if !named.is_empty() {
                lists.push((scope, named));
            }
        }
        let is_nowhere = |who: &Who| {
            let mut lists = lists.iter();
            !lists.any(|(_, named)| named.iter().any(|one| one == who.as_str()))
        };
        match members.iter().position(is_nowhere) {
            Some(at) if removed => Err(nowhere(at + 1, &members[at])),
            _ => Ok(lists),
        }
    }

    fn check(&self, fix: Option<&Fix>, only: &[Scope]) -> Result<Checked, StoreError> {
        self.verify(fix, only)
    }
}

impl Age {
    /// Changes a list, and encrypts its secrets anew.
    fn change(
        &self,
        scope: Option<&Scope>,
        add: &[list::Known],
        remove: &[Who],
    ) -> Result<Changed, StoreError> {
        self.keys()?;
        let mut changed = Changed::default();
        // Nobody else changes a list while this lock is held.
        let root = self.tree.own(Path::new(""))?;
        let affected: Vec<Scope> = match scope {
            Some(scope) => vec![scope.clone()],
            None => {
                let mut scopes = self.scopes()?;
                changed.left = scopes.clone();
                changed.left.retain(|scope| self.has_own_list(scope));
                scopes.retain(|scope| !changed.left.contains(scope));
                scopes
            }
        };
        // A list of a scope's own starts from the store's.
        let before = self
            .list_of(scope)?
            .map(|(_, text)| text)
            .unwrap_or_default();
        // A recipient who was removed before may be removed again: that finishes an interrupted
        // removal.
        if !remove
            .iter()
            .all(|who| who.is_in(&before) || who.was_in(&before))
        {
            return Err(not_listed(&before, remove));
        }
        let after = list::edited(&before, add, &list::keys_of(&before, remove));
        let path = list::path(scope);
        if !remove.is_empty() && meaningful_lines(&after).next().is_none() {
            return Err(last_one(&path));
        }
        let recipients = list::parse(&after, &path)?;
        changed.recipients = recipients.iter().map(Entry::member).collect();
        changed.list = before != after;
        let removal = Removal {
            ends: list::ends_of(&before, remove),
            is_new: changed.list,
            now: now(),
        };
        let is_other = changed.list;
        self.encrypt_anew(&affected, &recipients, &removal, &mut changed, |held| {
            let folder = if scope.is_some() { held.first() } else { None };
            match is_other {
                true => folder
                    .unwrap_or(&root)
                    .replace(&[(RECIPIENTS.to_owned(), after)])
                    .map_err(unwritten),
                false => Ok(()),
            }
        })?;
        if scope.is_none() {
            // A writer that made a scope meanwhile may have read the old list. This waits for such
            // writers.
            let mut new = self.scopes()?;
            new.retain(|scope| !affected.contains(scope) && !changed.left.contains(scope));
            self.encrypt_anew(&new, &recipients, &removal, &mut changed, |_| Ok(()))?;
        }
        Ok(changed)
    }

    /// Encrypts the secrets of some scopes for other recipients, once `then` has written the new
    /// list. Everything is opened before anything is changed. Nobody else writes there meanwhile:
    /// each writer reads its list while it holds its scope.
    fn encrypt_anew(
        &self,
        scopes: &[Scope],
        recipients: &[Entry],
        removal: &Removal,
        changed: &mut Changed,
        then: impl FnOnce(&[FolderLock]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let held: Vec<_> = scopes
            .iter()
            .map(|scope| self.tree.own(&scope_folder(scope)))
            .collect::<Result<_, _>>()?;
        let mut closed = Vec::new();
        let mut opened = Vec::new();
        for scope in scopes {
            let mut values = Vec::new();
            for name in self.tree.names(scope)? {
                let location = self.tree.locate(scope, &name);
                let value = match self.tree.read(&location) {
                    Ok(None) => continue,
                    Ok(Some(file)) => self.decrypt(&file, &location, self.refuses_unbound),
                    Err(trouble) => Err(trouble),
                };
                match value {
                    Ok((value, header)) => values.push((name, value, header)),
                    Err(_) => closed.push(place_of(scope, &name)),
                }
            }
            opened.push(values);
        }
        if !closed.is_empty() {
            return Err(closed_secrets(&closed));
        }
        then(&held)?;
        for ((scope, held), values) in scopes.iter().zip(&held).zip(opened) {
            let mut files = Vec::with_capacity(values.len());
            for (name, value, header) in values {
                // A file without a name stays so: only a person who looks at it can tell that it is
                // the right one.
                let marks = removal.marks(&header);
                let file = file::encrypt(&value, recipients, header.bound.as_deref(), &marks)?;
                if marks.iter().any(|mark| removal.ends.contains(&mark.who)) {
                    changed.rotate.push((scope.clone(), name.clone()));
                }
                files.push((self.tree.file(&name), file));
                changed.rewritten.push((scope.clone(), name));
            }
            held.replace(&files).map_err(unwritten)?;
        }
        Ok(())
    }

    pub(super) fn has_own_list(&self, scope: &Scope) -> bool {
        !matches!(
            self.tree.read_file(&list::path(Some(scope)), LARGEST_LIST),
            Ok(None)
        )
    }
}

/// Recipients who are removed from a list, or none.
struct Removal {
    /// The ends of their keys.
    ends: Vec<String>,
    /// True if the list had them until now.
    is_new: bool,
    now: String,
}

impl Removal {
    /// The marks that a file has after the removal. Where the removal is only finished, a value that
    /// was set meanwhile is none of those that were known.
    fn marks(&self, header: &Inspected) -> Vec<Mark> {
        let could_read = |who: &String| match &header.recipients {
            Some(noted) => noted.iter().any(|key| short(key) == *who),
            None => true,
        };
        let gone = self.ends.iter();
        let gone = gone.filter(|who| self.is_new || could_read(who));
        marked(header.rotate.clone(), gone.cloned(), &self.now)
    }
}

/// Adds marks for those who have none yet.
pub fn marked(mut marks: Vec<Mark>, gone: impl Iterator<Item = String>, now: &str) -> Vec<Mark> {
    for who in gone {
        if !marks.iter().any(|mark| mark.who == who) {
            let since = now.to_owned();
            marks.push(Mark { who, since });
        }
    }
    marks
}

/// The present time, as marks have it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The error that a list does not name a recipient who is to be removed. A word that is no key is not
/// shown: it may be a secret.
fn not_listed(list: &[u8], remove: &[Who]) -> StoreError {
    let mut strange = remove.iter();
    let strange = strange.find(|who| !who.is_in(list) && !who.was_in(list));
    let strange = match strange {
        Some(Who::Key(key)) => format!("recipient {key}"),
        _ => "recipient of that name".to_owned(),
    };
    StoreError::absent(format_args!("there is no {strange}"))
        .hint("nothing is changed; doorkey store recipient list shows them")
        .of_recipient()
}

/// The error that no recipient would be left.
fn last_one(list: &Path) -> StoreError {
    let list = list.display();
    let what = format_args!("nothing is changed: nobody in {list} could read the secrets then");
    StoreError::setting(what).hint("add another recipient first")
}

/// The error that no list names a member. A word that is no key is not shown: it may be a secret.
fn nowhere(which: usize, who: &Who) -> StoreError {
    let trouble = match who {
        Who::Key(key) => {
            StoreError::absent(format_args!("no list names {key}; nothing is changed"))
        }
        Who::Name(_) => bad_member(which),
    };
    trouble.of_recipient()
}

/// The error that secrets must be opened for a change, and can't be.
fn closed_secrets(names: &[String]) -> StoreError {
    let names = names.join(", ");
    let what = format_args!("nothing is changed: {names} can't be opened");
    StoreError::of(FaultKind::Unusable, what).hint("doorkey store check says why")
}
