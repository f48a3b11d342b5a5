//! `doorkey join`: become a command beside a workload that runs.

use std::ffi::CString;
use std::path::PathBuf;
use std::process::ExitCode;

use ::log::Level;

use super::log;
use super::options::Options;
use crate::engines::{join, launch};
use crate::pure::environment::value_in;
use crate::words::error::Error;
use crate::world::attributes::Attributes;
use crate::world::environ::{self, Started};
use crate::world::{memory, signals};

/// Runs the command. Comes back only with the reason why not.
///
/// # Errors
/// Everything that keeps the command from starting.
pub fn join(options: &Options, started: &Started) -> Result<ExitCode, Error> {
    let concealed = memory::conceal();
    let timeout = options.timeout()?;
    let message = format!(
        "gave up after {} (--timeout); nothing was executed: the workload could not be read",
        humantime::format_duration(timeout)
    );
    let message = log::line(log::format(), Level::Error, &message);
    let deadline = signals::deadline(timeout, message, 125)
        .map_err(|error| Error::file("start", "a timer", error))?;
    let process = options.text("pid")?.map(|text| {
        let number = text.parse().ok().filter(|&number: &i32| number > 0);
        number.ok_or_else(|| options.usage("pid", "must be the number of a process"))
    });
    let command: Vec<CString> = options
        .values("command")
        .into_iter()
        .map(|word| environ::c_string(word.to_owned()))
        .collect();
    let joined = join::join(process.transpose()?)?;
    let mut inherited = started.environment.iter();
    let term = inherited.find(|entry| value_in(entry.to_bytes(), b"TERM").is_some());
    let environment = joined.environment(term.copied())?;
    let attributes = Attributes {
        folder: options.value("chdir").map(PathBuf::from),
        ..Attributes::default()
    };
    Err(launch::launch(
        &command,
        &environment,
        &attributes,
        &concealed,
        deadline,
    ))
}
