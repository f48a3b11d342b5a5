//! Pseudo-terminals: a terminal for one program, with its other side in the hands of another. `nix`
//! has none of the requests (`ioctl`), and its settings lose the flags that it has no name for.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, tcgetpgrp, tcsetpgrp};

use super::{fd, process};

/// Both sides of a pseudo-terminal.
pub struct Pty {
    /// The side in our hands, which is non-blocking.
    pub master: OwnedFd,
    /// The side that is the program's terminal.
    pub slave: OwnedFd,
}

/// Makes a pseudo-terminal with the settings and the size of another terminal.
///
/// # Errors
/// The system's error.
pub fn like(terminal: RawFd) -> io::Result<Pty> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = open("/dev/ptmx", flags | OFlag::O_NONBLOCK, Mode::empty())?;
    let mut number = 0;
    // SAFETY: each request reads or fills in one number, or takes flags.
    let slave = unsafe {
        let locked = 0;
        if libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &locked) == -1
            || libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &mut number) == -1
        {
            return Err(io::Error::last_os_error());
        }
        libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags.bits())
    };
    let slave = match slave {
        // Kernels before 4.13 have it by its name alone.
        -1 => open(format!("/dev/pts/{number}").as_str(), flags, Mode::empty())?,
        // SAFETY: the descriptor is new.
        slave => unsafe { OwnedFd::from_raw_fd(slave) },
    };
    if let Some(settings) = settings(terminal) {
        set(slave.as_raw_fd(), &settings);
    }
    copy_size(terminal, slave.as_raw_fd());
    Ok(Pty { master, slave })
}

/// Gives a pseudo-terminal the size of another terminal; its processes are signalled.
pub fn copy_size(from: RawFd, to: RawFd) {
    // SAFETY: the struct is plain data, which the first request fills in and the second reads.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        if libc::ioctl(from, libc::TIOCGWINSZ, &mut size) == 0 {
            libc::ioctl(to, libc::TIOCSWINSZ, &size);
        }
    }
}

/// Returns a terminal's settings.
pub fn settings(terminal: RawFd) -> Option<libc::termios> {
    // SAFETY: the struct is plain data, filled in by the call.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        (libc::tcgetattr(terminal, &mut settings) == 0).then_some(settings)
    }
}

/// Changes a terminal's settings at once; nothing of what was typed is lost.
pub fn set(terminal: RawFd, settings: &libc::termios) {
    // SAFETY: the struct is only read.
    unsafe { libc::tcsetattr(terminal, libc::TCSANOW, settings) };
}

/// Turns a terminal's output processing on or off, such as a newline that goes to a new line's
/// beginning. True if it was on before.
pub fn process_output(terminal: RawFd, does: bool) -> bool {
    let Some(mut settings) = settings(terminal) else {
        return false;
    };
    let did = settings.c_oflag & libc::OPOST != 0;
    if did != does {
        settings.c_oflag ^= libc::OPOST;
        set(terminal, &settings);
    }
    did
}

/// Begins a session with this as its controlling terminal.
pub fn begin_session(terminal: RawFd) {
    process::leave_session();
    // SAFETY: the request takes a number.
    unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) };
}

/// Makes a group the foreground group of the terminal that controls us. True if that worked.
/// Signals are blocked, else one would stop us.
pub fn give(terminal: RawFd, group: i32) -> bool {
    tcsetpgrp(fd::numbered(terminal), Pid::from_raw(group)).is_ok()
}

/// Returns the foreground group of a terminal, if that controls us.
pub fn foreground_of(terminal: RawFd) -> Option<i32> {
    tcgetpgrp(fd::numbered(terminal)).ok().map(Pid::as_raw)
}
