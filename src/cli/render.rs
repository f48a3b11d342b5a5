//! `doorkey render`: a file with its references filled in, for programs that read one.

use std::process::ExitCode;

use super::options::Options;
use super::process_options;
use super::store_and_scope::unreadable;
use crate::engine::render::Template;
use crate::model::error::Error;
use crate::model::named::Named;
use crate::stores::Depth;
use crate::sys::draft::{self, Kind};
use crate::sys::environ::Started;
use crate::sys::files;

/// A template is not larger than this, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// Fills a file in, and writes it whole or not at all.
///
/// # Errors
/// Everything in it, and in the spec, that can't be resolved; what can't be read or written.
pub fn render(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let kind = kind(options)?;
    let _deadline = super::run::start_deadline(options, 1, "nothing was written")?;
    let template = match path(options, "template") {
        Some(path) => Template {
            text: files::read(&path, LARGEST)
                .map_err(|why| Error::file("read", path.clone(), why))?,
            path,
        },
        None => Template {
            text: files::read_stdin(LARGEST).map_err(unreadable)?,
            path: Named::from("standard input"),
        },
    };
    let filled = super::run::answered(
        options,
        &mut started,
        Depth::Values,
        |_, sources| template.assemble(sources),
        |resolved, _| template.fill(resolved),
    )?;
    match path(options, "out") {
        None => super::print(filled.expose()),
        Some(out) if files::is_special(&out) => Err(Error::Found {
            place: out.to_string(),
            what: "it is no regular file, and is not replaced; - is standard output".to_owned(),
        }),
        Some(out) => {
            let written = draft::write(&out, filled.expose(), &kind);
            written.map_err(|why| Error::file("write", out, why))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What kind of file is written.
fn kind(options: &Options) -> Result<Kind, Error> {
    let owner = process_options::account(options, "owner")?;
    let kind = Kind {
        mode: process_options::mode(options, "mode")?.or(Kind::LASTING.mode),
        owner: owner.map(|(account, _)| account.owner()),
        lasting: true,
    };
    let given = ["owner", "mode"]
        .into_iter()
        .find(|id| options.value(id).is_some());
    match given.filter(|_| path(options, "out").is_none()) {
        Some(id) => Err(options.usage(id, "needs OUT, a file")),
        None => Ok(kind),
    }
}

/// A file that is named; none where a standard stream is meant.
fn path(options: &Options, id: &str) -> Option<Named> {
    options.path(id).filter(|path| path.as_os_str() != "-")
}
