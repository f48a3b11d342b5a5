//! `run --init`: two processes. One becomes the workload, as without `--init`; the other forwards
//! signals to it, takes in orphans, and ends when it ends. That one is forked from before any
//! secret is read, and has none: what it was started with is overwritten.

mod channel;
mod end;
mod monitor;
mod relay;
mod session;
mod settings;
mod signals;
mod supervisor;
mod watch;

use std::path::PathBuf;

pub use self::relay::Inner;
pub use self::settings::{OnChange, Settings, Watching};
pub use self::watch::{Digests, Known, Outcome, digest, pause};

use self::supervisor::Supervisor;
use crate::words::error::Error;
use crate::world::environ::Started;
use crate::world::link::Speaker;

/// What is asked of a supervisor; known before the arguments are parsed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Whether the workload's output passes through it.
    pub masks: bool,
    /// Whether secrets are fetched again.
    pub watches: bool,
}

/// What a process that was forked by its supervisor has of it.
pub struct Supervised {
    speaker: Speaker,
    /// The process that the workload is the child of.
    pub parent: i32,
    /// Whether orphans come to the supervisor.
    pub reaps: bool,
    /// The key of what is said about secrets, made anew for each supervisor that hears of them.
    pub key: [u8; 32],
    /// What the supervisor knows of the workload's secrets, for a process that is only to fetch
    /// them again; none for one that becomes the workload.
    pub known: Option<Known>,
    /// The workload's side of what relays its output.
    pub inner: Option<Inner>,
}

/// What a supervisor is told: settings, needles, digests, files, and what fetching has come to.
const SETTINGS: u8 = 1;
const NEEDLES: u8 = 2;
const DIGESTS: u8 = 3;
const FILES: u8 = 4;
const OUTCOME: u8 = 5;

impl Supervised {
    /// Tells the supervisor how to supervise.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn settle(&mut self, settings: &Settings) -> Result<(), Error> {
        self.say(SETTINGS, &settings.bytes())
    }

    /// Tells it what to look for in the workload's output.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn arm(&mut self, needles: &[u8]) -> Result<(), Error> {
        self.say(NEEDLES, needles)
    }

    /// Tells it the digests of what the workload gets.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn remember(&mut self, digests: &Digests) -> Result<(), Error> {
        self.say(DIGESTS, &watch::to_bytes(digests))
    }

    /// Tells it what to remove when the workload has ended, by absolute paths.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn leave(&mut self, files: &[PathBuf]) -> Result<(), Error> {
        use std::os::unix::ffi::OsStrExt;
        let paths: Vec<&[u8]> = files
            .iter()
            .map(|file| file.as_os_str().as_bytes())
            .collect();
        self.say(FILES, &paths.join(&0))
    }

    /// Tells it what fetching again has come to.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.say(OUTCOME, &outcome.bytes())
    }

    fn say(&mut self, kind: u8, message: &[u8]) -> Result<(), Error> {
        let said = self.speaker.say(kind, message);
        said.map_err(|why| Error::file("write", "to the supervisor", why))
    }
}

/// Makes two of this process. The one that comes back is to become the workload or, later and any
/// number of times, to launch it anew or to fetch its secrets again.
///
/// # Errors
/// What the system says.
pub fn split(started: Started, asked: Asked) -> Result<(Started, Supervised), Error> {
    let supervised = Supervisor::new(started, asked).and_then(Supervisor::supervise);
    supervised.map_err(|why| Error::file("start", "a second process", why))
}
