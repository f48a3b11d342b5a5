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
    /// What is to be said, and has not been yet.
    pending: Vec<u8>,
}

/// The end that listens.
pub struct Listener {
    pipe: File,
    /// What has come of the next message.
    heard: Vec<u8>,
    /// How often in a row a signal kept it from hearing.
    interrupted: u32,
}

/// What hearing has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// More may come.
    More,
    /// No more comes: the other process has become another program, or has ended.
    End,
    /// What it has said can't be known.
    Failed,
}

/// What stands before each message: its length in bytes, as a number of so many bytes.
const HEAD: usize = size_of::<u32>();

/// Read at once, in bytes.
const PIECE: usize = 2 * 1024;

/// How often in a row a signal may keep a listener from hearing.
const TRIES: u32 = 1000;

/// A new pipe.
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
    /// Buffers a message until [`Speaker::say`]: each time that one is said the listener wakes.
    pub fn put(&mut self, message: &[u8]) {
        let length = message.len() as u32;
        self.pending.reserve(HEAD + message.len());
        self.pending.extend(length.to_le_bytes());
        self.pending.extend(message);
    }

    /// Says all that is buffered.
    ///
    /// # Errors
    /// The system's error.
    pub fn say(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.pipe.write_all(&pending)
    }
}

impl Listener {
    /// The descriptor to wait at.
    pub fn descriptor(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }

    /// True if there is more to hear, or the end.
    pub fn has_more(&self) -> bool {
        Watched::readable(self.descriptor()).is_ready_now()
    }

    /// Takes in what has come, and hands over each message that is whole.
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
