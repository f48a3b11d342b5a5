//! Reads other processes' data from /proc, and takes over memory files of one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::{memfd, process};
use crate::core::passwd::Account;
use crate::core::proc::{self, Stat};
use crate::model::secret::Secret;

/// The largest environment, in bytes: the kernel takes 6 MiB with the arguments.
const LARGEST: u64 = 8 << 20;

/// Returns the path of a file in a process's folder.
pub fn path(process: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{file}"))
}

/// True if /proc is mounted and has the numbers that this process knows. Another namespace's has
/// others.
///
/// # Errors
/// The system's error where it does not say that.
pub fn is_ours() -> io::Result<bool> {
    let own = process::own().to_string();
    let link = there(fs::read_link("/proc/self"))?;
    Ok(link.is_some_and(|link| link.to_str() == Some(&own)))
}

/// Turns the error of a process that has ended, or of a closed file of it, into `None`. Any other
/// error stays.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(why) if has_ended(&why) => Ok(None),
        Err(why) => Err(why),
    }
}

/// True if an error says that a process does not exist, or not any more.
pub fn has_ended(why: &io::Error) -> bool {
    matches!(why.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Reads a process's `stat`.
///
/// # Errors
/// The system's error.
pub fn stat(process: i32) -> io::Result<Stat> {
    let stat = proc::stat(&fs::read(path(process, "stat"))?);
    stat.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Returns every process that is shown, with its number.
///
/// # Errors
/// The system's error.
pub fn all() -> io::Result<Vec<(i32, Stat)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match there(stat(process)) {
            Ok(found) => all.extend(found.map(|stat| (process, stat))),
            // Others' are kept from us where /proc is mounted so.
            Err(why) if why.raw_os_error() == Some(libc::EPERM) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(all)
}

/// Returns the user and groups that a process runs as.
///
/// # Errors
/// The system's error.
pub fn account(process: i32) -> io::Result<Account> {
    let account = proc::account(&fs::read(path(process, "status"))?);
    account.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// True if a process, which this one may inspect, runs the same file as this one.
///
/// # Errors
/// The system's error.
pub fn is_own_program(process: i32) -> io::Result<bool> {
    let file = |path: PathBuf| path.metadata().map(|file| (file.dev(), file.ino()));
    Ok(file(path(process, "exe"))? == file("/proc/self/exe".into())?)
}

/// The data that a process was started with, all of it at one moment.
pub struct Start {
    /// The process at that moment.
    pub stat: Stat,
    /// The arguments, as they are shown.
    pub cmdline: Vec<u8>,
    /// The environment's block.
    pub environment: Secret,
}

/// Reads the data that a process was started with.
///
/// # Errors
/// The system's error; `UnexpectedEof` where it ends, or becomes another program, meanwhile.
pub fn start(process: i32) -> io::Result<Start> {
    // The kernel looks once whether this may be read, and goes on to show that program's, or
    // nothing.
    let mut environ = File::open(path(process, "environ"))?;
    let before = stat(process)?;
    let cmdline = fs::read(path(process, "cmdline"))?;
    let size = before
        .environment
        .end
        .saturating_sub(before.environment.start);
    if size > LARGEST {
        return Err(Errno::EFBIG.into());
    }
    let mut environment = vec![0; size as usize];
    let read = environ.read_exact(&mut environment);
    let environment = Secret::new(environment);
    read?;
    let after = stat(process)?;
    let of = |stat: &Stat| {
        (
            stat.started,
            stat.arguments.clone(),
            stat.environment.clone(),
        )
    };
    let is_whole = before.is_program && !after.has_ended;
    if of(&before) != of(&after) || !is_whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Start {
        stat: after,
        cmdline,
        environment,
    })
}

/// Returns the descriptors of a process that are doorkey's memory files, ascending.
///
/// # Errors
/// The system's error.
pub fn memory_files(process: i32) -> io::Result<Vec<i32>> {
    let folder = path(process, "fd");
    let begins = format!("/memfd:{}", memfd::PREFIX);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|&number| number >= memfd::FIRST) else {
            continue;
        };
        // One that was closed meanwhile is none.
        let link = there(fs::read_link(folder.join(name)))?;
        if link.is_some_and(|link| link.as_os_str().as_bytes().starts_with(begins.as_bytes())) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Opens a process's file again, under the same number, for this process and the program that it
/// becomes. True if that number was taken; it stands for this file now.
///
/// # Errors
/// The system's error.
pub fn reopen(process: i32, number: i32) -> io::Result<bool> {
    // SAFETY: it takes no pointer.
    let is_taken = match Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) }) {
        Err(Errno::EBADF) => false,
        flags => flags.map(|_| true)?,
    };
    let file = File::open(path(process, &format!("fd/{number}")))?;
    // SAFETY: neither takes a pointer; nothing of doorkey's own has so high a number but the file
    // itself, which `into_raw_fd` gives up.
    let done = unsafe {
        if file.as_raw_fd() == number {
            libc::fcntl(file.into_raw_fd(), libc::F_SETFD, 0)
        } else {
            libc::dup2(file.as_raw_fd(), number)
        }
    };
    Errno::result(done)?;
    Ok(is_taken)
}
