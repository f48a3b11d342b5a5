//! What is known of the workload's secrets, by keyed digests: the supervisor has nothing else of
//! them. And what fetching them again has come to.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::OnChange;
use crate::core::keyed_hash::keyed;
use crate::engine::substitute::{Filled, Piece};
use crate::stores::Renewal;

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
    /// What is to be done.
    pub task: Task,
    /// The paths of what is lent, which is not read just to compare.
    pub lent: Vec<String>,
}

/// What a process on an errand is to do.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub enum Task {
    /// Fetch secrets again, and compare them.
    #[default]
    Refresh,
    /// Renew what is lent.
    Renew(Vec<HeldLease>),
    /// Fetch anew what can't be renewed any more.
    Replace {
        /// True if it is the token that ends.
        by_token: bool,
        /// How long what there is lasts.
        left: Duration,
    },
    /// Give back what is lent.
    GiveBack(Vec<HeldLease>),
}

/// A lease, without what it is a lease of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// What references to the store begin with.
    pub scheme: String,
    /// The path of the document.
    pub path: String,
    /// Its name at the store.
    pub id: String,
    /// True if it can be renewed.
    pub renewable: bool,
    /// How long it lasts from when it was got.
    pub lasts: Duration,
    /// How long it lasts from now on.
    pub left: Duration,
    /// By what the token can be named that it hangs on.
    pub accessor: String,
    /// True if that can be renewed.
    pub token_renewable: bool,
    /// How long that lasts from when it was got.
    pub token_lasts: Duration,
    /// How long that lasts from now on; `None` where it does not end.
    pub token_left: Option<Duration>,
}

/// What is lent to a workload, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loans {
    /// The leases.
    pub held: Vec<HeldLease>,
    /// What is done about them.
    pub upkeep: Upkeep,
}

/// What is done about leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// True if they are renewed and given back: credentials can be read again for that.
    pub renews: bool,
    /// What follows where others take their place.
    pub on_change: OnChange,
    /// True if the workload is stopped when they are lost.
    pub stop_on_loss: bool,
}

impl Default for Upkeep {
    fn default() -> Self {
        Upkeep {
            renews: false,
            on_change: OnChange::Restart,
            stop_on_loss: false,
        }
    }
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
    /// Some are others, and all of them are to be fetched anew, as what is lent is among the files.
    Anew,
    /// What has come of renewing each lease and, where it was asked for, its token.
    Renewed(Vec<(Renewal, Option<Renewal>)>),
    /// What is not used any more is given back.
    GivenBack,
}

/// The digest of what a variable is filled in with, but for what is lent: pieces for which one of
/// these stands.
pub fn digest(key: &[u8; 32], filled: &Filled<'_>, lent: &BTreeSet<String>) -> Digest {
    let is_there = [u8::from(!filled.is_removed())];
    let is_lent = |piece: &&Piece<'_>| match piece.secret() {
        Some((label, _)) => lent.contains(label),
        None => matches!(piece, Piece::Lent(_)),
    };
    let pieces = filled.pieces().filter(|piece| !is_lent(piece));
    let values = pieces.map(|piece| piece.secret().map_or(piece.bytes(), |(_, value)| value));
    keyed(key, [is_there.as_slice()].into_iter().chain(values))
}

/// After failures the time between grows, to at most so many times itself.
const MOST_PATIENCE: u32 = 8;

/// The time until the next try, after so many that failed in a row.
pub fn pause(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(MOST_PATIENCE.min(1 << failures.min(8)))
}
