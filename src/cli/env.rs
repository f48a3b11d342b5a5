//! `doorkey env`: the environment that the workload would get, secrets masked.

use std::process::ExitCode;

use super::deadline::{self, NOTHING_EXECUTED};
use super::options::Options;
use super::output::print;
use super::pipeline;
use crate::engine::show::show;
use crate::model::error::Error;
use crate::stores::Depth;

/// Prints one `NAME=value` a line.
///
/// # Errors
/// Same as for `run`.
pub fn env(options: &mut Options) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, NOTHING_EXECUTED)?;
    let sourced = pipeline::assemble(options, None)?;
    let credentials = sourced.credentials();
    let located = pipeline::locate(options, sourced, Depth::Look)?;
    let fetched = pipeline::fetch(located);
    let filling = pipeline::fill(&fetched);
    let shown = show(&fetched, &filling, &credentials);
    let entries = filling.finish();
    let ready = fetched.complete(entries)?;
    pipeline::seal(ready.environment, &[])?;
    print(&shown)
}
