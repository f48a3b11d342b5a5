//! The descriptors that this process was handed, or has.

use std::io;
use std::os::fd::RawFd;

/// Closes every descriptor above the standard ones but these.
pub fn close_others(keep: &mut [RawFd]) {
    keep.sort_unstable();
    let mut first = 3;
    for &kept in keep.iter().filter(|&&kept| kept >= 3) {
        close(first, kept - 1);
        first = kept + 1;
    }
    close(first, RawFd::MAX);
}

/// Closes a range.
fn close(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: the calls take no pointer but the limit's; the caller has given the descriptors up.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) == 0 {
            return;
        }
        // Kernels before 5.9 can't close a range.
        let mut limit: libc::rlimit = std::mem::zeroed();
        let most = match libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) {
            0 => RawFd::try_from(limit.rlim_cur).unwrap_or(1 << 20),
            _ => 1 << 20,
        };
        for descriptor in first..=last.min(most) {
            libc::close(descriptor);
        }
    }
}

/// Puts a descriptor in the place of another, for the program that this process becomes.
///
/// # Errors
/// What the system says.
pub fn put(descriptor: RawFd, place: RawFd) -> io::Result<()> {
    // SAFETY: it takes no pointer; what was there before is given up by the caller.
    match unsafe { libc::dup2(descriptor, place) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
