//! `run --mask`: what the workload writes passes through the supervisor, without its secrets.

use std::io;
use std::os::fd::RawFd;
use std::time::Instant;

use crate::world::ears::Watched;

/// The supervisor's side: what it reads from the workload, and where that goes.
pub(super) struct Relay {}

/// The workload's side, until it is put in the place of its standard descriptors.
pub struct Inner {}

impl Relay {
    /// Makes both sides, as standard input, output and error are.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new() -> io::Result<(Relay, Inner)> {
        Ok((Relay {}, Inner {}))
    }

    /// Adds the descriptors that it has.
    pub(super) fn descriptors(&self, _ours: &mut Vec<RawFd>) {}

    /// What is to be looked for.
    pub(super) fn arm(&mut self, _needles: &[u8]) {}

    /// The workload has begun.
    pub(super) fn begin(&mut self) {}

    /// Adds the descriptors that it waits at.
    pub(super) fn watch(&self, _watched: &mut Vec<Watched>) {}

    /// When it wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        None
    }

    /// Goes on: `watched` are the descriptors that it has added, looked at.
    pub(super) fn serve(&mut self, _watched: &[Watched]) {}
}
