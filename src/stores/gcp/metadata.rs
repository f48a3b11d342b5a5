//! The metadata server of a machine, a pod of GKE or a service of Cloud Run, which gives tokens to
//! anyone who asks.

use super::{Gcp, GcpRemote, header};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::{credential, metadata};
use crate::sys::http::{Address, Answer, Method, Request, Server, Verdict};

/// The address, which needs no resolver.
const HOST: &str = "169.254.169.254";

/// The header of requests and answers, and its value.
const FLAVOR: [&str; 2] = ["metadata-flavor", "Google"];

fn verdict(answer: &Answer) -> Verdict {
    metadata::verdict(answer, "no service account is attached, or not yet")
}

impl Gcp {
    fn machine(&self, remote: &GcpRemote) -> Result<&Server, StoreError> {
        let make = || {
            let other = "another identity is given by GOOGLE_APPLICATION_CREDENTIALS";
            if let Some(word) = self.variable("NO_GCE_CHECK")
                && word.eq_ignore_ascii_case("true")
            {
                let what = "nothing says who doorkey is, and the metadata server is not asked, as \
                            NO_GCE_CHECK says";
                return Err(StoreError::setting(what).hint(other));
            }
            let host = self.variable("GCE_METADATA_HOST").unwrap_or(HOST);
            let address = Address::parse(&format!("http://{host}")).ok();
            let address = address.filter(|address| address.path() == "/");
            let address = address.ok_or_else(|| {
                StoreError::setting("GCE_METADATA_HOST is neither HOST nor HOST:PORT")
            })?;
            let said = ("NO_GCE_CHECK=true ends that", "SSL_CERT_FILE");
            metadata::server(remote.client()?, &self.context, address, said, verdict)
        };
        let made = self.machine.get_or_init(make);
        made.as_ref().map_err(StoreError::clone)
    }

    fn ask_machine(&self, remote: &GcpRemote, path: &str) -> Result<Answer, StoreError> {
        let path = format!("computeMetadata/v1/{path}");
        let mut request = Request::new(Method::GET, path);
        request.headers.push(header(FLAVOR[0], FLAVOR[1]));
        let answer = self.machine(remote)?.ask(request);
        let answer = answer.map_err(|error| match error.is_unreached() {
            true => error
                .hint("outside Google Cloud say who doorkey is by GOOGLE_APPLICATION_CREDENTIALS"),
            false => error,
        })?;
        let refused = |why: &str| {
            Err(StoreError::setting(format_args!(
                "the metadata server {why}"
            )))
        };
        match answer.status {
            // Somebody else answers as well, in a network that catches everything.
            _ if answer.header(FLAVOR[0]) != Some(FLAVOR[1]) => {
                refused("is not Google's: its answer has no header Metadata-Flavor: Google")
            }
            200 => Ok(answer),
            403 => refused("gives us nothing (403): no service account is for this workload"),
            status => refused(&format!("refuses with status {status}")),
        }
    }

    /// The token of the service account that is attached, and the account's name for messages.
    pub fn of_machine(&self, remote: &GcpRemote) -> Result<(Secret, String), StoreError> {
        let account = "instance/service-accounts/default";
        let answer = self.ask_machine(remote, &format!("{account}/token"))?;
        let token = credential::in_answer(&answer, "access_token").ok_or_else(|| {
            StoreError::unusable("the metadata server", "its answer holds no token")
        })?;
        let mut who = "the service account of the metadata server".to_owned();
        if self.context.tells_identity {
            let email = self.ask_machine(remote, &format!("{account}/email"))?;
            who = format!("{}, by the metadata server", said(&email)?);
        }
        Ok((token, who))
    }

    /// The project that the machine is in.
    pub fn project_of_machine(&self, remote: &GcpRemote) -> Result<String, StoreError> {
        said(&self.ask_machine(remote, "project/project-id")?)
    }
}

fn said(answer: &Answer) -> Result<String, StoreError> {
    let text = str::from_utf8(answer.body.expose())
        .unwrap_or_default()
        .trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"@.:-".contains(&byte);
    match !text.is_empty() && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(StoreError::unusable(
            "the metadata server",
            "its answer is no name",
        )),
    }
}
