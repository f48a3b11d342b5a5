//! A token's session, from login to revocation.

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use super::leases;
use super::response;
use super::settings::Reader;
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::secret::Secret;
use crate::stores::{Holder, remote};
use crate::sys::duration;
use crate::sys::http::{self, Method, Request, Server};

/// A session at the server.
pub struct VaultSession {
    /// The token; `None` if an agent or a proxy in between adds one.
    pub token: Option<Arc<Secret>>,
    /// True if the token is revoked at the end.
    pub revoked: bool,
    /// True if the token was received for a credential that can be used only once.
    pub is_once: bool,
    /// Facts about the token.
    pub holder: Option<Arc<Holder>>,
}

/// A header with a token.
pub fn header(token: &Arc<Secret>) -> http::Header {
    ("X-Vault-Token", Arc::clone(token))
}

/// The session that a login's answer gives.
pub fn session(auth: &str, revoked: bool) -> Result<VaultSession, StoreError> {
    #[derive(Deserialize)]
    struct Auth<'a> {
        #[serde(borrow)]
        client_token: &'a str,
        #[serde(borrow, default)]
        token_type: &'a str,
        #[serde(borrow, default)]
        accessor: Option<&'a str>,
        #[serde(default)]
        lease_duration: u64,
        #[serde(default)]
        renewable: bool,
    }
    let unusable = |_| StoreError::unusable("the login", "the answer has no token in it");
    let auth: Auth<'_> = serde_json::from_str(auth).map_err(unusable)?;
    // Batch tokens are kept by nobody, so that nobody can revoke one.
    let is_batch = auth.token_type == "batch" || auth.accessor == Some("");
    Ok(VaultSession {
        token: Some(Arc::new(response::secret(auth.client_token))),
        revoked: revoked && !is_batch,
        is_once: false,
        holder: Some(Arc::new(leases::holder(
            auth.accessor.unwrap_or_default(),
            auth.lease_duration,
            auth.renewable,
            is_batch,
            false,
        ))),
    })
}

impl VaultSession {
    /// Keeps the token, as leases depend on it. Gives `is_once` and the facts about the token.
    pub fn keep(&mut self) -> (bool, Option<Arc<Holder>>) {
        self.revoked = false;
        (self.is_once, self.holder.clone())
    }

    /// Notes the facts that were found about the token.
    pub fn is(&mut self, holder: Arc<Holder>) {
        self.holder = Some(holder);
    }

    /// Leaves the token to the workload: it is not revoked, unless that is asked for.
    pub fn hand_over(&mut self, reader: &Reader<'_>) {
        self.revoked = matches!(reader.yes("REVOKE_TOKEN"), Ok(Some(true)));
    }

    /// Revokes the token, if it was received for this launch. A failure does not stop the launch,
    /// and the wait for the answer is short.
    pub fn end(&self, server: &Server) {
        let Some(token) = self.token.as_ref().filter(|_| self.revoked) else {
            return;
        };
        let began = Instant::now();
        let path = "v1/auth/token/revoke-self".to_owned();
        let request = Request {
            headers: vec![header(token)],
            ..Request::new(Method::POST, path)
        };
        match server.ask_until(request, began + remote::LEAVING) {
            Ok(answer) if answer.status < 400 => {
                let took = began.elapsed();
                log::debug!(Revoked, elapsed = took; "token revoked in {}", duration::shown(took));
            }
            Ok(answer) => {
                let status = answer.status;
                log::warning!(
                    NotRevoked;
                    "the token is not revoked, and lives on until it expires: status {status}"
                );
            }
            Err(trouble) => {
                log::debug!(
                    NotRevoked, kind = trouble.kind();
                    "the token is revoked, or lives on until it expires: {trouble}"
                );
            }
        }
    }
}
