//! All processes below this one.

use super::process::{self, To};
use super::proc;

/// How often those are looked for that were started while others were killed.
const ROUNDS: usize = 20;

/// Asks every process below this one to end, however deep. What they start to do so is left to
/// do it. Without /proc they can't be found.
pub fn terminate() {
    for process in all() {
        process::send(To::Process(process), libc::SIGTERM);
    }
}

/// Kills every process below this one, and those that are started meanwhile.
pub fn kill() {
    let mut killed = Vec::new();
    for _ in 0..ROUNDS {
        let mut new = all();
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

fn all() -> Vec<i32> {
    let own = process::own();
    if !proc::is_ours() {
        return Vec::new();
    }
    let mut others: Vec<(i32, i32)> = proc::all()
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
    found
}
