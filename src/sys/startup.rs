//! Keeps the process's state as it was handed to us, from before Rust's start-up changes it.
//!
//! Before `main`, Rust ignores SIGPIPE and opens descriptors 0 to 2 if they are closed (aborting
//! without /dev/null). The C library may unblock signals of its own. A workload must find all three
//! as they were. A constructor that runs earlier reads them, and raw system calls put them back
//! just before the exec.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

use super::signal_mask::{self, ALL, Mask};
use super::signals;
use crate::model::error::Error;

static MASK: AtomicU64 = AtomicU64::new(0);
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static CHILDREN_IGNORED: AtomicBool = AtomicBool::new(false);
/// The error that kept a signal's disposition from being read; 0 for none.
static UNKNOWN: AtomicI32 = AtomicI32::new(0);

// SAFETY: the section takes pointers to functions that may be called with any arguments before
// `main`; `capture` takes none and needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;

extern "C" fn capture() {
    MASK.store(signal_mask::change(libc::SIG_BLOCK, 0), Relaxed);
    // SAFETY: the struct is plain data, and sigaction only fills it in.
    let ignored = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut action) == -1 {
            is_unknown();
        }
        action.sa_sigaction == libc::SIG_IGN
    };
    PIPE_IGNORED.store(ignored, Relaxed);
    for descriptor in 0..=2 {
        // SAFETY: neither call touches memory but its error. A new descriptor takes the lowest free number, so
        // it takes this one; it answers no read or write, needs no /dev, and the exec closes it.
        unsafe {
            let found = libc::fcntl(descriptor, libc::F_GETFD);
            if found == -1 && *libc::__errno_location() == libc::EBADF {
                libc::epoll_create1(libc::EPOLL_CLOEXEC);
            }
        }
    }
    // As PID 1 every one that comes before this is dropped by the kernel.
    if signals::end_on_signals().is_err() {
        is_unknown();
    }
    // Whether a supervisor is to keep them is known in `main` only.
    signal_mask::change(libc::SIG_BLOCK, ALL);
}

/// Records that the last call could not read a signal's disposition. Taken for the default, an
/// inherited ignore would be lost.
fn is_unknown() {
    UNKNOWN.store(nix::errno::Errno::last_raw(), Relaxed);
}

/// Restores the signal mask that doorkey was started with.
pub fn unblock() {
    signal_mask::change(libc::SIG_SETMASK, MASK.load(Relaxed));
}

/// Blocks every signal, so that it waits until it is taken.
///
/// # Errors
/// The system's error.
pub fn block() -> io::Result<()> {
    signal_mask::try_change(libc::SIG_BLOCK, ALL)?;
    Ok(())
}

/// Returns the signals that end a launch: none that was inherited as ignored or as blocked.
pub fn ending() -> Mask {
    signals::ending() & !MASK.load(Relaxed)
}

/// Makes SIGCHLD not ignored: else the exit codes of children would be lost. [`restore`] gives the
/// workload back what was inherited.
pub fn take_children() {
    // SAFETY: the default is no handler.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    CHILDREN_IGNORED.fetch_or(before == libc::SIG_IGN, Relaxed);
}

/// Gives the workload back the signal mask and SIGPIPE as they were inherited.
///
/// # Errors
/// The system's error.
pub fn restore() -> Result<(), Error> {
    let unknown = UNKNOWN.load(Relaxed);
    if unknown != 0 {
        let why = io::Error::from_raw_os_error(unknown);
        return Err(Error::file("read", "how signals are handled", why));
    }
    let pipe = if PIPE_IGNORED.load(Relaxed) {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    };
    // SAFETY: neither is a handler.
    let mut refused = unsafe { libc::signal(libc::SIGPIPE, pipe) } == libc::SIG_ERR;
    if CHILDREN_IGNORED.load(Relaxed) {
        // SAFETY: it is no handler.
        refused |= unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) } == libc::SIG_ERR;
    }
    if refused {
        let why = io::Error::last_os_error();
        return Err(Error::file("give back", "the command's signals", why));
    }
    unblock();
    Ok(())
}

/// Undoes [`restore`] after a failed exec, so that a closed stderr can't end us with SIGPIPE.
pub fn shield() {
    // SAFETY: it is no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
