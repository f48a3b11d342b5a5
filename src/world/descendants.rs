//! All processes below this one.

use std::fs;

use super::process;

/// How often those are looked for that were started while others were killed.
const ROUNDS: usize = 20;

/// Whether there is a /proc that shows them: another namespace's has other numbers.
pub fn can_be_found() -> bool {
    let own = process::own().to_string();
    fs::read_link("/proc/self").is_ok_and(|link| link.to_str() == Some(&own))
}

/// Asks every process below this one to end, however deep. What they start to do so is left to
/// do it. Without /proc they can't be found.
pub fn terminate() {
    for process in all() {
        process::send(process, libc::SIGTERM);
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
            process::send(process, libc::SIGKILL);
        }
        killed.extend(new);
    }
}

fn all() -> Vec<i32> {
    if !can_be_found() {
        return Vec::new();
    }
    let own = process::own();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut others: Vec<(i32, i32)> = numbers
        .filter_map(|process| Some((process, parent_of(process)?)))
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

/// `PID (NAME) STATE PARENT …`, where a name may contain anything.
fn parent_of(process: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    let after = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let rest = str::from_utf8(&stat[after..]).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
