//! Masking of secrets: in a whole text, and in a stream by a process that does not know them.
//!
//! [`encodings`] lists the forms of a value by `style_table`, [`making`] makes of them the
//! hashes that the other process gets, [`stream`] finds them.

mod base64_forms;
pub mod encodings;
mod key;
pub mod making;
mod message;
pub mod parts;
pub mod patterns;
mod search;
mod settings;
pub mod stream;
mod style_table;
mod styles;

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Shortest value, in bytes, that is looked for in other text. Shorter ones would be everywhere.
const SHORTEST: usize = 8;

/// Returns the text that stands for a secret.
pub fn placeholder(label: &str) -> Vec<u8> {
    format!("[secret:{label}]").into_bytes()
}

/// Values that texts must not show.
pub struct Hidden<'v> {
    /// Labels and values by their first bytes, the longest first.
    values: BTreeMap<[u8; SHORTEST], Vec<(&'v str, &'v [u8])>>,
}

impl<'v> Hidden<'v> {
    /// Takes labels and values. Values under 8 bytes are left out.
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

    /// Replaces every value in `text` by its placeholder: the leftmost first, and the longest of
    /// those.
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
