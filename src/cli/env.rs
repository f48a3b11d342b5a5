//! `doorkey env`: the environment that the workload would get, secrets masked.

use std::process::ExitCode;

use super::options::Options;
use crate::engine::show::show;
use crate::model::error::Error;
use crate::stores::Depth;
use crate::sys::environ::Started;

/// Prints one `NAME=value` a line.
///
/// # Errors
/// As `run`.
pub fn env(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _deadline = super::run::start_deadline(options, 1, super::run::NOTHING_EXECUTED)?;
    let shown = super::run::resolved(options, &mut started, Depth::Values, |resolved, used| {
        show(resolved, &used.credentials)
    })?;
    super::print(&shown)
}
