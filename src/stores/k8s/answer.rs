//! Answers of the API server: Secret objects, and faults. The server's own words are never passed
//! on: they may quote what was sent.

use std::borrow::Cow;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::json;
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::Answer;

/// A Secret object.
pub struct Object {
    /// Keys and their values.
    pub members: Vec<(String, Secret)>,
    /// The version of the object: it differs after every change.
    pub version: String,
    /// The time of creation.
    pub created: Option<SystemTime>,
    /// The time of the last change.
    pub modified: Option<SystemTime>,
    /// True if it can't be changed.
    pub immutable: bool,
}

impl Object {
    /// The value of a key.
    pub fn member(&self, key: &str) -> Option<&Secret> {
        let found = self.members.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }
}

/// Reads a Secret object.
///
/// # Errors
/// The error that the answer is no Secret object.
pub fn object(answer: &Answer, path: &str) -> Result<Object, StoreError> {
    #[derive(Deserialize)]
    struct SecretObject<'a> {
        #[serde(borrow)]
        metadata: ObjectMeta<'a>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
        #[serde(default)]
        immutable: Option<bool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ObjectMeta<'a> {
        #[serde(borrow)]
        resource_version: Cow<'a, str>,
        #[serde(borrow, default)]
        creation_timestamp: Option<&'a str>,
        #[serde(borrow, default)]
        managed_fields: Vec<Field<'a>>,
    }
    #[derive(Deserialize)]
    struct Field<'a> {
        #[serde(borrow, default)]
        time: Option<&'a str>,
    }
    let unusable = || StoreError::unusable(ShownPath(path), "the answer is no Secret object");
    let read: SecretObject<'_> =
        serde_json::from_slice(answer.body.expose()).map_err(|_| unusable())?;
    let mut members = Vec::new();
    let data = read.data.map_or("null", RawValue::get);
    if data != "null" {
        for (key, value) in json::members(data.as_bytes()).map_err(|_| unusable())? {
            let encoded = Secret::new(json::plain(value).map_err(|_| unusable())?);
            let value = BASE64_STANDARD.decode(encoded.expose());
            members.push((key, Secret::new(value.map_err(|_| unusable())?)));
        }
    }
    let time = |text: Option<&str>| humantime::parse_rfc3339(text?).ok();
    let created = time(read.metadata.creation_timestamp);
    let fields = read.metadata.managed_fields.iter();
    let modified = fields.filter_map(|field| time(field.time)).max();
    Ok(Object {
        members,
        version: read.metadata.resource_version.into_owned(),
        created,
        modified: modified.or(created),
        immutable: read.immutable == Some(true),
    })
}

/// An action on a Secret object, and the right that the action needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reads one object.
    Get,
    /// Lists the objects of a namespace.
    List,
    /// Makes an object.
    Create,
    /// Changes an object.
    Patch,
}

/// True if the object is not there.
pub fn is_absent(answer: &Answer) -> bool {
    answer.status == 404 && reason(answer) == Some("NotFound")
}

/// The server's reason, from its own enumeration.
fn reason(answer: &Answer) -> Option<&str> {
    #[derive(Deserialize)]
    struct ApiStatus<'a> {
        kind: &'a str,
        #[serde(default)]
        reason: &'a str,
    }
    let status: ApiStatus<'_> = serde_json::from_slice(answer.body.expose()).ok()?;
    (status.kind == "Status").then_some(status.reason)
}

/// The fault in an answer of status 400 or more. `method` is the login method, an error if there
/// was no credential to show.
pub fn fault(answer: &Answer, path: &str, doing: Doing, method: Result<&str, &str>) -> StoreError {
    let shown = ShownPath(path);
    let nobody = "there is no token, no certificate and no exec plug-in";
    match (answer.status, reason(answer), method) {
        (401 | 403, Some(_), Err(method)) => StoreError::not_admitted(method, nobody),
        (401, _, Ok(method)) => {
            let why = "the API server does not take it; it may have expired";
            StoreError::not_admitted(method, why)
        }
        (403, Some(_), _) => denied(path, doing),
        (404, Some("NotFound"), _) if doing == Doing::Create => {
            let namespace = ShownPath(path.split('/').next().unwrap_or_default());
            let what = format_args!("there is no namespace {namespace}");
            StoreError::gone(what).hint("make it, or check the store's name")
        }
        (404, Some("NotFound"), _) => StoreError::gone(format_args!("there is no {shown}")),
        (409, ..) => StoreError::unusable(shown, "others have changed it at the same time (409)"),
        (413, ..) => StoreError::unusable(shown, "it is larger than the API server takes (413)"),
        (422, ..) => {
            let why = "the API server takes it for invalid (422): a Secret holds 1 MiB in all";
            StoreError::unusable(shown, why)
        }
        (status, None, _) => {
            let why = format_args!("status {status}, and no answer of a Kubernetes API server");
            StoreError::unusable(shown, why).hint("check the server's address")
        }
        (status, ..) => {
            let why = format_args!("the API server refuses with status {status}");
            StoreError::unusable(shown, why)
        }
    }
}

/// The error of a denied action. The server gives one answer for missing objects and for forbidden
/// ones.
fn denied(path: &str, doing: Doing) -> StoreError {
    let shown = ShownPath(path);
    match doing {
        Doing::Get => StoreError::denied(format_args!(
            "{shown} is not for us, or does not exist, which only those learn who may get it"
        ))
        .hint("a Role must allow get on secrets, with this name in its resourceNames"),
        Doing::List => StoreError::denied(format_args!("the Secrets of {shown} can't be listed"))
            .hint("a Role must allow list on secrets, which shows all of their values"),
        Doing::Create => StoreError::denied(format_args!("{shown} can't be made"))
            .hint("a Role must allow create on secrets"),
        Doing::Patch => StoreError::denied(format_args!("{shown} can't be changed"))
            .hint("a Role must allow patch on secrets, with this name in its resourceNames"),
    }
}
