//! The pipe between a supervisor and a process that it has forked. It closes by itself when that
//! process has become another program, or has ended.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::poll::Watched;

/// The end that speaks.
pub struct Speaker {
    pipe: File,
    /// The messages that are not sent yet.
    pending: Vec<u8>,
}

/// The end that listens.
pub struct Listener {
    pipe: File,
    /// The bytes received of the next message.
    heard: Vec<u8>,
    /// The number of reads in a row that a signal interrupted.
    interrupted: u32,
}

/// The outcome of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The other end is open: more may come.
    More,
    /// The other end is closed: that process has become another program, or has ended.
    End,
    /// The read failed, so its messages can't be known.
    Failed,
}

/// The length of the header before each message, in bytes. It holds the message's length in bytes.
const HEAD: usize = size_of::<u32>();

/// The size of one read, in bytes.
const PIECE: usize = 2 * 1024;

/// The largest number of reads in a row that a signal may interrupt.
const TRIES: u32 = 1000;

/// Makes a pipe.
///
/// # Errors
/// The system's error.
pub fn pipe() -> io::Result<(Speaker, Listener)> {
    // No program inherits it.
    let (reads, writes) = pipe2(OFlag::O_CLOEXEC)?;
    let listener = Listener {
        pipe: reads.into(),
        heard: Vec::new(),
        interrupted: 0,
    };
    let speaker = Speaker {
        pipe: writes.into(),
        pending: Vec::new(),
    };
    Ok((speaker, listener))
}

impl Speaker {
    /// Buffers a message until [`Speaker::say`], so that the listener wakes once for several.
    pub fn put(&mut self, message: &[u8]) {
        let length = message.len() as u32;
        self.pending.reserve(HEAD + message.len());
        self.pending.extend(length.to_le_bytes());
        self.pending.extend(message);
    }

    /// Sends all messages that are buffered.
    ///
    /// # Errors
    /// The system's error.
    pub fn say(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.pipe.write_all(&pending)
    }
}

impl Listener {
    /// Returns the descriptor to wait at.
    pub fn descriptor(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }

    /// True if there is more to hear, or the end.
    pub fn has_more(&self) -> bool {
        Watched::readable(self.descriptor()).is_ready_now()
    }

    /// Reads the bytes that have come, and hands over each message that is whole.
    pub fn hear(&mut self, mut take: impl FnMut(&[u8])) -> Heard {
        let before = self.heard.len();
        self.heard.resize(before + PIECE, 0);
        let read = self.pipe.read(&mut self.heard[before..]);
        self.heard.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Heard::End,
            Ok(_) => self.interrupted = 0,
            Err(why) if why.kind() == io::ErrorKind::Interrupted && self.interrupted < TRIES => {
                self.interrupted += 1;
                return Heard::More;
            }
            Err(_) => return Heard::Failed,
        }
        let mut rest = self.heard.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let length = u32::from_le_bytes(*head) as usize;
            let Some((message, after)) = after.split_at_checked(length) else {
                break;
            };
            take(message);
            rest = after;
        }
        let left = rest.len();
        self.heard.drain(..self.heard.len() - left);
        Heard::More
    }
}
