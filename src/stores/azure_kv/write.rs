//! Writing a scope's secret whole: each write is another version.

use serde_json::json;

use super::KeyVault;
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::azure;
use crate::sys::http::{self, Method};

/// The largest value of a secret in bytes, and the limit in words.
pub const LARGEST: (usize, &str) = (25_600, "25,600 bytes of one secret of a vault");

impl KeyVault {
    /// Writes a secret as [`PlainStore::put`] does. A vault does not care if there is one.
    ///
    /// [`PlainStore::put`]: crate::stores::plain::PlainStore::put
    pub fn write_whole(&self, path: &str, text: &str) -> Result<bool, StoreError> {
        let body = json!({"value": text, "contentType": http::JSON}).to_string();
        let (host, mut request) = self.request(Method::PUT, &(path.to_owned(), None))?;
        request.body = Some((http::JSON, Secret::new(body.into_bytes())));
        let answer = self.remote.ask(&host, request)?;
        match (answer.status, &*azure::code(&answer).inner) {
            (..400, _) => Ok(true),
            (409, "ObjectIsDeletedButRecoverable") => {
                let what = format_args!("{} is deleted, and keeps its name", ShownPath(path));
                Err(StoreError::gone(what).hint(
                    "az keyvault secret recover brings it back, az keyvault secret purge frees \
                     the name",
                ))
            }
            (409, _) => {
                let what = format_args!("{} is being deleted or recovered", ShownPath(path));
                Err(StoreError::gone(what).hint("try again in a minute"))
            }
            _ => Err(azure::trouble(&answer, path, "set")),
        }
    }
}
