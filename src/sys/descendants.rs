//! Ends all processes below this one.

use std::io;

use super::proc;
use super::process::{self, To};

/// The number of searches for processes that were started meanwhile, or after a failed search.
const ROUNDS: usize = 20;

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
