//! `doorkey run`: resolve everything, then become the command.

use std::ffi::CString;
use std::process::ExitCode;
use std::time::Instant;

use ::log::Level;

use super::log;
use super::options::{Options, Place};
use super::workload;
use crate::engines::answers::Depth;
use crate::engines::assemble::assemble;
use crate::engines::init::Supervised;
use crate::engines::launch;
use crate::engines::resolve::{self, Resolved, Summary};
use crate::stores;
use crate::words::error::Error;
use crate::world::environ::{self, Started};
use crate::world::memory;
use crate::world::signals::{self, Deadline};

/// Runs the command. Comes back only with the reason why not.
///
/// # Errors
/// Everything that keeps the workload from starting.
pub fn run(
    options: Options,
    mut started: Started,
    supervised: Option<Supervised>,
) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let concealed = memory::conceal();
    let deadline = start_deadline(&options, 125)?;
    let attributes = workload::prepare(&options, supervised, &mut started)?;
    let command: Vec<CString> = options
        .values("command")
        .into_iter()
        .map(|word| environ::c_string(word.to_owned()))
        .collect();
    let (environment, summary, store) =
        resolved(&options, &mut started, Depth::Values, |resolved, _| {
            let answers = resolved.answers.as_ref();
            let store = answers.map(|answers| answers.store().label().to_owned());
            let (environment, summary) = resolved.fill()?;
            Ok((environment, summary, store))
        })?;
    let environment = launch::seal(environment, &command)?;
    say(&summary, store.as_deref(), began);
    drop(options);
    Err(launch::launch(
        &command,
        &environment,
        &attributes,
        &concealed,
        deadline,
    ))
}

/// What `run`, `check` and `env` have in common: everything up to the answers of the store, which
/// is closed, and its key wiped, when `then` has made of them what it needs.
pub fn resolved<T>(
    options: &Options,
    started: &mut Started,
    depth: Depth,
    then: impl FnOnce(Resolved<'_, 'static>, &Place) -> Result<T, Error>,
) -> Result<T, Error> {
    let place = options.place()?;
    let access = options.access(&place, started);
    let mut assembled = assemble(&started.environment, &options.sources(&place)?);
    let all = options.flag("all");
    let mut store = None;
    if all || resolve::has_references(&assembled) {
        let location = place.store.as_deref().ok_or(Error::NoStore);
        match location.and_then(|location| stores::open(location, access)) {
            Ok(opened) => store = Some(opened),
            Err(error) => assembled.errors.push(error),
        }
    }
    let resolved = resolve::resolve(assembled, store.as_deref(), &place.scopes, all, depth);
    then(resolved, &place)
}

/// Starts the clock for everything before the exec; when it runs out, the exit code is `code`.
///
/// # Errors
/// A usage error, or that there is no timer.
pub fn start_deadline(options: &Options, code: u8) -> Result<Deadline, Error> {
    let timeout = options.timeout()?;
    let message = format!(
        "gave up after {} (--timeout); nothing was executed: the store, or a file that was named, did not answer",
        humantime::format_duration(timeout)
    );
    let message = log::line(log::format(), Level::Error, &message);
    let deadline = signals::deadline(timeout, message, code);
    deadline.map_err(|error| Error::file("start", "a timer", error))
}

/// One line: how many references, from which scopes and store, in what time. Without references
/// there is nothing to tell, and doorkey stays silent.
fn say(summary: &Summary, store: Option<&str>, began: Instant) {
    let Some(store) = store else {
        return ::log::debug!("no references");
    };
    let scopes: Vec<_> = summary
        .scopes
        .iter()
        .map(|(scope, secrets)| format!("{secrets} from {scope}"))
        .collect();
    let scopes = if scopes.is_empty() {
        "nothing found".to_owned()
    } else {
        scopes.join(", ")
    };
    let references = summary.references;
    let plural = if references == 1 { "" } else { "s" };
    let time = began.elapsed().as_secs_f64() * 1000.0;
    ::log::info!("{references} reference{plural} resolved: {scopes} of {store} in {time:.1} ms");
}
