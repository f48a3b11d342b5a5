//! Changing a document so that nobody else's change is lost.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::read::{self, Read};
use super::response::{self, ServerRefusal, refusal};
use super::{Vault, get};
use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::model::secret::Secret;
use crate::stores::document::{DocumentChange, known, merged, path_in, with};
use crate::stores::{How, contended};
use crate::sys::http::{self, Answer, Method, Request};
use crate::sys::random;

/// The longest wait of a writer that lost a race, before the next try.
const PAUSE: Duration = Duration::from_millis(40);

/// The result of a try.
enum Tried {
    Done,
    /// Somebody else was faster.
    Lost,
    /// The server, or a policy, knows no patches.
    NoPatches,
    /// There is nothing to patch.
    Nothing,
    /// A version must be given.
    NeedsVersion,
}

impl Vault {
    /// Changes members of a scope's document, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::taken`] and [`StoreError::no_secret`], as `how` asks; or the reason why
    /// nothing is changed.
    pub(super) fn change(
        &self,
        scope: &Scope,
        changes: &[DocumentChange<'_>],
        how: How,
    ) -> Result<(), StoreError> {
        let path = self.layout.document(scope)?;
        // Shows the mount too, unless the command has asked before.
        with(self, scope, |_| ()).or_else(|trouble| match trouble.is_gone() {
            true => Ok(()),
            false => Err(trouble),
        })?;
        let place = (path_in(self, scope)?, None);
        known(self).places.remove(&place);
        let deadline = self.remote.client()?.deadline();
        let mut patches = self.mount_of(&path).versioned;
        let mut compares = how != How::Set;
        loop {
            let tried = match patches && !compares {
                true => self.patch(&path, changes, None)?,
                false => self.compare_and_set(&path, changes, how, patches)?,
            };
            match tried {
                Tried::Done => return Ok(()),
                Tried::NoPatches => patches = false,
                Tried::NeedsVersion => compares = true,
                Tried::Nothing => match self.compare_and_set(&path, changes, how, false)? {
                    Tried::Done => return Ok(()),
                    _ => random::pause(PAUSE),
                },
                Tried::Lost => random::pause(PAUSE),
            }
            if Instant::now() >= deadline {
                return Err(contended());
            }
        }
    }

    /// Reads a document, and writes it whole, or by a patch, if it still is of that version.
    fn compare_and_set(
        &self,
        path: &str,
        changes: &[DocumentChange<'_>],
        how: How,
        patches: bool,
    ) -> Result<Tried, StoreError> {
        let mount = self.mount_of(path);
        let answer = self.ask(get(mount.request("data", path)))?;
        let (document, version) = match read::read(&answer, path, Some(mount.versioned), None) {
            Read::There(document) => {
                let version = document.version;
                (Some(document), version)
            }
            Read::Absent => (None, 0),
            Read::Gone(version, _) => (None, version),
            Read::Failed(trouble) => return Err(trouble),
        };
        for (name, _) in changes {
            let has = document
                .as_ref()
                .is_some_and(|document| document.member(name).is_some());
            match how {
                How::Create if has => return Err(StoreError::taken()),
                How::Update if !has => return Err(StoreError::no_secret()),
                _ => {}
            }
        }
        if patches && document.is_some() {
            return self.patch(path, changes, Some(version));
        }
        let source = document.as_ref().map(|document| document.source.expose());
        let data = merged(source, changes);
        let body = match mount.versioned {
            true => {
                let options = json!({"cas": version}).to_string();
                [
                    b"{\"options\":",
                    options.as_bytes(),
                    b",\"data\":",
                    &data,
                    b"}",
                ]
                .concat()
            }
            false => data,
        };
        let answer = self.ask(Request {
            body: Some((http::JSON, Secret::new(body))),
            once: true,
            ..Request::new(Method::POST, mount.request("data", path))
        })?;
        tried(&answer, path)
    }

    /// Changes members by a merge patch; with a version, only if it still is that.
    fn patch(
        &self,
        path: &str,
        changes: &[DocumentChange<'_>],
        version: Option<u64>,
    ) -> Result<Tried, StoreError> {
        let change = |(name, value): &DocumentChange<'_>| ((*name).to_owned(), json!(value));
        let data: Map<String, Value> = changes.iter().map(change).collect();
        let mut body = json!({"data": data});
        if let Some(version) = version {
            body["options"] = json!({"cas": version});
        }
        let body = Secret::new(serde_json::to_vec(&body).unwrap_or_default());
        let place = self.mount_of(path).request("data", path);
        let answer = self.ask(Request {
            body: Some((http::MERGE_PATCH, body)),
            // Done twice it comes to the same, unless it is bound to a version.
            once: version.is_some(),
            ..Request::new(Method::PATCH, place)
        })?;
        match answer.status {
            404 => Ok(Tried::Nothing),
            405 | 415 => Ok(Tried::NoPatches),
            403 if matches!(refusal(&answer), ServerRefusal::Policy) => Ok(Tried::NoPatches),
            _ => tried(&answer, path),
        }
    }
}

fn tried(answer: &Answer, path: &str) -> Result<Tried, StoreError> {
    if answer.status < 400 {
        return Ok(Tried::Done);
    }
    match refusal(answer) {
        ServerRefusal::LostRace => Ok(Tried::Lost),
        ServerRefusal::NeedsVersion => Ok(Tried::NeedsVersion),
        _ => Err(response::trouble(answer, path)),
    }
}
