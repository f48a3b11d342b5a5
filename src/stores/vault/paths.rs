//! Paths of the documents of the scopes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::path_of;
use super::settings::Reader;
use crate::model::error::StoreError;
use crate::model::name::{Level, NO_PATH, Scope, is_path};

/// All characters to encode in a path: all but `pchar` of RFC 3986, and the slash.
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

/// A mount: a KV store of version 1 or 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mount's path, without slashes around it.
    pub path: String,
    /// True if the mount keeps versions.
    pub versioned: bool,
}

impl Mount {
    /// Gives the path in the server's interface for `kind` (`data`, `metadata`) of a document.
    pub fn path(&self, kind: &str, document: &str) -> String {
        let mount = &self.path;
        let inner = self.inside(document);
        match self.versioned {
            true => format!("{mount}/{kind}/{inner}"),
            false => format!("{mount}/{inner}"),
        }
    }

    /// Gives the path of requests for `kind` of a document.
    pub fn request(&self, kind: &str, document: &str) -> String {
        path_of(&self.path(kind, document))
    }

    /// Gives a document's path in the mount. A path that is written as in requests
    /// (`secret/data/db`) means the same document.
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

/// The layout of the scopes' documents.
pub struct Layout {
    /// The mount and the folder in it.
    prefix: String,
    /// Paths that replace the usual ones.
    instead: [(Level, Option<String>); 3],
    /// True for KV version 2; `None` if the location has no version.
    pub versioned: Option<bool>,
}

impl Layout {
    /// Reads `MOUNT/PREFIX`, and the paths in the settings that replace it.
    ///
    /// # Errors
    /// The fault of the place or of a setting.
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
    /// An error that nothing gives the document's path.
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

    /// Gives the paths that replace the usual ones, as one text.
    pub fn instead(&self) -> String {
        let paths = self.instead.iter();
        let said = paths.filter_map(|(level, path)| Some(format!("{level}={}", path.as_ref()?)));
        said.collect::<Vec<_>>().join(" ")
    }

    /// The folder that scopes are in; `None` where each has a path of its own.
    pub fn folder(&self) -> Option<&str> {
        Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    /// Guesses a document's mount without asking: the path's first step.
    pub fn guess(&self, document: &str) -> Mount {
        Mount {
            path: document.split('/').next().unwrap_or_default().to_owned(),
            versioned: self.versioned.unwrap_or(true),
        }
    }
}

/// Gives a path without slashes around it, that leads nowhere else. `what` names its source.
pub fn clean<'p>(what: &str, path: &'p str) -> Result<&'p str, StoreError> {
    let path = path.trim_matches('/');
    match is_path(path) {
        true => Ok(path),
        false => Err(StoreError::setting(format_args!("{what}: {NO_PATH}"))),
    }
}
