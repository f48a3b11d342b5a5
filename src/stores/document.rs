//! What stores share whose scopes are documents: one JSON object each, its members the secrets.

use std::cell::OnceCell;
use std::time::SystemTime;

use crate::core::json;
use crate::model::name::{Level, Name, Scope};
use crate::model::secret::Secret;

/// What a store keeps under one name.
pub struct Document {
    /// All of it.
    pub content: Secret,
    /// When it was written, where that is kept.
    pub written: Option<SystemTime>,
    members: OnceCell<Option<Members>>,
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

    /// The members; `None` where it is no JSON object in UTF-8.
    pub fn members(&self) -> Option<&Members> {
        let read = || Members::read(self.content.expose());
        self.members.get_or_init(read).as_ref()
    }

    /// A member's value.
    pub fn member(&self, name: &str) -> Option<&Secret> {
        self.members()?.get(name)
    }
}

/// The members of a JSON object.
pub struct Members {
    /// Their names and values, each as a program gets it, in their order.
    pub all: Vec<(String, Secret)>,
    /// Their places, by their names.
    by_name: Vec<usize>,
}

impl Members {
    /// Reads them; `None` where the text is no JSON object in UTF-8.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut all = Vec::new();
        for (name, value) in json::members(text).ok()? {
            all.push((name, Secret::new(json::plain(value).ok()?)));
        }
        let mut by_name: Vec<usize> = (0..all.len()).collect();
        by_name.sort_by(|&one, &other| all[one].0.cmp(&all[other].0));
        Some(Members { all, by_name })
    }

    /// A value; of a name that is repeated the last one's.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        let known = |&at: &usize| self.all[at].0.as_str();
        let after = self.by_name.partition_point(|at| known(at) <= name);
        let last = self.by_name[..after].last().filter(|at| known(at) == name);
        last.map(|&at| &self.all[at].1)
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
