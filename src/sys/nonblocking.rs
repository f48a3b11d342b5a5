//! Passes bytes on in a process that must never be kept waiting.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, sendmsg};
use nix::sys::stat::Mode;
use nix::sys::uio::writev;
use nix::unistd::{self, pipe2};

use super::fd;
use crate::model::error::Os;

/// The size that a pipe is asked for, in bytes. Each wait of one process for the other costs more
/// than its bytes.
const PIPE_BYTES: libc::c_int = 1024 * 1024;

/// The largest number of pieces in one write.
const PIECES: usize = 64;

/// The number of tries of a read that fails for a reason which passes.
const TRIES: usize = 100;

/// Makes a pipe: the end to read from, which is non-blocking, and the one to write to.
///
/// # Errors
/// The system's error.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reads, writes) = pipe2(OFlag::O_CLOEXEC)?;
    make_nobody_wait(reads.as_raw_fd())?;
    enlarge(reads.as_raw_fd());
    Ok((reads, writes))
}

/// Enlarges a pipe. If the user has too many large ones, or this is no pipe, it stays as it is.
fn enlarge(pipe: RawFd) {
    let pipe = fd::numbered(pipe);
    if fcntl(pipe, FcntlArg::F_GETPIPE_SZ).is_ok_and(|bytes| bytes < PIPE_BYTES) {
        let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    }
}

/// Makes a descriptor that is ours alone non-blocking.
///
/// # Errors
/// The system's error.
pub(super) fn make_nobody_wait(descriptor: RawFd) -> io::Result<()> {
    let descriptor = fd::numbered(descriptor);
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The outcome of a read.
pub enum Received {
    /// This number of bytes.
    Some(usize),
    /// No bytes are there now.
    Nothing,
    /// No bytes will come any more.
    End,
    /// The read failed with this error.
    Failed(Os),
}

/// Writes as many bytes as there is room for, to a non-blocking descriptor.
pub fn transmit(to: RawFd, bytes: &[u8]) -> Sent {
    result(unistd::write(fd::numbered(to), bytes))
}

/// Reads the bytes that are there, from a non-blocking descriptor.
pub fn receive(from: RawFd, room: &mut [u8]) -> Received {
    for _ in 0..TRIES {
        return match unistd::read(fd::numbered(from), room) {
            Ok(0) => Received::End,
            Ok(count) => Received::Some(count),
            Err(Errno::EAGAIN) => Received::Nothing,
            // It says nothing of what is there: taken for nothing, the last of it would be lost.
            Err(errno) if is_passing(errno) => continue,
            // A pseudo-terminal that nobody has any more.
            Err(Errno::EIO) if kind(from) == libc::S_IFCHR => Received::End,
            Err(errno) => Received::Failed(Os(errno as i32)),
        };
    }
    Received::Nothing
}

/// True if a call that has failed so can go well later: any other error is the end.
fn is_passing(errno: Errno) -> bool {
    [Errno::EAGAIN, Errno::EINTR, Errno::ENOMEM, Errno::ENOBUFS].contains(&errno)
}

/// The outcome of a write.
pub enum Sent {
    /// This number of bytes.
    Some(usize),
    /// No room is there now.
    Full,
    /// The disk has no room now. Polling does not tell when there is some.
    NoRoom(Os),
    /// No reader is left.
    Closed,
    /// This number of bytes is lost by this error; the next bytes may not be.
    Lost(usize, Os),
    /// The write failed with this error.
    Failed(Os),
}

/// A descriptor to write to.
pub struct Outlet {
    descriptor: RawFd,
    way: Manner,
}

/// The way to write without blocking. Setting a flag of the descriptor would change it for every
/// process that has it.
enum Manner {
    /// A non-blocking descriptor that was opened anew, or is ours.
    Own(OwnedFd),
    /// A socket: a flag of the call says not to wait.
    Call,
    /// A regular file, which takes everything at once.
    Whole,
    /// At most `PIPE_BUF` bytes at a time, which there is room for whenever it is ready.
    Little,
}

impl Outlet {
    /// Sets up writing to one of the standard descriptors.
    pub fn standard(descriptor: RawFd) -> Self {
        let way = match kind(descriptor) {
            libc::S_IFSOCK => Manner::Call,
            libc::S_IFREG => Manner::Whole,
            // What another user has made can't be opened, nor one that nobody reads any more.
            _ => match open_anew(descriptor, OFlag::O_WRONLY) {
                Some(own) => {
                    enlarge(own.as_raw_fd());
                    Manner::Own(own)
                }
                None => Manner::Little,
            },
        };
        Outlet { descriptor, way }
    }

    /// Sets up writing to a non-blocking descriptor that is ours.
    pub fn own(own: OwnedFd) -> Self {
        Outlet {
            descriptor: own.as_raw_fd(),
            way: Manner::Own(own),
        }
    }

    /// Returns the descriptor to wait at.
    pub fn descriptor(&self) -> RawFd {
        match &self.way {
            Manner::Own(own) => own.as_raw_fd(),
            _ => self.descriptor,
        }
    }

    /// Returns the descriptor that is open for it, if it is not a standard one.
    pub fn opened(&self) -> Option<RawFd> {
        match &self.way {
            Manner::Own(own) => Some(own.as_raw_fd()),
            _ => None,
        }
    }

    /// Writes as many bytes of these pieces as there is room for.
    pub fn send<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Sent {
        let mut all = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (place, piece) in all.iter_mut().zip(pieces) {
            *place = IoSlice::new(piece);
            count += 1;
        }
        let written = match &self.way {
            Manner::Own(own) => writev(own, &all[..count]),
            Manner::Whole => writev(fd::numbered(self.descriptor), &all[..count]),
            Manner::Call => send(self.descriptor, &all[..count]),
            Manner::Little => write_little(self.descriptor, &all[..count]),
        };
        match result(written) {
            Sent::Failed(why @ Os(libc::ENOSPC | libc::EDQUOT)) => Sent::NoRoom(why),
            // A terminal that is gone.
            Sent::Failed(Os(libc::EIO)) if kind(self.descriptor()) == libc::S_IFCHR => Sent::Closed,
            // A disk may take the next bytes. So does a program that writes there itself go on.
            Sent::Failed(why @ Os(libc::EIO)) => {
                Sent::Lost(all[..count].iter().map(|piece| piece.len()).sum(), why)
            }
            sent => sent,
        }
    }
}

fn result(written: nix::Result<usize>) -> Sent {
    match written {
        Ok(written) => Sent::Some(written),
        Err(errno) if is_passing(errno) => Sent::Full,
        Err(Errno::EPIPE | Errno::ECONNRESET) => Sent::Closed,
        Err(errno) => Sent::Failed(Os(errno as i32)),
    }
}

fn send(to: RawFd, pieces: &[IoSlice<'_>]) -> nix::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(to, pieces, &[], flags, None)
}

fn write_little(to: RawFd, pieces: &[IoSlice<'_>]) -> nix::Result<usize> {
    let first = pieces.iter().find(|piece| !piece.is_empty());
    let first = first.map_or(&[][..], |piece| &piece[..piece.len().min(libc::PIPE_BUF)]);
    let to = fd::numbered(to);
    let mut ready = [PollFd::new(to, PollFlags::POLLOUT)];
    match poll(&mut ready, PollTimeout::ZERO) {
        Ok(1) => unistd::write(to, first),
        _ => Err(Errno::EAGAIN),
    }
}

/// Returns the file type of a descriptor; 0 if that can't be told.
fn kind(descriptor: RawFd) -> libc::mode_t {
    super::streams::status(descriptor).map_or(0, |status| status.st_mode & libc::S_IFMT)
}

/// Opens a descriptor's file once more, for this way of access and non-blocking.
pub fn open_anew(descriptor: RawFd, access: OFlag) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{descriptor}");
    let flags = access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    open(path.as_str(), flags, Mode::empty()).ok()
}
