//! `join`: a command beside a running workload, with its environment. The kernel decides what may
//! be seen of the workload (`ptrace(2)`, "ptrace access mode checking"); nothing here gets around
//! that.

use std::ffi::CStr;
use std::io;

use crate::core::environment::{Block, value_in};
use crate::core::proc::{Stat, entries};
use crate::model::error::{Error, JoinError};
use crate::model::log;
use crate::model::secret::Secret;
use crate::sys::proc;
use crate::sys::process_attributes::Attributes;

/// A workload, with the environment that it was started with.
pub struct Joined {
    process: i32,
    environment: Secret,
}

/// Finds the workload, from PID 1 where no process is named. Takes its user, and with that its
/// environment and its memory files.
///
/// # Errors
/// The reason why the workload can't be joined.
pub fn join(named: Option<i32>) -> Result<Joined, Error> {
    let is_ours = proc::is_ours().map_err(|why| Error::file("read", "/proc/self", why))?;
    if !is_ours {
        return Err(JoinError::NoProc.into());
    }
    let (process, found) = find(named.unwrap_or(1))?;
    log::debug!("the workload is process {process}");
    // A process before its exec may not be looked into, and can't be told by its file.
    let is_below_supervisor = || {
        let above = known(found.parent)?;
        Ok::<_, Error>(above.is_some_and(|above| above.workload() == Some(process)))
    };
    if found.name == b"doorkey" || found.is_fork && is_below_supervisor()? {
        return Err(JoinError::NotBegun(process).into());
    }
    let account = take_account(process)?;
    let start =
        proc::start(process).map_err(|why| unreadable(process, "environ", &account, why))?;
    if start.stat.started != found.started {
        return Err(JoinError::Changed(process).into());
    }
    let is_own_program = || {
        let is_it = proc::is_own_program(process);
        is_it.map_err(|why| unreadable(process, "exe", &account, why))
    };
    if start.stat.name == b"doorkey" || is_own_program()? {
        return Err(JoinError::NotBegun(process).into());
    }
    if !start.stat.has_arguments(&start.cmdline) {
        return Err(JoinError::Overwritten(process).into());
    }
    take_files(process, &account)?;
    match proc::stat(process) {
        Ok(now) if now.started == found.started && !now.has_ended => Ok(Joined {
            process,
            environment: start.environment,
        }),
        _ => Err(JoinError::Changed(process).into()),
    }
}

impl Joined {
    /// Returns the workload's environment, with this process's own entry of TERM.
    ///
    /// # Errors
    /// The workload has overwritten its environment.
    pub fn environment<'a>(&'a self, term: Option<&'a CStr>) -> Result<Block<'a>, Error> {
        let entries = entries(self.environment.expose());
        let entries = entries.ok_or(JoinError::Overwritten(self.process))?;
        let is_term = |entry: &CStr| value_in(entry.to_bytes(), b"TERM").is_some();
        let (mut own, mut block) = (term, Vec::with_capacity(entries.len() + 1));
        for entry in entries {
            block.extend(if is_term(entry) {
                own.take()
            } else {
                Some(entry)
            });
        }
        block.extend(own);
        Ok(block.into_iter().map(Into::into).collect())
    }
}

/// Finds the workload of a process: usually the process itself. For a supervisor it is the process
/// in its name. For another init it is the workload of its only child.
fn find(mut process: i32) -> Result<(i32, Stat), Error> {
    loop {
        let found = stat(process)?;
        if let Some(workload) = found.workload() {
            return below(process, &found, workload);
        }
        if !found.is_init() {
            return Ok((process, found));
        }
        let all = proc::all().map_err(|why| Error::file("read", "/proc", why))?;
        let mut children = all
            .into_iter()
            .filter(|(_, stat)| stat.parent == process && !stat.has_ended);
        process = match (children.next(), children.count()) {
            (Some((child, _)), 0) => child,
            (first, others) => {
                return Err(JoinError::Unclear {
                    process,
                    name: found.name,
                    children: others + usize::from(first.is_some()),
                }
                .into());
            }
        };
    }
}

/// Finds the workload that a supervisor has in its name. One more process of doorkey's, of the same
/// name, can be between them.
fn below(supervisor: i32, its: &Stat, workload: i32) -> Result<(i32, Stat), Error> {
    let lost = JoinError::Lost {
        supervisor,
        workload,
    };
    let Some(found) = known(workload)? else {
        return Err(lost.into());
    };
    let is_between = |process| {
        let one = known(process)?;
        Ok::<_, Error>(one.is_some_and(|one| one.name == its.name && one.parent == supervisor))
    };
    if found.parent != supervisor && !is_between(found.parent)? {
        return Err(lost.into());
    }
    Ok((workload, found))
}

fn stat(process: i32) -> Result<Stat, Error> {
    known(process)?.ok_or_else(|| JoinError::Absent(process).into())
}

/// Reads a process, unless there is none, or it has ended.
fn known(process: i32) -> Result<Option<Stat>, Error> {
    match proc::stat(process) {
        Ok(stat) => Ok(Some(stat).filter(|stat| !stat.has_ended)),
        Err(why) if proc::has_ended(&why) => Ok(None),
        Err(why) => Err(Error::file("read", proc::path(process, "stat"), why)),
    }
}

/// Becomes the workload's user, where this process may: with other rights the kernel would keep the
/// workload from it. Returns that user, as `UID:GID`.
fn take_account(process: i32) -> Result<String, Error> {
    let account = proc::account(process);
    let account = account.map_err(|why| unreadable(process, "status", "", why))?;
    let name = format!("{}:{}", account.uid, account.gid);
    let attributes = Attributes {
        account: Some((account, name.clone())),
        ..Attributes::default()
    };
    if attributes.faults().is_empty() {
        attributes.change_user()?;
    } else {
        log::debug!(
            "the command does not get the workload's user {name}, or not its groups: that takes CAP_SETUID and CAP_SETGID"
        );
    }
    Ok(name)
}

/// Opens the files that the environment names as /proc/self/fd/N, under the same numbers.
fn take_files(process: i32, account: &str) -> Result<(), Error> {
    let files = proc::memory_files(process);
    for number in files.map_err(|why| unreadable(process, "fd", account, why))? {
        let path = format!("fd/{number}");
        let was_taken = proc::reopen(process, number)
            .map_err(|why| unreadable(process, &path, account, why))?;
        let instead = if was_taken {
            ", in place of another"
        } else {
            ""
        };
        log::debug!("descriptor {number} is the workload's file{instead}");
    }
    Ok(())
}

fn unreadable(process: i32, file: &str, account: &str, why: io::Error) -> Error {
    let account = account.to_owned();
    match why.kind() {
        io::ErrorKind::PermissionDenied if file != "environ" => {
            Error::file("open", proc::path(process, file), why)
        }
        io::ErrorKind::PermissionDenied => JoinError::Denied { process, account }.into(),
        io::ErrorKind::UnexpectedEof => JoinError::Changed(process).into(),
        _ if proc::has_ended(&why) => JoinError::Absent(process).into(),
        _ => Error::file("read", proc::path(process, file), why),
    }
}
