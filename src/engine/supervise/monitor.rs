//! The process between the supervisor and a workload that has a terminal of its own: it leads that
//! terminal's session. Without it the kernel would see no process that could continue the workload,
//! and Ctrl-Z would not stop it. It has no secret, and does nothing but wait.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::relay::Inner;
use super::session::{GIVE, Session};
use crate::core::signal::{CHLD, CONT, HUP, KILL, Signal};
use crate::sys::environ::Inherited;
use crate::sys::job::TerminalJob;
use crate::sys::message_pipe::{self, Heard};
use crate::sys::outer_terminal::Screen;
use crate::sys::process::{self, ChildChange, Forked, To};
use crate::sys::signal_mask::ALL;
use crate::sys::{exec, fd, files, page_release, pty};

/// The process that a fork has made of this one.
pub(super) enum Parted {
    /// The process to become the workload; its parent's number.
    Workload(i32),
    /// The process that was there; the numbers of its child, and of the workload, which may be
    /// another.
    Supervisor(i32, i32),
}

/// Forks the process that becomes the workload. For a terminal of its own, another process stands
/// in between.
///
/// # Errors
/// The system's error.
pub(super) fn part(
    inherited: &mut Option<Inherited>,
    job: &mut TerminalJob,
    session: Option<&mut Session>,
    inner: Option<&Inner>,
) -> io::Result<Parted> {
    let supervisor = process::own();
    let Some(session) = session else {
        return Ok(match process::fork()? {
            Forked::Parent(workload) => Parted::Supervisor(workload, workload),
            Forked::Child => {
                job.separate();
                Parted::Workload(supervisor)
            }
        });
    };
    job.keep_terminal();
    let is_wanted = session.is_wanted();
    let (mut speaker, mut listener) = message_pipe::pipe()?;
    if let Forked::Parent(monitor) = process::fork()? {
        drop(speaker);
        session.slave = None;
        session.monitor = monitor;
        let mut workload = 0;
        let mut hear = || {
            let number = |number: &[u8]| {
                workload = number.try_into().map_or(0, i32::from_le_bytes);
            };
            listener.hear(number) == Heard::More
        };
        while hear() {}
        if workload > 0 {
            return Ok(Parted::Supervisor(monitor, workload));
        }
        process::send(To::Process(monitor), KILL.into());
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let monitor = process::own();
    let Some(terminal) = session.slave.as_ref().map(AsRawFd::as_raw_fd) else {
        exec::quit(125)
    };
    pty::begin_session(terminal);
    match process::fork() {
        Ok(Forked::Child) => {
            process::lead_group(0);
            if is_wanted {
                pty::give(terminal, process::own());
            }
            Ok(Parted::Workload(monitor))
        }
        Ok(Forked::Parent(workload)) => {
            process::lead_group(workload);
            speaker.put(&workload.to_le_bytes());
            let _ = speaker.say();
            drop(speaker);
            // A process that opens our descriptors is to get the workload's.
            if inner.is_some_and(|inner| inner.stand_in().is_err()) {
                exec::quit(125);
            }
            inherited.take().unwrap_or_default().erase();
            stand_between(&session.screen, terminal, supervisor, workload)
        }
        Err(_) => exec::quit(125),
    }
}

/// Stands between the supervisor and the workload, and ends as the workload does.
fn stand_between(screen: &Screen, terminal: RawFd, supervisor: i32, workload: i32) -> ! {
    files::leave_folder();
    process::set_name(&format!("doorkey:{workload}"));
    fd::close_others(&mut [screen.descriptor(), terminal]);
    process::signal_at_end_of(supervisor, HUP.into());
    let (group, clean) = (process::group(), page_release::clean());
    loop {
        let taken = process::take_idle(ALL, None, &clean);
        if process::parent() != supervisor {
            // The supervisor was killed, and could not restore it itself. The end of the session is
            // for all who are in it.
            screen.restore();
            exec::quit(128 + KILL);
        }
        match taken.map(|taken| taken.signal() as Signal) {
            Some(CHLD) => match process::reap(workload) {
                Some(ChildChange::Ended(code)) => {
                    // Our end must be no hangup for what the workload leaves.
                    pty::give(terminal, group);
                    exec::quit(code);
                }
                Some(ChildChange::Stopped(signal)) => {
                    // Continued in the background it is stopped again when it wants the
                    // terminal.
                    pty::give(terminal, group);
                    screen.tell_stopped(signal);
                    process::send(To::Process(supervisor), CHLD.into());
                }
                None => {}
            },
            Some(GIVE) => {
                pty::give(terminal, workload);
                process::send(To::Group(workload), CONT.into());
            }
            _ => {}
        }
    }
}
