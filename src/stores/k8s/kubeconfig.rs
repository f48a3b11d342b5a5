//! Files that say where clusters are and who we are there: `KUBECONFIG`, or `~/.kube/config`.
//!
//! Several files count as one: of what more than one says the first one's counts, and paths start
//! from the folder of the file that has them. That is how Kubernetes' own clients read them.

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

/// A context: a cluster, somebody there, and a namespace.
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Where the cluster is.
    pub cluster: Entry,
    /// Who we are there.
    pub user: Entry,
    /// The namespace, where it says one.
    pub namespace: Option<String>,
}

/// What a file says under a name.
pub struct Entry {
    /// As messages have it: `user NAME in FILE`.
    pub what: String,
    file: Named,
    value: Value,
}

/// Reads files, and takes the context of a name from them, or the current one.
///
/// # Errors
/// What can't be read, or is missing.
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
    /// What the first file says that has this kind of thing by this name.
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

    /// Something wrong with it.
    pub fn fault(&self, what: &str) -> StoreError {
        StoreError::setting(format_args!("{}: {what}", self.what))
    }

    /// What it says, where that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        text(&self.value, key)
    }

    /// What it says, whatever that is.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.value
            .get(key)
            .filter(|value| value.as_str() != Some(""))
    }

    /// True if it says yes.
    pub fn says_yes(&self, key: &str) -> bool {
        matches!(self.text(key), Some("true" | "True" | "TRUE"))
    }

    /// The path that it says.
    pub fn path(&self, key: &str) -> Option<Named> {
        let path = self.folder().join(self.text(key)?);
        Some(Named::new(format!("{key} of {}", self.what), path))
    }

    /// The folder that paths start from.
    pub fn folder(&self) -> &std::path::Path {
        self.file.parent().unwrap_or(std::path::Path::new(""))
    }

    /// What it says in PEM: itself in `KEY-data`, or else the path of a file.
    ///
    /// # Errors
    /// That it is no base64.
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

    /// The first of these that it has.
    pub fn first_of<'k>(&self, keys: &[&'k str]) -> Option<&'k str> {
        keys.iter().copied().find(|key| self.value(key).is_some())
    }
}
