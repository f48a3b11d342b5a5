//! Waits in a supervisor for signals, descriptors and a time, whichever comes first.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::process::{self, Taken};
use super::signal_mask::Mask;

/// Waits for signals, which are blocked, beside descriptors.
pub struct Ears {
    signals: OwnedFd,
    set: Mask,
}

/// The length of a wait if the system refuses to poll descriptors.
const BEAT: Duration = Duration::from_millis(20);

/// A descriptor to wait at, and the events that have come of it.
#[repr(transparent)]
pub struct Watched(libc::pollfd);

impl Watched {
    /// Waits until the descriptor can be read, or no writer is left.
    pub fn readable(descriptor: RawFd) -> Self {
        Watched::on(descriptor, libc::POLLIN)
    }

    /// Waits until the descriptor can be written to, or no reader is left.
    pub fn writable(descriptor: RawFd) -> Self {
        Watched::on(descriptor, libc::POLLOUT)
    }

    /// Waits until the other end is closed.
    pub fn closed(descriptor: RawFd) -> Self {
        Watched::on(descriptor, 0)
    }

    /// Waits for nothing.
    pub fn nothing() -> Self {
        Watched::on(-1, 0)
    }

    fn on(fd: RawFd, events: libc::c_short) -> Self {
        Watched(libc::pollfd {
            fd,
            events,
            revents: 0,
        })
    }

    /// Polls this descriptor alone, without waiting.
    pub fn is_ready_now(mut self) -> bool {
        // SAFETY: the pointer is to one pollfd.
        unsafe { libc::poll(&raw mut self.0, 1, 0) == 1 }
    }

    /// True if its event has come, or an error.
    pub fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits at descriptors alone, at most so long.
pub fn wait_at(watched: &mut [Watched], time: Duration) {
    let count = watched.len() as libc::nfds_t;
    let time = milliseconds(time);
    // SAFETY: `Watched` is a pollfd, and there are as many as is said.
    unsafe { libc::poll(watched.as_mut_ptr().cast(), count, time) };
}

/// Rounds a time up to milliseconds, else its end would be awaited in a busy loop.
fn milliseconds(time: Duration) -> libc::c_int {
    let whole = time.as_nanos().div_ceil(1_000_000);
    whole.try_into().unwrap_or(libc::c_int::MAX)
}

impl Ears {
    /// Listens for these signals.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(set: Mask) -> io::Result<Self> {
        let made = signalfd(-1, set)?;
        // SAFETY: the descriptor is new.
        let signals = unsafe { OwnedFd::from_raw_fd(made) };
        Ok(Ears { signals, set })
    }

    /// Listens for these from now on; others are kept by the kernel.
    pub fn listen_for(&mut self, set: Mask) {
        if set == self.set {
            return;
        }
        if signalfd(self.signals.as_raw_fd(), set).is_err()
            && let Ok(new) = Ears::new(set)
        {
            self.signals = new.signals;
        }
        self.set = set;
    }

    /// Waits at most `time`, or for ever. Returns the signal that has come, if any. The
    /// descriptors' events are in `watched`.
    pub fn wait(&self, watched: &mut Vec<Watched>, time: Option<Duration>) -> Option<Taken> {
        watched.push(Watched::readable(self.signals.as_raw_fd()));
        let time = time.map_or(-1, milliseconds);
        let count = watched.len() as libc::nfds_t;
        // SAFETY: `Watched` is a pollfd, and there are as many as is said.
        let found = unsafe { libc::poll(watched.as_mut_ptr().cast(), count, time) };
        let mut patience = Some(Duration::ZERO);
        if found == -1 {
            watched.iter_mut().for_each(|one| one.0.revents = 0);
            // Signals come all the same, and nobody is kept busy meanwhile.
            let is_signal = io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
            patience = (!is_signal).then_some(BEAT).or(patience);
        }
        let signals = watched.pop()?;
        let comes = found == -1 || signals.is_ready();
        comes.then(|| process::take(self.set, patience))?
    }
}

/// Returns a descriptor for these signals: a new one for -1, else the given one.
fn signalfd(descriptor: RawFd, set: Mask) -> io::Result<RawFd> {
    let (size, flags) = (size_of::<Mask>(), libc::O_CLOEXEC);
    // SAFETY: the pointer is to a mask of the size that is given.
    let made = unsafe { libc::syscall(libc::SYS_signalfd4, descriptor, &set, size, flags) };
    match made {
        -1 => Err(io::Error::last_os_error()),
        made => Ok(made as RawFd),
    }
}
