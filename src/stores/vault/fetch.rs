//! Fetching documents: all of a launch in one round.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use serde::Deserialize;

use super::document::{self, Document, Read};
use super::layout::{Mount, encoded};
use super::{Place, Vault, answer, get, path_of};
use crate::words::error::Trouble;
use crate::words::log;
use crate::words::name::{Name, Scope};
use crate::world::duration;

/// A scope's document on its way.
struct Wanted<'s> {
    scope: &'s Scope,
    path: String,
    mount: Mount,
    read: Read,
}

impl Vault {
    /// Fetches the documents of these scopes, and those at single places, all at once and each
    /// once. What is mounted is known afterwards: where no answer shows it, the server is asked.
    ///
    /// # Errors
    /// What keeps all of them from being read.
    pub(super) fn fetch(&self, scopes: &[Scope], places: &[Place]) -> Result<(), Trouble> {
        if scopes.is_empty() && places.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let path = self.layout.document(scope)?;
            let mount = self.mount_of(&path);
            wanted.push(Wanted {
                scope,
                path,
                mount,
                read: Read::Absent,
            });
        }
        // Logging in is timed by itself.
        self.remote.with_session(|_| ())?;
        let began = Instant::now();
        let all: Vec<&mut Wanted<'_>> = wanted.iter_mut().collect();
        let found = self.read_round(all, places)?;
        self.settle_mounts(&mut wanted)?;
        let took = began.elapsed();
        log::debug!(
            Fetched, elapsed = took;
            "{} documents fetched in {}", scopes.len() + places.len(), duration::shown(took)
        );
        let mut known = self.known();
        for wanted in wanted {
            let document = kept(wanted.read)?;
            known.scopes.insert(wanted.scope.clone(), document);
        }
        for (place, read) in places.iter().zip(found) {
            known.places.insert(place.clone(), kept(read)?);
        }
        Ok(())
    }

    /// What is mounted where a document is: what is known, or else a guess.
    pub(super) fn mount_of(&self, document: &str) -> Mount {
        self.known().mount_of(document, &self.layout)
    }

    /// One round: these scopes' documents, and those at single places, which it gives.
    fn read_round(
        &self,
        mut wanted: Vec<&mut Wanted<'_>>,
        places: &[Place],
    ) -> Result<Vec<Read>, Trouble> {
        let mut requests = Vec::with_capacity(wanted.len() + places.len());
        for wanted in &wanted {
            requests.push(get(wanted.mount.request("data", &wanted.path)));
        }
        for (path, version) in places {
            let mut path = path_of(path);
            if let Some(version) = version {
                path.push_str(&format!("?version={version}"));
            }
            requests.push(get(path));
        }
        let mut answers = self.round(requests)?.into_iter();
        for (wanted, answer) in wanted.iter_mut().zip(answers.by_ref()) {
            let versioned = Some(wanted.mount.versioned);
            wanted.read = document::read(&answer?, &wanted.path, versioned);
        }
        let mut found = Vec::with_capacity(places.len());
        for ((path, _), answer) in places.iter().zip(answers) {
            found.push(document::read(&answer?, path, None));
        }
        Ok(found)
    }

    /// Finds out what is mounted where no answer has shown it, which takes one question for each
    /// mount, and reads again what was read in the wrong way.
    fn settle_mounts(&self, wanted: &mut [Wanted<'_>]) -> Result<(), Trouble> {
        let mut unclear: BTreeMap<String, String> = BTreeMap::new();
        for one in wanted.iter() {
            let guess = self.layout.guess(&one.path).path;
            if matches!(one.read, Read::There(_) | Read::Gone(..)) {
                self.known().mounts.insert(guess, one.mount.clone());
            } else {
                unclear.entry(guess).or_insert_with(|| one.path.clone());
            }
        }
        unclear.retain(|guess, _| !self.known().mounts.contains_key(guess));
        if unclear.is_empty() || self.layout.versioned.is_some() {
            return Ok(());
        }
        let question = |path: &String| get(format!("v1/sys/internal/ui/mounts/{}", encoded(path)));
        let answers = self.round(unclear.values().map(question).collect())?;
        for ((guess, path), answer) in unclear.iter().zip(answers) {
            let answer = answer?;
            if answer.status >= 400 {
                // The server tells nobody whether there is no such mount, or no right to it.
                continue;
            }
            let mount = mounted(&answer, path)?;
            self.known().mounts.insert(guess.clone(), mount);
        }
        let mut again: Vec<&mut Wanted<'_>> = Vec::new();
        for one in wanted.iter_mut() {
            let mount = self.mount_of(&one.path);
            if mount != one.mount {
                one.mount = mount;
                again.push(one);
            }
        }
        if !again.is_empty() {
            self.read_round(again, &[])?;
        }
        Ok(())
    }

    /// The ids below folders, all listed at once.
    ///
    /// # Errors
    /// Why that can't be said.
    pub(super) fn list(&self, folders: &[String]) -> Result<Vec<Vec<Name>>, Trouble> {
        #[derive(Deserialize)]
        struct Listed {
            keys: Vec<String>,
        }
        let question = |folder: &String| {
            let path = self.mount_of(folder).request("metadata", folder);
            get(format!("{path}?list=true"))
        };
        let answers = self.round(folders.iter().map(question).collect())?;
        let mut lists = Vec::new();
        for (folder, answer) in folders.iter().zip(answers) {
            let answer = answer?;
            if answer.status == 404 {
                lists.push(Vec::new());
                continue;
            }
            if answer.status >= 400 {
                return Err(answer::trouble(&answer, folder));
            }
            let data = answer::open(&answer, folder)?.data;
            let listed = data.and_then(|data| serde_json::from_str(data.get()).ok());
            let Listed { keys } = listed.ok_or_else(|| no_answer(folder))?;
            // What ends with a slash is a folder.
            lists.push(
                keys.iter()
                    .filter_map(|key| Name::new(key.as_bytes()))
                    .collect(),
            );
        }
        Ok(lists)
    }

    /// When a scope's document was made, where the server keeps and tells that.
    ///
    /// # Errors
    /// Why the server can't be asked.
    pub(super) fn created(&self, scope: &Scope) -> Result<Option<SystemTime>, Trouble> {
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow)]
            created_time: &'a str,
        }
        let path = self.layout.document(scope)?;
        let mount = self.mount_of(&path);
        if !mount.versioned {
            return Ok(None);
        }
        if let Some(created) = self.known().created.get(&path) {
            return Ok(*created);
        }
        let answer = self.ask(get(mount.request("metadata", &path)))?;
        let created = match answer.status {
            200 => answer::open(&answer, &path)?.data.and_then(|data| {
                let metadata: Metadata<'_> = serde_json::from_str(data.get()).ok()?;
                humantime::parse_rfc3339(metadata.created_time).ok()
            }),
            // A policy may well allow the document and not what is known of it.
            _ => None,
        };
        self.known().created.insert(path, created);
        Ok(created)
    }
}

/// What a launch keeps of what was read. A token that is none is everybody's trouble.
fn kept(read: Read) -> Result<Result<Option<Document>, Trouble>, Trouble> {
    match read {
        Read::There(document) => Ok(Ok(Some(document))),
        Read::Absent => Ok(Ok(None)),
        Read::Gone(_, trouble) => Ok(Err(trouble)),
        Read::Failed(trouble @ Trouble::NotAdmitted { .. }) => Err(trouble),
        Read::Failed(trouble) => Ok(Err(trouble)),
    }
}

fn no_answer(path: &str) -> Trouble {
    Trouble::Unusable {
        what: path.to_owned(),
        why: "the answer is not what was asked for".to_owned(),
    }
}

/// What the server says is mounted where a document is.
fn mounted(answer: &crate::world::http::Answer, document: &str) -> Result<Mount, Trouble> {
    #[derive(Deserialize)]
    struct Mounted<'a> {
        #[serde(borrow)]
        path: &'a str,
        #[serde(borrow, rename = "type", default)]
        kind: &'a str,
        #[serde(borrow, default)]
        options: Option<Options<'a>>,
    }
    #[derive(Deserialize)]
    struct Options<'a> {
        #[serde(borrow, default)]
        version: Option<&'a str>,
    }
    let data = answer::open(answer, document)?.data;
    let data = data.ok_or_else(|| no_answer(document))?;
    let mounted: Mounted<'_> = serde_json::from_str(data.get()).map_err(|_| no_answer(document))?;
    if !matches!(mounted.kind, "kv" | "generic") {
        let path = mounted.path;
        return Err(Trouble::Setting(format!(
            "what is mounted at {path} is no KV store"
        )));
    }
    let version = mounted.options.and_then(|options| options.version);
    Ok(Mount {
        path: mounted.path.trim_matches('/').to_owned(),
        versioned: version == Some("2"),
    })
}
