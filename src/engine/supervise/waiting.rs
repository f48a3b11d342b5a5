//! How the supervisor waits: beside descriptors, or for signals alone with next to nothing of the
//! program in memory.

use std::io;
use std::time::Duration;

use crate::sys::page_release::{self, Clean};
use crate::sys::poll::{Ears, Watched};
use crate::sys::process::{self, Taken};
use crate::sys::signal_mask::{ALL, Mask};

/// What is waited with.
#[derive(Default)]
pub(super) struct Waiting {
    /// There as long as descriptors are waited at.
    ears: Option<Ears>,
    clean: Option<Clean>,
}

impl Waiting {
    /// From here on descriptors can be waited at beside these signals.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn listen(&mut self, set: Mask) -> io::Result<()> {
        match &mut self.ears {
            Some(ears) => ears.listen_for(set),
            None => self.ears = Some(Ears::new(set)?),
        }
        Ok(())
    }

    /// No descriptor is waited at any more.
    pub(super) fn stop_listening(&mut self) {
        self.ears = None;
    }

    /// Waits for one of these signals and at these descriptors, at most so long. Where it may take
    /// long, and be for nothing, pages are given back.
    pub(super) fn beside(
        &mut self,
        set: Mask,
        time: Option<Duration>,
        watched: &mut Vec<Watched>,
        idles: bool,
    ) -> Option<Taken> {
        let Some(ears) = &mut self.ears else {
            return process::take(set, time);
        };
        if idles {
            page_release::forget(self.clean.get_or_insert_with(page_release::clean));
        }
        ears.listen_for(set);
        ears.wait(watched, time)
    }

    /// Waits for one of these signals alone, at most so long.
    pub(super) fn alone(&mut self, set: Mask, time: Option<Duration>) -> Option<Taken> {
        if set != ALL {
            return process::take(set, time);
        }
        let clean = self.clean.get_or_insert_with(page_release::clean);
        process::take_idle(set, time, clean)
    }
}
