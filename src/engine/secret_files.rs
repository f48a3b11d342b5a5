//! Values that are delivered in files: in memory, or in a folder.

use std::collections::{BTreeMap, btree_map};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::delivered::Delivered;
use crate::model::error::{Cause, Error, Fault};
use crate::model::name::Name;
use crate::model::named::Named;
use crate::model::reference::{Delivery, Reference, Value, references};
use crate::model::secret::Secret;
use crate::sys::atomic_dir::{self, FolderTerms};
use crate::sys::memfd;

/// The settings of delivery in files: the folder, and the owner.
#[derive(Clone, Default)]
pub struct Files {
    /// A folder's absolute path; without one, files are in memory.
    pub folder: Option<Named>,
    /// True if that folder may be on a disk.
    pub allow_disk: bool,
    /// The owner of the files, user and group, where that is not ourselves.
    pub owner: Option<(u32, u32)>,
}

impl Files {
    /// Checks that files can be delivered in a folder.
    ///
    /// # Errors
    /// The reason why nothing can be delivered there.
    pub fn look(&self, folder: &Named) -> Result<(), Error> {
        atomic_dir::look(folder, &self.terms())
    }

    fn terms(&self) -> FolderTerms {
        FolderTerms {
            owner: self.owner,
            allow_disk: self.allow_disk,
        }
    }
}

/// Lists the errors that keep the references in these variables from being delivered in files. None
/// where no reference is.
pub fn faults(to: &Files, values: &[(usize, Vec<u8>, Value)]) -> Vec<Error> {
    let Some(path) = &to.folder else {
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
    // A folder that is not needed is not looked at.
    if any {
        errors.extend(to.look(path).err());
    }
    errors
}

/// Returns the name of a file in a folder: as the reference says, or as the variable.
fn file_name(variable: &[u8], reference: &Reference) -> Option<Name> {
    match &reference.delivery {
        Delivery::File(Some(name)) => Some(name.clone()),
        _ => Name::new(variable),
    }
}

/// Values on their way into files: no file is there before [`Deliveries::write`].
pub struct Deliveries {
    to: Files,
    files: Vec<ToWrite>,
    /// The place of each value in `files`: by the file's name in a folder, by the reference's
    /// source in memory.
    places: BTreeMap<Vec<u8>, usize>,
    /// Texts that are filled in, each with the path of its file.
    texts: Vec<(Named, Secret)>,
}

struct ToWrite {
    reference: Reference,
    path: PathBuf,
    /// The descriptor of a file in memory.
    number: i32,
    value: Secret,
}

impl Deliveries {
    /// Creates an empty set of deliveries.
    pub fn new(to: Files) -> Self {
        Deliveries {
            to,
            files: Vec::new(),
            places: BTreeMap::new(),
            texts: Vec::new(),
        }
    }

    /// Adds a text that is filled in, for the file at a path.
    pub fn add_text(&mut self, path: &Named, text: &Secret) {
        let text = Secret::new(text.expose().to_vec());
        self.texts.push((path.clone(), text));
    }

    /// Adds the value that a reference in a variable gives. Returns the path that stands in its
    /// place. A value that was added before is in the same file.
    pub fn add(&mut self, variable: &[u8], reference: &Reference, value: &[u8]) -> Vec<u8> {
        // A variable that gives no name is a fault by now.
        let name = file_name(variable, reference);
        let name = name.as_ref().map_or("", Name::as_str);
        let key = match &self.to.folder {
            Some(_) => name.as_bytes().to_vec(),
            None => reference.source(),
        };
        let at = match self.places.entry(key) {
            btree_map::Entry::Occupied(place) => *place.get(),
            btree_map::Entry::Vacant(place) => {
                let (path, number) = match &self.to.folder {
                    Some(path) => (path.join(name), 0),
                    None => {
                        let last = self.files.last();
                        let next = last.map_or(memfd::FIRST, |last| last.number + 1);
                        let number = memfd::free(next);
                        (memfd::path(number), number)
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

    /// Lists the paths that the workload gets.
    pub fn paths(&self) -> Vec<PathBuf> {
        let files = self.files.iter().map(|file| file.path.clone());
        let texts = self.texts.iter().map(|(path, _)| path.to_path_buf());
        files.chain(texts).collect()
    }

    /// Lists the files in folders: the folder, the file's name, and its content.
    fn in_folders(&self) -> impl Iterator<Item = (Named, &OsStr, &[u8])> {
        let folder = self.to.folder.iter();
        let files = folder.flat_map(|folder| {
            let files = self.files.iter();
            files.map(|file| (folder.clone(), file.name(), file.value.expose()))
        });
        files.chain(self.texts.iter().map(|(path, text)| {
            let folder = path.with(path.parent().unwrap_or(path));
            let name = path.file_name().unwrap_or_default();
            (folder, name, text.expose())
        }))
    }

    /// Opens the folders that files are delivered in, if any are. A folder that was opened before is
    /// opened again.
    ///
    /// # Errors
    /// The reason why nothing can be delivered there.
    pub fn open(&self, before: Option<Delivered>) -> Result<Option<Delivered>, Error> {
        let mut wanted: BTreeMap<PathBuf, (Named, Vec<OsString>)> = BTreeMap::new();
        for (folder, name, _) in self.in_folders() {
            let entry = wanted.entry(folder.to_path_buf());
            let (_, names) = entry.or_insert((folder, Vec::new()));
            names.push(name.to_owned());
        }
        match wanted.is_empty() {
            true => Ok(None),
            false => Delivered::open(wanted.into_values(), &self.to.terms(), before).map(Some),
        }
    }

    /// Writes every file. The files in a folder are all written before the first is put into its
    /// place; older ones are replaced.
    ///
    /// # Errors
    /// The reason why a file was not written. Files in a folder may be in their place then, new
    /// ones beside older ones; none is half written.
    pub fn write(self, delivered: Option<&Delivered>) -> Result<(), Error> {
        let owner = self.to.owner;
        if self.to.folder.is_none() {
            self.files.iter().try_for_each(|file| {
                let label = file.reference.label();
                memfd::make(&label, file.value.expose(), file.number, owner)
            })?;
        }
        let Some(delivered) = delivered else {
            return Ok(());
        };
        let mut folders: BTreeMap<PathBuf, Vec<(&OsStr, &[u8])>> = BTreeMap::new();
        for (folder, name, content) in self.in_folders() {
            let files = folders.entry(folder.to_path_buf()).or_default();
            files.push((name, content));
        }
        let mut folders = folders.iter();
        folders.try_for_each(|(folder, files)| delivered.put(folder, files, owner))
    }
}

impl ToWrite {
    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}
