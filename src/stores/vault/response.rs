//! Answers of the server. The server's own words are matched, and never passed on: they may quote
//! what was sent.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::{Answer, Verdict};

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

/// The server's messages in one text.
fn messages(body: &[u8]) -> String {
    let parsed: Result<Errors, _> = serde_json::from_slice(body);
    parsed
        .map(|parsed| parsed.errors.join(" "))
        .unwrap_or_default()
}

/// Judges an answer. Beside the passing faults of all servers, it knows three more. They are a
/// state that has not arrived yet (412), a standby (473), and some messages.
pub fn verdict(answer: &Answer) -> Verdict {
    const KNOWN: [(&str, bool, &str); 7] = [
        ("is sealed", false, "it is sealed; unseal it"),
        ("quota exceeded", false, "a rate limit quota is exceeded"),
        (
            "Upgrading from non-versioned",
            true,
            "the mount is being upgraded",
        ),
        (
            "Waiting for the primary",
            true,
            "the mount is being upgraded",
        ),
        (
            "not active but active cluster node not found",
            false,
            "the cluster has no leader",
        ),
        (
            "could not load backend configuration",
            false,
            "the auth mount is not configured",
        ),
        ("missing role_id", false, "the role id is missing"),
    ];
    if answer.status < 400 {
        return Verdict::Counts;
    }
    let messages = messages(answer.body.expose());
    let known = KNOWN.iter().find(|(text, ..)| messages.contains(text));
    let why = known.map(|(.., why)| *why);
    let is_undone = matches!(answer.status, 412 | 473);
    if is_undone || known.is_some_and(|(_, passing, _)| *passing) {
        return Verdict::Passing { why, undone: true };
    }
    match Verdict::of_status(answer) {
        Verdict::Passing { undone, .. } => Verdict::Passing { why, undone },
        Verdict::Counts => Verdict::Counts,
    }
}

#[derive(Deserialize)]
struct LeaderAnswer {
    #[serde(default)]
    ha_enabled: bool,
    #[serde(default)]
    leader_address: String,
}

/// Reads the address of the cluster's leader, empty if there is none; `None` if there is no
/// cluster.
pub fn leader(body: &[u8]) -> Option<String> {
    let leader: LeaderAnswer = serde_json::from_slice(body).ok()?;
    leader.ha_enabled.then_some(leader.leader_address)
}

/// The parts of an answer, apart from its messages.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    /// The content that was read.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    /// The result of a login.
    #[serde(borrow, default)]
    pub auth: Option<&'a RawValue>,
    /// The lease of the content; empty if it is not lent.
    #[serde(borrow, default)]
    pub lease_id: Option<&'a str>,
    /// The duration of the lease in seconds.
    #[serde(default)]
    pub lease_duration: u64,
    /// True if the lease can be renewed.
    #[serde(default)]
    pub renewable: bool,
}

const NOT_JSON: &str = "not JSON; is this the address of an OpenBao or Vault server?";

/// The parts of an answer.
///
/// # Errors
/// An unusable answer, which is not the server's JSON.
pub fn open<'a>(answer: &'a Answer, what: &str) -> Result<Envelope<'a>, StoreError> {
    let unusable = |why: &str| StoreError::unusable(ShownPath(what), why);
    if !answer.is_json() {
        return Err(unusable(&format!("the answer is {NOT_JSON}")));
    }
    serde_json::from_slice(answer.body.expose())
        .map_err(|_| unusable("the answer is broken JSON, or not the server's"))
}

/// The kind of a refusal.
pub enum ServerRefusal {
    /// The token is invalid, or no longer valid.
    BadToken,
    /// A policy says no.
    Policy,
    /// Nothing is mounted there.
    NoMount,
    /// There is no such namespace.
    NoNamespace,
    /// Somebody else wrote in between.
    LostRace,
    /// The document is only written with the version that it replaces.
    NeedsVersion,
    /// The credentials are wrong, for this reason.
    Credentials(&'static str),
    /// The token was used up by this request, and the lease that was made for it ended with the
    /// token.
    UsedUp,
    /// The path answers only to a write.
    WriteOnly,
    /// Anything else.
    Other,
}

const FROM_THE_FUTURE: &str =
    "the JWT is from the future: are the clocks of its issuer and of the server right?";

/// Tells the kind of refusal in an answer of status 400 or more.
pub fn refusal(answer: &Answer) -> ServerRefusal {
    const CREDENTIALS: [(&str, &str); 17] = [
        (
            "invalid role or secret ID",
            "the role id or the secret id is wrong or used up",
        ),
        (
            "missing secret_id",
            "a secret id is needed; give VAULT_SECRET_ID or VAULT_SECRET_ID_FILE",
        ),
        (
            "invalid username or password",
            "the user or the password is wrong",
        ),
        ("token is expired", "the JWT has expired"),
        ("(iat)", FROM_THE_FUTURE),
        ("(nbf)", FROM_THE_FUTURE),
        ("not yet valid", FROM_THE_FUTURE),
        ("audience", "the JWT is for another audience"),
        (
            "signature",
            "the JWT is signed by a key that the server does not know",
        ),
        ("error validating token", "the JWT is not valid"),
        ("could not be found", "the server has no such role"),
        ("invalid role name", "the server has no such role"),
        (
            "missing role",
            "a role is needed; give --role or VAULT_ROLE",
        ),
        (
            "service account name not authorized",
            "the role is not for this service account",
        ),
        (
            "namespace not authorized",
            "the role is not for this service account's namespace",
        ),
        (
            "client certificate",
            "the server knows no such client certificate; give VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
        ),
        (
            "wrapping token is not valid",
            "the wrapping token has expired, or somebody has unwrapped it already: find out who",
        ),
    ];
    let messages = messages(answer.body.expose());
    if answer.status == 403 {
        // A policy's no comes as a list of errors, that to a bad token by itself.
        return match messages.trim() {
            "permission denied" => ServerRefusal::BadToken,
            _ => match CREDENTIALS.iter().find(|(text, _)| messages.contains(text)) {
                Some((_, why)) => ServerRefusal::Credentials(why),
                None => ServerRefusal::Policy,
            },
        };
    }
    if answer.status == 405 || messages.contains("unsupported operation") {
        return ServerRefusal::WriteOnly;
    }
    if messages.contains("token had one use left") {
        return ServerRefusal::UsedUp;
    }
    if messages.contains("no handler for route") {
        ServerRefusal::NoMount
    } else if messages.contains("namespace not found") {
        ServerRefusal::NoNamespace
    } else if messages.contains("check-and-set parameter did not match") {
        ServerRefusal::LostRace
    } else if messages.contains("check-and-set parameter required") {
        ServerRefusal::NeedsVersion
    } else {
        let known = CREDENTIALS.iter().find(|(text, _)| messages.contains(text));
        known.map_or(ServerRefusal::Other, |(_, why)| {
            ServerRefusal::Credentials(why)
        })
    }
}

/// The error that the token has no right to a path.
pub fn denied(path: &str) -> StoreError {
    let path = ShownPath(path);
    let what = format_args!("the token may not use {path}, or is no longer valid");
    StoreError::denied(what).hint("its policies must allow it")
}

/// True if an answer says that something can't be renewed.
pub fn is_not_renewable(answer: &Answer) -> bool {
    let messages = messages(answer.body.expose());
    ["not renewable", "past the max", "beyond the max", "max_ttl"]
        .iter()
        .any(|text| messages.contains(text))
}

/// The fault in an answer to a request for `path`, if the caller knows no better one.
pub fn trouble(answer: &Answer, path: &str) -> StoreError {
    match refusal(answer) {
        ServerRefusal::BadToken => {
            let why = "it is none that the server knows: wrong, expired, revoked or used up";
            StoreError::not_admitted("token", why)
        }
        ServerRefusal::WriteOnly => {
            let why = "it answers only to a write, which doorkey does not send to get a value";
            StoreError::unusable(ShownPath(path), why).hint("have what is made there put into KV")
        }
        ServerRefusal::UsedUp => {
            let why = "the token had one use left, so that the server took the credentials back \
                       at once";
            StoreError::unusable(ShownPath(path), why).hint("give a token of more uses")
        }
        ServerRefusal::Policy => denied(path),
        ServerRefusal::NoMount => {
            let what = format_args!("nothing is mounted at {}", ShownPath(path));
            StoreError::absent(what).hint("check the store's name")
        }
        ServerRefusal::NoNamespace => {
            StoreError::setting("the server has no such namespace").hint("check VAULT_NAMESPACE")
        }
        ServerRefusal::LostRace => crate::stores::contended(),
        ServerRefusal::NeedsVersion | ServerRefusal::Credentials(_) | ServerRefusal::Other => {
            let why = match answer.is_json() {
                true => format!("the server refuses with status {}", answer.status),
                false => format!("status {}, {NOT_JSON}", answer.status),
            };
            StoreError::unusable(ShownPath(path), why)
        }
    }
}

/// The error that the newest version of a document is deleted.
pub fn deleted(path: &str) -> StoreError {
    let path = ShownPath(path);
    StoreError::gone(format_args!("{path} is deleted"))
        .hint("undelete it, or set its secrets again")
}

/// The error that the newest version of a document is destroyed.
pub fn destroyed(path: &str) -> StoreError {
    let path = ShownPath(path);
    StoreError::destroyed(format_args!("{path} is destroyed")).hint("set its secrets again")
}

/// The error that one version of a document is deleted, or destroyed.
pub fn dropped(path: &str, version: &str, destroyed: bool) -> StoreError {
    let done = if destroyed { "destroyed" } else { "deleted" };
    let what = format_args!("version {version} of {} is {done}", ShownPath(path));
    let dropped = match destroyed {
        true => StoreError::destroyed(what),
        false => StoreError::gone(what),
    };
    dropped.hint("name another version, or none for the newest")
}

/// A string inside of JSON, as a secret.
pub fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}
