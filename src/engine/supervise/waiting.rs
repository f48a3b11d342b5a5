//! Waiting of the supervisor: beside descriptors, or for signals alone with next to nothing of the
//! program in memory.

use std::io;
use std::time::Duration;

use crate::sys::page_release::{self, Clean};
use crate::sys::poll::{Ears, Watched};
use crate::sys::process::{self, Taken};
use crate::sys::signal_mask::{ALL, Mask};

/// The means of waiting.
#[derive(Default)]
pub(super) struct Waiting {
    /// The means of waiting at descriptors, there as long as any are waited at.
    ears: Option<Ears>,
    clean: Option<Clean>,
}

impl Waiting {
    /// Has descriptors waited at beside these signals from now on.
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

    /// Stops waiting at descriptors.
    pub(super) fn stop_listening(&mut self) {
        self.ears = None;
    }

    /// Waits for one of these signals and at these descriptors, at most so long. Pages are given
    /// back where the wait may be long, and for nothing.
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
