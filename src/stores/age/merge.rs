//! The settling of conflicts that git has left between two branches of a store.
//!
//! - A list gets what both branches have added, less what either has removed. A scope without a list
//!   of its own has the store's, so that whoever leaves on one branch is in no list that the other
//!   branch has begun.
//! - A secret gets the value that both branches have, or that one of them has set. Where both have
//!   set it, a person has to choose.
//!
//! A file that somebody has put right by hand stays. Files are written, and git's index is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::entry::short;
use super::file::{self, Inspected, Mark};
use super::index::{BASE, Git, OURS, THEIRS, Versions};
use super::list::{self, Who};
use super::recipients::{marked, now};
use super::{Age, LARGEST_LIST, RECIPIENTS, SUFFIX, git, place_of};
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::folder::{scope_folder, unwritten};
use crate::stores::{Checked, Fix};

/// The names of the two branches, in messages and options.
const SIDES: [(usize, &str); 2] = [(OURS, "ours"), (THEIRS, "theirs")];

/// A conflict about a secret.
struct Conflict {
    scope: Scope,
    name: Name,
    path: PathBuf,
    versions: Versions<Vec<u8>>,
}

/// A version of a secret that opens.
type Version = (Secret, Inspected);

/// The end of a conflict.
enum Settled {
    /// A value.
    Value(Box<Version>),
    /// No secret any more.
    Removed,
    /// None: the reason.
    Not(String),
}

impl Age {
    /// Settles the conflicts that git has left in the store. Gives the places of secrets that are
    /// not settled.
    pub(super) fn settle(
        &self,
        fix: &Fix,
        checked: &mut Checked,
    ) -> Result<BTreeSet<String>, StoreError> {
        let git = Git::new(&self.place, self.context.deadline);
        let found = match git::has_repository(&self.place) {
            true => git.conflicts().unwrap_or_else(|trouble| {
                log::warning!(Advice; "conflicts that git left are not looked for: {trouble}");
                BTreeMap::new()
            }),
            false => BTreeMap::new(),
        };
        let (mut secrets, mut lists) = (Vec::new(), BTreeMap::new());
        for (path, versions) in versions(&git, found)? {
            if path.file_name().is_some_and(|name| name == RECIPIENTS) {
                lists.insert(path, versions);
            } else if let Some((scope, name)) = secret(&path) {
                secrets.push(Conflict {
                    scope,
                    name,
                    path,
                    versions,
                });
            } else {
                let what = "git left a conflict in it, which is for you to settle";
                checked
                    .findings
                    .push((path.display().to_string(), what.to_owned()));
            }
        }
        let is_known = |said: &String| secrets.iter().any(|one| one.is_called(said));
        if !fix.ours.iter().chain(&fix.theirs).all(is_known) {
            let what =
                "--ours and --theirs name secrets that git left in conflict: NAME, or SCOPE/NAME";
            return Err(StoreError::absent(format_args!(
                "{what}; nothing is changed"
            )));
        }
        let mut unsettled = BTreeSet::new();
        // Lists may say more than git's conflicts, as long as git is merging.
        let commits = match git::has_repository(&self.place) {
            true => git.commits().unwrap_or_default(),
            false => None,
        };
        self.settle_lists(&git, lists, commits.as_ref(), checked)?;
        for conflict in secrets {
            let place = place_of(&conflict.scope, &conflict.name);
            let what = match self.settle_secret(&conflict, fix) {
                Ok(None) => {
                    checked.merged.push(place);
                    continue;
                }
                Ok(Some(what)) => conflict.with_times(what, &git, commits.as_ref()),
                Err(trouble) => trouble.to_string(),
            };
            checked.findings.push((place.clone(), what));
            unsettled.insert(place);
        }
        Ok(unsettled)
    }

    /// Settles the lists: those in conflict, and those that name somebody who has left on one branch.
    fn settle_lists(
        &self,
        git: &Git,
        mut lists: BTreeMap<PathBuf, Versions<Vec<u8>>>,
        commits: Option<&[String; 3]>,
        checked: &mut Checked,
    ) -> Result<(), StoreError> {
        let in_conflict: BTreeSet<_> = lists.keys().cloned().collect();
        if let Some(commits) = commits {
            let mut others = BTreeMap::<PathBuf, Versions<String>>::new();
            for (at, commit) in commits.iter().enumerate() {
                for (path, object) in git.files(commit)? {
                    let is_list = path.file_name().is_some_and(|name| name == RECIPIENTS);
                    if is_list && !in_conflict.contains(&path) {
                        others.entry(path).or_default()[at] = Some(object);
                    }
                }
            }
            lists.extend(versions(git, others)?);
        }
        let root = self.tree.own(Path::new(""))?;
        let common = lists.get(Path::new(RECIPIENTS)).cloned();
        for (path, versions) in &lists {
            let folder = path.parent().unwrap_or(Path::new(""));
            let is_scope = Scope::parse(&folder.to_string_lossy()).is_some();
            if !is_scope && !folder.as_os_str().is_empty() {
                continue;
            }
            // A branch on which a scope has no list of its own has the store's.
            let text = |at: usize| {
                let common = common.as_ref().and_then(|common| common[at].as_deref());
                versions[at].as_deref().or(common).unwrap_or_default()
            };
            let here = self.tree.read_file(path, LARGEST_LIST)?;
            let gone = |key: &str| is_gone(key, text(BASE), text(OURS), text(THEIRS));
            let after = if !in_conflict.contains(path) {
                let Some(here) = &here else { continue };
                let keys = list::known(here).into_iter().map(|(key, _)| key);
                let left: Vec<_> = keys.filter(|key| gone(key)).collect();
                if left.is_empty() {
                    continue;
                }
                list::edited(here, &[], &left)
            } else if is_untouched(here.as_deref(), versions) {
                let ours = versions[OURS].as_deref();
                let start = ours.or(versions[THEIRS].as_deref()).unwrap_or_default();
                let known = list::known(start);
                let mut more = list::known(text(THEIRS));
                more.retain(|(key, _)| !gone(key));
                for (key, name) in &mut more {
                    // Our name for somebody stays.
                    let ours = known.iter().find(|(one, _)| one == key);
                    if ours.is_some_and(|(_, ours)| ours.is_some()) {
                        *name = None;
                    }
                }
                let keys = known.into_iter().map(|(key, _)| key);
                let left: Vec<_> = keys.filter(|key| gone(key)).collect();
                list::edited(start, &more, &left)
            } else {
                continue;
            };
            if here.as_ref() == Some(&after) {
                continue;
            }
            let place = path.display().to_string();
            if list::parse(&after, path).is_err() {
                let what = "git left a conflict, and both branches together leave no recipient; write who is to read it";
                checked.findings.push((place, what.to_owned()));
                continue;
            }
            let held = is_scope.then(|| self.tree.own(folder)).transpose()?;
            let held = held.as_ref().unwrap_or(&root);
            held.replace(&[(RECIPIENTS.to_owned(), after)])
                .map_err(unwritten)?;
            checked.merged.push(place);
        }
        Ok(())
    }

    /// Settles a secret. Gives the reason if it can't be.
    fn settle_secret(&self, conflict: &Conflict, fix: &Fix) -> Result<Option<String>, StoreError> {
        let location = self.tree.locate(&conflict.scope, &conflict.name);
        let held = self.tree.own(&scope_folder(&conflict.scope))?;
        let here = self.tree.read(&location)?;
        if !is_untouched(here.as_deref(), &conflict.versions) {
            return Ok(None);
        }
        let recipients = self.recipients_of(Some(&conflict.scope))?;
        let open = |version: &Option<Vec<u8>>| {
            let version = version.as_ref();
            version.map(|file| self.decrypt(file, &location, self.refuses_unbound))
        };
        let opened = conflict.versions.each_ref().map(open);
        let file = self.tree.file(&conflict.name);
        match conflict.choose(opened, fix) {
            Settled::Not(what) => return Ok(Some(what)),
            Settled::Removed if here.is_none() => {}
            Settled::Removed => held.remove(&file).map_err(unwritten)?,
            Settled::Value(version) => {
                let (value, header) = *version;
                let noted = header.recipients.unwrap_or_default().into_iter();
                let is_listed = |key: &String| recipients.iter().any(|one| one.text == *key);
                let others = noted.filter(|key| !is_listed(key));
                let others = others.map(|key| short(&key));
                let marks = marked(conflict.marks(), others, &now());
                let bound = header.bound.as_deref();
                let contents = file::encrypt(&value, &recipients, bound, &marks)?;
                held.replace(&[(file, contents)]).map_err(unwritten)?;
            }
        }
        Ok(None)
    }
}

impl Conflict {
    /// True if an option means this secret.
    fn is_called(&self, said: &str) -> bool {
        said == self.name.as_str() || said == place_of(&self.scope, &self.name)
    }

    /// Chooses among the versions.
    fn choose(&self, opened: Versions<Result<Version, StoreError>>, fix: &Fix) -> Settled {
        let chosen = SIDES.iter().zip([&fix.ours, &fix.theirs]);
        let mut chosen = chosen.filter(|(_, said)| said.iter().any(|said| self.is_called(said)));
        let chosen = chosen.next().map(|(&(at, _), _)| at);
        let [base, ours, theirs] = opened;
        let mut versions = [None, ours, theirs];
        if let Some(at) = chosen {
            return taken(at, versions[at].take());
        }
        // A base that does not open says nothing of who has changed the value.
        let base = base.and_then(Result::ok);
        let is_base = |value: &Secret| {
            let base = base.as_ref();
            base.is_some_and(|(base, _)| base.expose() == value.expose())
        };
        let [_, ours, theirs] = &versions;
        let at = match (ours, theirs) {
            (Some(Ok((ours, _))), Some(Ok((theirs, _)))) => {
                let is_same = ours.expose() == theirs.expose();
                match (is_same || is_base(theirs), is_base(ours)) {
                    (true, _) => Some(OURS),
                    (false, true) => Some(THEIRS),
                    (false, false) => None,
                }
            }
            (Some(Ok((value, _))), None) => is_base(value).then_some(THEIRS),
            (None, Some(Ok((value, _)))) => is_base(value).then_some(OURS),
            (Some(Err(_)), _) => Some(OURS),
            (_, Some(Err(_))) => Some(THEIRS),
            (None, None) => Some(OURS),
        };
        match at {
            Some(at) => taken(at, versions[at].take()),
            None => Settled::Not(String::new()),
        }
    }

    /// The marks of both sides, less those that either has taken off.
    fn marks(&self) -> Vec<Mark> {
        let of = |at: usize| -> Vec<Mark> {
            let file = self.versions[at].as_deref();
            let header = file.and_then(|file| file::inspect(file).ok());
            header.map(|header| header.rotate).unwrap_or_default()
        };
        let [base, ours, theirs] = [BASE, OURS, THEIRS].map(of);
        let has = |marks: &[Mark], who: &str| marks.iter().any(|mark| mark.who == who);
        let mut all = [ours.clone(), theirs.clone()].concat();
        all.sort();
        all.dedup_by(|one, other| one.who == other.who);
        all.retain(|Mark { who, .. }| !has(&base, who) || (has(&ours, who) && has(&theirs, who)));
        all
    }

    /// Adds to a reason when each side has changed the secret, and what to do.
    fn with_times(&self, what: String, git: &Git, commits: Option<&[String; 3]>) -> String {
        if !what.is_empty() {
            return what;
        }
        let mut said = Vec::new();
        for (at, side) in SIDES {
            let time = commits.and_then(|all| git.time(&all[at], &self.path).ok()?);
            let done = match &self.versions[at] {
                Some(_) => "has set it",
                None => "has removed it",
            };
            let time = time.map_or(String::new(), |time| format!(" at {time}"));
            said.push(format!("{side} {done}{time}"));
        }
        let place = place_of(&self.scope, &self.name);
        format!(
            "both branches have changed it: {}; give --ours {place}, or --theirs {place}",
            said.join(", ")
        )
    }
}

/// Takes one side's version, be it a value or none.
fn taken(at: usize, version: Option<Result<Version, StoreError>>) -> Settled {
    let side = SIDES.iter().find(|(one, _)| *one == at);
    let side = side.map_or("", |(_, side)| side);
    match version {
        None => Settled::Removed,
        Some(Ok(version)) => Settled::Value(Box::new(version)),
        Some(Err(trouble)) => Settled::Not(format!("the version of {side}: {trouble}")),
    }
}

/// Reads the versions of files, all at once.
fn versions(
    git: &Git,
    files: BTreeMap<PathBuf, Versions<String>>,
) -> Result<BTreeMap<PathBuf, Versions<Vec<u8>>>, StoreError> {
    let wanted = files.values().flatten().flatten().map(String::as_str);
    let mut read = git.read(&wanted.collect::<Vec<_>>())?.into_iter();
    let mut one = |object: &Option<String>| object.as_ref().and_then(|_| read.next());
    let all = files
        .iter()
        .map(|(path, objects)| (path.clone(), objects.each_ref().map(&mut one)));
    Ok(all.collect())
}

/// The secret that a path in the store is of.
fn secret(path: &Path) -> Option<(Scope, Name)> {
    let scope = Scope::parse(path.parent()?.to_str()?)?;
    let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    Some((scope, Name::new(name.as_bytes())?))
}

/// True if a file is as git left it: with markers, or as it is on one side, whatever the line ends.
fn is_untouched(here: Option<&[u8]>, versions: &Versions<Vec<u8>>) -> bool {
    let Some(here) = here else { return true };
    let plain = |text: &[u8]| -> Vec<u8> {
        let bytes = text.iter().filter(|&&byte| byte != b'\r');
        bytes.copied().collect()
    };
    let sides = versions[OURS..].iter().flatten();
    git::is_conflict(here) || sides.into_iter().any(|side| plain(side) == plain(here))
}

/// True if one of two branches has removed a key.
fn is_gone(key: &str, base: &[u8], ours: &[u8], theirs: &[u8]) -> bool {
    let who = Who::Key(key.to_owned());
    let has = |list: &[u8]| who.is_in(list);
    let removes =
        |list: &[u8]| !has(list) && (has(base) || (who.was_in(list) && !who.was_in(base)));
    removes(ours) || removes(theirs)
}
