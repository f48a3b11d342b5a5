//! Chance, for those who must not all do the same at the same moment.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::Duration;

/// A random time from nothing to `most`.
pub fn up_to(most: Duration) -> Duration {
    // The standard library seeds its hashers at random.
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64(random as f64 / u64::MAX as f64)
}

/// Waits such a time.
pub fn pause(most: Duration) {
    thread::sleep(up_to(most));
}
