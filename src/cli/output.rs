//! Output for the user, on standard output.

use std::process::ExitCode;

use crate::model::error::{Error, Os};
use crate::sys::stdio;

/// Prints JSON.
///
/// # Errors
/// A failure to write.
pub fn print_json(value: &serde_json::Value) -> Result<ExitCode, Error> {
    print(format!("{value:#}\n").as_bytes())
}

/// Prints a text.
///
/// # Errors
/// A failure to write.
pub fn print(text: &[u8]) -> Result<ExitCode, Error> {
    stdio::print(text).map_err(unprintable)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the error for standard output that could not be written.
pub fn unprintable(error: impl Into<Os>) -> Error {
    Error::file("write", "standard output", error)
}
