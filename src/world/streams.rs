//! What the standard descriptors are.

use std::os::fd::RawFd;

/// The kernel's number of /dev/null, from its `Documentation/admin-guide/devices.txt`.
const NULL: libc::dev_t = libc::makedev(1, 3);

/// The request for a terminal's own number, from the kernel's `asm-generic/ioctls.h`.
const TERMINAL: u32 = 0x8004_5432;

/// What a standard descriptor is.
#[derive(Clone, Copy)]
pub struct Standard {
    /// Its number.
    pub descriptor: RawFd,
    /// Whether it is a terminal.
    pub is_terminal: bool,
    file: (libc::dev_t, libc::ino_t),
    terminal: u32,
}

impl Standard {
    /// Looks at one; `None` where it was closed when doorkey was started, or is /dev/null.
    pub fn of(descriptor: RawFd) -> Option<Self> {
        let status = status(descriptor)?;
        // SAFETY: it takes no pointer.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        // What stands in the place of a closed one is ours alone.
        let is_ours = flags & libc::FD_CLOEXEC != 0;
        let is_device = status.st_mode & libc::S_IFMT == libc::S_IFCHR;
        if is_ours || is_device && status.st_rdev == NULL {
            return None;
        }
        let mut terminal = 0_u32;
        // SAFETY: neither call needs more than room for a number.
        let is_terminal = unsafe {
            libc::ioctl(descriptor, TERMINAL as _, &mut terminal);
            libc::isatty(descriptor) == 1
        };
        Some(Standard {
            descriptor,
            is_terminal,
            file: (status.st_dev, status.st_ino),
            terminal,
        })
    }

    /// Whether both are the same file, or the same terminal by whatever name.
    pub fn is_same(&self, other: &Self) -> bool {
        let both = self.is_terminal && other.is_terminal;
        self.file == other.file || both && self.terminal == other.terminal && self.terminal != 0
    }
}

/// What the system says of a descriptor's file.
pub(super) fn status(descriptor: RawFd) -> Option<libc::stat> {
    // SAFETY: the struct is plain data, filled in by the call.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        (libc::fstat(descriptor, &mut status) == 0).then_some(status)
    }
}
