//! `doorkey run`: resolves all references, then becomes the command.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::deadline::{self, NOTHING_EXECUTED};
use super::flags;
use super::options::Options;
use super::pipeline::{self, Launch};
use super::process_options::{self, Launching};
use super::told::{self, Sought};
use super::upkeep;
use crate::engine::fill::Summary;
use crate::engine::leases::Lent;
use crate::engine::supervise::Supervised;
use crate::model::error::Error;
use crate::model::escape::counted;
use crate::model::log::{self, Label, Phase};
use crate::stores::Depth;
use crate::sys::duration;
use crate::sys::memory::Concealed;

/// Runs the command. Returns only if that fails.
///
/// # Errors
/// The reasons why the workload can't start.
pub fn run(
    mut options: Options,
    launching: Launching,
    mut supervised: Option<Supervised>,
    concealed: Concealed,
) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let deadline = deadline::start(launching.timeout, 125, NOTHING_EXECUTED)?;
    let mut attributes =
        process_options::prepare(&mut options, &launching.settings, supervised.as_mut())?;
    let command = options.command();

    let resolving = Instant::now();
    let sourced = pipeline::assemble(&options, None)?;
    let assembled = resolving.elapsed();
    let pause = pipeline::splay(&mut options, &sourced, launching.splay, supervised.as_ref())?;
    let located = pipeline::locate(&mut options, sourced, Depth::Values)?;
    pipeline::wait(pause, &deadline, supervised.as_mut())?;
    // The wait is nobody's delay.
    let (began, resolving) = (began + pause, resolving + pause);
    let fetching = deadline::fetching(&located.labels());
    let fetched = pipeline::fetch(located);
    drop(fetching);
    let used = Used {
        stores: fetched.stores(),
        environment: assembled,
        answers: resolving.elapsed() - assembled,
    };
    let lent = Lent::of(&fetched);
    let filling = pipeline::fill(&fetched);
    let told = supervised.as_ref().map(|by| {
        let digests = launching.settings.watching.is_some();
        let digests = digests.then(|| told::digests(&filling, &lent, &by.key));
        let sought = options.flag(&flags::MASK);
        let (window, key) = (launching.window, &by.key);
        let of = || Sought::of(&options, &fetched, &filling, window, key);
        (digests, sought.then(of))
    });
    let entries = filling.finish();
    let ready = fetched.complete(entries)?;
    if let (Some(supervised), Some((digests, sought))) = (&mut supervised, told) {
        if !lent.is_empty() {
            let again = options.unread.is_none() && supervised.keeps;
            supervised.lend(&upkeep::told(&launching, &lent, again));
        }
        if let Some(digests) = digests {
            supervised.remember(&digests);
        }
        if let Some(sought) = sought {
            supervised.arm(&sought.told());
        }
    }

    let ending = log::begin(Phase::Exec);
    let environment = pipeline::seal(ready.environment, &command)?;
    say(&ready.summary, &used, began);
    let keeps = supervised.as_ref().map(|supervised| supervised.keeps);
    upkeep::say(&lent, keeps, options.unread.as_deref());
    attributes.files = ready.deliveries.paths();
    attributes.files_are_others = options.has(&flags::FILES_OWNER);
    drop(options);
    let is_others = attributes.account.is_some();
    let removal = pipeline::deliver(ready.deliveries, supervised.as_mut(), is_others)?;
    drop(ending);
    let launch = Launch {
        command,
        environment,
        attributes,
        removal,
        supervised,
    };
    Err(pipeline::exec(launch, concealed, deadline))
}

/// The stores of a launch, and the times that its steps took.
struct Used {
    /// The stores that were asked.
    stores: Vec<String>,
    /// The time for reading options and environment.
    environment: Duration,
    /// The time until the stores had answered.
    answers: Duration,
}

/// Logs one line: the number of references, their scopes and store, and the time. Without
/// references, nothing is logged at info.
fn say(summary: &Summary, used: &Used, began: Instant) {
    if used.stores.is_empty() {
        return log::debug!("no references");
    }
    let store = used.stores.join(" and ");
    let mut scopes: Vec<_> = summary
        .scopes
        .iter()
        .map(|(scope, references)| format!("{references} from {scope}"))
        .collect();
    if summary.direct > 0 {
        scopes.push(format!("{} by path", summary.direct));
    }
    let mut found = format!("{} of {store}", scopes.join(", "));
    if scopes.is_empty() {
        found = format!("nothing found in {store}");
    }
    for (number, what) in [
        (summary.defaults, "by its own text"),
        (summary.absent, "left out"),
    ] {
        if number > 0 {
            found += &format!(", {number} {what}");
        }
    }
    let references = counted(summary.references(), "reference");
    let all = began.elapsed();
    let rest = all.saturating_sub(used.environment + used.answers);
    let [took, environment, answers, rest] =
        [all, used.environment, used.answers, rest].map(duration::shown);
    log::info!(
        Resolved, store = &Label(&store), elapsed = all;
        "{references} resolved: {found} in {took}"
    );
    log::debug!("environment in {environment}, stores in {answers}, the rest in {rest}");
}
