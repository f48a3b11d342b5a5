//! Settings to reach the server: options, then the official clients' variables, then the file.

use std::sync::Arc;

use super::paths::clean;
use super::response;
use crate::core::option::{InFile, flag, value};
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::{Access, Context, Origin, StoreOption, remote};
use crate::sys::duration;
use crate::sys::http::tls::{self, Pem};
use crate::sys::http::{self, Address};
use crate::sys::random;

/// Makes names with both prefixes, the winning one first; those after a semicolon get no prefix.
macro_rules! both {
    ($($name:literal),* $(,)? $(; $($other:literal),*)?) => {
        &[$(concat!("BAO_", $name), concat!("VAULT_", $name),)* $($($other),*)?]
    };
}

/// Variables whose values are secret.
pub const CREDENTIALS: &[&str] = both!["TOKEN", "ROLE_ID", "SECRET_ID", "PASSWORD", "JWT"];

/// The other variables of the store, also those of other clients that doorkey has no use for. A
/// workload that has been given its secrets needs none of them.
pub const VARIABLES: &[&str] = both![
    "ADDR",
    "AGENT_ADDR",
    "AUTH_METHOD",
    "CACERT",
    "CACERT_BYTES",
    "CAPATH",
    "CLIENT_CERT",
    "CLIENT_KEY",
    "CLIENT_TIMEOUT",
    "CLI_NO_COLOR",
    "CLUSTER_ADDR",
    "DISABLE_REDIRECTS",
    "ENV_DAEMON",
    "ENV_DELAY",
    "ENV_FROM_PATH",
    "ENV_LOG_SERVER",
    "ENV_PASSTHROUGH",
    "FORMAT",
    "FROM_PATH",
    "HEADERS",
    "HTTP_PROXY",
    "IGNORE_MISSING_SECRETS",
    "JSON_LOG",
    "JWT_FILE",
    "LOG_LEVEL",
    "MAX_RETRIES",
    "MFA",
    "NAMESPACE",
    "PASSTHROUGH",
    "PASSWORD_FILE",
    "PATH",
    "PROXY_ADDR",
    "RATE_LIMIT",
    "REDIRECT_ADDR",
    "REVOKE_TOKEN",
    "ROLE",
    "ROLE_ID_FILE",
    "SECRET_ID_FILE",
    "SKIP_VERIFY",
    "SRV_LOOKUP",
    "TLS_SERVER_NAME",
    "TOKEN_FILE",
    "TOKEN_PATH",
    "TRANSIT_BATCH_SIZE",
    "TRANSIT_KEY_ID",
    "TRANSIT_PATH",
    "UNWRAP_TOKEN",
    "USERNAME",
    "WRAP_TTL";
    "SECRET_INIT_DAEMON",
    "SECRET_INIT_DELAY",
    "SECRET_INIT_JSON_LOG",
    "SECRET_INIT_LOG_LEVEL",
    "SECRET_INIT_LOG_SERVER",
    "SECRET_INIT_PROVIDER",
    "SECRET_INIT_*"
];

/// Variables that give a server's address.
pub const ADDRESSES: &[&str] = both!["ADDR", "AGENT_ADDR"];

/// Variables that list names of variables which are passed on all the same.
pub const PASSING: &[&str] = both!["PASSTHROUGH", "ENV_PASSTHROUGH"];

/// Variables that list documents whose members are added. The first of each kind that is set
/// counts.
pub const LISTING: [&[&str]; 2] = [both!["FROM_PATH"], both!["ENV_FROM_PATH"]];

/// The variable with the path of a pod's service account token.
pub const ACCOUNT: &str = "KUBERNETES_SERVICE_ACCOUNT_TOKEN";

/// Variables with the paths of credential files.
pub const FILES: &[&str] = both![
    "JWT_FILE",
    "PASSWORD_FILE",
    "ROLE_ID_FILE",
    "SECRET_ID_FILE",
    "TOKEN_FILE";
    "KUBERNETES_SERVICE_ACCOUNT_TOKEN"
];

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[
    StoreOption::flag(
        value("address", "URL", "The server's address"),
        InFile::Named,
    ),
    // A login's mount, in any namespace, may be set up to hand credentials on.
    StoreOption::flag(value("namespace", "NAME", "The namespace"), InFile::Named),
    StoreOption::flag(
        value(
            "auth",
            "METHOD",
            "How to log in: approle, kubernetes, jwt, ...",
        ),
        InFile::Always,
    ),
    StoreOption::flag(
        value("auth-path", "MOUNT", "The mount of the login method"),
        InFile::Named,
    ),
    StoreOption::flag(
        value("role", "NAME", "The role to log in with"),
        InFile::Always,
    ),
    StoreOption::flag(
        value("token-file", "FILE", "The token's file"),
        InFile::Never,
    ),
    StoreOption::flag(
        flag("token-once", "Remove the token's file after reading it"),
        InFile::Never,
    ),
    StoreOption::flag(
        flag("unwrap", "The token or secret id is response-wrapped"),
        InFile::Never,
    ),
    StoreOption::flag(
        flag("no-revoke", "Don't revoke the token of the login"),
        InFile::Never,
    ),
    StoreOption::flag(
        flag("require-tls", "Refuse http:// and unverified servers"),
        InFile::Always,
    ),
    StoreOption::flag(
        value("team-path", "PATH", "The document of the team's scope"),
        InFile::Always,
    ),
    StoreOption::flag(
        value(
            "cluster-path",
            "PATH",
            "The document of the cluster's scope",
        ),
        InFile::Always,
    ),
    StoreOption::flag(
        value(
            "project-path",
            "PATH",
            "The document of the project's scope",
        ),
        InFile::Always,
    ),
    StoreOption::new(
        value("kv", "VERSION", "The version of KV, 1 or 2"),
        InFile::Always,
    ),
];

/// Variables that say yes or no.
pub const YES_OR_NO: [&str; 4] = [
    "IGNORE_MISSING_SECRETS",
    "REVOKE_TOKEN",
    "SKIP_VERIFY",
    "UNWRAP_TOKEN",
];

/// A reader of a store's settings.
pub struct Reader<'a>(pub &'a Context);

/// True if `vault:` and `bao:` are two servers: each family of variables has another address, and
/// no option gives one for both.
pub fn are_two(access: &Access) -> bool {
    let mut said = access.settings.iter();
    if said.any(|setting| setting.id == "address" && setting.origin == Origin::Said) {
        return false;
    }
    let addresses = ["BAO_ADDR", "VAULT_ADDR"].map(|name| remote::text(access, name));
    matches!(addresses, [Some(bao), Some(vault)] if bao.trim_end_matches('/') != vault.trim_end_matches('/'))
}

impl Reader<'_> {
    /// The prefixes of the variables that count, the one that wins first.
    pub fn prefixes(&self) -> &'static [&'static str] {
        match self.0.location.starts_with("bao:") {
            _ if !are_two(self.0) => &["BAO", "VAULT"],
            true => &["BAO"],
            false => &["VAULT"],
        }
    }

    /// Gives a variable's value by its name without the prefix; an empty one is none. A variable
    /// with the prefix `BAO_` hides the other even if it is empty. If `vault:` and `bao:` are two
    /// servers, each has its own family.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let bytes = self
            .prefixes()
            .iter()
            .find_map(|prefix| self.0.variable(&format!("{prefix}_{name}")))?;
        str::from_utf8(bytes).ok().filter(|value| !value.is_empty())
    }

    /// Gives a secret variable's value by its name without the prefix; an empty one is none.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        let found = self.prefixes().iter().find_map(|prefix| {
            let wanted = format!("{prefix}_{name}");
            let mut all = self.0.credentials.iter();
            all.find(|(known, _)| *known == wanted)
        });
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// Gives a setting: from an option, else its variable, else the file.
    pub fn setting(&self, id: &str, variable: &str) -> Option<&str> {
        let said = self.0.said(id).or_else(|| self.variable(variable));
        said.or_else(|| self.0.configured(id))
            .filter(|value| !value.is_empty())
    }

    /// Gives a setting that is a path in the server's interface, or becomes part of one.
    ///
    /// # Errors
    /// An error that the path leads elsewhere.
    pub fn path_setting(&self, id: &str, variable: &str) -> Result<Option<&str>, StoreError> {
        let path = self.setting(id, variable);
        let what = || format!("--{id} (VAULT_{variable})");
        path.map(|path| clean(&what(), path)).transpose()
    }

    /// True if a flag is given, or its variable or the file says yes.
    ///
    /// # Errors
    /// The error that one of these says neither yes nor no.
    pub fn flag(&self, id: &str, variable: &str) -> Result<bool, StoreError> {
        let configured = self.0.configured(id).map(|text| {
            let name = format!("{id} in doorkey.toml");
            yes_or_no(text).ok_or_else(|| neither(&name))
        });
        let said = self.0.said(id).is_some() || self.yes(variable)? == Some(true);
        Ok(said || configured.transpose()? == Some(true))
    }

    /// Reads a variable that says yes or no.
    ///
    /// # Errors
    /// The error that the value is neither: what was meant may be the safer one.
    pub fn yes(&self, variable: &str) -> Result<Option<bool>, StoreError> {
        let said = self.variable(variable);
        let said = said.map(|text| yes_or_no(text).ok_or_else(|| neither(&self.full(variable))));
        said.transpose()
    }

    /// A variable's path.
    pub fn path(&self, name: &str) -> Option<Named> {
        let path = self.variable(name)?;
        Some(Named::new(self.full(name), path))
    }

    /// A variable's name with the prefix that counts.
    fn full(&self, name: &str) -> String {
        let bao = format!("BAO_{name}");
        let is_only = self.prefixes() == ["BAO"];
        match self.0.variable(&bao) {
            None if !is_only => format!("VAULT_{name}"),
            _ if self.prefixes() == ["VAULT"] => format!("VAULT_{name}"),
            _ => bao,
        }
    }

    /// Gives the settings of the connection to the server.
    ///
    /// # Errors
    /// The setting that is missing or can't be used.
    pub fn http(&self) -> Result<http::Settings, StoreError> {
        let shared = remote::settings(self.0, self.address()?);
        let mut headers = vec![
            ("X-Vault-Request", text("true")),
            ("X-Correlation-Id", text(log::launch_id(random::id))),
        ];
        if let Some(namespace) = self.path_setting("namespace", "NAMESPACE")? {
            headers.push(("X-Vault-Namespace", text(namespace)));
        }
        let attempt = match self.variable("CLIENT_TIMEOUT") {
            Some(given) => duration::parse(given)
                .filter(|given| !given.is_zero())
                .ok_or_else(|| {
                    let why = "VAULT_CLIENT_TIMEOUT must be a duration such as 60s";
                    StoreError::setting(why)
                })?,
            None => shared.attempt,
        };
        let retries = self.variable("MAX_RETRIES").map(|text| {
            let name = self.full("MAX_RETRIES");
            let retries = text.parse::<u32>();
            retries.map_err(|_| StoreError::setting(format_args!("{name} must be a number")))
        });
        let own = ["PROXY_ADDR", "HTTP_PROXY"];
        let own = own.iter().find_map(|name| self.variable(name));
        let proxy = own.map(|url| http::Proxy {
            url: response::secret(url),
            except: String::new(),
        });
        Ok(http::Settings {
            proxy: proxy.or(shared.proxy),
            tls: self.tls(shared.tls)?,
            attempt,
            tries: retries
                .transpose()?
                .map_or(0, |retries| retries.saturating_add(1)),
            headers,
            verdict: response::verdict,
            hints: http::FaultHints {
                trust: "VAULT_CACERT",
                name: "VAULT_TLS_SERVER_NAME",
                client: "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
            },
            leader: Some(http::Leader {
                path: "v1/sys/leader",
                read: response::leader,
            }),
            ..shared
        })
    }

    /// The address as it is given.
    pub fn address_text(&self) -> Option<&str> {
        self.0
            .said("address")
            .or_else(|| self.variable("AGENT_ADDR"))
            .or_else(|| self.variable("ADDR"))
            .or_else(|| self.0.configured("address"))
    }

    fn address(&self) -> Result<Address, StoreError> {
        let given = self.address_text();
        let given = given.ok_or_else(|| {
            let how = "give --address URL, VAULT_ADDR, or address = in a file that --config names";
            StoreError::setting(format_args!("the server's address is missing: {how}"))
        })?;
        let unfit = |why| StoreError::setting(format_args!("the server's address {why}"));
        let mut address = Address::parse(given).map_err(unfit)?;
        if let Some(name) = self.variable("TLS_SERVER_NAME") {
            let unfit = |why| StoreError::setting(format_args!("VAULT_TLS_SERVER_NAME {why}"));
            address.expect(name).map_err(unfit)?;
        }
        let unverified = self.yes("SKIP_VERIFY")? == Some(true);
        let unverified = unverified.then_some("VAULT_SKIP_VERIFY");
        let required = self.flag("require-tls", "REQUIRE_TLS")?;
        remote::check_way(&address, unverified, required)?;
        Ok(address)
    }

    fn is_unverified(&self) -> bool {
        self.yes("SKIP_VERIFY").is_ok_and(|said| said == Some(true))
    }

    fn tls(&self, shared: tls::TlsSettings) -> Result<tls::TlsSettings, StoreError> {
        let file = |name| self.path(name).map(Pem::File);
        let client = match (file("CLIENT_CERT"), file("CLIENT_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                let why =
                    "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY need each other; give both, or none";
                return Err(StoreError::setting(why));
            }
        };
        let bytes = self.variable("CACERT_BYTES");
        let bytes =
            bytes.map(|text| Pem::Text("VAULT_CACERT_BYTES".to_owned(), response::secret(text)));
        Ok(tls::TlsSettings {
            trust: file("CACERT").or(bytes),
            folder: self.path("CAPATH"),
            client,
            unverified: self.is_unverified(),
            ..shared
        })
    }
}

fn text(text: &str) -> Arc<Secret> {
    Arc::new(response::secret(text))
}

fn neither(name: &str) -> StoreError {
    StoreError::setting(format_args!("{name} must be true or false"))
}

/// Reads a boolean as Go's `strconv.ParseBool`, which the official clients use.
pub fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
