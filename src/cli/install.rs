//! `doorkey install`: puts a copy of this program where another container finds it.

use std::process::ExitCode;

use super::options::Options;
use super::own_flags;
use crate::model::error::Error;
use crate::model::log;
use crate::sys::{files, self_exe};

/// Copies the running program to a path, or into a folder under its own name.
///
/// # Errors
/// The reason why the copy could not be made.
pub fn install(options: &Options) -> Result<ExitCode, Error> {
    let given = options.path(&own_flags::DEST).unwrap_or_default();
    let to = match files::is_folder(&given) {
        true => given.with(given.join("doorkey")),
        false => given,
    };
    let (own, path) = self_exe::own();
    let mut own = own.map_err(|why| Error::file("read", path, why))?;
    self_exe::install(&mut own, &to).map_err(|why| Error::file("write", to.clone(), why))?;
    log::info!(Done; "{to} is installed");
    Ok(ExitCode::SUCCESS)
}
