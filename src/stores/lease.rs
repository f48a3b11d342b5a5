//! What stores lend: leases, the tokens that they hang on, and how both are kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::model::error::StoreError;

/// What a value is lent by.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Its name at the store; empty where the value was not read.
    pub id: String,
    /// True if it can be made longer.
    pub renewable: bool,
    /// How long it lasts from when it was read.
    pub lasts: Duration,
    /// When it ends by itself.
    pub end: Instant,
    /// What it hangs on.
    pub holder: Option<Arc<Holder>>,
}

impl Lease {
    /// One of something that was not read.
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

/// A store that lends: what it has lent is kept, and given back, by whoever logs in anew.
pub trait Lender {
    /// Has leases, each with how long it is to last, go on, and the tokens with these accessors.
    ///
    /// # Errors
    /// What keeps all of them from being renewed.
    fn renew(
        &self,
        leases: &[(String, Duration)],
        accessors: &[String],
    ) -> Result<Renewals, StoreError>;

    /// Makes sure that what is at these paths would be lent now; nothing is made for that.
    ///
    /// # Errors
    /// The reason why it would not.
    fn would_lend(&self, paths: &BTreeSet<String>) -> Result<(), StoreError>;

    /// Gives leases back by their ids, and where that is not allowed by the tokens with these
    /// accessors. Gives the places of those that live on.
    ///
    /// # Errors
    /// What keeps all of them from being given back.
    fn give_back(&self, leases: &[(String, String)]) -> Result<Vec<usize>, StoreError>;
}

/// How long leases and tokens last from now on, in the order in which they were asked for.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Leases.
    pub leases: Vec<Renewal>,
    /// Tokens.
    pub tokens: Vec<Renewal>,
}

/// What renewing something has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Renewal {
    /// It lasts so long from now on.
    Lasts(Duration),
    /// That is not allowed.
    Denied,
    /// It is there no more.
    Gone,
}

/// A token that leases end with.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// By what it can be named without being shown; empty where it can't.
    pub accessor: String,
    /// When it ends; `None` where that is never, or not known.
    pub end: Option<Instant>,
    /// How long it lasted when it was got.
    pub lasts: Duration,
    /// True if it can be made longer.
    pub renewable: bool,
    /// True if nobody keeps it, so that it can't be made longer, nor what hangs on it.
    pub is_batch: bool,
    /// True if it came from outside.
    pub is_given: bool,
    /// True if it was got by something that can be used once.
    pub is_once: bool,
}
