//! The process that stays above the workload.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::relay::Relay;
use super::settings::{OnChange, Settings};
use super::watch::{self, Outcome, Watch};
use super::{Asked, DIGESTS, FILES, NEEDLES, OUTCOME, SETTINGS, Supervised};
use crate::pure::signal::Signal;
use crate::world::ears::{Ears, Watched};
use crate::world::environ::Started;
use crate::world::job::Job;
use crate::world::link::{self, Listener, Speaker};
use crate::world::memory::Concealed;
use crate::world::pages::Clean;
use crate::world::process::{self, ALL, Change, Forked, Taken};
use crate::world::{descendants, descriptors, exec, files, memory, origin, pages, random, signals};

const HUP: i32 = 1;
const INT: i32 = 2;
const QUIT: i32 = 3;
const KILL: i32 = 9;
const TERM: i32 = 15;
const CHLD: i32 = 17;
const CONT: i32 = 18;
const TSTP: i32 = 20;
const TTIN: i32 = 21;
const TTOU: i32 = 22;
const WINCH: i32 = 28;

/// Whoever a process may send signals to, but itself and PID 1.
const EVERYBODY: i32 = -1;

/// What a terminal sends to all of a group.
const OF_TERMINAL: [i32; 6] = [INT, QUIT, TSTP, TTIN, TTOU, WINCH];

/// How long a workload that is to end may take without a `--grace`: as long as `docker stop` gives.
const USUAL_GRACE: Duration = Duration::from_secs(10);

pub(super) struct Supervisor {
    asked: Asked,
    /// What this process was started with, as long as that may be needed again.
    started: Option<Started>,
    key: [u8; 32],
    reaps: bool,
    /// The process that has started us.
    above: i32,
    /// Whether we are PID 1, whose end the kernel makes everybody's.
    first: bool,
    /// The core file's limit of whatever is forked later.
    concealed: Option<Concealed>,
    settings: Settings,
    workload: i32,
    job: Job,
    /// What the workload says until it has begun.
    link: Option<Listener>,
    relay: Option<Relay>,
    watch: Watch,
    /// What is removed at the end.
    files: Vec<PathBuf>,
    ears: Option<Ears>,
    clean: Clean,
    then: Then,
    /// When the workload, which was told to end, is killed.
    patience: Option<Instant>,
}

/// What comes when the workload has ended.
#[derive(Clone, Copy)]
enum Then {
    /// We end, with its code.
    End,
    /// We end, with this one.
    Exit(u8),
    /// It is launched anew.
    Launch,
}

impl Supervisor {
    pub(super) fn new(started: Started, asked: Asked) -> io::Result<Self> {
        let first = process::own() == 1;
        let needs_key = asked.masks || asked.watches;
        Ok(Supervisor {
            asked,
            started: Some(started),
            key: if needs_key { random::key()? } else { [0; 32] },
            reaps: first || process::become_subreaper(),
            above: process::parent(),
            first,
            concealed: None,
            settings: Settings::default(),
            workload: 0,
            job: Job::survey(),
            link: None,
            relay: None,
            watch: Watch::default(),
            files: Vec::new(),
            ears: None,
            clean: pages::clean(),
            then: Then::End,
            patience: None,
        })
    }

    /// Launches the workload, supervises it, and comes back in each process that is forked for
    /// one of both: never in this one.
    pub(super) fn supervise(mut self) -> io::Result<(Started, Supervised)> {
        origin::take_children();
        let mut supervised = self.launch()?;
        loop {
            if let Some(supervised) = supervised {
                return Ok((self.started.unwrap_or_default(), supervised));
            }
            supervised = self.step()?;
        }
    }

    /// Forks the process that becomes the workload; what it has of us is given to it alone.
    fn launch(&mut self) -> io::Result<Option<Supervised>> {
        self.job = Job::survey();
        let sides = self.asked.masks.then(Relay::new).transpose()?;
        let (relay, inner) = sides.unzip();
        let (speaker, listener) = link::pipe()?;
        let supervisor = process::own();
        match process::fork()? {
            Forked::Child => {
                self.job.separate();
                Ok(Some(self.hand_over(supervisor, speaker, inner)))
            }
            Forked::Parent(workload) => {
                drop((speaker, inner));
                if !self.asked.watches {
                    self.started.take().unwrap_or_default().erase();
                    files::leave_folder();
                }
                self.concealed.get_or_insert_with(memory::conceal);
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

    /// In a process that was just forked: what it has of us.
    fn hand_over(
        &mut self,
        supervisor: i32,
        speaker: Speaker,
        inner: Option<super::Inner>,
    ) -> Supervised {
        // Nobody would end the launch in the supervisor's place.
        process::signal_at_end_of(supervisor, KILL);
        if let Some(concealed) = self.concealed.take() {
            concealed.lift();
            process::set_name("doorkey");
        }
        origin::unblock();
        self.link = None;
        Supervised {
            speaker,
            parent: supervisor,
            reaps: self.reaps,
            key: self.key,
            known: None,
            inner,
        }
    }

    /// Listens to a process that launches, for those signals alone that concern it: what else
    /// comes is kept until the workload is there.
    fn listen(&mut self, link: Listener) -> io::Result<()> {
        let early = [CHLD, CONT, TSTP, TTIN, TTOU];
        let early = early
            .iter()
            .fold(signals::ending(), |set, &one| set | process::bit(one));
        if !self.asked.watches {
            // A workload that is launched anew gets what was inherited, so that it has to stay.
            let mut ours = vec![link.descriptor()];
            if let Some(relay) = &self.relay {
                relay.descriptors(&mut ours);
            }
            descriptors::close_others(&mut ours);
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
            process::send(-self.workload, KILL);
            process::send(self.workload, KILL);
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
            self.watch.due(),
            self.relay.as_ref().and_then(Relay::due),
        ];
        let due = dues.into_iter().flatten().min();
        let time = due.map(|due| due.saturating_duration_since(Instant::now()));
        let fetching = self.watch.fetching();
        if self.link.is_none() && self.relay.is_none() && fetching.is_none() {
            return process::take_idle(ALL, time, &self.clean);
        }
        let mut watched = Vec::new();
        let link = self.link.as_ref().map(Listener::descriptor);
        let fetch = fetching.map(|fetching| fetching.link.descriptor());
        watched.extend(link.into_iter().chain(fetch).map(Watched::readable));
        let ours = watched.len();
        if let Some(relay) = &self.relay {
            relay.watch(&mut watched);
        }
        let taken = self.ears.as_ref()?.wait(&mut watched, time);
        let (heard, relayed) = watched.split_at(ours);
        let mut heard = heard.iter().map(Watched::is_ready);
        // First what is said, as a signal beside its end came to a workload that has begun.
        if link.is_some() && heard.next() == Some(true) {
            self.hear();
        }
        if fetch.is_some() && heard.next() == Some(true) {
            self.hear_fetching();
        }
        if let Some(relay) = &mut self.relay {
            relay.serve(relayed);
        }
        taken
    }

    /// Hears the process that launches.
    fn hear(&mut self) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        let goes_on = link.hear(|kind, message| match kind {
            SETTINGS => self.settle(message),
            NEEDLES => {
                if let Some(relay) = &mut self.relay {
                    relay.arm(message);
                }
            }
            DIGESTS => self.watch.known.digests = watch::from_bytes(message).unwrap_or_default(),
            FILES => {
                let paths = message.split(|&byte| byte == 0).map(OsStr::from_bytes);
                self.files = paths.map(PathBuf::from).collect();
            }
            _ => {}
        });
        if goes_on {
            self.link = Some(link);
            return;
        }
        // It has become the workload, or has ended, which a signal says.
        if let Some(watching) = &self.settings.watching {
            self.watch.wait(watching);
        }
        if let Some(relay) = &mut self.relay {
            relay.begin();
        }
        match &mut self.ears {
            Some(ears) if self.relay.is_some() || self.asked.watches => ears.listen_for(ALL),
            ears => *ears = None,
        }
    }

    fn settle(&mut self, message: &[u8]) {
        let Some(settings) = Settings::from_bytes(message) else {
            return;
        };
        self.settings = settings;
        if settings.parent_death != 0 {
            process::signal_at_end_of(self.above, settings.parent_death.into());
        }
    }

    /// Forks a process that fetches the secrets again.
    fn fetch(&mut self) -> Option<Supervised> {
        let supervisor = process::own();
        let forked = link::pipe().and_then(|ends| Ok((ends, process::fork()?)));
        match forked {
            Ok(((speaker, _), Forked::Child)) => {
                process::leave_session();
                self.relay = None;
                let mut supervised = self.hand_over(supervisor, speaker, None);
                supervised.known = Some(std::mem::take(&mut self.watch.known));
                return Some(supervised);
            }
            Ok(((_, listener), Forked::Parent(process))) => self.watch.begin(process, listener),
            Err(_) => self.fetched(),
        }
        None
    }

    fn hear_fetching(&mut self) {
        let Some(fetching) = self.watch.fetching() else {
            return;
        };
        let outcome = &mut fetching.outcome;
        let goes_on = fetching.link.hear(|kind, message| {
            if kind == OUTCOME {
                *outcome = Outcome::from_bytes(message);
            }
        });
        if !goes_on {
            self.fetched();
        }
    }

    /// The process that fetched has ended, or could not even begin.
    fn fetched(&mut self) {
        let Some(watching) = self.settings.watching else {
            return;
        };
        match self.watch.end() {
            Outcome::Changed(digests) => match watching.on_change {
                OnChange::Restart => return self.stop(Then::Launch),
                OnChange::Exit(code) => return self.stop(Then::Exit(code)),
                OnChange::Signal(signal) => {
                    self.watch.known.digests = digests;
                    process::send(self.target(self.settings.group), signal.into());
                }
            },
            Outcome::Lost(_) if watching.stop_on_loss => return self.stop(Then::Exit(125)),
            Outcome::Same | Outcome::Failed | Outcome::Lost(_) => {}
        }
        self.watch.wait(&watching);
    }

    /// Ends the workload, for one of our own reasons.
    fn stop(&mut self, then: Then) {
        self.watch.stop();
        self.then = then;
        self.patience = Some(Instant::now() + self.settings.grace.unwrap_or(USUAL_GRACE));
        process::send(self.target(self.settings.group), TERM);
        // One that is stopped could not end.
        process::send(self.target(self.settings.group), CONT);
    }

    fn target(&self, all: bool) -> i32 {
        if all { -self.workload } else { self.workload }
    }

    fn on(&mut self, taken: &Taken) {
        let signal = taken.signal();
        let is_ending = || signals::ending() & process::bit(signal) != 0;
        if self.link.is_some() && is_ending() {
            process::send(self.workload, KILL);
            while !matches!(process::reap(self.workload), Some(Change::Ended(_))) {
                process::take(process::bit(CHLD), None);
            }
            self.end(128 + signal as u8);
        }
        let watching = self.settings.watching.as_ref();
        if watching.is_some_and(|watching| i32::from(watching.refresh) == signal) {
            return self.watch.ask();
        }
        match signal {
            CHLD => {
                match process::reap(self.workload) {
                    Some(Change::Ended(code)) => self.ended(code),
                    Some(Change::Stopped(signal)) => self.job.stopped(signal),
                    None => {}
                }
                // One that a process has sent is the workload's.
                if taken.is_sent() {
                    self.forward(taken);
                }
            }
            CONT => {
                self.job.continued();
                self.forward(taken);
            }
            _ => {
                if [TERM, INT, QUIT, HUP].contains(&signal) {
                    // Whoever wants us to end does not want it launched anew.
                    self.then = Then::End;
                }
                self.forward(taken);
            }
        }
    }

    /// Forwards a signal: to the workload's group where a terminal, or a shell, would.
    fn forward(&self, taken: &Taken) {
        let signal = taken.signal();
        let Some(to) = Signal::try_from(signal)
            .ok()
            .and_then(|one| self.settings.map.of(one))
        else {
            return;
        };
        let by_shell = self.job.has_terminal() && [CONT, TSTP, TTIN, TTOU].contains(&signal);
        let by_terminal = !taken.is_sent() && OF_TERMINAL.contains(&signal);
        let target = self.target(self.settings.group || by_shell || by_terminal);
        process::forward(taken, target, to.into());
    }

    fn ended(&mut self, code: u8) {
        match self.then {
            Then::End => self.end(code),
            Then::Exit(code) => self.end(code),
            Then::Launch => {
                self.job.over();
                let left = self.patience.take();
                let left = left.map(|until| until.saturating_duration_since(Instant::now()));
                self.end_rest(left);
                self.workload = 0;
            }
        }
    }

    /// The workload has ended, and so do we. As PID 1 without a grace the kernel ends the rest.
    fn end(&mut self, code: u8) -> ! {
        self.watch.stop();
        self.job.over();
        let grace = self.settings.grace;
        if !self.first || !grace.unwrap_or_default().is_zero() {
            self.end_rest(grace);
        }
        for file in &self.files {
            let _ = files::remove(file);
        }
        exec::quit(code)
    }

    /// What is left of the workload's processes is asked to end, and given the grace where there
    /// is one.
    fn end_rest(&mut self, grace: Option<Duration>) {
        if !process::has_children() {
            return;
        }
        match self.first {
            true => process::send(EVERYBODY, TERM),
            false => descendants::terminate(),
        }
        let Some(grace) = grace else { return };
        let began = Instant::now();
        while process::has_children()
            && let Some(time) = grace.checked_sub(began.elapsed())
        {
            process::take(process::bit(CHLD), Some(time));
        }
        if !self.first {
            descendants::kill();
        } else if matches!(self.then, Then::Launch) {
            process::send(EVERYBODY, KILL);
        }
        while matches!(self.then, Then::Launch) && process::has_children() {
            process::take(process::bit(CHLD), Some(Duration::from_secs(1)));
        }
    }
}
