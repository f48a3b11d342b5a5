//! Sets of signals as the kernel has them: one bit for each of 64. The C library's own sets leave
//! out the signals that it keeps for itself, and so do `nix`'s. PID 1 would drop those.

use nix::errno::Errno;

/// A kernel signal mask.
pub type Mask = u64;

/// Every signal but those that a process's own faults raise, which would come again at once.
pub const ALL: Mask = !(bit(libc::SIGILL)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGBUS)
    | bit(libc::SIGFPE)
    | bit(libc::SIGSEGV)
    | bit(libc::SIGSYS));

/// Returns a signal as a mask.
pub const fn bit(signal: libc::c_int) -> Mask {
    1 << (signal - 1)
}

/// Changes this thread's signal mask, and returns the mask before; 0 if the system refuses.
pub fn change(how: libc::c_int, set: Mask) -> Mask {
    try_change(how, set).unwrap_or(0)
}

/// Changes this thread's signal mask, and returns the mask before.
///
/// # Errors
/// The system's error.
pub fn try_change(how: libc::c_int, set: Mask) -> nix::Result<Mask> {
    let mut old: Mask = 0;
    // SAFETY: both pointers are to masks of the size that is given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            &set,
            &mut old,
            size_of::<Mask>(),
        )
    };
    Errno::result(done).map(|_| old)
}
