//! Leases of stores, the tokens that leases depend on, and their renewal and return.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::model::error::StoreError;

/// The lease of a value.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The lease's id at the store; empty if the value was not read.
    pub id: String,
    /// True if the lease can be renewed.
    pub renewable: bool,
    /// The duration of the lease, from the time of reading.
    pub lasts: Duration,
    /// The time when the lease expires.
    pub end: Instant,
    /// The token that the lease ends with.
    pub holder: Option<Arc<Holder>>,
}

impl Lease {
    /// Makes the lease of a value that was not read.
    pub fn unmade() -> Self {
        Lease {
            id: String::new(),
            renewable: false,
            lasts: Duration::ZERO,
            end: Instant::now(),
            holder: None,
        }
    }
}

/// A store that lends values. A later session can keep the leases, or give them back.
pub trait Lender {
    /// Renews leases, each with its wanted duration, and the tokens with these accessors.
    ///
    /// # Errors
    /// The fault that keeps all of them from being renewed.
    fn renew(
        &self,
        leases: &[(String, Duration)],
        accessors: &[String],
    ) -> Result<Renewals, StoreError>;

    /// Checks that the store would lend the values at these paths now. No lease is made for that.
    ///
    /// # Errors
    /// The reason why the store would not lend them.
    fn would_lend(&self, paths: &BTreeSet<String>) -> Result<(), StoreError>;

    /// Gives leases back by their ids, or, if that is not allowed, revokes the tokens with these
    /// accessors. Returns the indices of the leases that are still alive.
    ///
    /// # Errors
    /// The fault that keeps all of them from being given back.
    fn give_back(&self, leases: &[(String, String)]) -> Result<Vec<usize>, StoreError>;
}

/// Durations of leases and tokens from now on, in the order in which they were asked for.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Results for the leases.
    pub leases: Vec<Renewal>,
    /// Results for the tokens.
    pub tokens: Vec<Renewal>,
}

/// The result of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Renewal {
    /// The new duration, from now on.
    Lasts(Duration),
    /// The renewal is not allowed.
    Denied,
    /// The lease or the token no longer exists.
    Gone,
}

/// A token that leases end with.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// The accessor, which names the token without showing it; empty if there is none.
    pub accessor: String,
    /// The time when the token expires; `None` if that is never, or not known.
    pub end: Option<Instant>,
    /// The duration of the token when it was received.
    pub lasts: Duration,
    /// True if the token can be renewed.
    pub renewable: bool,
    /// True if the server does not keep the token. Neither the token nor its leases can be renewed
    /// then.
    pub is_batch: bool,
    /// True if the token was given from outside, not by a login.
    pub is_given: bool,
    /// True if the token was received for a credential that can be used only once.
    pub is_once: bool,
}
