//! One document: its members, and the facts that its store keeps.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::{self, ServerRefusal, refusal, trouble};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::Lease;
use crate::stores::document::Members;
use crate::sys::http::Answer;

/// A document.
pub struct VaultDocument {
    /// The document's members.
    pub members: Members,
    /// The lease that it comes with.
    pub granted: Option<Granted>,
    /// The lease together with its token.
    pub lease: Option<Lease>,
    /// The JSON source of the object with the members.
    pub source: Secret,
    /// The document's version; 0 if no versions are kept.
    pub version: u64,
    /// The time of writing, if the store keeps it.
    pub written: Option<SystemTime>,
}

/// A lease, as the server describes it.
pub struct Granted {
    /// The lease's id.
    pub id: String,
    /// The duration in seconds.
    pub seconds: u64,
    /// True if the lease can be renewed.
    pub renewable: bool,
}

/// The result of reading a document.
pub enum Read {
    /// The document exists.
    There(VaultDocument),
    /// The document does not exist, or the server does not tell it apart from a missing one.
    Absent,
    /// The document's newest version, of this number, is deleted or destroyed.
    Gone(u64, StoreError),
    /// The server answered, but did not give the document.
    Failed(StoreError),
}

/// The wrapping of a document's members in a mount with versions.
#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    created_time: &'a str,
    #[serde(default)]
    destroyed: bool,
    #[serde(default)]
    version: u64,
}

impl VaultDocument {
    /// A member's value.
    pub fn member(&self, name: &str) -> Option<&Secret> {
        self.members.get(name)
    }

    fn new(source: &RawValue, version: u64, written: Option<SystemTime>) -> Option<Self> {
        let source = source.get().as_bytes();
        Some(VaultDocument {
            members: Members::read(source)?,
            granted: None,
            lease: None,
            source: Secret::new(source.to_vec()),
            version,
            written,
        })
    }
}

/// Reads the answer to a request for the document at `path`. `versioned` tells if the answer is
/// wrapped, if that is known; `version` is the one that was asked for, if it is not the newest.
pub fn read(answer: &Answer, path: &str, versioned: Option<bool>, version: Option<&str>) -> Read {
    let unusable = || StoreError::unusable(ShownPath(path), "the answer is no document");
    let missing = answer.status == 404;
    if answer.status >= 400 && !missing {
        return Read::Failed(trouble(answer, path));
    }
    let opened = match response::open(answer, path) {
        Ok(opened) => opened,
        Err(_) if missing && answer.body.is_empty() => return Read::Absent,
        Err(trouble) => return Read::Failed(trouble),
    };
    let Some(data) = opened.data.filter(|data| data.get() != "null") else {
        return match refusal(answer) {
            _ if !missing => Read::Failed(unusable()),
            ServerRefusal::NoMount | ServerRefusal::NoNamespace => {
                Read::Failed(trouble(answer, path))
            }
            _ => Read::Absent,
        };
    };
    let granted = opened.lease_id.filter(|id| !id.is_empty());
    let granted = granted.map(|id| Granted {
        id: id.to_owned(),
        seconds: opened.lease_duration,
        renewable: opened.renewable,
    });
    let wrapped: Option<Versioned<'_>> = match versioned {
        _ if granted.is_some() => None,
        Some(false) => None,
        // A flat document may have members of these names, but not of these types.
        _ => serde_json::from_str(data.get()).ok(),
    };
    let found = match &wrapped {
        None if versioned == Some(true) || missing => None,
        None => VaultDocument::new(data, 0, None),
        Some(Versioned { data, metadata }) => {
            match data.filter(|data| data.get() != "null" && !missing) {
                Some(data) => {
                    let written = humantime::parse_rfc3339(metadata.created_time).ok();
                    VaultDocument::new(data, metadata.version, written)
                }
                None => {
                    let gone = match (version, metadata.destroyed) {
                        (Some(version), destroyed) => response::dropped(path, version, destroyed),
                        (None, true) => response::destroyed(path),
                        (None, false) => response::deleted(path),
                    };
                    return Read::Gone(metadata.version, gone);
                }
            }
        }
    };
    let granting = |found| VaultDocument { granted, ..found };
    found.map_or_else(
        || Read::Failed(unusable()),
        |found| Read::There(granting(found)),
    )
}
