//! Single files, by `file:PATH` as `secret-init` has it: below its folder, their bytes as they are.
//! Only with `--references file`, since such a value may well be a URL.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Answer, Context, Depth, Here, Location, Opened, Store, Use, remote, search};
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::{self, Name, Scope};
use crate::model::secret::Secret;
use crate::sys::files;

/// The folder that paths start from, whether they begin with a slash or not; else the root.
const FOLDER: &str = "FILE_MOUNT_PATH";

/// Environment variables, by the use that the store makes of them.
pub const VARIABLES: &[(Use, &[&str])] = &[(Use::Kept, &[FOLDER])];

/// A file is not larger than this, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

struct FileStore {
    folder: PathBuf,
}

/// Opens the store of all files, which has no place in its name.
///
/// # Errors
/// An error that files are no store for scopes.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    if !place.is_empty() {
        return Err(no_scopes());
    }
    let folder = remote::text(context, FOLDER).unwrap_or("/");
    Ok(Box::new(FileStore {
        folder: folder.into(),
    }))
}

fn no_scopes() -> StoreError {
    StoreError::setting("there are no scopes in single files")
}

/// Checks the location in a reference: the path of a file.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(mut location: Location, _: Form) -> Result<Location, Misfit> {
    let path = location.path.trim_start_matches('/');
    if !name::is_path(path) {
        return Err((LocationPart::Path, name::NO_PATH));
    }
    if location.key.is_some() {
        return Err((LocationPart::Key, "a file has no keys"));
    }
    location.path = path.to_owned();
    Ok(location)
}

impl FileStore {
    fn look(&self, location: &Location, depth: Depth) -> Result<Here, StoreError> {
        let path = self.folder.join(&location.path);
        if depth == Depth::Names {
            return Ok(Here::exists(path.exists()));
        }
        match files::read(&path, LARGEST) {
            Ok(content) => Ok(Here::value(Some(Secret::new(content)))),
            Err(error) if files::is_absent(&error) => Ok(Here::Nothing),
            Err(error) => Err(StoreError::unreadable(error)),
        }
    }
}

impl Store for FileStore {
    fn label(&self) -> &str {
        "file:"
    }

    fn identity(&self) -> String {
        format!("file: in {}", self.folder.display())
    }

    fn locate(&self, _: &Scope, _: &Name) -> Result<Location, StoreError> {
        Err(no_scopes())
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        let look = |location: &Location| self.look(location, depth);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }
}
