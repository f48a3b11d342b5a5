//! What a supervisor says by itself: it has no logger, and those that have one may hang.

use std::time::Duration;

use crate::model::error::Os;

/// How long a supervisor waits for those that fetch, and how it says what they can't say.
pub struct Patience {
    /// The time that they give themselves.
    pub timeout: Duration,
    /// Says it.
    pub say: Box<dyn Fn(Notice)>,
}

/// What a supervisor says by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A launch has not come to an end in its time, and nothing was executed.
    LaunchHangs,
    /// Secrets were not fetched again.
    NotFetched {
        /// The time until the next try.
        next: Duration,
        /// True if it was not done in its time; else there was no process to be had, or to be
        /// heard.
        hangs: bool,
    },
    /// What is lent was not renewed, fetched anew or given back.
    NotKept {
        /// As above.
        hangs: bool,
    },
    /// What a launch has said could not be understood, and it was ended.
    Unheard,
    /// Something that the workload has written is lost, for this reason.
    NotPassedOn(Os),
    /// A file with a value stays, for this reason.
    NotRemoved(Os),
}

/// The exit code of doorkey's own faults.
pub(super) const OWN: u8 = 125;
