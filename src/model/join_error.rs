//! Reasons why a workload can't be joined.

use thiserror::Error;

use super::escape::Shown;

/// The reason why a workload can't be joined. Processes are named by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinError {
    /// A missing /proc, or one of another namespace.
    #[error(
        "there is no /proc that shows this process, so the workload can't be looked for; mount one"
    )]
    NoProc,
    /// A process that does not exist, or has ended.
    #[error("process {0}: there is none, or it has ended")]
    Absent(i32),
    /// An init that is not doorkey, with no child process or several, so that the workload can't be
    /// told.
    #[error(
        "process {process} is {}, with {children} children: it can't be told which of them is the \
         workload; name it with --pid",
        Shown(name)
    )]
    Unclear {
        /// The init.
        process: i32,
        /// The init's name.
        name: Vec<u8>,
        /// The number of its children.
        children: usize,
    },
    /// A supervisor whose workload is not below it.
    #[error(
        "process {supervisor} is doorkey, but its workload {workload} is not below it in this \
         /proc, or has ended; name it with --pid"
    )]
    Lost {
        /// The supervisor.
        supervisor: i32,
        /// The workload that it names.
        workload: i32,
    },
    /// A process that is still doorkey, and is fetching the secrets.
    #[error(
        "process {0}: the workload has not started yet, doorkey is still fetching its secrets; \
         try again"
    )]
    NotBegun(i32),
    /// A process that the kernel does not let this one look into.
    #[error(
        "process {process}: the kernel's ptrace check keeps its environment from this process; \
         join as its own user {account} and with its capabilities (docker exec --user {account}), \
         or with CAP_SYS_PTRACE"
    )]
    Denied {
        /// The process.
        process: i32,
        /// The account that it runs as: `UID:GID`.
        account: String,
    },
    /// A process that has written over its environment.
    #[error(
        "process {0}: it has written over its environment, as programs do that change their \
         title; name one of the workload that has not, with --pid"
    )]
    Overwritten(i32),
    /// A process that ended, or became another program, while doorkey looked at it.
    #[error("process {0}: it has ended or become another program meanwhile; try again")]
    Changed(i32),
}
