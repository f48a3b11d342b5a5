//! The conflicts that git has left in a store, read by the git program.
//!
//! The repository may be anybody's. What its configuration could have git run is turned off, the
//! index is only read, and nothing is fetched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::program;
use crate::sys::program::Program;

/// The time for one answer of git.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of files that are read at once. An answer has at most 8 MiB, and a secret's file 1 MiB.
const AT_ONCE: usize = 7;

/// Arguments that keep git from running anything else.
const CAREFULLY: [&str; 8] = [
    "--no-replace-objects",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "protocol.allow=never",
];

/// Variables by which git, in a hook or an alias, tells what it starts where its repository is. They
/// count from git's own folder, and not from the store.
const OF_ANOTHER: [&str; 5] = [
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// Heads of the other side: those of a merge, a cherry-pick and a rebase.
const OTHERS: [&str; 3] = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"];

/// One of the three versions of a file: of the common ancestor, of our side, of the other side.
pub type Versions<T> = [Option<T>; 3];

/// The places of the versions.
pub const BASE: usize = 0;
pub const OURS: usize = 1;
pub const THEIRS: usize = 2;

/// The repository around a store.
pub struct Git<'s> {
    place: &'s Path,
    deadline: Option<Instant>,
}

impl<'s> Git<'s> {
    /// The repository around the store at `place`.
    pub fn new(place: &'s Path, deadline: Option<Instant>) -> Self {
        Git { place, deadline }
    }

    /// Asks git; `None` if it ends with another exit code than 0.
    fn ask(&self, words: &[&str], input: &[u8]) -> Result<Option<Secret>, StoreError> {
        let mut arguments: Vec<OsString> = vec!["-C".into(), self.place.into()];
        arguments.extend(CAREFULLY.iter().chain(words).map(OsString::from));
        let environment = ["GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT"];
        let mut environment = environment.map(|name| (name.into(), "0".into())).to_vec();
        environment.push(("GIT_NO_LAZY_FETCH".into(), "1".into()));
        let answer = program::run(&Program {
            file: Path::new("git"),
            arguments: &arguments,
            environment: &environment,
            without: &OF_ANOTHER,
            input,
            deadline: self.deadline.unwrap_or_else(|| Instant::now() + PATIENCE),
        })?;
        answer.log(std::iter::empty());
        Ok((answer.code == 0).then_some(answer.output))
    }

    /// Asks git for a line; `None` if there is none.
    fn line(&self, words: &[&str]) -> Result<Option<String>, StoreError> {
        let answer = self.ask(words, b"")?;
        let line = answer.and_then(|answer| {
            let text = str::from_utf8(answer.expose()).ok()?;
            Some(text.lines().last()?.to_owned())
        });
        Ok(line)
    }

    /// Lists the files in conflict, by their paths in the store, with the objects of their versions.
    ///
    /// # Errors
    /// An error that git can't be started, or can't read the index.
    pub fn conflicts(&self) -> Result<BTreeMap<PathBuf, Versions<String>>, StoreError> {
        let listed = self.ask(&["ls-files", "-u", "-z"], b"")?;
        let listed = listed.ok_or_else(|| {
            StoreError::unusable("git", "it can't read the index of the store's repository")
                .hint("--log-level debug shows what it has said")
        })?;
        let mut found = BTreeMap::<_, Versions<String>>::new();
        for (words, path) in entries(&listed) {
            // Mode, object, stage.
            if let [_, object, stage] = words.as_slice()
                && let Some(at) = ["1", "2", "3"].iter().position(|one| one == stage)
            {
                found.entry(path).or_default()[at] = Some((*object).to_owned());
            }
        }
        Ok(found)
    }

    /// Finds the commits of the three versions; `None` where git is not merging commits.
    ///
    /// # Errors
    /// An error that git can't be started.
    pub fn commits(&self) -> Result<Option<[String; 3]>, StoreError> {
        for other in OTHERS {
            let verify = |commit: &str| self.line(&["rev-parse", "-q", "--verify", commit]);
            let Some(theirs) = verify(&format!("{other}^{{commit}}"))? else {
                continue;
            };
            let base = match other {
                "MERGE_HEAD" => self.line(&["merge-base", "HEAD", &theirs])?,
                _ => verify(&format!("{theirs}^"))?,
            };
            return Ok(base.map(|base| [base, "HEAD".to_owned(), theirs]));
        }
        Ok(None)
    }

    /// Lists the files that a commit has in the store, with their objects.
    ///
    /// # Errors
    /// An error that git can't be started.
    pub fn files(&self, commit: &str) -> Result<BTreeMap<PathBuf, String>, StoreError> {
        let listed = self.ask(&["ls-tree", "-r", "-z", commit], b"")?;
        let listed = listed.unwrap_or_else(|| Secret::new(vec![]));
        let all = entries(&listed).filter_map(|(words, path)| match words.as_slice() {
            // Mode, type, object.
            [_, "blob", object] => Some((path, (*object).to_owned())),
            _ => None,
        });
        Ok(all.collect())
    }

    /// Reads objects, in their order.
    ///
    /// # Errors
    /// An error that git can't be started, or does not have all of them.
    pub fn read(&self, objects: &[&str]) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut read = Vec::with_capacity(objects.len());
        for some in objects.chunks(AT_ONCE) {
            let input = some.join("\n") + "\n";
            let answer = self.ask(&["cat-file", "--batch"], input.as_bytes())?;
            let answer = answer.unwrap_or_else(|| Secret::new(vec![]));
            let mut rest = answer.expose();
            for one in some {
                let (contents, left) = object(rest).ok_or_else(|| {
                    let what = format!("its repository lacks {one}, a version of a file");
                    StoreError::unusable("git", what)
                        .hint("nothing is changed; git fetch --refetch may bring it")
                })?;
                read.push(contents);
                rest = left;
            }
        }
        Ok(read)
    }

    /// Finds the time at which a commit's side has last changed a file of the store.
    ///
    /// # Errors
    /// An error that git can't be started.
    pub fn time(&self, commit: &str, path: &Path) -> Result<Option<String>, StoreError> {
        let path = path.to_string_lossy();
        let said = self.line(&["rev-list", "-1", "--format=%at", commit, "--", &path])?;
        let seconds = said.and_then(|seconds| seconds.parse().ok());
        let time = seconds
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Ok(time.map(|time| humantime::format_rfc3339_seconds(time).to_string()))
    }
}

/// Reads lines of words, a tab and a path.
fn entries(listed: &Secret) -> impl Iterator<Item = (Vec<&str>, PathBuf)> {
    let lines = listed.expose().split(|&byte| byte == 0);
    lines.filter_map(|line| {
        // A path that is not UTF-8 is none of the store's.
        let (words, path) = str::from_utf8(line).ok()?.split_once('\t')?;
        Some((words.split(' ').collect(), path.into()))
    })
}

/// Reads one object, and what follows it: a line with its size, its bytes, a line end. `None` for one
/// that is missing, or that is no file.
fn object(answer: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let end = answer.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = (str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
    let mut words = line.split(' ').skip(1);
    if words.next()? != "blob" {
        return None;
    }
    let size = words.next()?.parse().ok()?;
    let (contents, rest) = rest.split_at_checked(size)?;
    Some((contents.to_vec(), rest.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let listed = Secret::new(b"100644 ab 1\ta b\x00100644 cd 3\tx/y\0".to_vec());
        let found: Vec<_> = entries(&listed).collect();
        assert_eq!(found[0], (vec!["100644", "ab", "1"], "a b".into()));
        assert_eq!(found[1].1, Path::new("x/y"));
        let (first, rest) = object(b"ab blob 3\na\nb\ncd missing\n").unwrap();
        assert_eq!(first, b"a\nb");
        assert_eq!(object(rest), None);
        assert_eq!(object(b"ab blob 9\nabc\n"), None);
    }
}
