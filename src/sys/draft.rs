//! Puts files into their place whole or not at all. They are written without a name, so that an
//! unfinished one leaves nothing behind.
//!
//! If the file system has no such files, they get a temporary name. Every signal's way out removes
//! that, and the next writer does after a kill.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{self, AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use super::files;
use super::leftovers::{self, Leftover};
use super::signals;

/// The owner and mode of a file, and whether it must be on the disk.
#[derive(Clone, Copy)]
pub struct FileKind {
    /// The mode; `None` is 644, less the umask.
    pub mode: Option<u32>,
    /// The user and group, if they are not this process's own.
    pub owner: Option<(u32, u32)>,
    /// True if it has to be on the disk before it is in its place.
    pub lasting: bool,
}

impl FileKind {
    /// A file that only its owner can read.
    pub const PRIVATE: FileKind = FileKind {
        mode: Some(0o600),
        owner: None,
        lasting: false,
    };
    /// A file that only its owner can read, synced to the disk.
    pub const LASTING: FileKind = FileKind {
        lasting: true,
        ..Self::PRIVATE
    };
}

/// The beginning of temporary files' names. No secret has such a name: names don't begin with a
/// dot.
pub const TEMPORARY: &str = ".tmp-";

/// The part of a file's own name in that of its temporary one, in bytes: a name may have 255.
const NAME_PART: usize = 200;

/// The largest number of writers of the same file at the same moment.
const WRITERS: usize = 100;

/// Returns the largest number of files that stay open until all are written: half of the descriptors
/// that this process may have. A file that is closed before is locked no more, so that another
/// writer of the same file would take it for a leftover.
fn most_open() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft / 2);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Returns the temporary name of a file while writer number `writer` writes it.
pub fn temporary(name: &OsStr, writer: usize) -> OsString {
    let name = name.as_bytes();
    let mut temporary = OsString::from(TEMPORARY);
    temporary.push(OsStr::from_bytes(&name[..name.len().min(NAME_PART)]));
    temporary.push(format!(".doorkey-{writer}"));
    temporary
}

/// Writes a file, in the place of another or of none.
///
/// # Errors
/// The system's error. What was there is as it was then.
pub fn write(path: &Path, contents: &[u8], kind: &FileKind) -> io::Result<()> {
    let (folder, name) = split(path)?;
    replace(&folder, &[(name, contents)], kind)
}

/// Writes a new file, and makes the folders above it, for their owner alone.
///
/// # Errors
/// The system's error; `EEXIST` where there is one.
pub fn write_new(path: &Path, contents: &[u8], kind: &FileKind) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    let (folder, name) = split(path)?;
    create(&folder, name, contents, kind)
}

/// Copies a file, to the place of another or of none.
///
/// # Errors
/// The errors of [`write`].
pub fn copy(from: &mut File, to: &Path, kind: &FileKind) -> io::Result<()> {
    let (folder, name) = split(to)?;
    let _held = signals::hold();
    Draft::write(&folder, name, *kind, |file| io::copy(from, file).map(drop))?.replace()?;
    sync(&folder, kind)
}

/// Writes files of a folder, in the place of others or of none. No file is in its place before all
/// are written.
///
/// # Errors
/// The system's error. Some may be in their place then.
pub fn replace(folder: &File, files: &[(&OsStr, &[u8])], kind: &FileKind) -> io::Result<()> {
    let _held = signals::hold();
    let is_parked = files.len() > most_open();
    let mut drafts = Vec::with_capacity(files.len());
    for (name, contents) in files {
        let mut draft = Draft::write(folder, name, *kind, |file| file.write_all(contents))?;
        if is_parked {
            draft.park()?;
        }
        drafts.push(draft);
    }
    drafts.into_iter().try_for_each(Draft::replace)?;
    sync(folder, kind)
}

/// Writes a file of a folder that does not exist yet.
///
/// # Errors
/// `EEXIST` if it exists; else the system's error.
pub fn create(folder: &File, name: &OsStr, contents: &[u8], kind: &FileKind) -> io::Result<()> {
    let _held = signals::hold();
    Draft::write(folder, name, *kind, |file| file.write_all(contents))?.create()?;
    sync(folder, kind)
}

/// A file that only its owner can read, removed when dropped, and by every signal's way out.
pub struct Scrap {
    _name: Leftover,
    _folder: File,
}

impl Scrap {
    /// Writes the file, in the place of another or of none.
    ///
    /// # Errors
    /// The system's error; `EEXIST` where something else than a file is there.
    pub fn write(path: &Path, contents: &[u8]) -> io::Result<Self> {
        if files::is_special(path) {
            return Err(Errno::EEXIST.into());
        }
        let (folder, name) = split(path)?;
        let held = signals::hold();
        replace(&folder, &[(name, contents)], &FileKind::PRIVATE)?;
        let name = CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?;
        let name = Leftover::new(folder.as_raw_fd(), name, None);
        name.is_ours();
        drop(held);
        Ok(Scrap {
            _name: name,
            _folder: folder,
        })
    }
}

/// Opens the folder of a path, and returns it with the name in it.
fn split(path: &Path) -> io::Result<(File, &OsStr)> {
    let name = path.file_name().ok_or(Errno::EISDIR)?;
    let folder = path.parent().unwrap_or(path);
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    // Nobody has to be let list it.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = fcntl::open(folder, flags, Mode::empty())?;
    Ok((folder.into(), name))
}

fn sync(folder: &File, kind: &FileKind) -> io::Result<()> {
    if !kind.lasting {
        return Ok(());
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    File::from(openat(folder, ".", flags, Mode::empty())?).sync_all()
}

/// A file that is written, and not in its place yet. Dropped before that, it is removed.
struct Draft<'f> {
    folder: &'f File,
    name: &'f OsStr,
    kind: FileKind,
    /// The temporary name, if the file has one: dropped before the lock is.
    leftover: Option<Leftover>,
    /// The file; `None` if it has a name, and its descriptor was needed.
    file: Option<File>,
}

impl<'f> Draft<'f> {
    fn write(
        folder: &'f File,
        name: &'f OsStr,
        kind: FileKind,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut draft = Draft {
            folder,
            name,
            kind,
            leftover: None,
            file: None,
        };
        // Of a writer that was killed, if any.
        leftovers::is_free(folder.as_raw_fd(), &draft.candidate(0)?);
        let mut file = match draft.nameless() {
            Some(file) => file,
            None => draft.named()?,
        };
        fill(&mut file)?;
        draft.finish(file)?;
        Ok(draft)
    }

    fn candidate(&self, writer: usize) -> io::Result<CString> {
        let name = temporary(self.name, writer).into_encoded_bytes();
        CString::new(name).map_err(|_| Errno::EINVAL.into())
    }

    fn first_mode(&self) -> Mode {
        Mode::from_bits_truncate(if self.kind.mode.is_some() {
            0o600
        } else {
            0o644
        })
    }

    /// Makes a file without a name, if the file system has such files, and /proc lets us name it.
    fn nameless(&self) -> Option<File> {
        let flags = OFlag::O_RDWR | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        let file = File::from(openat(self.folder, ".", flags, self.first_mode()).ok()?);
        let link = own_link(&file);
        Path::new(&link).symlink_metadata().is_ok().then_some(file)
    }

    /// Makes a file with a temporary name.
    fn named(&mut self) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let flags = flags | OFlag::O_CLOEXEC;
        let (file, leftover) = self.under_a_name(None, |leftover| {
            let file = openat(self.folder, leftover.name(), flags, self.first_mode())?;
            leftover.is_ours();
            let file = File::from(file);
            // Whoever looked at it just now may have taken it for a leftover.
            let is_lost = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
            match is_lost || file.metadata().is_ok_and(|found| found.nlink() == 0) {
                true => {
                    leftover.is_over();
                    Err(Errno::EEXIST)
                }
                false => Ok(file),
            }
        })?;
        self.leftover = Some(leftover);
        Ok(file)
    }

    /// Finds a free temporary name, and calls `give`, which gives it to this file.
    fn under_a_name<T>(
        &self,
        file: Option<RawFd>,
        give: impl Fn(&Leftover) -> Result<T, Errno>,
    ) -> io::Result<(T, Leftover)> {
        let folder = self.folder.as_raw_fd();
        for writer in 0..WRITERS {
            let name = self.candidate(writer)?;
            if !leftovers::is_free(folder, &name) {
                continue;
            }
            let leftover = Leftover::new(folder, name, file);
            match give(&leftover) {
                Err(Errno::EEXIST) => {}
                given => return Ok((given?, leftover)),
            }
        }
        Err(Errno::EEXIST.into())
    }

    /// Gives the file its mode and its owner. A program is reopened for reading: a file that is
    /// open for writing can't be executed.
    fn finish(&mut self, mut file: File) -> io::Result<()> {
        if let Some(mode) = self.kind.mode {
            // That of a new file has the umask taken off.
            file.set_permissions(Permissions::from_mode(0o600))?;
            if mode & 0o111 != 0 {
                let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let read = match &self.leftover {
                    None => File::open(own_link(&file))?,
                    Some(named) => openat(self.folder, named.name(), read, Mode::empty())?.into(),
                };
                // Before the other one's lock is gone.
                let _ = read.try_lock_shared();
                file = read;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        if let Some((user, group)) = self.kind.owner {
            fchown(&file, Some(user), Some(group))?;
        }
        if self.kind.lasting {
            file.sync_all()?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Gives this name to a file without one.
    fn link<N: ?Sized + nix::NixPath>(&self, name: &N) -> Result<(), Errno> {
        let file = self.file.as_ref().ok_or(Errno::EBADF)?;
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, &*own_link(file), self.folder, name, follow)
    }

    /// Gives the file a temporary name, as only a file with a name can replace another.
    fn take_name(&mut self) -> io::Result<()> {
        if self.leftover.is_some() {
            return Ok(());
        }
        let file = self.file.as_ref().map(AsRawFd::as_raw_fd);
        if let Some(file) = &self.file {
            let _ = file.try_lock_shared();
        }
        let linked = self.under_a_name(file, |leftover| {
            self.link(leftover.name())?;
            leftover.is_ours();
            Ok(())
        });
        if let Ok(((), leftover)) = linked {
            self.leftover = Some(leftover);
            return Ok(());
        }
        // There are file systems that have no links, or none of this kind.
        let mut nameless = self.file.take().ok_or(Errno::EBADF)?;
        let mut named = self.named()?;
        nameless.rewind()?;
        io::copy(&mut nameless, &mut named)?;
        self.finish(named)
    }

    /// Gives the file a temporary name, and closes its descriptor.
    fn park(&mut self) -> io::Result<()> {
        self.take_name()?;
        self.file = None;
        Ok(())
    }

    /// Puts the file into its place.
    fn replace(mut self) -> io::Result<()> {
        if self.leftover.is_none() && self.link(self.name).is_ok() {
            return Ok(());
        }
        self.take_name()?;
        if let Some(named) = &self.leftover {
            renameat(self.folder, named.name(), self.folder, self.name)?;
            named.is_over();
        }
        Ok(())
    }

    /// Puts the file into its place, if that is free.
    fn create(mut self) -> io::Result<()> {
        if self.leftover.is_none() {
            match self.link(self.name) {
                Ok(()) => return Ok(()),
                Err(Errno::EEXIST) => return Err(Errno::EEXIST.into()),
                Err(_) => self.take_name()?,
            }
        }
        let Some(named) = &self.leftover else {
            return Err(Errno::EBADF.into());
        };
        // A link is refused where there is such a name, in one step, on every file system.
        let (from, none) = (named.name(), AtFlags::empty());
        Ok(linkat(self.folder, from, self.folder, self.name, none)?)
    }
}

/// Returns the path under which a descriptor of ours is found as a file.
fn own_link(file: &impl AsRawFd) -> String {
    let number: RawFd = file.as_raw_fd();
    format!("/proc/self/fd/{number}")
}
