//! Messages that the supervisor hears from the processes that launch, and from those on an errand.

use super::action::Event;
use super::known::Outcome;
use super::message::Message;
use super::relay::Relay;
use super::supervisor::Supervisor;
use crate::engine::delivered::Delivered;
use crate::sys::memory;
use crate::sys::message_pipe::Heard;

impl Supervisor {
    /// Hears the process that launches.
    pub(super) fn hear(&mut self) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        let mut understood = true;
        let heard = link.hear(|message| understood &= self.take_in(message));
        match heard {
            Heard::More if understood => self.link = Some(link),
            Heard::End => {
                let armed = self.streams.relay.as_mut().is_none_or(Relay::begin);
                let keeps = self.asked.watches || self.asked.lends;
                if self.streams.relay.is_none() && !keeps {
                    self.waiting.stop_listening();
                }
                self.on(Event::Begun { armed });
            }
            Heard::More | Heard::Failed => self.on(Event::Unheard),
        }
    }

    /// Takes in a message of a process that launches. True if it can be understood.
    fn take_in(&mut self, message: &[u8]) -> bool {
        match Message::read(message) {
            Some(Message::Supervision(settings)) => self.on(Event::Supervision(settings)),
            Some(Message::Pauses(time)) => self.on(Event::Pauses(time)),
            Some(Message::Needles(needles)) => return self.arm(needles),
            Some(Message::Digests(digests)) => self.on(Event::Digests(digests)),
            Some(Message::Loans(lent)) => {
                memory::stay();
                self.on(Event::Loans(lent));
            }
            Some(Message::Files(told)) => Delivered::keep(&mut self.delivered, told),
            Some(Message::Outcome(_) | Message::Armed) | None => return false,
        }
        true
    }

    /// Has needles looked for. True if they are.
    fn arm(&mut self, needles: &[u8]) -> bool {
        self.streams
            .relay
            .as_mut()
            .is_none_or(|relay| relay.arm(needles))
    }

    /// Hears a process on an errand.
    pub(super) fn hear_errand(&mut self) {
        let Some(mut errand) = self.errand.take() else {
            return;
        };
        let (mut outcome, mut lent, mut armed): (Option<Outcome>, _, _) = (None, None, None);
        let heard = errand.link.hear(|message| match Message::read(message) {
            Some(Message::Outcome(told)) => outcome = Some(told),
            Some(Message::Loans(told)) => lent = Some(told),
            Some(Message::Files(told)) => Delivered::keep(&mut self.delivered, told),
            Some(Message::Needles(needles)) => armed = Some(self.arm(needles)),
            _ => {}
        });
        if let Some(armed) = armed {
            errand.answer(armed);
        }
        if let Some(lent) = lent {
            self.on(Event::Loans(lent));
        }
        if let Some(outcome) = outcome {
            self.on(Event::Reported(outcome));
        }
        match heard {
            Heard::End => self.on(Event::ErrandOver),
            Heard::More => self.errand = Some(errand),
            Heard::Failed => {
                self.errand = Some(errand);
                self.on(Event::ErrandLost);
            }
        }
    }
}
