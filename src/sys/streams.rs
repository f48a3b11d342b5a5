//! Identifies the standard descriptors, and keeps them while others are in their places.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::isatty;

use super::{fd, stdio};

/// The kernel's number of /dev/null, from its `Documentation/admin-guide/devices.txt`.
const NULL: libc::dev_t = libc::makedev(1, 3);

/// The request for a terminal's own number, from the kernel's `asm-generic/ioctls.h`.
const TERMINAL: u32 = 0x8004_5432;

/// A standard descriptor and its file.
#[derive(Clone, Copy)]
pub struct Standard {
    /// The descriptor's number.
    pub descriptor: RawFd,
    /// True if it is a terminal.
    pub is_terminal: bool,
    file: (libc::dev_t, libc::ino_t),
    terminal: u32,
}

impl Standard {
    /// Looks at a standard descriptor. `None` if it was closed when doorkey was started, or is
    /// /dev/null.
    ///
    /// # Errors
    /// The system's error where it does not say that.
    pub fn of(descriptor: RawFd) -> io::Result<Option<Self>> {
        // The number may be that of no descriptor, which `nix` wants to know before.
        // SAFETY: it takes no pointer.
        let flags = match Errno::result(unsafe { libc::fcntl(descriptor, libc::F_GETFD) }) {
            Err(Errno::EBADF) => return Ok(None),
            flags => flags?,
        };
        let status = status(descriptor)?;
        // What stands in the place of a closed one is ours alone.
        let is_ours = flags & libc::FD_CLOEXEC != 0;
        let is_device = status.st_mode & libc::S_IFMT == libc::S_IFCHR;
        if is_ours || is_device && status.st_rdev == NULL {
            return Ok(None);
        }
        let mut terminal = 0_u32;
        // `nix` has no such request.
        // SAFETY: it needs no more than room for a number.
        unsafe { libc::ioctl(descriptor, TERMINAL as _, &mut terminal) };
        let is_terminal = isatty(fd::numbered(descriptor)).unwrap_or(false);
        Ok(Some(Standard {
            descriptor,
            is_terminal,
            file: (status.st_dev, status.st_ino),
            terminal,
        }))
    }

    /// True if both are the same file, or the same terminal by whatever name.
    pub fn is_same(&self, other: &Self) -> bool {
        let both = self.is_terminal && other.is_terminal;
        self.file == other.file || both && self.terminal == other.terminal && self.terminal != 0
    }
}

/// Returns the status (`fstat`) of a descriptor's file.
pub(super) fn status(descriptor: RawFd) -> io::Result<libc::stat> {
    Ok(fstat(fd::numbered(descriptor))?)
}

/// Standard descriptors that are kept elsewhere, as others may be in their places. A process that
/// opens `/proc/PID/fd/1` of this process is to get the workload's descriptor.
#[derive(Default)]
pub struct Aside(Vec<(RawFd, OwnedFd)>);

impl Aside {
    /// Keeps a descriptor, and returns its new number.
    ///
    /// # Errors
    /// The system's error.
    pub fn keep(&mut self, place: RawFd) -> io::Result<RawFd> {
        // The new one is none of the standard ones, nor inherited by any program.
        let kept = fd::numbered(place).try_clone_to_owned()?;
        let descriptor = kept.as_raw_fd();
        self.0.push((place, kept));
        Ok(descriptor)
    }

    /// Returns the number of a standard descriptor now.
    pub fn of(&self, place: RawFd) -> RawFd {
        let kept = self.0.iter().find(|(kept, _)| *kept == place);
        kept.map_or(place, |(_, kept)| kept.as_raw_fd())
    }

    /// Returns the descriptors that it keeps.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.0.iter().map(|(_, kept)| kept.as_raw_fd())
    }

    /// Puts each descriptor back in its place.
    ///
    /// # Errors
    /// The system's error.
    pub fn put_back(&mut self) -> io::Result<()> {
        while let Some((place, kept)) = self.0.last() {
            fd::put(kept.as_raw_fd(), *place)?;
            self.0.pop();
        }
        stdio::is_at(libc::STDERR_FILENO);
        Ok(())
    }
}
