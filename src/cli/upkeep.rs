//! Upkeep of the leases of a running workload: renews them, fetches new ones when they can't be
//! renewed, and gives them back at the end. The line about leases at the launch is here, too.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use super::again::{self, Again};
use super::options::Options;
use super::process_options::Launching;
use super::{logger, pipeline};
use crate::engine::leases::{self, Lent};
use crate::engine::open_stores::Stores;
use crate::engine::supervise::{
    self, HeldLease, Known, OnChange, Outcome, Supervised, Task, Upkeep,
};
use crate::model::error::Error;
use crate::model::log::{self, Event, Label, Level};
use crate::model::named::ShownPath;
use crate::stores::{Depth, Lender, Renewal, Renewals};

/// The policy that renewing needs beside the server's default one.
const BY_ACCESSOR: &str = "path \"auth/token/renew-accessor\" { capabilities = [\"update\"] }";

/// Makes the message to a supervisor about leases. `again` is true if everything needed for new
/// ones can be read again.
pub fn told(launching: &Launching, lent: &Lent, again: bool) -> supervise::Loans {
    supervise::Loans {
        held: lent.held(),
        upkeep: Upkeep {
            renews: again && !lent.is_once(),
            on_change: launching.on_change,
            stop_on_loss: launching.stop_on_loss,
        },
    }
}

/// Logs one line about leases, if there are any: the variables, the time, and the plan for
/// renewing.
pub fn say(lent: &Lent, keeps: Option<bool>, unread: Option<&str>) {
    let Some((time, by_token)) = lent.shortest() else {
        return;
    };
    let names = lent.variables.join(", ");
    let time = leases::shown(time);
    let ends = if by_token {
        ", as the token ends then"
    } else {
        ""
    };
    let then = match (keeps, unread) {
        (None, _) => "nothing renews it without --init".to_owned(),
        (Some(_), Some(why)) => format!("nothing renews it, which needs {why}"),
        (Some(false), None) => {
            let why = "the server's address in a variable, and no credential in one";
            format!("nothing renews it, which needs {why}")
        }
        (_, None) if lent.is_once() => {
            "nothing renews it, which needs credentials that can be used again".to_owned()
        }
        (_, None) if by_token => {
            let longest = lent.leases.iter().map(|(_, _, lease)| lease.lasts).max();
            let longest = leases::shown(longest.unwrap_or_default());
            format!(
                "it is renewed where the policy has {BY_ACCESSOR}, or the login's role a \
                 token_ttl of {longest}; else fetched anew before"
            )
        }
        (_, None) => "it is renewed, and fetched anew when it can't be".to_owned(),
    };
    log::info!(
        Leased, variable = &Label(&names);
        "lent: {names}, the shortest for {time}{ends}; {then}"
    );
}

/// Does the task for which the supervisor forked this process, and reports the outcome.
///
/// # Errors
/// A supervisor that is gone.
pub fn keep(
    options: &mut Options,
    launching: &Launching,
    mut supervised: Supervised,
    known: &Known,
    task: Task,
) -> Result<ExitCode, Error> {
    let outcome = match task {
        Task::Refresh => return Ok(ExitCode::FAILURE),
        Task::Renew(held) => renew(options, &held),
        Task::Replace { by_token, left } => {
            let why = (by_token, left);
            replace(options, launching, &mut supervised, known, why)
        }
        Task::GiveBack(held) => give_back(options, &held),
    };
    supervised.report(&outcome);
    supervised.tell()?;
    Ok(ExitCode::SUCCESS)
}

/// Calls a function for each store with leases, with the places of those leases in the list.
fn each_lender(
    stores: &Stores,
    held: &[HeldLease],
    mut then: impl FnMut(&dyn Lender, &[usize]) -> Result<(), Error>,
) -> Result<(), Error> {
    let schemes: BTreeSet<&str> = held.iter().map(|held| held.scheme.as_str()).collect();
    for scheme in schemes {
        let places: Vec<usize> = (0..held.len())
            .filter(|&at| held[at].scheme == scheme)
            .collect();
        let store = stores.of_scheme(scheme);
        if let Some(lender) = store.and_then(|store| store.lender()) {
            then(lender, &places)?;
        }
    }
    Ok(())
}

fn failed(scheme: &str) -> impl Fn(crate::model::error::StoreError) -> Error {
    move |trouble| Error::Store {
        store: format!("{scheme}:"),
        trouble,
    }
}

/// Returns the time until the first lease ends.
fn left(held: &[HeldLease]) -> Duration {
    let ends = held.iter().map(|held| {
        let token = held.token_left.unwrap_or(held.left);
        token.min(held.left)
    });
    ends.min().unwrap_or_default()
}

fn renew(options: &mut Options, held: &[HeldLease]) -> Outcome {
    let mut renewals = vec![(Renewal::Denied, None); held.len()];
    let renewed = logger::quietly(|| {
        let stores = pipeline::open(options)?;
        each_lender(&stores, held, |lender, places| {
            let ids = places
                .iter()
                .map(|&at| (held[at].id.clone(), held[at].lasts));
            let ends = |at: &&usize| held[**at].token_renewable && held[**at].token_left.is_some();
            let accessors = places
                .iter()
                .filter(ends)
                .map(|&at| held[at].accessor.clone());
            let accessors: BTreeSet<String> = accessors.filter(|one| !one.is_empty()).collect();
            let accessors: Vec<String> = accessors.into_iter().collect();
            let said = lender.renew(&ids.collect::<Vec<_>>(), &accessors);
            let Renewals { leases, tokens } = said.map_err(failed(&held[places[0]].scheme))?;
            for (&at, lease) in places.iter().zip(leases) {
                let token = accessors.iter().position(|one| *one == held[at].accessor);
                renewals[at] = (lease, token.and_then(|at| tokens.get(at).copied()));
            }
            Ok(())
        })
    });
    if let Err(error) = renewed {
        let before = format!("not renewed, ends in {}: ", leases::shown(left(held)));
        log::say_faults(Level::WARN, Event::Leased, &before, &error);
        return Outcome::Failed;
    }
    for (held, (lease, token)) in held.iter().zip(&renewals) {
        let path = ShownPath(&held.path);
        match lease {
            Renewal::Lasts(time) => {
                let time = leases::shown(*time);
                log::debug!(Leased; "{path} is renewed, and lasts {time}; its token: {token:?}");
            }
            Renewal::Denied => {
                let time = leases::shown(held.left);
                log::warning!(
                    Leased;
                    "{path} can't be renewed, and is fetched anew before it ends in {time}; a \
                     policy allows it with path \"sys/leases/renew\" {{ capabilities = \
                     [\"update\"] }}"
                );
            }
            Renewal::Gone => {
                log::warning!(Leased; "the server has taken {path} back; it is fetched anew");
            }
        }
    }
    Outcome::Renewed(renewals)
}

/// Fetches new leases for a workload that keeps running; otherwise checks that a launch could.
fn replace(
    options: &mut Options,
    launching: &Launching,
    supervised: &mut Supervised,
    known: &Known,
    (by_token, left): (bool, Duration),
) -> Outcome {
    let replaced = try_replace(options, launching, supervised, known, by_token);
    replaced.unwrap_or_else(|error| {
        let before = format!("not fetched anew, ends in {}: ", leases::shown(left));
        let before = match left.is_zero() {
            true => "not fetched anew, though it has ended: ",
            false => before.as_str(),
        };
        log::say_faults(Level::WARN, Event::Leased, before, &error);
        Outcome::Failed
    })
}

fn try_replace(
    options: &mut Options,
    launching: &Launching,
    supervised: &mut Supervised,
    known: &Known,
    by_token: bool,
) -> Result<Outcome, Error> {
    let on_change = launching.on_change;
    let why = match by_token {
        true => "the token that it hangs on ends",
        false => "it can't be renewed any more",
    };
    let is_new = matches!(on_change, OnChange::Signal(_));
    if known.held_back && !is_new {
        return Ok(Outcome::HeldBack);
    }
    let then = again::action(on_change);
    let depth = match is_new {
        true => Depth::Fresh,
        // The launch fetches the new lease; this only shows that it will be able to.
        false => Depth::Watch(known.lent.clone().leak()),
    };
    let key = supervised.key;
    let by = (launching.window, &key);
    let again = logger::quietly(|| {
        again::fetch(options, depth, on_change, by, |fetched| match is_new {
            true => Ok(()),
            false => Lent::would_be(&fetched.answers),
        })
    })?;
    let Again {
        digests,
        deliveries,
        sought,
        lent,
    } = again;
    let names = lent.variables.join(", ");
    if !is_new {
        log::info!(Leased, variable = &Label(&names); "fetched anew, as {why}: {names}; {then}");
        return Ok(Outcome::Changed(vec![]));
    }
    if let Some(sought) = sought {
        supervised.arm_now(&sought.told())?;
    }
    // The supervisor must give back these new leases.
    supervised.lend(&told(launching, &lent, true));
    pipeline::swap(deliveries, supervised)?;
    log::info!(Leased, variable = &Label(&names); "fetched anew, as {why}: {names}; {then}");
    Ok(Outcome::Changed(digests))
}

fn give_back(options: &mut Options, held: &[HeldLease]) -> Outcome {
    if held.is_empty() {
        return Outcome::GivenBack;
    }
    let mut living = Vec::new();
    let given = logger::quietly(|| {
        let stores = pipeline::open(options)?;
        each_lender(&stores, held, |lender, places| {
            let lent = places
                .iter()
                .map(|&at| (held[at].id.clone(), held[at].accessor.clone()));
            let left = lender.give_back(&lent.collect::<Vec<_>>());
            let left = left.map_err(failed(&held[places[0]].scheme))?;
            living.extend(left.into_iter().map(|at| places[at]));
            Ok(())
        })
    });
    let latest = |held: &mut dyn Iterator<Item = &HeldLease>| {
        let ends = held.map(|held| held.left.min(held.token_left.unwrap_or(held.left)));
        leases::shown(ends.max().unwrap_or_default())
    };
    if let Err(error) = given {
        let before = format!("not given back, lives for {}: ", latest(&mut held.iter()));
        log::say_faults(Level::WARN, Event::Leased, &before, &error);
        return Outcome::Failed;
    }
    let paths: BTreeSet<_> = living.iter().map(|&at| held[at].path.as_str()).collect();
    for path in paths {
        let of_path = living.iter().map(|&at| &held[at]);
        let time = latest(&mut of_path.filter(|held| held.path == path));
        let path = ShownPath(path);
        log::warning!(
            Leased;
            "not given back, lives for {time}: {path}; a policy allows it with path \
             \"sys/leases/revoke/{path}/*\" {{ capabilities = [\"update\"] }}"
        );
    }
    Outcome::GivenBack
}
