//! `run --watch`: secrets are fetched again, each time by a fresh process, and compared by keyed
//! digests. The supervisor has nothing else of them.

use std::time::{Duration, Instant};

use super::settings::{OnChange, Watching};
use super::signals::KILL;
use super::supervisor::{Supervisor, Then, is_over};
use super::{FILES, NEEDLES, Notice, OUTCOME, Supervised};
use crate::core::keyed_hash::keyed;
use crate::engine::delivered::Delivered;
use crate::engine::substitute::Filled;
use crate::sys::message_pipe::{self, Heard, Listener, Speaker};
use crate::sys::process::{self, Forked, To};
use crate::sys::{exec, random};

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
    /// Somebody wants the workload to end, and it may be doing so: it is not ended because of a
    /// change.
    pub held_back: bool,
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
    /// Some are others, which is to be looked at again when nothing is held back any more.
    HeldBack,
}

/// The digest of what a variable is filled in with.
pub fn digest(key: &[u8; 32], filled: &Filled<'_>) -> Digest {
    let is_there = [u8::from(!filled.is_removed())];
    let values = filled
        .pieces()
        .map(|piece| piece.secret().map_or(piece.bytes(), |(_, value)| value));
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
            Outcome::HeldBack => vec![4],
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(match kind {
            0 => Outcome::Same,
            1 => Outcome::Changed(from_bytes(rest)?),
            2 => Outcome::Failed,
            3 => Outcome::Lost(rest.try_into().ok()?),
            4 => Outcome::HeldBack,
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

/// The least time between two fetches that somebody asks for.
const LEAST: Duration = Duration::from_secs(1);

/// When secrets are fetched again, and the process that does.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) known: Known,
    /// None while they are fetched, and while the workload is launched or ended.
    due: Option<Instant>,
    /// Whether somebody has asked for the next time.
    asked: bool,
    /// When the last began that somebody had asked for.
    answered: Option<Instant>,
    /// Until then a workload is not ended because of a change.
    held_back: Option<Instant>,
    fetching: Option<Fetching>,
}

pub(super) struct Fetching {
    pub(super) process: i32,
    pub(super) link: Listener,
    /// Where it is told that something was taken in.
    answers: Option<Speaker>,
    /// When it should have ended.
    late: Option<Instant>,
    outcome: Option<Outcome>,
}

impl Watch {
    /// The workload has what is known now: the next time is an interval away.
    pub(super) fn wait(&mut self, watching: &Watching) {
        let every = pause(watching.every, self.known.failures);
        // A tenth more or less, so that a fleet does not march in step.
        let tenth = every / 10;
        let time = every - tenth + random::up_to(2 * tenth);
        self.due = Some(Instant::now() + time);
        if self.asked {
            self.ask();
        }
    }

    /// Somebody asks for it now.
    pub(super) fn ask(&mut self) {
        self.asked = true;
        let now = Instant::now();
        let soonest = self.answered.map_or(now, |last| now.max(last + LEAST));
        self.due = self.due.map(|due| due.min(soonest));
    }

    /// Somebody wants the workload to end, and so not launched anew: it is not before it has had
    /// the time for that.
    pub(super) fn hold_back(&mut self, time: Duration) {
        self.held_back = Some(Instant::now() + time);
    }

    /// Whether that is so now.
    fn holds_back(&self) -> bool {
        self.held_back.is_some_and(|until| until > Instant::now())
    }

    /// What has changed is looked at again when that is over.
    fn look_again(&mut self) {
        self.due = self.held_back.or_else(|| Some(Instant::now()));
        if self.asked {
            self.ask();
        }
    }

    /// When the next time is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// When the process that fetches should have ended.
    pub(super) fn late(&self) -> Option<Instant> {
        self.fetching.as_ref()?.late
    }

    /// Whether that is over, and nothing has come of it.
    pub(super) fn hangs(&mut self, now: Instant) -> bool {
        let fetching = self.fetching.as_mut();
        fetching.is_some_and(|it| is_over(&mut it.late, now) && !it.link.has_more())
    }

    /// They are to be fetched now.
    fn begin(&mut self) {
        self.due = None;
        if std::mem::take(&mut self.asked) {
            self.answered = Some(Instant::now());
        }
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
            Outcome::Same | Outcome::Changed(_) | Outcome::HeldBack => {
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
            process::send(To::Process(fetching.process), KILL);
        }
    }
}

impl Supervisor {
    /// Forks a process that fetches the secrets again.
    pub(super) fn fetch(&mut self) -> Option<Supervised> {
        self.watch.begin();
        let supervisor = process::own();
        let late = self.limit();
        let pipes = message_pipe::pipe().and_then(|says| Ok((says, message_pipe::pipe()?)));
        let forked = pipes.and_then(|pipes| Ok((pipes, process::fork()?)));
        match forked {
            Ok((((speaker, _), (_, answers)), Forked::Child)) => {
                process::leave_session();
                self.relay = None;
                if self.aside.put_back().is_err() {
                    exec::quit(125);
                }
                let mut supervised = self.hand_over(supervisor, speaker, None);
                supervised.answers = Some(answers);
                let mut known = std::mem::take(&mut self.watch.known);
                known.held_back = self.watch.holds_back();
                supervised.known = Some(known);
                return Some(supervised);
            }
            Ok((((_, link), (answers, _)), Forked::Parent(process))) => {
                self.watch.fetching = Some(Fetching {
                    process,
                    link,
                    answers: Some(answers),
                    late,
                    outcome: None,
                });
            }
            Err(_) => self.give_up_fetching(false),
        }
        None
    }

    /// Gives up fetching them, with what there is of it, and says so.
    pub(super) fn give_up_fetching(&mut self, hangs: bool) {
        let Some(watching) = self.settings.watching else {
            return;
        };
        if let Some(fetching) = &mut self.watch.fetching {
            process::send(To::Process(fetching.process), KILL);
            fetching.outcome = None;
        }
        let failures = self.watch.known.failures.saturating_add(1);
        let next = pause(watching.every, failures);
        self.notify(Notice::NotFetched { next, hangs });
        self.fetched();
    }

    pub(super) fn hear_fetching(&mut self) {
        let (Some(fetching), relay) = (&mut self.watch.fetching, &mut self.relay) else {
            return;
        };
        let outcome = &mut fetching.outcome;
        let (answers, delivered) = (&mut fetching.answers, &mut self.delivered);
        let heard = fetching.link.hear(|kind, message| match kind {
            OUTCOME => *outcome = Outcome::from_bytes(message),
            FILES => Delivered::keep(delivered, message),
            // One that gets no answer does not go on.
            NEEDLES if relay.as_mut().is_some_and(|relay| !relay.arm(message)) => *answers = None,
            NEEDLES => {
                if let Some(answers) = answers {
                    answers.put(NEEDLES, &[]);
                    let _ = answers.say();
                }
            }
            _ => {}
        });
        match heard {
            Heard::More => {}
            Heard::End => self.fetched(),
            Heard::Failed => self.give_up_fetching(false),
        }
    }

    /// The process that fetched has ended, or could not even begin.
    pub(super) fn fetched(&mut self) {
        let Some(watching) = self.settings.watching else {
            return;
        };
        let held_back = self.watch.holds_back();
        match (self.watch.end(), watching.on_change) {
            (Outcome::Changed(digests), OnChange::Signal(signal)) => {
                self.watch.known.digests = digests;
                if let Some(relay) = &mut self.relay {
                    relay.placed();
                }
                process::send(self.target(self.settings.group), signal.into());
            }
            (Outcome::HeldBack, _) => return self.watch.look_again(),
            (Outcome::Changed(_), _) if held_back => return self.watch.look_again(),
            (Outcome::Changed(_), OnChange::Restart) => return self.stop(Then::Launch),
            (Outcome::Changed(_), OnChange::Exit(code)) => return self.stop(Then::Exit(code)),
            (Outcome::Lost(_), _) if watching.stop_on_loss => return self.stop(Then::Exit(125)),
            (Outcome::Same | Outcome::Failed | Outcome::Lost(_), _) => {}
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
            Outcome::HeldBack,
        ] {
            assert_eq!(Outcome::from_bytes(&outcome.bytes()), Some(outcome));
        }
        assert_eq!(Outcome::from_bytes(&[1, 9, 0, 0, 0, 65]), None);
        assert_eq!(Outcome::from_bytes(&[5]), None);
    }
}
