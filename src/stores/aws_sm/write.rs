//! Changing a scope's secret: it is read, changed and written whole. AWS has nothing that compares
//! while it writes, so that of several writers at once one can lose.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{SecretsManager, no_object};
use crate::model::error::Trouble;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::stores::aws::{self, Aws};
use crate::stores::document::{Change, merged};
use crate::stores::{How, Writer};
use crate::sys::random;

/// A secret's content is not larger than this, in bytes.
const LARGEST: usize = 65_536;

/// Whoever lost a race waits at most this long before the next try.
const PAUSE: Duration = Duration::from_millis(40);

impl SecretsManager {
    /// Changes members of a scope's document, all of them or none.
    ///
    /// # Errors
    /// [`Trouble::Taken`] and [`Trouble::Absent`], as `how` has it; why nothing is changed.
    fn change(&self, scope: &Scope, changes: &[Change<'_>], how: How) -> Result<(), Trouble> {
        let path = self.path_in(scope)?;
        let place = (path.clone(), None);
        let deadline = self.remote.client()?.deadline();
        loop {
            // What a command has seen before may have changed since.
            self.known().places.remove(&place);
            let (exists, data) = self.with_document(scope, |found| {
                let has = |name| {
                    let member = found.and_then(|(document, _)| document.member(name));
                    member.is_some()
                };
                for (name, _) in changes {
                    match how {
                        How::Create if has(name) => return Err(Trouble::Taken),
                        How::Update if !has(name) => return Err(Trouble::Absent(None)),
                        _ => {}
                    }
                }
                let source = found.map(|(document, _)| document.content.expose());
                Ok((found.is_some(), merged(source, changes)))
            })??;
            self.known().places.remove(&place);
            if data.len() > LARGEST {
                let what = "the scope's secrets would be larger together than the 65,536 bytes \
                            of one secret of AWS'";
                return Err(Trouble::Setting(what.to_owned()));
            }
            let text = str::from_utf8(&data).map_err(|_| no_object(&path))?;
            // With a token of its own a request that is sent again does nothing twice.
            let token = random::key().map_err(|error| Trouble::Unreadable(error.into()))?;
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
                Some("InvalidRequestException") => return Err(Trouble::Deleted(path)),
                _ => return Err(aws::trouble(&answer, &path, right)),
            }
            if Instant::now() >= deadline {
                return Err(Trouble::Contended);
            }
            random::pause(PAUSE);
        }
    }
}

impl Writer for SecretsManager {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), Trouble> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| Trouble::NotText)?;
            changes.push((name.as_str(), Some(text)));
        }
        self.change(scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), Trouble> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
