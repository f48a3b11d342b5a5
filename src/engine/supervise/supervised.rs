//! The forked process's side of its supervisor: facts that it gets, and messages that it sends.

use std::io;
use std::time::Duration;

use super::known::{Digests, Known, Loans, Outcome};
use super::message::Message;
use super::relay::Inner;
use super::settings::Supervision;
use crate::engine::delivered::Delivered;
use crate::model::error::Error;
use crate::sys::message_pipe::{Heard, Listener, Speaker};

/// The side of its supervisor that a forked process has.
pub struct Supervised {
    pub(super) speaker: Speaker,
    /// The answers by which the supervisor says that it has taken something in, where that matters.
    /// Those to a launch only end.
    pub(super) answers: Option<Listener>,
    /// The parent of the workload.
    pub parent: i32,
    /// The supervisor, which is the process that was started.
    pub supervisor: i32,
    /// True if orphans come to the supervisor.
    pub reaps: bool,
    /// True for the first launch of the supervisor.
    pub first: bool,
    /// True if the supervisor keeps the environment that it was started with, so that more
    /// processes can be forked.
    pub keeps: bool,
    /// The key of the digests of secrets, made anew for each supervisor that hears of them.
    pub key: [u8; 32],
    /// The supervisor's knowledge of the workload's secrets, for a process that is only to fetch
    /// them again. None for a process that becomes the workload.
    pub known: Option<Known>,
    /// The workload's side of the relay of its output.
    pub inner: Option<Inner>,
    /// The files that have been delivered in a folder before.
    pub delivered: Option<Delivered>,
}

/// Messages are buffered until [`Supervised::tell`], so that the supervisor wakes once.
impl Supervised {
    /// Buffers the settings of supervision.
    pub fn settle(&mut self, settings: &Supervision) {
        Message::Supervision(*settings).put(&mut self.speaker);
    }

    /// Tells the supervisor the pause of the launch before it asks a server.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn pause(&mut self, time: Duration) -> Result<(), Error> {
        Message::Pauses(time).put(&mut self.speaker);
        self.tell()
    }

    /// Buffers the needles to look for in the workload's output.
    pub fn arm(&mut self, needles: &[u8]) {
        Message::Needles(needles).put(&mut self.speaker);
    }

    /// Tells the needles to look for where the workload runs already. Returns when they are looked
    /// for.
    ///
    /// # Errors
    /// The supervisor is gone, or does not understand the needles.
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

    /// Waits until the supervisor has its name, by which `join` finds the workload, and output to its
    /// own descriptors is looked through, too. A supervisor without a processor may not have come so
    /// far when the workload is ready.
    pub fn wait(&mut self) {
        while let Some(answers) = &mut self.answers
            && answers.hear(|_| ()) == Heard::More
        {}
    }

    /// Buffers the digests of what the workload gets.
    pub fn remember(&mut self, digests: &Digests) {
        Message::Digests(digests.clone()).put(&mut self.speaker);
    }

    /// Buffers the leases of the workload.
    pub fn lend(&mut self, lent: &Loans) {
        Message::Loans(lent.clone()).put(&mut self.speaker);
    }

    /// Buffers the files to remove when the workload has ended.
    pub fn leave(&mut self, delivered: &Delivered) {
        Message::Files(delivered.told()).put(&mut self.speaker);
    }

    /// Buffers the outcome of an errand, such as fetching again.
    pub fn report(&mut self, outcome: &Outcome) {
        Message::Outcome(outcome.clone()).put(&mut self.speaker);
    }

    /// Sends the supervisor all that is buffered.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn tell(&mut self) -> Result<(), Error> {
        let said = self.speaker.say();
        said.map_err(|why| Error::file("write", "to the supervisor", why))
    }
}
