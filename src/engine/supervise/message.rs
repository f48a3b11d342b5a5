//! Messages between a supervisor and the processes that it has forked: `postcard` in the frame of
//! [`message_pipe`](crate::sys::message_pipe).

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::known::{Digests, Loans, Outcome};
use super::settings::Supervision;
use crate::engine::delivered::Told;
use crate::sys::message_pipe::Speaker;

/// A message. The supervisor hears all but the last, which is its own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message<'m> {
    /// The settings of supervision.
    Supervision(Supervision),
    /// The pause of a launch before it asks a server.
    Pauses(Duration),
    /// The needles to look for in the workload's output, as `core::mask` passes them on.
    #[serde(borrow, serialize_with = "at_once")]
    Needles(&'m [u8]),
    /// The digests of what the workload gets.
    Digests(Digests),
    /// The leases of what the workload gets.
    Loans(Loans),
    /// The files to remove when the workload has ended.
    Files(Told),
    /// The outcome of an errand, such as fetching again.
    Outcome(Outcome),
    /// The needles that were told last are looked for.
    Armed,
}

/// Serializes many bytes in one step.
fn at_once<S: Serializer>(bytes: &&[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

/// The most bytes of a message beyond those of needles.
const USUAL: usize = 256;

impl<'m> Message<'m> {
    /// Puts the message down for the listener. Messages are buffered until [`Speaker::say`], so
    /// that the listener wakes once.
    pub(super) fn put(&self, speaker: &mut Speaker) {
        let room = match self {
            Message::Needles(bytes) => bytes.len() + USUAL,
            _ => USUAL,
        };
        // Writing to memory does not fail; nothing at all is no message, and refused.
        let bytes = postcard::to_extend(self, Vec::with_capacity(room)).unwrap_or_default();
        speaker.put(&bytes);
    }

    /// Reads a message; none where the bytes are no message.
    pub(super) fn read(bytes: &'m [u8]) -> Option<Self> {
        let (message, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::{OnChange, Watching};
    use super::*;
    use crate::core::signal::Map;

    fn settings() -> Vec<Supervision> {
        let mut map = Map::default();
        map.add("TERM:INT").unwrap();
        let watching = |on_change| Supervision {
            watching: Some(Watching {
                every: Duration::from_secs(60),
                on_change,
                stop_on_loss: on_change == OnChange::Restart,
                refresh: 12,
            }),
            ..Supervision::default()
        };
        vec![
            Supervision::default(),
            Supervision {
                map,
                group: true,
                grace: Some(Duration::from_millis(1500)),
                parent_death: 9,
                watching: None,
            },
            Supervision {
                grace: Some(Duration::MAX),
                ..Supervision::default()
            },
            watching(OnChange::Restart),
            watching(OnChange::Signal(1)),
            watching(OnChange::Exit(75)),
        ]
    }

    #[test]
    fn messages_pass() {
        let digests = vec![(b"NAME".to_vec(), [7; 16]), (vec![], [0; 16])];
        let outcomes = [
            Outcome::Same,
            Outcome::Changed(digests.clone()),
            Outcome::Changed(vec![]),
            Outcome::Failed,
            Outcome::Lost([9; 16]),
            Outcome::HeldBack,
        ];
        let messages = settings().into_iter().map(Message::Supervision);
        let messages = messages.chain(outcomes.map(Message::Outcome)).chain([
            Message::Needles(&[1; 300]),
            Message::Digests(digests),
            Message::Pauses(Duration::from_millis(2500)),
            Message::Armed,
        ]);
        for message in messages {
            let bytes = postcard::to_extend(&message, Vec::new()).unwrap();
            assert_eq!(Message::read(&bytes), Some(message));
            assert_eq!(Message::read(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Message::read(&[&bytes[..], &[0]].concat()), None);
        }
        assert_eq!(Message::read(&[9]), None);
    }
}
