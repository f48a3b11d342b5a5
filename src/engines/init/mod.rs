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

pub use self::relay::Inner;
pub use self::settings::{OnChange, Settings, Watching};
pub use self::watch::{Digests, Known, Outcome, digest, pause};

use self::supervisor::Supervisor;
use crate::engines::delivered::Delivered;
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
    /// What has been delivered in a folder before.
    pub delivered: Option<Delivered>,
}

/// What a supervisor is told: settings, needles, digests, files, and what fetching has come to.
const SETTINGS: u8 = 1;
const NEEDLES: u8 = 2;
const DIGESTS: u8 = 3;
const FILES: u8 = 4;
const OUTCOME: u8 = 5;

/// What is put down for the supervisor is told with what comes after it.
impl Supervised {
    /// How to supervise.
    pub fn settle(&mut self, settings: &Settings) {
        self.speaker.put(SETTINGS, &settings.bytes());
    }

    /// What to look for in the workload's output.
    pub fn arm(&mut self, needles: &[u8]) {
        self.speaker.put(NEEDLES, needles);
    }

    /// The digests of what the workload gets.
    pub fn remember(&mut self, digests: &Digests) {
        self.speaker.put(DIGESTS, &watch::to_bytes(digests));
    }

    /// What to remove when the workload has ended.
    pub fn leave(&mut self, delivered: &Delivered) {
        self.speaker.put(FILES, &delivered.bytes());
    }

    /// What fetching again has come to.
    pub fn report(&mut self, outcome: &Outcome) {
        self.speaker.put(OUTCOME, &outcome.bytes());
    }

    /// Tells the supervisor all of it.
    ///
    /// # Errors
    /// It is gone.
    pub fn tell(&mut self) -> Result<(), Error> {
        let said = self.speaker.say();
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
