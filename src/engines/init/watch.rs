//! `run --watch`: secrets are fetched again, each time by a fresh process, and compared by keyed
//! digests. The supervisor has nothing else of them.

use std::time::{Duration, Instant};

use super::settings::{OnChange, Watching};
use super::signals::KILL;
use super::supervisor::{Supervisor, Then};
use super::{FILES, OUTCOME, Supervised};
use crate::engines::delivered::Delivered;
use crate::engines::fill::Filled;
use crate::pure::digest::keyed;
use crate::world::link::{self, Listener};
use crate::world::process::{self, Forked};
use crate::world::random;

/// The keyed digest of what a variable is filled in with.
pub type Digest = [u8; 16];

/// A variable's name, and the digest of what it is filled in with; none where it is removed.
pub type Digests = Vec<(Vec<u8>, Digest)>;

/// What is known of the secrets that the workload has.
#[derive(Clone, Default)]
pub struct Known {
    /// What they were.
    pub digests: Digests,
    /// How often in a row they could not be fetched.
    pub failures: u32,
    /// The digest of what is said about lost ones, where that has been said.
    pub lost: Option<Digest>,
}

/// What fetching them again has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are as they were.
    Same,
    /// Some are others.
    Changed(Digests),
    /// They could not be fetched.
    Failed,
    /// Some are deleted or denied; the digest of what was said.
    Lost(Digest),
}

/// The digest of what a variable is filled in with.
pub fn digest(key: &[u8; 32], filled: &Filled<'_>) -> Digest {
    let is_there = [u8::from(filled.is_some())];
    let pieces = filled.iter().flatten();
    let values = pieces.map(|piece| piece.secret().map_or(piece.bytes(), |(_, value)| value));
    keyed(key, [is_there.as_slice()].into_iter().chain(values))
}

const NAME: usize = size_of::<u32>();

/// Digests as bytes: each after its name, which stands after its length.
pub(super) fn to_bytes(digests: &Digests) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, digest) in digests {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(name);
        bytes.extend(digest);
    }
    bytes
}

pub(super) fn from_bytes(mut bytes: &[u8]) -> Option<Digests> {
    let mut digests = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<NAME>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (name, rest) = rest.split_at_checked(length)?;
        let (digest, rest) = rest.split_first_chunk()?;
        digests.push((name.to_vec(), *digest));
        bytes = rest;
    }
    Some(digests)
}

impl Outcome {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Outcome::Same => vec![0],
            Outcome::Changed(digests) => [vec![1], to_bytes(digests)].concat(),
            Outcome::Failed => vec![2],
            Outcome::Lost(digest) => [[3].as_slice(), digest].concat(),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            0 => Outcome::Same,
            1 => Outcome::Changed(from_bytes(rest)?),
            2 => Outcome::Failed,
            3 => Outcome::Lost(rest.try_into().ok()?),
            _ => return None,
        })
    }
}

/// After failures the time between grows, to at most so many times itself.
const MOST_PATIENCE: u32 = 8;

/// The time until the next try, after so many that failed in a row.
pub fn pause(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(MOST_PATIENCE.min(1 << failures.min(8)))
}

/// When secrets are fetched again, and the process that does.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) known: Known,
    /// None while they are fetched, and while the workload is launched or ended.
    due: Option<Instant>,
    /// Whether somebody has asked meanwhile.
    asked: bool,
    /// Whoever asks waits until then.
    quiet: Option<Instant>,
    fetching: Option<Fetching>,
}

pub(super) struct Fetching {
    pub(super) process: i32,
    pub(super) link: Listener,
    pub(super) outcome: Option<Outcome>,
}

impl Watch {
    /// The workload has what is known now: the next time is an interval away.
    pub(super) fn wait(&mut self, watching: &Watching) {
        let every = pause(watching.every, self.known.failures);
        // A tenth more or less, so that a fleet does not march in step.
        let tenth = every / 10;
        let time = every - tenth + random::up_to(2 * tenth);
        let time = if self.asked { Duration::ZERO } else { time };
        self.asked = false;
        self.due = Some(Instant::now() + time);
    }

    /// Somebody asks for it now.
    pub(super) fn ask(&mut self) {
        match &mut self.due {
            Some(due) => {
                let now = Instant::now();
                *due = self.quiet.map_or(now, |until| until.max(now));
            }
            None => self.asked = true,
        }
    }

    /// Somebody wants the workload to end, and so not launched anew: nothing is fetched before it
    /// has had the time for that.
    pub(super) fn put_off(&mut self, time: Duration) {
        if self.due.is_some() || self.fetching.is_some() {
            self.stop();
            self.quiet = Some(Instant::now() + time);
            self.due = self.quiet;
        }
    }

    /// When the next time is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn begin(&mut self, process: i32, link: Listener) {
        self.due = None;
        self.fetching = Some(Fetching {
            process,
            link,
            outcome: None,
        });
    }

    pub(super) fn fetching(&mut self) -> Option<&mut Fetching> {
        self.fetching.as_mut()
    }

    /// The process that fetched has ended: what has come of it.
    pub(super) fn end(&mut self) -> Outcome {
        let fetching = self.fetching.take();
        let outcome = fetching.and_then(|fetching| fetching.outcome);
        let outcome = outcome.unwrap_or(Outcome::Failed);
        match &outcome {
            Outcome::Failed => self.known.failures = self.known.failures.saturating_add(1),
            Outcome::Lost(digest) => (self.known.failures, self.known.lost) = (0, Some(*digest)),
            Outcome::Same | Outcome::Changed(_) => {
                (self.known.failures, self.known.lost) = (0, None);
            }
        }
        outcome
    }

    /// Nothing is fetched any more.
    pub(super) fn stop(&mut self) {
        self.due = None;
        self.asked = false;
        if let Some(fetching) = self.fetching.take() {
            process::send(fetching.process, KILL);
        }
    }
}

impl Supervisor {
    /// Forks a process that fetches the secrets again.
    pub(super) fn fetch(&mut self) -> Option<Supervised> {
        let supervisor = process::own();
        let forked = link::pipe().and_then(|ends| Ok((ends, process::fork()?)));
        match forked {
            Ok(((speaker, _), Forked::Child)) => {
                process::leave_session();
                self.relay = None;
                let mut supervised = self.hand_over(supervisor, speaker, None);
                supervised.known = Some(std::mem::take(&mut self.watch.known));
                return Some(supervised);
            }
            Ok(((_, listener), Forked::Parent(process))) => self.watch.begin(process, listener),
            Err(_) => self.fetched(),
        }
        None
    }

    pub(super) fn hear_fetching(&mut self) {
        let Some(fetching) = self.watch.fetching() else {
            return;
        };
        let (outcome, delivered) = (&mut fetching.outcome, &mut self.delivered);
        let goes_on = fetching.link.hear(|kind, message| match kind {
            OUTCOME => *outcome = Outcome::from_bytes(message),
            FILES => Delivered::keep(delivered, message),
            _ => {}
        });
        if !goes_on {
            self.fetched();
        }
    }

    /// The process that fetched has ended, or could not even begin.
    pub(super) fn fetched(&mut self) {
        let Some(watching) = self.settings.watching else {
            return;
        };
        match self.watch.end() {
            Outcome::Changed(digests) => match watching.on_change {
                OnChange::Restart => return self.stop(Then::Launch),
                OnChange::Exit(code) => return self.stop(Then::Exit(code)),
                OnChange::Signal(signal) => {
                    self.watch.known.digests = digests;
                    process::send(self.target(self.settings.group), signal.into());
                }
            },
            Outcome::Lost(_) if watching.stop_on_loss => return self.stop(Then::Exit(125)),
            Outcome::Same | Outcome::Failed | Outcome::Lost(_) => {}
        }
        self.watch.wait(&watching);
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn outcomes_pass_as_bytes() {
        let digests = vec![(b"NAME".to_vec(), [7; 16]), (vec![], [0; 16])];
        for outcome in [
            Outcome::Same,
            Outcome::Changed(digests),
            Outcome::Changed(vec![]),
            Outcome::Failed,
            Outcome::Lost([9; 16]),
        ] {
            assert_eq!(Outcome::from_bytes(&outcome.bytes()), Some(outcome));
        }
        assert_eq!(Outcome::from_bytes(&[1, 9, 0, 0, 0, 65]), None);
        assert_eq!(Outcome::from_bytes(&[4]), None);
    }
}
