//! Why a workload can't be joined.

use thiserror::Error;

use super::escape::Shown;

/// The reason why a workload can't be joined. Processes are called by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinError {
    /// /proc is missing, or another namespace's.
    #[error(
        "there is no /proc that shows this process, so the workload can't be looked for; mount one"
    )]
    NoProc,
    /// There is no such process, or it has ended.
    #[error("process {0}: there is none, or it has ended")]
    Absent(i32),
    /// It is an init of somebody else's, and it can't be told which process the workload is.
    #[error(
        "process {process} is {}, with {children} children: it can't be told which of them is the \
         workload; name it with --pid",
        Shown(name)
    )]
    Unclear {
        /// The init.
        process: i32,
        /// Its name.
        name: Vec<u8>,
        /// How many children it has.
        children: usize,
    },
    /// The process that a supervisor names is not below it.
    #[error(
        "process {supervisor} is doorkey, but its workload {workload} is not below it in this \
         /proc, or has ended; name it with --pid"
    )]
    Lost {
        /// The supervisor.
        supervisor: i32,
        /// The process that it names.
        workload: i32,
    },
    /// It is doorkey still, which fetches the secrets.
    #[error(
        "process {0}: the workload has not started yet, doorkey is still fetching its secrets; \
         try again"
    )]
    NotBegun(i32),
    /// The kernel does not let this process look into it.
    #[error(
        "process {process}: the kernel's ptrace check keeps its environment from this process; \
         join as its own user {account} and with its capabilities (docker exec --user {account}), \
         or with CAP_SYS_PTRACE"
    )]
    Denied {
        /// It.
        process: i32,
        /// Whom it runs as: `UID:GID`.
        account: String,
    },
    /// It has written over its environment.
    #[error(
        "process {0}: it has written over its environment, as programs do that change their \
         title; name one of the workload that has not, with --pid"
    )]
    Overwritten(i32),
    /// It has become another program, or another process, while it was looked at.
    #[error("process {0}: it has ended or become another program meanwhile; try again")]
    Changed(i32),
}
