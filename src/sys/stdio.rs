//! Writes to standard error and standard output.

use std::io::{self, Write};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use std::time::Duration;

use super::pty;

/// The longest wait of a message for a stderr that nobody reads, before it is given up.
const PATIENCE: Duration = Duration::from_millis(500);

/// True if a message has been given up.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// The descriptor that is stderr.
static STDERR: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);

/// Makes this descriptor stderr.
pub fn is_at(stderr: RawFd) {
    STDERR.store(stderr, Relaxed);
}

/// Writes a message to stderr. If stderr is full or closed, the message is given up after a moment,
/// and those that follow at once. A launch does not depend on its log being read.
///
/// On a terminal whose newline only goes down, each line begins at its left. That is so while a
/// workload has another terminal in its place. A signal handler may call it.
pub fn say(message: &[u8]) {
    let stderr = STDERR.load(Relaxed);
    let only_down = pty::settings(stderr).is_some_and(|now| now.c_oflag & libc::OPOST == 0);
    if !only_down {
        return write(stderr, message);
    }
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        write(stderr, line.strip_suffix(b"\n").unwrap_or(line));
        write(stderr, b"\r\n");
    }
}

fn write(stderr: RawFd, mut message: &[u8]) {
    let patience = match UNREAD.load(Relaxed) {
        false => PATIENCE.as_millis() as libc::c_int,
        true => 0,
    };
    let mut ready = libc::pollfd {
        fd: stderr,
        events: libc::POLLOUT,
        revents: 0,
    };
    while !message.is_empty() {
        // A pipe that is ready takes this many bytes without blocking.
        let piece = &message[..message.len().min(libc::PIPE_BUF)];
        // SAFETY: one pollfd, and a slice's own pointer and length.
        let written = unsafe {
            if libc::poll(&mut ready, 1, patience) != 1 {
                return UNREAD.store(true, Relaxed);
            }
            libc::write(stderr, piece.as_ptr().cast(), piece.len())
        };
        match usize::try_from(written) {
            Ok(written) if written > 0 => message = &message[written..],
            _ => return,
        }
    }
}

/// Writes a text to standard output, which the user has asked for.
///
/// # Errors
/// The system's error, except for a reader that has gone away, which is none.
pub fn print(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
