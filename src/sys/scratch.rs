//! A file in memory for an editor: in a folder of its own on tmpfs, which nobody else can enter, and
//! which is wiped and removed at the end. What an editor leaves beside the file is removed as well.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use super::draft::{self, FileKind};
use super::files::{RAMFS_MAGIC, read};
use super::leftovers::Leftover;
use super::{environ, process, random, signals, startup};
use crate::model::secret::Secret;

/// The beginning of the folders' names.
const PREFIX: &str = "doorkey-edit-";

/// Where tmpfs is, on every Linux.
const SHARED: &str = "/dev/shm";

/// A file in a folder of its own. Dropping this wipes and removes them.
pub struct Scratch {
    folder: PathBuf,
    file: PathBuf,
    /// Held locked while the folder is in use.
    _handle: File,
    leftover: Leftover,
}

impl Scratch {
    /// Writes a file of this name, for us alone, in the user's own folder on tmpfs if there is one.
    /// Folders that a killed process has left are removed.
    ///
    /// # Errors
    /// The system's error; `ENOENT` where there is no tmpfs.
    pub fn new(own: Option<&Path>, name: &str, contents: &[u8]) -> io::Result<Self> {
        let is_memory = |path: &&Path| {
            let found = statfs(*path).map(|found| found.filesystem_type());
            found.is_ok_and(|kind| [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind))
        };
        let mut places = own.into_iter().chain([Path::new(SHARED)]);
        let place = places.find(is_memory).ok_or(Errno::ENOENT)?;
        remove_abandoned(place);
        let folder = place.join(format!("{PREFIX}{}", random::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let handle = File::open(&folder)?;
        handle.lock()?;
        let entry = CString::new(name).map_err(|_| Errno::EINVAL)?;
        let leftover = Leftover::new(handle.as_raw_fd(), entry, None);
        // From here on each way out removes it.
        let scratch = Scratch {
            file: folder.join(name),
            folder,
            _handle: handle,
            leftover,
        };
        scratch.leftover.is_ours();
        draft::write(&scratch.file, contents, &FileKind::PRIVATE)?;
        Ok(scratch)
    }

    /// Has an editor change the file, and waits for its end. Keys that send signals are the editor's
    /// meanwhile.
    ///
    /// # Errors
    /// The system's error if the editor can't be started.
    pub fn edit(&self, editor: &[OsString]) -> io::Result<ExitStatus> {
        let (program, arguments) = editor.split_first().ok_or(Errno::EINVAL)?;
        let mut command = Command::new(program);
        command.args(arguments).arg(&self.file);
        for name in environ::own_names() {
            command.env_remove(name);
        }
        startup::take_children();
        let (mut child, _deaf) = signals::spawn_for_keys(&mut command)?;
        child.wait()
    }

    /// Reads the file, at most `limit` bytes.
    ///
    /// # Errors
    /// The system's error; `EFBIG` for a larger file.
    pub fn read(&self, limit: usize) -> io::Result<Secret> {
        read(&self.file, limit).map(Secret::new)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        wipe(&self.folder);
        self.leftover.is_over();
    }
}

/// Removes a folder. Its files are overwritten before: others could still have them open.
fn wipe(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let found = path.symlink_metadata();
        if let Some(size) = found
            .ok()
            .filter(|found| found.is_file())
            .map(|found| found.len())
        {
            let zeros = vec![0; usize::try_from(size).unwrap_or(0)];
            let file = File::options().write(true).open(&path);
            let _ = file.and_then(|mut file| file.write_all(&zeros));
        }
        let _ = fs::remove_file(&path);
    }
    let _ = fs::remove_dir_all(folder);
}

/// Removes our folders that no process holds any more.
fn remove_abandoned(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name: &OsStr = &entry.file_name();
        if !name.as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let is_ours = |found: fs::Metadata| found.is_dir() && found.uid() == process::user();
        if path.symlink_metadata().is_ok_and(is_ours)
            && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok())
        {
            wipe(&path);
        }
    }
}
