//! A folder of plain files, as Docker and Kubernetes mount secrets.

use std::sync::Arc;

use super::folder::StoreFolder;
use super::{
    Answer, Context, Depth, Here, Location, Names, Opened, Record, Store, StoreOption, search,
};
use crate::core::option::{InFile, flag};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[StoreOption::flag(
    flag(
        "trim-newline",
        "Drop one newline at the end of a dir: secret",
    ),
    InFile::Never,
)];

struct Dir {
    label: String,
    tree: StoreFolder,
    trim_newline: bool,
}

/// Opens `dir:PLACE`.
///
/// # Errors
/// An error of no store if there is no such folder.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let tree = StoreFolder::open(&context.base.join(place), "");
    let tree = tree.map_err(|trouble| match trouble.is_absent() {
        true => trouble.hint("check the name; the folder has one file a secret, as mounts have"),
        false => trouble,
    })?;
    let tree = tree.flat_without_scopes();
    Ok(Box::new(Dir {
        label: context.label.clone(),
        tree,
        trim_newline: context.said("trim-newline").is_some(),
    }))
}

impl Dir {
    fn read(&self, location: &Location) -> Result<Option<Secret>, StoreError> {
        let mut value = self.tree.read(location)?;
        if let Some(bytes) = &mut value
            && self.trim_newline
            && bytes.ends_with(b"\n")
        {
            bytes.pop();
        }
        Ok(value.map(Secret::new))
    }
}

impl Store for Dir {
    fn label(&self) -> &str {
        &self.label
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(self.tree.locate(scope, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        let look = |location: &Location| match depth {
            Depth::Names => self.tree.has(location).map(Here::exists),
            _ => self.read(location).map(Here::value),
        };
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        Ok(scopes.iter().map(|scope| self.tree.names(scope)).collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        let record = self.tree.record(scope, name)?;
        Ok(record.map(|file| Record {
            size: usize::try_from(file.size).unwrap_or(usize::MAX),
            created: file.created,
            modified: file.modified,
            recipients: None,
        }))
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.tree.scopes()
    }

    fn is_local(&self) -> bool {
        true
    }
}
