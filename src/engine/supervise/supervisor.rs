//! The process that stays above the workload.

use std::io;
use std::time::{Duration, Instant};

use super::monitor::Made;
use super::relay::Relay;
use super::settings::Settings;
use super::signals::{CHLD, CONT, KILL, TSTP, TTIN, TTOU};
use super::watch::{self, Watch};
use super::{Asked, DIGESTS, FILES, NEEDLES, Notice, Patience, SETTINGS, Supervised};
use crate::engine::delivered::Delivered;
use crate::sys::environ::Inherited;
use crate::sys::job::Job;
use crate::sys::message_pipe::{self, Heard, Listener, Speaker};
use crate::sys::page_release::Clean;
use crate::sys::poll::{Ears, Watched};
use crate::sys::process::{self, ALL, Taken, To};
use crate::sys::streams::Aside;
use crate::sys::{fd, files, memory, page_release, random, startup, stdio};

/// How much longer than a process that fetches gives itself we wait for it.
const MARGIN: Duration = Duration::from_secs(1);

/// Whether a time is over. Where it has been for long we were stopped, and perhaps not alone: it goes
/// on for a moment more.
pub(super) fn is_over(until: &mut Option<Instant>, now: Instant) -> bool {
    let Some(until) = until else { return false };
    let was_stopped = now.saturating_duration_since(*until) > MARGIN;
    if was_stopped {
        *until = now + MARGIN;
    }
    *until <= now
}

pub(super) struct Supervisor {
    pub(super) asked: Asked,
    pub(super) waits: Patience,
    /// What this process was started with, as long as that may be needed again.
    pub(super) inherited: Option<Inherited>,
    pub(super) key: [u8; 32],
    pub(super) reaps: bool,
    /// The process that has started us.
    pub(super) above: i32,
    /// Whether we are PID 1, whose end the kernel makes everybody's.
    pub(super) first: bool,
    pub(super) settings: Settings,
    /// The process whose end is the workload's: that itself, or the one above it.
    pub(super) child: i32,
    pub(super) workload: i32,
    pub(super) job: Job,
    /// What the workload says until it has begun.
    pub(super) link: Option<Listener>,
    /// When it should have begun, or ended.
    pub(super) late: Option<Instant>,
    pub(super) relay: Option<Relay>,
    /// Our own standard descriptors, in the place of which we have what the workload has.
    pub(super) aside: Aside,
    pub(super) watch: Watch,
    /// What is removed at the end.
    pub(super) delivered: Option<Delivered>,
    pub(super) ears: Option<Ears>,
    pub(super) clean: Option<Clean>,
    pub(super) then: Then,
    /// When the workload, which was told to end, is killed.
    pub(super) patience: Option<Instant>,
}

/// What comes when the workload has ended.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// We end, with its code.
    End,
    /// We end, with this one.
    Exit(u8),
    /// It is launched anew.
    Launch,
}

impl Supervisor {
    pub(super) fn new(inherited: Inherited, asked: Asked, waits: Patience) -> io::Result<Self> {
        let first = process::own() == 1;
        let needs_key = asked.masks || asked.watches;
        Ok(Supervisor {
            asked,
            waits,
            inherited: Some(inherited),
            key: if needs_key { random::key()? } else { [0; 32] },
            reaps: first || process::become_subreaper(),
            above: process::parent(),
            first,
            settings: Settings::default(),
            child: 0,
            workload: 0,
            job: Job::default(),
            link: None,
            late: None,
            relay: None,
            aside: Aside::default(),
            watch: Watch::default(),
            delivered: None,
            ears: None,
            clean: None,
            then: Then::End,
            patience: None,
        })
    }

    /// Launches the workload, supervises it, and comes back in each process that is forked for
    /// one of both: never in this one.
    pub(super) fn supervise(mut self) -> io::Result<(Inherited, Supervised)> {
        // What comes unblocked, and is not waited for, is lost.
        startup::block()?;
        startup::take_children();
        let mut made = self.launch();
        loop {
            match made {
                Ok(Some(supervised)) => {
                    return Ok((self.inherited.unwrap_or_default(), supervised));
                }
                Ok(None) => made = self.step(),
                Err(why) => {
                    self.remove_files();
                    // Where this is said.
                    let _ = self.aside.put_back();
                    return Err(why);
                }
            }
        }
    }

    /// Forks the process that becomes the workload; what it has of us is given to it alone.
    fn launch(&mut self) -> io::Result<Option<Supervised>> {
        self.aside.put_back()?;
        self.job = Job::survey();
        let sides = match self.asked.masks {
            true => Some(Relay::new(&mut self.aside, self.asked.watches)?),
            false => None,
        };
        let (mut relay, inner) = sides.unzip();
        let (speaker, listener) = message_pipe::pipe()?;
        match self.part(relay.as_mut(), inner.as_ref())? {
            Made::Workload(parent) => Ok(Some(self.hand_over(parent, speaker, inner))),
            Made::Supervisor(child, workload) => {
                stdio::is_at(self.aside.of(2));
                drop(speaker);
                self.late = self.limit();
                if let Some(inner) = &inner {
                    inner.stand_in()?;
                    self.job
                        .finds_terminal_at([0, 1, 2].map(|place| self.aside.of(place)));
                }
                drop(inner);
                self.child = child;
                if self.asked.watches {
                    memory::stay();
                } else {
                    self.inherited.take().unwrap_or_default().erase();
                    files::leave_folder();
                }
                process::set_name(&format!("doorkey:{workload}"));
                self.job.is_of(workload);
                self.workload = workload;
                self.then = Then::End;
                self.patience = None;
                self.relay = relay;
                self.listen(listener)?;
                Ok(None)
            }
        }
    }

    /// When what is begun now should have come to an end by itself.
    pub(super) fn limit(&self) -> Option<Instant> {
        Instant::now().checked_add(self.waits.timeout.checked_add(MARGIN)?)
    }

    /// In a process that was just forked: what it has of us.
    pub(super) fn hand_over(
        &mut self,
        parent: i32,
        speaker: Speaker,
        inner: Option<super::Inner>,
    ) -> Supervised {
        // Nobody would end the launch in the supervisor's place.
        process::signal_at_end_of(parent, KILL);
        process::set_name("doorkey");
        startup::unblock();
        self.link = None;
        Supervised {
            speaker,
            answers: None,
            parent,
            reaps: self.reaps,
            key: self.key,
            known: None,
            inner,
            delivered: self.delivered.take(),
        }
    }

    /// Listens to a process that launches, for those signals alone that concern it: what else
    /// comes is kept until the workload is there.
    fn listen(&mut self, link: Listener) -> io::Result<()> {
        let early = [CHLD, CONT, TSTP, TTIN, TTOU];
        let early = early
            .iter()
            .fold(self.ending(), |set, &one| set | process::bit(one));
        if !self.asked.watches {
            // A workload that is launched anew gets what was inherited, so that it has to stay.
            let mut ours = vec![link.descriptor()];
            ours.extend(self.aside.descriptors());
            if let Some(relay) = &self.relay {
                relay.descriptors(&mut ours);
            }
            fd::close_others(&mut ours);
        }
        match &mut self.ears {
            Some(ears) => ears.listen_for(early),
            None => self.ears = Some(Ears::new(early)?),
        }
        self.link = Some(link);
        Ok(())
    }

    /// Waits for the next thing to happen, and does what it asks for. What comes back is for a
    /// process that was just forked.
    fn step(&mut self) -> io::Result<Option<Supervised>> {
        if let Some(taken) = self.wait() {
            self.on(&taken);
        }
        let now = Instant::now();
        if self.patience.is_some_and(|until| until <= now) {
            self.patience = None;
            process::send(To::Group(self.workload), KILL);
            process::send(To::Process(self.workload), KILL);
        }
        if is_over(&mut self.late, now) {
            self.give_up(match self.link {
                Some(_) => Notice::LaunchHangs,
                None => Notice::Unheard,
            });
        }
        if self.watch.hangs(now) {
            self.give_up_fetching(true);
        }
        if self.watch.due().is_some_and(|due| due <= now) {
            return Ok(self.fetch());
        }
        if self.workload == 0 {
            return self.launch();
        }
        Ok(None)
    }

    /// Waits: for a signal, which is returned, or for what else there is to wait for.
    fn wait(&mut self) -> Option<Taken> {
        let dues = [
            self.patience,
            self.late,
            self.watch.late(),
            self.watch.due(),
            self.relay.as_ref().and_then(Relay::due),
        ];
        let due = dues.into_iter().flatten().min();
        let time = due.map(|due| due.saturating_duration_since(Instant::now()));
        let fetching = self.watch.fetching();
        if self.relay.as_ref().is_some_and(Relay::is_done) {
            self.relay = None;
        }
        if self.link.is_none() && self.relay.is_none() && fetching.is_none() {
            let clean = self.clean.get_or_insert_with(page_release::clean);
            return process::take_idle(ALL, time, clean);
        }
        let mut watched = Vec::with_capacity(8);
        let link = self.link.as_ref().map(Listener::descriptor);
        let fetch = fetching.map(|fetching| fetching.link.descriptor());
        watched.extend(link.into_iter().chain(fetch).map(Watched::readable));
        let ours = watched.len();
        if let Some(relay) = &self.relay {
            relay.watch(&mut watched);
        }
        if self.link.is_none() && time.is_none() {
            page_release::forget(self.clean.get_or_insert_with(page_release::clean));
        }
        let taken = self.ears.as_ref()?.wait(&mut watched, time);
        let (heard, relayed) = watched.split_at(ours);
        let mut heard = heard.iter().map(Watched::is_ready);
        // First what is said, as a signal beside its end came to a workload that has begun.
        if link.is_some() && heard.next() == Some(true) {
            self.hear();
            // Up to its end, if that is there.
            while self.link.as_ref().is_some_and(Listener::has_more) {
                self.hear();
            }
        }
        if fetch.is_some() && heard.next() == Some(true) {
            self.hear_fetching();
        }
        if let Some(relay) = &mut self.relay {
            relay.serve(relayed);
        }
        self.say_lost();
        taken
    }

    /// Hears the process that launches.
    pub(super) fn hear(&mut self) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        let mut understood = true;
        let heard = link.hear(|kind, message| understood &= self.take_in(kind, message));
        match heard {
            Heard::More if understood => self.link = Some(link),
            Heard::End => self.launched(),
            Heard::More | Heard::Failed => self.give_up(Notice::Unheard),
        }
    }

    /// Takes in what a process that launches says; whether it can be understood.
    fn take_in(&mut self, kind: u8, message: &[u8]) -> bool {
        match kind {
            SETTINGS => Settings::from_bytes(message).map(|settings| self.settle(settings)),
            NEEDLES => {
                let relay = self.relay.as_mut();
                relay.is_none_or(|relay| relay.arm(message)).then_some(())
            }
            DIGESTS => {
                let digests = watch::from_bytes(message);
                digests.map(|digests| self.watch.known.digests = digests)
            }
            FILES => {
                Delivered::keep(&mut self.delivered, message);
                Some(())
            }
            _ => None,
        }
        .is_some()
    }

    /// The process that launches has become the workload, or ends, which a signal says. Where it is
    /// not known what to mask it is to end, and nothing that it writes goes out.
    fn launched(&mut self) {
        if self.relay.as_mut().is_none_or(Relay::begin) {
            self.late = None;
            if let Some(watching) = &self.settings.watching {
                self.watch.wait(watching);
            }
        }
        match &mut self.ears {
            Some(ears) if self.relay.is_some() || self.asked.watches => ears.listen_for(ALL),
            ears => *ears = None,
        }
    }

    fn settle(&mut self, settings: Settings) {
        self.settings = settings;
        if settings.parent_death != 0 {
            process::signal_at_end_of(self.above, settings.parent_death.into());
        }
    }
}
