//! What a process that was forked by its supervisor has of it, and tells it.

use std::io;
use std::time::Duration;

use super::known::{Digests, Known, Lent, Outcome};
use super::message::Message;
use super::relay::Inner;
use super::settings::Settings;
use crate::engine::delivered::Delivered;
use crate::model::error::Error;
use crate::sys::message_pipe::{Heard, Listener, Speaker};

/// What a process that was forked by its supervisor has of it.
pub struct Supervised {
    pub(super) speaker: Speaker,
    /// By what the supervisor says that it has taken something in, where that matters.
    pub(super) answers: Option<Listener>,
    /// The process that the workload is the child of.
    pub parent: i32,
    /// Whether orphans come to the supervisor.
    pub reaps: bool,
    /// Whether nothing was launched before.
    pub first: bool,
    /// Whether the supervisor keeps what it was started with, so that others can come again.
    pub keeps: bool,
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

/// Messages are buffered until [`Supervised::tell`], so that the supervisor wakes once.
impl Supervised {
    /// Buffers how to supervise.
    pub fn settle(&mut self, settings: &Settings) {
        Message::Settings(*settings).put(&mut self.speaker);
    }

    /// Tells that the launch waits so long before it asks a server.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn pause(&mut self, time: Duration) -> Result<(), Error> {
        Message::Pauses(time).put(&mut self.speaker);
        self.tell()
    }

    /// Buffers what to look for in the workload's output.
    pub fn arm(&mut self, needles: &[u8]) {
        Message::Needles(needles).put(&mut self.speaker);
    }

    /// Tells what to look for where the workload runs already; comes back when it is looked for.
    ///
    /// # Errors
    /// The supervisor is gone, or does not understand it.
    pub fn arm_now(&mut self, needles: &[u8]) -> Result<(), Error> {
        self.arm(needles);
        self.tell()?;
        let mut is_armed = false;
        if let Some(answers) = &mut self.answers {
            while !is_armed {
                let armed = |it: &[u8]| is_armed |= Message::read(it) == Some(Message::Armed);
                if answers.hear(armed) != Heard::More {
                    break;
                }
            }
        }
        match is_armed {
            true => Ok(()),
            false => {
                let why = io::Error::from(io::ErrorKind::BrokenPipe);
                Err(Error::file("hear", "from the supervisor", why))
            }
        }
    }

    /// Buffers the digests of what the workload gets.
    pub fn remember(&mut self, digests: &Digests) {
        Message::Digests(digests.clone()).put(&mut self.speaker);
    }

    /// Buffers what the workload is lent.
    pub fn lend(&mut self, lent: &Lent) {
        Message::Lent(lent.clone()).put(&mut self.speaker);
    }

    /// Buffers what to remove when the workload has ended.
    pub fn leave(&mut self, delivered: &Delivered) {
        Message::Files(delivered.told()).put(&mut self.speaker);
    }

    /// Buffers what fetching again has come to.
    pub fn report(&mut self, outcome: &Outcome) {
        Message::Outcome(outcome.clone()).put(&mut self.speaker);
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
