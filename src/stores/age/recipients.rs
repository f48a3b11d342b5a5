//! The recipients of an embedded store: changes to them, and checks of them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::x25519::Recipient;

use super::{
    Age, LARGEST_LIST, RECIPIENTS, bad_recipient, file, git, meaningful_lines, own_list, place_of,
};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::model::store_error::FaultKind;
use crate::stores::folder::{scope_folder, unwritten};
use crate::stores::{Changed, Checked, Naming, Recipients, Store};
use crate::sys::rooted_dir::FolderLock;

impl Recipients for Age {
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<String>, StoreError> {
        Ok(self
            .recipients_of(scope)?
            .iter()
            .map(Recipient::to_string)
            .collect())
    }

    fn change(
        &self,
        scope: Option<&Scope>,
        add: &[String],
        remove: &[String],
    ) -> Result<Changed, StoreError> {
        let add = &canonical(add, 0)?;
        let remove = &canonical(remove, add.len())?;
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
            .all(|gone| is_listed(&before, gone) || was_removed(&before, gone))
        {
            return Err(not_listed(&before, remove));
        }
        let after = edited(&before, add, remove);
        let path = scope.map_or_else(|| PathBuf::from(RECIPIENTS), own_list);
        if !remove.is_empty() && meaningful_lines(&after).next().is_none() {
            return Err(last_one(&path));
        }
        let recipients = super::parse_recipients(&after, &path)?;
        changed.recipients = recipients.iter().map(Recipient::to_string).collect();
        changed.list = before != after;
        let is_other = changed.list;
        self.encrypt_anew(&affected, &recipients, &mut changed, |held| {
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
            self.encrypt_anew(&new, &recipients, &mut changed, |_| Ok(()))?;
        }
        Ok(changed)
    }

    fn naming(&self, recipients: &[String], removed: bool) -> Result<Vec<Naming>, StoreError> {
        let recipients = canonical(recipients, 0)?;
        let scopes = self.scopes()?.into_iter().map(Some);
        let mut lists = Vec::new();
        for scope in [None].into_iter().chain(scopes) {
            let path = scope
                .as_ref()
                .map_or_else(|| PathBuf::from(RECIPIENTS), own_list);
            let list = self.tree.read_file(&path, LARGEST_LIST);
            let mut named = recipients.to_vec();
            named.retain(|one| match &list {
                Ok(None) => false,
                Ok(Some(text)) => is_listed(text, one) || removed && was_removed(text, one),
                Err(_) => true,
            });
            if !named.is_empty() {
                lists.push((scope, named));
            }
        }
        let is_nowhere = |one: &&String| !lists.iter().any(|(_, named)| named.contains(one));
        match recipients.iter().find(is_nowhere) {
            Some(one) if removed => Err(nowhere(one)),
            _ => Ok(lists),
        }
    }

    fn check(&self, fix: bool) -> Result<Checked, StoreError> {
        self.keys()?;
        let mut checked = Checked::default();
        self.check_foreign(&mut checked)?;
        if git::takes_for_text(&self.place) {
            checked.attributes = Some((self.place.join(git::ATTRIBUTES), git::BINARY));
        }
        let common = self.list(None);
        if let Err(trouble) = &common {
            let finding = (self.label.clone(), trouble.to_string());
            checked.findings.push(finding);
        }
        for scope in self.scopes()? {
            checked.scopes += 1;
            if common.is_err() && !self.has_own_list(&scope) {
                continue;
            }
            // Nobody else writes there from before the list is read until the files are written.
            let folder = scope_folder(&scope);
            let held = fix.then(|| self.tree.own(&folder)).transpose()?;
            let recipients = match self.recipients_of(Some(&scope)) {
                Ok(recipients) => recipients,
                Err(trouble) => {
                    checked
                        .findings
                        .push((scope.to_string(), trouble.to_string()));
                    continue;
                }
            };
            let listed = sorted(recipients.iter().map(Recipient::to_string).collect());
            let mut files = Vec::new();
            for name in self.tree.names(&scope)? {
                checked.secrets += 1;
                let place = place_of(&scope, &name);
                match self.check_secret(&scope, &name, &listed, fix) {
                    Err(what) => checked.findings.push((place, what)),
                    Ok((_, true)) => {}
                    Ok((value, false)) if fix => {
                        let file = file::encrypt(&value, &recipients, Some(&place))?;
                        files.push((self.tree.file(&name), file));
                        checked.bound.push((scope.clone(), name));
                    }
                    Ok((_, false)) => checked.unbound.push((scope.clone(), name)),
                }
            }
            if let Some(held) = held.filter(|_| !files.is_empty()) {
                held.replace(&files).map_err(unwritten)?;
            }
        }
        Ok(checked)
    }
}

impl Age {
    /// Encrypts the secrets of some scopes for other recipients, once `then` has written the new
    /// list. Everything is opened before anything is changed. Nobody else writes there meanwhile:
    /// each writer reads its list while it holds its scope.
    fn encrypt_anew(
        &self,
        scopes: &[Scope],
        recipients: &[Recipient],
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
                changed.covered.push((scope.clone(), name.clone()));
                let location = self.tree.locate(scope, &name);
                let value = match self.tree.read(&location) {
                    Ok(None) => continue,
                    Ok(Some(file)) => self.decrypt(&file, &location, self.refuses_unbound),
                    Err(trouble) => Err(trouble),
                };
                match value {
                    Ok((value, is_bound)) => values.push((name, value, is_bound)),
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
            for (name, value, is_bound) in values {
                // A file without a name stays so: only a person who looks at it can tell that it is
                // the right one.
                let bound = is_bound.then(|| place_of(scope, &name));
                let file = file::encrypt(&value, recipients, bound.as_deref())?;
                files.push((self.tree.file(&name), file));
                changed.rewritten.push((scope.clone(), name));
            }
            held.replace(&files).map_err(unwritten)?;
        }
        Ok(())
    }

    pub(super) fn has_own_list(&self, scope: &Scope) -> bool {
        !matches!(
            self.tree.read_file(&own_list(scope), LARGEST_LIST),
            Ok(None)
        )
    }

    /// Checks that a secret's file is for exactly the recipients in `listed`, which is sorted, as
    /// far as can be seen. Gives the value, and true if the file names its secret.
    fn check_secret(
        &self,
        scope: &Scope,
        name: &Name,
        listed: &[String],
        takes_unbound: bool,
    ) -> Result<(Secret, bool), String> {
        let said = |trouble: StoreError| trouble.to_string();
        let location = self.tree.locate(scope, name);
        let bytes = self.tree.read(&location).map_err(said)?;
        let bytes = bytes.unwrap_or_default();
        let inspected = file::inspect(&bytes).map_err(said)?;
        let refuses = self.refuses_unbound && !takes_unbound;
        let value = self.decrypt(&bytes, &location, refuses).map_err(said)?;
        let (keys, scope) = (inspected.openers, listed.len());
        match inspected.recipients {
            Some(noted) if noted != listed => Err(
                "its recipients are not those of its scope; run doorkey store recipient add again"
                    .to_owned(),
            ),
            // The note is only the writer's claim.
            Some(_) if keys != scope => Err(format!(
                "{keys} keys open it, though it names {scope} recipients; set it to another value"
            )),
            // A file of another age program only has the number of its recipients, not their names.
            None if keys != scope => Err(format!(
                "it has {keys} recipients, its scope {scope}; set it again"
            )),
            _ => Ok(value),
        }
    }

    /// Finds files that do not belong in a store. Hidden files at its top are a version control's.
    fn check_foreign(&self, checked: &mut Checked) -> Result<(), StoreError> {
        let scopes = self.scopes()?;
        let levels = ["team", "cluster", "project"];
        let mut foreign = |path: PathBuf| {
            checked.findings.push((
                path.display().to_string(),
                "it does not belong in a store".to_owned(),
            ));
        };
        for entry in self.tree.list(Path::new(""))? {
            let name = entry.to_string_lossy();
            let is_level =
                levels.contains(&&*name) && (name != "team" || scopes.contains(&Scope::Team));
            if !name.starts_with('.') && name != RECIPIENTS && !is_level {
                foreign(PathBuf::from(&entry));
            }
        }
        for level in ["cluster", "project"] {
            for entry in self.tree.list(Path::new(level))? {
                let path = Path::new(level).join(&entry);
                if !scopes.iter().any(|scope| scope_folder(scope) == path) {
                    foreign(path);
                }
            }
        }
        for scope in &scopes {
            for entry in self.tree.list(&scope_folder(scope))? {
                let stem = entry.as_encoded_bytes().strip_suffix(b".age");
                let is_secret = stem
                    .and_then(Name::new)
                    .is_some_and(|name| self.has(scope, &name) == Ok(true));
                if !is_secret && entry != RECIPIENTS {
                    foreign(scope_folder(scope).join(&entry));
                }
            }
        }
        Ok(())
    }
}

/// The error that a list does not name a recipient who is to be removed.
fn not_listed(list: &[u8], remove: &[String]) -> StoreError {
    let mut strange = remove.iter();
    let strange = strange.find(|one| !is_listed(list, one) && !was_removed(list, one));
    let strange = strange.map_or("", String::as_str);
    StoreError::absent(format_args!("there is no recipient {strange}"))
        .hint("nothing is changed; doorkey store recipient list shows them")
        .of_recipient()
}

/// The error that no recipient would be left.
fn last_one(list: &Path) -> StoreError {
    let list = list.display();
    let what = format_args!("nothing is changed: nobody in {list} could read the secrets then");
    StoreError::setting(what).hint("add another recipient first")
}

fn nowhere(key: &str) -> StoreError {
    StoreError::absent(format_args!("no list names {key}; nothing is changed")).of_recipient()
}

/// The error that secrets must be opened for a change, and can't be.
fn closed_secrets(names: &[String]) -> StoreError {
    let names = names.join(", ");
    let what = format_args!("nothing is changed: {names} can't be opened");
    StoreError::of(FaultKind::Unusable, what).hint("doorkey store check says why")
}

/// Writes recipients as lists have them. An argument that is no recipient is not shown: it may be a
/// key. `before` is the number of arguments in front of these.
fn canonical(texts: &[String], before: usize) -> Result<Vec<String>, StoreError> {
    let one = |(index, text): (usize, &String)| {
        let parsed = Recipient::from_str(text).map(|recipient| recipient.to_string());
        parsed.map_err(|_| bad_recipient(before + index + 1, text))
    };
    texts.iter().enumerate().map(one).collect()
}

/// True if a line is this recipient, which can be written in capitals as well.
fn is_one(line: &[u8], recipient: &str) -> bool {
    line.eq_ignore_ascii_case(recipient.as_bytes())
}

fn is_listed(text: &[u8], recipient: &str) -> bool {
    meaningful_lines(text).any(|(_, line)| is_one(line, recipient))
}

fn was_removed(text: &[u8], recipient: &str) -> bool {
    let comment = removed(recipient);
    String::from_utf8_lossy(text)
        .lines()
        .any(|line| line.trim() == comment)
}

/// The comment that takes the place of a recipient who is removed, with the end of its key.
fn removed(recipient: &str) -> String {
    let end = recipient.len().saturating_sub(16);
    format!("# removed: age1...{}", &recipient[end..])
}

/// A list's text with recipients added at its end, and comments in place of those removed.
fn edited(text: &[u8], add: &[String], remove: &[String]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let gone = |line: &str| {
        remove
            .iter()
            .find(|gone| is_one(line.trim().as_bytes(), gone))
    };
    let is_back = |line: &str| add.iter().any(|new| removed(new) == line.trim());
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_back(line))
        .map(|line| gone(line).map_or_else(|| line.to_owned(), |gone| removed(gone)))
        .collect();
    for new in add {
        if !lines.iter().any(|line| is_one(line.trim().as_bytes(), new)) {
            lines.push(new.clone());
        }
    }
    lines
        .iter()
        .flat_map(|line| [line.as_bytes(), b"\n"].concat())
        .collect()
}

fn sorted(mut recipients: Vec<String>) -> Vec<String> {
    recipients.sort();
    recipients
}
