//! Notices that a supervisor gives by itself: it has no logger, and processes that have one may
//! hang.

use std::time::Duration;

use crate::model::error::Os;

/// The timeout of the processes that fetch, and the way to say what they can't say.
pub struct Patience {
    /// The timeout that those processes give themselves.
    pub timeout: Duration,
    /// Says a notice.
    pub say: Box<dyn Fn(Notice)>,
}

/// A notice that a supervisor gives by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A launch has not come to an end in its time, and nothing was executed.
    LaunchHangs,
    /// Secrets were not fetched again.
    NotFetched {
        /// The time until the next try.
        next: Duration,
        /// True if the fetch did not end in its time. Else there was no process to be had, or to be
        /// heard.
        hangs: bool,
    },
    /// Leases were not renewed, fetched anew or given back.
    NotKept {
        /// True if the errand did not end in its time, as above.
        hangs: bool,
    },
    /// A message of a launch could not be understood, and the launch was ended.
    Unheard,
    /// Something that the workload has written is lost, for this reason.
    NotPassedOn(Os),
    /// Output of the workload waits for room on a disk.
    NoRoom(Os),
    /// A file with a value stays, for this reason.
    NotRemoved(Os),
}

/// The exit code of doorkey's own faults.
pub(super) const OWN: u8 = 125;
