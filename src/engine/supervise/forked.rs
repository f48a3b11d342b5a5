//! Processes that the supervisor forks: the facts that they get, and the supervisor's hold of them.

use std::io;

use super::known::Known;
use super::message::Message;
use super::relay::Inner;
use super::supervised::Supervised;
use crate::core::signal::KILL;
use crate::engine::delivered::Delivered;
use crate::sys::message_pipe::{self, Listener, Speaker};
use crate::sys::process::{self, Forked, To};
use crate::sys::startup;

/// The facts that each forked process gets.
#[derive(Clone, Copy)]
pub(super) struct Given {
    pub(super) key: [u8; 32],
    pub(super) reaps: bool,
    pub(super) keeps: bool,
    pub(super) first: bool,
    /// The supervisor, as it was started.
    pub(super) supervisor: i32,
}

impl Given {
    /// Prepares a process that was just forked, below `parent`. Returns its side of the supervisor.
    pub(super) fn hand_over(
        self,
        parent: i32,
        speaker: Speaker,
        inner: Option<Inner>,
        delivered: Option<Delivered>,
    ) -> Supervised {
        // No other process would end the launch in the supervisor's place.
        process::signal_at_end_of(parent, KILL.into());
        process::set_name("doorkey");
        startup::unblock();
        Supervised {
            speaker,
            answers: None,
            parent,
            supervisor: self.supervisor,
            reaps: self.reaps,
            keeps: self.keeps,
            first: self.first,
            key: self.key,
            known: None,
            inner,
            delivered,
        }
    }
}

/// A process on an errand, as its supervisor has it.
pub(super) struct Errand {
    process: i32,
    pub(super) link: Listener,
    /// The pipe on which the errand is told that something was taken in.
    answers: Option<Speaker>,
}

/// The process that a fork for an errand has made of this one.
pub(super) enum Forks {
    /// The process on the errand, without the facts for it alone.
    OnErrand(Fresh),
    Supervisor(Errand),
}

/// A process on an errand, before it has anything.
pub(super) struct Fresh {
    supervisor: i32,
    speaker: Speaker,
    answers: Listener,
}

impl Fresh {
    /// Returns the errand's side of its supervisor.
    pub(super) fn hand_over(
        self,
        given: Given,
        known: Known,
        delivered: Option<Delivered>,
    ) -> Supervised {
        Supervised {
            answers: Some(self.answers),
            known: Some(known),
            ..given.hand_over(self.supervisor, self.speaker, None, delivered)
        }
    }
}

impl Errand {
    /// Forks a process for an errand.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn start() -> io::Result<Forks> {
        let supervisor = process::own();
        let (speaker, link) = message_pipe::pipe()?;
        let (says, answers) = message_pipe::pipe()?;
        Ok(match process::fork()? {
            Forked::Child => {
                process::leave_session();
                Forks::OnErrand(Fresh {
                    supervisor,
                    speaker,
                    answers,
                })
            }
            Forked::Parent(process) => Forks::Supervisor(Errand {
                process,
                link,
                answers: Some(says),
            }),
        })
    }

    /// Tells the errand whether its needles are looked for. An errand that gets no answer does not
    /// go on.
    pub(super) fn answer(&mut self, is_armed: bool) {
        match &mut self.answers {
            Some(answers) if is_armed => {
                Message::Armed.put(answers);
                let _ = answers.say();
            }
            answers => *answers = None,
        }
    }

    /// Kills the process on the errand.
    pub(super) fn kill(self) {
        process::send(To::Process(self.process), KILL.into());
    }
}
