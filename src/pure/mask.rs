//! Showing a value without the secrets in it.

use crate::words::name::Name;

/// Shorter values are not looked for in other text: they would be found everywhere.
const SHORTEST: usize = 8;

/// How a secret is shown.
pub fn placeholder(name: &Name) -> Vec<u8> {
    format!("[secret:{name}]").into_bytes()
}

/// `text` with every one of the values in it replaced by its placeholder: the leftmost first,
/// of those the longest. Values under 8 bytes are left.
pub fn masked(text: &[u8], values: &[(&Name, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let here = values
            .iter()
            .filter(|(_, value)| value.len() >= SHORTEST && text[at..].starts_with(value))
            .max_by_key(|(_, value)| value.len());
        match here {
            Some((name, value)) => {
                out.extend_from_slice(&placeholder(name));
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
        let (a, b) = (Name::new(b"a").unwrap(), Name::new(b"b").unwrap());
        let values: [(&Name, &[u8]); 2] = [(&a, b"password"), (&b, b"password12")];
        assert_eq!(
            masked(b"x password12 password", &values),
            b"x [secret:b] [secret:a]"
        );
        assert_eq!(masked(b"short", &[(&a, b"short")]), b"short");
    }
}
