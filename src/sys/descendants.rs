//! Ends all processes below this one, and looks whether any of them is at work.

use std::{fs, io};

use super::proc;
use super::process::{self, To};
use crate::core::proc::activity;

/// The number of searches for processes that were started meanwhile, or after a failed search.
const ROUNDS: usize = 20;

/// Most files that one look at processes reads.
const READS: usize = 64;

/// True if a process below this one is at work, or would be if it had a processor. False where that
/// can't be told: without /proc, or with more threads than [`READS`] show.
pub fn any_is_busy() -> bool {
    // A process that the first look has found asleep may have been woken by one that came later in
    // it. The second look finds it at work.
    is_one_busy() || is_one_busy()
}

fn is_one_busy() -> bool {
    let mut reads = READS;
    let mut may_read = || {
        let may = reads > 0;
        reads = reads.saturating_sub(1);
        may
    };
    // A thread has the children that it has forked itself.
    let mut threads = vec!["/proc/thread-self".to_owned()];
    let mut next = 0;
    while let Some(thread) = threads.get(next).filter(|_| may_read()) {
        next += 1;
        let children = fs::read_to_string(format!("{thread}/children")).unwrap_or_default();
        for child in children.split_ascii_whitespace() {
            let mut look = |thread: &str| match may_read() {
                true => activity(&fs::read(format!("{thread}/stat")).ok()?),
                false => None,
            };
            let all = format!("/proc/{child}/task");
            let main = format!("{all}/{child}");
            match look(&main) {
                Some((true, _)) => return true,
                Some((false, 2..)) => {
                    let others = fs::read_dir(&all).into_iter().flatten().flatten();
                    let others = others.map(|entry| entry.path().display().to_string());
                    for other in others.filter(|other| *other != main) {
                        if look(&other).is_some_and(|(is_busy, _)| is_busy) {
                            return true;
                        }
                        threads.push(other);
                    }
                }
                _ => {}
            }
            threads.push(main);
        }
    }
    false
}

/// Sends TERM to every process below this one, however deep. Their children that are started to
/// clean up are left to do so. Without /proc none can be found.
pub fn terminate() {
    let found = (0..ROUNDS).find_map(|_| all().ok());
    for process in found.unwrap_or_default() {
        process::send(To::Process(process), libc::SIGTERM);
    }
}

/// Kills every process below this one, and those that are started meanwhile.
pub fn kill() {
    let mut killed = Vec::new();
    for _ in 0..ROUNDS {
        let Ok(mut new) = all() else { continue };
        new.retain(|process| !killed.contains(process));
        if new.is_empty() {
            return;
        }
        for &process in &new {
            process::send(To::Process(process), libc::SIGKILL);
        }
        killed.extend(new);
    }
}

/// # Errors
/// The system's error, which does not mean that there are none.
fn all() -> io::Result<Vec<i32>> {
    let own = process::own();
    if !proc::is_ours()? {
        return Ok(Vec::new());
    }
    let others = proc::all()?.into_iter();
    let mut others: Vec<(i32, i32)> = others
        .map(|(process, stat)| (process, stat.parent))
        .collect();
    let mut found = vec![own];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        others.retain(|&(process, its)| {
            let is_child = its == parent;
            if is_child {
                found.push(process);
            }
            !is_child
        });
        next += 1;
    }
    found.remove(0);
    Ok(found)
}
