//! Reads durations as people write them, and shows them.

use std::time::Duration;

/// Reads a number of seconds, or a duration with units: `30`, `500ms`, `1h 30m`.
pub fn parse(text: &str) -> Option<Duration> {
    let seconds = text.parse().map(Duration::from_secs).ok();
    seconds.or_else(|| humantime::parse_duration(text).ok())
}

/// Formats a short time as in logs: `3.1 ms`.
pub fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, shown};

    #[test]
    fn with_and_without_units() {
        assert_eq!(parse("30"), Some(Duration::from_secs(30)));
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("-1"), None);
        assert_eq!(parse("soon"), None);
        assert_eq!(shown(Duration::from_micros(3_149)), "3.1 ms");
    }
}
