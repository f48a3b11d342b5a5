//! What a supervisor says by itself, where the process that would say it hangs.

use std::time::Duration;

use super::command_line::Leaf;
use super::given::Given;
use super::logger::{self, Format};
use super::options::USUAL_TIMEOUT;
use super::run::{NOTHING_EXECUTED, not_removed};
use crate::engine::supervise::{Notice, Patience};
use crate::model::log::{Event, Level};
use crate::sys::{duration, stdio};

/// How a supervisor waits, and says what it has to say. What can't be read of that is a usage error
/// long before.
pub fn patience(given: &Given, leaf: &Leaf) -> Patience {
    let value = |id| given.value(leaf.options().find(|option| option.id == id)?, leaf);
    let timeout = value("timeout").and_then(|text| duration::parse(str::from_utf8(text).ok()?));
    let timeout = timeout.unwrap_or(USUAL_TIMEOUT);
    let format = match value("log-format") {
        Some(b"json") => Format::Json,
        _ => Format::Text,
    };
    let is_quiet = matches!(value("log-level"), Some(b"error" | b"critical"));
    let least = match is_quiet || value("quiet").is_some() {
        true => Level::ERROR,
        false => Level::WARN,
    };
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
        Notice::NotRemoved(why) => (Level::ERROR, Event::Fault, not_removed(why)),
        Notice::NotPassedOn(why) => {
            let message = format!("what the command writes can't all be passed on: {why}");
            (Level::ERROR, Event::Fault, message)
        }
        Notice::NotFetched { next, hangs: late } => {
            let why = match late {
                true => format!("{gave_up}: {hangs}"),
                false => "there was no process to be had for it, or to be heard".to_owned(),
            };
            (
                Level::WARN,
                Event::Unfetched,
                super::refresh::not_fetched(next) + &why,
            )
        }
    }
}
