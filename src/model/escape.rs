//! Names from outside, in a form fit for one line of a log.

use std::fmt;

/// Shows a name (of a variable, a file, a command) on one line. Bytes that are not printable or not
/// UTF-8 are escaped, so that a name can't forge a line of the log.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for piece in chunk.valid().split_inclusive(is_unfit) {
                let text = piece.trim_end_matches(is_unfit);
                f.write_str(text)?;
                write!(f, "{}", piece[text.len()..].escape_default())?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// True if a character would break the line, or change the order of the text on it.
fn is_unfit(c: char) -> bool {
    let breaks_order = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || breaks_order || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Formats a number of things: `1 secret`, `2 secrets`.
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(Shown(b"A\nB\xff\x1b").to_string(), "A\\nB\\xff\\u{1b}");
        assert_eq!(Shown(b"\n\nA\n").to_string(), "\\n\\nA\\n");
        assert_eq!(Shown("größe-1".as_bytes()).to_string(), "größe-1");
    }
}
