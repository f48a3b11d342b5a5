//! Opens the folder that values are delivered in, once. Whatever its path leads to later, files are
//! put there and removed there, and nowhere else.

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::draft::{self, FileKind};
use super::files::{RAMFS_MAGIC, is_absent};
use crate::model::error::Error;
use crate::model::log;
use crate::model::named::Named;

/// The permissions that group and others must not have on a folder for another user. They may list
/// it, at most.
const WRITES: u32 = 0o022;

/// The largest number of links in one path, as in the kernel.
const LINKS: usize = 40;

/// The conditions that a folder must meet.
#[derive(Clone, Copy)]
pub struct FolderTerms {
    /// The user and group that the files are for; `None` for our own.
    pub owner: Option<(u32, u32)>,
    /// True if it may be on a disk.
    pub allow_disk: bool,
}

impl FolderTerms {
    /// True if the files are for another user than our own, who must not be able to lead us
    /// elsewhere.
    pub fn is_for_others(&self) -> bool {
        self.strangers().is_some()
    }

    fn strangers(&self) -> Option<(u32, u32)> {
        self.owner.filter(|(user, _)| *user != ours())
    }
}

/// A folder that values are delivered in.
pub struct DeliveryFolder(File);

/// The identity of a folder, whatever its path: its device and its inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity(pub [u64; 2]);

/// Checks a folder before a value is delivered. If it does not exist, the folder above is checked.
///
/// # Errors
/// The reason why nothing can be delivered there.
pub fn look(path: &Named, terms: &FolderTerms) -> Result<(), Error> {
    let (above, name) = walk(path, terms)?;
    let opened = match open(&above, name, terms) {
        Err(error) if is_absent(&error) => above,
        Err(error) => return Err(refused(path, terms, error)),
        Ok(place) => {
            judge(path, &place, terms)?;
            place
        }
    };
    on_disk(path, &opened, terms)
}

impl DeliveryFolder {
    /// Opens a folder, and makes it if only it is missing. A new one is ours alone. If the files
    /// are for another user, that user's group can list it.
    ///
    /// # Errors
    /// The reason why nothing can be delivered there.
    pub fn open(path: &Named, terms: &FolderTerms) -> Result<Self, Error> {
        let failed = |why| Error::file("write to", path.clone(), why);
        let (above, name) = walk(path, terms)?;
        let made = match mkdirat(&above, name, Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(failed(errno.into())),
        };
        let place = open(&above, name, terms).map_err(|error| refused(path, terms, error))?;
        if let Some(what) = judge(path, &place, terms)? {
            log::warning!(Insecure; "{path}: {what}");
        }
        on_disk(path, &place, terms)?;
        if made {
            // Whatever the umask is.
            let set = match (terms.strangers(), terms.owner) {
                (Some((_, group)), _) => {
                    let given = fchown(&place, None, Some(group));
                    given.and_then(|()| place.set_permissions(Permissions::from_mode(0o750)))
                }
                (None, owner) => {
                    let set = place.set_permissions(Permissions::from_mode(0o700));
                    let (user, group) = owner.unzip();
                    set.and_then(|()| match owner {
                        Some(_) => fchown(&place, user, group),
                        None => Ok(()),
                    })
                }
            };
            set.map_err(failed)?;
        }
        Ok(DeliveryFolder(place))
    }

    /// Opens a folder again, and checks that it is still the same one.
    ///
    /// # Errors
    /// The system's error; `ESTALE` where there is another one now.
    pub fn again(path: &Path, identity: Identity) -> io::Result<Self> {
        let folder = DeliveryFolder(open_any(path)?);
        match folder.identity()? == identity {
            true => Ok(folder),
            false => Err(Errno::ESTALE.into()),
        }
    }

    /// Returns the folder's identity.
    ///
    /// # Errors
    /// The system's error.
    pub fn identity(&self) -> io::Result<Identity> {
        let found = self.0.metadata()?;
        Ok(Identity([found.dev(), found.ino()]))
    }

    /// Puts files of these names into the folder, each readable by its owner alone. No file is in
    /// its place before all are written.
    ///
    /// # Errors
    /// The system's error.
    pub fn put(&self, files: &[(&OsStr, &[u8])], owner: Option<(u32, u32)>) -> io::Result<()> {
        let kind = FileKind {
            mode: Some(0o400),
            owner,
            lasting: false,
        };
        draft::replace(&self.0, files, &kind)
    }

    /// Removes files of these names, if they exist, and what a killed writer has left of them.
    ///
    /// # Errors
    /// The reason why a file stays; the others are removed.
    pub fn remove<'n>(&self, names: impl Iterator<Item = &'n OsStr>) -> io::Result<()> {
        let mut removed = Ok(());
        for name in names {
            for name in [name, &draft::temporary(name, 0)] {
                match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
                    // A folder is none of ours.
                    Ok(()) | Err(Errno::ENOENT | Errno::EISDIR) => {}
                    Err(errno) => removed = Err(errno.into()),
                }
            }
        }
        removed
    }
}

/// Returns our own user, whose rights count.
fn ours() -> u32 {
    super::process::user()
}

/// Opens a folder. If the files are for another user, no link to one is followed.
fn open(above: &File, name: &OsStr, terms: &FolderTerms) -> io::Result<File> {
    let follow = match terms.is_for_others() {
        true => OFlag::O_NOFOLLOW,
        false => OFlag::empty(),
    };
    Ok(openat(above, name, FOLDER | follow, Mode::empty())?.into())
}

fn open_any(path: &Path) -> io::Result<File> {
    Ok(fcntl::open(path, FOLDER, Mode::empty())?.into())
}

/// The flags to open a folder with. It need not be readable, and its descriptor keeps nobody from
/// anything but unmounting it.
const FOLDER: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

fn refused(path: &Named, terms: &FolderTerms, why: io::Error) -> Error {
    let is_link = || {
        let bare = path.components().as_path();
        bare.symlink_metadata()
            .is_ok_and(|found| found.is_symlink())
    };
    match terms.is_for_others() {
        true if is_link() => found(
            path,
            "it is a link, which may lead elsewhere tomorrow; name the folder itself".to_owned(),
        ),
        _ => Error::file("write to", path.clone(), why),
    }
}

fn on_disk(path: &Named, place: &File, terms: &FolderTerms) -> Result<(), Error> {
    let kind = fstatfs(place).map(|found| found.filesystem_type());
    let kind: FsType =
        kind.map_err(|errno| Error::file("write to", path.clone(), io::Error::from(errno)))?;
    if terms.allow_disk || [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind) {
        return Ok(());
    }
    let what = "it is not on tmpfs, so values would be on a disk; --allow-disk allows that";
    Err(found(path, what.to_owned()))
}

/// Opens the folder above, and returns the folder's name there. A `/` at the path's end would
/// follow it if it is a link.
///
/// If the files are for another user, nobody else may decide where the path leads. Links on its way
/// have to be ours, or root's. Each step is taken from the one before, so that none is exchanged
/// after it was checked.
fn walk<'p>(path: &'p Named, terms: &FolderTerms) -> Result<(File, &'p OsStr), Error> {
    let failed = |why| Error::file("write to", path.clone(), why);
    let bare = path.components().as_path();
    let (above, name) = match (bare.parent(), bare.file_name()) {
        (Some(above), Some(name)) => (Path::new(".").join(above), name),
        _ => (bare.to_owned(), OsStr::new(".")),
    };
    if !terms.is_for_others() {
        return Ok((open_any(&above).map_err(failed)?, name));
    }
    let steps = |path: &Path| -> Vec<_> {
        let steps = path.components().rev();
        steps.map(|step| step.as_os_str().to_owned()).collect()
    };
    let (mut to_come, mut links) = (steps(&above), 0);
    let (mut at, mut so_far) = (open_any(Path::new(".")).map_err(failed)?, PathBuf::new());
    while let Some(step) = to_come.pop() {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let next = openat(&at, &*step, flags, Mode::empty());
        let next = File::from(next.map_err(|errno| failed(errno.into()))?);
        let status = next.metadata().map_err(failed)?;
        if !status.is_symlink() {
            so_far.push(step);
            at = next;
            continue;
        }
        let owner = status.uid();
        if ![0, ours()].contains(&owner) {
            let link = path.with(so_far.join(step));
            let what = format!(
                "the link {link} on the way there is the user {owner}'s, who decides where it \
                 leads; name the folder by its own path"
            );
            return Err(found(path, what));
        }
        links += 1;
        let target = match links > LINKS {
            true => Err(Errno::ELOOP),
            false => readlinkat(&next, ""),
        };
        let target = target.map_err(|errno| failed(errno.into()))?;
        // An absolute one begins with the root again.
        to_come.extend(steps(Path::new(&target)));
    }
    Ok((at, name))
}

/// Refuses a folder in which others could exchange what is delivered, or have the next launch
/// deliver elsewhere. Returns a warning for a mount that others can write to: nobody can move a
/// mount.
fn judge(path: &Named, place: &File, terms: &FolderTerms) -> Result<Option<&'static str>, Error> {
    let Some((user, group)) = terms.strangers() else {
        return Ok(None);
    };
    let status = place.metadata();
    let status = status.map_err(|why| Error::file("write to", path.clone(), why))?;
    let (owner, mode) = (status.uid(), status.mode() & 0o7777);
    let is_ours = [0, ours()].contains(&owner);
    if is_mount(place, &status) {
        let group_writes = mode & 0o020 != 0 && ![0, group].contains(&status.gid());
        let others_write = mode & 0o002 != 0 || group_writes || !(is_ours || owner == user);
        let warning = "other users can write there, and remove or exchange what is delivered";
        return Ok(others_write.then_some(warning));
    }
    let place = path;
    if !is_ours {
        let what = format!(
            "it belongs to the user {owner}, who can exchange what is delivered there (older \
             doorkeys left it so); remove it: rm -r {place}; the next launch makes it anew"
        );
        return Err(found(path, what));
    }
    if mode & WRITES != 0 {
        let what = format!(
            "others can write there (mode {mode:04o}), and exchange what is delivered; run chmod \
             go-w {place}"
        );
        return Err(found(path, what));
    }
    Ok(None)
}

/// True if a folder is a mount point.
fn is_mount(place: &File, status: &Metadata) -> bool {
    let wanted = libc::STATX_BASIC_STATS;
    // SAFETY: the struct is plain data that the call fills in, the path an empty string.
    let found = unsafe {
        let mut found: libc::statx = std::mem::zeroed();
        let number = place.as_raw_fd();
        let done = libc::statx(
            number,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            wanted,
            &mut found,
        );
        (done == 0).then_some(found)
    };
    let root = libc::STATX_ATTR_MOUNT_ROOT as u64;
    match found.filter(|found| found.stx_attributes_mask & root != 0) {
        Some(found) => found.stx_attributes & root != 0,
        // Kernels before 5.8: what is mounted there is mostly another file system.
        None => {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let above = fcntl::openat(place, "..", flags, Mode::empty()).map(File::from);
            let above = above
                .map_err(io::Error::from)
                .and_then(|above| above.metadata());
            above.is_ok_and(|above| above.dev() != status.dev())
        }
    }
}

fn found(path: &Named, what: String) -> Error {
    let place = path.to_string();
    Error::Found { place, what }
}
