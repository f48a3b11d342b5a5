//! Bytes that are passed on by a process which must never be kept waiting.

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

/// What a pipe is asked to hold, in bytes: each time that one of two processes has to wait for the
/// other costs more than its bytes.
const PIPE_BYTES: libc::c_int = 1024 * 1024;

/// How many pieces are written at once.
const PIECES: usize = 64;

/// How often reading is tried that has failed for a reason which passes.
const TRIES: usize = 100;

/// A new pipe: the end to read from, which makes nobody wait, and the one to write to.
///
/// # Errors
/// The system's error.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reads, writes) = pipe2(OFlag::O_CLOEXEC)?;
    make_nobody_wait(reads.as_raw_fd())?;
    enlarge(reads.as_raw_fd());
    Ok((reads, writes))
}

/// Has a pipe hold more. Where a user has many of them, and of what is none, it stays as it is.
fn enlarge(pipe: RawFd) {
    let pipe = fd::numbered(pipe);
    if fcntl(pipe, FcntlArg::F_GETPIPE_SZ).is_ok_and(|bytes| bytes < PIPE_BYTES) {
        let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    }
}

/// Has nobody wait for a descriptor that is ours alone.
///
/// # Errors
/// The system's error.
pub(super) fn make_nobody_wait(descriptor: RawFd) -> io::Result<()> {
    let descriptor = fd::numbered(descriptor);
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// What reading has come to.
pub enum Received {
    /// So many bytes.
    Some(usize),
    /// Nothing is there now.
    Nothing,
    /// Nothing will come.
    End,
    /// Nothing can be had, by this error.
    Failed(Os),
}

/// Writes as much as there is room for, to a descriptor that makes nobody wait.
pub fn transmit(to: RawFd, bytes: &[u8]) -> Sent {
    result(unistd::write(fd::numbered(to), bytes))
}

/// Reads what is there, from a descriptor that makes nobody wait.
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

/// What writing has come to.
pub enum Sent {
    /// So many bytes.
    Some(usize),
    /// There is no room now.
    Full,
    /// Nobody will read it.
    Closed,
    /// So many bytes are lost by this error, and the next may not be.
    Lost(usize, Os),
    /// Nothing can be written, by this error.
    Failed(Os),
}

/// A descriptor to write to.
pub struct Outlet {
    descriptor: RawFd,
    way: Manner,
}

/// How not to wait for it. A flag of the descriptor would change it for everybody who has it.
enum Manner {
    /// It was opened anew, or is ours.
    Own(OwnedFd),
    /// The call says so.
    Call,
    /// A file takes everything.
    Whole,
    /// So much at a time that it has room for whenever it is ready.
    Little,
}

impl Outlet {
    /// One of the standard descriptors.
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

    /// A descriptor that makes nobody wait, and is ours.
    pub fn own(own: OwnedFd) -> Self {
        Outlet {
            descriptor: own.as_raw_fd(),
            way: Manner::Own(own),
        }
    }

    /// The descriptor to wait at.
    pub fn descriptor(&self) -> RawFd {
        match &self.way {
            Manner::Own(own) => own.as_raw_fd(),
            _ => self.descriptor,
        }
    }

    /// What is open for it, beside the standard descriptors.
    pub fn opened(&self) -> Option<RawFd> {
        match &self.way {
            Manner::Own(own) => Some(own.as_raw_fd()),
            _ => None,
        }
    }

    /// Writes as much of these as there is room for.
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
            // As if the workload had written there itself.
            Sent::Failed(why @ Os(libc::ENOSPC | libc::EDQUOT)) => {
                Sent::Lost(all[..count].iter().map(|piece| piece.len()).sum(), why)
            }
            // A terminal that is gone.
            Sent::Failed(Os(libc::EIO)) if kind(self.descriptor()) == libc::S_IFCHR => Sent::Closed,
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

/// The kind of file that a descriptor is; 0 where that can't be told.
fn kind(descriptor: RawFd) -> libc::mode_t {
    super::streams::status(descriptor).map_or(0, |status| status.st_mode & libc::S_IFMT)
}

/// Opens what a descriptor has open once more, for this way of access and so that nobody has to
/// wait for it.
pub fn open_anew(descriptor: RawFd, access: OFlag) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{descriptor}");
    let flags = access | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    open(path.as_str(), flags, Mode::empty()).ok()
}
