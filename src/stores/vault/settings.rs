//! How the server is reached: options, then the official clients' variables, then the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{explain, leader};
use super::layout::clean;
use crate::stores::Access;
use crate::words::error::Trouble;
use crate::words::named::{Named, ShownPath};
use crate::words::secret::Secret;
use crate::world::duration;
use crate::world::http::{self, Address, tls};

/// Names with both prefixes, the one that wins first; after a semicolon those without.
macro_rules! both {
    ($($name:literal),* $(,)? $(; $($other:literal),*)?) => {
        &[$(concat!("BAO_", $name), concat!("VAULT_", $name),)* $($($other),*)?]
    };
}

/// Variables whose values are secret.
pub const CREDENTIALS: &[&str] = both!["TOKEN", "ROLE_ID", "SECRET_ID", "PASSWORD", "JWT"];

/// The other variables that are about the store, those of other clients that doorkey has no use
/// for included: none is of use to a workload that has been given its secrets.
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

/// What is read and belongs to everybody.
pub const READ: &[&str] = &[
    "KUBERNETES_SERVICE_ACCOUNT_TOKEN",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
];

/// Lists of names that are passed on all the same.
pub const PASSING: &[&str] = both!["PASSTHROUGH", "ENV_PASSTHROUGH"];

/// Lists of documents whose members are added.
pub const LISTING: &[&[&str]] = &[both!["FROM_PATH"], both!["ENV_FROM_PATH"]];

/// Options.
pub const SETTINGS: &[&str] = &[
    "address",
    "auth",
    "auth-path",
    "cluster-path",
    "namespace",
    "no-revoke",
    "project-path",
    "require-tls",
    "role",
    "team-path",
    "token-file",
    "token-once",
    "unwrap",
];

/// Variables that say yes or no.
pub const YES_OR_NO: [&str; 4] = [
    "IGNORE_MISSING_SECRETS",
    "REVOKE_TOKEN",
    "SKIP_VERIFY",
    "UNWRAP_TOKEN",
];

/// The longest that one request takes unless `VAULT_CLIENT_TIMEOUT` says otherwise, as with the
/// official client: a server that is slow under load is not asked again.
const ATTEMPT: Duration = Duration::from_secs(60);

/// The names, or addresses, that are never asked through a proxy.
const HERE: &str = "localhost,127.0.0.0/8,::1";

/// What the settings of a store are read from.
pub struct Reader<'a>(pub &'a Access);

impl Reader<'_> {
    /// A variable's value by its name without the prefix. One with the prefix `BAO_` hides the
    /// other even where it is empty; an empty one is none.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let bytes = ["BAO", "VAULT"]
            .iter()
            .find_map(|prefix| self.0.variable(&format!("{prefix}_{name}")))?;
        str::from_utf8(bytes).ok().filter(|value| !value.is_empty())
    }

    /// The same of a secret one.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        let found = ["BAO", "VAULT"].iter().find_map(|prefix| {
            let wanted = format!("{prefix}_{name}");
            let mut all = self.0.credentials.iter();
            all.find(|(known, _)| *known == wanted)
        });
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// A setting: what an option says, then its variable, then the file.
    pub fn setting(&self, id: &str, variable: &str) -> Option<&str> {
        let said = self.0.said(id).or_else(|| self.variable(variable));
        said.or_else(|| self.0.configured(id))
            .filter(|value| !value.is_empty())
    }

    /// A setting that is a path in the server's interface, or becomes part of one.
    ///
    /// # Errors
    /// Where it leads elsewhere.
    pub fn path_setting(&self, id: &str, variable: &str) -> Result<Option<&str>, Trouble> {
        let path = self.setting(id, variable);
        let what = || format!("--{id} (VAULT_{variable})");
        path.map(|path| clean(&what(), path)).transpose()
    }

    /// Whether a flag is given, or its variable or the file says yes.
    ///
    /// # Errors
    /// Where one of these says neither yes nor no.
    pub fn flag(&self, id: &str, variable: &str) -> Result<bool, Trouble> {
        let configured = self.0.configured(id).map(|text| {
            let name = format!("{id} in doorkey.toml");
            yes_or_no(text).ok_or_else(|| neither(&name))
        });
        let said = self.0.said(id).is_some() || self.yes(variable)? == Some(true);
        Ok(said || configured.transpose()? == Some(true))
    }

    /// What a variable says, yes or no.
    ///
    /// # Errors
    /// Where that is neither: what was meant may be the safer one.
    pub fn yes(&self, variable: &str) -> Result<Option<bool>, Trouble> {
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
        match self.0.variable(&bao) {
            Some(_) => bao,
            None => format!("VAULT_{name}"),
        }
    }

    /// Everything that the client needs.
    ///
    /// # Errors
    /// What is missing or can't be used.
    pub fn http(&self) -> Result<http::Settings, Trouble> {
        let address = self.address()?;
        let mut headers = vec![("X-Vault-Request", text("true"))];
        if let Some(namespace) = self.path_setting("namespace", "NAMESPACE")? {
            headers.push(("X-Vault-Namespace", text(namespace)));
        }
        let attempt = match self.variable("CLIENT_TIMEOUT") {
            Some(given) => duration::parse(given)
                .filter(|given| !given.is_zero())
                .ok_or_else(|| {
                    let why = "VAULT_CLIENT_TIMEOUT must be a duration such as 60s";
                    Trouble::Setting(why.to_owned())
                })?,
            None => ATTEMPT,
        };
        let retries = self
            .variable("MAX_RETRIES")
            .and_then(|text| text.parse().ok());
        Ok(http::Settings {
            proxy: self.proxy(&address),
            tls: self.tls(),
            address,
            deadline: self.0.deadline.unwrap_or_else(|| Instant::now() + ATTEMPT),
            attempt,
            tries: retries.map_or(0, |retries: u32| retries.saturating_add(1)),
            headers,
            explain,
            leader: Some(http::Leader {
                path: "v1/sys/leader",
                read: leader,
            }),
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

    fn address(&self) -> Result<Address, Trouble> {
        let given = self.address_text();
        let given = given.ok_or_else(|| {
            let how = "give --address URL, VAULT_ADDR, or address = in a file that --config names";
            Trouble::Setting(format!("the server's address is missing: {how}"))
        })?;
        let unfit = |why| Trouble::Setting(format!("the server's address {why}"));
        let mut address = Address::parse(given).map_err(unfit)?;
        if let Some(name) = self.variable("TLS_SERVER_NAME") {
            let unfit = |why| Trouble::Setting(format!("VAULT_TLS_SERVER_NAME {why}"));
            address.expect(name).map_err(unfit)?;
        }
        let unverified = self.yes("SKIP_VERIFY")? == Some(true);
        if self.flag("require-tls", "REQUIRE_TLS")? {
            if address.is_plain() {
                return Err(unfit("must begin with https://, as --require-tls is given"));
            }
            if unverified {
                let why = "VAULT_SKIP_VERIFY can't be used with --require-tls";
                return Err(Trouble::Setting(why.to_owned()));
            }
        }
        if address.is_plain() && !address.is_loopback() {
            let host = ShownPath(address.host());
            log::warn!(
                "http to {host}: the token and the values can be read on the way; use https"
            );
        } else if unverified && !address.is_plain() {
            log::warn!("VAULT_SKIP_VERIFY: anybody on the way can be the server");
        }
        Ok(address)
    }

    fn is_unverified(&self) -> bool {
        self.yes("SKIP_VERIFY").is_ok_and(|said| said == Some(true))
    }

    fn tls(&self) -> tls::Settings {
        let bytes = self.variable("CACERT_BYTES");
        tls::Settings {
            file: self.path("CACERT"),
            text: bytes.map(|text| {
                let secret = Secret::new(text.as_bytes().to_vec());
                ("VAULT_CACERT_BYTES".to_owned(), secret)
            }),
            folder: self.path("CAPATH"),
            system: self
                .system("SSL_CERT_FILE")
                .map(|path| Named::new("SSL_CERT_FILE", path)),
            client: self.path("CLIENT_CERT").zip(self.path("CLIENT_KEY")),
            unverified: self.is_unverified(),
        }
    }

    /// A variable of everybody's.
    pub fn system(&self, name: &str) -> Option<&str> {
        let value = str::from_utf8(self.0.variable(name)?).ok()?;
        Some(value).filter(|value| !value.is_empty())
    }

    /// The proxy, and for whom it is not.
    fn proxy(&self, address: &Address) -> Option<(Secret, String)> {
        let own = ["PROXY_ADDR", "HTTP_PROXY"];
        if let Some(proxy) = own.iter().find_map(|name| self.variable(name)) {
            return Some((Secret::new(proxy.as_bytes().to_vec()), HERE.to_owned()));
        }
        let names = match address.is_plain() {
            true => ["HTTP_PROXY", "http_proxy"],
            false => ["HTTPS_PROXY", "https_proxy"],
        };
        let proxy = names.iter().find_map(|name| self.system(name))?;
        let except = ["NO_PROXY", "no_proxy"]
            .iter()
            .find_map(|name| self.system(name));
        let except = for_port(except.unwrap_or_default(), address.port());
        let except = format!("{HERE},{except}");
        Some((Secret::new(proxy.as_bytes().to_vec()), except))
    }
}

/// The hosts of a list as `NO_PROXY` has it that are meant for a port: `HOST:PORT` is for that
/// alone.
fn for_port(list: &str, port: Option<u16>) -> String {
    let meant = list.split(',').filter_map(|entry| {
        let entry = entry.trim();
        let (host, digits) = match entry.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits),
            _ => return Some(entry),
        };
        let is_meant = port.is_some() && digits.parse().ok() == port;
        is_meant.then(|| host.trim_matches(['[', ']']))
    });
    meant.collect::<Vec<_>>().join(",")
}

fn text(text: &str) -> Arc<Secret> {
    Arc::new(Secret::new(text.as_bytes().to_vec()))
}

fn neither(name: &str) -> Trouble {
    Trouble::Setting(format!("{name} must be true or false"))
}

/// As Go's `strconv.ParseBool` reads it, which the official clients use.
pub fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
