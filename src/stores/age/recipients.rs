//! Who can read an embedded store: changing that, and looking whether it is so.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::x25519::Recipient;

use super::{Age, LARGEST_LIST, RECIPIENTS, file, meaningful_lines, own_list};
use crate::stores::folder::{scope_folder, unwritten};
use crate::stores::{Changed, Checked, Recipients, Store};
use crate::words::error::Trouble;
use crate::words::name::{Name, Scope};
use crate::words::secret::Secret;
use crate::world::folder::Held;

impl Recipients for Age {
    fn list(&self, scope: Option<&Scope>) -> Result<Vec<String>, Trouble> {
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
    ) -> Result<Changed, Trouble> {
        for (index, text) in add.iter().chain(remove).enumerate() {
            Recipient::from_str(text).map_err(|_| Trouble::BadRecipient(index + 1))?;
        }
        self.keys()?;
        let mut changed = Changed::default();
        // From here on nobody else changes a list.
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
        // Who was removed before may be so again: that finishes an interrupted removal.
        if !remove
            .iter()
            .all(|gone| is_listed(&before, gone) || was_removed(&before, gone))
        {
            return Err(Trouble::NotListed);
        }
        let after = edited(&before, add, remove);
        let path = scope.map_or_else(|| PathBuf::from(RECIPIENTS), own_list);
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
            // Whoever made a scope meanwhile has read the list either before it was written, and
            // is waited for here, or after.
            let mut new = self.scopes()?;
            new.retain(|scope| !affected.contains(scope) && !changed.left.contains(scope));
            self.encrypt_anew(&new, &recipients, &mut changed, |_| Ok(()))?;
        }
        Ok(changed)
    }

    fn check(&self) -> Result<Checked, Trouble> {
        self.keys()?;
        let mut checked = Checked::default();
        self.check_foreign(&mut checked)?;
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
            let listed = match self.list(Some(&scope)) {
                Ok(listed) => sorted(listed),
                Err(trouble) => {
                    checked
                        .findings
                        .push((scope.to_string(), trouble.to_string()));
                    continue;
                }
            };
            for name in self.tree.names(&scope)? {
                checked.secrets += 1;
                if let Err(what) = self.check_secret(&scope, &name, &listed) {
                    checked.findings.push((format!("{scope}/{name}"), what));
                }
            }
        }
        Ok(checked)
    }
}

impl Age {
    /// Encrypts what is in some scopes for others, once `then` has written the list that says so.
    /// Everything is opened before anything is changed. Nobody else writes there meanwhile: each
    /// of them reads its list while it holds its scope.
    fn encrypt_anew(
        &self,
        scopes: &[Scope],
        recipients: &[Recipient],
        changed: &mut Changed,
        then: impl FnOnce(&[Held]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let held: Vec<_> = scopes
            .iter()
            .map(|scope| self.tree.own(&scope_folder(scope)))
            .collect::<Result<_, _>>()?;
        let mut closed = Vec::new();
        let mut opened: Vec<Vec<(Name, Secret)>> = Vec::new();
        for scope in scopes {
            let mut values = Vec::new();
            for name in self.tree.names(scope)? {
                changed.covered.push((scope.clone(), name.clone()));
                match self.open_other(scope, &name, &changed.recipients) {
                    Ok(value) => values.extend(value.map(|value| (name, value))),
                    Err(_) => closed.push(format!("{scope}/{name}")),
                }
            }
            opened.push(values);
        }
        if !closed.is_empty() {
            return Err(Trouble::Closed(closed));
        }
        then(&held)?;
        for ((scope, held), values) in scopes.iter().zip(&held).zip(opened) {
            let mut files = Vec::with_capacity(values.len());
            for (name, value) in values {
                files.push((self.tree.file(&name), file::encrypt(&value, recipients)?));
                changed.rewritten.push((scope.clone(), name));
            }
            held.replace(&files).map_err(unwritten)?;
        }
        Ok(())
    }

    fn has_own_list(&self, scope: &Scope) -> bool {
        !matches!(
            self.tree.read_file(&own_list(scope), LARGEST_LIST),
            Ok(None)
        )
    }

    /// The value of a secret that is not for exactly these recipients yet.
    fn open_other(
        &self,
        scope: &Scope,
        name: &Name,
        recipients: &[String],
    ) -> Result<Option<Secret>, Trouble> {
        let Some(bytes) = self.read(scope, name)? else {
            return Ok(None);
        };
        let noted = file::inspect(&bytes)?.recipients;
        if noted == Some(sorted(recipients.to_vec())) {
            return Ok(None);
        }
        file::decrypt(&bytes, self.keys()?).map(Some)
    }

    fn check_secret(&self, scope: &Scope, name: &Name, listed: &[String]) -> Result<(), String> {
        let bytes = self
            .read(scope, name)
            .map_err(|trouble| trouble.to_string())?;
        let bytes = bytes.unwrap_or_default();
        let inspected = file::inspect(&bytes).map_err(|trouble| trouble.to_string())?;
        let keys = self.keys().map_err(|trouble| trouble.to_string())?;
        file::decrypt(&bytes, keys).map_err(|trouble| trouble.to_string())?;
        match inspected.recipients {
            Some(noted) if noted != listed => Err(
                "its recipients are not those of its scope; run doorkey store recipient add again"
                    .to_owned(),
            ),
            // A file of another age program does not say who its recipients are, only how many.
            None if inspected.openers != listed.len() => Err(format!(
                "it has {} recipients, its scope {}; set it again",
                inspected.openers,
                listed.len()
            )),
            _ => Ok(()),
        }
    }

    /// Finds what does not belong in a store. Hidden files at its top are a version control's.
    fn check_foreign(&self, checked: &mut Checked) -> Result<(), Trouble> {
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

fn is_listed(text: &[u8], recipient: &str) -> bool {
    meaningful_lines(text).any(|(_, line)| line == recipient.as_bytes())
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
    let is_gone = |line: &str| remove.iter().any(|gone| gone == line.trim());
    let is_back = |line: &str| add.iter().any(|new| removed(new) == line.trim());
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_back(line))
        .map(|line| {
            if is_gone(line) {
                removed(line.trim())
            } else {
                line.to_owned()
            }
        })
        .collect();
    for new in add {
        if !lines.iter().any(|line| line.trim() == new) {
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
