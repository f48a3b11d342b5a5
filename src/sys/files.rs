//! Reads, lists and removes files by their path; reads keys.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statfs::{self, FsType};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::process;
use super::signals::{self, Work};
use crate::model::named::Named;
use crate::model::secret::Secret;

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// The system's error; `EFBIG` for a larger file.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe waits as well.
    let _opening = signals::begin(Work::File);
    read_all(File::open(path)?, limit)
}

/// Opens a file to read.
///
/// # Errors
/// The system's error.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Looks whether a file can be read. Only a regular one is opened for that: others may wait.
///
/// # Errors
/// The system's error; `EISDIR` for a folder.
pub fn probe(path: &Path) -> io::Result<()> {
    let _looking = signals::begin(Work::File);
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    match found.is_file() {
        true => File::open(path).map(drop),
        false => Ok(()),
    }
}

/// Reads standard input to its end, at most `limit` bytes.
///
/// # Errors
/// The errors of [`read`].
pub fn read_stdin(limit: usize) -> io::Result<Vec<u8>> {
    read_all(File::from(io::stdin().as_fd().try_clone_to_owned()?), limit)
}

pub(super) fn read_all(file: File, limit: usize) -> io::Result<Vec<u8>> {
    let _reading = signals::begin(Work::File);
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(Errno::EFBIG.into());
    }
    // One byte more than the file has, so that its end is seen without growing the buffer.
    let mut bytes = Vec::with_capacity(size + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        Err(Errno::EFBIG.into())
    } else {
        Ok(bytes)
    }
}

/// True if the path is a pipe: bytes that are read from it are gone.
pub fn is_pipe(path: &Path) -> bool {
    let kind = fs::metadata(path).map(|found| found.file_type());
    kind.is_ok_and(|kind| kind.is_fifo())
}

/// Returns the paths of a folder's entries, sorted.
///
/// # Errors
/// The system's error.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    found.sort();
    Ok(found)
}

/// Removes a file.
///
/// # Errors
/// The system's error.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// True if a file, folder or link exists at `path`.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// True if `path` is a folder itself.
pub fn is_own_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// True if `path` exists and is no regular file.
pub fn is_special(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| !found.is_file())
}

/// True if there is a folder at `path`, or a link to one.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// True if `path` lies inside `folder`, links resolved; neither has to exist yet.
pub fn is_within(path: &Path, folder: &Path) -> bool {
    resolved(path).starts_with(resolved(folder))
}

fn resolved(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(whole), _, _) => whole,
        (Err(_), Some(parent), Some(name)) if parent != path => {
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            resolved(parent).join(name)
        }
        _ => path.to_owned(),
    }
}

/// Changes the working directory to the root, so that nobody is kept from removing or unmounting
/// it.
pub fn leave_folder() {
    let _ = std::env::set_current_dir("/");
}

/// Makes a folder and those above it.
///
/// # Errors
/// The system's error.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// A file that holds a key or another credential.
pub struct KeyFile {
    /// The contents.
    pub contents: Secret,
    /// The mode, if it lets others read or write the file although it could forbid that. On tmpfs
    /// and on read-only mounts it often can't forbid reading (mounted secrets are 0444).
    pub exposed: Option<u32>,
    /// The mode, if it lets others write the file.
    pub open: Option<u32>,
    /// The file's owner, by number.
    pub owner: u32,
    file: File,
}

/// Reads a file that holds a key, at most `limit` bytes.
///
/// # Errors
/// The errors of [`read`].
pub fn read_key(path: &Path, limit: usize) -> io::Result<KeyFile> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    let mode = found.mode() & 0o777;
    let is_fixed = fstatvfs(&file)?.flags().contains(FsFlags::ST_RDONLY);
    let kind = statfs::fstatfs(&file)?.filesystem_type();
    let is_settled = is_fixed || [statfs::TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind);
    let open = mode & 0o022 != 0 && found.is_file() && !is_fixed;
    let exposed = open || mode & 0o077 != 0 && !is_settled;
    Ok(KeyFile {
        contents: Secret::new(read_all(file.try_clone()?, limit)?),
        exposed: exposed.then_some(mode),
        open: open.then_some(mode),
        owner: found.uid(),
        file,
    })
}

impl KeyFile {
    /// Removes the file that was read at this path, and no link to it. A pipe is left alone, as its
    /// bytes are gone already.
    ///
    /// # Errors
    /// The system's error; `EMLINK` where the file has another name, `ESTALE` where another file
    /// is there by now.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let found = self.file.metadata()?;
        if !found.is_file() {
            return Ok(());
        }
        let itself = path.canonicalize()?;
        let there = itself.symlink_metadata()?;
        if (there.dev(), there.ino()) != (found.dev(), found.ino()) {
            return Err(Errno::ESTALE.into());
        }
        if found.nlink() > 1 {
            return Err(Errno::EMLINK.into());
        }
        remove(&itself)
    }
}

/// From the kernel's `linux/magic.h`.
pub(super) const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Says why a path can't be read, and the next step, where the error alone does not say that: it is
/// a folder, or another user's.
pub fn why_closed(path: &Path, error: &io::Error) -> Option<String> {
    match error.raw_os_error()? {
        libc::EISDIR => Some(
            "it is a folder: docker makes one where the file to mount is missing; remove it, and \
             mount the file"
                .to_owned(),
        ),
        libc::EACCES => {
            let found = path
                .ancestors()
                .find_map(|step| Some((step, step.metadata().ok()?)));
            let (step, found) = found?;
            let (owner, mode, us) = (found.uid(), found.mode() & 0o7777, process::user());
            let step = Named::from(step);
            Some(format!(
                "{step} is uid {owner}'s, mode {mode:04o}, and doorkey runs as uid {us}: run it as \
                 uid {owner}, or chown or chmod that (Kubernetes: fsGroup, defaultMode)"
            ))
        }
        _ => None,
    }
}

/// True if an error says that a file does not exist, including a name too long to exist.
pub fn is_absent(error: &io::Error) -> bool {
    [libc::ENOENT, libc::ENAMETOOLONG].contains(&error.raw_os_error().unwrap_or(0))
}
