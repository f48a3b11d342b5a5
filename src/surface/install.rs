//! `doorkey install`: puts a copy of this program where another container finds it.

use std::path::Path;
use std::process::ExitCode;

use super::options::Options;
use crate::words::error::Error;
use crate::words::log;
use crate::words::shown::Shown;
use crate::world::{files, program};

/// Copies the running program to a path, or into a folder under its own name.
///
/// # Errors
/// Why it is not there.
pub fn install(options: &Options) -> Result<ExitCode, Error> {
    let given = Path::new(options.value("dest").unwrap_or_default());
    let to = if files::is_folder(given) {
        given.join("doorkey")
    } else {
        given.to_owned()
    };
    let (own, path) = program::own();
    let mut own = own.map_err(|why| Error::file("read", path, why))?;
    program::install(&mut own, &to).map_err(|why| Error::file("write", &to, why))?;
    let shown = Shown(to.as_os_str().as_encoded_bytes());
    log::info!(Done; "{shown} is installed");
    Ok(ExitCode::SUCCESS)
}
