//! The process that stays above the workload: it waits, tells the [`Machine`] what happens, and
//! takes the actions that the machine returns.

use std::io;
use std::time::{Duration, Instant};

use super::action::{Action, Actions, Arrived, Below, Change, Event, Rest, Whom};
use super::errands::Purpose;
use super::forked::{self, Errand, Given};
use super::machine::{Fixed, Machine};
use super::monitor::{self, Parted};
use super::notice::{Notice, Patience};
use super::relay::Relay;
use super::settings::Wanted;
use super::streams::Streams;
use super::supervised::Supervised;
use super::waiting::Waiting;
use crate::core::signal::{KILL, Signal, TERM};
use crate::engine::delivered::Delivered;
use crate::sys::environ::Inherited;
use crate::sys::job::TerminalJob;
use crate::sys::message_pipe::{self, Listener};
use crate::sys::poll::Watched;
use crate::sys::process::{self, Taken, To};
use crate::sys::{descendants, exec, fd, files, memory, proc, random, startup, stdio};

pub(super) struct Supervisor {
    pub(super) asked: Wanted,
    waits: Patience,
    /// The environment that this process was started with, as long as it may be needed again.
    inherited: Option<Inherited>,
    given: Given,
    /// The parent, which has started us.
    above: i32,
    machine: Machine,
    actions: Actions,
    /// The child process whose end is the workload's: the workload, or the process above it.
    child: i32,
    workload: i32,
    pub(super) streams: Streams,
    /// The messages of the workload until it has begun.
    pub(super) link: Option<Listener>,
    pub(super) errand: Option<Errand>,
    /// The files that are removed at the end.
    pub(super) delivered: Option<Delivered>,
    pub(super) waiting: Waiting,
    /// The signal that is handled.
    taken: Option<Taken>,
    /// The end of this process as a supervisor: it was just forked by one, or has failed for this
    /// reason.
    left: io::Result<Option<Supervised>>,
}

impl Supervisor {
    pub(super) fn new(inherited: Inherited, asked: Wanted, waits: Patience) -> io::Result<Self> {
        let first = process::own() == 1;
        let needs_key = asked.masks || asked.watches;
        let given = Given {
            key: if needs_key { random::key()? } else { [0; 32] },
            reaps: first || process::become_subreaper(),
            keeps: asked.watches || asked.lends,
            first: true,
            supervisor: process::own(),
        };
        let fixed = Fixed {
            first,
            timeout: waits.timeout,
            ending: startup::ending(),
            chance: random::up_to,
        };
        Ok(Supervisor {
            asked,
            waits,
            inherited: Some(inherited),
            given,
            above: process::parent(),
            machine: Machine::new(fixed),
            actions: Actions::with_capacity(8),
            child: 0,
            workload: 0,
            streams: Streams::default(),
            link: None,
            errand: None,
            delivered: None,
            waiting: Waiting::default(),
            taken: None,
            left: Ok(None),
        })
    }

    /// Launches the workload and supervises it. Never returns in this process, but in each that is
    /// forked to launch or for an errand.
    pub(super) fn supervise(mut self) -> io::Result<(Inherited, Supervised)> {
        // A signal that comes unblocked, and is not waited for, is lost.
        startup::block()?;
        startup::take_children();
        self.launch();
        loop {
            match std::mem::replace(&mut self.left, Ok(None)) {
                Ok(None) => self.turn(),
                Ok(Some(supervised)) => {
                    return Ok((self.inherited.unwrap_or_default(), supervised));
                }
                Err(why) => {
                    self.remove_files();
                    // The error is said on our own standard error.
                    let _ = self.streams.aside.put_back();
                    return Err(why);
                }
            }
        }
    }

    /// Forks the process that becomes the workload.
    fn launch(&mut self) {
        self.left = self.try_launch();
    }

    /// Tries to fork that process; the workload's side of the relay is given to it alone.
    fn try_launch(&mut self) -> io::Result<Option<Supervised>> {
        self.streams.aside.put_back()?;
        self.streams.job = TerminalJob::survey();
        let sides = match self.asked.masks {
            true => Some(Relay::new(&mut self.streams.aside, self.asked.watches)?),
            false => None,
        };
        let (mut relay, inner) = sides.unzip();
        let (speaker, listener) = message_pipe::pipe()?;
        // It ends when we have the workload's name, and whoever opens our descriptors gets its.
        let (gate, stood_in) = message_pipe::pipe()?;
        let session = relay.as_mut().and_then(Relay::session);
        let made = monitor::part(
            &mut self.inherited,
            &mut self.streams.job,
            session,
            inner.as_ref(),
        )?;
        let (child, workload) = match made {
            Parted::Supervisor(child, workload) => (child, workload),
            Parted::Workload(parent) => {
                let delivered = self.delivered.take();
                let supervised = self.given.hand_over(parent, speaker, inner, delivered);
                return Ok(Some(Supervised {
                    answers: Some(stood_in),
                    ..supervised
                }));
            }
        };
        // `join` looks for it.
        process::set_name(&format!("doorkey:{workload}"));
        stdio::is_at(self.streams.aside.of(2));
        drop(speaker);
        self.given.first = false;
        if let Some(inner) = &inner {
            inner.stand_in()?;
            let standard = [0, 1, 2].map(|place| self.streams.aside.of(place));
            self.streams.job.finds_terminal_at(standard);
        }
        drop((inner, gate, stood_in));
        let keeps = self.asked.watches || self.asked.lends;
        if keeps {
            memory::stay();
        } else {
            self.inherited.take().unwrap_or_default().erase();
            files::leave_folder();
        }
        self.streams.job.is_of(workload);
        (self.child, self.workload, self.streams.relay) = (child, workload, relay);
        self.on(Event::Forked(Below {
            output: self.streams.output(),
            has_terminal: self.streams.job.has_terminal(),
        }));
        if !keeps {
            // A workload that is launched anew gets the inherited descriptors, so that they have to
            // stay.
            let mut ours = vec![listener.descriptor()];
            ours.extend(self.streams.aside.descriptors());
            if let Some(relay) = &self.streams.relay {
                relay.descriptors(&mut ours);
            }
            fd::close_others(&mut ours);
        }
        self.waiting.listen(self.machine.listens())?;
        self.link = Some(listener);
        Ok(None)
    }

    /// Waits for the next event, and handles it.
    fn turn(&mut self) {
        if let Some(taken) = self.wait() {
            let arrived = Arrived::of(&taken);
            self.taken = Some(taken);
            self.on(Event::Signal(arrived));
        }
        self.relayed();
        if matches!(self.left, Ok(None)) {
            self.on(Event::Time);
        }
    }

    /// Waits for a signal, which is returned, or for other events.
    fn wait(&mut self) -> Option<Taken> {
        let relay = self.streams.relay.as_ref();
        let dues = [self.machine.due(), relay.and_then(Relay::due)];
        let due = dues.into_iter().flatten().min();
        let time = due.map(|due| due.saturating_duration_since(Instant::now()));
        let (set, hears) = (self.machine.listens(), self.machine.hears());
        let link = self.link.as_ref().filter(|_| hears);
        let hears_errand = self.machine.hears_errand();
        let errand = self.errand.as_ref().filter(|_| hears_errand);
        if link.is_none() && errand.is_none() && relay.is_none() {
            return self.waiting.alone(set, time);
        }
        let links = [link, errand.map(|errand| &errand.link)];
        let links = links.map(|link| link.map(Listener::descriptor));
        let mut watched = Vec::with_capacity(8);
        watched.extend(links.iter().flatten().copied().map(Watched::readable));
        let ours = watched.len();
        if let Some(relay) = relay {
            relay.watch(&mut watched);
        }
        let idles = hears && link.is_none() && time.is_none();
        let taken = self.waiting.beside(set, time, &mut watched, idles);
        let (heard, relayed) = watched.split_at(ours);
        let mut heard = heard.iter().map(Watched::is_ready);
        // Messages come first, as a signal beside their end came to a workload that has begun.
        if links[0].is_some() && heard.next() == Some(true) {
            self.hear();
            // All messages are heard up to their end, if that is there.
            while self.link.as_ref().is_some_and(Listener::has_more) {
                self.hear();
            }
        }
        if links[1].is_some() && heard.next() == Some(true) {
            self.hear_errand();
        }
        if let Some(relay) = &mut self.streams.relay {
            relay.serve(relayed);
        }
        self.say_lost();
        taken
    }

    /// Looks whether the output still passes through us, and in which way.
    fn relayed(&mut self) {
        let is_done = self.streams.let_go();
        let output = self.streams.output();
        if output != self.machine.output() {
            self.on(Event::Output(output));
        }
        if is_done {
            self.on(Event::OutputDone);
        }
    }

    /// Tells the machine an event, and takes the actions that it adds.
    pub(super) fn on(&mut self, event: Event) {
        self.machine.step(Instant::now(), event, &mut self.actions);
        while let Some(action) = self.actions.pop_front() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::SignalAtParentsEnd(signal) => {
                process::signal_at_end_of(self.above, signal.into());
            }
            Action::Forward(whom, signal) => {
                if let Some(taken) = &self.taken {
                    process::forward(taken, self.to(whom), signal.into());
                }
            }
            Action::Send(whom, signal) => process::send(self.to(whom), signal.into()),
            Action::Kill => {
                process::send(To::Process(self.workload), KILL.into());
                process::send(To::Process(self.child), KILL.into());
            }
            Action::Reap => self.reap(),
            Action::ReapBefore(then) => match process::reap(self.child) {
                Some(process::ChildChange::Ended(code)) => {
                    self.child = 0;
                    self.on(Event::Child(Change::Ended(code)));
                }
                _ => self.on(Event::Lives(then)),
            },
            Action::HearOut => {
                while self.link.is_some() {
                    self.hear();
                }
                self.on(Event::HeardOut);
            }
            Action::Notify(notice) => self.notify(notice),
            Action::StartErrand(purpose) => self.start_errand(purpose),
            Action::LookAtErrand => {
                let has_more = |errand: &Errand| errand.link.has_more();
                if !self.errand.as_ref().is_some_and(has_more) {
                    self.on(Event::ErrandHangs);
                }
            }
            Action::EndErrand => self.errand.take().into_iter().for_each(Errand::kill),
            Action::CountRest => {
                let any = process::has_children();
                let apart = any && process::own() == 1 && proc::is_ours().unwrap_or(true);
                self.on(Event::Rest { any, apart });
            }
            Action::TerminateRest(Rest::Everybody) => process::send(To::Everybody, TERM.into()),
            Action::TerminateRest(Rest::Below) => descendants::terminate(),
            Action::KillRest(Rest::Everybody) => process::send(To::Everybody, KILL.into()),
            Action::KillRest(Rest::Below) => descendants::kill(),
            Action::TakeEnding(set) => {
                let taken = process::take(set, Some(Duration::ZERO));
                self.on(Event::Taken(taken.map(|taken| Arrived::of(&taken).signal)));
            }
            Action::LetGo => self.let_go(),
            Action::RemoveFiles => self.remove_files(),
            Action::Launch => self.launch(),
            Action::Quit(code) => exec::quit(code),
            of_streams => {
                let answer = self.streams.act(of_streams);
                // A loss is said before the relay is let go of.
                self.say_lost();
                if let Some(event) = answer {
                    self.streams.let_go();
                    self.on(event);
                }
            }
        }
    }

    fn to(&self, whom: Whom) -> To {
        match whom {
            Whom::Workload => To::Process(self.workload),
            Whom::Group => To::Group(self.workload),
        }
    }

    /// Takes in children that have ended, and looks for a change of the workload.
    fn reap(&mut self) {
        let change = match process::reap(self.child) {
            Some(process::ChildChange::Ended(code)) => {
                self.child = 0;
                Change::Ended(code)
            }
            Some(process::ChildChange::Stopped(signal)) if self.child == self.workload => {
                self.streams.stopped(signal as Signal, false)
            }
            _ => {
                let stopped = self.streams.session().and_then(|it| it.screen.stopped());
                stopped.map_or(Change::None, |signal| {
                    self.streams.stopped(signal as Signal, true)
                })
            }
        };
        self.on(Event::Child(change));
    }

    /// Forks a process on an errand.
    fn start_errand(&mut self, purpose: Purpose) {
        match Errand::start() {
            Ok(forked::Forks::Supervisor(errand)) => self.errand = Some(errand),
            Ok(forked::Forks::OnErrand(fresh)) => {
                self.streams.relay = None;
                if self.streams.aside.put_back().is_err() {
                    exec::quit(125);
                }
                let known = self.machine.known(purpose, Instant::now());
                let supervised = fresh.hand_over(self.given, known, self.delivered.take());
                self.left = Ok(Some(supervised));
            }
            Err(_) => self.on(Event::ErrandLost),
        }
    }

    /// Lets go of the environment and descriptors of this process, as nothing is lent.
    fn let_go(&mut self) {
        if self.asked.watches || self.inherited.is_none() {
            return;
        }
        self.inherited.take().unwrap_or_default().erase();
        files::leave_folder();
        if self.streams.relay.is_some() {
            return;
        }
        self.waiting.stop_listening();
        // The relay, and a folder of files, have descriptors of their own.
        if self.delivered.is_none() {
            fd::close_others(&mut self.streams.aside.descriptors().collect::<Vec<_>>());
        }
    }

    /// Removes the files that were delivered in a folder.
    fn remove_files(&self) {
        if let Some(Err(why)) = self.delivered.as_ref().map(Delivered::remove) {
            self.notify(Notice::NotRemoved(why));
        }
    }

    /// Says that output of the workload is lost, or waits, if it does.
    fn say_lost(&mut self) {
        if let Some(notice) = self.streams.trouble() {
            self.notify(notice);
        }
    }

    /// Says a notice where doorkey's messages go.
    fn notify(&self, notice: Notice) {
        (self.waits.say)(notice);
    }
}
