//! Codes of services' faults. The words around them are never passed on: they may quote what was
//! sent.

use std::fmt;

/// The greatest length of a code that is shown.
const LONGEST: usize = 48;

/// A code, for the end of a message: ` (CODE)`. A text that does not look like a code is left out.
pub struct InBrackets<'a>(pub &'a str);

impl fmt::Display for InBrackets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        match (1..=LONGEST).contains(&self.0.len()) && self.0.bytes().all(fits) {
            true => write!(f, " ({})", self.0),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::InBrackets;

    #[test]
    fn a_code_and_nothing_else_is_shown() {
        assert_eq!(InBrackets("BadParameter").to_string(), " (BadParameter)");
        assert_eq!(InBrackets("NOT_FOUND").to_string(), " (NOT_FOUND)");
        for other in ["", "a b", "hunter2", "a-b", &"a".repeat(49)] {
            assert_eq!(InBrackets(other).to_string(), "", "{other}");
        }
    }
}
