//! Showing a value without the secrets in it: in a text that is there as a whole, and in a stream
//! by a process that does not know them.
//!
//! [`forms`] says what a value may look like in a stream, [`needles`] what of that another process
//! is told, [`stream`] finds it there.

pub mod encodings;
mod key;
mod message;
pub mod patterns;
mod search;
pub mod stream;

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Shorter values are not looked for in other text: they would be found everywhere.
const SHORTEST: usize = 8;

/// How a secret is shown.
pub fn placeholder(label: &str) -> Vec<u8> {
    format!("[secret:{label}]").into_bytes()
}

/// Values that are not shown in texts.
pub struct Hidden<'v> {
    /// By how they begin, the longest first, each after its label.
    values: BTreeMap<[u8; SHORTEST], Vec<(&'v str, &'v [u8])>>,
}

impl<'v> Hidden<'v> {
    /// These, each after its label. Values under 8 bytes are left.
    pub fn new(values: &'v [(String, &'v [u8])]) -> Self {
        let mut by_start: BTreeMap<_, Vec<(&str, &[u8])>> = BTreeMap::new();
        for (label, value) in values {
            if let Some(start) = value.first_chunk() {
                by_start.entry(*start).or_default().push((label, value));
            }
        }
        for alike in by_start.values_mut() {
            alike.sort_by_key(|(_, value)| Reverse(value.len()));
        }
        Hidden { values: by_start }
    }

    /// `text` with every one of them in it replaced by its placeholder: the leftmost first, of
    /// those the longest.
    pub fn masked(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let alike = rest.first_chunk().and_then(|start| self.values.get(start));
            let mut alike = alike.into_iter().flatten();
            match alike.find(|(_, value)| rest.starts_with(value)) {
                Some((label, value)) => {
                    out.extend_from_slice(&placeholder(label));
                    at += value.len();
                }
                None => {
                    out.push(rest[0]);
                    at += 1;
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftmost_then_longest() {
        let values: [(String, &[u8]); 2] = [("a".into(), b"password"), ("b".into(), b"password12")];
        let masked = |text: &[u8]| Hidden::new(&values).masked(text);
        assert_eq!(masked(b"x password12 password"), b"x [secret:b] [secret:a]");
        let short: [(String, &[u8]); 1] = [("a".into(), b"short")];
        assert_eq!(Hidden::new(&short).masked(b"short"), b"short");
    }
}
