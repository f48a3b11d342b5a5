//! Azure Key Vault: one JSON secret a scope, its members the secrets.

mod write;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use super::azure::{self, Azure, AzureRemote};
use super::document::{Document, Documents, KnownDocuments, Place, Reading};
use super::kind::Places;
use super::plain::PlainStore;
use super::{Context, Location, Opened, flat};
use crate::core::json::{self, Levels};
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::log;
use crate::model::name::Scope;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::{self, Address, Method, Request};

/// The single places of the store.
pub const PLACES: Places = Places {
    judge,
    hands_over: |_| false,
    asked: None,
};

/// The word of another tool's references, `azure:keyvault:NAME[/VERSION]`.
pub const PEER: &str = "azure:keyvault";

/// The single places in another tool's references.
pub const PEERS: Places = Places {
    judge: judge_peer,
    ..PLACES
};

/// The greatest length of a secret's name.
const LONGEST: usize = 127;

/// The version of the interface.
const INTERFACE: &str = "api-version=7.6";

/// The greatest number of secrets on a page of a list.
const PAGE: usize = 25;

struct KeyVault {
    /// The vault in the store's name; empty where references name theirs.
    vault: String,
    prefix: String,
    /// True if references are those of another tool.
    of_peer: bool,
    remote: AzureRemote,
    known: Mutex<KnownDocuments<Document>>,
}

/// Opens `azure-kv:PLACE`. Nothing is asked yet.
///
/// # Errors
/// The fault of the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let (vault, prefix) = place.split_once('/').unwrap_or((place, ""));
    if !place.is_empty() && !is_vault(vault) {
        return Err(StoreError::setting(NO_VAULT));
    }
    let is_fit = is_name(prefix) && flat::is_prefix(prefix);
    if !prefix.is_empty() && !is_fit {
        let what = "a prefix has letters, digits and '-' alone, no '--', and no '-' at its end";
        return Err(StoreError::setting(what));
    }
    Ok(Box::new(KeyVault {
        vault: vault.to_owned(),
        // Case does not count in a vault.
        prefix: prefix.to_ascii_lowercase(),
        of_peer: context.location.starts_with(PEER),
        remote: AzureRemote::new(Azure::new(context), context),
        known: Mutex::default(),
    }))
}

const NO_VAULT: &str = "neither a vault's name, of letters, digits and '-', nor its host";

/// True for a vault's name, or its host, with a port or not.
fn is_vault(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_host = host.bytes().all(fits) && host.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_host && port.parse::<u16>().is_ok()
}

/// True for a secret's name in a vault.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// The name that a vault can have in the place of one with `_` or `.`.
fn dashed(name: &str) -> Cow<'_, str> {
    match name.contains(['_', '.']) {
        true => name.replace(['_', '.'], "-").into(),
        false => name.into(),
    }
}

/// True for a version's id.
fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks the location in a reference: a vault and a secret's name, with an optional key of the
/// JSON in it and an optional version.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(location: Location, _: Form) -> Result<Location, Misfit> {
    let (vault, name) = location
        .path
        .split_once('/')
        .unwrap_or(("", &location.path));
    if !is_vault(vault) {
        return Err((
            LocationPart::Path,
            "a vault and '/' must be before a secret's name",
        ));
    }
    judge_name(name, location.version.as_deref())?;
    Ok(location)
}

/// Checks the location in another tool's reference: a secret's name, and an optional version.
///
/// # Errors
/// The reason why the location is none.
pub fn judge_peer(location: Location, _: Form) -> Result<Location, Misfit> {
    let (name, version) = match location.path.split_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (&*location.path, location.version.as_deref()),
    };
    if version.is_some() && location.version.is_some() && location.path.contains('/') {
        return Err((LocationPart::Version, "it has two versions; keep one"));
    }
    judge_name(name, version).map_err(|(part, why)| match location.version {
        Some(_) => (part, why),
        None => (LocationPart::Path, why),
    })?;
    Ok(location)
}

fn judge_name(name: &str, version: Option<&str>) -> Result<(), Misfit> {
    if !is_name(&dashed(name)) {
        let why = "a secret's name has letters, digits and '-' alone, and at most 127 of them";
        return Err((LocationPart::Path, why));
    }
    match version.is_none_or(is_version) {
        true => Ok(()),
        false => Err((LocationPart::Version, "a version has 32 hexadecimal digits")),
    }
}

impl KeyVault {
    fn azure(&self) -> &Azure {
        self.remote.service()
    }

    /// The vault's host, and the path of a secret there.
    fn parts(&self, (path, version): &Place) -> Result<(String, String), StoreError> {
        let (first, second) = path.split_once('/').unwrap_or((path, ""));
        let version = version.as_deref();
        let (host, name, version) = match self.of_peer {
            false => (self.azure().host_of(first)?, second, version),
            true => {
                let written = Some(second).filter(|version| !version.is_empty());
                (self.azure().given_vault()?, first, version.or(written))
            }
        };
        let held = dashed(name);
        if held != name {
            let name = ShownPath(name);
            log::info!(
                Advice;
                "{name} is looked for as {held}: a vault's names have no '_' and no '.'"
            );
        }
        let version = version.map(|version| format!("/{version}"));
        let path = format!("secrets/{held}{}", version.unwrap_or_default());
        Ok((host, path))
    }

    /// Builds a request about a place.
    fn request(&self, method: Method, place: &Place) -> Result<(String, Request), StoreError> {
        let (host, path) = self.parts(place)?;
        // No token is asked for where the vault can't be.
        self.remote.server(&host)?;
        Ok((host, Request::new(method, format!("{path}?{INTERFACE}"))))
    }
}

impl Documents<Document> for KeyVault {
    fn in_force(&self) -> &[Scope] {
        &self.azure().context.scopes
    }

    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError> {
        if self.prefix.is_empty() {
            let what = "the store's name says no prefix";
            return Err(StoreError::setting(what).hint("give azure-kv:VAULT/PREFIX"));
        }
        let fits = |name: &str| is_name(name) && !name.bytes().any(|b| b.is_ascii_uppercase());
        let why = "a name there has a-z, 0-9 and '-' alone, and at most 127 of them";
        let name = flat::name_of(&self.prefix, scope, fits, why)?;
        let path = format!("{}/{name}", self.vault);
        Ok((path.clone(), path))
    }

    fn kept(&self) -> &Mutex<KnownDocuments<Document>> {
        &self.known
    }

    fn read(&self, places: &[Place]) -> Result<Vec<Reading<Document>>, StoreError> {
        let requests = places.iter().map(|place| self.request(Method::GET, place));
        let requests = requests.collect::<Result<_, _>>()?;
        let ask = || self.remote.round(requests);
        let answers = self.remote.timed((places.len(), "secrets"), ask)?;
        let answers = places.iter().zip(answers);
        answers
            .map(|((path, _), answer)| Ok(read(&answer?, path)))
            .collect()
    }
}

/// Reads the answer to a request for a secret; `None` if the secret does not exist.
fn read(answer: &http::Answer, path: &str) -> Reading<Document> {
    match &*azure::code(answer).code {
        "SecretNotFound" => return Ok(None),
        _ if answer.status >= 400 => return Err(azure::trouble(answer, path, "get")),
        _ => {}
    }
    let unusable = |why| StoreError::unusable(ShownPath(path), why);
    let mut levels = Levels::default();
    let mut member = |path| {
        let found = json::member(answer.body.expose(), path, &mut levels);
        found.map(|found| Secret::new(found.into_owned()))
    };
    let value = json::text_of(answer.body.expose(), "value").map(Secret::new);
    let content = value.ok_or_else(|| unusable("the answer is no secret"))?;
    let mut said = |path| {
        let found = member(path).ok();
        found.map(|found| String::from_utf8_lossy(found.expose()).to_ascii_lowercase())
    };
    if said("attributes.enabled").as_deref() == Some("false") {
        return Err(azure::disabled(path));
    }
    // A vault holds text. Bytes are base64 by convention, which the type says, or a tag of `az`.
    let kind = said("contentType").unwrap_or_default();
    let is_bytes = kind == "application/octet-stream" || kind == "application/x-pkcs12";
    let is_marked = said("tags.file-encoding").as_deref() == Some("base64");
    let content = match is_bytes || is_marked || kind.contains("base64") {
        false => content,
        true => Secret::new(BASE64_STANDARD.decode(content.expose()).map_err(|_| {
            unusable("its content type says that it is base64, and its value is none")
        })?),
    };
    let since = said("attributes.updated").and_then(|since| since.parse().ok());
    let written = since.map(Duration::from_secs);
    let written = written.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
    Ok(Some(Document::new(content, written)))
}

impl PlainStore for KeyVault {
    const LARGEST: (usize, &'static str) = write::LARGEST;

    fn context(&self) -> &Arc<Context> {
        &self.azure().context
    }

    fn settings(&self) -> String {
        self.azure().identity()
    }

    fn deadline(&self) -> Result<Instant, StoreError> {
        Ok(self.remote.client()?.deadline())
    }

    fn existing(&self) -> Result<Vec<Scope>, StoreError> {
        let (team, _) = self.document_of(&Scope::Team)?;
        let host = self.azure().host_of(&self.vault)?;
        let here = self.remote.server(&host)?.address().authority();
        let no_list = || StoreError::unusable(ShownPath(&self.vault), "the answer is no list");
        let mut scopes = BTreeSet::new();
        let mut path = format!("secrets?{INTERFACE}&maxresults={PAGE}");
        loop {
            let request = Request::new(Method::GET, path);
            let answer = self.remote.ask(&host, request)?;
            if answer.status >= 400 {
                return Err(azure::trouble(&answer, &team, "list"));
            }
            let page: Result<Value, _> = serde_json::from_slice(answer.body.expose());
            let page = page.map_err(|_| no_list())?;
            let listed = page["value"].as_array().ok_or_else(no_list)?.iter();
            let ids = listed.filter_map(|one| one["id"].as_str()?.rsplit('/').next());
            let names = ids.map(str::to_ascii_lowercase);
            scopes.extend(names.filter_map(|name| flat::scope_in(&self.prefix, &name)));
            let next = page["nextLink"].as_str().filter(|next| !next.is_empty());
            let Some(next) = next else {
                return Ok(scopes.into_iter().collect());
            };
            let (address, rest) = Address::split(next).map_err(|_| no_list())?;
            if address.authority() != here {
                return Err(no_list());
            }
            path = rest;
        }
    }

    fn put(&self, path: &str, text: &str, _: bool) -> Result<bool, StoreError> {
        self.write_whole(path, text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Location, LocationPart, dashed, is_vault, judge, judge_peer};

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn what_a_reference_can_be() {
        let (path, version) = (Some(LocationPart::Path), Some(LocationPart::Version));
        let long = format!("v/{}", "a".repeat(128));
        let with_version = format!("v/db#k#{VERSION}");
        for (text, fault) in [
            ("v/db-1", None),
            ("V1.vault.azure.net:443/db_password#a.b", None),
            (&with_version, None),
            ("db", path),
            ("v/db/x", path),
            ("v/db x", path),
            ("v@x/db", path),
            (&long, path),
            ("v/db#k#3", version),
        ] {
            let judged = judge(Location::parse(text).unwrap(), Form::Value);
            assert_eq!(judged.err().map(|(part, _)| part), fault, "{text}");
        }
        let peers = format!("db/{VERSION}");
        let twice = format!("db/{VERSION}#k#{VERSION}");
        let later = format!("db#k#{VERSION}");
        for (text, fault) in [
            ("db_password", None),
            (&peers, None),
            (&later, None),
            ("db/3", path),
            ("db/", path),
            ("db#k#3", version),
            (&twice, version),
        ] {
            let judged = judge_peer(Location::parse(text).unwrap(), Form::Value);
            assert_eq!(judged.err().map(|(part, _)| part), fault, "{text}");
        }
    }

    #[test]
    fn vaults_and_names() {
        for vault in ["app", "app-1.vault.azure.cn", "127.0.0.1:8443", "localhost"] {
            assert!(is_vault(vault), "{vault}");
        }
        for other in ["", "a b", "a/b", "a@b", "a:x", ":443", "a:99999", "-a"] {
            assert!(!is_vault(other), "{other}");
        }
        assert_eq!(dashed("db_password.old"), "db-password-old");
        assert_eq!(dashed("db-password"), "db-password");
    }
}
