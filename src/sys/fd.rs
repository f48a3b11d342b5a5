//! Borrows, closes and moves file descriptors of this process.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::sys::resource::{Resource, getrlimit};

/// Borrows a descriptor of this process by its number, for one call. If the number is no descriptor
/// any more, the call says so: nobody else's could be used by mistake.
pub(super) fn numbered<'d>(descriptor: RawFd) -> BorrowedFd<'d> {
    // SAFETY: the number is none of -1, and whoever has it keeps it open meanwhile.
    unsafe { BorrowedFd::borrow_raw(descriptor) }
}

/// Closes every descriptor above the standard ones, except these.
pub fn close_others(keep: &mut [RawFd]) {
    keep.sort_unstable();
    let mut first = 3;
    for &kept in keep.iter().filter(|&&kept| kept >= 3) {
        close(first, kept - 1);
        first = kept + 1;
    }
    close(first, RawFd::MAX);
}

/// Closes a range of descriptors.
fn close(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: the calls take no pointer; the caller has given the descriptors up.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) == 0 {
            return;
        }
        // Kernels before 5.9 can't close a range.
        let limit = getrlimit(Resource::RLIMIT_NOFILE).ok();
        let most = limit.and_then(|(soft, _)| RawFd::try_from(soft).ok());
        let most = most.unwrap_or(1 << 20);
        for descriptor in first..=last.min(most) {
            libc::close(descriptor);
        }
    }
}

/// Puts a descriptor in the place of another, for the program that this process becomes.
///
/// # Errors
/// The system's error.
pub fn put(descriptor: RawFd, place: RawFd) -> io::Result<()> {
    // `nix` puts one in the place of a descriptor that has an owner; this place has none.
    // SAFETY: it takes no pointer; what was there before is given up by the caller.
    match unsafe { libc::dup2(descriptor, place) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
