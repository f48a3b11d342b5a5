//! Shared code of Azure's stores: where vaults are, the identity for them, and their faults. The
//! service's own words are never passed on: they may quote what was sent.
//!
//! The environment variables are those of Azure's own clients. They give the workload its identity,
//! and stay with it. Each can have `DOORKEY_` in front: it then counts first, and is doorkey's
//! alone.

mod credentials;
mod entra;
mod fault;
mod managed;

use std::sync::{Arc, OnceLock};

use super::clock::Clock;
use super::kind::{of_cloud, variables};
use super::{Context, Kind, NOTHING, Use, remote};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::sys::http::{self, Address, Request, Server};

pub use self::fault::{code, disabled, trouble};

variables! { "":
    OUR_SECRETS, SECRETS =
        "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD",
        "IDENTITY_HEADER";
    OUR_SETTINGS, SETTINGS =
        "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_KEY_VAULT_URL", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_TENANT_ID",
        "AZURE_TOKEN_CREDENTIALS", "AZURE_USERNAME", "IDENTITY_ENDPOINT",
        "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT";
}

/// Files with credentials that can be given in the place of doorkey's own variables.
const FILES: &[&str] = &[
    "DOORKEY_AZURE_CLIENT_CERTIFICATE_PATH",
    "DOORKEY_AZURE_FEDERATED_TOKEN_FILE",
];

/// Environment variables, by the use that a store makes of them.
const VARIABLES: &[(Use, &[&str])] =
    &of_cloud([OUR_SECRETS, OUR_SETTINGS, FILES, SECRETS, SETTINGS]);

/// The common part of Azure's rows in the table of stores.
pub const KIND: Kind = Kind {
    variables: VARIABLES,
    is_remote: true,
    ..NOTHING
};

/// Hosts of Entra, and the domains of vaults in the same cloud. The first one counts by default.
const CLOUDS: [(&str, &str); 4] = [
    ("login.microsoftonline.com", "vault.azure.net"),
    ("login.chinacloudapi.cn", "vault.azure.cn"),
    ("login.partner.microsoftonline.cn", "vault.azure.cn"),
    ("login.microsoftonline.us", "vault.usgovcloudapi.net"),
];

/// Key Vault, and the identity for it. Its servers are told apart by their hosts.
pub struct Azure {
    /// The settings of the store.
    pub context: Arc<Context>,
    /// The domain of the vaults that are asked. The token is for this domain alone.
    domain: OnceLock<String>,
    clock: Clock,
}

/// The servers, and our session.
pub type AzureRemote = remote::Remote<Azure>;

impl Azure {
    /// Makes the service. Nothing is asked, or read, yet.
    pub fn new(context: &Arc<Context>) -> Self {
        Azure {
            context: Arc::clone(context),
            domain: OnceLock::new(),
            clock: Clock::new("Entra"),
        }
    }

    /// A variable's value, doorkey's own first; an empty one is none.
    pub fn variable(&self, name: &str) -> Option<&str> {
        remote::own_text(&self.context, name)
    }

    /// A variable's value, doorkey's own (`DOORKEY_`) or everybody's (nothing).
    fn of(&self, whose: &str, name: &str) -> Option<&str> {
        remote::text(&self.context, &format!("{whose}{name}"))
    }

    /// The path in a variable, doorkey's own first.
    fn path(&self, name: &str) -> Option<Named> {
        remote::own_path(&self.context, name)
    }

    /// A variable with a secret, doorkey's own or everybody's.
    fn secret(&self, whose: &str, name: &str) -> Option<&[u8]> {
        remote::secret(&self.context, whose, name)
    }

    /// The host of a vault that is given by its name or by its whole host.
    ///
    /// # Errors
    /// An error that the cloud of the name is not known.
    pub fn host_of(&self, vault: &str) -> Result<String, StoreError> {
        let vault = vault.to_ascii_lowercase();
        if vault.contains(['.', ':']) || vault == "localhost" {
            return Ok(vault);
        }
        let authority = match self.variable("AZURE_AUTHORITY_HOST") {
            Some(_) => self.authority()?.host().to_owned(),
            None => CLOUDS[0].0.to_owned(),
        };
        let cloud = CLOUDS.iter().find(|(host, _)| *host == authority);
        let (_, domain) = cloud.ok_or_else(|| {
            let what = "AZURE_AUTHORITY_HOST is of a cloud whose vaults' domain is not known";
            StoreError::setting(what).hint("give the vault's whole host in place of its name")
        })?;
        Ok(format!("{vault}.{domain}"))
    }

    /// The host of the vault in `AZURE_KEY_VAULT_URL`, for references without a vault.
    ///
    /// # Errors
    /// An error that the variable is missing or can't be used.
    pub fn given_vault(&self) -> Result<String, StoreError> {
        const NAME: &str = "AZURE_KEY_VAULT_URL";
        let url = self.variable(NAME).ok_or_else(|| {
            let what = format_args!("{NAME} is missing: such a reference names no vault");
            StoreError::setting(what).hint("give https://VAULT.vault.azure.net")
        })?;
        let address =
            secure(url).map_err(|why| StoreError::setting(format_args!("{NAME} {why}")))?;
        Ok(address.authority())
    }

    /// Entra, which gives tokens: by its variable, or by the vaults' domain.
    fn authority(&self) -> Result<Address, StoreError> {
        let given = self.variable("AZURE_AUTHORITY_HOST");
        let cloud = CLOUDS.iter().find(|(_, domain)| *domain == self.domain());
        let (usual, _) = cloud.unwrap_or(&CLOUDS[0]);
        let host = given.unwrap_or(usual);
        let full = match host.contains("://") {
            true => host.to_owned(),
            false => format!("https://{host}"),
        };
        secure(&full).map_err(|why| StoreError::setting(format_args!("AZURE_AUTHORITY_HOST {why}")))
    }

    fn domain(&self) -> &str {
        self.domain.get().map_or("", String::as_str)
    }

    /// The resource that a token is for: the vaults' domain, which is the host without the vault.
    fn resource(&self) -> String {
        format!("https://{}", self.domain())
    }

    /// Names the settings that values depend on, apart from their names.
    pub fn identity(&self) -> String {
        let said = |name| self.variable(name).unwrap_or_default();
        let names = ["AZURE_KEY_VAULT_URL", "AZURE_AUTHORITY_HOST"];
        let [vault, authority] = names.map(said);
        format!("{vault} {authority} {}", said("AZURE_CLIENT_ID"))
    }
}

/// Reads the address of a server that is asked over TLS alone.
fn secure(url: &str) -> Result<Address, &'static str> {
    match Address::parse(url)? {
        address if address.is_plain() => Err("must begin with https://"),
        address => Ok(address),
    }
}

/// The domain of a host. On this machine there are only test servers, which act for the first
/// cloud.
fn domain_of(address: &Address) -> &str {
    match address.host().split_once('.') {
        _ if address.is_loopback() => CLOUDS[0].1,
        Some((_, domain)) => domain,
        None => address.host(),
    }
}

impl remote::Service for Azure {
    type Host = String;
    /// The header that shows the token.
    type Session = Arc<Secret>;

    fn settings(&self, host: &String) -> Result<http::Settings, StoreError> {
        let address = secure(&format!("https://{host}"));
        let address = address.map_err(|why| {
            StoreError::setting(format_args!("the vault's host {} {why}", ShownPath(host)))
        })?;
        let domain = domain_of(&address);
        // A token must not come to a server that it is not for.
        if self.domain.get_or_init(|| domain.to_owned()) != domain {
            let what = format_args!(
                "{} is in another domain than {}, and one launch has a token for one",
                ShownPath(host),
                ShownPath(self.domain())
            );
            return Err(StoreError::setting(what));
        }
        Ok(self.reached_at(address))
    }

    fn log_in(&self, remote: &AzureRemote) -> Result<Arc<Secret>, StoreError> {
        let token = self.find_token(remote)?;
        let header = [b"Bearer ", token.expose()].concat();
        Ok(Arc::new(Secret::new(header)))
    }

    fn sign(
        &self,
        header: &Arc<Secret>,
        _: (&String, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        request.headers.push(("authorization", Arc::clone(header)));
        Ok(())
    }
}

impl Azure {
    /// The settings of the connection to a vault, or to Entra.
    fn reached_at(&self, address: Address) -> http::Settings {
        let mut settings = remote::settings(&self.context, address);
        settings.hints.trust = remote::FILES[0];
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, domain_of};

    #[test]
    fn the_domain_of_a_vault() {
        for (host, domain) in [
            ("app.vault.azure.net", "vault.azure.net"),
            ("app.vault.azure.cn:443", "vault.azure.cn"),
            ("app.vault.example", "vault.example"),
            ("10.0.0.1", "0.0.1"),
            ("vault", "vault"),
            ("127.0.0.1:8443", "vault.azure.net"),
            ("localhost:8443", "vault.azure.net"),
        ] {
            let address = Address::parse(&format!("https://{host}")).unwrap();
            assert_eq!(domain_of(&address), domain, "{host}");
        }
    }
}
