//! Handles signals and the deadline until the exec.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::signal_mask::{self, ALL, Mask, bit};
use super::{leftovers, process, program, stdio, terminal};

/// The signals that end a launch. As PID 1 they would otherwise be dropped by the kernel.
const ENDING: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// The timer's own signal, which nobody else is likely to use. It is the last real-time signal that
/// exists under qemu's user emulation, by which images of another architecture are run.
const DEADLINE: libc::c_int = 61;

/// True if another process has sent the timer's signal, which is then the workload's.
static FOREIGN: AtomicBool = AtomicBool::new(false);

static LATE: AtomicPtr<Late> = AtomicPtr::new(std::ptr::null_mut());

struct Late {
    messages: [Vec<u8>; 3],
    code: libc::c_int,
}

/// The timer of the deadline.
static TIMER: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The time by which the deadline waits for a program that is started.
const MOMENT: Duration = Duration::from_millis(1);

/// The part of the work that takes its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Our own.
    Own,
    /// Reading a file.
    File,
    /// Asking a store.
    Store,
}

/// The current part of the work.
static WORK: AtomicU8 = AtomicU8::new(Work::Own as u8);

/// A part of the work that lasts until this is dropped; holds the part before.
pub struct Working(u8);

/// Begins a part of the work.
pub fn begin(work: Work) -> Working {
    Working(WORK.swap(work as u8, Relaxed))
}

impl Drop for Working {
    fn drop(&mut self) {
        WORK.store(self.0, Relaxed);
    }
}

/// The messages for the signals that end a fetch, in the order of [`ENDING`]; null while there is
/// none.
static ENDED: AtomicPtr<[Vec<u8>; 4]> = AtomicPtr::new(std::ptr::null_mut());

/// Formats the line of a signal that ends a fetch: its name, and the last that is known.
pub type Wording = fn(&str, &str) -> Vec<u8>;

/// The wording of the fetch that goes on, if one does.
static WORDING: Mutex<Option<Wording>> = Mutex::new(None);

/// A fetch, which goes on until this is dropped.
pub struct Fetching(());

/// Has a signal that ends us say so, with the last that is known of the fetch.
pub fn fetching(wording: Wording, from: &str) -> Fetching {
    *WORDING.lock().unwrap_or_else(PoisonError::into_inner) = Some(wording);
    note(&format!("{from}: no answer yet"));
    Fetching(())
}

/// Notes the last that is known of a fetch, if one goes on.
pub fn note(last: &str) {
    let wording = WORDING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(wording) = *wording {
        let messages = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"].map(|name| wording(name, last));
        // The one before stays in memory: a handler may be reading it.
        ENDED.store(Box::into_raw(Box::new(messages)), Relaxed);
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        *WORDING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        ENDED.store(std::ptr::null_mut(), Relaxed);
    }
}

/// Makes TERM, INT, HUP and QUIT end the process with 128+N. A signal that was inherited as ignored
/// stays ignored, and one that was blocked stays blocked: the workload gets it. The exec itself
/// restores the dispositions, in the same step, so that no signal falls in between.
///
/// # Errors
/// The system's error, if a disposition could not be read; the other signals are handled all the
/// same.
pub fn end_on_signals() -> io::Result<()> {
    let mut read = Ok(());
    for signal in ENDING {
        // SAFETY: plain data, filled in by the first call; `end` only calls `_exit`.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &mut action) == -1 {
                read = Err(io::Error::last_os_error());
            } else if action.sa_sigaction == libc::SIG_DFL {
                action.sa_sigaction = end as extern "C" fn(libc::c_int) as usize;
                libc::sigaction(signal, &action, std::ptr::null_mut());
            }
        }
    }
    read
}

/// Returns the ending signals that are not ignored.
pub(super) fn ending() -> Mask {
    let ends = |signal: &&libc::c_int| {
        // SAFETY: plain data, filled in by the call.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(**signal, std::ptr::null(), &mut action);
            action.sa_sigaction != libc::SIG_IGN
        }
    };
    let set = ENDING.iter().filter(ends);
    set.fold(0, |set, &signal| set | bit(signal))
}

/// Blocks every signal that would end us without a handler of ours, until the value is dropped.
pub fn hold() -> Holding {
    let ours = ENDING.iter().chain([&DEADLINE]);
    let ours = ours.fold(0, |set, &signal| set | bit(signal));
    Holding(signal_mask::change(libc::SIG_BLOCK, ALL & !ours))
}

/// Blocks signals; holds the mask before.
pub struct Holding(Mask);

impl Drop for Holding {
    fn drop(&mut self) {
        signal_mask::change(libc::SIG_SETMASK, self.0);
    }
}

/// The signals that keys at a terminal send.
const KEYS: [libc::c_int; 2] = [libc::SIGINT, libc::SIGQUIT];

/// Starts a program that the signals of keys are for. They are ignored here until the second value is
/// dropped. A key that is pressed while the program starts does not end us.
///
/// # Errors
/// The system's error if the program can't be started.
pub fn spawn_for_keys(command: &mut Command) -> io::Result<(Child, KeysIgnored)> {
    // Ignored ones would be so in the program, too. Blocked ones wait until they are ignored here.
    let keys = KEYS.iter().fold(0, |set, &key| set | bit(key));
    let held = Holding(signal_mask::change(libc::SIG_BLOCK, keys));
    let before = held.0;
    let prepare = move || {
        for key in KEYS {
            // SAFETY: neither of the two is a handler.
            unsafe {
                if libc::signal(key, libc::SIG_DFL) == libc::SIG_IGN {
                    libc::signal(key, libc::SIG_IGN);
                }
            }
        }
        signal_mask::change(libc::SIG_SETMASK, before);
        Ok(())
    };
    // SAFETY: it makes system calls alone, which a child process may do after a fork.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn()?;
    // SAFETY: to ignore is no handler.
    let ignored = KEYS.map(|key| (key, unsafe { libc::signal(key, libc::SIG_IGN) }));
    Ok((child, KeysIgnored(ignored)))
}

/// Ignores signals; holds their handlers from before.
pub struct KeysIgnored([(libc::c_int, libc::sighandler_t); 2]);

impl Drop for KeysIgnored {
    fn drop(&mut self) {
        for (key, before) in self.0 {
            // SAFETY: it is what the system gave us.
            unsafe { libc::signal(key, before) };
        }
    }
}

extern "C" fn end(signal: libc::c_int) {
    if program::postpone(signal) {
        return;
    }
    terminal::restore();
    leftovers::remove();
    let messages = ENDED.load(Relaxed);
    let at = ENDING.iter().position(|&one| one == signal);
    // SAFETY: the pointer is null, or was leaked from a box, which nobody changes; writing to a
    // descriptor and `_exit` may be called in a handler.
    unsafe {
        if let (Some(messages), Some(at)) = (messages.as_ref(), at) {
            stdio::say(&messages[at]);
        }
        libc::_exit(128 + signal)
    }
}

/// A running deadline. Dropping this lifts it.
pub struct Deadline {
    timer: libc::timer_t,
    before: libc::sigaction,
}

/// Past `after`, writes a message to stderr and exits with `code`, whatever the process is doing.
/// There is one message for each part of the work, in the order of [`Work`].
///
/// # Errors
/// The system's error if it gives no timer.
pub fn deadline(after: Duration, messages: [Vec<u8>; 3], code: u8) -> io::Result<Deadline> {
    let late = Late {
        messages,
        code: code.into(),
    };
    LATE.store(Box::into_raw(Box::new(late)), Relaxed);
    // SAFETY: every struct is plain data for which zeros are valid, and lives through its call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = too_late as Handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(DEADLINE, &action, &mut before);
        signal_mask::change(libc::SIG_UNBLOCK, bit(DEADLINE));

        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = DEADLINE;
        let mut timer: libc::timer_t = std::mem::zeroed();
        if libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) == -1 {
            return Err(io::Error::last_os_error());
        }
        TIMER.store(timer, Relaxed);
        set(timer, after)?;
        Ok(Deadline { timer, before })
    }
}

impl Deadline {
    /// Makes it later.
    ///
    /// # Errors
    /// The system's error.
    pub fn extend(&self, by: Duration) -> io::Result<()> {
        // SAFETY: plain data for which zeros are valid, and the timer is ours.
        unsafe {
            let mut when: libc::itimerspec = std::mem::zeroed();
            if libc::timer_gettime(self.timer, &mut when) == -1 {
                return Err(io::Error::last_os_error());
            }
            let left = Duration::new(
                when.it_value.tv_sec.try_into().unwrap_or(0),
                when.it_value.tv_nsec.try_into().unwrap_or(0),
            );
            set(self.timer, left.saturating_add(by))
        }
    }
}

/// Has a timer expire after so long.
///
/// # Safety
/// The timer exists.
unsafe fn set(timer: libc::timer_t, after: Duration) -> io::Result<()> {
    // SAFETY: plain data for which zeros are valid, that lives through the call.
    let is_set = unsafe {
        let mut when: libc::itimerspec = std::mem::zeroed();
        when.it_value.tv_sec = after.as_secs().try_into().unwrap_or(i32::MAX.into());
        // A time of zero would mean never.
        when.it_value.tv_nsec = libc::c_long::from(after.subsec_nanos().max(1));
        libc::timer_settime(timer, 0, &when, std::ptr::null_mut())
    };
    match is_set {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

type Handler = extern "C" fn(libc::c_int, *const libc::siginfo_t, *const libc::c_void);

extern "C" fn too_late(_: libc::c_int, from: *const libc::siginfo_t, _: *const libc::c_void) {
    let late = LATE.load(Relaxed);
    // SAFETY: the kernel hands a valid struct in; the other pointer was leaked from a box, which
    // nobody changes; writing to a descriptor and `_exit` may be called in a handler.
    unsafe {
        if (*from).si_code != libc::SI_TIMER {
            return FOREIGN.store(true, Relaxed);
        }
        if program::is_starting() && set(TIMER.load(Relaxed), MOMENT).is_ok() {
            return;
        }
        leftovers::remove();
        let work = usize::from(WORK.load(Relaxed));
        stdio::say(&(&(*late).messages)[work.min(2)]);
        libc::_exit((*late).code)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and the action is what the system gave us.
        unsafe {
            libc::timer_delete(self.timer);
            libc::sigaction(DEADLINE, &self.before, std::ptr::null_mut());
            if FOREIGN.load(Relaxed) {
                // It waits until the workload's mask is back.
                signal_mask::change(libc::SIG_BLOCK, bit(DEADLINE));
                process::send(process::To::Process(process::own()), DEADLINE);
            }
        }
    }
}
