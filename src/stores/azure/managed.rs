//! Managed identities, which a service near by gives: that of an app (App Service, Container Apps),
//! or that of a machine (IMDS).

use std::sync::Arc;

use super::credentials::missing;
use super::entra::TOKEN;
use super::{Azure, AzureRemote, remote};
use crate::model::error::StoreError;
use crate::model::secret::Secret;
use crate::stores::{credential, form, metadata};
use crate::sys::http::{Address, Answer, Method, Request, Server, Verdict};

/// The address of a machine's metadata.
const MACHINE: &str = "http://169.254.169.254";

/// The way to end the waiting.
const ENDS: &str = "AZURE_TOKEN_CREDENTIALS=EnvironmentCredential or WorkloadIdentityCredential \
                    ends that";

fn of_app(answer: &Answer) -> Verdict {
    metadata::verdict(answer, "no identity belongs to the app, or not yet")
}

fn of_machine(answer: &Answer) -> Verdict {
    metadata::verdict(answer, "no identity belongs to the machine, or not yet")
}

impl Azure {
    /// Gets the token of a managed identity, and says whose that is.
    ///
    /// # Errors
    /// A kind of identity that is left out, an address that may not be asked, or the reason why
    /// there is no token.
    pub fn of_managed(&self, remote: &AzureRemote) -> Result<(Secret, String), StoreError> {
        let has = |name| self.variable(name).is_some();
        let header = self.secret("DOORKEY_", "IDENTITY_HEADER");
        let header = header.or_else(|| self.secret("", "IDENTITY_HEADER"));
        let left_out = |what: &str| {
            let how = "log in by AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
                       AZURE_FEDERATED_TOKEN_FILE";
            Err(StoreError::setting(format_args!("{what} is not supported")).hint(how))
        };
        match (self.variable("IDENTITY_ENDPOINT"), header) {
            (Some(_), Some(_)) if has("IDENTITY_SERVER_THUMBPRINT") => {
                left_out("the identity of Service Fabric (IDENTITY_SERVER_THUMBPRINT)")
            }
            (Some(url), Some(header)) => self.of_app(remote, url, header),
            (Some(_), None) if has("IMDS_ENDPOINT") => {
                left_out("the identity of Azure Arc (IMDS_ENDPOINT)")
            }
            (Some(_), None) => Err(missing("IDENTITY_HEADER", "IDENTITY_ENDPOINT")),
            (None, Some(_)) => Err(missing("IDENTITY_ENDPOINT", "IDENTITY_HEADER")),
            (None, None) if has("MSI_ENDPOINT") => {
                left_out("the identity of Cloud Shell and Azure ML (MSI_ENDPOINT)")
            }
            (None, None) => self.of_machine(remote),
        }
    }

    /// Builds the request for a token at a path.
    fn wanted(&self, path: &str, version: &str) -> Request {
        let mut path = path.to_owned();
        path.push(if path.contains('?') { '&' } else { '?' });
        let mut query = String::new();
        form::add(&mut query, "api-version", version);
        form::add(&mut query, "resource", &self.resource());
        if let Some(client) = self.variable("AZURE_CLIENT_ID") {
            form::add(&mut query, "client_id", client);
        }
        Request::new(Method::GET, path + &query)
    }

    fn near(
        &self,
        remote: &AzureRemote,
        address: Address,
        verdict: fn(&Answer) -> Verdict,
    ) -> Result<Server, StoreError> {
        let said = (ENDS, remote::FILES[0]);
        metadata::server(remote.client()?, &self.context, address, said, verdict)
    }

    fn of_app(
        &self,
        remote: &AzureRemote,
        url: &str,
        header: &[u8],
    ) -> Result<(Secret, String), StoreError> {
        let unfit = |why: &str| StoreError::setting(format_args!("IDENTITY_ENDPOINT {why}"));
        let (address, path) = Address::split(url).map_err(unfit)?;
        if address.is_plain() && !metadata::is_near(&address) {
            return Err(unfit("leads elsewhere without TLS"));
        }
        let mut request = self.wanted(&path, "2019-08-01");
        let header = Secret::new(header.to_vec());
        request
            .headers
            .push(("x-identity-header", Arc::new(header)));
        let answer = self.near(remote, address, of_app)?.ask(request)?;
        let token = credential::in_answer(&answer, TOKEN).ok_or_else(|| match answer.status {
            400 => unfit("leads to an app without such an identity").hint(self.assign()),
            401 | 403 => unfit("leads to somebody who refuses IDENTITY_HEADER"),
            status => unfit(&format!(
                "leads to something that gives no token ({status})"
            )),
        })?;
        Ok((
            token,
            format!("the app's{}, by IDENTITY_ENDPOINT", self.client()),
        ))
    }

    fn of_machine(&self, remote: &AzureRemote) -> Result<(Secret, String), StoreError> {
        const NAME: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
        let address = Address::parse(self.variable(NAME).unwrap_or(MACHINE))
            .map_err(|why| StoreError::setting(format_args!("{NAME} {why}")))?;
        let mut request = self.wanted("metadata/identity/oauth2/token", "2018-02-01");
        let mark = Secret::new(b"true".to_vec());
        request.headers.push(("metadata", Arc::new(mark)));
        let answer = self.near(remote, address, of_machine)?.ask(request);
        let answer = answer.map_err(|error| match error.is_unreached() {
            true => error.hint(
                "outside Azure say who doorkey is: AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                 AZURE_CLIENT_SECRET; the login of az is not used",
            ),
            false => error,
        })?;
        let refused =
            |why: &str| StoreError::setting(format_args!("the machine's metadata service {why}"));
        let token = credential::in_answer(&answer, TOKEN).ok_or_else(|| match answer.status {
            400 => refused("knows no such identity of the machine").hint(self.assign()),
            status => refused(&format!("gives no token (status {status})")),
        })?;
        Ok((
            token,
            format!("the machine's{}, by its metadata", self.client()),
        ))
    }

    /// The way to give an app or a machine an identity.
    fn assign(&self) -> &'static str {
        match self.variable("AZURE_CLIENT_ID") {
            Some(_) => "assign it the identity of AZURE_CLIENT_ID",
            None => "assign it one; where it has several, AZURE_CLIENT_ID says which",
        }
    }

    /// The words for an identity that a variable names.
    fn client(&self) -> &'static str {
        match self.variable("AZURE_CLIENT_ID") {
            Some(_) => " with AZURE_CLIENT_ID",
            None => "",
        }
    }
}
