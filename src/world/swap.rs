//! A folder that values are delivered in: opened once, so that whatever its path leads to later,
//! files are put there and removed there and nowhere else.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::draft::{self, Kind};
use super::files::{RAMFS_MAGIC, is_absent};
use crate::words::error::Error;
use crate::words::log;
use crate::words::named::Named;

/// What a folder's group and others may have where it is for another user: to list it, at most.
const WRITES: u32 = 0o022;

/// What is asked of a folder.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Whom the files are for: user and group; none where they are for our own.
    pub owner: Option<(u32, u32)>,
    /// Whether it may be on a disk.
    pub allow_disk: bool,
}

impl Terms {
    /// Whether the files are for another user than our own, who must not be able to lead us
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

/// Which folder one is, whatever its path: its device and its inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity(pub [u64; 2]);

/// Looks at a folder before there is anything to be delivered. One that is not there is looked for
/// in the folder above.
///
/// # Errors
/// Why nothing can be delivered there.
pub fn look(path: &Named, terms: &Terms) -> Result<(), Error> {
    judge_way(path, terms)?;
    let opened = match open(path, terms) {
        Err(error) if is_absent(&error) => open_any(path.parent().unwrap_or(path)),
        Err(error) => return Err(refused(path, terms, error)),
        Ok(place) => {
            judge(path, &place, terms)?;
            Ok(place)
        }
    };
    let opened = opened.map_err(|why| Error::file("write to", path.clone(), why))?;
    on_disk(path, &opened, terms)
}

impl DeliveryFolder {
    /// Opens a folder, and makes it where only it is missing: ours alone, or, where the files are
    /// for another user, ours with that one's group, who can list it.
    ///
    /// # Errors
    /// Why nothing can be delivered there.
    pub fn open(path: &Named, terms: &Terms) -> Result<Self, Error> {
        let failed = |why| Error::file("write to", path.clone(), why);
        judge_way(path, terms)?;
        let made = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        let place = open(path, terms).map_err(|error| refused(path, terms, error))?;
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

    /// Opens a folder that was opened before.
    ///
    /// # Errors
    /// What the system says; `ESTALE` where there is another one now.
    pub fn again(path: &Path, identity: Identity) -> io::Result<Self> {
        let folder = DeliveryFolder(open_any(path)?);
        match folder.identity()? == identity {
            true => Ok(folder),
            false => Err(Errno::ESTALE.into()),
        }
    }

    /// Which one it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn identity(&self) -> io::Result<Identity> {
        let found = self.0.metadata()?;
        Ok(Identity([found.dev(), found.ino()]))
    }

    /// Puts files of these names into it, each for its owner alone to read. None is in its place
    /// before all are written.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&self, files: &[(&OsStr, &[u8])], owner: Option<(u32, u32)>) -> io::Result<()> {
        let kind = Kind {
            mode: Some(0o400),
            owner,
            lasting: false,
        };
        draft::replace(&self.0, files, &kind)
    }

    /// Removes files of these names, and what a writer that was killed has left of them, as far as
    /// they are there.
    ///
    /// # Errors
    /// Why one of them stays; the others are removed.
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

/// Our own user, whose rights count.
fn ours() -> u32 {
    // SAFETY: it takes no pointer.
    unsafe { libc::geteuid() }
}

/// Opens a folder: none that a link leads to, where the files are for another user.
fn open(path: &Path, terms: &Terms) -> io::Result<File> {
    match terms.is_for_others() {
        true => open_with(path, OFlag::O_NOFOLLOW),
        false => open_any(path),
    }
}

fn open_any(path: &Path) -> io::Result<File> {
    open_with(path, OFlag::empty())
}

/// To be listed it need not be, and its descriptor keeps nobody from anything but unmounting it.
fn open_with(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(fcntl::open(path, flags, Mode::empty())?.into())
}

fn refused(path: &Named, terms: &Terms, why: io::Error) -> Error {
    let is_link = || {
        path.symlink_metadata()
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

fn on_disk(path: &Named, place: &File, terms: &Terms) -> Result<(), Error> {
    let kind = fstatfs(place).map(|found| found.filesystem_type());
    let kind: FsType =
        kind.map_err(|errno| Error::file("write to", path.clone(), io::Error::from(errno)))?;
    if terms.allow_disk || [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind) {
        return Ok(());
    }
    let what = "it is not on tmpfs, so values would be on a disk; --allow-disk allows that";
    Err(found(path, what.to_owned()))
}

/// Whether somebody else decides where the path leads: links on its way have to be ours, or root's.
fn judge_way(path: &Named, terms: &Terms) -> Result<(), Error> {
    if !terms.is_for_others() {
        return Ok(());
    }
    let whose = |above: &Path| {
        let status = above.symlink_metadata().ok()?;
        let is_theirs = status.is_symlink() && ![0, ours()].contains(&status.uid());
        is_theirs.then(|| (above.to_owned(), status.uid()))
    };
    match path.ancestors().skip(1).find_map(whose) {
        None => Ok(()),
        Some((link, owner)) => {
            let link = path.with(link);
            let what = format!(
                "the link {link} on the way there is the user {owner}'s, who decides where it \
                 leads; name the folder by its own path"
            );
            Err(found(path, what))
        }
    }
}

/// Whether others could exchange what is delivered in a folder, or have the next launch deliver
/// elsewhere. What is to be said of one that is taken all the same: a mount is nobody's to move.
fn judge(path: &Named, place: &File, terms: &Terms) -> Result<Option<&'static str>, Error> {
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

/// Whether a folder is where something is mounted.
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
