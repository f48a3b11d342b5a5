//! Forks, waits for and signals processes.
//!
//! `nix` knows no real-time signals, and has lost the end of a child by one. Calls that take or
//! name any signal are thus `libc`'s. Its sets leave two signals out, so calls that take a set are
//! the kernel's own.

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::kill;
use nix::unistd::{ForkResult, Pid, geteuid, getpgrp, getpid, getppid, setpgid, setsid};

use super::page_release::{self, Clean};
use super::signal_mask::{self, ALL, Mask, bit};

/// The longest wait for a full signal queue of the receiver.
const PATIENCE: Duration = Duration::from_millis(100);

/// The first real-time signal, as the kernel counts.
const FIRST_REAL_TIME: libc::c_int = 32;

/// The side of a fork that this process is on.
pub enum Forked {
    /// The new process.
    Child,
    /// The old process, with the number of the new one.
    Parent(i32),
}

/// Forks, with every signal blocked. No other thread may run.
///
/// # Errors
/// The system's error.
pub fn fork() -> io::Result<Forked> {
    // SAFETY: there is one thread, so the child is as whole as its parent.
    match unsafe { nix::unistd::fork()? } {
        ForkResult::Child => Ok(Forked::Child),
        ForkResult::Parent { child } => {
            // The C library's call has changed the mask, and does not look whether it can.
            signal_mask::change(libc::SIG_BLOCK, ALL);
            Ok(Forked::Parent(child.as_raw()))
        }
    }
}

/// Returns this process's number.
pub fn own() -> i32 {
    getpid().as_raw()
}

/// Returns the inode of a descriptor of this process, by which systemd tells processes apart; `None`
/// where the kernel has no such descriptors.
pub fn own_pidfd_id() -> Option<u64> {
    // SAFETY: the call takes no pointer.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, own(), 0) };
    let number = i32::try_from(number).ok().filter(|number| *number >= 0)?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    let found = nix::sys::stat::fstat(&descriptor).ok()?;
    Some(found.st_ino)
}

/// Returns the effective user of this process.
pub fn user() -> u32 {
    geteuid().as_raw()
}

/// Returns the parent's number.
pub fn parent() -> i32 {
    getppid().as_raw()
}

/// Returns this process's group.
pub fn group() -> i32 {
    getpgrp().as_raw()
}

/// Gives a process a process group of its own; 0 means this process.
pub fn lead_group(process: i32) {
    let _ = setpgid(Pid::from_raw(process), Pid::from_raw(0));
}

/// Makes orphans below this process its children. True if that worked.
pub fn become_subreaper() -> bool {
    prctl::set_child_subreaper(true).is_ok()
}

/// Leaves the session, its terminal and its process group for new ones.
pub fn leave_session() {
    let _ = setsid();
}

/// Sets the command's name in process tables: at most fifteen bytes of it.
pub fn set_name(name: &str) {
    let name = CString::new(name).unwrap_or_default();
    let _ = prctl::set_name(&name);
}

/// Asks for this signal when `parent` ends; at once if it already has. A signal of 0 asks for none.
pub fn signal_at_end_of(parent: i32, signal: libc::c_int) {
    // SAFETY: no call takes a pointer.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0);
        if signal != 0 && self::parent() != parent {
            // It needs no number, which the system might not tell.
            libc::raise(signal);
        }
    }
}

/// A signal that was waiting, with what came with it.
pub struct Taken(libc::siginfo_t);

impl Taken {
    /// Returns the signal's number.
    pub fn signal(&self) -> libc::c_int {
        self.0.si_signo
    }

    /// True if a process has sent it; else it is the kernel's own, such as a terminal's.
    pub fn is_sent(&self) -> bool {
        self.0.si_code <= 0
    }
}

/// Takes the next of these signals, which are blocked. Waits at most `patience`, or for ever.
pub fn take(set: Mask, patience: Option<Duration>) -> Option<Taken> {
    // SAFETY: it is plain data for which zeros are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let time = patience.map(timespec);
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    loop {
        // The C library's own call would never take the signals that it keeps for itself.
        // SAFETY: the pointers are to a mask of the size that is given, and to the two above.
        let taken = unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &set,
                &mut info,
                time,
                size_of::<Mask>(),
            )
        };
        match taken {
            1.. => return Some(Taken(info)),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: it is plain data for which zeros are valid.
    let mut spec: libc::timespec = unsafe { std::mem::zeroed() };
    spec.tv_sec = time.as_secs().try_into().unwrap_or(i32::MAX.into());
    spec.tv_nsec = time.subsec_nanos().into();
    spec
}

/// Takes the next of these signals, as [`take`] does. While it waits, next to nothing of the
/// program is in memory.
pub fn take_idle(set: Mask, patience: Option<Duration>, clean: &Clean) -> Option<Taken> {
    let now = take(set, Some(Duration::ZERO));
    now.or_else(|| {
        // SAFETY: it is plain data for which zeros are valid.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let time = patience.map(timespec);
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let taken = page_release::wait_without(clean, &set, &mut info, time);
        (taken > 0).then_some(Taken(info))
    })
}

/// The receiver of a signal. To the kernel 0 and -1 mean many, and both are left over when a number
/// is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// A process.
    Process(i32),
    /// A process group.
    Group(i32),
    /// All processes that this one may send signals to, except itself and PID 1.
    Everybody,
}

impl To {
    /// Returns the number that `kill(2)` takes; `None` if there is no such process, or group.
    fn number(self) -> Option<i32> {
        match self {
            To::Process(process) => (process > 0).then_some(process),
            // Of the group 1 it would be that of everybody.
            To::Group(group) => (group > 1).then(|| -group),
            To::Everybody => Some(-1),
        }
    }
}

/// Sends a signal; to no process if the number stands for none.
pub fn send(to: To, signal: libc::c_int) {
    if let Some(number) = to.number() {
        // SAFETY: it takes no pointer.
        unsafe { libc::kill(number, signal) };
    }
}

/// True if a process group has a process.
pub fn has_group(group: i32) -> bool {
    let Some(number) = To::Group(group).number() else {
        return false;
    };
    kill(Pid::from_raw(number), None) != Err(Errno::ESRCH)
}

/// Forwards a signal that was taken, as the signal `signal`.
pub fn forward(taken: &Taken, to: To, signal: libc::c_int) {
    let code = taken.0.si_code;
    let queued = code < 0 && code != libc::SI_TKILL;
    let counts = signal >= FIRST_REAL_TIME && taken.is_sent();
    let (To::Process(to @ 1..), true) = (to, queued || counts) else {
        // To a group the kernel passes no value on.
        return send(to, signal);
    };
    let mut info = taken.0;
    info.si_signo = signal;
    if !queued {
        // As with `kill` a full queue would lose it, and nobody would know.
        info.si_code = libc::SI_QUEUE;
    }
    let began = Instant::now();
    loop {
        // SAFETY: the struct is whole, and only read.
        let sent = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, to, signal, &info) };
        let is_full = || io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        if sent == 0 || !is_full() || began.elapsed() > PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A change of a child's state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ChildChange {
    /// The child has ended, with this exit code, or 128+N by signal N.
    Ended(u8),
    /// The child was stopped, by this signal.
    Stopped(libc::c_int),
}

/// The number of tries to ask for a child, while the system does not say that there are none.
const TRIES: usize = 100;

/// Asks for the next child that has ended (or was stopped, if the flags say so). Returns its
/// number, 0 if there is none yet or -1 if there are no children, and its status.
fn next_child(flags: libc::c_int) -> (i32, libc::c_int) {
    let mut status = 0;
    for _ in 0..TRIES {
        // SAFETY: the pointer is to the status.
        let child = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG | flags) };
        // A signal has said that there is one: any other error must not lose it.
        if child != -1 || io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD) {
            return (child, status);
        }
    }
    (0, 0)
}

/// Reaps all children that have ended. Returns the last change of `main`, one of them.
pub fn reap(main: i32) -> Option<ChildChange> {
    let mut change = None;
    loop {
        let (child, status) = next_child(libc::WUNTRACED);
        if child <= 0 {
            return change;
        }
        if child == main {
            change = Some(if libc::WIFSTOPPED(status) {
                ChildChange::Stopped(libc::WSTOPSIG(status))
            } else if libc::WIFEXITED(status) {
                ChildChange::Ended(libc::WEXITSTATUS(status) as u8)
            } else {
                ChildChange::Ended(128 + libc::WTERMSIG(status) as u8)
            });
        }
    }
}

/// True if there are children left, after ended ones are reaped.
pub fn has_children() -> bool {
    loop {
        match next_child(0) {
            (1.., _) => {}
            (nothing, _) => return nothing == 0,
        }
    }
}

/// Lets a pending signal stop this process, and returns when it is continued.
pub fn be_stopped_by(signal: libc::c_int) {
    signal_mask::change(libc::SIG_UNBLOCK, bit(signal));
    signal_mask::change(libc::SIG_BLOCK, bit(signal));
}

#[cfg(test)]
mod tests {
    use super::To;

    #[test]
    fn no_number_stands_for_many() {
        for none in [i32::MIN, -2, -1, 0] {
            assert_eq!(To::Process(none).number(), None);
            assert_eq!(To::Group(none).number(), None);
        }
        assert_eq!(To::Group(1).number(), None);
        assert_eq!(To::Process(1).number(), Some(1));
        assert_eq!(To::Group(2).number(), Some(-2));
        assert_eq!(To::Everybody.number(), Some(-1));
    }
}
