//! How to supervise: what is known before the arguments are parsed, and what a process that has
//! parsed them tells its supervisor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::signal::{Map, Signal};

/// What is asked of a supervisor; known before the arguments are parsed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// True if the workload's output passes through it.
    pub masks: bool,
    /// True if secrets are fetched again.
    pub watches: bool,
    /// True if something may be lent, and can be renewed without a credential that we hold.
    pub lends: bool,
}

/// How to supervise.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Supervision {
    /// What each signal becomes.
    pub map: Map,
    /// True if signals go to the workload's whole group.
    pub group: bool,
    /// How long the rest may take to end when the workload has ended.
    pub grace: Option<Duration>,
    /// The signal to forward when doorkey's own parent has ended; 0 for none.
    pub parent_death: Signal,
    /// Interval and actions of fetching secrets again; `None` without `--watch`.
    pub watching: Option<Watching>,
}

/// How secrets are fetched again, and what a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Watching {
    /// The time between.
    pub every: Duration,
    /// What a change does.
    pub on_change: OnChange,
    /// True if the workload is stopped when a secret is deleted or denied.
    pub stop_on_loss: bool,
    /// The signal that has them fetched at once; 0 for none.
    pub refresh: Signal,
}

/// What a change does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnChange {
    /// The workload is ended, and launched anew.
    Restart,
    /// The workload gets this signal.
    Signal(Signal),
    /// The workload is ended, and doorkey with this code.
    Exit(u8),
}
