//! Clocks that are apart: what a service refuses for its time is signed again by that time.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use crate::model::log;
use crate::sys::http::Answer;

/// The highest harmless difference between the clocks, in seconds. Services take five minutes.
const SKEW: i64 = 240;

/// A service's clock.
pub struct Clock {
    /// The service, as messages name it.
    whose: &'static str,
    /// The seconds by which its clock is ahead of the local clock.
    ahead: AtomicI64,
}

impl Clock {
    /// A clock that shows the local time until an answer shows another.
    pub fn new(whose: &'static str) -> Self {
        let ahead = AtomicI64::new(0);
        Clock { whose, ahead }
    }

    /// The time, by the service's clock.
    pub fn now(&self) -> SystemTime {
        let ahead = self.ahead.load(Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let there = match ahead < 0 {
            true => now.checked_sub(by),
            false => now.checked_add(by),
        };
        there.unwrap_or(now)
    }

    /// True if the time of an answer is another than what counted; it counts after that. The answer
    /// is one that refuses, maybe for the time.
    pub fn is_off(&self, answer: &Answer) -> bool {
        let Some(there) = answer.date() else {
            return false;
        };
        let seconds = |of: Duration| i64::try_from(of.as_secs()).unwrap_or_default();
        let apart = |now: SystemTime| match there.duration_since(now) {
            Ok(ahead) => seconds(ahead),
            Err(behind) => -seconds(behind.duration()),
        };
        if apart(self.now()).abs() < SKEW {
            return false;
        }
        let ahead = apart(SystemTime::now());
        self.ahead.store(ahead, Relaxed);
        let whose = self.whose;
        let way = if ahead < 0 { "ahead of" } else { "behind" };
        let by = humantime::format_duration(Duration::from_secs(ahead.unsigned_abs()));
        log::warning!(
            Advice;
            "the clock here is {by} {way} that of {whose}: requests are signed by the time there; \
             set it"
        );
        true
    }
}
