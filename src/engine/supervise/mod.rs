//! `run --init`: two processes. One becomes the workload, as without `--init`; the other forwards
//! signals to it, takes in orphans, and ends when it ends. That one is forked from before any
//! secret is read, and has none: what it was started with is overwritten.
//!
//! Each file imports only from those before it; `tests/layers.rs` holds that.
//!
//! | file | what is in it |
//! |---|---|
//! | `settings`, `known`, `notice` | what is told, known and said |
//! | `message` | how a process that launches or fetches tells its supervisor |
//! | `errands` | what fresh processes are started for, and when |
//! | `action` | what can happen, and what can be done |
//! | `job`, `watch`, `lease`, `clearing`, `end` | a stop, a change, what is lent, what the workload leaves, the end |
//! | `machine` | those together: `step(event)` gives actions, without any system call |
//! | `channel`, `session`, `sought`, `relay`, `streams` | the workload's output, without secrets |
//! | `supervised`, `monitor`, `forked` | the processes that are forked, and what they get |
//! | `waiting`, `supervisor`, `hearing` | waits, tells the machine what happens, and does what it says |

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

/// Makes two of this process. The one that comes back is to become the workload or, later and any
/// number of times, to launch it anew or to fetch its secrets again.
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
