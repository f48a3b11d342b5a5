//! `doorkey run`: resolve everything, then become the command.

use std::ffi::CStr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::masking::Sought;
use super::options::Options;
use super::{logger, process_options, refresh, upkeep};
use crate::engine::assemble::{Assembled, Sources, assemble};
use crate::engine::delivered::Removal;
use crate::engine::launch;
use crate::engine::leases::Lent;
use crate::engine::open_stores::Stores;
use crate::engine::resolve::{self, Resolved, Summary};
use crate::engine::secret_files::Files;
use crate::engine::supervise::{Supervised, digest};
use crate::model::error::{Error, Os};
use crate::model::log::{self, Label, Phase};
use crate::stores::{self, Depth};
use crate::sys::duration;
use crate::sys::environ::Started;
use crate::sys::memory::Concealed;
use crate::sys::signals::{self, Deadline};

/// What running out of time means for a launch.
pub const NOTHING_EXECUTED: &str = "nothing was executed";

/// Runs the command. Comes back only with the reason why not.
///
/// # Errors
/// Everything that keeps the workload from starting.
pub fn run(
    options: Options,
    mut started: Started,
    mut supervised: Option<Supervised>,
    concealed: Concealed,
) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let deadline = start_deadline(&options, 125, NOTHING_EXECUTED)?;
    let mut attributes = process_options::prepare(&options, supervised.as_mut(), &mut started)?;
    let command = options.command();
    let ((environment, deliveries, summary), used, lent) =
        resolved(&options, &mut started, Depth::Values, |resolved, used| {
            let lent = Lent::of(&resolved);
            let (masks, watches) = (options.flag("mask"), options.value("watch").is_some());
            if let Some(supervised) = supervised.as_mut().filter(|_| !lent.is_empty()) {
                let again = used.unread.is_none() && supervised.keeps;
                supervised.lend(&upkeep::told(&options, &lent, again)?);
            }
            let Some(supervised) = supervised.as_mut().filter(|_| masks || watches) else {
                return Ok((resolved.fill(|_, _| ())?, used, lent));
            };
            let (mut digests, mut sought) = (Vec::new(), Sought::default());
            if masks {
                sought.add_read(&resolved.answers);
            }
            let filled = resolved.fill(|name, filled| {
                if watches && !lent.wholes.contains(name) {
                    let digest = digest(&supervised.key, filled, &lent.labels);
                    digests.push((name.to_vec(), digest));
                }
                if masks {
                    sought.add_filled(filled);
                }
            })?;
            if watches {
                supervised.remember(&digests);
            }
            if masks {
                let needles = sought.needles(&options, supervised)?;
                supervised.arm(&needles);
            }
            Ok((filled, used, lent))
        })?;
    let ending = log::begin(Phase::Exec);
    let environment = launch::seal(environment, &command)?;
    say(&summary, &used, began);
    let keeps = supervised.as_ref().map(|supervised| supervised.keeps);
    upkeep::say(&lent, keeps, used.unread.as_deref());
    let files_owner = options.value("files-owner").is_some();
    drop(options);
    attributes.files = deliveries.paths();
    attributes.files_are_others = files_owner;
    let before = supervised.as_mut().and_then(|by| by.delivered.take());
    let delivered = deliveries.open(before)?;
    if let Some(supervised) = &mut supervised {
        if let Some(delivered) = &delivered {
            supervised.leave(delivered);
        }
        supervised.tell()?;
    }
    let is_removed = supervised.is_some();
    // The pipe to the supervisor has to last until the exec closes it.
    std::mem::forget(supervised);
    let written = deliveries.write(delivered.as_ref());
    // A supervisor removes them by itself.
    let removal = delivered.filter(|_| !is_removed);
    let removal = removal.map(|delivered| delivered.stand_by(attributes.account.is_some()));
    drop(ending);
    let error = match written {
        Ok(()) => launch::launch(&command, &environment, &attributes, concealed, deadline),
        Err(error) => error,
    };
    if let Some(Err(why)) = removal.map(Removal::remove) {
        log::error!(Fault; "{}", not_removed(why));
    }
    Err(error)
}

/// What is to be done where files with values stay.
pub fn not_removed(why: Os) -> String {
    format!("a file with a value stays in the folder of --files, remove it: {why}")
}

/// What `run`, `check` and `env` have in common: everything up to the answers of the store, which
/// is closed, and its key wiped, when `then` has made of them what it needs.
pub fn resolved<T>(
    options: &Options,
    started: &mut Started,
    depth: Depth,
    then: impl FnOnce(Resolved<'_, 'static>, Used) -> Result<T, Error>,
) -> Result<T, Error> {
    answered(options, started, depth, assemble, then)
}

/// The same of anything that refers to secrets, put together from what was inherited and from the
/// options' sources.
pub fn answered<T>(
    options: &Options,
    started: &mut Started,
    depth: Depth,
    assemble: impl FnOnce(&[&'static CStr], &Sources) -> Assembled<'static>,
    then: impl FnOnce(Resolved<'_, 'static>, Used) -> Result<T, Error>,
) -> Result<T, Error> {
    let began = Instant::now();
    let assembling = log::begin(Phase::Assemble);
    let place = options.place()?;
    let mut assembled = assemble(&started.environment, &options.sources(&place)?);
    let location = place.store.as_deref();
    let all = options.flag("all");
    let scoped = all || resolve::has_scoped(&assembled);
    let words = std::mem::take(&mut assembled.words);
    drop(assembling);
    let environment = began.elapsed();
    let reads = depth != Depth::Names;
    let mut access = options.access(&place, started, &words, &assembled.kept, reads);
    access.scopes = place.scopes.in_force();
    let access = Arc::new(access);
    let spent = stores::spent(location, &words, &access);
    let unread = refresh::unread(options, spent, &access);
    if let Some(why) = unread.as_ref().filter(|_| access.again) {
        return Err(Error::Usage(format!("--watch needs {why}")));
    }
    let stores = Stores::open(location, scoped, &words, &access, &mut assembled.errors);
    let cache = options.cache(&place, &access)?;
    let (scopes, cache) = (&place.scopes, cache.as_ref());
    let resolved = resolve::resolve(assembled, &stores, scopes, all, depth, cache);
    let used = Used {
        credentials: stores::credentials(location, &words),
        stores: stores.all().map(|store| store.label().to_owned()).collect(),
        unread,
        environment,
        answers: began.elapsed() - environment,
    };
    then(resolved, used)
}

/// Opens the stores that a launch has to do with, to do something else than to ask them for it.
///
/// # Errors
/// Options, or what keeps one of them from being opened.
pub fn opened<T>(
    options: &Options,
    started: &mut Started,
    then: impl FnOnce(&Stores) -> Result<T, Error>,
) -> Result<T, Error> {
    let place = options.place()?;
    let mut assembled = assemble(&started.environment, &options.sources(&place)?);
    let words = std::mem::take(&mut assembled.words);
    let access = options.access(&place, started, &words, &assembled.kept, true);
    let (location, access) = (place.store.as_deref(), Arc::new(access));
    let stores = Stores::open(location, false, &words, &access, &mut assembled.errors);
    match assembled.errors.is_empty() {
        true => then(&stores),
        false => Err(Error::all(assembled.errors)),
    }
}

/// Where files are delivered.
///
/// # Errors
/// A usage error.
pub fn files(options: &Options) -> Result<Files, Error> {
    let allow_disk = options.flag("allow-disk");
    let folder = match options.path("files") {
        None if allow_disk => return Err(options.usage("allow-disk", "needs --files")),
        None => None,
        Some(folder) => {
            let path = std::path::absolute(&folder);
            let path = path.map_err(|_| options.usage("files", "is no path to a folder"))?;
            Some(folder.with(path))
        }
    };
    let account = match process_options::account(options, "files-owner")? {
        None => process_options::account(options, "user")?,
        named => named,
    };
    Ok(Files {
        folder,
        allow_disk,
        owner: account.map(|(account, _)| account.owner()),
    })
}

/// What a launch had to do with.
pub struct Used {
    /// The variables that hold its credentials.
    pub credentials: Vec<&'static str>,
    /// The stores that were asked.
    pub stores: Vec<String>,
    /// What would be needed to come again, where that can't be.
    pub unread: Option<String>,
    /// How long it took to read options and environment.
    environment: Duration,
    /// How long the stores took to answer.
    answers: Duration,
}

/// Starts the clock for everything before the exec; when it runs out, the exit code is `code`, and
/// `then` says what that means.
///
/// # Errors
/// A usage error, or that there is no timer.
pub fn start_deadline(options: &Options, code: u8, then: &str) -> Result<Deadline, Error> {
    let why = "the store, or a file that was named, did not answer";
    deadline_for(options, code, &format!("{then}: {why}"))
}

/// The same for what asks no store; `outcome` says why as well.
///
/// # Errors
/// As above.
pub fn deadline_for(options: &Options, code: u8, outcome: &str) -> Result<Deadline, Error> {
    let timeout = options.timeout()?;
    let timeout_shown = humantime::format_duration(timeout);
    let message = format!("gave up after {timeout_shown} (--timeout); {outcome}");
    let message = logger::error("timeout", &message);
    let deadline = signals::deadline(timeout, message, code);
    deadline.map_err(|error| Error::file("start", "a timer", error))
}

/// One line: how many references, from which scopes and store, in what time. Without references
/// there is nothing to tell, and doorkey stays silent.
fn say(summary: &Summary, used: &Used, began: Instant) {
    if used.stores.is_empty() {
        return log::debug!("no references");
    }
    let store = used.stores.join(" and ");
    let mut scopes: Vec<_> = summary
        .scopes
        .iter()
        .map(|(scope, secrets)| format!("{secrets} from {scope}"))
        .collect();
    if summary.direct > 0 {
        scopes.push(format!("{} by path", summary.direct));
    }
    let scopes = if scopes.is_empty() {
        "nothing found".to_owned()
    } else {
        scopes.join(", ")
    };
    let references = summary.references;
    let plural = if references == 1 { "" } else { "s" };
    let all = began.elapsed();
    let rest = all.saturating_sub(used.environment + used.answers);
    let [took, environment, answers, rest] =
        [all, used.environment, used.answers, rest].map(duration::shown);
    log::info!(
        Resolved, store = &Label(&store), elapsed = all;
        "{references} reference{plural} resolved: {scopes} of {store} in {took}"
    );
    log::debug!("environment in {environment}, stores in {answers}, the rest in {rest}");
}
