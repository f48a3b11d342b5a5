//! The terminal that doorkey was started at, while the workload has another one in its place.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use nix::fcntl::OFlag;

use super::{fd, nonblocking, process, pty};

/// The terminal, and the state of it that two processes share.
pub struct Screen {
    terminal: OwnedFd,
    /// True if it is non-blocking.
    own: bool,
    /// The process that has made this value.
    owner: i32,
    shared: *mut Shared,
}

/// The state in memory that is shared with a process that outlives us for a moment.
struct Shared {
    /// True if the terminal has our settings.
    ours: AtomicBool,
    /// The settings before, and ours.
    before: libc::termios,
    after: libc::termios,
    /// The signal that has stopped the workload, until it is looked at; 0 for none.
    stopped: AtomicI32,
}

impl Screen {
    /// Opens the terminal that controls us, which is open as this descriptor.
    ///
    /// # Errors
    /// The system's error.
    pub fn of(descriptor: RawFd) -> io::Result<Self> {
        let own = nonblocking::open_anew(descriptor, OFlag::O_RDWR).or_else(|| {
            // Another user's can be opened by this name still.
            let by_name = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/tty");
            let by_name = OwnedFd::from(by_name.ok()?);
            nonblocking::make_nobody_wait(by_name.as_raw_fd()).ok()?;
            Some(by_name)
        });
        let is_own = own.is_some();
        let terminal = match own {
            Some(own) => own,
            None => fd::numbered(descriptor).try_clone_to_owned()?,
        };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: new memory, which is zero: that is what every field may be.
        let shared = unsafe {
            let size = size_of::<Shared>();
            libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0)
        };
        if shared == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Screen {
            terminal,
            own: is_own,
            owner: process::own(),
            shared: shared.cast(),
        })
    }

    /// Returns the descriptor to read from.
    pub fn descriptor(&self) -> RawFd {
        self.terminal.as_raw_fd()
    }

    /// Returns a descriptor to write to, if that never blocks.
    pub fn outlet(&self) -> Option<OwnedFd> {
        let own = self.own.then(|| self.terminal.as_fd());
        own.and_then(|own| own.try_clone_to_owned().ok())
    }

    /// True if our process group is in the foreground.
    pub fn is_ours(&self) -> bool {
        pty::foreground_of(self.descriptor()) == Some(process::group())
    }

    /// True if keys are passed on raw.
    pub fn is_raw(&self) -> bool {
        self.shared().ours.load(SeqCst)
    }

    /// Sets the terminal to raw mode: keys are passed on as they are, each at once. Output is
    /// passed on as it is, too.
    pub fn make_raw(&mut self) {
        let terminal = self.descriptor();
        let Some(now) = pty::settings(terminal) else {
            return;
        };
        if self.is_raw() && is_same(&now, &self.shared().after) {
            return;
        }
        let mut raw = now;
        // SAFETY: the struct is whole.
        unsafe { libc::cfmakeraw(&mut raw) };
        self.shared_mut().before = now;
        self.shared_mut().after = raw;
        self.shared().ours.store(true, SeqCst);
        pty::set(terminal, &raw);
        // The terminal may not have taken all of it.
        self.shared_mut().after = pty::settings(terminal).unwrap_or(raw);
    }

    /// Restores the terminal's settings, unless another process has changed them.
    pub fn restore(&self) {
        if self.shared().ours.swap(false, SeqCst) {
            let now = pty::settings(self.descriptor());
            if now.is_some_and(|now| is_same(&now, &self.shared().after)) {
                pty::set(self.descriptor(), &self.shared().before);
            }
        }
    }

    /// Forgets our settings, as another process has the terminal now.
    pub fn forget(&self) {
        self.shared().ours.store(false, SeqCst);
    }

    /// Records the signal that has stopped the workload.
    pub fn tell_stopped(&self, signal: libc::c_int) {
        self.shared().stopped.store(signal, SeqCst);
    }

    /// Returns the signal that has stopped the workload, once.
    pub fn stopped(&self) -> Option<libc::c_int> {
        Some(self.shared().stopped.swap(0, SeqCst)).filter(|&signal| signal != 0)
    }

    fn shared(&self) -> &Shared {
        // SAFETY: it is mapped as long as this is there; what is not atomic is written by the one
        // process, and read by the other when that one has ended.
        unsafe { &*self.shared }
    }

    fn shared_mut(&mut self) -> &mut Shared {
        // SAFETY: as above; nobody else in this process has a reference.
        unsafe { &mut *self.shared }
    }
}

fn is_same(one: &libc::termios, other: &libc::termios) -> bool {
    let flags = |of: &libc::termios| [of.c_iflag, of.c_oflag, of.c_cflag, of.c_lflag];
    flags(one) == flags(other) && one.c_cc == other.c_cc
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A process that was forked from us has nothing to restore.
        if self.owner == process::own() {
            self.restore();
        }
        // SAFETY: it was mapped with this size, and nobody has a reference.
        unsafe { libc::munmap(self.shared.cast(), size_of::<Shared>()) };
    }
}
