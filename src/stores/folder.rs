//! Shared code of the two stores that are folders: the paths of secrets, and the meaning of
//! failures.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::error::StoreError;
use crate::model::location::Location;
use crate::model::name::{Level, Name, Scope};
use crate::sys::files;
use crate::sys::rooted_dir::{FileRecord, Folder, FolderLock};

/// The largest file that is read as a secret, in bytes. The environment takes 128 KiB of it. More
/// may be needed as base64 or JSON around the value.
pub const LARGEST: usize = 1024 * 1024;

/// The hint for a file that is damaged.
pub const AGAIN: &str = "restore it or set it again";

/// A folder of secrets, one file each: `team/NAME`, `cluster/ID/NAME`, `project/ID/NAME`, with
/// a suffix.
pub struct StoreFolder {
    folder: Folder,
    place: PathBuf,
    suffix: &'static str,
    /// True if every name is the team's and lies directly in the folder.
    flat: bool,
}

impl StoreFolder {
    /// Opens the folder at `place`.
    ///
    /// # Errors
    /// An error that there is no store if the folder does not exist.
    pub fn open(place: &Path, suffix: &'static str) -> Result<Self, StoreError> {
        let folder = Folder::open(place).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_store(),
            _ => closed(place, error),
        })?;
        Ok(StoreFolder {
            folder,
            place: place.to_owned(),
            suffix,
            flat: false,
        })
    }

    /// Takes all names as the team's, unless there are folders of scopes.
    pub fn flat_without_scopes(mut self) -> Self {
        self.flat = !self.has_scopes();
        self
    }

    /// True if there is a folder of any kind of scope.
    pub fn has_scopes(&self) -> bool {
        [Level::Team, Level::Cluster, Level::Project]
            .iter()
            .any(|level| self.folder.has_folder(Path::new(level.as_str())))
    }

    /// Gives the location of a secret's file.
    pub fn locate(&self, scope: &Scope, name: &Name) -> Location {
        let path = match (self.flat, scope) {
            (true, Scope::Team) => self.file(name),
            _ => format!("{scope}/{}", self.file(name)),
        };
        Location {
            path,
            key: None,
            version: None,
        }
    }

    /// Reads a secret's file; `None` if there is none.
    ///
    /// # Errors
    /// The reason why it can't be read.
    pub fn read(&self, location: &Location) -> Result<Option<Vec<u8>>, StoreError> {
        match self.inside(location) {
            Some(path) => self.read_file(path, LARGEST),
            None => Ok(None),
        }
    }

    /// Reads any file in the store; `None` if there is none.
    ///
    /// # Errors
    /// The reason why it can't be read.
    pub fn read_file(&self, inside: &Path, limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.folder.read(inside, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if files::is_absent(&error) => Ok(None),
            Err(error) => Err(self.trouble(inside, error)),
        }
    }

    /// Translates a failure of the file system into a store's error.
    fn trouble(&self, inside: &Path, error: io::Error) -> StoreError {
        match error.raw_os_error() {
            Some(libc::EACCES) => closed(&self.place.join(inside), error),
            _ => trouble(error),
        }
    }

    /// True if a secret has a file.
    ///
    /// # Errors
    /// The reason why that can't be said.
    pub fn has(&self, location: &Location) -> Result<bool, StoreError> {
        let path = self.inside(location);
        path.map_or(Ok(false), |path| {
            let has = self.folder.has(path);
            has.map_err(|error| self.trouble(path, error))
        })
    }

    /// Gives a location's path; `None` if the folder is flat and the path is in a scope's folder.
    fn inside<'l>(&self, location: &'l Location) -> Option<&'l Path> {
        let path = Path::new(&location.path);
        (!self.flat || path.parent() == Some(Path::new(""))).then_some(path)
    }

    /// Lists the names that have a file in a scope, sorted. Files with other names, and folders,
    /// are passed over.
    ///
    /// # Errors
    /// The reason why they can't be listed.
    pub fn names(&self, scope: &Scope) -> Result<Vec<Name>, StoreError> {
        let Some(folder) = self.folder_of(scope) else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for file in self.list(&folder)? {
            let stem = file.as_encoded_bytes().strip_suffix(self.suffix.as_bytes());
            let Some(name) = stem.and_then(Name::new) else {
                continue;
            };
            // Folders and the like are no secrets. A name that can't be checked stays: reading it
            // gives the error.
            match self.folder.has(&folder.join(&file)) {
                Ok(false) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Ok(true) | Err(_) => names.push(name),
            }
        }
        names.sort();
        Ok(names)
    }

    /// Tells what the file system knows of a secret's file; `None` if there is none.
    ///
    /// # Errors
    /// The reason why that can't be said.
    pub fn record(&self, scope: &Scope, name: &Name) -> Result<Option<FileRecord>, StoreError> {
        match self.inside(&self.locate(scope, name)) {
            Some(path) => {
                let record = self.folder.record(path);
                record.map_err(|error| self.trouble(path, error))
            }
            None => Ok(None),
        }
    }

    /// The scopes that have a folder, sorted.
    ///
    /// # Errors
    /// The reason why they can't be listed.
    pub fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        let team = self.flat || self.folder.has_folder(Path::new("team"));
        let mut scopes = Vec::from_iter(team.then_some(Scope::Team));
        for (level, scope) in [
            ("cluster", Scope::Cluster as fn(Name) -> Scope),
            ("project", Scope::Project),
        ] {
            if !self.flat {
                for id in self.list(Path::new(level))? {
                    let id = Name::new(id.as_encoded_bytes());
                    let is_folder =
                        |id: &Name| self.folder.has_folder(&Path::new(level).join(id.as_str()));
                    scopes.extend(id.filter(is_folder).map(scope));
                }
            }
        }
        scopes.sort();
        Ok(scopes)
    }

    /// Lists the entries of a folder of the store, sorted.
    ///
    /// # Errors
    /// The reason why that can't be said.
    pub fn list(&self, inside: &Path) -> Result<Vec<OsString>, StoreError> {
        let listed = self.folder.list(inside);
        listed.map_err(|error| self.trouble(inside, error))
    }

    /// Takes a shared lock on a folder of the store, for writing.
    ///
    /// # Errors
    /// The reason why it can't be written.
    pub fn share(&self, inside: &Path) -> Result<FolderLock, StoreError> {
        self.folder.share(inside).map_err(unwritten)
    }

    /// Takes an exclusive lock on a folder of the store.
    ///
    /// # Errors
    /// The reason why it can't be written.
    pub fn own(&self, inside: &Path) -> Result<FolderLock, StoreError> {
        self.folder.own(inside).map_err(unwritten)
    }

    /// The name of a secret's file.
    pub fn file(&self, name: &Name) -> String {
        format!("{name}{}", self.suffix)
    }

    fn folder_of(&self, scope: &Scope) -> Option<PathBuf> {
        match (self.flat, scope) {
            (true, Scope::Team) => Some(PathBuf::new()),
            (true, _) => None,
            (false, scope) => Some(scope_folder(scope)),
        }
    }
}

/// The folder of a scope in the store. An id is a [`Name`], so it is one step and leads nowhere
/// else.
pub fn scope_folder(scope: &Scope) -> PathBuf {
    PathBuf::from(scope.to_string())
}

/// The error that there is no store at a place.
pub fn no_store() -> StoreError {
    StoreError::absent("there is no store there")
        .hint("check the name, or make one with doorkey store init")
}

/// The error that a file is damaged.
pub fn corrupt(why: &str) -> StoreError {
    StoreError::corrupt(why).hint(AGAIN)
}

/// The error that a path is closed to us: whose it is, and the next step.
fn closed(path: &Path, error: io::Error) -> StoreError {
    let hint = files::why_closed(path, &error).unwrap_or_default();
    StoreError::unreadable(error).hint(hint)
}

fn outside() -> StoreError {
    StoreError::refused("it leads out of the store")
}

/// Translates a failure of the file system into a store's error.
fn trouble(error: io::Error) -> StoreError {
    match error.raw_os_error() {
        Some(libc::EXDEV | libc::ELOOP) => outside(),
        Some(libc::EINVAL) => corrupt("it is no regular file"),
        Some(libc::EFBIG) => StoreError::too_large(LARGEST),
        _ => StoreError::unreadable(error),
    }
}

/// Translates a failure to write in the same way.
pub fn unwritten(error: io::Error) -> StoreError {
    match error.raw_os_error() {
        Some(libc::EEXIST) => StoreError::taken(),
        Some(libc::ENOENT) => StoreError::no_secret(),
        Some(libc::EXDEV | libc::ELOOP) => outside(),
        _ => StoreError::unwritable(error),
    }
}
