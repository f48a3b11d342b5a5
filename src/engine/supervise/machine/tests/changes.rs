//! Changes and losses of secrets.

use super::*;

#[rustfmt::skip]
pub(super) fn of_changes() -> Vec<TableRow> {
    let restarts = watched(OnChange::Restart);
    let terms = || vec![Action::ReapBefore(Then::Launch)];
    let end_of = |code| (103, Event::Child(Change::Ended(code)), vec![Action::HearOut]);
    let cleared = (103, Event::HeardOut, vec![Action::TerminalBack, Action::CountRest]);
    let out = (103, rest(false), vec![Action::EndOutput]);
    let looks = vec![Action::TakeEnding(bit(TERM.into()) | bit(INT.into()))];
    let let_out = (103, Event::OutputDone, looks);
    let kill = [Group, Workload].map(|whom| Action::Send(whom, KILL)).to_vec();
    let with = |start: Begin, grace| Begin { grace: Some(grace), ..start };
    let killed = |rest: Rest| vec![Action::KillRest(rest)];
    vec![
        // The files stay for the workload that is launched anew.
        row(&[OfJob, OfWatch, Files, OfChange], Begin { has_terminal: true, ..restarts }, [
            fetches(EVERY, changed(), &terms()),
            is_stopped(101, Then::Launch),
            vec![
                end_of(143), cleared.clone(), out.clone(), let_out.clone(),
                (103, Event::Taken(None), vec![Action::Launch]),
            ],
        ].concat()),
        // A workload that is asked to end meanwhile is not launched anew.
        row(&[OfWatch, Files, OfChange, End], restarts, [
            fetches(EVERY, changed(), &terms()),
            is_stopped(101, Then::Launch),
            vec![
                end_of(143), cleared.clone(), out.clone(), let_out.clone(),
                (103, Event::Taken(Some(TERM)), vec![Action::TerminalBack, Action::CountRest]),
            ],
            leaves(103, 143),
        ].concat()),
        row(&[OfWatch, OfChange, End], restarts, [
            fetches(EVERY, changed(), &terms()),
            is_stopped(101, Then::Launch),
            vec![(102, Event::Signal(sent(TERM)), vec![Action::Forward(Workload, TERM)])],
            ends(103, 0, &[]),
            leaves(103, 0),
        ].concat()),
        // The workload has ended by itself, just before it was told to.
        row(&[OfWatch, OfChange, End], restarts, [
            fetches(EVERY, changed(), &terms()),
            vec![end_of(4), cleared.clone()],
            leaves(103, 4),
        ].concat()),
        // The grace is for the workload and for the processes that it leaves; all of that has to be
        // gone.
        row(&[OfWatch, OfChange, Grace, Relay], Begin { output: Output::Relayed, ..with(restarts, 5) }, [
            fetches(EVERY, changed(), &terms()),
            is_stopped(101, Then::Launch),
            vec![
                end_of(143), cleared.clone(),
                (103, rest(true), vec![Action::TerminateRest(AllBelow)]),
                (105, Event::Time, vec![]),
                (106, Event::Time, [killed(AllBelow), vec![Action::CountRest]].concat()),
                (106, rest(true), killed(AllBelow)),
                (107, Event::Time, vec![Action::CountRest]),
                (107, rest(true), killed(AllBelow)),
                (107, Event::Signal(by_kernel(CHLD)), vec![Action::CountRest]),
                (107, rest(false), vec![Action::EndOutput]),
                (108, Event::Signal(sent(INT)), vec![
                    Action::DropOutput, Action::TerminalBack, Action::CountRest,
                ]),
            ],
        ].concat()),
        // Processes that came from elsewhere are not ours to end, where they can be told apart.
        row(&[OfChange, Grace], Begin { first: true, ..with(restarts, 5) }, [
            fetches(EVERY, changed(), &terms()),
            is_stopped(101, Then::Launch),
            vec![
                end_of(143), cleared.clone(),
                (103, Event::Rest { any: true, apart: true }, vec![Action::TerminateRest(AllBelow)]),
                (104, Event::Signal(sent(TERM)), vec![Action::TerminalBack, Action::CountRest]),
                (104, rest(true), vec![Action::TerminateRest(Everybody)]),
            ],
        ].concat()),
        row(&[OfWatch, OfChange, Grace, Files, End], with(watched(OnChange::Exit(75)), 5), [
            fetches(EVERY, changed(), &[Action::ReapBefore(Then::Exit(75))]),
            is_stopped(101, Then::Exit(75)),
            vec![(105, Event::Time, vec![]), (106, Event::Time, kill.clone())],
            ends(107, 137, &[]),
            leaves(107, 75),
        ].concat()),
        // The new values are looked for, and in their place, before the workload hears of them.
        row(&[OfWatch, OfChange, Relay], Begin { output: Output::Relayed, ..watched(OnChange::Signal(HUP)) }, [
            fetches(EVERY, changed(), &[Action::Placed, Action::Send(Workload, HUP)]),
            fetches(2 * EVERY + 1, Outcome::Same, &[]),
        ].concat()),
        // No change ends a workload that may be ending by itself.
        row(&[OfWatch, OfChange, Grace], with(restarts, 50), [
            vec![(90, Event::Signal(sent(TERM)), vec![Action::Forward(Workload, TERM)])],
            fetches(EVERY, changed(), &[]),
            vec![(139, Event::Time, vec![])],
            fetches(140, changed(), &terms()),
        ].concat()),
        // A fetch that is asked for begins at once, but once a second.
        row(&[OfWatch], restarts, [
            vec![
                (1, Event::Time, vec![]),
                (1, Event::Signal(sent(REFRESH)), vec![]),
            ],
            fetches(1, Outcome::Same, &[]),
            vec![(2, Event::Signal(sent(REFRESH)), vec![])],
            fetches(2, Outcome::HeldBack, &[]),
            fetches(3, Outcome::Same, &[]),
        ].concat()),
    ]
}

#[rustfmt::skip]
pub(super) fn of_losses() -> Vec<TableRow> {
    let not_fetched = |next, hangs| {
        let next = seconds(next);
        vec![Action::EndErrand, Action::Notify(Notice::NotFetched { next, hangs })]
    };
    let stops = |on_change| Begin { stop_on_loss: true, ..watched(on_change) };
    let restarts = watched(OnChange::Restart);
    let lost = || Outcome::Lost([1; 16]);
    let exits = [Action::ReapBefore(Then::Exit(125))];
    let kill = [Group, Workload].map(|whom| Action::Send(whom, KILL)).to_vec();
    let at_terminal = Begin { has_terminal: true, ..stops(OnChange::Restart) };
    let ctrl_z = stop(TSTP, Foreground::Workload, false, false);
    let stopped = Event::Child(Change::Stopped(ctrl_z));
    let masked = Begin { output: Output::Relayed, grace: Some(5), ..stops(OnChange::Restart) };
    let begins = vec![Action::StartErrand(Purpose::Refresh)];
    vec![
        row(&[Loss, OfWatch, OfChange], restarts, [
            fetches(EVERY, lost(), &[]),
            fetches(2 * EVERY + 1, lost(), &[]),
        ].concat()),
        row(&[OfJob, OfWatch, Files, Loss, End], at_terminal, [
            fetches(EVERY, lost(), &exits),
            is_stopped(101, Then::Exit(125)),
            vec![(102, stopped, vec![Action::TakeTerminal, Action::StopOurselves(TSTP)])],
            ends(103, 143, &[]),
            leaves(103, 125),
        ].concat()),
        // A loss ends the workload by the grace, whatever a change does.
        row(&[Relay, OfChange, Grace, Loss], masked, [
            fetches(EVERY, lost(), &exits),
            is_stopped(101, Then::Exit(125)),
            vec![(105, Event::Time, vec![]), (106, Event::Time, kill)],
            ends(107, 137, &[]),
            leaves(107, 125),
        ].concat()),
        // The time between fetches grows after failures.
        row(&[OfWatch], restarts, vec![
            (EVERY, Event::Time, begins.clone()),
            (EVERY, Event::ErrandOver, vec![]),
            (2 * EVERY, Event::Time, vec![]),
            (3 * EVERY, Event::Time, begins.clone()),
            (3 * EVERY, Event::ErrandLost, not_fetched(4 * EVERY, false)),
            (7 * EVERY - 1, Event::Time, vec![]),
            (7 * EVERY, Event::Time, begins.clone()),
            // An outcome told by a process that hangs does not count.
            (7 * EVERY, Event::Reported(changed()), vec![]),
            (7 * EVERY + TIMEOUT + 1, Event::Time, vec![Action::LookAtErrand]),
            (7 * EVERY + TIMEOUT + 1, Event::ErrandHangs, not_fetched(8 * EVERY, true)),
            (15 * EVERY + TIMEOUT + 1, Event::Time, begins),
        ]),
    ]
}
