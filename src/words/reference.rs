//! The grammar of references, in the value of a variable.
//!
//! ```text
//! value     = "secret:" REF                     the whole value of a variable
//!           | text with "${secret:" REF "}"     any number of times inside a value
//! REF       = [SCOPE "/"] NAME ["#" MEMBER] {"|" FILTER} ["?" [TEXT]]
//! ```
//!
//! `secret::TEXT` is the literal `secret:TEXT`, `$${secret:` the literal `${secret:`.
//! Parsing only validates: nothing is looked up here, and no fault carries any of the text.

use std::fmt;

use super::error::Malformed;
use super::name::{self, Level, Name};

const WHOLE: &[u8] = b"secret:";
const INLINE: &[u8] = b"${secret:";
const ESCAPED: &[u8] = b"$${secret:";

/// What a variable's value says, before any secret is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// No reference and no escape: the bytes are passed on as they are.
    Plain,
    /// The whole value is one reference.
    Whole(Reference),
    /// Text with references (or escapes) inside.
    Mixed(Vec<Part>),
}

/// A stretch of a mixed value.
#[derive(PartialEq, Eq)]
pub enum Part {
    /// Bytes to be passed on, escapes undone.
    Text(Vec<u8>),
    /// A reference to fill in.
    Reference(Reference),
}

/// Where a value comes from and what is done to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// The one scope to look in; `None` for every scope in force, narrowest first.
    pub level: Option<Level>,
    /// The name of the secret.
    pub name: Name,
    /// A dotted path into the secret, which is then JSON.
    pub member: Option<String>,
    /// What is done to the value, in this order.
    pub filters: Vec<Filter>,
    /// What stands in where no scope has the name; `None` where that is a fault.
    pub fallback: Option<Vec<u8>>,
}

/// A change made to a value on its way.
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
}

impl Filter {
    const ALL: [(&'static str, Filter); 4] = [
        ("urlencode", Filter::UrlEncode),
        ("base64", Filter::Base64),
        ("base64decode", Filter::Base64Decode),
        ("trim", Filter::Trim),
    ];

    fn new(word: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _)| name.as_bytes() == word)
            .map(|(_, filter)| *filter)
    }

    /// The word for it in a reference.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, filter)| *filter == self)
            .map_or("", |(name, _)| name)
    }
}

/// Reads a variable's value.
///
/// # Errors
/// The first place where something that starts as a reference is none; the column counts bytes
/// from 1, the line is always 1.
pub fn parse(value: &[u8]) -> Result<Value, Malformed> {
    if let Some(rest) = value.strip_prefix(WHOLE) {
        if rest.starts_with(b":") {
            let literal = [WHOLE, &rest[1..]].concat();
            return Ok(Value::Mixed(vec![Part::Text(literal)]));
        }
        let mut cursor = Cursor {
            text: value,
            at: WHOLE.len(),
            inline: false,
        };
        return cursor.reference().map(Value::Whole);
    }
    parse_mixed(value)
}

/// Reads text that may hold `${secret:…}` anywhere.
fn parse_mixed(value: &[u8]) -> Result<Value, Malformed> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut at = 0;
    let mut taken = 0;
    while let Some(dollar) = value[at..].iter().position(|&byte| byte == b'$') {
        at += dollar;
        if value[at..].starts_with(ESCAPED) {
            text.extend_from_slice(&value[taken..at]);
            text.extend_from_slice(INLINE);
            at += ESCAPED.len();
            taken = at;
        } else if value[at..].starts_with(INLINE) {
            text.extend_from_slice(&value[taken..at]);
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            let mut cursor = Cursor {
                text: value,
                at: at + INLINE.len(),
                inline: true,
            };
            parts.push(Part::Reference(cursor.reference()?));
            at = cursor.at;
            taken = at;
        } else {
            at += 1;
        }
    }
    if taken == 0 {
        return Ok(Value::Plain);
    }
    text.extend_from_slice(&value[taken..]);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(Value::Mixed(parts))
}

/// A place in a value, just after `secret:` or `${secret:`.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    inline: bool,
}

impl<'a> Cursor<'a> {
    fn reference(&mut self) -> Result<Reference, Malformed> {
        let (level, name) = self.level_and_name()?;
        let member = if self.take(b'#') {
            Some(self.member()?)
        } else {
            None
        };
        let mut filters = Vec::new();
        while self.take(b'|') {
            filters.push(self.filter()?);
        }
        let fallback = if self.take(b'?') {
            Some(self.fallback())
        } else {
            None
        };
        self.end()?;
        Ok(Reference {
            level,
            name,
            member,
            filters,
            fallback,
        })
    }

    fn level_and_name(&mut self) -> Result<(Option<Level>, Name), Malformed> {
        let start = self.at;
        let word = self.word();
        if self.peek() != Some(b'/') {
            return Ok((None, self.name(start, word)?));
        }
        let level = Level::new(word).ok_or_else(|| {
            self.fault(start, "the word before '/' is not team, cluster or project")
        })?;
        self.at += 1;
        let start = self.at;
        let word = self.word();
        Ok((Some(level), self.name(start, word)?))
    }

    fn name(&self, start: usize, word: &[u8]) -> Result<Name, Malformed> {
        if word.is_empty() {
            let reason = match self.peek() {
                None => "a name is missing",
                Some(b'}') if self.inline => "a name is missing",
                Some(_) => "a name begins with a letter, a digit or '_'",
            };
            return Err(self.fault(start, reason));
        }
        Name::new(word).ok_or_else(|| self.fault(start, "the name is longer than 253 bytes"))
    }

    fn member(&mut self) -> Result<String, Malformed> {
        let start = self.at;
        let length = self
            .rest()
            .iter()
            .take_while(|byte| !b"#|?}".contains(byte))
            .count();
        let bytes = &self.rest()[..length];
        let text = std::str::from_utf8(bytes)
            .map_err(|fault| self.fault(start + fault.valid_up_to(), "the member is not UTF-8"))?;
        if let Some(at) = text.find(char::is_control) {
            return Err(self.fault(start + at, "a control character in the member"));
        }
        let mut segment = start;
        for piece in text.split('.') {
            if piece.is_empty() {
                return Err(self.fault(segment, "an empty step in the member"));
            }
            segment += piece.len() + 1;
        }
        let text = text.to_owned();
        self.at += length;
        Ok(text)
    }

    fn filter(&mut self) -> Result<Filter, Malformed> {
        let start = self.at;
        let length = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let filter = Filter::new(&self.rest()[..length]).ok_or_else(|| {
            self.fault(
                start,
                "the filter is not one of urlencode, base64, base64decode, trim",
            )
        })?;
        self.at += length;
        Ok(filter)
    }

    fn fallback(&mut self) -> Vec<u8> {
        let rest = self.rest();
        let end = if self.inline {
            rest.iter().position(|&byte| byte == b'}')
        } else {
            None
        };
        let text = &rest[..end.unwrap_or(rest.len())];
        self.at += text.len();
        text.to_vec()
    }

    fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None if !self.inline => Ok(()),
            None => Err(self.fault(self.at, "the closing '}' is missing")),
            Some(b'}') if self.inline => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.fault(self.at, "a character that can't stand in a reference")),
        }
    }

    /// The bytes from here that could be a name.
    fn word(&mut self) -> &'a [u8] {
        let word = &self.rest()[..name::prefix(self.rest())];
        self.at += word.len();
        word
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn fault(&self, at: usize, reason: &'static str) -> Malformed {
        Malformed {
            line: 1,
            column: at + 1,
            reason,
        }
    }
}

impl Reference {
    /// The reference in full, as it would stand in a value (after `secret:`); it parses back.
    /// The fallback's text is in it, so it is not for printing: `Display` is.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(level) = self.level {
            out.extend_from_slice(level.as_str().as_bytes());
            out.push(b'/');
        }
        out.extend_from_slice(self.name.as_str().as_bytes());
        if let Some(member) = &self.member {
            out.push(b'#');
            out.extend_from_slice(member.as_bytes());
        }
        for filter in &self.filters {
            out.push(b'|');
            out.extend_from_slice(filter.as_str().as_bytes());
        }
        if let Some(text) = &self.fallback {
            out.push(b'?');
            out.extend_from_slice(text);
        }
        out
    }
}

/// Scope and name alone, as faults and tables show a reference.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secret:")?;
        if let Some(level) = self.level {
            write!(f, "{level}/")?;
        }
        write!(f, "{}", self.name)
    }
}

/// The same as `Display`: the member and the fallback's text are nobody's to print.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => write!(f, "[{} bytes]", text.len()),
            Part::Reference(reference) => reference.fmt(f),
        }
    }
}
