//! A folder of plain files, as Docker and Kubernetes mount secrets.

use std::sync::Arc;

use super::folder::Tree;
use super::{Access, Asked, Opened, Record, Store};
use crate::words::error::Trouble;
use crate::words::name::{Name, Scope};
use crate::words::named::location;
use crate::words::secret::Secret;

struct Dir {
    label: String,
    tree: Tree,
    trim_newline: bool,
}

/// Opens `dir:PLACE`.
///
/// # Errors
/// [`Trouble::NoStore`] where there is no such folder.
pub fn open(place: &str, access: &Arc<Access>) -> Opened {
    let tree = Tree::open(&access.base.join(place), "")?.flat_without_scopes();
    Ok(Box::new(Dir {
        label: location(&format!("dir:{place}")),
        tree,
        trim_newline: access.trim_newline,
    }))
}

impl Store for Dir {
    fn label(&self) -> &str {
        &self.label
    }

    fn prepare(&self, _: &Asked) -> Result<(), Trouble> {
        Ok(())
    }

    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble> {
        let mut value = self.tree.read(scope, name)?;
        if let Some(bytes) = &mut value
            && self.trim_newline
            && bytes.ends_with(b"\n")
        {
            bytes.pop();
        }
        Ok(value.map(Secret::new))
    }

    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, Trouble> {
        self.tree.has(scope, name)
    }

    fn names(&self, scope: &Scope) -> Result<Vec<Name>, Trouble> {
        self.tree.names(scope)
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, Trouble> {
        let record = self.tree.record(scope, name)?;
        Ok(record.map(|file| Record {
            size: usize::try_from(file.size).unwrap_or(usize::MAX),
            created: file.created,
            modified: file.modified,
            recipients: None,
        }))
    }

    fn scopes(&self) -> Result<Vec<Scope>, Trouble> {
        self.tree.scopes()
    }
}
