//! Lines on stderr, as text or JSON.

use std::ffi::{CStr, OsString};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber};

use crate::model::escape::Shown;
use crate::model::log::{self, DEBUG, Level, LevelFilter, TARGET};
use crate::sys::{duration, stdio};

/// The format of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `doorkey: error: …`; of informative lines only `doorkey: …`.
    Text,
    /// One JSON object a line.
    Json,
}

static FORMAT: OnceLock<Format> = OnceLock::new();

/// The last level that is logged, in the order of [`LEVELS`].
static LEVEL: AtomicU8 = AtomicU8::new(0);

const LEVELS: [(Level, &str); 5] = [
    (Level::ERROR, "error"),
    (Level::WARN, "warning"),
    (Level::INFO, "info"),
    (Level::DEBUG, "debug"),
    (Level::TRACE, "trace"),
];

/// Returns the chosen format.
fn format() -> Format {
    FORMAT.get().copied().unwrap_or(Format::Text)
}

/// Returns a level's place in [`LEVELS`].
fn rank(level: Level) -> u8 {
    let found = LEVELS.iter().position(|(one, _)| *one == level);
    found.unwrap_or_default() as u8
}

/// Starts the log: lines of `level` and above, in `format`. Only the first call counts.
pub fn start(level: Level, format: Format) {
    if FORMAT.set(format).is_ok() {
        set_level(level);
        let _ = set_global_default(Stderr);
    }
}

/// Calls a function without logging what the launch has logged already.
pub fn quietly<T>(then: impl FnOnce() -> T) -> T {
    let level = match shows(Level::DEBUG) {
        true => Level::DEBUG,
        false => set_level(Level::ERROR),
    };
    let done = then();
    set_level(level);
    done
}

/// Logs lines of `level` and above from now on. Returns the level before.
fn set_level(level: Level) -> Level {
    LEVELS[usize::from(LEVEL.swap(rank(level), Relaxed))].0
}

/// True if lines of a level are logged.
pub fn shows(level: Level) -> bool {
    rank(level) <= LEVEL.load(Relaxed)
}

/// Formats an error's line, for use when nothing can be logged any more.
pub fn error(kind: &'static str, message: &str) -> Vec<u8> {
    alone(format(), Level::ERROR, log::Event::Fault, kind, message)
}

/// Formats a line, for use where nothing is logged.
pub fn alone(
    format: Format,
    level: Level,
    event: log::Event,
    kind: &'static str,
    message: &str,
) -> Vec<u8> {
    let mut fields = String::new();
    for (name, word) in [("event", event.as_str()), ("kind", kind)] {
        member(&mut fields, name, word);
    }
    line(format, level, &fields, message)
}

/// Formats a line. Names of files and stores come from outside, and can't break it into two.
fn line(format: Format, level: Level, fields: &str, message: &str) -> Vec<u8> {
    let word = LEVELS[usize::from(rank(level))].1;
    let mut line = match format {
        Format::Json => {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            let mut line = format!("{{\"time\":\"{time}\",\"level\":\"{word}\"{fields}");
            member(&mut line, "message", message);
            line + "}"
        }
        _ if level == Level::INFO => format!("doorkey: {}", Shown(message.as_bytes())),
        _ => format!("doorkey: {word}: {}", Shown(message.as_bytes())),
    };
    line.push('\n');
    line.into_bytes()
}

/// Adds a member to the text of a JSON object.
fn member(json: &mut String, name: &str, value: impl Serialize) {
    let value = serde_json::to_string(&value).unwrap_or_default();
    // Writing to a text can't fail.
    let _ = write!(json, ",\"{name}\":{value}");
}

/// The phases that have begun, by their number from 1. They are few, and never removed.
static PHASES: Mutex<Vec<TimedPhase>> = Mutex::new(Vec::new());

/// The number of the current phase; 0 for none.
static NOW: AtomicU64 = AtomicU64::new(0);

struct TimedPhase {
    name: &'static str,
    began: Instant,
    /// The number of the phase around it.
    outer: u64,
}

/// Calls a function with a phase.
fn with_phase<T>(id: u64, then: impl FnOnce(&TimedPhase) -> T) -> Option<T> {
    let phases = PHASES.lock().unwrap_or_else(PoisonError::into_inner);
    let at = usize::try_from(id).ok()?.checked_sub(1)?;
    phases.get(at).map(then)
}

/// Returns the level of one of doorkey's own lines; `None` for lines of libraries.
fn level(metadata: &Metadata<'_>) -> Option<Level> {
    match metadata.target() {
        DEBUG => Some(Level::DEBUG),
        TARGET => Some(*metadata.level()),
        _ => None,
    }
}

/// Writes doorkey's own lines to stderr.
struct Stderr;

impl Subscriber for Stderr {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match level(metadata) {
            // The logged level can change.
            Some(_) => Interest::sometimes(),
            None => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level(metadata).is_some_and(|level| match metadata.is_span() {
            // In JSON, every line has its phase as a field.
            true => format() == Format::Json,
            false => shows(level),
        })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut phases = PHASES.lock().unwrap_or_else(PoisonError::into_inner);
        phases.push(TimedPhase {
            name: span.metadata().name(),
            began: Instant::now(),
            outer: NOW.load(Relaxed),
        });
        Id::from_u64(phases.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, id: &Id) {
        NOW.store(id.into_u64(), Relaxed);
    }

    fn exit(&self, id: &Id) {
        let ended = with_phase(id.into_u64(), |phase| {
            (phase.name, phase.began.elapsed(), phase.outer)
        });
        let Some((name, elapsed, outer)) = ended else {
            return;
        };
        let took = duration::shown(elapsed);
        log::debug!(Phase, elapsed = elapsed; "{name} took {took}");
        NOW.store(outer, Relaxed);
    }

    fn event(&self, event: &Event<'_>) {
        let mut seen = Seen {
            is_json: format() == Format::Json,
            ..Seen::default()
        };
        event.record(&mut seen);
        if let Some(name) = with_phase(NOW.load(Relaxed), |phase| phase.name) {
            seen.add("phase", name);
        }
        let level = level(event.metadata()).unwrap_or(Level::ERROR);
        stdio::say(&line(format(), level, &seen.fields, &seen.message));
    }
}

/// An event's message, and its fields as members of JSON.
#[derive(Default)]
struct Seen {
    is_json: bool,
    message: String,
    fields: String,
}

impl Seen {
    fn add(&mut self, name: &str, value: impl Serialize) {
        if self.is_json {
            member(&mut self.fields, name, value);
        }
    }
}

impl Visit for Seen {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // Digits below a thousandth of a millisecond are dropped.
        self.add(field.name(), (value * 1e3).round() / 1e3);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.add(name, format!("{value:?}")),
        }
    }
}

/// Guesses the log's format if the arguments can't be parsed: JSON if they seem to ask for it.
pub fn likely_format(arguments: &[OsString], environment: &[&'static CStr]) -> Format {
    let says_json = arguments
        .iter()
        .any(|argument| argument == "--log-format=json")
        || arguments
            .windows(2)
            .any(|pair| pair == ["--log-format", "json"])
        || environment.contains(&c"DOORKEY_LOG_FORMAT=json");
    if says_json {
        Format::Json
    } else {
        Format::Text
    }
}
