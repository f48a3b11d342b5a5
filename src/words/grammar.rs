//! The grammar of references, in the value of a variable.
//!
//! ```text
//! value     = REF                               the whole value of a variable
//!           | text with "${" REF "}"            any number of times inside a value
//! REF       = "secret:" [SCOPE "/"] NAME ["#" MEMBER] {"|" FILTER} ["|" FILE] ["?" [TEXT]]
//!           | ("vault:" | "bao:") PATH "#" KEY ["#" VERSION] {"|" FILTER} ["|" FILE] ["?" [TEXT]]
//!           | ("vault:" | "bao:") "login"       the token that was got by logging in
//! FILE      = "file" [":" NAME]
//! ```
//!
//! `secret::TEXT` is the literal `secret:TEXT`, `$${secret:` the literal `${secret:`; so with the
//! other two words.
//! Parsing only validates: nothing is looked up here, and no fault carries any of the text.

use super::error::Malformed;
use super::name::{self, Level, Name};
use super::reference::{Delivery, Direct, Filter, Part, Reference, Scoped, Target, Value, What};

/// What a reference begins with: that of the scopes first, then those of single places of a store.
const WORDS: [&str; 3] = ["secret", "vault", "bao"];

/// What the closest tool of this kind writes to a store with: nothing that doorkey does, nor
/// anything that a workload could use as it stands.
const WRITING: [&[u8]; 2] = [b">>vault:", b">>bao:"];

const NO_WRITING: &str = "references that write are not supported";

/// Whether a text begins with a reference that writes.
fn writes(text: &[u8]) -> bool {
    WRITING.iter().any(|word| text.starts_with(word))
}

/// Reads a variable's value.
///
/// # Errors
/// The first place where something that starts as a reference is none; the column counts bytes
/// from 1, the line is always 1.
pub fn parse(value: &[u8]) -> Result<Value, Malformed> {
    if writes(value) {
        return Err(Malformed::at(value, 0, NO_WRITING));
    }
    let Some(word) = word_before_colon(value) else {
        return parse_mixed(value);
    };
    if value.get(word.len() + 1) == Some(&b':') {
        let literal = [word.as_bytes(), &value[word.len() + 1..]].concat();
        return Ok(Value::Mixed(vec![Part::Text(literal)]));
    }
    let mut cursor = Cursor {
        text: value,
        at: word.len() + 1,
        inline: false,
    };
    cursor.reference(word).map(Value::Whole)
}

/// Reads a list of documents as the closest tool of this kind has it, `PATH[#VERSION]` with commas
/// between; a `?` at the end of one allows its absence. A word and its colon in front of a path say
/// nothing more.
///
/// # Errors
/// As [`parse`].
pub fn documents(list: &[u8], scheme: &'static str) -> Result<Vec<Reference>, Malformed> {
    let mut documents = Vec::new();
    let mut at = 0;
    for entry in list.split(|&byte| byte == b',') {
        let (mut start, end) = (at, at + entry.trim_ascii_end().len());
        at += entry.len() + 1;
        start += entry.len() - entry.trim_ascii_start().len();
        if start >= end {
            continue;
        }
        let word = word_before_colon(&list[start..end]).filter(|word| *word != WORDS[0]);
        let mut cursor = Cursor {
            text: &list[..end],
            at: start + word.map_or(0, |word| word.len() + 1),
            inline: false,
        };
        let (_, path) = cursor.path()?;
        let version = match cursor.take(b'#') {
            true => cursor.version()?,
            false => None,
        };
        let fallback = cursor.take(b'?').then(Vec::new);
        cursor.end()?;
        let what = What::Document { path, version };
        documents.push(Reference {
            fallback,
            ..Target::Direct(Direct { scheme, what }).into()
        });
    }
    Ok(documents)
}

/// The word that a text begins a reference with.
fn word_before_colon(text: &[u8]) -> Option<&'static str> {
    let begins = |word: &&&str| {
        let rest = text.strip_prefix(word.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b":"))
    };
    WORDS.iter().find(begins).copied()
}

/// Reads a variable's value that is no whole reference.
fn parse_mixed(value: &[u8]) -> Result<Value, Malformed> {
    let (parts, mut faults) = parse_inside(value);
    if !faults.is_empty() {
        let (at, reason) = faults.swap_remove(0);
        return Err(malformed(at, reason));
    }
    Ok(match parts {
        None => Value::Plain,
        Some(parts) => Value::Mixed(parts.into_iter().map(|(_, part)| part).collect()),
    })
}

/// Parts of a text, each with the offset where it begins.
type Parts = Vec<(usize, Part)>;

/// Reads text that may hold `${secret:…}` anywhere: its parts, none where it has no reference and
/// no escape; and each place that is wrong, with the reason.
pub fn parse_inside(value: &[u8]) -> (Option<Parts>, Vec<(usize, &'static str)>) {
    let mut parts = Vec::new();
    let mut faults = Vec::new();
    let mut text = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut taken = 0;
    while let Some(dollar) = value[at..].iter().position(|&byte| byte == b'$') {
        at += dollar;
        let word = |open: &[u8]| {
            let rest = value[at..].strip_prefix(open);
            rest.and_then(word_before_colon)
        };
        let rest = &value[at..];
        if rest.strip_prefix(b"$${").is_some_and(writes) {
            text.extend_from_slice(&value[taken..at]);
            taken = at + 1;
            at += b"$${".len();
        } else if rest.strip_prefix(b"${").is_some_and(writes) {
            faults.push((at, NO_WRITING));
            at += b"${".len();
        } else if let Some(word) = word(b"$${") {
            text.extend_from_slice(&value[taken..at]);
            taken = at + 1;
            at += word.len() + 4;
        } else if let Some(word) = word(b"${") {
            text.extend_from_slice(&value[taken..at]);
            if !text.is_empty() {
                parts.push((start, Part::Text(std::mem::take(&mut text))));
            }
            let mut cursor = Cursor {
                text: value,
                at: at + word.len() + 3,
                inline: true,
            };
            match cursor.reference(word) {
                Ok(reference) => parts.push((at, Part::Reference(reference))),
                Err(fault) => faults.push((fault.column - 1, fault.reason)),
            }
            at = cursor.at;
            (taken, start) = (at, at);
        } else {
            at += 1;
        }
    }
    if taken == 0 {
        return (None, faults);
    }
    text.extend_from_slice(&value[taken..]);
    if !text.is_empty() {
        parts.push((start, Part::Text(text)));
    }
    (Some(parts), faults)
}

/// A fault of a variable's value, which is one line.
fn malformed(at: usize, reason: &'static str) -> Malformed {
    Malformed {
        line: 1,
        column: at + 1,
        reason,
    }
}

/// What can be wrong with a stretch of text.
struct Faults {
    missing: &'static str,
    bytes: &'static str,
    control: &'static str,
}

const MEMBER: Faults = Faults {
    missing: "an empty step in the member",
    bytes: "the member is not UTF-8",
    control: "a control character in the member",
};

const fn of_place(missing: &'static str) -> Faults {
    Faults {
        missing,
        bytes: "this is not UTF-8",
        control: "a control character in a reference",
    }
}

/// A place in a value, just after a reference's word and its colon.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    inline: bool,
}

impl<'a> Cursor<'a> {
    fn reference(&mut self, word: &'static str) -> Result<Reference, Malformed> {
        let target = if word == WORDS[0] {
            let (level, name) = self.level_and_name()?;
            let member = match self.take(b'#') {
                true => Some(self.member()?),
                false => None,
            };
            Target::Scoped(Scoped {
                level,
                name,
                member,
            })
        } else {
            let what = self.what()?;
            Target::Direct(Direct { scheme: word, what })
        };
        let mut filters = Vec::new();
        let mut delivery = Delivery::Plain;
        while self.take(b'|') {
            if delivery != Delivery::Plain {
                return Err(self.fault(self.at, "file must be the last filter"));
            }
            match self.filter()? {
                Some(filter) => filters.push(filter),
                None => delivery = self.file()?,
            }
        }
        let fallback = if self.take(b'?') {
            Some(self.fallback())
        } else {
            None
        };
        self.end()?;
        Ok(Reference {
            target,
            filters,
            delivery,
            fallback,
        })
    }

    fn what(&mut self) -> Result<What, Malformed> {
        let (given, path) = self.path()?;
        if given == "login" && self.peek() != Some(b'#') {
            return Ok(What::Token);
        }
        if !self.take(b'#') {
            return Err(self.fault(self.at, "'#' and a key must follow the path"));
        }
        if self.rest().starts_with(b"${") {
            return Err(self.fault(self.at, "templates are not supported; name one key"));
        }
        let key = self.stretch(b"#|?{}", &of_place("a key is missing"))?;
        let version = match self.take(b'#') {
            true => self.version()?,
            false => None,
        };
        Ok(What::Key {
            path,
            key: key.to_owned(),
            version,
        })
    }

    /// A document's path: as it stands there, and without a slash in front.
    fn path(&mut self) -> Result<(&'a str, String), Malformed> {
        let given = self.stretch(b"#|?{}", &of_place("a path is missing"))?;
        let path = given.strip_prefix('/').unwrap_or(given);
        if !name::is_path(path) {
            return Err(self.fault(self.at - given.len(), name::NO_PATH));
        }
        Ok((given, path.to_owned()))
    }

    /// A version's number; `-1` and `0` are the newest.
    fn version(&mut self) -> Result<Option<u64>, Malformed> {
        let text = self.stretch(b"#|?{}", &of_place("a version is missing"))?;
        match text.parse() {
            _ if text == "-1" => Ok(None),
            Ok(0) => Ok(None),
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.fault(self.at - text.len(), "the version is no number")),
        }
    }

    /// Text up to one of these bytes, printable and not empty.
    fn stretch(&mut self, ends: &[u8], faults: &Faults) -> Result<&'a str, Malformed> {
        let start = self.at;
        let length = self.rest().iter().take_while(|byte| !ends.contains(byte));
        let bytes = &self.rest()[..length.count()];
        let text = std::str::from_utf8(bytes)
            .map_err(|fault| self.fault(start + fault.valid_up_to(), faults.bytes))?;
        if text.is_empty() {
            return Err(self.fault(start, faults.missing));
        }
        if let Some(at) = text.find(char::is_control) {
            return Err(self.fault(start + at, faults.control));
        }
        self.at += bytes.len();
        Ok(text)
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
        let mut step = self.at;
        let text = self.stretch(b"#|?}", &MEMBER)?;
        for piece in text.split('.') {
            if piece.is_empty() {
                return Err(self.fault(step, MEMBER.missing));
            }
            step += piece.len() + 1;
        }
        Ok(text.to_owned())
    }

    /// A filter; `None` for the delivery, which stands like one.
    fn filter(&mut self) -> Result<Option<Filter>, Malformed> {
        let start = self.at;
        let length = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let word = &self.rest()[..length];
        let filter = match Filter::new(word) {
            None if word != b"file" => {
                let reason = "the filter is not one of urlencode, base64, base64decode, trim, file";
                return Err(self.fault(start, reason));
            }
            found => found,
        };
        self.at += length;
        Ok(filter)
    }

    fn file(&mut self) -> Result<Delivery, Malformed> {
        if !self.take(b':') {
            return Ok(Delivery::File(None));
        }
        let start = self.at;
        let word = self.word();
        Ok(Delivery::File(Some(self.name(start, word)?)))
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
        malformed(at, reason)
    }
}
