//! Writing a scope's secret whole. A vault has no compare-and-set: each write is another version.

use serde_json::json;

use super::KeyVault;
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::document::{DocumentChange, Documents, no_object};
use crate::stores::{How, Writer, azure, rewrite};
use crate::sys::http::{self, Method};

/// A secret's value is not larger than this, in bytes.
const LARGEST: usize = 25_600;

impl KeyVault {
    fn change(
        &self,
        scope: &Scope,
        changes: &[DocumentChange<'_>],
        how: How,
    ) -> Result<(), StoreError> {
        let limit = (LARGEST, "25,600 bytes of one secret of a vault");
        let (_, data) = rewrite::content(self, scope, (changes, how), limit)?;
        let (path, _) = self.document_of(scope)?;
        let text = str::from_utf8(data.expose()).map_err(|_| no_object(&path))?;
        let body = json!({"value": text, "contentType": http::JSON}).to_string();
        let (host, mut request) = self.request(Method::PUT, &(path.clone(), None))?;
        request.body = Some((http::JSON, Secret::new(body.into_bytes())));
        let answer = self.remote.ask(&host, request)?;
        match (answer.status, &*azure::code(&answer).inner) {
            (..400, _) => Ok(()),
            (409, "ObjectIsDeletedButRecoverable") => {
                let what = format_args!("{} is deleted, and keeps its name", ShownPath(&path));
                Err(StoreError::gone(what).hint(
                    "az keyvault secret recover brings it back, az keyvault secret purge frees \
                     the name",
                ))
            }
            (409, _) => {
                let what = format_args!("{} is being deleted or recovered", ShownPath(&path));
                Err(StoreError::gone(what).hint("try again in a minute"))
            }
            _ => Err(azure::trouble(&answer, &path, "set")),
        }
    }
}

impl Writer for KeyVault {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        self.change(scope, &rewrite::settings(values)?, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
