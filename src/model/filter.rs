//! Filters: changes to a value on its way.

use std::fmt;

/// A change to a value on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Percent-encodes all but RFC 3986's unreserved characters.
    UrlEncode,
    /// Encodes as base64 (RFC 4648, padded).
    Base64,
    /// Decodes base64.
    Base64Decode,
    /// Drops ASCII white space at both ends.
    Trim,
    /// Escapes for the inside of a string of JSON (RFC 8259), which a basic string of TOML and a
    /// double-quoted one of YAML are too.
    Json,
    /// Puts this many blanks in front of each line but the first, as a block of YAML needs them.
    Indent(u8),
}

const WORDS: [(&str, Filter); 5] = [
    ("urlencode", Filter::UrlEncode),
    ("base64", Filter::Base64),
    ("base64decode", Filter::Base64Decode),
    ("trim", Filter::Trim),
    ("json", Filter::Json),
];

const UNKNOWN: &str =
    "the filter is not one of urlencode, base64, base64decode, trim, json, indent:N, file";

impl Filter {
    /// Reads the filter at the beginning of a text, and its length; `None` for the delivery `file`,
    /// which is written like one.
    ///
    /// # Errors
    /// The offset of the fault, in bytes, and the reason.
    pub(super) fn read(text: &[u8]) -> Result<(Option<Self>, usize), (usize, &'static str)> {
        let count = |text: &[u8], is_of: fn(&u8) -> bool| {
            text.iter().take_while(|&byte| is_of(byte)).count()
        };
        let length = count(text, u8::is_ascii_alphanumeric);
        let word = &text[..length];
        if word == b"file" {
            return Ok((None, length));
        }
        if word == b"indent" {
            let number = text[length..].strip_prefix(b":").unwrap_or_default();
            let digits = &number[..count(number, u8::is_ascii_digit)];
            let blanks = str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok());
            let blanks = blanks.filter(|blanks| (1..=99).contains(blanks));
            return match blanks {
                Some(blanks) => Ok((Some(Filter::Indent(blanks)), length + 1 + digits.len())),
                None => Err((
                    length,
                    "indent needs a number of blanks from 1 to 99, as indent:4",
                )),
            };
        }
        let mut known = WORDS.iter();
        let known = known.find(|(known, _)| known.as_bytes() == word);
        known.map_or(Err((0, UNKNOWN)), |(_, filter)| Ok((Some(*filter), length)))
    }
}

/// Shows the filter as it stands in a reference.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Filter::Indent(blanks) = self {
            return write!(f, "indent:{blanks}");
        }
        let mut known = WORDS.iter();
        let known = known.find(|(_, filter)| filter == self);
        f.write_str(known.map_or("", |(word, _)| word))
    }
}
