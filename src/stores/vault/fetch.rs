//! Fetching documents: all of a launch in one round.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::advice::advice_for_path;
use super::paths::{Mount, clean, encoded};
use super::read::{self, Read, VaultDocument};
use super::{Vault, get, path_of, response};
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::name::{Name, Scope};
use crate::model::named::ShownPath;
use crate::stores::document::{Documents, KnownDocuments, Place, Reading, known};
use crate::sys::duration;
use crate::sys::http::Answer;

/// A document on its way.
struct WantedDocument {
    place: Place,
    /// The path of a scope's document, and its mount as far as known; `None` for a single place.
    scoped: Option<(String, Mount)>,
    read: Read,
}

impl WantedDocument {
    /// The path of the request for it.
    fn request(&self) -> String {
        if let Some((document, mount)) = &self.scoped {
            return mount.request("data", document);
        }
        let (path, version) = &self.place;
        let version = version
            .as_ref()
            .map(|version| format!("?version={version}"));
        path_of(path) + &version.unwrap_or_default()
    }

    fn take(&mut self, answer: &Answer) {
        self.read = match &self.scoped {
            Some((document, mount)) => read::read(answer, document, Some(mount.versioned), None),
            None => read::read(answer, &self.place.0, None, self.place.1.as_deref()),
        };
        if let (None, Read::Failed(trouble)) = (&self.scoped, &self.read)
            && trouble.is_denial()
            && !trouble.is_of_all()
            && let Some(advice) = advice_for_path(&self.place.0)
        {
            let advice = format!("its policies must allow it, or {advice}");
            self.read = Read::Failed(trouble.clone().hint(advice));
        }
    }
}

impl Documents<VaultDocument> for Vault {
    fn in_force(&self) -> &[Scope] {
        &self.context.scopes
    }

    /// Gives the path that a request would have, as far as that is known without asking.
    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError> {
        let document = self.layout.document(scope)?;
        let path = self.layout.guess(&document).path("data", &document);
        Ok((path, document))
    }

    fn kept(&self) -> &Mutex<KnownDocuments<VaultDocument>> {
        &self.documents
    }

    /// Reads the documents, and finds their mounts: the server is asked for those that no answer
    /// shows.
    fn read(&self, places: &[Place]) -> Result<Vec<Reading<VaultDocument>>, StoreError> {
        let wanted = |place: &Place| {
            let documents = known(self);
            let document = documents.scopes.get(&place.0);
            let document = document.filter(|_| place.1.is_none());
            let scoped = document.map(|document| (document.clone(), self.mount_of(document)));
            let (place, read) = (place.clone(), Read::Absent);
            WantedDocument {
                place,
                scoped,
                read,
            }
        };
        let mut wanted: Vec<WantedDocument> = places.iter().map(wanted).collect();
        // Logging in is timed by itself.
        self.remote.with_session(|_| ())?;
        let began = Instant::now();
        self.read_round(wanted.iter_mut().collect())?;
        self.settle_mounts(&mut wanted)?;
        self.look_for_versions(&mut wanted)?;
        let took = began.elapsed();
        log::debug!(
            Fetched, elapsed = took;
            "{} documents fetched in {}", wanted.len(), duration::shown(took)
        );
        self.keep_lent(&mut wanted, began)?;
        Ok(wanted.into_iter().map(|one| one.read.into()).collect())
    }
}

impl Vault {
    /// Notes the leases of documents that were read at `began`, and keeps the token that they
    /// depend on.
    fn keep_lent(&self, wanted: &mut [WantedDocument], began: Instant) -> Result<(), StoreError> {
        let documents = wanted
            .iter_mut()
            .filter_map(|wanted| match &mut wanted.read {
                Read::There(document) if document.granted.is_some() => Some(document),
                _ => None,
            });
        let mut holder = None;
        for document in documents {
            let holder = match &mut holder {
                Some(holder) => holder,
                none => none.insert(self.hold()?),
            };
            document.lease = document
                .granted
                .as_ref()
                .map(|lent| lent.lease(began, holder));
        }
        Ok(())
    }

    /// Reads the documents in one round of requests.
    fn read_round(&self, mut wanted: Vec<&mut WantedDocument>) -> Result<(), StoreError> {
        let requests = wanted.iter().map(|wanted| get(wanted.request())).collect();
        let answers = self.round(requests)?;
        for (wanted, answer) in wanted.iter_mut().zip(answers) {
            wanted.take(&answer?);
        }
        Ok(())
    }

    /// Finds the mounts that no answer has shown, with one question for each mount. Documents that
    /// were read in the wrong way are read again.
    fn settle_mounts(&self, wanted: &mut [WantedDocument]) -> Result<(), StoreError> {
        let mut unclear: BTreeMap<String, String> = BTreeMap::new();
        for one in wanted.iter() {
            let Some((document, mount)) = &one.scoped else {
                continue;
            };
            let guess = self.layout.guess(document).path;
            if matches!(one.read, Read::There(_) | Read::Gone(..)) {
                self.of_server().mounts.insert(guess, mount.clone());
            } else {
                unclear.entry(guess).or_insert_with(|| document.clone());
            }
        }
        unclear.retain(|guess, _| !self.of_server().mounts.contains_key(guess));
        if unclear.is_empty() || self.layout.versioned.is_some() {
            return Ok(());
        }
        let question = |path: &String| get(format!("v1/sys/internal/ui/mounts/{}", encoded(path)));
        let answers = self.round(unclear.values().map(question).collect())?;
        for ((guess, path), answer) in unclear.iter().zip(answers) {
            let answer = answer?;
            if answer.status >= 400 {
                // The server never tells a missing mount from a forbidden one.
                continue;
            }
            let mount = mounted(&answer, path)?;
            self.of_server().mounts.insert(guess.clone(), mount);
        }
        let mut again: Vec<&mut WantedDocument> = Vec::new();
        for one in wanted.iter_mut() {
            let Some((document, mount)) = &mut one.scoped else {
                continue;
            };
            let known = self.mount_of(document);
            if known != *mount {
                *mount = known;
                again.push(one);
            }
        }
        match again.is_empty() {
            true => Ok(()),
            false => self.read_round(again),
        }
    }

    /// Says which versions there are of documents that lack the version that was asked for.
    fn look_for_versions(&self, wanted: &mut [WantedDocument]) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Versions {
            versions: BTreeMap<u64, IgnoredAny>,
        }
        let mut lacking = Vec::new();
        for one in wanted.iter_mut() {
            if let ((path, Some(version)), Read::Absent) = (&one.place, &one.read)
                && path.contains("/data/")
            {
                lacking.push((path, version, &mut one.read));
            }
        }
        let metadata = |path: &String| get(path_of(&path.replacen("/data/", "/metadata/", 1)));
        let asked = lacking.iter().map(|(path, ..)| metadata(path));
        let answers = self.round(asked.collect())?;
        for ((path, version, read), answer) in lacking.into_iter().zip(answers) {
            let answer = answer?;
            if answer.status != 200 {
                // A policy may allow the document and not its metadata.
                continue;
            }
            let data = response::open(&answer, path)?.data;
            let known = data.and_then(|data| serde_json::from_str(data.get()).ok());
            let Some(Versions { versions }) = known else {
                continue;
            };
            let ends = versions.keys().next().zip(versions.keys().last());
            let there = ends.map_or("none".to_owned(), |(first, last)| {
                format!("{first} to {last}")
            });
            *read = Read::Failed(StoreError::gone(format_args!(
                "{} has no version {version}, or no more; it has {there}",
                ShownPath(path)
            )));
        }
        Ok(())
    }

    /// Lists the ids below folders, all at once.
    ///
    /// # Errors
    /// The reason why that can't be said.
    pub(super) fn list(&self, folders: &[String]) -> Result<Vec<Vec<Name>>, StoreError> {
        #[derive(Deserialize)]
        struct KeyList {
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
                return Err(response::trouble(&answer, folder));
            }
            let data = response::open(&answer, folder)?.data;
            let listed = data.and_then(|data| serde_json::from_str(data.get()).ok());
            let KeyList { keys } = listed.ok_or_else(|| no_answer(folder))?;
            // A key that ends with a slash is a folder.
            lists.push(
                keys.iter()
                    .filter_map(|key| Name::new(key.as_bytes()))
                    .collect(),
            );
        }
        Ok(lists)
    }

    /// Gives the time when a scope's document was made, if the server keeps and tells it.
    ///
    /// # Errors
    /// The reason why the server can't be asked.
    pub(super) fn created(&self, scope: &Scope) -> Result<Option<SystemTime>, StoreError> {
        #[derive(Deserialize)]
        struct CreatedTime<'a> {
            #[serde(borrow)]
            created_time: &'a str,
        }
        let path = self.layout.document(scope)?;
        let mount = self.mount_of(&path);
        if !mount.versioned {
            return Ok(None);
        }
        if let Some(created) = self.of_server().created.get(&path) {
            return Ok(*created);
        }
        let answer = self.ask(get(mount.request("metadata", &path)))?;
        let created = match answer.status {
            200 => response::open(&answer, &path)?.data.and_then(|data| {
                let metadata: CreatedTime<'_> = serde_json::from_str(data.get()).ok()?;
                humantime::parse_rfc3339(metadata.created_time).ok()
            }),
            // A policy may allow the document and not its metadata.
            _ => None,
        };
        self.of_server().created.insert(path, created);
        Ok(created)
    }
}

/// Converts a read document to the form that a launch keeps.
impl From<Read> for Reading<VaultDocument> {
    fn from(read: Read) -> Self {
        match read {
            Read::There(document) => Ok(Some(document)),
            Read::Absent => Ok(None),
            Read::Gone(_, trouble) | Read::Failed(trouble) => Err(trouble),
        }
    }
}

fn no_answer(path: &str) -> StoreError {
    StoreError::unusable(ShownPath(path), "the answer is not what was asked for")
}

/// Reads the mount of a document from the server's answer.
fn mounted(answer: &Answer, document: &str) -> Result<Mount, StoreError> {
    #[derive(Deserialize)]
    struct MountRow<'a> {
        #[serde(borrow)]
        path: &'a str,
        #[serde(borrow, rename = "type", default)]
        kind: &'a str,
        #[serde(borrow, default)]
        options: Option<MountOptions<'a>>,
    }
    #[derive(Deserialize)]
    struct MountOptions<'a> {
        #[serde(borrow, default)]
        version: Option<&'a str>,
    }
    let data = response::open(answer, document)?.data;
    let data = data.ok_or_else(|| no_answer(document))?;
    let mounted: MountRow<'_> =
        serde_json::from_str(data.get()).map_err(|_| no_answer(document))?;
    if !matches!(mounted.kind, "kv" | "generic") {
        let path = mounted.path;
        return Err(StoreError::setting(format!(
            "what is mounted at {path} is no KV store"
        )));
    }
    let version = mounted.options.and_then(|options| options.version);
    Ok(Mount {
        path: clean("what the server says is mounted", mounted.path)?.to_owned(),
        versioned: version == Some("2"),
    })
}
