//! Writing a scope's secret whole.

use serde_json::json;

use super::{SecretsManager, deleted, is_deleted};
use crate::model::error::StoreError;
use crate::stores::aws::{self, Aws};
use crate::sys::random;

/// The largest content of a secret in bytes, and the limit in words.
pub const LARGEST: (usize, &str) = (65_536, "65,536 bytes of one secret of AWS'");

impl SecretsManager {
    /// Writes a secret as [`PlainStore::put`] does.
    ///
    /// [`PlainStore::put`]: crate::stores::plain::PlainStore::put
    pub fn write_whole(&self, path: &str, text: &str, exists: bool) -> Result<bool, StoreError> {
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
            None if answer.status < 400 => Ok(true),
            // Somebody has made it, or deleted it, since it was read.
            Some("ResourceExistsException" | "ResourceNotFoundException") => Ok(false),
            Some("InvalidRequestException") if is_deleted(&answer) => Err(deleted(path)),
            _ => Err(aws::trouble(&answer, path, right)),
        }
    }
}
