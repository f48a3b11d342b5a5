//! Chance, for those who must not all do the same at the same moment.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::Duration;

/// Any number. It is no key: the standard library seeds its hashers with such.
pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random time from nothing to `most`.
pub fn up_to(most: Duration) -> Duration {
    most.mul_f64(number() as f64 / u64::MAX as f64)
}

/// Waits such a time.
pub fn pause(most: Duration) {
    thread::sleep(up_to(most));
}
