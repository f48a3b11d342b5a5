//! Changing a scope's secret: it is read, changed and written whole, as a version more. Google has
//! no compare-and-set, so one of several writers at once can lose its change.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::{SecretManager, crc32c, resource};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::document::{DocumentChange, Documents};
use crate::stores::gcp::Gcp;
use crate::stores::{How, Writer, contended, rewrite};
use crate::sys::http::{Answer, JSON, Method, Request};
use crate::sys::random;

/// A secret's content is not larger than this, in bytes.
const LARGEST: usize = 65_536;

/// The longest wait of a writer that lost a race, before the next try.
const PAUSE: Duration = Duration::from_millis(40);

/// The rights to make a secret, and a version of it, with roles that have them.
const CREATE: &str = "secretmanager.secrets.create (roles/secretmanager.admin)";
const ADD: &str = "secretmanager.versions.add (roles/secretmanager.secretVersionAdder)";

impl SecretManager {
    fn post(&self, location: &str, path: &str, body: &Value) -> Result<Answer, StoreError> {
        let request = || {
            let mut request = Request::new(Method::POST, path.to_owned());
            request.body = Some((JSON, Secret::new(body.to_string().into_bytes())));
            (location.to_owned(), request)
        };
        Gcp::ask(&self.remote, &request)
    }

    /// Changes members of a scope's document, all of them or none.
    fn change(
        &self,
        scope: &Scope,
        changes: &[DocumentChange<'_>],
        how: How,
    ) -> Result<(), StoreError> {
        let (path, _) = self.document_of(scope)?;
        let resource = resource(&path)?;
        let (location, all) = self.all_beside(&resource)?;
        let id = resource.secret;
        let deadline = self.remote.client()?.deadline();
        loop {
            let limit = (LARGEST, "65,536 bytes of one secret of Google's");
            let (exists, data) = rewrite::content(self, scope, (changes, how), limit)?;
            if !exists {
                let create = format!("{all}?secretId={id}");
                let body = match location.as_str() {
                    "" => json!({"replication": {"automatic": {}}}),
                    _ => json!({}),
                };
                let answer = self.post(&location, &create, &body)?;
                // One that has no version is there already.
                if answer.status >= 400 && answer.status != 409 {
                    return Err(self.trouble(&answer, &path, CREATE));
                }
            }
            // Sent twice it is the same version twice, which does no harm.
            let body = json!({"payload": {
                "data": BASE64_STANDARD.encode(data.expose()),
                "dataCrc32c": crc32c(data.expose()).to_string(),
            }});
            let answer = self.post(&location, &format!("{all}/{id}:addVersion"), &body)?;
            match answer.status {
                ..400 => return Ok(()),
                // Somebody has deleted it since it was read.
                404 => {}
                _ => return Err(self.trouble(&answer, &path, ADD)),
            }
            if Instant::now() >= deadline {
                return Err(contended());
            }
            random::pause(PAUSE);
        }
    }
}

impl Writer for SecretManager {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        self.change(scope, &rewrite::settings(values)?, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
