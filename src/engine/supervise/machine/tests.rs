//! Tables of a supervisor's actions on events. Each row begins where a workload runs, or is
//! launched. Each pair of features is in one row at least.

mod changes;
mod ends;

use std::collections::BTreeSet;

use self::changes::{of_changes, of_losses};
use self::ends::{of_ends, of_signals_and_stops};

use super::super::action::Rest::{Below as AllBelow, Everybody};
use super::super::action::Whom::{Group, Workload};
use super::super::action::{Rest, Stop};
use super::super::errands::Purpose;
use super::super::known::Outcome;
use super::super::settings::{OnChange, Watching};
use super::*;
use crate::sys::job::Foreground;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Feature {
    /// A terminal that controls us.
    Job,
    /// `--mask`.
    Relay,
    /// `--watch`.
    Watch,
    /// Files in a folder, which are removed or stay.
    Files,
    /// `--on-change`.
    Change,
    Grace,
    /// `--on-loss stop`.
    Loss,
    /// The end of the workload, or of its launch.
    End,
}
use Feature::{Change as OfChange, End, Files, Grace, Job as OfJob, Loss, Relay, Watch as OfWatch};

const FEATURES: [Feature; 8] = [OfJob, Relay, OfWatch, Files, OfChange, Grace, Loss, End];

/// The beginning of a row.
#[derive(Clone, Copy, Default)]
struct Begin {
    first: bool,
    has_terminal: bool,
    output: Output,
    grace: Option<u64>,
    on_change: Option<OnChange>,
    stop_on_loss: bool,
    group: bool,
}

/// The time between two fetches, and the timeout of one, in seconds.
const EVERY: u64 = 100;
const TIMEOUT: u64 = 30;

/// The signal that asks for a fetch.
const REFRESH: Signal = 12;

impl Begin {
    fn machine(self, now: Instant) -> Machine {
        let mut machine = Machine::new(Fixed {
            first: self.first,
            timeout: seconds(TIMEOUT),
            ending: bit(TERM.into()) | bit(INT.into()),
            // An interval is then exactly that.
            chance: |most| most / 2,
        });
        let settings = Supervision {
            grace: self.grace.map(seconds),
            group: self.group,
            watching: self.on_change.map(|on_change| Watching {
                every: seconds(EVERY),
                on_change,
                stop_on_loss: self.stop_on_loss,
                refresh: REFRESH,
            }),
            ..Supervision::default()
        };
        let below = Below {
            output: self.output,
            has_terminal: self.has_terminal,
        };
        for event in [Event::Forked(below), Event::Supervision(settings)] {
            assert_eq!(did(&mut machine, now, event), []);
        }
        machine
    }
}

fn did(machine: &mut Machine, now: Instant, event: Event) -> Vec<Action> {
    let mut actions = Actions::new();
    machine.step(now, event, &mut actions);
    actions.into()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A time in seconds, the event then, and the actions on it.
type TableStep = (u64, Event, Vec<Action>);

struct TableRow {
    features: Vec<Feature>,
    start: Begin,
    steps: Vec<TableStep>,
}

fn row(features: &[Feature], start: Begin, steps: Vec<TableStep>) -> TableRow {
    let features = features.to_vec();
    TableRow {
        features,
        start,
        steps,
    }
}

/// Plays rows, in which the workload runs where `runs` is true.
fn play(rows: &[TableRow], runs: bool) {
    for (at, row) in rows.iter().enumerate() {
        let start = Instant::now();
        let mut machine = row.start.machine(start);
        if runs {
            let begun = Event::Begun { armed: true };
            let did = did(&mut machine, start, begun);
            assert!(did.iter().all(|one| *one == Action::LetGo));
        }
        for (step, (time, event, actions)) in row.steps.iter().enumerate() {
            let now = start + seconds(*time);
            let what = format!("row {at} ({:?}), step {step}: {event:?}", row.features);
            assert_eq!(did(&mut machine, now, event.clone()), *actions, "{what}");
        }
    }
}

fn sent(signal: Signal) -> Arrived {
    let is_sent = true;
    Arrived { signal, is_sent }
}

fn by_kernel(signal: Signal) -> Arrived {
    let is_sent = false;
    Arrived { signal, is_sent }
}

fn stop(signal: Signal, foreground: Foreground, orphaned: bool, inner: bool) -> Stop {
    Stop {
        signal,
        foreground,
        orphaned,
        inner,
    }
}

fn rest(any: bool) -> Event {
    Event::Rest { any, apart: false }
}

/// The workload ends at this time with this code, after the actions `before`.
fn ends(time: u64, code: u8, before: &[Action]) -> Vec<TableStep> {
    let child = by_kernel(CHLD);
    let last = [Action::TerminalBack, Action::CountRest];
    vec![
        (time, Event::Signal(child), vec![Action::Reap]),
        (
            time,
            Event::Child(Change::Ended(code)),
            vec![Action::HearOut],
        ),
        (time, Event::HeardOut, [before, &last].concat()),
    ]
}

/// No process is left of the workload, and its output goes out.
fn leaves(time: u64, code: u8) -> Vec<TableStep> {
    vec![
        (time, rest(false), vec![Action::EndOutput]),
        (
            time,
            Event::OutputDone,
            vec![Action::RemoveFiles, Action::Quit(code)],
        ),
    ]
}

/// Secrets are fetched at this time, with this outcome.
fn fetches(time: u64, outcome: Outcome, then: &[Action]) -> Vec<TableStep> {
    let start = vec![Action::StartErrand(Purpose::Refresh)];
    vec![
        (time, Event::Time, start),
        (time + 1, Event::Reported(outcome), vec![]),
        (time + 1, Event::ErrandOver, then.to_vec()),
    ]
}

/// The workload is told to end.
fn is_stopped(time: u64, then: Then) -> Vec<TableStep> {
    let told = [TERM, CONT].map(|signal| Action::Send(Workload, signal));
    vec![(time, Event::Lives(then), told.to_vec())]
}

fn changed() -> Outcome {
    Outcome::Changed(vec![(b"A".to_vec(), [1; 16])])
}

fn masked() -> Begin {
    Begin {
        output: Output::Relayed,
        ..Begin::default()
    }
}

fn at_terminal() -> Begin {
    Begin {
        has_terminal: true,
        ..Begin::default()
    }
}

fn watched(on_change: OnChange) -> Begin {
    Begin {
        on_change: Some(on_change),
        ..Begin::default()
    }
}

#[test]
fn signals_and_stops() {
    play(&of_signals_and_stops(), true);
}

#[test]
fn ends_of_workloads() {
    play(&of_ends(), true);
}

#[test]
fn changes_of_secrets() {
    play(&of_changes(), true);
}

#[test]
fn losses_of_secrets() {
    play(&of_losses(), true);
}

#[test]
#[rustfmt::skip]
fn launches() {
    let reap = Action::Reap;
    let give_up = |why| vec![Action::Kill, Action::Notify(why), reap.clone()];
    let is_asked = |signal| {
        let sent = [signal, CONT].map(|signal| Action::Send(Workload, signal));
        [sent.to_vec(), vec![reap.clone()]].concat()
    };
    let ended = |code| Event::Child(Change::Ended(code));
    let last = vec![Action::TerminalBack, Action::CountRest];
    play(&[
        row(&[End], Begin::default(), [vec![
            (1, Event::Signal(sent(TERM)), is_asked(TERM)),
            (1, Event::Child(Change::None), vec![]),
            (1, ended(143), vec![Action::HearOut]),
            (1, Event::HeardOut, last.clone()),
        ], leaves(1, 143)].concat()),
        // A process that hangs is asked to end, killed, and left.
        row(&[End], Begin::default(), [vec![
            (1, Event::Signal(sent(INT)), is_asked(INT)),
            (1, Event::Time, vec![]),
            (2, Event::Time, vec![Action::Kill, reap.clone()]),
            (2, Event::Time, vec![]),
            (3, Event::Time, last.clone()),
        ], leaves(3, 130)].concat()),
        // A process that hangs in the kernel is not waited for.
        row(&[End], Begin::default(), [vec![
            (TIMEOUT, Event::Time, vec![]),
            (TIMEOUT + 1, Event::Time, give_up(Notice::LaunchHangs)),
            (TIMEOUT + 2, Event::Time, last.clone()),
        ], leaves(TIMEOUT + 2, 125)].concat()),
        // It waits before it asks a server.
        row(&[End], Begin::default(), [vec![
            (1, Event::Pauses(seconds(9)), vec![]),
            (TIMEOUT + 9, Event::Time, vec![]),
            (TIMEOUT + 10, Event::Time, give_up(Notice::LaunchHangs)),
            (TIMEOUT + 11, Event::Time, last.clone()),
        ], leaves(TIMEOUT + 11, 125)].concat()),
        // The last messages of a launch count, files above all.
        row(&[End], Begin::default(), [vec![
            (1, ended(1), vec![Action::HearOut]),
            (1, Event::Unheard, vec![Action::Kill, Action::Notify(Notice::Unheard)]),
            (1, Event::HeardOut, last.clone()),
        ], leaves(1, 125)].concat()),
        // Unknown needles: nothing goes out, and the launch ends.
        row(&[Relay, End], masked(), vec![
            (1, Event::Begun { armed: false }, vec![]),
            (TIMEOUT + 1, Event::Time, give_up(Notice::Unheard)),
            (TIMEOUT + 1, ended(137), vec![Action::HearOut]),
            (TIMEOUT + 1, Event::HeardOut, last),
        ]),
        // Fetching is for a workload that has begun.
        row(&[OfWatch], watched(OnChange::Restart), vec![
            (1, Event::Signal(sent(REFRESH)), vec![]),
            (2, Event::Time, vec![]),
            (3, Event::Begun { armed: true }, vec![]),
            (3, Event::Time, vec![Action::StartErrand(Purpose::Refresh)]),
        ]),
    ], false);
}

#[test]
fn it_listens_and_waits_for_what_it_can_handle() {
    let now = Instant::now();
    let mut machine = watched(OnChange::Restart).machine(now);
    let ending = bit(TERM.into()) | bit(INT.into());
    let child = bit(CHLD.into());
    assert_eq!(
        machine.listens() & !(bit(CONT.into()) | bit(TSTP.into())),
        { ending | child | bit(TTIN.into()) | bit(TTOU.into()) }
    );
    assert_eq!(machine.due(), Some(now + seconds(TIMEOUT + 1)));
    did(&mut machine, now, Event::Begun { armed: true });
    assert_eq!((machine.listens(), machine.hears()), (ALL, true));
    assert_eq!(machine.due(), Some(now + seconds(EVERY)));
    for (event, listens) in [
        (Event::Child(Change::Ended(0)), 0),
        (Event::HeardOut, child),
        (rest(false), ending | child),
    ] {
        did(&mut machine, now, event);
        assert_eq!((machine.listens(), machine.hears()), (listens, false));
        assert_eq!(machine.due(), None);
    }
    // A machine that waits for nothing else sleeps for ever.
    let mut machine = Begin::default().machine(now);
    did(&mut machine, now, Event::Begun { armed: true });
    assert_eq!(machine.due(), None);
}

#[test]
fn each_pair_of_features_is_in_a_table() {
    let rows = [of_signals_and_stops(), of_ends(), of_changes(), of_losses()];
    let rows = rows.iter().flatten();
    let pairs = rows.flat_map(|row| {
        let ones = row.features.iter();
        ones.flat_map(|one| row.features.iter().map(move |other| (*one, *other)))
    });
    let pairs: BTreeSet<_> = pairs.collect();
    for one in FEATURES {
        for other in FEATURES {
            assert!(pairs.contains(&(one, other)), "{one:?} with {other:?}");
        }
    }
}
