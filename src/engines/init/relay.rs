//! `run --mask`: what the workload writes passes through the supervisor, without its secrets.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use super::channel::Channel;
use crate::pure::mask::needles::Needles;
use crate::world::ears::Watched;
use crate::world::flow::{self, Outlet};
use crate::world::streams::Standard;

/// The supervisor's side: what it reads from the workload, and where that goes.
pub(super) struct Relay {
    channels: Vec<Channel>,
    begun: bool,
}

/// The workload's side, until it is put in the place of its standard descriptors.
pub struct Inner {
    /// Each descriptor with its place.
    pub places: Vec<(RawFd, OwnedFd)>,
}

impl Relay {
    /// Makes both sides, as standard input, output and error are.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new() -> io::Result<(Relay, Inner)> {
        let (mut channels, mut places) = (Vec::new(), Vec::new());
        let (out, err) = (Standard::of(1), Standard::of(2));
        let shared = out.zip(err).is_some_and(|(out, err)| out.is_same(&err));
        for standard in [out, err.filter(|_| !shared)].into_iter().flatten() {
            let (source, inner) = flow::pipe()?;
            if shared {
                places.push((2, inner.try_clone()?));
            }
            places.push((standard.descriptor, inner));
            let outlet = Outlet::standard(standard.descriptor);
            channels.push(Channel::new(source, outlet));
        }
        let relay = Relay {
            channels,
            begun: false,
        };
        Ok((relay, Inner { places }))
    }

    /// Adds the descriptors that it has.
    pub(super) fn descriptors(&self, ours: &mut Vec<RawFd>) {
        ours.extend(self.channels.iter().flat_map(Channel::descriptors));
    }

    /// What is to be looked for. Where that can't be understood nothing passes.
    pub(super) fn arm(&mut self, needles: &[u8]) {
        match Needles::from_bytes(needles).map(Rc::new) {
            Some(needles) => self.channels.iter_mut().for_each(|one| one.arm(&needles)),
            None => self.channels.clear(),
        }
    }

    /// The workload has begun.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Adds the descriptors that it waits at.
    pub(super) fn watch(&self, watched: &mut Vec<Watched>) {
        if self.begun {
            watched.extend(self.channels.iter().flat_map(Channel::watch));
        }
    }

    /// When it wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.channels.iter().filter_map(Channel::due).min()
    }

    /// Goes on: `watched` are the descriptors that it has added, looked at.
    pub(super) fn serve(&mut self, watched: &[Watched]) {
        for (channel, watched) in self.channels.iter_mut().zip(watched.chunks(2)) {
            channel.serve(watched);
        }
        self.channels.retain(|channel| !channel.is_done());
    }

    /// The workload has ended: only what it has written is still passed on.
    pub(super) fn end(&mut self) {
        // What came from one that has not begun might be looked through for nothing.
        if !self.begun {
            self.channels.clear();
        }
        self.channels.iter_mut().for_each(Channel::end);
        self.channels.retain(|channel| !channel.is_done());
    }

    /// Whether nothing is left to pass on.
    pub(super) fn is_done(&self) -> bool {
        self.begun && self.channels.is_empty()
    }
}
