//! One more fetch for a running workload: for `--watch`, and for leases that are replaced.

use super::options::Options;
use super::told::{self, Sought};
use super::{flags, pipeline};
use crate::core::signal;
use crate::engine::fetch::Fetched;
use crate::engine::leases::Lent;
use crate::engine::secret_files::Deliveries;
use crate::engine::supervise::{Digests, OnChange};
use crate::model::error::Error;
use crate::stores::Depth;

/// The result of another fetch.
pub struct Again {
    /// The keyed digests of the variables, without the values that are lent.
    pub digests: Digests,
    /// The files with values; none of them is written yet.
    pub deliveries: Deliveries,
    /// The values to mask in the command's output, if it is masked and keeps running.
    pub sought: Option<Sought>,
    /// The leases, and the references that are lent.
    pub lent: Lent,
}

/// Fetches all secrets again, for a supervisor that has this key and masks values from so many
/// bytes on. `judge` sees the answers before anything is filled in.
///
/// # Errors
/// The reasons why a launch would fail, or the error of `judge`.
pub fn fetch(
    options: &mut Options,
    depth: Depth,
    on_change: OnChange,
    (window, key): (usize, &[u8; 32]),
    judge: impl FnOnce(&Fetched<'_>) -> Result<(), Error>,
) -> Result<Again, Error> {
    let sourced = pipeline::assemble(options, None)?;
    let located = pipeline::locate(options, sourced, depth)?;
    let fetched = pipeline::fetch(located);
    judge(&fetched)?;
    let lent = Lent::of(&fetched);
    let filling = pipeline::fill(&fetched);
    let digests = told::digests(&filling, &lent, key);
    // Only a workload that keeps running can print them.
    let goes_on = matches!(on_change, OnChange::Signal(_));
    let masks = options.flag(&flags::MASK) && goes_on;
    let sought = masks.then(|| Sought::of(options, &fetched, &filling, window, key));
    let entries = filling.finish();
    let deliveries = fetched.complete(entries)?.deliveries;
    Ok(Again {
        digests,
        deliveries,
        sought,
        lent,
    })
}

/// Names the action on a change, for a log line.
pub fn action(on_change: OnChange) -> String {
    match on_change {
        OnChange::Restart => "the command is launched anew".to_owned(),
        OnChange::Signal(signal) => format!("the command gets {}", signal::name(signal)),
        OnChange::Exit(code) => format!("the command is ended, and doorkey with {code}"),
    }
}
