//! Fetches the secrets of a running workload again, for `run --watch`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::again::{self, Again};
use super::options::Options;
use super::patience::not_fetched;
use super::process_options::Launching;
use super::{deadline, logger, pipeline, upkeep};
use crate::core::keyed_hash::keyed;
use crate::engine::supervise::{
    Digests, Known, OnChange, Outcome, Supervised, Task, Watching, pause,
};
use crate::model::error::Error;
use crate::model::escape::Shown;
use crate::model::log::{self, Event, Label, Level};
use crate::stores::Depth;

/// Fetches all secrets again, and compares them with the workload's. Logs the result, and tells the
/// supervisor.
///
/// # Errors
/// A supervisor that is gone, or options that can't be used any more.
pub fn refresh(
    options: &mut Options,
    launching: Launching,
    mut supervised: Supervised,
) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(launching.timeout, 125, "the command goes on")?;
    let (key, mut known) = (supervised.key, supervised.known.take().unwrap_or_default());
    let task = std::mem::take(&mut known.task);
    if task != Task::Refresh {
        return upkeep::keep(options, &launching, supervised, &known, task);
    }
    let Some(watching) = launching.settings.watching else {
        return Ok(ExitCode::FAILURE);
    };
    let depth = Depth::Watch(std::mem::take(&mut known.lent).leak());
    let by = (launching.window, &key);
    let fetched =
        logger::quietly(|| again::fetch(options, depth, watching.on_change, by, |_| Ok(())));
    let outcome = fetched.and_then(|fetched| compared(fetched, &mut supervised, &known, &watching));
    let outcome = outcome.unwrap_or_else(|error| match error.is_loss() {
        true => lost(&error, &known, &watching, &key),
        false => failed(&error, &known, &watching),
    });
    supervised.report(&outcome);
    supervised.tell()?;
    Ok(ExitCode::SUCCESS)
}

fn compared(
    fetched: Again,
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
    match watching.on_change {
        OnChange::Restart | OnChange::Exit(_) if known.held_back => return Ok(Outcome::HeldBack),
        OnChange::Restart | OnChange::Exit(_) => {}
        // All files have to be written, but the leased values were not read.
        OnChange::Signal(_) if !fetched.lent.labels.is_empty() => return Ok(Outcome::Anew),
        OnChange::Signal(_) => {
            // The supervisor must mask them before the workload can have them.
            if let Some(sought) = fetched.sought {
                supervised.arm_now(&sought.told())?;
            }
            pipeline::swap(fetched.deliveries, supervised)?;
        }
    }
    let then = again::action(watching.on_change);
    let names = changed.join(", ");
    log::info!(Changed, variable = &Label(&names); "changed: {names}; {then}");
    Ok(Outcome::Changed(fetched.digests))
}

/// Lists the variables whose values differ now, or that only one of both has.
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

/// Reports a loss once, not at each interval.
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
