//! Files that were delivered in folders, up to their removal.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};

use crate::model::error::{Error, Os};
use crate::model::named::Named;
use crate::sys::atomic_dir::{DeliveryFolder, FolderTerms, Identity};

/// Files in folders, from the moment that writing begins, that have to be removed at the end. Only
/// their names are kept, and nothing of what the files hold.
#[derive(Default)]
pub struct Delivered(Vec<DeliveredFolder>);

/// Files in one folder.
struct DeliveredFolder {
    path: Named,
    folder: Identity,
    /// The open folder. None where it could not be opened, which is tried again at the end.
    handle: Option<DeliveryFolder>,
    names: Vec<OsString>,
}

impl Delivered {
    /// Opens folders, each with the names of its files. A folder that was opened before is opened
    /// again.
    ///
    /// # Errors
    /// The reason why nothing can be delivered in one of them.
    pub fn open(
        wanted: impl Iterator<Item = (Named, Vec<OsString>)>,
        terms: &FolderTerms,
        before: Option<Self>,
    ) -> Result<Self, Error> {
        let mut delivered = before.unwrap_or_default();
        for (path, names) in wanted {
            let mut known = delivered.0.iter();
            let known = known.position(|one| *one.path == *path);
            let before = known.map(|at| delivered.0.remove(at));
            let opened = DeliveredFolder::open(path, terms, names, before)?;
            delivered.0.push(opened);
        }
        Ok(delivered)
    }

    /// Puts files of these names into a folder, each for its owner alone to read.
    ///
    /// # Errors
    /// The reason why a file was not written.
    pub fn put(
        &self,
        path: &Path,
        files: &[(&OsStr, &[u8])],
        owner: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let folder = self.0.iter().find(|one| *one.path == *path);
        let handle = folder.and_then(|one| one.handle.as_ref());
        let put = handle.map(|handle| handle.put(files, owner));
        let put = put.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        let path = || folder.map_or_else(|| path.into(), |one| one.path.clone());
        put.map_err(|why| Error::file("write to", path(), why))
    }

    /// Removes the files, as far as they are there.
    ///
    /// # Errors
    /// The reason why one of them stays; the others are removed.
    pub fn remove(&self) -> Result<(), Os> {
        let removed = self.0.iter().map(DeliveredFolder::remove);
        removed.fold(Ok(()), Result::and)
    }

    /// Prepares the files' removal. Where we become another user meanwhile, a thread does it, as
    /// the user that we are now: each thread has its own. An exec ends the thread.
    pub fn stand_by(self, becomes_another: bool) -> Removal {
        if !becomes_another {
            let delivered = Arc::new(self);
            return Removal {
                delivered,
                thread: None,
            };
        }
        let (tell, told) = mpsc::channel();
        let delivered = Arc::new(self);
        let same = Arc::clone(&delivered);
        let thread = thread::Builder::new().spawn(move || {
            let told = told.recv().ok();
            told.map_or(Ok(()), |()| same.remove())
        });
        Removal {
            delivered,
            thread: thread.ok().map(|thread| (tell, thread)),
        }
    }

    /// Returns the facts that another process has to know to remove the files.
    pub fn told(&self) -> Told {
        let told = |one: &DeliveredFolder| ToldFolder {
            folder: one.folder.0,
            path: one.path.as_os_str().as_bytes().to_vec(),
            names: one
                .names
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
        };
        Told(self.0.iter().map(told).collect())
    }

    /// Keeps the files that another process says that it delivers, beside those delivered before.
    pub fn keep(before: &mut Option<Self>, told: Told) {
        let Delivered(known) = before.get_or_insert_default();
        for told in told.0 {
            let folder = Identity(told.folder);
            let names = told.names.into_iter().map(OsString::from_vec).collect();
            let path = PathBuf::from(OsString::from_vec(told.path));
            if let Some(one) = known.iter_mut().find(|one| one.folder == folder) {
                one.add(names);
                continue;
            }
            // Another folder is there now: the files in the one before are removed.
            known.retain(|one| *one.path != *path);
            known.push(DeliveredFolder {
                handle: DeliveryFolder::again(&path, folder).ok(),
                path: path.into(),
                folder,
                names,
            });
        }
    }
}

impl DeliveredFolder {
    /// Opens the folder of these files. A folder that was opened before is opened again.
    fn open(
        path: Named,
        terms: &FolderTerms,
        names: Vec<OsString>,
        before: Option<Self>,
    ) -> Result<Self, Error> {
        if let Some(mut before) = before {
            match DeliveryFolder::again(&before.path, before.folder) {
                Ok(handle) => {
                    before.handle = Some(handle);
                    before.path = path;
                    before.add(names);
                    return Ok(before);
                }
                // The folder was removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) if !terms.is_for_others() => {}
                Err(_) => {
                    let place = path.to_string();
                    let what = "it is another folder than the one that was opened at first; \
                                nothing is delivered there";
                    let what = what.to_owned();
                    return Err(Error::Found { place, what });
                }
            }
            let removed = before.remove();
            removed.map_err(|why| Error::file("remove from", before.path.clone(), why))?;
        }
        let failed = |why| Error::file("write to", path.clone(), why);
        let handle = DeliveryFolder::open(&path, terms)?;
        let folder = handle.identity().map_err(failed)?;
        Ok(DeliveredFolder {
            path,
            folder,
            handle: Some(handle),
            names,
        })
    }

    fn add(&mut self, names: Vec<OsString>) {
        self.names.extend(names);
        self.names.sort_unstable();
        self.names.dedup();
    }

    fn remove(&self) -> Result<(), Os> {
        let opened;
        let handle = match &self.handle {
            Some(handle) => Some(handle),
            None => {
                opened = DeliveryFolder::again(&self.path, self.folder).ok();
                opened.as_ref()
            }
        };
        let names = self.names.iter().map(OsString::as_os_str);
        handle.map_or(Ok(()), |handle| handle.remove(names).map_err(Os::from))
    }
}

/// The facts about files in folders that another process has to know to remove them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told(Vec<ToldFolder>);

/// A folder, its identity for the system, and the names of the files in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldFolder {
    folder: [u64; 2],
    path: Vec<u8>,
    names: Vec<Vec<u8>>,
}

type Removed = Result<(), Os>;

/// Files whose removal stands by.
pub struct Removal {
    delivered: Arc<Delivered>,
    /// The thread that removes the files. None where none is needed, or to be had.
    thread: Option<(Sender<()>, JoinHandle<Removed>)>,
}

impl Removal {
    /// Removes the files.
    ///
    /// # Errors
    /// The reason why one of them stays.
    pub fn remove(self) -> Result<(), Os> {
        match self.thread {
            None => self.delivered.remove(),
            Some((tell, thread)) => {
                let _ = tell.send(());
                thread.join().unwrap_or(Ok(()))
            }
        }
    }
}
