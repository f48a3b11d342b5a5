//! `doorkey join`: become a command beside a workload that runs.

use std::process::ExitCode;

use super::options::Options;
use super::run::{NOTHING_EXECUTED, deadline_for};
use crate::core::environment::value_in;
use crate::engine::{join, launch};
use crate::model::error::Error;
use crate::sys::environ::Started;
use crate::sys::memory::Concealed;
use crate::sys::process_attributes::Attributes;

/// Runs the command. Comes back only with the reason why not.
///
/// # Errors
/// Everything that keeps the command from starting.
pub fn join(options: &Options, started: &Started, concealed: Concealed) -> Result<ExitCode, Error> {
    let outcome = format!("{NOTHING_EXECUTED}: the workload could not be read");
    let deadline = deadline_for(options, 125, &outcome)?;
    let process = options.text("pid")?.map(|text| {
        let number = text.parse().ok().filter(|&number: &i32| number > 0);
        number.ok_or_else(|| options.usage("pid", "must be the number of a process"))
    });
    let joined = join::join(process.transpose()?)?;
    let mut inherited = started.environment.iter();
    let term = inherited.find(|entry| value_in(entry.to_bytes(), b"TERM").is_some());
    let environment = joined.environment(term.copied())?;
    let attributes = Attributes {
        folder: options.path("chdir"),
        ..Attributes::default()
    };
    Err(launch::launch(
        &options.command(),
        &environment,
        &attributes,
        concealed,
        deadline,
    ))
}
