//! Values that nobody else has in memory, what becomes of them, and a stopped launch searched for
//! what must not be there.

use std::collections::BTreeMap;
use std::fs;

use crate::strays::{Needle, environment, strays};
use crate::trace::Tracee;
use base64::prelude::{BASE64_STANDARD, Engine};

/// Values come from this, so that a failure comes again.
pub const SEED: u64 = 0x0d00_4e71_2b5c_91a7;

/// Numbers that look random.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// So many bytes out of these.
    pub fn bytes(&mut self, length: usize, alphabet: &[u8]) -> Vec<u8> {
        let one = |_| alphabet[(self.next() >> 33) as usize % alphabet.len()];
        (0..length).map(one).collect()
    }

    /// So many letters and digits.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        self.bytes(
            length,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        )
    }
}

/// What a launch is given, and what it must come to.
#[derive(Default)]
pub struct Canaries {
    /// Name, reference, and the value that the workload gets.
    pub variables: Vec<(String, String, Vec<u8>)>,
    /// What is looked for.
    pub needles: Vec<Needle>,
}

impl Canaries {
    /// Bytes that must be in these variables alone.
    pub fn needle(&mut self, label: &str, bytes: impl AsRef<[u8]>, variables: &[&str]) {
        self.needles.push(Needle {
            label: label.to_owned(),
            bytes: bytes.as_ref().to_vec(),
            variables: variables.iter().map(|&name| name.to_owned()).collect(),
        });
    }

    /// A text that must be nowhere: not itself, nor as it is in JSON, in base64 or, as HTTP/2
    /// has it, in a header.
    pub fn nowhere(&mut self, label: &str, text: &str) {
        self.needle(label, text, &[]);
        let json = serde_json::to_string(text).unwrap();
        self.needle(&format!("{label} in JSON"), json.trim_matches('"'), &[]);
        for before in 0..3 {
            // Three bytes are four letters: what comes before moves it. The letters at both ends
            // are made of neighbours, too.
            let bytes = [&b"..."[..before], text.as_bytes()].concat();
            let encoded = BASE64_STANDARD.encode(&bytes[..bytes.len() / 3 * 3]);
            let own = &encoded[(before * 8).div_ceil(6)..];
            self.needle(&format!("{label} in base64"), own, &[]);
        }
        if let Some(encoded) = huffman(text) {
            self.needle(&format!("{label} in a header"), encoded, &[]);
        }
    }

    /// A variable with a reference, and the value that it gets.
    pub fn variable(
        &mut self,
        name: &str,
        reference: impl Into<String>,
        value: impl Into<Vec<u8>>,
    ) {
        let (reference, value) = (reference.into(), value.into());
        self.variables.push((name.to_owned(), reference, value));
    }

    /// Searches a process that stands at the entry of its `execve`, whose environment is at
    /// `envp`; then lets it become the workload, which has every value and holds what doorkey
    /// held `before`, and end.
    #[track_caller]
    pub fn search(&self, mut tracee: Tracee, envp: u64, before: &Held) {
        let memory = tracee.memory();
        let environment = environment(&memory, envp);
        for (name, _, value) in &self.variables {
            let (_, delivered) = &environment[name];
            assert!(delivered == value, "{name} has its value");
        }
        let initial = fs::read(format!("/proc/{}/environ", tracee.pid)).unwrap();
        for needle in self.needles.iter().filter(|one| one.variables.is_empty()) {
            let found = holds(&initial, &needle.bytes);
            assert!(!found, "/proc/PID/environ has {}", needle.label);
        }
        let strays = strays(&memory, &self.needles, &environment);
        assert!(strays.is_empty(), "seed {SEED:#x}:\n{}", strays.join("\n"));

        tracee.reach_program();
        let environ = fs::read(format!("/proc/{}/environ", tracee.pid)).unwrap();
        for (name, _, value) in &self.variables {
            let entry = [name.as_bytes(), b"=", value, b"\0"].concat();
            assert!(holds(&environ, &entry), "the workload has {name}");
        }
        let mut left = before.clone();
        left.retain(|_, how| !is_closed_by_exec(how));
        assert_eq!(held(&tracee), left);
        assert_eq!(tracee.finish(), 0);
    }
}

/// What a process has open, and how many threads it has.
pub type Held = BTreeMap<String, String>;

/// What a process has open, and how many threads it has.
pub fn held(tracee: &Tracee) -> Held {
    let mut held = tracee.inherited();
    held.retain(|name, _| name.starts_with("fd ") || name == "status Threads");
    held
}

/// Whether a descriptor, as it is held, ends with the next `execve`: a supervisor's pipe does.
fn is_closed_by_exec(how: &str) -> bool {
    let flags = how.rsplit('\t').next().unwrap_or_default();
    i32::from_str_radix(flags, 8).is_ok_and(|flags| flags & libc::O_CLOEXEC != 0)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A header's value as HTTP/2 writes it: in Huffman's code of RFC 7541, which is a canonical one,
/// so that it is enough to know the letters of each length in their order. `None` for a text with
/// others than these.
fn huffman(text: &str) -> Option<Vec<u8>> {
    const LENGTHS: [(u32, &str); 4] = [
        (5, "012aceiost"),
        (6, " %-./3456789=A_bdfghlmnpru"),
        (7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
        (8, "&*,;XZ"),
    ];
    let (mut bytes, mut kept, mut bits) = (Vec::new(), 0u32, 0);
    for letter in text.chars() {
        let mut first = 0;
        let code = LENGTHS.iter().find_map(|&(length, letters)| {
            first <<= 1;
            let code = first + letters.find(letter).unwrap_or(0) as u32;
            first += letters.len() as u32;
            letters.contains(letter).then_some((code, length))
        });
        let (code, length) = code?;
        kept = kept << length | code;
        bits += length;
        while bits >= 8 {
            bits -= 8;
            bytes.push((kept >> bits) as u8);
        }
        kept &= (1 << bits) - 1;
    }
    Some(bytes)
}
