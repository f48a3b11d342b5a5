//! The timeout of a launch, and the message when it is over.

use std::time::Duration;

use super::logger;
use crate::model::error::{Error, Os};
use crate::sys::signals::{self, Deadline};

/// The consequence of a timeout for a launch.
pub const NOTHING_EXECUTED: &str = "nothing was executed";

/// Starts the timer for everything before the exec. When it runs out, doorkey exits with `code`,
/// and its message says the consequence, `then`.
///
/// # Errors
/// The system gives no timer.
pub fn start(timeout: Duration, code: u8, then: &str) -> Result<Deadline, Error> {
    let why = "the store, or a file that was named, did not answer";
    start_for(timeout, code, &format!("{then}: {why}"))
}

/// Starts the timer for a subcommand that asks no store; `outcome` says the consequence and the
/// reason.
///
/// # Errors
/// Same as [`start`].
pub fn start_for(timeout: Duration, code: u8, outcome: &str) -> Result<Deadline, Error> {
    let timeout_shown = humantime::format_duration(timeout);
    let message = format!("gave up after {timeout_shown} (--timeout); {outcome}");
    let message = logger::error("timeout", &message);
    let deadline = signals::deadline(timeout, message, code);
    deadline.map_err(|error| Error::file("start", "a timer", error))
}

/// Formats the advice about files with values that could not be removed.
pub fn not_removed(why: Os) -> String {
    format!("a file with a value stays in the folder of --files, remove it: {why}")
}
