//! What doorkey says, as tests compare it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Puts what the key that opens no file is, and whom to ask, in short: that is held by the table of
/// mistakes in `tests/data`.
pub fn in_short(said: &str) -> String {
    let (key, end) = (
        "denied: the key age1",
        " is not one of its recipients; have ",
    );
    let lines = said.split_inclusive('\n').map(|line| {
        let found = line.split_once(key).and_then(|(before, rest)| {
            let (_, rest) = rest.split_once(end)?;
            let (_, rest) = rest.split_once(" run doorkey store recipient add age1")?;
            let command = rest.trim_end_matches('\n').len();
            let newline = &rest[command..];
            Some(format!(
                "{before}denied: the key is not one of its recipients; have somebody who can read \
                 it add the key{newline}"
            ))
        });
        found.unwrap_or_else(|| line.to_owned())
    });
    lines.collect()
}

/// When the file system says that a file was made, as doorkey writes it.
pub fn created(file: &Path) -> String {
    let stat = Command::new("stat").args(["-c", "%.9W"]).arg(file).output();
    let text = String::from_utf8(stat.unwrap().stdout).unwrap();
    let (seconds, nanos) = text.trim().split_once('.').unwrap();
    let since = Duration::new(seconds.parse().unwrap(), nanos.parse().unwrap());
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
}
