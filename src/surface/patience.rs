//! What a supervisor says by itself, where the process that would say it hangs.

use std::os::fd::RawFd;
use std::time::Duration;

use ::log::Level;

use super::cli::Leaf;
use super::flags;
use super::given::Given;
use super::log::{self, Format};
use super::options::USUAL_TIMEOUT;
use super::run::NOTHING_EXECUTED;
use crate::engines::init::{Notice, Patience};
use crate::world::{duration, stdio};

/// How long a supervisor waits; of a time that can't be read, whoever parses the arguments will say
/// so before that is over.
pub fn patience(given: &Given, leaf: &Leaf) -> Patience {
    let timeout = given.value(&flags::TIMEOUT, leaf);
    let timeout = timeout.and_then(|text| duration::parse(str::from_utf8(text).ok()?));
    let timeout = timeout.unwrap_or(USUAL_TIMEOUT);
    let format = match given.value(&flags::LOG_FORMAT, leaf) {
        Some(b"json") => Format::Json,
        _ => Format::Text,
    };
    Patience {
        timeout,
        say: Box::new(move |notice, stderr| say(notice, timeout, format, stderr)),
    }
}

fn say(notice: Notice, timeout: Duration, format: Format, stderr: RawFd) {
    let timeout = humantime::format_duration(timeout);
    let gave_up = format!("gave up after {timeout} (--timeout)");
    let hangs = "the process that fetches is stopped, or hangs in a file that it reads";
    let message = match notice {
        Notice::LaunchHangs => format!("{gave_up}; {NOTHING_EXECUTED}: {hangs}"),
        Notice::NotFetched { next, hangs: slow } => {
            // The jitter is the supervisor's.
            let next = humantime::format_duration(Duration::from_millis(next.as_millis() as u64));
            let why = match slow {
                true => format!("{gave_up}: {hangs}"),
                false => "there was no process to be had for it, or to be heard".to_owned(),
            };
            format!("secrets not fetched again, next try in about {next}: {why}")
        }
        Notice::Unheard => format!(
            "{NOTHING_EXECUTED}: what the launch has said to its supervisor could not be read there; try again"
        ),
    };
    stdio::say_at(stderr, &log::line(format, Level::Error, &message));
}
