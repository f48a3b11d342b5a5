//! Where the documents of the scopes are.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::path_of;
use super::settings::Reader;
use crate::model::error::StoreError;
use crate::model::name::{Level, NO_PATH, Scope, is_path};

/// All but what stands for itself in a step of a path (RFC 3986, `pchar`, and the slash).
const UNFIT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'@')
    .remove(b':')
    .remove(b'=')
    .remove(b',')
    .remove(b'+');

/// A path as it stands in a request.
pub fn encoded(path: &str) -> String {
    utf8_percent_encode(path, &UNFIT).to_string()
}

/// Something that is mounted: a KV store of version 1 or 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its path, without slashes around it.
    pub path: String,
    /// True if it keeps versions.
    pub versioned: bool,
}

impl Mount {
    /// The path, in the server's interface, of what `kind` says (`data`, `metadata`) of a document.
    pub fn path(&self, kind: &str, document: &str) -> String {
        let mount = &self.path;
        let inner = self.inside(document);
        match self.versioned {
            true => format!("{mount}/{kind}/{inner}"),
            false => format!("{mount}/{inner}"),
        }
    }

    /// The path of requests for that.
    pub fn request(&self, kind: &str, document: &str) -> String {
        path_of(&self.path(kind, document))
    }

    /// A document's path in it. What is written as requests have it (`secret/data/db`) means the
    /// same.
    fn inside<'d>(&self, document: &'d str) -> &'d str {
        let rest = document
            .strip_prefix(self.path.as_str())
            .unwrap_or(document);
        let inner = rest.trim_start_matches('/');
        match inner.strip_prefix("data/") {
            Some(stripped) if self.versioned => stripped,
            _ => inner,
        }
    }
}

/// Where the scopes are.
pub struct Layout {
    /// The mount and the folder in it.
    prefix: String,
    /// Paths that stand in the place of the usual ones.
    instead: [(Level, Option<String>); 3],
    /// The version of KV, where the location says it.
    pub versioned: Option<bool>,
}

impl Layout {
    /// Reads `MOUNT/PREFIX`, and what the settings put in its place.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(place: &str, reader: &Reader<'_>) -> Result<Self, StoreError> {
        let said = |id: &str| reader.0.said(id).or_else(|| reader.0.configured(id));
        let versioned = match said("kv") {
            None => None,
            Some("1") => Some(false),
            Some("2") => Some(true),
            Some(_) => {
                let why = "after '?' the store's name has kv=1 or kv=2";
                return Err(StoreError::setting(why));
            }
        };
        let path = |id: &str| {
            let given = said(id).filter(|path| !path.is_empty());
            let path = given.map(|path| clean(&format!("--{id}"), path));
            path.map(|path| path.map(str::to_owned)).transpose()
        };
        Ok(Layout {
            prefix: match place {
                "" => String::new(),
                prefix => clean("the store's name", prefix)?.to_owned(),
            },
            instead: [
                (Level::Team, path("team-path")?),
                (Level::Cluster, path("cluster-path")?),
                (Level::Project, path("project-path")?),
            ],
            versioned,
        })
    }

    /// The path of a scope's document, with its mount.
    ///
    /// # Errors
    /// Where nothing says where it is.
    pub fn document(&self, scope: &Scope) -> Result<String, StoreError> {
        let level = scope.level();
        let instead = self.instead.iter().find(|(other, _)| *other == level);
        if let Some((_, Some(path))) = instead {
            return Ok(path.clone());
        }
        if self.prefix.is_empty() {
            let hint = format!("give vault:MOUNT/PREFIX, or --{level}-path");
            return Err(StoreError::setting("the store's name says no mount").hint(hint));
        }
        Ok(format!("{}/{scope}", self.prefix))
    }

    /// The paths that stand in the place of the usual ones, as one text.
    pub fn instead(&self) -> String {
        let paths = self.instead.iter();
        let said = paths.filter_map(|(level, path)| Some(format!("{level}={}", path.as_ref()?)));
        said.collect::<Vec<_>>().join(" ")
    }

    /// The folder that scopes are in; `None` where each has a path of its own.
    pub fn folder(&self) -> Option<&str> {
        Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    /// What is mounted there, as far as it can be said without asking: the path's first step.
    pub fn guess(&self, document: &str) -> Mount {
        Mount {
            path: document.split('/').next().unwrap_or_default().to_owned(),
            versioned: self.versioned.unwrap_or(true),
        }
    }
}

/// A path without slashes around it, that leads nowhere else; `what` is what gives it.
pub fn clean<'p>(what: &str, path: &'p str) -> Result<&'p str, StoreError> {
    let path = path.trim_matches('/');
    match is_path(path) {
        true => Ok(path),
        false => Err(StoreError::setting(format_args!("{what}: {NO_PATH}"))),
    }
}
