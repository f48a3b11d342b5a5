//! Files with the addresses of clusters and identities for them: `KUBECONFIG`, or `~/.kube/config`.
//!
//! Several files count as one. The first file that has an entry wins. Paths start from the folder
//! of their file. Kubernetes' own clients read them in this way.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use crate::core::document;
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::credential;
use crate::sys::files;
use crate::sys::http::tls::Pem;

/// A file is not larger than this, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// A context: a cluster, a user there, and a namespace.
pub struct Chosen {
    /// The context's name.
    pub name: String,
    /// The cluster's entry.
    pub cluster: Entry,
    /// The user's entry.
    pub user: Entry,
    /// The namespace, if the context has one.
    pub namespace: Option<String>,
}

/// A named entry of a file.
pub struct Entry {
    /// The entry as messages name it: `user NAME in FILE`.
    pub what: String,
    file: Named,
    value: Value,
}

/// Reads files, and takes the context of a name from them, or the current one.
///
/// # Errors
/// The file that can't be read, or the entry that is missing.
pub fn choose(paths: &[Named], context: Option<&str>) -> Result<Chosen, StoreError> {
    let mut all = Vec::new();
    for path in paths.iter().filter(|path| files::exists(path)) {
        let file = credential::open_up_to(path, LARGEST)?;
        let value = document::tree(file.contents.expose()).map_err(|at| {
            let (line, column, reason) = (at.line, at.column, at.reason);
            StoreError::setting(format_args!("{path}:{line}:{column}: {reason}"))
        })?;
        all.push((path, value));
    }
    let files = shown(paths);
    if all.is_empty() {
        return Err(StoreError::setting(format_args!("there is no {files}")));
    }
    let mut current = all
        .iter()
        .filter_map(|(_, value)| text(value, "current-context"));
    let name = context.or_else(|| current.next()).ok_or_else(|| {
        StoreError::setting(format_args!("{files} has no current context"))
            .hint("give ?context=NAME behind the store's name")
    })?;
    let context = Entry::find(&all, "context", name)?;
    let part = |kind: &'static str| {
        let name = context
            .text(kind)
            .ok_or_else(|| context.fault(&format!("names no {kind}")))?;
        Entry::find(&all, kind, name)
    };
    Ok(Chosen {
        name: name.to_owned(),
        cluster: part("cluster")?,
        user: part("user")?,
        namespace: context.text("namespace").map(str::to_owned),
    })
}

/// Files as messages have them.
fn shown(paths: &[Named]) -> String {
    let paths: Vec<_> = paths.iter().map(Named::to_string).collect();
    paths.join(", ")
}

/// A member that is text, and not empty.
fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

impl Entry {
    /// Finds the entry of this kind and name in the first file that has one.
    fn find(all: &[(&Named, Value)], kind: &str, name: &str) -> Result<Self, StoreError> {
        let shown = ShownPath(name);
        for (file, value) in all {
            let list = value.get(format!("{kind}s")).and_then(Value::as_array);
            let mut list = list.into_iter().flatten();
            if let Some(found) = list.find(|one| text(one, "name") == Some(name)) {
                return Ok(Entry {
                    what: format!("{kind} {shown} in {file}"),
                    file: (*file).clone(),
                    value: found.get(kind).cloned().unwrap_or_default(),
                });
            }
        }
        let files: Vec<_> = all.iter().map(|(file, _)| (*file).clone()).collect();
        let files = self::shown(&files);
        Err(StoreError::setting(format_args!(
            "there is no {kind} {shown} in {files}"
        )))
    }

    /// Makes the error of a fault in the entry.
    pub fn fault(&self, what: &str) -> StoreError {
        StoreError::setting(format_args!("{}: {what}", self.what))
    }

    /// Gives a member of the entry, if that is text and not empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        text(&self.value, key)
    }

    /// Gives a member of the entry, of any type; an empty text is none.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.value
            .get(key)
            .filter(|value| value.as_str() != Some(""))
    }

    /// True if a member says yes.
    pub fn says_yes(&self, key: &str) -> bool {
        matches!(self.text(key), Some("true" | "True" | "TRUE"))
    }

    /// Gives a member that is a path.
    pub fn path(&self, key: &str) -> Option<Named> {
        let path = self.folder().join(self.text(key)?);
        Some(Named::new(format!("{key} of {}", self.what), path))
    }

    /// The folder that paths start from.
    pub fn folder(&self) -> &std::path::Path {
        self.file.parent().unwrap_or(std::path::Path::new(""))
    }

    /// Gives a member in PEM: the text itself in `KEY-data`, or else the path of a file.
    ///
    /// # Errors
    /// An error that the text is no base64.
    pub fn pem(&self, key: &str) -> Result<Option<Pem>, StoreError> {
        let data = format!("{key}-data");
        let Some(encoded) = self.text(&data) else {
            return Ok(self.path(key).map(Pem::File));
        };
        let decoded = BASE64_STANDARD.decode(encoded.trim_ascii());
        let decoded = decoded.map_err(|_| self.fault(&format!("{data} is no base64")))?;
        let setting = format!("{data} of {}", self.what);
        Ok(Some(Pem::Text(setting, Secret::new(decoded))))
    }

    /// Gives the first of these keys that the entry has.
    pub fn first_of<'k>(&self, keys: &[&'k str]) -> Option<&'k str> {
        keys.iter().copied().find(|key| self.value(key).is_some())
    }
}
