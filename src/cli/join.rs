//! `doorkey join`: becomes a command beside a running workload.

use std::process::ExitCode;

use super::deadline::{self, NOTHING_EXECUTED};
use super::options::Options;
use super::pipeline::{self, Launch};
use super::{flags, own_flags};
use crate::core::environment::value_in;
use crate::engine::join;
use crate::model::error::Error;
use crate::sys::memory::Concealed;
use crate::sys::process_attributes::Attributes;

/// Runs the command. Returns only if that fails.
///
/// # Errors
/// The reasons why the command can't start.
pub fn join(options: &Options, concealed: Concealed) -> Result<ExitCode, Error> {
    let outcome = format!("{NOTHING_EXECUTED}: the workload could not be read");
    let deadline = deadline::start_for(options.timeout()?, 125, &outcome)?;
    let process = options.text(&own_flags::PID)?.map(|text| {
        let number = text.parse().ok().filter(|&number: &i32| number > 0);
        number.ok_or_else(|| options.usage(&own_flags::PID, "must be the number of a process"))
    });
    let joined = join::join(process.transpose()?)?;
    let mut inherited = options.inherited.0.iter();
    let term = inherited.find(|entry| value_in(entry.to_bytes(), b"TERM").is_some());
    let environment = joined.environment(term.copied())?;
    let attributes = Attributes {
        folder: options.path(&flags::CHDIR),
        ..Attributes::default()
    };
    let launch = Launch {
        command: options.command(),
        environment,
        attributes,
        removal: None,
        supervised: None,
    };
    Err(pipeline::exec(launch, concealed, deadline))
}
