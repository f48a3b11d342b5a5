//! The pipe between a supervisor and the process that is to become the workload. It closes by
//! itself when that process has become another program, or has ended.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::origin::Mask;
use super::process::{self, Taken};

/// The end that speaks.
pub struct Speaker(File);

/// The end that listens.
pub struct Listener(OwnedFd);

/// Where the supervisor has the pipe: nothing above its standard descriptors lies below it.
const PIPE: RawFd = 3;

/// A new pipe.
///
/// # Errors
/// What the system says.
pub fn pipe() -> io::Result<(Speaker, Listener)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: there is room for two descriptors, which are nobody else's afterwards.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) == -1 {
            return Err(io::Error::last_os_error());
        }
        let [reads, writes] = ends.map(|end| OwnedFd::from_raw_fd(end));
        Ok((Speaker(writes.into()), Listener(reads)))
    }
}

impl Speaker {
    /// Says something short.
    ///
    /// # Errors
    /// What the system says.
    pub fn say(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message)
    }
}

/// What a supervisor hears while the workload has not begun.
pub enum Heard {
    /// One of the signals that it listens for.
    Signal(Taken),
    /// What was said: so many bytes.
    Said(usize),
    /// The other process has become another program, or has ended.
    Silence,
}

/// A supervisor's two ears.
pub struct Ears {
    pipe: File,
    signals: OwnedFd,
    set: Mask,
}

impl Listener {
    /// Closes every other descriptor but the standard ones, and listens, also for these signals.
    ///
    /// # Errors
    /// What the system says.
    pub fn alone(self, set: Mask) -> io::Result<Ears> {
        // SAFETY: whatever these descriptors were, nothing here uses them any more, and what is
        // made of a number is made of one that the system has just given.
        unsafe {
            if self.0.as_raw_fd() != PIPE
                && libc::dup3(self.0.as_raw_fd(), PIPE, libc::O_CLOEXEC) == -1
            {
                return Err(io::Error::last_os_error());
            }
            std::mem::forget(self);
            close_from(PIPE + 1);
            let flags = libc::O_CLOEXEC;
            let signals = libc::syscall(libc::SYS_signalfd4, -1, &set, size_of::<Mask>(), flags);
            if signals == -1 {
                return Err(io::Error::last_os_error());
            }
            Ok(Ears {
                pipe: File::from_raw_fd(PIPE),
                signals: OwnedFd::from_raw_fd(signals as RawFd),
                set,
            })
        }
    }
}

/// Closes all descriptors from this one up.
fn close_from(first: RawFd) {
    // SAFETY: the calls take no pointer but the limit's; the caller has given the descriptors up.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) == 0 {
            return;
        }
        // Kernels before 5.9 can't close a range.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        for descriptor in first..RawFd::try_from(limit.rlim_cur).unwrap_or(1 << 20) {
            libc::close(descriptor);
        }
    }
}

impl Ears {
    /// Waits for the next thing to hear.
    pub fn hear(&mut self, message: &mut [u8]) -> Heard {
        let wanted = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let mut ears = [wanted(self.signals.as_raw_fd()), wanted(PIPE)];
            // SAFETY: there are as many as is said.
            unsafe { libc::poll(ears.as_mut_ptr(), 2, -1) };
            // First, as a signal beside it came to a workload that has begun.
            if ears[1].revents != 0 {
                return match self.pipe.read(message) {
                    Ok(count @ 1..) => Heard::Said(count),
                    _ => Heard::Silence,
                };
            }
            if ears[0].revents != 0
                && let Some(taken) = process::take(self.set, Some(Default::default()))
            {
                return Heard::Signal(taken);
            }
        }
    }
}
