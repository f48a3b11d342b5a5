//! Looks for stretches of secrets in the memory of a stopped process.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::trace::Memory;

/// The shortest stretch of a secret that counts as found. Values are random: eight bytes of one
/// are in memory for no other reason.
const WINDOW: usize = 8;

/// Bytes that must not be anywhere but in the strings of these variables.
pub struct Needle {
    /// What it is called in a failure.
    pub label: String,
    /// The secret bytes.
    pub bytes: Vec<u8>,
    /// Where they belong.
    pub variables: Vec<String>,
}

/// The environment of an `execve`, each string with its addresses.
pub fn environment(memory: &Memory, envp: u64) -> BTreeMap<String, (Range<u64>, Vec<u8>)> {
    let mut strings = BTreeMap::new();
    for pointer in memory.pointers(envp) {
        let string = memory.string(pointer);
        let equals = string.iter().position(|&byte| byte == b'=').unwrap();
        let name = String::from_utf8(string[..equals].to_vec()).unwrap();
        let range = pointer..pointer + string.len() as u64;
        let value = string[equals + 1..].to_vec();
        assert!(
            strings.insert(name, (range, value)).is_none(),
            "a name is there once"
        );
    }
    strings
}

/// Every stretch of a needle that is where it must not be, described.
pub fn strays(
    memory: &Memory,
    needles: &[Needle],
    environment: &BTreeMap<String, (Range<u64>, Vec<u8>)>,
) -> Vec<String> {
    let mut windows: HashMap<[u8; WINDOW], Vec<usize>> = HashMap::new();
    let mut likely = vec![false; 1 << 20];
    let slot = |window: &[u8; WINDOW]| {
        (u64::from_ne_bytes(*window).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as usize
    };
    for (index, needle) in needles.iter().enumerate() {
        for window in needle.bytes.windows(WINDOW) {
            let window: [u8; WINDOW] = window.try_into().unwrap();
            likely[slot(&window)] = true;
            windows.entry(window).or_default().push(index);
        }
    }
    // (needle, mapping) of a run of windows, with its addresses.
    let mut runs: Vec<(usize, usize, Range<u64>)> = Vec::new();
    for (which, mapping) in memory.mappings.iter().enumerate() {
        if !mapping.readable {
            continue;
        }
        let bytes = memory.read(mapping);
        for (at, window) in bytes.windows(WINDOW).enumerate() {
            let window: &[u8; WINDOW] = window.try_into().unwrap();
            if !likely[slot(window)] {
                continue;
            }
            let start = mapping.start + at as u64;
            let end = start + WINDOW as u64;
            for &needle in windows.get(window).into_iter().flatten() {
                let allowed = needles[needle].variables.iter().any(|name| {
                    let (range, _) = &environment[name];
                    range.start <= start && end <= range.end
                });
                if allowed {
                    continue;
                }
                let touching = runs
                    .iter_mut()
                    .rev()
                    .take(8)
                    .find(|run| (run.0, run.1) == (needle, which) && run.2.contains(&start));
                match touching {
                    Some(run) => run.2.end = end,
                    None => runs.push((needle, which, start..end)),
                }
            }
        }
    }
    let describe = |(needle, which, range): (usize, usize, Range<u64>)| {
        let (needle, mapping) = (&needles[needle], &memory.mappings[which]);
        format!(
            "{} bytes of {} ({} bytes) at {:#x}, {:#x} into {} ({:#x} before its end)",
            range.end - range.start,
            needle.label,
            needle.bytes.len(),
            range.start,
            range.start - mapping.start,
            mapping.name,
            mapping.end - range.start,
        )
    };
    runs.into_iter().map(describe).collect()
}
