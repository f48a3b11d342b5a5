//! Files: reading whole ones, and a folder that nothing leads out of.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use nix::sys::statfs::{self, FsType};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use crate::words::secret::Secret;

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// What the system says; `EFBIG` for a larger file.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_all(File::open(path)?, limit)
}

/// Reads standard input to its end, at most `limit` bytes.
///
/// # Errors
/// As [`read`].
pub fn read_stdin(limit: usize) -> io::Result<Vec<u8>> {
    read_all(File::from(io::stdin().as_fd().try_clone_to_owned()?), limit)
}

fn read_all(file: File, limit: usize) -> io::Result<Vec<u8>> {
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

/// Whether there is something at `path`.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether `path` lies inside `folder`, links resolved; neither has to exist yet.
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

/// Makes a folder and those above it.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// A file that holds a key, and whether others could read it.
pub struct KeyFile {
    /// Its contents.
    pub contents: Secret,
    /// Its mode, where it lets others read or write the file although it could forbid that: on
    /// tmpfs and on read-only mounts it often can't (mounted secrets are 0444).
    pub exposed: Option<u32>,
}

/// Reads a file that holds a key, at most `limit` bytes.
///
/// # Errors
/// As [`read`].
pub fn read_key(path: &Path, limit: usize) -> io::Result<KeyFile> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode() & 0o777;
    let settled = fstatvfs(&file)?.flags().contains(FsFlags::ST_RDONLY)
        || [statfs::TMPFS_MAGIC, RAMFS_MAGIC].contains(&statfs::fstatfs(&file)?.filesystem_type());
    let exposed = (mode & 0o077 != 0 && !settled).then_some(mode);
    Ok(KeyFile {
        contents: Secret::new(read_all(file, limit)?),
        exposed,
    })
}

/// From the kernel's `linux/magic.h`.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Writes a new file that only its owner can read, with the folders above it.
///
/// # Errors
/// What the system says; `EEXIST` where there is one.
pub fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// A folder, and what lies in it: no name or link leads out of it.
pub struct Folder {
    handle: File,
    path: PathBuf,
}

/// What temporary files are called. No secret is called so: names don't begin with a dot.
const TEMPORARY: &str = ".tmp-";

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        // By the system's own call: on musl, `custom_flags` drops O_PATH.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Folder {
            handle: open(path, flags, Mode::empty())?.into(),
            path: path.to_owned(),
        })
    }

    /// Reads a regular file in it, at most `limit` bytes.
    ///
    /// # Errors
    /// What the system says; `EXDEV` or `ELOOP` where a link leads out, `EINVAL` for what is no
    /// regular file, `EFBIG` for a larger one.
    pub fn read(&self, inside: &Path, limit: usize) -> io::Result<Vec<u8>> {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let file = self.open_inside(inside, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        if !file.metadata()?.is_file() {
            return Err(Errno::EINVAL.into());
        }
        read_all(file, limit)
    }

    /// Whether there is a regular file of that name in it.
    ///
    /// # Errors
    /// What the system says; `EINVAL` where there is something else.
    pub fn has(&self, inside: &Path) -> io::Result<bool> {
        match self.open_inside(inside, OFlag::O_PATH) {
            Ok(file) if file.metadata()?.is_file() => Ok(true),
            Ok(_) => Err(Errno::EINVAL.into()),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a folder of that name in it, or a link that leads out.
    pub fn has_folder(&self, inside: &Path) -> bool {
        match self.open_inside(inside, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Ok(_) => true,
            Err(error) => [Some(libc::EXDEV), Some(libc::ELOOP)].contains(&error.raw_os_error()),
        }
    }

    /// The names of what lies in one of its folders; nothing where there is no such folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn list(&self, inside: &Path) -> io::Result<Vec<OsString>> {
        let folder = match self.open_inside(inside, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut folder = Dir::from_fd(folder.into())?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    fn open_inside(&self, inside: &Path, flags: OFlag) -> io::Result<File> {
        let inside = if inside.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inside
        };
        let flags = flags | OFlag::O_CLOEXEC;
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match openat2(&self.handle, inside, how) {
            Ok(file) => Ok(file.into()),
            // Kernels before 5.6, and sandboxes that refuse the call.
            Err(Errno::ENOSYS | Errno::EPERM) => self.open_resolved(inside, flags),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The same by comparing resolved paths.
    fn open_resolved(&self, inside: &Path, flags: OFlag) -> io::Result<File> {
        let root = self.path.canonicalize()?;
        let file = root.join(inside).canonicalize()?;
        let within = inside
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !within || !file.starts_with(&root) {
            return Err(Errno::EXDEV.into());
        }
        Ok(open(&file, flags | OFlag::O_NOFOLLOW, Mode::empty())?.into())
    }

    /// Writes a file in one of its folders so that it is there whole, or not at all, whatever
    /// happens meanwhile, and stays there. The folder is made where it is missing. What writers
    /// that were killed have left behind is removed.
    ///
    /// # Errors
    /// What the system says.
    pub fn replace(&self, folder: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
        self.make(folder)?;
        let folder = self.path.join(self.confine(folder)?);
        let lock = tidy(&folder)?;
        let temporary = folder.join(format!("{TEMPORARY}{}", unique()));
        let written = write_new(&temporary, contents)
            .and_then(|()| fs::rename(&temporary, folder.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written?;
        lock.sync_all()
    }

    /// Makes one of its folders, and those above it, lastingly.
    fn make(&self, inside: &Path) -> io::Result<()> {
        let mut path = self.path.clone();
        for part in inside {
            let above = path.clone();
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => File::open(above)?.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses a folder that a link leads out of.
    fn confine<'a>(&self, inside: &'a Path) -> io::Result<&'a Path> {
        self.open_inside(inside, OFlag::O_PATH | OFlag::O_DIRECTORY)
            .map(|_| inside)
    }
}

/// Whether an error says that nothing is there, a name too long to be there included.
pub fn is_absent(error: &io::Error) -> bool {
    [libc::ENOENT, libc::ENAMETOOLONG].contains(&error.raw_os_error().unwrap_or(0))
}

/// Takes a writer's share of a folder, having removed the temporary files of dead writers: they
/// are those that are there while nobody has a share. The lock goes with its holder.
fn tidy(folder: &Path) -> io::Result<File> {
    let handle = File::open(folder)?;
    if handle.try_lock().is_ok() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(TEMPORARY.as_bytes())
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    // Where the file system has no locks, nothing is ever tidied: writing goes on all the same.
    let _ = handle.lock_shared();
    Ok(handle)
}

fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// A name that no other writer has: the process, the moment, and this process's own count.
fn unique() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{}-{}-{}",
        std::process::id(),
        now.as_nanos(),
        COUNT.fetch_add(1, Relaxed)
    )
}
