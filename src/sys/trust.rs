//! Checks who can change a file. A file that somebody else can change is not obeyed, as with git,
//! ssh, sudo and cron.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, fstatvfs, statvfs};

use super::{files, process};
use crate::core::passwd;
use crate::model::error::Error;
use crate::model::named::Named;

/// The largest `/etc/passwd` or `/etc/group`, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The largest number of links in one path, as in the kernel.
const LINKS: usize = 40;

/// The users whose files are obeyed.
pub struct Trust {
    /// This process's user.
    us: u32,
    /// For root, the user who has called sudo.
    sudo: Option<u32>,
    /// A user who is never trusted: the workload's.
    never: Option<u32>,
}

impl Trust {
    /// Trusts this process's user and root; if that user is root, also the one who has called sudo.
    pub fn new(sudo: Option<u32>) -> Self {
        let us = process::user();
        Trust {
            us,
            sudo: sudo.filter(|_| us == 0),
            never: None,
        }
    }

    /// Excludes the user that the workload runs as; `None` if that is this process's user.
    pub fn beside(mut self, workload: u32) -> Option<Self> {
        self.never = Some(workload);
        (workload != self.us).then_some(self)
    }

    /// Reads a file that was found without being named by anybody, at most `limit` bytes.
    ///
    /// # Errors
    /// The system's error, or the user or group who can change the file, or the link in its place.
    pub fn read_found(&self, path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
        let read = || -> io::Result<_> {
            let link = path.symlink_metadata()?;
            // What is no link now may be one in a moment; and a pipe would keep us waiting.
            let follow = match link.is_symlink() {
                true => OFlag::empty(),
                false => OFlag::O_NOFOLLOW,
            };
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | follow;
            let file = File::from(fcntl::open(path, flags, Mode::empty())?);
            let mut doubt = None;
            if link.is_symlink() && !is_read_only(path.parent().unwrap_or(path))? {
                doubt = self.doubt(&link);
            }
            if doubt.is_none() && !fstatvfs(&file)?.flags().contains(FsFlags::ST_RDONLY) {
                doubt = self.doubt(&file.metadata()?);
            }
            match doubt {
                Some(_) => Ok((Vec::new(), doubt)),
                None if file.metadata()?.is_file() => Ok((files::read_all(file, limit)?, None)),
                None if file.metadata()?.is_dir() => Err(Errno::EISDIR.into()),
                None => Err(Errno::EINVAL.into()),
            }
        };
        let (text, doubt) = read().map_err(|why| Error::file("read", path, why))?;
        doubt.map_or(Ok(text), |doubt| {
            Err(Error::Found {
                place: Named::from(path).to_string(),
                what: format!(
                    "not obeyed, as it {doubt}; if you trust it, name it with --config or \
                     DOORKEY_CONFIG, mount it read-only, or chown and chmod it"
                ),
            })
        })
    }

    /// Reads a file that is read again and again while others run, at most `limit` bytes. Others
    /// must not be able to change any step on the way to it.
    ///
    /// # Errors
    /// The system's error, or the user or group who can change a step of the path.
    pub fn read_again(&self, path: &Named, limit: usize) -> Result<Vec<u8>, Error> {
        let unread = |why| Error::file("read", path.clone(), why);
        let Some((which, doubt)) = self.doubt_on_way(path).map_err(unread)? else {
            return files::read(path, limit).map_err(unread);
        };
        let which = path.with(which);
        Err(Error::Found {
            place: path.to_string(),
            what: format!(
                "not read, as --watch would again with more rights than --user leaves: {which} \
                 {doubt}; chown and chmod that, or mount it read-only"
            ),
        })
    }

    /// Returns the first step on the way to a file, links followed, that somebody else can change.
    fn doubt_on_way(&self, path: &Path) -> io::Result<Option<(PathBuf, String)>> {
        let steps = |path: &Path| -> Vec<OsString> {
            let steps = path.components().rev();
            steps.map(|step| step.as_os_str().to_owned()).collect()
        };
        let mut to_come = steps(&std::path::absolute(path)?);
        let (mut at, mut links) = (PathBuf::new(), 0);
        while let Some(step) = to_come.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&step);
            let found = next.symlink_metadata()?;
            let is_link = found.is_symlink();
            let settled = is_read_only(if is_link { &at } else { &next })?;
            let doubt = self.doubt(&found).filter(|_| !settled);
            if let Some(doubt) = doubt {
                return Ok(Some((next, doubt)));
            }
            if is_link {
                links += 1;
                if links > LINKS {
                    return Err(Errno::ELOOP.into());
                }
                // An absolute one begins with the root again.
                to_come.extend(steps(&next.read_link()?));
            } else {
                at = next;
            }
        }
        Ok(None)
    }

    /// Explains who else can change a file or folder, or replace it.
    fn doubt(&self, of: &Metadata) -> Option<String> {
        let (owner, mode) = (of.uid(), of.mode() & 0o7777);
        let by = match self.sudo {
            Some(sudo) => format!("we are user {}, by sudo of {sudo}", self.us),
            None => format!("we are user {}", self.us),
        };
        let ours = owner == 0 || owner == self.us || self.sudo == Some(owner);
        if !ours || self.never == Some(owner) {
            return Some(format!("belongs to user {owner} ({by})"));
        }
        // In a sticky folder everybody can change their own files alone; what a device says is
        // nobody's.
        let is_sticky = of.is_dir() && mode & 0o1000 != 0;
        if of.is_symlink() || of.file_type().is_char_device() || is_sticky {
            return None;
        }
        let who = match mode {
            mode if mode & 0o002 != 0 => "everybody".to_owned(),
            mode if mode & 0o020 != 0 && !is_own_group(owner, of.gid()) => {
                format!("group {}", of.gid())
            }
            _ => return None,
        };
        Some(format!(
            "belongs to user {owner}, but {who} can write it (mode {mode:04o}; {by})"
        ))
    }
}

/// True if the file system there is read-only.
fn is_read_only(path: &Path) -> io::Result<bool> {
    Ok(statvfs(path)?.flags().contains(FsFlags::ST_RDONLY))
}

/// True if a group has no member but that user.
fn is_own_group(user: u32, group: u32) -> bool {
    let read = |path| files::read(Path::new(path), LARGEST).unwrap_or_default();
    passwd::is_own_group(user, group, &read("/etc/passwd"), &read("/etc/group"))
}
