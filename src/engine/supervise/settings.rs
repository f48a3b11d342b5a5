//! Settings of supervision: those known before the arguments are parsed, and those that a process
//! that has parsed them tells its supervisor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::signal::{Map, Signal};

/// The features asked of a supervisor; known before the arguments are parsed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// True if the workload's output passes through the supervisor.
    pub masks: bool,
    /// True if secrets are fetched again.
    pub watches: bool,
    /// True if something may be lent, and can be renewed without a credential that we hold.
    pub lends: bool,
}

/// The settings of supervision.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Supervision {
    /// The signal that each signal becomes.
    pub map: Map,
    /// True if signals go to the workload's whole group.
    pub group: bool,
    /// The time for the rest to end when the workload has ended.
    pub grace: Option<Duration>,
    /// The signal to forward when doorkey's own parent has ended; 0 for none.
    pub parent_death: Signal,
    /// Interval and actions of fetching secrets again; `None` without `--watch`.
    pub watching: Option<Watching>,
}

/// The settings of fetching secrets again, and of what a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Watching {
    /// The time between two fetches.
    pub every: Duration,
    /// The effect of a change.
    pub on_change: OnChange,
    /// True if the workload is stopped when a secret is deleted or denied.
    pub stop_on_loss: bool,
    /// The signal that has secrets fetched at once; 0 for none.
    pub refresh: Signal,
}

/// The effect of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnChange {
    /// The workload is ended, and launched anew.
    Restart,
    /// The workload gets this signal; 0 is none.
    Signal(Signal),
    /// The workload is ended, and doorkey with this code.
    Exit(u8),
}
