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
mod sought;
mod supervisor;
mod watch;

use std::time::Duration;

pub use self::relay::Inner;
pub use self::settings::{OnChange, Settings, Watching};
pub use self::watch::{Digests, Known, Outcome, digest, pause};

use self::supervisor::Supervisor;
use crate::engine::delivered::Delivered;
use crate::model::error::{Error, Os};
use crate::sys::environ::Inherited;
use crate::sys::message_pipe::{Heard, Listener, Speaker};

/// What is asked of a supervisor; known before the arguments are parsed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Whether the workload's output passes through it.
    pub masks: bool,
    /// Whether secrets are fetched again.
    pub watches: bool,
}

/// How long a supervisor waits for those that fetch, and how it says what they can't say.
pub struct Patience {
    /// The time that they give themselves.
    pub timeout: Duration,
    /// Says it.
    pub say: Box<dyn Fn(Notice)>,
}

/// What a supervisor says by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A launch has not come to an end in its time, and nothing was executed.
    LaunchHangs,
    /// Secrets were not fetched again.
    NotFetched {
        /// The time until the next try.
        next: Duration,
        /// Whether it was not done in its time; else there was no process to be had, or to be heard.
        hangs: bool,
    },
    /// What a launch has said could not be understood, and it was ended.
    Unheard,
    /// Something that the workload has written is lost, for this reason.
    NotPassedOn(Os),
    /// A file with a value stays, for this reason.
    NotRemoved(Os),
}

/// What a process that was forked by its supervisor has of it.
pub struct Supervised {
    speaker: Speaker,
    /// By what the supervisor says that it has taken something in, where that matters.
    answers: Option<Listener>,
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

/// What a supervisor is told: settings, needles, digests, files, and what fetching has come to. The
/// answer to needles has their number, too.
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

    /// The same where the workload runs already; comes back when it is looked for.
    ///
    /// # Errors
    /// The supervisor is gone, or does not understand it.
    pub fn arm_now(&mut self, needles: &[u8]) -> Result<(), Error> {
        self.arm(needles);
        self.tell()?;
        let mut is_armed = false;
        let answers = self.answers.as_mut();
        if let Some(answers) = answers {
            while !is_armed && answers.hear(|kind, _| is_armed = kind == NEEDLES) == Heard::More {}
        }
        match is_armed {
            true => Ok(()),
            false => {
                let why = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
                Err(Error::file("hear", "from the supervisor", why))
            }
        }
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
pub fn split(
    inherited: Inherited,
    asked: Asked,
    patience: Patience,
) -> Result<(Inherited, Supervised), Error> {
    let supervisor = Supervisor::new(inherited, asked, patience);
    let supervised = supervisor.and_then(Supervisor::supervise);
    supervised.map_err(|why| Error::file("start", "a second process", why))
}
