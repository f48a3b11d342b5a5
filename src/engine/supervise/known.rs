//! What is known of the workload's secrets, by keyed digests: the supervisor has nothing else of
//! them. And what fetching them again has come to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::keyed_hash::keyed;
use crate::engine::substitute::Filled;

/// The keyed digest of what a variable is filled in with.
pub type Digest = [u8; 16];

/// A variable's name, and the digest of what it is filled in with; none where it is removed.
pub type Digests = Vec<(Vec<u8>, Digest)>;

/// What is known of the secrets that the workload has.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// After failures the time between grows, to at most so many times itself.
const MOST_PATIENCE: u32 = 8;

/// The time until the next try, after so many that failed in a row.
pub fn pause(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(MOST_PATIENCE.min(1 << failures.min(8)))
}
