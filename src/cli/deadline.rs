//! The time that a launch has, and what is said where it is over.

use std::time::Duration;

use super::logger;
use crate::model::error::{Error, Os};
use crate::sys::signals::{self, Deadline};

/// What running out of time means for a launch.
pub const NOTHING_EXECUTED: &str = "nothing was executed";

/// Starts the clock for everything before the exec; when it runs out, the exit code is `code`, and
/// `then` says what that means.
///
/// # Errors
/// There is no timer.
pub fn start(timeout: Duration, code: u8, then: &str) -> Result<Deadline, Error> {
    let why = "the store, or a file that was named, did not answer";
    start_for(timeout, code, &format!("{then}: {why}"))
}

/// The same for what asks no store; `outcome` says why as well.
///
/// # Errors
/// As above.
pub fn start_for(timeout: Duration, code: u8, outcome: &str) -> Result<Deadline, Error> {
    let timeout_shown = humantime::format_duration(timeout);
    let message = format!("gave up after {timeout_shown} (--timeout); {outcome}");
    let message = logger::error("timeout", &message);
    let deadline = signals::deadline(timeout, message, code);
    deadline.map_err(|error| Error::file("start", "a timer", error))
}

/// What is to be done where files with values stay.
pub fn not_removed(why: Os) -> String {
    format!("a file with a value stays in the folder of --files, remove it: {why}")
}
