//! Showing a value without the secrets in it: in a text that is there as a whole, and in a stream
//! by a process that does not know them.
//!
//! [`forms`] says what a value may look like in a stream, [`needles`] what of that another process
//! is told, [`stream`] finds it there.

pub mod forms;
mod key;
mod message;
pub mod needles;
mod search;
pub mod stream;

/// Shorter values are not looked for in other text: they would be found everywhere.
const SHORTEST: usize = 8;

/// How a secret is shown.
pub fn placeholder(label: &str) -> Vec<u8> {
    format!("[secret:{label}]").into_bytes()
}

/// `text` with every one of the values in it replaced by its placeholder: the leftmost first,
/// of those the longest. Values under 8 bytes are left.
pub fn masked(text: &[u8], values: &[(String, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let here = values
            .iter()
            .filter(|(_, value)| value.len() >= SHORTEST && text[at..].starts_with(value))
            .max_by_key(|(_, value)| value.len());
        match here {
            Some((label, value)) => {
                out.extend_from_slice(&placeholder(label));
                at += value.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftmost_then_longest() {
        let values: [(String, &[u8]); 2] = [("a".into(), b"password"), ("b".into(), b"password12")];
        assert_eq!(
            masked(b"x password12 password", &values),
            b"x [secret:b] [secret:a]"
        );
        assert_eq!(masked(b"short", &[("a".into(), b"short")]), b"short");
    }
}
