//! The timeout of a launch, and the message when it is over.

use std::time::Duration;

use super::logger;
use crate::model::error::{Error, Os};
use crate::sys::signals::{self, Deadline, Fetching};

/// The consequence of a timeout for a launch.
pub const NOTHING_EXECUTED: &str = "nothing was executed";

/// The reasons why a time was not enough, in the order of [`signals::Work`].
const REASONS: [&str; 3] = [
    "doorkey's own work took too long: give it more time, or less to do",
    "a file that was named did not answer",
    "the store did not answer",
];

/// Starts the timer for everything before the exec. When it runs out, doorkey exits with `code`,
/// and its message says the consequence, `then`, and the work that took too long.
///
/// # Errors
/// The system gives no timer.
pub fn start(timeout: Duration, code: u8, then: &str) -> Result<Deadline, Error> {
    start_each(timeout, code, REASONS.map(|why| format!("{then}: {why}")))
}

/// Starts the timer for a subcommand that asks no store; `outcome` says the consequence and the
/// reason.
///
/// # Errors
/// Same as [`start`].
pub fn start_for(timeout: Duration, code: u8, outcome: &str) -> Result<Deadline, Error> {
    start_each(timeout, code, [outcome; 3].map(str::to_owned))
}

fn start_each(timeout: Duration, code: u8, outcomes: [String; 3]) -> Result<Deadline, Error> {
    let timeout_shown = humantime::format_duration(timeout);
    let messages = outcomes.map(|outcome| {
        let message = format!("gave up after {timeout_shown} (--timeout); {outcome}");
        logger::error("timeout", &message)
    });
    let deadline = signals::deadline(timeout, messages, code);
    deadline.map_err(|error| Error::file("start", "a timer", error))
}

/// Has a signal that ends us during the fetch from these stores say so.
pub fn fetching(stores: &str) -> Fetching {
    let wording = |signal: &str, last: &str| {
        let message = format!("ended by {signal} while fetching; the last: {last}");
        logger::error("signal", &message)
    };
    signals::fetching(wording, stores)
}

/// Formats the advice about files with values that could not be removed.
pub fn not_removed(why: Os) -> String {
    format!("a file with a value stays in the folder of --files, remove it: {why}")
}
