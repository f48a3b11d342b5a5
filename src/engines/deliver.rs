//! Values that are delivered in files: in memory, or in a folder.

use std::collections::{BTreeMap, btree_map};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::words::error::{Cause, Error, Fault};
use crate::words::name::Name;
use crate::words::reference::{Delivery, Reference, Value, references};
use crate::words::secret::Secret;
use crate::words::shown::Shown;
use crate::world::{files, memory_file, swap};

/// Where files are delivered.
#[derive(Clone, Default)]
pub enum Files {
    /// In memory.
    #[default]
    Memory,
    /// In a folder.
    Folder {
        /// Its absolute path.
        path: PathBuf,
        /// Whether it may be on a disk.
        allow_disk: bool,
    },
}

/// What keeps the references in these variables from being delivered in files. Nothing where none
/// of them is.
pub fn faults(to: &Files, values: &[(usize, Vec<u8>, Value)]) -> Vec<Error> {
    let Files::Folder { path, allow_disk } = to else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    let mut names: BTreeMap<Name, &Reference> = BTreeMap::new();
    let mut any = false;
    for (_, variable, value) in values {
        for reference in references(value).filter(|reference| reference.is_file()) {
            any = true;
            let cause = match file_name(variable, reference) {
                None => Cause::NoFileName,
                Some(name) => match names.get(&name) {
                    Some(other) if !other.gives_what(reference) => Cause::SameFile(name),
                    _ => {
                        names.insert(name, reference);
                        continue;
                    }
                },
            };
            errors.push(Fault::of(variable, Some(reference.clone()), cause).into());
        }
    }
    // What is not needed is not looked at.
    if any {
        match swap::is_in_memory(path) {
            Ok(in_memory) if in_memory || *allow_disk => {}
            Ok(_) => errors.push(on_disk(path)),
            Err(why) => errors.push(Error::file("write to", path, why)),
        }
    }
    errors
}

fn on_disk(path: &Path) -> Error {
    Error::Found {
        place: Shown(path.as_os_str().as_bytes()).to_string(),
        what: "it is not on tmpfs, so values would be on a disk; --allow-disk allows that"
            .to_owned(),
    }
}

/// What a file in a folder is called: as the reference says, or as the variable.
fn file_name(variable: &[u8], reference: &Reference) -> Option<Name> {
    match &reference.delivery {
        Delivery::File(Some(name)) => Some(name.clone()),
        _ => Name::new(variable),
    }
}

/// Values on their way into files: none is there before [`Deliveries::write`].
pub struct Deliveries {
    to: Files,
    files: Vec<ToWrite>,
    /// Where each is among them: in a folder by its name, in memory by what is in it.
    places: BTreeMap<Vec<u8>, usize>,
}

struct ToWrite {
    reference: Reference,
    path: PathBuf,
    /// The descriptor of one in memory.
    number: i32,
    value: Secret,
}

impl Deliveries {
    /// Nothing, yet.
    pub fn new(to: Files) -> Self {
        Deliveries {
            to,
            files: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Adds the value that a reference in a variable gives; the path that stands in its place. The
    /// same one again is in the same file.
    pub fn add(&mut self, variable: &[u8], reference: &Reference, value: &[u8]) -> Vec<u8> {
        // A variable that gives no name is a fault by now.
        let name = file_name(variable, reference);
        let name = name.as_ref().map_or("", Name::as_str);
        let key = match &self.to {
            Files::Folder { .. } => name.as_bytes().to_vec(),
            Files::Memory => reference.source(),
        };
        let at = match self.places.entry(key) {
            btree_map::Entry::Occupied(place) => *place.get(),
            btree_map::Entry::Vacant(place) => {
                let (path, number) = match &self.to {
                    Files::Folder { path, .. } => (path.join(name), 0),
                    Files::Memory => {
                        let last = self.files.last();
                        let next = last.map_or(memory_file::FIRST, |last| last.number + 1);
                        let number = memory_file::free(next);
                        (memory_file::path(number), number)
                    }
                };
                self.files.push(ToWrite {
                    reference: reference.clone(),
                    path,
                    number,
                    value: Secret::new(value.to_vec()),
                });
                *place.insert(self.files.len() - 1)
            }
        };
        self.files[at].path.as_os_str().as_bytes().to_vec()
    }

    /// The paths that the workload gets.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// Everything that may be in a folder from the moment that writing begins, and has to be
    /// removed at the end: absolute paths.
    pub fn to_remove(&self) -> Vec<PathBuf> {
        match self.to {
            Files::Memory => Vec::new(),
            Files::Folder { .. } => {
                let paths = self.files.iter().map(|file| &file.path);
                paths
                    .flat_map(|path| [path.clone(), swap::temporary(path)])
                    .collect()
            }
        }
    }

    /// Writes every file, for this user and group where they are given. Those in a folder are all
    /// written before the first is put into its place; what was there is replaced.
    ///
    /// # Errors
    /// What keeps one from being written. Files in a folder may be in their place then, new ones
    /// beside older ones; none is half written.
    pub fn write(self, owner: Option<(u32, u32)>) -> Result<(), Error> {
        match &self.to {
            Files::Memory => self.files.iter().try_for_each(|file| {
                let label = file.reference.label();
                memory_file::make(&label, file.value.expose(), file.number, owner)
            }),
            Files::Folder { .. } if self.files.is_empty() => Ok(()),
            Files::Folder { path, allow_disk } => {
                let files = self.files.iter();
                let files: Vec<_> = files
                    .map(|file| (file.path.as_path(), file.value.expose()))
                    .collect();
                swap::replace(path, &files, owner, *allow_disk)
                    .map_err(|why| Error::file("write to", path, why))
            }
        }
    }
}

/// Removes files that were delivered in a folder, as far as they are there and that is allowed.
pub fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = files::remove(path);
    }
}
