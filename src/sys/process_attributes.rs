//! Sets a workload's user, limits, folder and the like. All of it takes effect in the last moment,
//! as doorkey itself runs as it was started until then.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::prctl;
use nix::unistd::{Gid, Uid, fchown, getgroups, getresgid, getresuid};

use super::fd;
use crate::core::passwd::Account;
use crate::core::rlimit::Limit;
use crate::model::error::Error;
use crate::model::named::Named;

/// The attributes to change for the workload.
#[derive(Default)]
pub struct Attributes {
    /// The user that it runs as, and the name that this user was given by.
    pub account: Option<(Account, String)>,
    /// True if it and its children never gain privileges (`no_new_privs`).
    pub no_new_privs: bool,
    /// The umask: the permissions that it does not give to files.
    pub umask: Option<u32>,
    /// The working directory.
    pub folder: Option<Named>,
    /// The name that it gets as its first argument.
    pub argv0: Option<CString>,
    /// The number that is added to its niceness.
    pub nice: Option<i32>,
    /// Limits on what it may use.
    pub limits: Vec<Limit>,
    /// The signal that it gets when its parent has ended, 0 for none, and that parent.
    pub parent_death: Option<(libc::c_int, i32)>,
    /// The standard descriptors, if others than ours: each place, and the descriptor for it.
    pub streams: Vec<(RawFd, OwnedFd)>,
    /// The files that are delivered to it, which it must be able to open.
    pub files: Vec<PathBuf>,
    /// True if the files are for a user that it becomes by itself. That user alone may open them.
    pub files_are_others: bool,
}

/// From the kernel's `linux/capability.h`.
const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;
const CAP_SYS_NICE: u32 = 23;
const CAP_SYS_RESOURCE: u32 = 24;
/// From the kernel's `asm-generic/resource.h`.
const RLIMIT_NICE: u32 = 13;

impl Attributes {
    /// Returns an error for each attribute that this process may not set, as far as that is known
    /// beforehand.
    pub fn faults(&self) -> Vec<Error> {
        let mut faults = Vec::new();
        if let Some((account, _)) = &self.account {
            let uid_stays = ids(false) == [account.uid; 3];
            let gid_stays =
                ids(true) == [account.gid; 3] && groups().as_ref() == Some(&account.groups);
            if !(uid_stays || may(CAP_SETUID)) || !(gid_stays || may(CAP_SETGID)) {
                faults.push(self.no_account(libc::EPERM));
            }
        }
        if let Some(by) = self.nice {
            let (before, after) = niceness(by);
            let lowest = 20 - i64::try_from(limit(RLIMIT_NICE).0).unwrap_or(40);
            if after < before && i64::from(after) < lowest && !may(CAP_SYS_NICE) {
                faults.push(not_nice(after, libc::EACCES));
            }
        }
        for wanted in &self.limits {
            if wanted.hard > limit(wanted.number).1 && !may(CAP_SYS_RESOURCE) {
                faults.push(not_limited(wanted, libc::EPERM));
            }
        }
        if let Some(folder) = &self.folder {
            let why = match folder.metadata() {
                Ok(found) if found.is_dir() => None,
                Ok(_) => Some(io::Error::from_raw_os_error(libc::ENOTDIR)),
                Err(why) => Some(why),
            };
            faults.extend(why.map(|why| Error::file("enter", folder.clone(), why)));
        }
        faults
    }

    /// Applies all attributes to this process, which is about to become the workload.
    ///
    /// # Errors
    /// The attribute that the system refused, and the reason why.
    pub fn apply(&self) -> Result<(), Error> {
        for wanted in &self.limits {
            let both = [wanted.soft, wanted.hard];
            // SAFETY: the kernel's struct is two numbers of this size.
            if unsafe { prlimit(wanted.number, both.as_ptr(), std::ptr::null_mut()) } == -1 {
                return Err(not_limited(wanted, last()));
            }
        }
        if let Some(by) = self.nice {
            let (_, after) = niceness(by);
            // SAFETY: it takes no pointer.
            if unsafe { libc::setpriority(libc::PRIO_PROCESS as _, 0, after) } == -1 {
                return Err(not_nice(after, last()));
            }
        }
        self.change_user()?;
        if let Some(folder) = &self.folder {
            std::env::set_current_dir(folder)
                .map_err(|why| Error::file("enter", folder.clone(), why))?;
        }
        if let Some((signal, parent)) = self.parent_death {
            // A change of user undoes it.
            super::process::signal_at_end_of(parent, signal);
        }
        if let Some(umask) = self.umask {
            // A sandbox may refuse it, which `nix` does not look for.
            // SAFETY: it takes no pointer.
            let before = unsafe { libc::umask(umask as libc::mode_t) };
            if before == libc::mode_t::MAX {
                return Err(Error::file("set", "the umask", io_error(last())));
            }
        }
        if self.no_new_privs {
            let renounced = prctl::set_no_new_privs().map_err(io::Error::from);
            renounced.map_err(|why| Error::file("renounce", "new privileges", why))?;
        }
        for (place, stream) in &self.streams {
            let put = fd::put(stream.as_raw_fd(), *place);
            put.map_err(|why| Error::file("replace", format!("descriptor {place}"), why))?;
        }
        super::memfd::try_all(&self.files, self.files_are_others)
    }

    /// Becomes the account's user. The groups come first, as another user may not change them any
    /// more. An id that is already right is left alone, so that it needs no right.
    ///
    /// # Errors
    /// The attribute that the system refused, and the reason why.
    pub fn change_user(&self) -> Result<(), Error> {
        let Some((account, _)) = &self.account else {
            return Ok(());
        };
        let (uid, gid, list) = (account.uid, account.gid, &account.groups);
        for (_, stream) in &self.streams {
            // It may open them by name, as /dev/stdout.
            let _ = fchown(stream, Some(Uid::from_raw(uid)), None);
        }
        // The C library's own calls would signal every thread there is: it is this one that
        // becomes the workload.
        // SAFETY: the list is as long as is said; the other calls take no pointer.
        let done = unsafe {
            (groups().as_ref() == Some(list)
                || libc::syscall(libc::SYS_setgroups, list.len(), list.as_ptr()) == 0)
                && (ids(true) == [gid; 3] || libc::syscall(libc::SYS_setresgid, gid, gid, gid) == 0)
                && (ids(false) == [uid; 3]
                    || libc::syscall(libc::SYS_setresuid, uid, uid, uid) == 0)
        };
        if done {
            Ok(())
        } else {
            Err(self.no_account(last()))
        }
    }

    fn no_account(&self, why: i32) -> Error {
        let name = self.account.as_ref().map_or("", |(_, name)| name);
        Error::file("become", format!("the user {name}"), io_error(why))
    }
}

fn not_nice(niceness: i32, why: i32) -> Error {
    Error::file("set", format!("the niceness to {niceness}"), io_error(why))
}

fn not_limited(limit: &Limit, why: i32) -> Error {
    Error::file("set", format!("the limit {}", limit.name), io_error(why))
}

fn io_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

fn last() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Returns the real, the effective and the saved user or group.
fn ids(of_group: bool) -> [u32; 3] {
    // What can't be told is nobody's.
    let ids = match of_group {
        true => getresgid().map(|ids| [ids.real, ids.effective, ids.saved].map(Gid::as_raw)),
        false => getresuid().map(|ids| [ids.real, ids.effective, ids.saved].map(Uid::as_raw)),
    };
    ids.unwrap_or([u32::MAX; 3])
}

/// Returns the supplementary groups, sorted; `None` if they can't be told.
fn groups() -> Option<Vec<u32>> {
    let groups = getgroups().ok()?;
    let mut groups: Vec<_> = groups.into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    Some(groups)
}

/// Returns our group and the supplementary ones, if this process may not change them.
pub fn unchangeable_groups() -> Option<(u32, Vec<u32>)> {
    let [gid, ..] = ids(true);
    (!may(CAP_SETGID)).then_some((gid, groups()?))
}

/// Returns the niceness now, and raised by `by`.
fn niceness(by: i32) -> (i32, i32) {
    // SAFETY: it takes no pointer. No error can come, so -1 is a niceness.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS as _, 0) };
    (now, now.saturating_add(by).clamp(-20, 19))
}

/// Returns a limit in force, soft and hard.
fn limit(number: u32) -> (u64, u64) {
    let mut both = [u64::MAX; 2];
    // SAFETY: the kernel's struct is two numbers of this size.
    unsafe { prlimit(number, std::ptr::null(), both.as_mut_ptr()) };
    (both[0], both[1])
}

/// # Safety
/// Each pointer is null or to two numbers.
unsafe fn prlimit(number: u32, new: *const u64, old: *mut u64) -> libc::c_long {
    // SAFETY: as the caller promises.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, number, new, old) }
}

/// True if this process has a capability in force.
fn may(capability: u32) -> bool {
    // The kernel's `struct __user_cap_header_struct` and two of `__user_cap_data_struct`:
    // effective, permitted and inheritable ones.
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: both are as large as this version of the call says.
    unsafe { libc::syscall(libc::SYS_capget, &header, &mut sets) };
    sets[capability as usize / 32][0] >> (capability % 32) & 1 == 1
}
