//! Why a workload can't be joined.

use std::fmt;

use super::escape::Shown;

/// Why a workload can't be joined. Processes are called by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unjoinable {
    /// /proc is missing, or another namespace's.
    NoProc,
    /// There is no such process, or it has ended.
    Absent(i32),
    /// It is an init of somebody else's, and it can't be told which process the workload is.
    Unclear {
        /// The init.
        process: i32,
        /// Its name.
        name: Vec<u8>,
        /// How many children it has.
        children: usize,
    },
    /// The process that a supervisor names is not below it.
    Lost {
        /// The supervisor.
        supervisor: i32,
        /// The process that it names.
        workload: i32,
    },
    /// It is doorkey still, which fetches the secrets.
    NotBegun(i32),
    /// The kernel does not let this process look into it.
    Denied {
        /// It.
        process: i32,
        /// Whom it runs as: `UID:GID`.
        account: String,
    },
    /// It has written over its environment.
    Overwritten(i32),
    /// It has become another program, or another process, while it was looked at.
    Changed(i32),
}

impl fmt::Display for Unjoinable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unjoinable::NoProc => f.write_str(
                "there is no /proc that shows this process, so the workload can't be looked for; mount one",
            ),
            Unjoinable::Absent(process) => {
                write!(f, "process {process}: there is none, or it has ended")
            }
            Unjoinable::Unclear {
                process,
                name,
                children,
            } => write!(
                f,
                "process {process} is {}, with {children} children: it can't be told which of them is the workload; name it with --pid",
                Shown(name)
            ),
            Unjoinable::Lost {
                supervisor,
                workload,
            } => write!(
                f,
                "process {supervisor} is doorkey, but its workload {workload} is not below it in this /proc, or has ended; name it with --pid"
            ),
            Unjoinable::NotBegun(process) => write!(
                f,
                "process {process}: the workload has not started yet, doorkey is still fetching its secrets; try again"
            ),
            Unjoinable::Denied { process, account } => write!(
                f,
                "process {process}: the kernel's ptrace check keeps its environment from this process; join as its own user {account} and with its capabilities (docker exec --user {account}), or with CAP_SYS_PTRACE"
            ),
            Unjoinable::Overwritten(process) => write!(
                f,
                "process {process}: it has written over its environment, as programs do that change their title; name one of the workload that has not, with --pid"
            ),
            Unjoinable::Changed(process) => write!(
                f,
                "process {process}: it has ended or become another program meanwhile; try again"
            ),
        }
    }
}
