//! Messages of a supervisor itself, for use while the process that would write them hangs.

use std::time::Duration;

use super::deadline::{NOTHING_EXECUTED, not_removed};
use super::logger;
use super::options::Logging;
use crate::engine::supervise::{Notice, Patience};
use crate::model::log::{Event, Level};
use crate::sys::stdio;

/// The beginning of a line about a lease that was not renewed, replaced or given back.
const NOT_KEPT: &str = "what is lent is not renewed, or given back: ";

/// Makes the timeout of a supervisor, and the function that writes its messages.
pub fn patience(timeout: Duration, logging: Logging) -> Patience {
    let (format, least) = (logging.format, logging.level.min(Level::WARN));
    let say = move |notice| {
        let (level, event, message) = line(notice, timeout);
        if level <= least {
            stdio::say(&logger::alone(format, level, event, "supervisor", &message));
        }
    };
    Patience {
        timeout,
        say: Box::new(say),
    }
}

fn line(notice: Notice, timeout: Duration) -> (Level, Event, String) {
    let timeout = humantime::format_duration(timeout);
    let gave_up = format!("gave up after {timeout} (--timeout)");
    let hangs = "the process that fetches is stopped, or hangs in a file that it reads";
    let why = |is_late| match is_late {
        true => format!("{gave_up}: {hangs}"),
        false => "there was no process to be had for it, or to be heard".to_owned(),
    };
    match notice {
        Notice::LaunchHangs => {
            let message = format!("{gave_up}; {NOTHING_EXECUTED}: {hangs}");
            (Level::ERROR, Event::Fault, message)
        }
        Notice::Unheard => {
            let why =
                "what the launch has said to its supervisor could not be read there; try again";
            (
                Level::ERROR,
                Event::Fault,
                format!("{NOTHING_EXECUTED}: {why}"),
            )
        }
        Notice::NotKept { hangs: late } => {
            let message = NOT_KEPT.to_owned() + &why(late);
            (Level::WARN, Event::Leased, message)
        }
        Notice::NotRemoved(why) => (Level::ERROR, Event::Fault, not_removed(why)),
        Notice::NotPassedOn(why) => {
            let message = format!("what the command writes can't all be passed on: {why}");
            (Level::ERROR, Event::Fault, message)
        }
        Notice::NoRoom(why) => {
            let message = format!("the command's output waits for room: {why}; make some");
            (Level::ERROR, Event::Fault, message)
        }
        Notice::NotFetched { next, hangs: late } => {
            let message = not_fetched(next) + &why(late);
            (Level::WARN, Event::Unfetched, message)
        }
    }
}

/// Formats the beginning of a line about secrets that were not fetched again, with the time until
/// the next attempt.
pub fn not_fetched(next: Duration) -> String {
    // The supervisor adds a jitter to this time.
    let next = humantime::format_duration(Duration::from_millis(next.as_millis() as u64));
    format!("secrets not fetched again, next try in about {next}: ")
}
