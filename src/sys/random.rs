//! Random numbers, times, ids and keys, for processes that must not all do the same at the same
//! moment.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::thread;
use std::time::Duration;

/// Returns a random number. It is no key: the standard library seeds its hashers with such.
fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Returns a random time from nothing to `most`.
pub fn up_to(most: Duration) -> Duration {
    most.mul_f64(number() as f64 / u64::MAX as f64)
}

/// Waits for a random time from nothing to `most`.
pub fn pause(most: Duration) {
    thread::sleep(up_to(most));
}

/// Returns a new id, as 32 hexadecimal digits.
pub fn id() -> String {
    format!("{:016x}{:016x}", number(), number())
}

/// Returns a new key.
///
/// # Errors
/// The system's error.
pub fn key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    fill(&mut key)?;
    Ok(key)
}

/// Fills bytes with the system's randomness, which is fit for keys.
///
/// # Errors
/// The system's error.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    // So few come all at once, whatever signal comes.
    for some in bytes.chunks_mut(256) {
        // SAFETY: there is room for as many bytes as are asked for.
        if unsafe { libc::getrandom(some.as_mut_ptr().cast(), some.len(), 0) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
