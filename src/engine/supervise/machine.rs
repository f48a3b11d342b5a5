//! The supervisor as a machine: it takes events, and decides on actions by its knowledge. It makes
//! no system call. [`supervisor`](super::supervisor) waits for the signals and instants that the
//! machine names, tells it the events, and takes the actions.

use std::time::{Duration, Instant};

use super::action::{Action, Actions, Arrived, Below, Change, Event, Output, Then, Whom};
use super::end::{End, Terms};
use super::errands::{Errands, Purpose, after, is_over};
use super::job::Job;
use super::lease::Leases;
use super::notice::{Notice, OWN};
use super::settings::Supervision;
use super::watch::Watch;
use crate::core::signal::{
    CHLD, CONT, HUP, INT, KILL, QUIT, Signal, TERM, TSTP, TTIN, TTOU, WINCH,
};
use crate::sys::signal_mask::{ALL, Mask, bit};

/// The time for a workload to end without a `--grace`: as long as `docker stop` gives.
const USUAL_GRACE: Duration = Duration::from_secs(10);

/// The longest time, far beyond anybody's life: an instant so far away can still be told.
const LONGEST: Duration = Duration::from_millis(u64::MAX);

/// The time to wait for the end of a process that was asked to end, and that was killed.
const BEAT: Duration = Duration::from_secs(1);

/// The signals that a terminal sends to a whole process group.
const OF_TERMINAL: [Signal; 6] = [INT, QUIT, TSTP, TTIN, TTOU, WINCH];

/// The facts of a supervisor that hold from its beginning on.
pub(super) struct Fixed {
    /// True if the supervisor is PID 1, whose end the kernel makes everybody's.
    pub(super) first: bool,
    /// The timeout of the processes that fetch.
    pub(super) timeout: Duration,
    /// The signals that end a launch.
    pub(super) ending: Mask,
    /// Returns a time by chance, at most this one.
    pub(super) chance: fn(Duration) -> Duration,
}

/// The knowledge of the supervisor.
pub(super) struct Machine {
    fixed: Fixed,
    settings: Supervision,
    phase: Phase,
    then: Then,
    job: Job,
    watch: Watch,
    leases: Leases,
    errands: Errands,
    /// The instant by which a launch should have become the workload, or have ended.
    late: Option<Instant>,
    /// The instant at which the workload, which was told to end, is killed.
    patience: Option<Instant>,
}

/// The phase of a workload's life.
#[derive(Debug)]
enum Phase {
    /// A process gets ready to become the workload, and tells how to supervise.
    Launching,
    /// The launched process has become the workload, or is about to end.
    Running,
    /// A process that is not yet the workload is ended. Its end is waited for until this instant;
    /// the code to end with.
    Aborting {
        until: Instant,
        code: u8,
        /// True if the process was killed; else it was asked to end.
        killed: bool,
    },
    /// The workload has ended, with this code; its last messages are heard.
    Hearing(u8),
    /// The processes that the workload leaves are ended, and perhaps we are.
    Ending(End),
}

impl Machine {
    pub(super) fn new(fixed: Fixed) -> Self {
        let chance = fixed.chance;
        Machine {
            fixed,
            settings: Supervision::default(),
            phase: Phase::Ending(End::Over),
            then: Then::End,
            job: Job::default(),
            watch: Watch::new(chance),
            leases: Leases::new(chance),
            errands: Errands::default(),
            late: None,
            patience: None,
        }
    }

    /// True if messages of launches and errands are heard as they come.
    pub(super) fn hears(&self) -> bool {
        matches!(self.phase, Phase::Launching | Phase::Running)
    }

    /// True if a process gets ready to become the workload.
    pub(super) fn is_launching(&self) -> bool {
        matches!(self.phase, Phase::Launching)
    }

    /// Lists the signals to wait for; the kernel keeps others.
    pub(super) fn listens(&self) -> Mask {
        let ending = self.ending();
        let set = |signals: &[Signal]| signals.iter().fold(0, |set, &one| set | bit(one.into()));
        match &self.phase {
            // Any other signal is kept until the workload is there.
            Phase::Launching => ending | set(&[CHLD, CONT, TSTP, TTIN, TTOU]),
            Phase::Running => ALL,
            Phase::Aborting { .. } => set(&[CHLD]),
            Phase::Ending(end) => end.listens(ending),
            Phase::Hearing(_) => 0,
        }
    }

    /// Returns the instant to wait for at most.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Launching | Phase::Running => {
                let dues = [self.patience, self.late, self.errands.due()];
                dues.into_iter().flatten().min()
            }
            Phase::Aborting { until, .. } => Some(*until),
            Phase::Ending(end) => end.due(),
            Phase::Hearing(_) => None,
        }
    }

    /// Returns the way of the workload's output.
    pub(super) fn output(&self) -> Output {
        self.job.output
    }

    /// Handles an event: adds the actions to take to `actions`, in this order.
    pub(super) fn step(&mut self, now: Instant, event: Event, actions: &mut Actions) {
        match event {
            Event::Forked(below) => self.forked(below, now),
            Event::Supervision(settings) => {
                self.settings = settings;
                if settings.parent_death != 0 {
                    actions.push_back(Action::SignalAtParentsEnd(settings.parent_death));
                }
            }
            Event::Pauses(time) => self.late = self.late.and_then(|late| late.checked_add(time)),
            Event::Digests(digests) => self.watch.known.digests = digests,
            Event::Loans(lent) => self.leases.lent(lent, now),
            Event::Begun { armed } => self.begun(armed, now, actions),
            Event::Unheard => self.give_up(Notice::Unheard, now, actions),
            Event::Signal(arrived) => self.signal(arrived, now, actions),
            Event::Child(change) => self.child(change, actions),
            Event::Lives(then) => self.stop(then, now, actions),
            Event::TerminalGiven => Job::given(actions),
            Event::TerminalNotGiven(stop) => self.job.stop_with(stop, actions),
            Event::HeardOut => self.heard_out(now, actions),
            Event::Output(output) => self.job.output = output,
            Event::Reported(outcome) => self.reported(outcome),
            Event::ErrandOver => self.errand_over(now, actions),
            Event::ErrandLost => self.give_up_errand(false, now, actions),
            Event::ErrandHangs => self.give_up_errand(true, now, actions),
            Event::Time => self.time(now, actions),
            Event::OutputDone | Event::Rest { .. } | Event::Taken(_) => {
                self.of_end(event, now, actions);
            }
        }
    }

    /// Returns the signal that has secrets fetched again; 0 for none.
    fn refresh(&self) -> Signal {
        self.settings
            .watching
            .map_or(0, |watching| watching.refresh)
    }

    /// Lists the signals that end a launch.
    fn ending(&self) -> Mask {
        let refresh = self.refresh();
        let refresh = if refresh == 0 { 0 } else { bit(refresh.into()) };
        self.fixed.ending & !refresh
    }

    /// Returns the time that a workload has to end.
    fn grace(&self) -> Duration {
        self.settings.grace.unwrap_or(USUAL_GRACE).min(LONGEST)
    }

    /// Returns the receiver of a signal: of one for the workload, or for `all` of its group.
    fn whom(&self, all: bool) -> Whom {
        match all || self.settings.group {
            true => Whom::Group,
            false => Whom::Workload,
        }
    }

    fn forked(&mut self, below: Below, now: Instant) {
        self.leases.pass();
        self.phase = Phase::Launching;
        self.then = Then::End;
        self.patience = None;
        self.late = after(now, self.fixed.timeout);
        self.job = Job {
            has_terminal: below.has_terminal,
            output: below.output,
        };
    }

    /// Notes that the process that launches has become the workload, or ends, which a signal says.
    /// The process is to end where it is not known what to mask, and nothing that it writes goes
    /// out.
    fn begun(&mut self, armed: bool, now: Instant, actions: &mut Actions) {
        if !self.hears() {
            return;
        }
        self.phase = Phase::Running;
        if armed {
            self.late = None;
            if let Some(watching) = &self.settings.watching {
                self.watch.wait(watching, &mut self.errands, now);
            }
            self.leases.begin(&mut self.errands, now);
            if self.settings.watching.is_none() && !self.leases.are_kept() {
                actions.push_back(Action::LetGo);
            }
        }
    }

    fn signal(&mut self, arrived: Arrived, now: Instant, actions: &mut Actions) {
        let signal = arrived.signal;
        let terms = self.terms(now);
        match &mut self.phase {
            Phase::Launching | Phase::Running => {}
            Phase::Ending(end) => return end.signal(signal, terms, actions),
            Phase::Aborting { .. } if signal == CHLD => {
                return actions.push_back(Action::Reap);
            }
            Phase::Aborting { .. } | Phase::Hearing(_) => return,
        }
        if self.refresh() == signal {
            return self.watch.ask(&mut self.errands, now);
        }
        if self.is_launching() && terms.ending & bit(signal.into()) != 0 {
            return self.abort(signal, now, actions);
        }
        match signal {
            CHLD => actions.push_back(Action::Reap),
            CONT => {
                actions.push_back(Action::Continued);
                self.forward(arrived, actions);
            }
            WINCH if self.job.output != Output::Direct => {
                actions.push_back(Action::Resize);
                // The workload's own terminal has told it.
                if self.job.output != Output::Terminal || arrived.is_sent {
                    self.forward(arrived, actions);
                }
            }
            _ => {
                if [TERM, INT, QUIT, HUP].contains(&signal) {
                    // A workload that is asked to end is not launched anew. Its end shows later.
                    self.then = Then::End;
                    self.watch.hold_back(self.grace(), now);
                }
                self.forward(arrived, actions);
            }
        }
    }

    /// Forwards a signal: to the workload's group where a terminal, or a shell, would.
    fn forward(&self, arrived: Arrived, actions: &mut Actions) {
        let signal = arrived.signal;
        let Some(to) = self.settings.map.of(signal) else {
            return;
        };
        let by_shell = self.job.has_terminal && [CONT, TSTP, TTIN, TTOU].contains(&signal);
        let by_terminal = !arrived.is_sent && OF_TERMINAL.contains(&signal);
        actions.push_back(Action::Forward(self.whom(by_shell || by_terminal), to));
    }

    fn child(&mut self, change: Change, actions: &mut Actions) {
        match (change, &self.phase) {
            (Change::Ended(_), Phase::Aborting { code, .. }) => {
                (self.then, self.phase) = (Then::End, Phase::Hearing(*code));
                return actions.push_back(Action::HearOut);
            }
            (Change::Ended(code), Phase::Launching | Phase::Running) => {
                self.late = None;
                self.phase = Phase::Hearing(code);
                return actions.push_back(Action::HearOut);
            }
            (_, Phase::Launching | Phase::Running) => {}
            _ => return,
        }
        if let Change::Stopped(stop) = change {
            self.job.stopped(stop, actions);
        }
    }

    /// Ends the workload, for a reason of our own.
    fn stop(&mut self, then: Then, now: Instant, actions: &mut Actions) {
        self.then = then;
        self.patience = Some(now + self.grace());
        let term = self.settings.map.of(TERM).unwrap_or(TERM);
        let whom = self.whom(false);
        // A stopped process could not end.
        actions.extend([Action::Send(whom, term), Action::Send(whom, CONT)]);
    }

    fn heard_out(&mut self, now: Instant, actions: &mut Actions) {
        let Phase::Hearing(code) = self.phase else {
            return;
        };
        match self.then {
            Then::End => self.end(code, now, actions),
            Then::Exit(code) => self.end(code, now, actions),
            Then::Launch => {
                let left = self.patience.take();
                let left = left.map(|until| until.saturating_duration_since(now));
                // No time is left to a workload that had to be killed, nor to the processes that it
                // leaves.
                let left = left.unwrap_or_default();
                self.phase = Phase::Ending(End::launch(left, self.terms(now), actions));
            }
        }
    }

    /// Begins our own end, as the workload has ended.
    fn end(&mut self, code: u8, now: Instant, actions: &mut Actions) {
        self.stop_errands(actions);
        self.phase = Phase::Ending(End::quit(code, self.terms(now), actions));
    }

    /// Gathers the facts by which the end goes.
    fn terms(&self, now: Instant) -> Terms {
        Terms {
            now,
            gives_back: self.leases.are_kept().then(|| self.grace()),
            first: self.fixed.first,
            grace: self.settings.grace.map(|grace| grace.min(LONGEST)),
            ending: self.ending(),
        }
    }

    /// Handles events that come at the end alone.
    fn of_end(&mut self, event: Event, now: Instant, actions: &mut Actions) {
        let terms = self.terms(now);
        let Phase::Ending(end) = &mut self.phase else {
            return;
        };
        match event {
            Event::Rest { any, apart } => end.counted(any, apart, now, actions),
            Event::OutputDone => end.output_done(terms, actions),
            Event::ErrandOver => end.given_back(actions),
            Event::Taken(signal) => end.looked(signal, terms, actions),
            _ => {}
        }
    }

    /// Ends, by this signal, a process that is not yet the workload, and ourselves. The process
    /// itself says what it waited for, and leaves neither a terminal without echo nor a program.
    fn abort(&mut self, signal: Signal, now: Instant, actions: &mut Actions) {
        // A stopped process could not end.
        actions.extend([signal, CONT].map(|signal| Action::Send(Whom::Workload, signal)));
        self.aborting(128 + signal, false, now, actions);
    }

    fn aborting(&mut self, code: u8, killed: bool, now: Instant, actions: &mut Actions) {
        // A process that hangs in the kernel may not end before what it waits for does.
        let until = now + BEAT;
        self.phase = Phase::Aborting {
            until,
            code,
            killed,
        };
        actions.push_back(Action::Reap);
    }

    /// Says the reason why a launch fails, and ends it and ourselves.
    fn give_up(&mut self, why: Notice, now: Instant, actions: &mut Actions) {
        actions.extend([Action::Kill, Action::Notify(why)]);
        match &mut self.phase {
            Phase::Hearing(code) => (*code, self.then) = (OWN, Then::End),
            _ => self.aborting(OWN, true, now, actions),
        }
    }

    /// Takes the actions that are due.
    fn time(&mut self, now: Instant, actions: &mut Actions) {
        let terms = self.terms(now);
        match &mut self.phase {
            Phase::Launching | Phase::Running => self.time_of_workload(now, actions),
            Phase::Aborting {
                until,
                code,
                killed,
            } if *until <= now => match (*code, *killed) {
                (code, true) => self.end(code, now, actions),
                (code, false) => {
                    actions.push_back(Action::Kill);
                    self.aborting(code, true, now, actions);
                }
            },
            Phase::Ending(end) => end.time(terms, actions),
            _ => {}
        }
    }

    fn time_of_workload(&mut self, now: Instant, actions: &mut Actions) {
        if self.patience.is_some_and(|until| until <= now) {
            self.patience = None;
            actions.extend([Whom::Group, Whom::Workload].map(|whom| Action::Send(whom, KILL)));
        }
        if is_over(&mut self.late, now) {
            let why = match self.is_launching() {
                true => Notice::LaunchHangs,
                false => Notice::Unheard,
            };
            return self.give_up(why, now, actions);
        }
        if self.errands.is_late(now) {
            return actions.push_back(Action::LookAtErrand);
        }
        if let Some(purpose) = self.errands.begin(now, self.fixed.timeout) {
            if purpose == Purpose::Refresh {
                self.watch.begin(now);
            }
            actions.push_back(Action::StartErrand(purpose));
        }
    }
}

mod upkeep;

#[cfg(test)]
mod tests;
