//! `run --mask`: what the workload writes passes through the supervisor, without its secrets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use super::action::Output;
use super::channel::{Channel, Way};
use super::session::Session;
use super::sought::SoughtPatterns;
use crate::model::error::Os;
use crate::sys::nonblocking::{self, Outlet};
use crate::sys::poll::Watched;
use crate::sys::streams::{Aside, Standard};
use crate::sys::{fd, pty};

/// The supervisor's side: what it reads from the workload, and where that goes.
pub(super) struct Relay {
    /// What becomes a channel when it is known what to look for.
    ways: Vec<Way>,
    channels: Vec<Channel>,
    sought: SoughtPatterns,
    session: Option<Session>,
    begun: bool,
    /// The reason why something of it is lost, and whether that has been said.
    trouble: Option<Os>,
    is_said: bool,
}

/// The workload's side, until it is put in the place of its standard descriptors.
pub struct Inner {
    /// Each descriptor with its place.
    pub places: Vec<(RawFd, OwnedFd)>,
}

impl Inner {
    /// Has this process have what the workload has, where that has others than we do.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn stand_in(&self) -> io::Result<()> {
        let mut places = self.places.iter();
        places.try_for_each(|(place, theirs)| fd::put(theirs.as_raw_fd(), *place))
    }
}

impl Relay {
    /// Makes both sides, as standard input, output and error are, which are kept aside. What is to
    /// be looked for may be said more than once.
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
            is_said: false,
        };
        let mut inner = Inner { places: Vec::new() };
        let [input, out, err] = [Standard::of(0)?, Standard::of(1)?, Standard::of(2)?];
        let is_out = |one: &Standard| out.is_some_and(|out| one.is_same(&out));
        if let Some(out) = out {
            let mut places = vec![out];
            places.extend(err.filter(is_out));
            // Where the terminal does not control us, what is typed there is for others as well.
            let controls = out.is_terminal && pty::foreground_of(out.descriptor).is_some();
            places.extend(input.filter(is_out).filter(|_| controls));
            relay.open(&places, controls, &mut inner, aside)?;
        }
        if let Some(err) = err.filter(|err| !is_out(err)) {
            relay.open(&[err], false, &mut inner, aside)?;
        }
        Ok((relay, inner))
    }

    /// Opens what stands in these places for the workload, which are all the same.
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
                // The terminal itself does it.
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
        });
        Ok(())
    }

    /// How the output goes.
    pub(super) fn output(&self) -> Output {
        match self.session {
            Some(_) => Output::Terminal,
            None => Output::Relayed,
        }
    }

    /// The workload's terminal, where it has one.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Adds the descriptors that it has before it begins.
    pub(super) fn descriptors(&self, ours: &mut Vec<RawFd>) {
        ours.extend(self.ways.iter().flat_map(Way::descriptors));
        ours.extend(self.session.iter().flat_map(Session::descriptors));
    }

    /// What is to be looked for, beside what was said before; whether it is, from here on. Nothing
    /// passes before it has been said once.
    // By itself, as it has large things on the stack that others would pay for.
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

    /// The workload's files have what was to be looked for last.
    pub(super) fn placed(&mut self) {
        self.sought.place();
    }

    /// The workload has begun; whether it is known what to look for.
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

    /// Adds the descriptors that it waits at.
    pub(super) fn watch(&self, watched: &mut Vec<Watched>) {
        if self.begun {
            watched.extend(self.session.iter().flat_map(Session::watch));
            watched.extend(self.channels.iter().flat_map(Channel::watch));
        }
    }

    /// When it wants to go on although nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.channels.iter().filter_map(Channel::due).min()
    }

    /// Goes on: `watched` are the descriptors that it has added, looked at.
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

    /// Leaves out what is done.
    fn leave_out(&mut self) {
        let trouble = self.channels.iter_mut().filter_map(Channel::trouble).last();
        self.trouble = trouble.or(self.trouble);
        self.channels.retain(|channel| !channel.is_done());
        // Where nobody has our terminal any more the workload's is to end, too.
        if !self.channels.iter().any(|channel| channel.is_terminal) {
            self.session = None;
        }
    }

    /// The reason why something that the workload has written is lost; only once.
    pub(super) fn trouble(&mut self) -> Option<Os> {
        let trouble = self.trouble.take().filter(|_| !self.is_said);
        self.is_said |= trouble.is_some();
        trouble
    }

    /// A terminal may have another size.
    pub(super) fn resize(&self) {
        self.channels.iter().for_each(Channel::resize);
    }

    /// We are about to be stopped.
    pub(super) fn flush(&mut self) {
        if self.begun {
            self.channels.iter_mut().for_each(Channel::flush);
        }
    }

    /// The workload has ended: only what it has written is still passed on.
    pub(super) fn end(&mut self) {
        // What came from one that has not begun might be looked through for nothing.
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
