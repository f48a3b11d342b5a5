//! `doorkey render`: fills in the references of a file, for programs that read one.

use std::process::ExitCode;

use super::account::{account, mode};
use super::options::Options;
use super::output::print;
use super::store_and_scope::unreadable;
use super::{deadline, own_flags, pipeline};
use crate::core::option::One;
use crate::engine::render::Template;
use crate::model::error::Error;
use crate::model::named::Named;
use crate::stores::Depth;
use crate::sys::draft::{self, FileKind};
use crate::sys::files;

/// The largest size of a template, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// Fills a file in, and writes it whole or not at all.
///
/// # Errors
/// The references in it, and in the spec, that can't be resolved; or a file that can't be read or
/// written.
pub fn render(options: &mut Options) -> Result<ExitCode, Error> {
    let kind = kind(options)?;
    let _deadline = deadline::start(options.timeout()?, 1, "nothing was written")?;
    let template = match path(options, &own_flags::TEMPLATE) {
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
    let sourced = pipeline::assemble(options, Some(&template))?;
    let located = pipeline::locate(options, sourced, Depth::Values)?;
    let mut fetched = pipeline::fetch(located);
    let filling = pipeline::fill(&fetched);
    let (filled, faults) = template.filled(&filling);
    let entries = filling.finish();
    fetched.errors.extend(faults);
    fetched.complete(entries)?;
    match path(options, &own_flags::OUT) {
        None => print(filled.expose()),
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

/// Returns the kind of file to write.
fn kind(options: &Options) -> Result<FileKind, Error> {
    let owner = account(options, &own_flags::OWNER)?;
    let kind = FileKind {
        mode: mode(options, &own_flags::MODE)?.or(FileKind::LASTING.mode),
        owner: owner.map(|(account, _)| account.owner()),
        lasting: true,
    };
    let given = [own_flags::OWNER, own_flags::MODE];
    let given = given.into_iter().find(|option| options.has(option));
    match given.filter(|_| path(options, &own_flags::OUT).is_none()) {
        Some(option) => Err(options.usage(&option, "needs OUT, a file")),
        None => Ok(kind),
    }
}

/// Returns a named file; `None` for a standard stream.
fn path(options: &Options, one: &One) -> Option<Named> {
    options.path(one).filter(|path| path.as_os_str() != "-")
}
