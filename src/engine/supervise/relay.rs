//! `run --mask`: the workload's output passes through the supervisor, without its secrets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use super::action::Output;
use super::channel::{Channel, Way};
use super::notice::Notice;
use super::session::Session;
use super::sought::SoughtPatterns;
use crate::sys::nonblocking::{self, Outlet};
use crate::sys::poll::Watched;
use crate::sys::streams::{Aside, Standard};
use crate::sys::{fd, pty};

/// The supervisor's side: the sources of the workload's output, and their outlets.
pub(super) struct Relay {
    /// The ways that become channels when the needles to look for are known.
    ways: Vec<Way>,
    channels: Vec<Channel>,
    sought: SoughtPatterns,
    session: Option<Session>,
    begun: bool,
    /// The notice that some output is lost, or waits.
    trouble: Option<Notice>,
    /// The notices that were given.
    said: Vec<Notice>,
}

/// The workload's side, until it is put in the place of its standard descriptors.
pub struct Inner {
    /// The descriptors, each with its place.
    pub places: Vec<(RawFd, OwnedFd)>,
}

impl Inner {
    /// Gives this process the workload's standard descriptors, where those are others than ours.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn stand_in(&self) -> io::Result<()> {
        let mut places = self.places.iter();
        places.try_for_each(|(place, theirs)| fd::put(theirs.as_raw_fd(), *place))
    }
}

impl Relay {
    /// Creates both sides, after the kinds of standard input, output and error, which are kept
    /// aside. Patterns to look for may be told more than once where `changes` is true.
    ///
    /// # Errors
    /// The system's error.
    #[inline(never)]
    pub(super) fn new(aside: &mut Aside, changes: bool) -> io::Result<(Relay, Inner)> {
        let mut relay = Relay {
            ways: Vec::new(),
            channels: Vec::new(),
            sought: SoughtPatterns::new(changes),
            session: None,
            begun: false,
            trouble: None,
            said: Vec::new(),
        };
        let mut inner = Inner { places: Vec::new() };
        let [input, out, err] = [Standard::of(0)?, Standard::of(1)?, Standard::of(2)?];
        let is_out = |one: &Standard| out.is_some_and(|out| one.is_same(&out));
        if let Some(out) = out {
            let mut places = vec![out];
            places.extend(err.filter(is_out));
            // Input typed at a terminal that does not control us is for others as well.
            let controls = out.is_terminal && pty::foreground_of(out.descriptor).is_some();
            places.extend(input.filter(is_out).filter(|_| controls));
            relay.open(&places, controls, &mut inner, aside)?;
        }
        if let Some(err) = err.filter(|err| !is_out(err)) {
            relay.open(&[err], false, &mut inner, aside)?;
        }
        Ok((relay, inner))
    }

    /// Opens the workload's descriptors for these places, which are all one file.
    fn open(
        &mut self,
        places: &[Standard],
        controls: bool,
        inner: &mut Inner,
        aside: &mut Aside,
    ) -> io::Result<()> {
        for place in places {
            aside.keep(place.descriptor)?;
        }
        let descriptor = aside.of(places[0].descriptor);
        let mut outlet = Outlet::standard(descriptor);
        let (source, theirs) = if places[0].is_terminal {
            let pty = pty::like(descriptor)?;
            if controls {
                let typed = places.iter().any(|place| place.descriptor == 0);
                let session = Session::new(descriptor, typed, &pty)?;
                outlet = session.screen.outlet().map_or(outlet, Outlet::own);
                self.session = Some(session);
            } else {
                // The terminal itself processes output.
                pty::process_output(pty.slave.as_raw_fd(), false);
            }
            (pty.master, pty.slave)
        } else {
            nonblocking::pipe()?
        };
        for place in places {
            inner.places.push((place.descriptor, theirs.try_clone()?));
        }
        self.ways.push(Way {
            source,
            outlet,
            is_terminal: controls,
            is_pipe: !places[0].is_terminal,
        });
        Ok(())
    }

    /// Returns the way of the output.
    pub(super) fn output(&self) -> Output {
        match self.session {
            Some(_) => Output::Terminal,
            None => Output::Relayed,
        }
    }

    /// Returns the workload's terminal, where it has one.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Adds the descriptors that the relay has before it begins.
    pub(super) fn descriptors(&self, ours: &mut Vec<RawFd>) {
        ours.extend(self.ways.iter().flat_map(Way::descriptors));
        ours.extend(self.session.iter().flat_map(Session::descriptors));
    }

    /// Adds patterns to look for, beside those that were told before. True if they are looked for
    /// from now on. Nothing passes before patterns have been told once.
    // By itself, as this has large things on the stack that others would pay for.
    #[inline(never)]
    pub(super) fn arm(&mut self, told: &[u8]) -> bool {
        let Some(needles) = self.sought.add(told).map(Rc::new) else {
            return false;
        };
        self.channels.iter_mut().for_each(|one| one.rearm(&needles));
        let ways = self.ways.drain(..);
        self.channels
            .extend(ways.map(|way| Channel::new(way, &needles)));
        true
    }

    /// Notes that the workload's files have the values that were told last.
    pub(super) fn placed(&mut self) {
        self.sought.place();
    }

    /// Begins, as the workload has begun. True if the needles to look for are known.
    pub(super) fn begin(&mut self) -> bool {
        let is_armed = self.ways.is_empty();
        self.begun = is_armed;
        if is_armed {
            self.resize();
            if let Some(session) = &mut self.session {
                session.begin();
            }
        }
        is_armed
    }

    /// Adds the descriptors that the relay waits at.
    pub(super) fn watch(&self, watched: &mut Vec<Watched>) {
        if self.begun {
            watched.extend(self.session.iter().flat_map(Session::watch));
            watched.extend(self.channels.iter().flat_map(Channel::watch));
        }
    }

    /// Returns the instant at which the relay wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.channels.iter().filter_map(Channel::due).min()
    }

    /// Passes on output. `watched` are the descriptors that the relay has added, looked at.
    pub(super) fn serve(&mut self, watched: &[Watched]) {
        if !self.begun {
            return;
        }
        let mut watched = watched.chunks(2);
        if let Some(session) = &mut self.session
            && let Some(watched) = watched.next()
        {
            session.serve(watched);
        }
        for (channel, watched) in self.channels.iter_mut().zip(watched) {
            channel.serve(watched);
        }
        self.leave_out();
    }

    /// Leaves out the channels that are done.
    fn leave_out(&mut self) {
        let trouble = self.channels.iter_mut().filter_map(Channel::trouble).last();
        self.trouble = trouble.or(self.trouble);
        self.channels.retain(|channel| !channel.is_done());
        // The workload's terminal is to end, too, where nobody has ours any more.
        if !self.channels.iter().any(|channel| channel.is_terminal) {
            self.session = None;
        }
    }

    /// Returns the notice that output of the workload is lost, or waits; each only once.
    pub(super) fn trouble(&mut self) -> Option<Notice> {
        let trouble = self.trouble.take();
        let trouble = trouble.filter(|notice| !self.said.contains(notice));
        self.said.extend(trouble);
        trouble
    }

    /// Passes on the size of our terminal, as it may have changed.
    pub(super) fn resize(&self) {
        self.channels.iter().for_each(Channel::resize);
    }

    /// Passes on the output so far, as we are about to be stopped.
    pub(super) fn flush(&mut self) {
        if self.begun {
            self.channels.iter_mut().for_each(Channel::flush);
        }
    }

    /// Begins the end, as the workload has ended: only its last output is still passed on.
    pub(super) fn end(&mut self) {
        // Output of a launch that has not begun might be looked through for nothing.
        if !self.begun {
            self.ways.clear();
            self.channels.clear();
            self.begun = true;
        }
        if let Some(session) = &mut self.session {
            session.end();
        }
        self.channels.iter_mut().for_each(Channel::end);
        self.leave_out();
    }

    /// True if nothing is left to pass on.
    pub(super) fn is_done(&self) -> bool {
        self.begun && self.channels.is_empty()
    }
}
