//! What processes that the supervisor forks get of it, and what it keeps of them.

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

/// What each of them gets.
#[derive(Clone, Copy)]
pub(super) struct Given {
    pub(super) key: [u8; 32],
    pub(super) reaps: bool,
    pub(super) keeps: bool,
    pub(super) first: bool,
}

impl Given {
    /// In a process that was just forked, below `parent`: what it has of its supervisor.
    pub(super) fn hand_over(
        self,
        parent: i32,
        speaker: Speaker,
        inner: Option<Inner>,
        delivered: Option<Delivered>,
    ) -> Supervised {
        // Nobody would end the launch in the supervisor's place.
        process::signal_at_end_of(parent, KILL.into());
        process::set_name("doorkey");
        startup::unblock();
        Supervised {
            speaker,
            answers: None,
            parent,
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
    /// Where it is told that something was taken in.
    answers: Option<Speaker>,
}

/// Which process a fork for an errand has made of this one.
pub(super) enum Made {
    /// The one on the errand: what it has of its supervisor, without what is for it alone.
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
    /// What it has of its supervisor.
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
    /// Forks a process for one.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start() -> io::Result<Made> {
        let supervisor = process::own();
        let (speaker, link) = message_pipe::pipe()?;
        let (says, answers) = message_pipe::pipe()?;
        Ok(match process::fork()? {
            Forked::Child => {
                process::leave_session();
                Made::OnErrand(Fresh {
                    supervisor,
                    speaker,
                    answers,
                })
            }
            Forked::Parent(process) => Made::Supervisor(Errand {
                process,
                link,
                answers: Some(says),
            }),
        })
    }

    /// Tells it whether the needles that it has told are looked for. One that gets no answer does
    /// not go on.
    pub(super) fn answer(&mut self, is_armed: bool) {
        match &mut self.answers {
            Some(answers) if is_armed => {
                Message::Armed.put(answers);
                let _ = answers.say();
            }
            answers => *answers = None,
        }
    }

    /// Kills it.
    pub(super) fn kill(self) {
        process::send(To::Process(self.process), KILL.into());
    }
}
