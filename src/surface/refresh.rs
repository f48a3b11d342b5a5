//! Fetching the secrets of a running workload again, for `run --watch`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::logger;
use super::options::Options;
use super::run::{self, resolved};
use super::workload;
use crate::engines::deliver::Deliveries;
use crate::engines::init::{
    Digests, Known, OnChange, Outcome, Supervised, Watching, digest, pause,
};
use crate::pure::digest::keyed;
use crate::pure::signal;
use crate::stores::{self, Access, Depth};
use crate::words::error::Error;
use crate::words::log::{self, Event, Label, Level};
use crate::words::shown::Shown;
use crate::world::environ::Started;
use crate::world::{files, memory};

/// Whether all that is needed can be had again, by a process that was started as this one was.
///
/// # Errors
/// Usage: a credential that is in a variable, `spent`, or a file that is a pipe.
pub fn check(options: &Options, spent: Vec<&str>, access: &Access) -> Result<(), Error> {
    if let Some(name) = spent.first() {
        return Err(Error::Usage(format!(
            "--watch needs credentials that can be read again: give {name} as a file, {name}_FILE"
        )));
    }
    let given = ["env-file", "spec"].map(|id| options.values(id));
    let given = given.iter().flatten().map(Path::new);
    let settings = access.settings.iter();
    let settings = settings.filter(|setting| stores::is_file(setting.id));
    let variables = access.variables.iter();
    let variables = variables.filter(|(name, _)| stores::is_file(name));
    let mut files = given
        .chain(settings.map(|setting| Path::new(&setting.value)))
        .chain(variables.map(|(_, file)| Path::new(OsStr::from_bytes(file))));
    files
        .find(|file| files::is_pipe(file))
        .map_or(Ok(()), |file| {
            Err(Error::Usage(format!(
                "--watch needs files that can be read again: {} is a pipe",
                file.display()
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
    let _concealed = memory::conceal();
    let _deadline = run::start_deadline(options, 125, "the command goes on")?;
    let Some(watching) = workload::watching(options)? else {
        return Ok(ExitCode::FAILURE);
    };
    let (key, known) = (supervised.key, supervised.known.take().unwrap_or_default());
    // The launch has said already what else there is to warn of.
    let level = match logger::shows(Level::DEBUG) {
        true => Level::DEBUG,
        false => logger::set_level(Level::ERROR),
    };
    let fetched = resolved(options, &mut started, Depth::Fresh, |resolved, _| {
        let mut digests = Vec::new();
        let (_, deliveries, _) = resolved.fill(|name, filled| {
            digests.push((name.to_vec(), digest(&key, filled)));
        })?;
        Ok((digests, deliveries))
    });
    logger::set_level(level);
    let outcome =
        fetched.and_then(|(digests, files)| compared(options, digests, files, &known, &watching));
    let outcome = outcome.unwrap_or_else(|error| match error.is_loss() {
        true => lost(&error, &known, &watching, &key),
        false => failed(&error, &known, &watching),
    });
    supervised.report(&outcome);
    supervised.tell()?;
    Ok(ExitCode::SUCCESS)
}

/// Puts the new files in the place of the workload's; those in memory can't be changed.
fn swap(options: &Options, deliveries: Deliveries) -> Result<(), Error> {
    let account = workload::account(options)?;
    let owner = account.map(|(account, _)| account.owner());
    match deliveries.to_remove().is_empty() {
        true => Ok(()),
        false => deliveries.write(owner),
    }
}

fn compared(
    options: &Options,
    digests: Digests,
    files: Deliveries,
    known: &Known,
    watching: &Watching,
) -> Result<Outcome, Error> {
    if known.failures > 0 || known.lost.is_some() {
        log::info!(Recovered; "secrets can be fetched again");
    }
    let changed = changed(&known.digests, &digests);
    if changed.is_empty() {
        return Ok(Outcome::Same);
    }
    let then = match watching.on_change {
        OnChange::Restart => "the command is launched anew".to_owned(),
        OnChange::Signal(signal) => {
            swap(options, files)?;
            format!("the command gets {}", signal::name(signal))
        }
        OnChange::Exit(code) => format!("the command is ended, and doorkey with {code}"),
    };
    let names = changed.join(", ");
    log::info!(Changed, variable = &Label(&names); "changed: {names}; {then}");
    Ok(Outcome::Changed(digests))
}

/// The variables that are filled in otherwise now, or that only one of both has.
fn changed(before: &Digests, now: &Digests) -> Vec<String> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (these, those) in [(now, before), (before, now)] {
        let other = these.iter().filter(|one| !those.contains(one));
        names.extend(other.map(|(name, _)| name.as_slice()));
    }
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| Shown(name).to_string()).collect()
}

fn failed(error: &Error, known: &Known, watching: &Watching) -> Outcome {
    let next = pause(watching.every, known.failures + 1);
    // The jitter is the supervisor's.
    let next = humantime::format_duration(Duration::from_millis(next.as_millis() as u64));
    let before = format!("secrets not fetched again, next try in about {next}: ");
    log::say_faults(Level::WARN, Event::Unfetched, &before, error);
    Outcome::Failed
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
