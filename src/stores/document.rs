//! What stores share whose scopes are documents: one JSON object each, its members the secrets.

use std::cell::OnceCell;
use std::time::SystemTime;

use serde_json::value::{RawValue, to_raw_value};

use crate::core::json;
use crate::model::name::{Level, Name, Scope};
use crate::model::secret::Secret;

/// What a store keeps under one name.
pub struct Document {
    /// All of it.
    pub content: Secret,
    /// When it was written, where that is kept.
    pub written: Option<SystemTime>,
    members: OnceCell<Option<Vec<(String, Secret)>>>,
}

impl Document {
    /// What was read.
    pub fn new(content: Secret, written: Option<SystemTime>) -> Self {
        let members = OnceCell::new();
        Document {
            content,
            written,
            members,
        }
    }

    /// The members in their order, each as a program gets it; `None` where it is no JSON object in
    /// UTF-8.
    pub fn members(&self) -> Option<&[(String, Secret)]> {
        let read = || {
            let mut members = Vec::new();
            for (name, value) in json::members(self.content.expose()).ok()? {
                members.push((name, Secret::new(json::plain(value).ok()?)));
            }
            Some(members)
        };
        self.members.get_or_init(read).as_deref()
    }

    /// A member's value; of a key that is repeated the last one's.
    pub fn member(&self, name: &str) -> Option<&Secret> {
        let mut members = self.members()?.iter();
        let found = members.rfind(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

/// The scope that a document's name says, behind the prefix that all have.
pub fn scope_of(text: &str) -> Option<Scope> {
    let (level, id) = text.split_once('/').unwrap_or((text, ""));
    let id = Name::new(id.as_bytes());
    match Level::new(level.as_bytes())? {
        Level::Team if level == text => Some(Scope::Team),
        Level::Team => None,
        Level::Cluster => id.map(Scope::Cluster),
        Level::Project => id.map(Scope::Project),
    }
}

/// A member's name, and its new value; `None` where it is removed.
pub type Change<'a> = (&'a str, Option<&'a str>);

/// A document's object, or a new one, with the changes made; what is not changed keeps its source.
pub fn merged(source: Option<&[u8]>, changes: &[Change<'_>]) -> Vec<u8> {
    let source = source.unwrap_or(b"{}");
    let mut members: Vec<(String, Box<RawValue>)> = json::members(source)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    for (name, value) in changes {
        members.retain(|(known, _)| known != name);
        let raw = value.and_then(|value| to_raw_value(value).ok());
        members.extend(raw.map(|raw| ((*name).to_owned(), raw)));
    }
    let mut out = b"{".to_vec();
    for (name, value) in &members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&serde_json::to_vec(name).unwrap_or_default());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    out
}
