//! Knowledge of the workload's secrets, by keyed digests: the supervisor has nothing else of them.
//! Also the outcome of fetching them again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::OnChange;
use crate::core::keyed_hash::keyed;
use crate::engine::substitute::{Filled, Piece};
use crate::stores::Renewal;

/// The keyed digest of what a variable is filled in with.
pub type Digest = [u8; 16];

/// The name of each variable, and the digest of what it is filled in with; none where it is
/// removed.
pub type Digests = Vec<(Vec<u8>, Digest)>;

/// Knowledge of the secrets that the workload has.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Known {
    /// The digests of the secrets that the workload has.
    pub digests: Digests,
    /// The number of failures in a row to fetch them.
    pub failures: u32,
    /// The digest of the message about lost secrets, where that was given.
    pub lost: Option<Digest>,
    /// True if the workload may be ending because somebody wants it to. It is then not ended
    /// because of a change.
    pub held_back: bool,
    /// The task of the errand.
    pub task: Task,
    /// The paths of lent documents, which are not read just to compare.
    pub lent: Vec<String>,
}

/// The task of a process on an errand.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub enum Task {
    /// Fetches secrets again, and compares them.
    #[default]
    Refresh,
    /// Renews leases.
    Renew(Vec<HeldLease>),
    /// Fetches anew lent values that can't be renewed any more.
    Replace {
        /// True if it is the token that ends.
        by_token: bool,
        /// The time for which the present leases last.
        left: Duration,
    },
    /// Gives back leases.
    GiveBack(Vec<HeldLease>),
}

/// A lease, without its document's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The scheme with which references to the store begin.
    pub scheme: String,
    /// The path of the document.
    pub path: String,
    /// The lease's name at the store.
    pub id: String,
    /// True if it can be renewed.
    pub renewable: bool,
    /// The time for which the lease lasts from when it was got.
    pub lasts: Duration,
    /// The time for which the lease lasts from now on.
    pub left: Duration,
    /// The accessor of the token that the lease hangs on.
    pub accessor: String,
    /// True if the token can be renewed.
    pub token_renewable: bool,
    /// The time for which the token lasts from when it was got.
    pub token_lasts: Duration,
    /// The time for which the token lasts from now on; `None` where it does not end.
    pub token_left: Option<Duration>,
}

/// The leases of a workload, and their upkeep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loans {
    /// The leases.
    pub held: Vec<HeldLease>,
    /// The upkeep of the leases.
    pub upkeep: Upkeep,
}

/// Upkeep of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// True if leases are renewed and given back: credentials can be read again for that.
    pub renews: bool,
    /// The action where other leases take their place.
    pub on_change: OnChange,
    /// True if the workload is stopped when leases are lost.
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

/// The outcome of an errand, such as fetching secrets again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// No secret has changed.
    Same,
    /// Secrets have changed; their new digests.
    Changed(Digests),
    /// Secrets could not be fetched.
    Failed,
    /// Secrets that are deleted or denied; the digest of the message.
    Lost(Digest),
    /// Changes that are to be looked at again when nothing is held back any more.
    HeldBack,
    /// Changes for which all secrets are to be fetched anew, as lent values are in files.
    Anew,
    /// The result of renewing each lease and, where it was asked for, its token.
    Renewed(Vec<(Renewal, Option<Renewal>)>),
    /// Leases that are not used any more are given back.
    GivenBack,
}

/// Computes the digest of what a variable is filled in with. Lent pieces are left out: those for
/// which a label in `lent` stands.
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

/// The limit, as a factor, to which the time between tries grows after failures.
const MOST_PATIENCE: u32 = 8;

/// Computes the time until the next try, after so many that failed in a row.
pub fn pause(every: Duration, failures: u32) -> Duration {
    every.saturating_mul(MOST_PATIENCE.min(1 << failures.min(8)))
}
