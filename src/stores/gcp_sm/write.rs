//! Writing a scope's secret whole, as a version more.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::{SecretManager, crc32c, resource};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::gcp::Gcp;
use crate::sys::http::{Answer, JSON, Method, Request};

/// The largest content of a secret in bytes, and the limit in words.
pub const LARGEST: (usize, &str) = (65_536, "65,536 bytes of one secret of Google's");

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

    /// Writes a secret as [`PlainStore::put`] does.
    ///
    /// [`PlainStore::put`]: crate::stores::plain::PlainStore::put
    pub fn write_whole(&self, path: &str, text: &str, exists: bool) -> Result<bool, StoreError> {
        let resource = resource(path)?;
        let (location, all) = self.all_beside(&resource)?;
        let id = resource.secret;
        if !exists {
            let create = format!("{all}?secretId={id}");
            let body = match location.as_str() {
                "" => json!({"replication": {"automatic": {}}}),
                _ => json!({}),
            };
            let answer = self.post(&location, &create, &body)?;
            // One that has no version is there already.
            if answer.status >= 400 && answer.status != 409 {
                return Err(self.trouble(&answer, path, CREATE));
            }
        }
        // Sent twice it is the same version twice, which does no harm.
        let body = json!({"payload": {
            "data": BASE64_STANDARD.encode(text),
            "dataCrc32c": crc32c(text.as_bytes()).to_string(),
        }});
        let answer = self.post(&location, &format!("{all}/{id}:addVersion"), &body)?;
        match answer.status {
            ..400 => Ok(true),
            // Somebody has deleted it since it was read.
            404 => Ok(false),
            _ => Err(self.trouble(&answer, path, ADD)),
        }
    }
}
