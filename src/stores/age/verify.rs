//! Checks of an embedded store, and what they put right.

use std::collections::BTreeSet;
use std::path::Path;

use super::entry::{Entry, short};
use super::file::{Inspected, Mark};
use super::list::{self, Who};
use super::recipients::{marked, now};
use super::{Age, LARGEST_LIST, RECIPIENTS, file, git, place_of};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::folder::{scope_folder, unwritten};
use crate::stores::{Checked, Fix, Recipients, Rotation, Store};

/// A secret that opens, and names itself or nothing.
struct Opened {
    value: Secret,
    header: Inspected,
    /// The recipients whom the file names and its list does not. `None` where they are the same.
    others: Option<Vec<String>>,
}

impl Age {
    /// Checks everything, once a fix has settled the conflicts that git left.
    pub(super) fn verify(&self, fix: Option<&Fix>, only: &[Scope]) -> Result<Checked, StoreError> {
        self.keys()?;
        let mut checked = Checked::default();
        let mut scopes = self.scopes()?;
        if let Some(none) = only.iter().find(|scope| !scopes.contains(scope)) {
            return Err(StoreError::absent(format_args!("there is no {none}")));
        }
        let unsettled = match fix {
            Some(fix) => self.settle(fix, &mut checked)?,
            None => BTreeSet::new(),
        };
        if only.is_empty() {
            scopes = self.scopes()?;
            self.check_folders(&scopes, &mut checked)?;
        } else {
            scopes.retain(|scope| only.contains(scope));
        }
        self.check_foreign(&scopes, &mut checked)?;
        if git::takes_for_text(&self.place) {
            checked.attributes = Some((self.place.join(git::ATTRIBUTES), git::BINARY));
        }
        let common = self.list(None);
        if let Err(trouble) = &common {
            let finding = (self.label.clone(), trouble.to_string());
            checked.findings.push(finding);
        }
        for scope in scopes {
            checked.scopes += 1;
            if common.is_err() && !self.has_own_list(&scope) {
                continue;
            }
            self.verify_scope(&scope, fix.is_some(), &unsettled, &mut checked)?;
        }
        Ok(checked)
    }

    fn verify_scope(
        &self,
        scope: &Scope,
        fix: bool,
        unsettled: &BTreeSet<String>,
        checked: &mut Checked,
    ) -> Result<(), StoreError> {
        // Nobody else writes there from before the list is read until the files are written.
        let held = fix
            .then(|| self.tree.own(&scope_folder(scope)))
            .transpose()?;
        let recipients = match self.recipients_of(Some(scope)) {
            Ok(recipients) => recipients,
            Err(trouble) => {
                let finding = (scope.to_string(), trouble.to_string());
                checked.findings.push(finding);
                return Ok(());
            }
        };
        self.find_remaining(scope, checked);
        let mut files = Vec::new();
        for name in self.tree.names(scope)? {
            checked.secrets += 1;
            let place = place_of(scope, &name);
            if unsettled.contains(&place) {
                continue;
            }
            let opened = match self.check_secret(scope, &name, &recipients, fix) {
                Ok(opened) => opened,
                Err(what) => {
                    checked.findings.push((place, what));
                    continue;
                }
            };
            let mut marks = opened.header.rotate;
            let is_bound = opened.header.bound.is_some();
            if let Some(others) = &opened.others {
                let others = others.iter().map(|key| short(key));
                marks = marked(marks, others, &now());
            }
            self.find_rotation(scope, &name, &marks, checked);
            let secret = (scope.clone(), name.clone());
            if opened.others.is_none() && (is_bound || !fix) {
                checked.unbound.extend((!is_bound).then_some(secret));
                continue;
            }
            let file = file::encrypt(&opened.value, &recipients, Some(&place), &marks)?;
            files.push((self.tree.file(&name), file));
            match opened.others {
                Some(_) => checked.rewritten.push(secret),
                None => checked.bound.push(secret),
            }
        }
        match held.filter(|_| !files.is_empty()) {
            Some(held) => held.replace(&files).map_err(unwritten),
            None => Ok(()),
        }
    }

    /// Checks that a secret's file is for exactly the recipients listed, as far as can be seen. A
    /// fix can encrypt anew for them what names its secret.
    fn check_secret(
        &self,
        scope: &Scope,
        name: &Name,
        listed: &[Entry],
        fix: bool,
    ) -> Result<Opened, String> {
        let said = |trouble: StoreError| trouble.to_string();
        let location = self.tree.locate(scope, name);
        let bytes = self.tree.read(&location).map_err(said)?;
        let bytes = bytes.unwrap_or_default();
        let refuses = self.refuses_unbound && !fix;
        let opened = self.decrypt(&bytes, &location, refuses);
        let (value, mut header) = opened.map_err(said)?;
        let (keys, count) = (header.openers, listed.len());
        let noted = header.recipients.take();
        let mut others = None;
        match noted {
            Some(noted) if !is_same(&noted, listed) => {
                if !fix || header.bound.is_none() || keys != noted.len() {
                    return Err(self.differing(scope, &noted, listed));
                }
                let is_other = |key: &String| !listed.iter().any(|entry| entry.text == *key);
                others = Some(noted.into_iter().filter(is_other).collect());
            }
            // The note is only the writer's claim.
            Some(_) if keys != count => {
                return Err(format!(
                    "{keys} keys open it, though it names {count} recipients; set it to another value"
                ));
            }
            // A file of another age program only has the number of its recipients, not their names.
            None if keys != count => {
                return Err(format!(
                    "it has {keys} recipients, its scope {count}; set it again"
                ));
            }
            _ => {}
        }
        Ok(Opened {
            value,
            header,
            others,
        })
    }

    /// Tells who can't read a file, and who can that should not.
    fn differing(&self, scope: &Scope, noted: &[String], listed: &[Entry]) -> String {
        let lacking = listed.iter().filter(|entry| !noted.contains(&entry.text));
        let lacking = lacking.map(|entry| entry.member().shown().to_owned());
        let other = noted
            .iter()
            .filter(|key| !listed.iter().any(|entry| entry.text == **key));
        let other = other.map(|key| match Entry::new(key) {
            Some(_) => self.owner(scope, &short(key)),
            // Anybody can write there.
            None => "somebody".to_owned(),
        });
        let lines = [
            ("can't read it yet", lacking.collect::<Vec<_>>()),
            ("can still read it", other.collect()),
        ];
        let lines = lines.iter().filter(|(_, who)| !who.is_empty());
        let mut lines: Vec<_> = lines
            .map(|(what, who)| format!("{} {what}", who.join(", ")))
            .collect();
        if lines.is_empty() {
            lines.push("it names somebody twice".to_owned());
        }
        format!(
            "its recipients are not those of its scope: {}; run doorkey store check --fix",
            lines.join("; ")
        )
    }

    /// Notes a secret that is to be replaced.
    fn find_rotation(&self, scope: &Scope, name: &Name, marks: &[Mark], checked: &mut Checked) {
        let Some(since) = marks.iter().map(|mark| &mark.since).min() else {
            return;
        };
        let mut who: Vec<_> = marks
            .iter()
            .map(|mark| self.owner(scope, &mark.who))
            .collect();
        who.sort();
        who.dedup();
        checked.rotate.push(Rotation {
            secret: (scope.clone(), name.clone()),
            since: since.clone(),
            who,
        });
    }

    /// Notes the members of a scope's own list whom the store's list says to be removed.
    fn find_remaining(&self, scope: &Scope, checked: &mut Checked) {
        let text = |path: &Path| self.tree.read_file(path, LARGEST_LIST).ok().flatten();
        let own = text(&list::path(Some(scope)));
        let (Some(own), Some(common)) = (own, text(Path::new(RECIPIENTS))) else {
            return;
        };
        let remaining = list::known(&own).into_iter().filter(|(key, _)| {
            let who = Who::Key(key.clone());
            who.was_in(&common) && !who.is_in(&common)
        });
        let remaining: Vec<_> = remaining.map(|(key, name)| name.unwrap_or(key)).collect();
        if !remaining.is_empty() {
            checked.remaining.push((Some(scope.clone()), remaining));
        }
    }

    /// Finds what does not belong beside the scopes' folders. Hidden files at the store's top are a
    /// version control's.
    fn check_folders(&self, scopes: &[Scope], checked: &mut Checked) -> Result<(), StoreError> {
        let levels = ["team", "cluster", "project"];
        for entry in self.tree.list(Path::new(""))? {
            let name = entry.to_string_lossy();
            let is_level =
                levels.contains(&&*name) && (name != "team" || scopes.contains(&Scope::Team));
            if !name.starts_with('.') && name != RECIPIENTS && !is_level {
                foreign(checked, Path::new(&entry));
            }
        }
        for level in ["cluster", "project"] {
            for entry in self.tree.list(Path::new(level))? {
                let path = Path::new(level).join(&entry);
                if !scopes.iter().any(|scope| scope_folder(scope) == path) {
                    foreign(checked, &path);
                }
            }
        }
        Ok(())
    }

    /// Finds files that do not belong in these scopes.
    fn check_foreign(&self, scopes: &[Scope], checked: &mut Checked) -> Result<(), StoreError> {
        for scope in scopes {
            for entry in self.tree.list(&scope_folder(scope))? {
                let stem = entry.as_encoded_bytes().strip_suffix(b".age");
                let is_secret = stem
                    .and_then(Name::new)
                    .is_some_and(|name| self.has(scope, &name) == Ok(true));
                if !is_secret && entry != RECIPIENTS {
                    foreign(checked, &scope_folder(scope).join(&entry));
                }
            }
        }
        Ok(())
    }
}

fn foreign(checked: &mut Checked, path: &Path) {
    let what = "it does not belong in a store".to_owned();
    checked.findings.push((path.display().to_string(), what));
}

/// True if a file names exactly the members of a list.
fn is_same(noted: &[String], listed: &[Entry]) -> bool {
    let mut listed: Vec<_> = listed.iter().map(|entry| &entry.text).collect();
    listed.sort();
    noted.iter().eq(listed)
}
