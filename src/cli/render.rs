//! `doorkey render`: fills in the references of a file, for programs that read one.

use std::process::ExitCode;

use super::account::{account, mode};
use super::options::Options;
use super::output::print;
use super::store_and_scope::unreadable;
use super::{deadline, own_flags, pipeline};
use crate::core::option::One;
use crate::engine::render::Template;
use crate::engine::specs::LARGEST;
use crate::model::error::Error;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores::Depth;
use crate::sys::draft::{self, FileKind};
use crate::sys::files;

/// Fills a file in, and writes it whole or not at all.
///
/// # Errors
/// The references in it, and in the spec, that can't be resolved; or a file that can't be read or
/// written.
pub fn render(options: &mut Options) -> Result<ExitCode, Error> {
    let kind = kind(options)?;
    let _deadline = deadline::start(options.timeout()?, 1, "nothing was written")?;
    let (path_in, text) = match path(options, &own_flags::TEMPLATE) {
        Some(path) => {
            let text = files::read(&path, LARGEST);
            (
                path.clone(),
                text.map_err(|why| Error::file("read", path, why))?,
            )
        }
        None => {
            let text = files::read_stdin(LARGEST).map_err(unreadable)?;
            (Named::from("standard input"), text)
        }
    };
    let out = path(options, &own_flags::OUT);
    let names: Vec<_> = out.iter().chain([&path_in]).collect();
    let template = Template::new(path_in.clone(), text, &names);
    let sourced = pipeline::assemble(options, Some(template))?;
    let located = pipeline::locate(options, sourced, Depth::Values)?;
    let fetched = pipeline::fetch(located);
    let mut filling = pipeline::fill(&fetched);
    let filled = filling.rendered.pop().map(|one| one.text);
    let filled = filled.unwrap_or_else(|| Secret::new(vec![]));
    let entries = filling.finish();
    fetched.complete(entries)?;
    match out {
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
