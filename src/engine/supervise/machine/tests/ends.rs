//! Signals, stops and ends.

use super::*;

#[rustfmt::skip]
pub(super) fn of_signals_and_stops() -> Vec<TableRow> {
    let ctrl_z = stop(TSTP, Foreground::Workload, false, false);
    let wants = stop(TTIN, Foreground::Ours, false, false);
    let nobody = stop(TSTP, Foreground::Workload, true, false);
    let inner = stop(TSTP, Foreground::Other, false, true);
    let inner_wants = stop(TTOU, Foreground::Ours, false, true);
    let inner_nobody = stop(19, Foreground::Other, true, true);
    let stopped = |stop| Event::Child(Change::Stopped(stop));
    let forward = |whom, signal| vec![Action::Forward(whom, signal)];
    let own_terminal = Begin {
        output: Output::Terminal,
        ..at_terminal()
    };
    let job = at_terminal();
    let group = Begin {
        group: true,
        ..Begin::default()
    };
    vec![
        row(&[], Begin::default(), vec![
            (0, Event::Signal(sent(TERM)), forward(Workload, TERM)),
            (0, Event::Signal(sent(CONT)), vec![Action::Continued, Action::Forward(Workload, CONT)]),
            (0, Event::Signal(by_kernel(INT)), forward(Group, INT)),
            (0, Event::Signal(sent(WINCH)), forward(Workload, WINCH)),
            (0, Event::Signal(sent(64)), forward(Workload, 64)),
            (0, Event::Signal(sent(CHLD)), vec![Action::Reap]),
            (0, Event::Child(Change::None), vec![]),
            // No terminal, so that nobody stops us as a job.
            (0, stopped(ctrl_z), vec![]),
        ]),
        row(&[], group, vec![(0, Event::Signal(sent(TERM)), forward(Group, TERM))]),
        row(&[OfJob], job, vec![
            (0, stopped(ctrl_z), vec![Action::TakeTerminal, Action::StopOurselves(TSTP)]),
            (0, Event::Signal(sent(CONT)), vec![Action::Continued, Action::Forward(Group, CONT)]),
            (0, stopped(wants), vec![Action::GiveTerminal(wants)]),
            (0, Event::TerminalGiven, vec![Action::Send(Group, CONT)]),
            (0, stopped(wants), vec![Action::GiveTerminal(wants)]),
            (0, Event::TerminalNotGiven(wants), vec![Action::StopOurselves(TTIN)]),
            (0, stopped(nobody), vec![Action::Send(Group, CONT)]),
        ]),
        row(&[OfJob, Relay], Begin { has_terminal: true, ..masked() }, vec![
            (0, stopped(ctrl_z), vec![
                Action::Flush, Action::TakeTerminal, Action::StopOurselves(TSTP),
            ]),
            (0, Event::Signal(by_kernel(WINCH)), vec![
                Action::Resize, Action::Forward(Group, WINCH),
            ]),
            (0, Event::Output(Output::Direct), vec![]),
            (0, Event::Signal(by_kernel(WINCH)), forward(Group, WINCH)),
        ]),
        row(&[OfJob, Relay], own_terminal, vec![
            (0, stopped(inner), vec![
                Action::Flush, Action::LeaveSession, Action::StopOurselves(TSTP),
            ]),
            (0, stopped(inner_wants), vec![Action::GiveSession]),
            (0, stopped(inner_nobody), vec![]),
            (0, Event::Signal(by_kernel(WINCH)), vec![Action::Resize]),
            (0, Event::Signal(sent(WINCH)), vec![
                Action::Resize, Action::Forward(Workload, WINCH),
            ]),
        ]),
        // A time that was slept through goes on for a moment.
        row(&[OfJob, OfWatch], Begin { has_terminal: true, ..watched(OnChange::Restart) }, vec![
            (EVERY, Event::Time, vec![Action::StartErrand(Purpose::Refresh)]),
            (EVERY, stopped(ctrl_z), vec![Action::TakeTerminal, Action::StopOurselves(TSTP)]),
            (9 * EVERY, Event::Time, vec![]),
            (9 * EVERY + 1, Event::Time, vec![Action::LookAtErrand]),
        ]),
    ]
}

#[rustfmt::skip]
pub(super) fn of_ends() -> Vec<TableRow> {
    let with_grace = |start: Begin| Begin { grace: Some(5), ..start };
    let child = by_kernel(CHLD);
    let counts = vec![Action::CountRest];
    let asked = |rest| vec![Action::TerminateRest(rest)];
    let is_killed = vec![Action::KillRest(AllBelow), Action::EndOutput];
    let done = |code| (9, Event::OutputDone, vec![Action::RemoveFiles, Action::Quit(code)]);
    vec![
        row(&[Files, End], Begin::default(), [ends(1, 3, &[]), leaves(1, 3)].concat()),
        // Processes left are asked to end, and not waited for without a grace.
        row(&[OfJob, Files, End], at_terminal(), [ends(1, 3, &[]), vec![
            (1, rest(true), [asked(AllBelow), vec![Action::EndOutput]].concat()),
            done(3),
        ]].concat()),
        row(&[OfJob, Files, Grace, End], with_grace(at_terminal()), [ends(1, 3, &[]), vec![
            (1, rest(true), asked(AllBelow)),
            (2, Event::Signal(child), counts.clone()),
            (2, rest(true), vec![]),
            (3, Event::Signal(sent(TERM)), vec![]),
            (5, Event::Time, vec![]),
            (6, Event::Time, is_killed.clone()),
            done(3),
        ]].concat()),
        row(&[Relay, Files, Grace, End], with_grace(masked()), [ends(1, 3, &[]), vec![
            (1, rest(true), asked(AllBelow)),
            (2, Event::Signal(child), counts.clone()),
            (2, rest(false), is_killed.clone()),
            (2, Event::Signal(child), counts.clone()),
            (2, rest(false), vec![]),
            (3, Event::Output(Output::Direct), vec![]),
            done(3),
        ]].concat()),
        // Nobody has to wait for a reader that does not read.
        row(&[Relay, Files, End], masked(), [ends(1, 3, &[]), vec![
            (1, rest(false), vec![Action::EndOutput]),
            (2, Event::Signal(sent(TERM)), vec![
                Action::DropOutput, Action::RemoveFiles, Action::Quit(3),
            ]),
        ]].concat()),
        // The kernel ends the processes left by PID 1, and no sooner than the grace.
        row(&[End], Begin { first: true, ..Begin::default() }, vec![
            (1, Event::Child(Change::Ended(0)), vec![Action::HearOut]),
            (1, Event::HeardOut, vec![Action::TerminalBack, Action::EndOutput]),
        ]),
        row(&[Grace, End], Begin { first: true, ..with_grace(Begin::default()) }, [
            ends(1, 0, &[]),
            vec![
                (1, Event::Rest { any: true, apart: true }, asked(Everybody)),
                (6, Event::Time, vec![Action::EndOutput]),
            ],
        ].concat()),
        row(&[Grace, End], Begin { grace: Some(0), ..Begin::default() }, [
            ends(1, 0, &[]),
            vec![(1, rest(true), [asked(AllBelow), is_killed].concat())],
        ].concat()),
        // The process that fetches is ended as well.
        row(&[OfJob, OfWatch, Files, End], watched(OnChange::Restart), [
            vec![(EVERY, Event::Time, vec![Action::StartErrand(Purpose::Refresh)])],
            ends(EVERY, 7, &[Action::EndErrand]),
            leaves(EVERY, 7),
        ].concat()),
    ]
}
