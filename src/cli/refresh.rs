//! Fetching the secrets of a running workload again, for `run --watch`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use super::logger;
use super::masking::Sought;
use super::options::Options;
use super::process_options;
use super::run::{self, resolved};
use crate::core::keyed_hash::keyed;
use crate::core::signal;
use crate::engine::secret_files::Deliveries;
use crate::engine::supervise::{
    Digests, Known, OnChange, Outcome, Supervised, Watching, digest, pause,
};
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::log::{self, Event, Label, Level};
use crate::model::named::Named;
use crate::stores::{self, Access, Depth};
use crate::sys::environ::Started;
use crate::sys::files;

/// Whether all that is needed can be had again, by a process that was started as this one was.
///
/// # Errors
/// Usage: a credential that is in a variable, `spent`, or a file that is a pipe.
pub fn check(options: &Options, spent: Vec<&str>, access: &Access) -> Result<(), Error> {
    if let Some(name) = spent.first() {
        return Err(Error::Usage(format!(
            "--watch needs credentials that can be read again: {}",
            stores::instead(name)
        )));
    }
    let given = ["env-file", "spec"].map(|id| options.paths(id));
    let settings = access.settings.iter();
    let settings = settings.filter(|setting| stores::is_file(setting.id));
    let variables = access.variables.iter();
    let variables = variables.filter(|(name, _)| stores::is_file(name));
    let mut files = given
        .into_iter()
        .flatten()
        .chain(settings.map(|setting| Named::new(&setting.name, &setting.value)))
        .chain(variables.map(|(name, file)| Named::new(*name, OsStr::from_bytes(file))));
    files
        .find(|file| files::is_pipe(file))
        .map_or(Ok(()), |file| {
            Err(Error::Usage(format!(
                "--watch needs files that can be read again: {file} is a pipe"
            )))
        })
}

/// Fetches everything once more, compares it with what the workload has, says what is to be said,
/// and tells the supervisor.
///
/// # Errors
/// The supervisor is gone, or the options can't be used any more.
pub fn refresh(
    options: &Options,
    mut started: Started,
    mut supervised: Supervised,
) -> Result<ExitCode, Error> {
    let _deadline = run::start_deadline(options, 125, "the command goes on")?;
    let Some(watching) = process_options::watching(options)? else {
        return Ok(ExitCode::FAILURE);
    };
    let (key, known) = (supervised.key, supervised.known.take().unwrap_or_default());
    // The launch has said already what else there is to warn of.
    let level = match logger::shows(Level::DEBUG) {
        true => Level::DEBUG,
        false => logger::set_level(Level::ERROR),
    };
    let fetched = resolved(options, &mut started, Depth::Fresh, |resolved, _| {
        let (mut digests, mut sought) = (Vec::new(), Sought::default());
        // Only a workload that goes on may show them.
        let masks = options.flag("mask") && matches!(watching.on_change, OnChange::Signal(_));
        if masks {
            sought.add_read(&resolved.answers);
        }
        let (_, deliveries, _) = resolved.fill(|name, filled| {
            digests.push((name.to_vec(), digest(&key, filled)));
            if masks {
                sought.add_filled(filled);
            }
        })?;
        Ok(Fetched {
            digests,
            deliveries,
            sought: masks.then_some(sought),
        })
    });
    logger::set_level(level);
    let outcome =
        fetched.and_then(|fetched| compared(options, fetched, &mut supervised, &known, &watching));
    let outcome = outcome.unwrap_or_else(|error| match error.is_loss() {
        true => lost(&error, &known, &watching, &key),
        false => failed(&error, &known, &watching),
    });
    supervised.report(&outcome);
    supervised.tell()?;
    Ok(ExitCode::SUCCESS)
}

/// Puts the new files in the place of the workload's; those in memory can't be changed.
fn swap(deliveries: Deliveries, supervised: &mut Supervised) -> Result<(), Error> {
    let Some(folder) = deliveries.open(supervised.delivered.take())? else {
        return Ok(());
    };
    supervised.leave(&folder);
    supervised.tell()?;
    deliveries.write(Some(&folder))
}

/// Everything, once more.
struct Fetched {
    digests: Digests,
    deliveries: Deliveries,
    /// What is to be looked for in the command's output, where that is masked.
    sought: Option<Sought>,
}

fn compared(
    options: &Options,
    fetched: Fetched,
    supervised: &mut Supervised,
    known: &Known,
    watching: &Watching,
) -> Result<Outcome, Error> {
    if known.failures > 0 || known.lost.is_some() {
        log::info!(Recovered; "secrets can be fetched again");
    }
    let changed = changed(&known.digests, &fetched.digests);
    if changed.is_empty() {
        return Ok(Outcome::Same);
    }
    let then = match watching.on_change {
        OnChange::Restart | OnChange::Exit(_) if known.held_back => return Ok(Outcome::HeldBack),
        OnChange::Restart => "the command is launched anew".to_owned(),
        OnChange::Signal(signal) => {
            // They are looked for before the workload can have them.
            if let Some(sought) = fetched.sought {
                let needles = sought.needles(options, supervised)?;
                supervised.arm_now(&needles)?;
            }
            swap(fetched.deliveries, supervised)?;
            format!("the command gets {}", signal::name(signal))
        }
        OnChange::Exit(code) => format!("the command is ended, and doorkey with {code}"),
    };
    let names = changed.join(", ");
    log::info!(Changed, variable = &Label(&names); "changed: {names}; {then}");
    Ok(Outcome::Changed(fetched.digests))
}

/// The variables that are filled in otherwise now, or that only one of both has.
fn changed(before: &Digests, now: &Digests) -> Vec<String> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (these, those) in [(now, before), (before, now)] {
        let those: BTreeSet<_> = those.iter().collect();
        let other = these.iter().filter(|one| !those.contains(one));
        names.extend(other.map(|(name, _)| name.as_slice()));
    }
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| Shown(name).to_string()).collect()
}

fn failed(error: &Error, known: &Known, watching: &Watching) -> Outcome {
    let next = pause(watching.every, known.failures + 1);
    log::say_faults(Level::WARN, Event::Unfetched, &not_fetched(next), error);
    Outcome::Failed
}

/// How a line begins about secrets that were not fetched again, and are after so long.
pub fn not_fetched(next: Duration) -> String {
    // The jitter is the supervisor's.
    let next = humantime::format_duration(Duration::from_millis(next.as_millis() as u64));
    format!("secrets not fetched again, next try in about {next}: ")
}

/// What is gone is said once, not at each interval.
fn lost(error: &Error, known: &Known, watching: &Watching, key: &[u8; 32]) -> Outcome {
    let lines = error.lines();
    let digest = keyed(key, lines.iter().map(String::as_bytes));
    let then = match watching.stop_on_loss {
        true => "the command is stopped",
        false => "the command goes on with what it has",
    };
    let is_known = known.lost == Some(digest);
    let level = match is_known && !watching.stop_on_loss {
        true => Level::DEBUG,
        false => Level::WARN,
    };
    log::say_faults(level, Event::Lost, &format!("{then}: "), error);
    Outcome::Lost(digest)
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn what_has_changed_is_named() {
        let digests = |of: &[(&str, u8)]| {
            let digest = |(name, byte): &(&str, u8)| (name.as_bytes().to_vec(), [*byte; 16]);
            of.iter().map(digest).collect()
        };
        let before = digests(&[("A", 1), ("B", 2), ("C", 3)]);
        assert!(changed(&before, &before).is_empty());
        let now = digests(&[("A", 1), ("B", 9), ("D", 3)]);
        assert_eq!(changed(&before, &now), ["B", "C", "D"]);
    }
}
