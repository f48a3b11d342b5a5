//! Changing a Secret object so that nobody else's change is lost.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use super::Kubernetes;
use super::answer::{Doing, Object};
use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::{How, document};
use crate::sys::http::{self, Method, Request};
use crate::sys::random;

/// A key, and its new value; `None` removes it.
type SecretChange<'a> = (&'a str, Option<&'a Secret>);

/// The longest wait of a writer that lost a race, before the next try.
const PAUSE: Duration = Duration::from_millis(40);

impl Kubernetes {
    /// Changes keys of a scope's object, all of them or none. The server takes the change only if
    /// the object is the one that was read.
    ///
    /// # Errors
    /// The error that a name exists, or does not, as `how` asks; or the reason why nothing is
    /// changed.
    pub(super) fn change(
        &self,
        scope: &Scope,
        changes: &[SecretChange<'_>],
        how: How,
    ) -> Result<(), StoreError> {
        let path = self.path_of(scope)?;
        let deadline = self.remote.client()?.deadline();
        loop {
            let answer = self.remote.ask(&(), Self::request(Method::GET, &path))?;
            let object = self.object(&answer, &path)?;
            for (name, _) in changes {
                let has = object
                    .as_ref()
                    .is_some_and(|object| object.member(name).is_some());
                match how {
                    How::Create if has => return Err(StoreError::taken()),
                    How::Update if !has => return Err(StoreError::no_secret()),
                    _ => {}
                }
            }
            if object.as_ref().is_some_and(|object| object.immutable) {
                return Err(immutable(&path));
            }
            let (request, doing) = request(&path, object.as_ref(), changes);
            let answer = self.remote.ask(&(), request)?;
            match answer.status {
                ..400 => {
                    // The object that was read is outdated now.
                    document::known(self).places.remove(&(path, None));
                    return Ok(());
                }
                // Somebody else was faster: it is there by now, another, or gone.
                409 if Instant::now() < deadline => {
                    std::thread::sleep(random::up_to(PAUSE));
                }
                409 => {
                    let what = "others change it at the same time; nothing is changed";
                    return Err(StoreError::unreachable(what).hint("try again"));
                }
                _ => return Err(self.fault(&answer, &path, doing)),
            }
        }
    }
}

fn immutable(path: &str) -> StoreError {
    let what = format_args!(
        "{} is immutable: nothing in it can be changed",
        ShownPath(path)
    );
    StoreError::read_only(what).hint("delete the Secret and set its secrets again")
}

/// Builds the request that makes an object, or that changes one which is still in this version.
fn request(path: &str, object: Option<&Object>, changes: &[SecretChange<'_>]) -> (Request, Doing) {
    let mut data = Map::new();
    for (name, value) in changes {
        let value = value.map(|value| BASE64_STANDARD.encode(value.expose()));
        data.insert((*name).to_owned(), json!(value));
    }
    let body = |kind, body: Value| {
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        Some((kind, Secret::new(bytes)))
    };
    let (namespace, name) = path.split_once('/').unwrap_or((path, ""));
    match object {
        Some(object) => {
            let version = json!({"resourceVersion": object.version});
            let patch = json!({"metadata": version, "data": data});
            let request = Request {
                body: body(http::MERGE_PATCH, patch),
                once: true,
                ..Kubernetes::request(Method::PATCH, path)
            };
            (request, Doing::Patch)
        }
        None => {
            let new = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": name}, "data": data,
            });
            let request = Request {
                body: body(http::JSON, new),
                once: true,
                ..Kubernetes::request(Method::POST, namespace)
            };
            (request, Doing::Create)
        }
    }
}
