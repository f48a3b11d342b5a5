//! `run --init`: two processes. One becomes the workload, as without `--init`. The other is the
//! supervisor: it forwards signals to the workload, takes in orphans, and ends when the workload
//! ends. The workload is forked from the supervisor before any secret is read. The supervisor
//! therefore has none, and the environment that it was started with is overwritten.
//!
//! Each file imports only from those before it; `tests/house/layers.rs` holds that.
//!
//! | file | contents |
//! |---|---|
//! | `settings`, `known`, `notice` | settings that are told, knowledge of secrets, notices |
//! | `message` | messages of a process that launches or fetches to its supervisor |
//! | `errands` | purposes of fresh processes, and their times |
//! | `action` | events that can happen, and actions that can be taken |
//! | `job`, `watch`, `lease`, `clearing`, `end` | a stop, a change, leases, processes that are left, the end |
//! | `machine` | those together: `step(event)` gives actions, without any system call |
//! | `channel`, `session`, `sought`, `relay`, `streams` | the workload's output, without secrets |
//! | `supervised`, `monitor`, `forked` | the processes that are forked, and what they get |
//! | `waiting`, `supervisor`, `hearing` | waits, tells the machine the events, takes its actions |

mod action;
mod channel;
mod clearing;
mod end;
mod errands;
mod forked;
mod hearing;
mod job;
mod known;
mod lease;
mod machine;
mod message;
mod monitor;
mod notice;
mod relay;
mod session;
mod settings;
mod sought;
mod streams;
mod supervised;
mod supervisor;
mod waiting;
mod watch;

pub use self::known::{Digests, HeldLease, Known, Loans, Outcome, Task, Upkeep, digest, pause};
pub use self::notice::{Notice, Patience};
pub use self::relay::Inner;
pub use self::settings::{OnChange, Supervision, Wanted, Watching};
pub use self::supervised::Supervised;

use self::supervisor::Supervisor;
use crate::model::error::Error;
use crate::sys::environ::Inherited;

/// Makes two processes of this one. The one that returns is to become the workload. Later, and any
/// number of times, one returns to launch it anew or to fetch its secrets again.
///
/// # Errors
/// The system's error.
pub fn split(
    inherited: Inherited,
    asked: Wanted,
    patience: Patience,
) -> Result<(Inherited, Supervised), Error> {
    let supervisor = Supervisor::new(inherited, asked, patience);
    let supervised = supervisor.and_then(Supervisor::supervise);
    supervised.map_err(|why| Error::file("start", "a second process", why))
}
