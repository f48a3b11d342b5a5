//! Counts the processors.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// Returns the number of processors that this process may use, counted up to `most`.
///
/// The count takes one system call. The standard library reads the control group's files as well,
/// for a share of processor time. That costs half of what a second thread gains. Work of
/// milliseconds is done before a share is used up.
pub fn count(most: usize) -> usize {
    let us = Pid::from_raw(0);
    sched_getaffinity(us).map_or(1, |set| {
        let usable = |&processor: &usize| set.is_set(processor) == Ok(true);
        let found = (0..CpuSet::count()).filter(usable).take(most);
        found.count().max(1)
    })
}
