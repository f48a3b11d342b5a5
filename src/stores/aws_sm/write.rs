//! Changing a scope's secret: it is read, changed and written whole. AWS has no compare-and-set, so
//! one of several writers at once can lose its change.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{SecretsManager, deleted, is_deleted};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::aws::{self, Aws};
use crate::stores::document::{DocumentChange, Documents, no_object};
use crate::stores::{How, Writer, contended, rewrite};
use crate::sys::random;

/// A secret's content is not larger than this, in bytes.
const LARGEST: usize = 65_536;

/// The longest wait of a writer that lost a race, before the next try.
const PAUSE: Duration = Duration::from_millis(40);

impl SecretsManager {
    /// Changes members of a scope's document, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Taken`] and [`StoreError::Absent`], as `how` asks; or the reason why nothing
    /// is changed.
    fn change(
        &self,
        scope: &Scope,
        changes: &[DocumentChange<'_>],
        how: How,
    ) -> Result<(), StoreError> {
        let (path, _) = self.document_of(scope)?;
        let deadline = self.remote.client()?.deadline();
        loop {
            let limit = (LARGEST, "65,536 bytes of one secret of AWS'");
            let (exists, data) = rewrite::content(self, scope, (changes, how), limit)?;
            let text = str::from_utf8(data.expose()).map_err(|_| no_object(&path))?;
            // A request with its own token does nothing twice if it is sent again.
            let token = random::key().map_err(StoreError::unreadable)?;
            let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
            let (what, right, id) = match exists {
                true => (
                    "PutSecretValue",
                    "secretsmanager:PutSecretValue",
                    "SecretId",
                ),
                false => ("CreateSecret", "secretsmanager:CreateSecret", "Name"),
            };
            let body = json!({id: path, "ClientRequestToken": token, "SecretString": text});
            let answer = Aws::ask(&self.remote, self.ask_in("", what, body)?)?;
            match aws::code(&answer) {
                None if answer.status < 400 => return Ok(()),
                // Somebody has made it, or deleted it, since it was read.
                Some("ResourceExistsException" | "ResourceNotFoundException") => {}
                Some("InvalidRequestException") if is_deleted(&answer) => {
                    return Err(deleted(&path));
                }
                _ => return Err(aws::trouble(&answer, &path, right)),
            }
            if Instant::now() >= deadline {
                return Err(contended());
            }
            random::pause(PAUSE);
        }
    }
}

impl Writer for SecretsManager {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        self.change(scope, &rewrite::settings(values)?, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
