//! Folders that no path leads out of, and whose files are written whole and synced to the disk.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

use super::draft::{self, FileKind, TEMPORARY};
use super::files::{is_absent, read_all};

/// A folder and its files: no name or link leads out of it.
pub struct Folder {
    handle: File,
    path: PathBuf,
}

/// The file system's data on a file.
pub struct FileRecord {
    /// The size in bytes.
    pub size: u64,
    /// The time of its creation, if the file system keeps that.
    pub created: Option<SystemTime>,
    /// The time of its last write.
    pub modified: Option<SystemTime>,
}

/// The kind of a store's files: the umask decides who may read them.
const STORED: FileKind = FileKind {
    mode: None,
    owner: None,
    lasting: true,
};

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let handle = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok(Folder {
            handle,
            path: path.to_owned(),
        })
    }

    /// Reads a regular file in it, at most `limit` bytes.
    ///
    /// # Errors
    /// The system's error; `EXDEV` or `ELOOP` where a link leads out, `EINVAL` for what is no
    /// regular file, `EFBIG` for a larger one.
    pub fn read(&self, inside: &Path, limit: usize) -> io::Result<Vec<u8>> {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let file = self.open_inside(inside, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        if !file.metadata()?.is_file() {
            return Err(Errno::EINVAL.into());
        }
        read_all(file, limit)
    }

    /// True if there is a regular file of that name in it.
    ///
    /// # Errors
    /// The system's error; `EINVAL` where there is something else.
    pub fn has(&self, inside: &Path) -> io::Result<bool> {
        match self.open_inside(inside, OFlag::O_PATH) {
            Ok(file) if file.metadata()?.is_file() => Ok(true),
            Ok(_) => Err(Errno::EINVAL.into()),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// True if there is a folder of that name in it, or a link that leads out.
    pub fn has_folder(&self, inside: &Path) -> bool {
        match self.open_inside(inside, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Ok(_) => true,
            Err(error) => [Some(libc::EXDEV), Some(libc::ELOOP)].contains(&error.raw_os_error()),
        }
    }

    /// Returns the file system's data on one of its files; `None` if there is none.
    ///
    /// # Errors
    /// The system's error.
    pub fn record(&self, inside: &Path) -> io::Result<Option<FileRecord>> {
        match self.open_inside(inside, OFlag::O_PATH) {
            Err(error) if is_absent(&error) => Ok(None),
            opened => record(&opened?).map(Some),
        }
    }

    /// Returns the names in one of its folders, without leftovers of dead writers. Returns none if
    /// there is no such folder.
    ///
    /// # Errors
    /// The system's error.
    pub fn list(&self, inside: &Path) -> io::Result<Vec<OsString>> {
        let folder = match self.open_inside(inside, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut names = Vec::new();
        for entry in Dir::from_fd(folder.into())?.iter() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." && !name.starts_with(TEMPORARY.as_bytes()) {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Takes a shared lock of one of its folders, for writing single files. The folder is made if
    /// it is missing. Leftovers of killed writers are removed.
    ///
    /// # Errors
    /// The system's error.
    pub fn share(&self, inside: &Path) -> io::Result<FolderLock> {
        self.hold(inside, false)
    }

    /// Takes an exclusive lock of one of its folders, for changing files that depend on each other.
    ///
    /// # Errors
    /// The system's error.
    pub fn own(&self, inside: &Path) -> io::Result<FolderLock> {
        self.hold(inside, true)
    }

    fn hold(&self, inside: &Path, alone: bool) -> io::Result<FolderLock> {
        self.make(inside)?;
        let path = self.path.join(inside);
        let handle = File::open(&path)?;
        // Temporary files that are there while nobody holds the folder have lost their writer.
        if handle.try_lock().is_ok() {
            for entry in fs::read_dir(&path)? {
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
        // Where the file system has no locks, writing goes on all the same, and is still atomic.
        let _ = if alone {
            handle.lock()
        } else {
            handle.lock_shared()
        };
        Ok(FolderLock { handle, path })
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

    /// Opens a file inside by comparing resolved paths.
    fn open_resolved(&self, inside: &Path, flags: OFlag) -> io::Result<File> {
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        let root = self.path.canonicalize()?;
        let file = root.join(inside).canonicalize()?;
        if !inside.components().all(plain) || !file.starts_with(&root) {
            return Err(Errno::EXDEV.into());
        }
        open(&file, flags | OFlag::O_NOFOLLOW)
    }

    /// Makes one of its folders, and those above it, synced to the disk. None is made behind a link
    /// that leads out.
    fn make(&self, inside: &Path) -> io::Result<()> {
        let mut made = PathBuf::new();
        for part in inside {
            let above = self.path.join(&made);
            made.push(part);
            match fs::create_dir(self.path.join(&made)) {
                Ok(()) => File::open(above)?.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            self.open_inside(&made, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        }
        Ok(())
    }
}

/// A lock of a folder for writing. Dropping it, or the end of the process, releases it.
pub struct FolderLock {
    handle: File,
    path: PathBuf,
}

impl FolderLock {
    /// Writes files in place of others. Each is there whole, old or new, whatever happens
    /// meanwhile. None is changed before all are synced to the disk.
    ///
    /// # Errors
    /// The system's error.
    pub fn replace(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, contents)| (OsStr::new(name), contents.as_slice()))
            .collect();
        draft::replace(&self.handle, &files, &STORED)
    }

    /// Writes a file that does not exist yet.
    ///
    /// # Errors
    /// `EEXIST` if it exists; else the system's error.
    pub fn create(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        draft::create(&self.handle, OsStr::new(name), contents, &STORED)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `ENOENT` where there is none; else the system's error.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))?;
        self.handle.sync_all()
    }
}

/// Opens a file by its path. The standard library's own options drop `O_PATH` on musl.
fn open(path: &Path, flags: OFlag) -> io::Result<File> {
    Ok(fcntl::open(path, flags | OFlag::O_CLOEXEC, Mode::empty())?.into())
}

fn record(file: &File) -> io::Result<FileRecord> {
    let wanted = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    // SAFETY: the struct is plain data that the call fills in, the path an empty string.
    let found = unsafe {
        let mut found: libc::statx = std::mem::zeroed();
        let flags = libc::AT_EMPTY_PATH;
        if libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, wanted, &mut found) == -1 {
            return Err(io::Error::last_os_error());
        }
        found
    };
    let time = |part: u32, time: libc::statx_timestamp| {
        let since = Duration::new(u64::try_from(time.tv_sec).ok()?, time.tv_nsec);
        (found.stx_mask & part != 0).then(|| SystemTime::UNIX_EPOCH + since)
    };
    Ok(FileRecord {
        size: found.stx_size,
        created: time(libc::STATX_BTIME, found.stx_btime),
        modified: time(libc::STATX_MTIME, found.stx_mtime),
    })
}

/// Returns a name that no other test has: the process, the moment, and this process's own count.
#[cfg(test)]
pub(super) fn unique() -> String {
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

#[cfg(test)]
mod tests {
    //! Tests the way without `openat2`, which no test of the whole program takes on a new kernel.

    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with files, folders and links in it and beside it.
    struct Spot(PathBuf);

    impl Spot {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("doorkey-files-{}", unique()));
            fs::create_dir_all(path.join("inside/folder")).unwrap();
            fs::write(path.join("inside/file"), "within").unwrap();
            fs::write(path.join("inside/folder/file"), "deeper").unwrap();
            fs::write(path.join("outside"), "without").unwrap();
            for (to, at) in [
                ("file", "link"),
                ("folder", "..data"),
                ("..data/file", "projected"),
                ("../outside", "out"),
                ("..", "up"),
                ("nowhere", "dangling"),
                ("loop", "loop"),
                ("/etc/passwd", "absolute"),
                ("/proc/self/root/etc/passwd", "magic"),
            ] {
                symlink(to, path.join("inside").join(at)).unwrap();
            }
            Spot(path)
        }
    }

    impl Drop for Spot {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    type Resolver = fn(&Folder, &Path, OFlag) -> io::Result<File>;
    const BOTH: [Resolver; 2] = [Folder::open_inside, Folder::open_resolved];

    fn read_by(way: Resolver, folder: &Folder, inside: &str) -> Result<String, i32> {
        let file = way(
            folder,
            Path::new(inside),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        );
        let file = file.map_err(|error| error.raw_os_error().unwrap_or(0))?;
        Ok(String::from_utf8(read_all(file, 4096).unwrap()).unwrap())
    }

    #[test]
    fn what_lies_inside_is_opened_with_and_without_openat2() {
        let place = Spot::new();
        let folder = Folder::open(&place.0.join("inside")).unwrap();
        for way in BOTH {
            for (inside, contents) in [
                ("file", "within"),
                ("folder/file", "deeper"),
                ("link", "within"),
                ("projected", "deeper"),
            ] {
                assert_eq!(
                    read_by(way, &folder, inside),
                    Ok(contents.to_owned()),
                    "{inside}"
                );
            }
            for inside in ["folder", "..data"] {
                way(
                    &folder,
                    Path::new(inside),
                    OFlag::O_PATH | OFlag::O_DIRECTORY,
                )
                .unwrap();
            }
        }
    }

    #[test]
    fn nothing_leads_out_with_and_without_openat2() {
        let place = Spot::new();
        let folder = Folder::open(&place.0.join("inside")).unwrap();
        for way in BOTH {
            for inside in [
                "out",
                "up/outside",
                "../outside",
                "folder/../../outside",
                "absolute",
                "magic",
                "/etc/passwd",
            ] {
                assert_eq!(read_by(way, &folder, inside), Err(libc::EXDEV), "{inside}");
            }
            assert_eq!(read_by(way, &folder, "loop"), Err(libc::ELOOP));
            for inside in ["none", "dangling", "none/file"] {
                assert_eq!(read_by(way, &folder, inside), Err(libc::ENOENT), "{inside}");
            }
        }
    }
}
