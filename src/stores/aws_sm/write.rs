//! Changing a scope's secret: it is read, changed and written whole. AWS has no compare-and-set, so
//! one of several writers at once can lose its change.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{SecretsManager, deleted};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::aws::{self, Aws};
use crate::stores::document::{DocumentChange, Documents, known, merged, no_object, with};
use crate::stores::{How, Writer, contended, not_text};
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
        let place = (path.clone(), None);
        let deadline = self.remote.client()?.deadline();
        loop {
            // The document may have changed since the command read it.
            known(self).places.remove(&place);
            let (exists, data) = with(self, scope, |document| {
                if document.is_some_and(|document| document.members().is_none()) {
                    return Err(no_object(&path));
                }
                for (name, _) in changes {
                    let has = document
                        .and_then(|document| document.member(name))
                        .is_some();
                    match how {
                        How::Create if has => return Err(StoreError::taken()),
                        How::Update if !has => return Err(StoreError::no_secret()),
                        _ => {}
                    }
                }
                let source = document.map(|document| document.content.expose());
                Ok((document.is_some(), merged(source, changes)))
            })??;
            known(self).places.remove(&place);
            if data.len() > LARGEST {
                let what = "the scope's secrets would be larger together than the 65,536 bytes \
                            of one secret of AWS'";
                return Err(StoreError::setting(what.to_owned()));
            }
            let text = str::from_utf8(&data).map_err(|_| no_object(&path))?;
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
                Some("InvalidRequestException") => return Err(deleted(&path)),
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
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| not_text())?;
            changes.push((name.as_str(), Some(text)));
        }
        self.change(scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
