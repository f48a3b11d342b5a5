//! What goes to stderr: one line each, as text or JSON.

use std::ffi::{CStr, OsString};
use std::sync::OnceLock;
use std::time::SystemTime;

use ::log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;

use crate::words::shown::Shown;
use crate::world::stdio;

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `doorkey: error: …`; of informative lines only `doorkey: …`.
    Text,
    /// One JSON object a line.
    Json,
}

struct Stderr(Format);

static STDERR: OnceLock<Stderr> = OnceLock::new();

/// Lets lines of `level` and above through, in `format`. The first call counts.
pub fn start(level: LevelFilter, format: Format) {
    if ::log::set_logger(STDERR.get_or_init(|| Stderr(format))).is_ok() {
        ::log::set_max_level(level);
    }
}

/// The format that was chosen.
pub fn format() -> Format {
    STDERR.get().map_or(Format::Text, |stderr| stderr.0)
}

/// A line as it would be logged. Names of files and stores come from outside: none can make it
/// two lines.
pub fn line(format: Format, level: Level, message: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        time: String,
        level: &'a str,
        message: &'a str,
    }
    let level_name = match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let shown = Shown(message.as_bytes());
    let line = match format {
        Format::Text if level == Level::Info => format!("doorkey: {shown}"),
        Format::Text => format!("doorkey: {level_name}: {shown}"),
        Format::Json => {
            let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
            serde_json::to_string(&Line {
                time,
                level: level_name,
                message,
            })
            .unwrap_or_default()
        }
    };
    (line + "\n").into_bytes()
}

impl Log for Stderr {
    /// Only doorkey's own lines: those of libraries could quote anything.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("doorkey")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            stdio::say(&line(self.0, record.level(), &record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// The log's format where the arguments can't be parsed: JSON if they seem to say so.
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
