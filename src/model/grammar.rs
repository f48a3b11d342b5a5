//! The grammar of references, in the value of a variable.
//!
//! ```text
//! value     = REF                               the whole value of a variable
//!           | text with "${" REF "}"            any number of times inside a value
//! REF       = "secret:" [SCOPE "/"] NAME ["#" MEMBER] {"|" FILTER} ["|" FILE] ["?" [TEXT]]
//!           | SCHEME ":" PATH ["#" KEY ["#" VERSION]] {"|" FILTER} ["|" FILE] ["?" [TEXT]]
//! FILE      = "file" [":" NAME]
//! ```
//!
//! The schemes are those of the stores, which check their own locations. Some stores know whole
//! values that are references without a scheme; the user has to ask for that. `secret::TEXT` is the
//! literal `secret:TEXT`, `$${secret:` the literal `${secret:`; the schemes have the same escapes.
//! Parsing only validates: nothing is looked up here, and no fault holds any of the text.

use super::error::Malformed;
use super::location::{Form, Location, Scheme};
use super::name::{self, Level, Name};
use super::reference::{Delivery, Direct, Filter, Part, Reference, Scoped, Target, Value};

/// The word that begins a reference to a name in the scopes.
const SECRET: &str = "secret";

/// The sign in front of a reference that writes, in the closest tool of this kind. Neither doorkey
/// nor a workload could use such a value.
const WRITING: &[u8] = b">>";

const NO_ID: &str = "a scope takes no id here: write project/NAME, and give the id by --project";
const UNCLOSED: &str = "'${' is not closed: the '}' is missing";
const NO_WRITING: &str = "references that write are not supported";

/// True if a text begins with a reference that writes.
fn writes(text: &[u8], schemes: &[Scheme]) -> bool {
    let rest = text.strip_prefix(WRITING);
    let word = rest.and_then(|rest| word_before_colon(rest, schemes));
    matches!(word, Some(Word::Scheme(_)))
}

/// The word that a reference begins with.
#[derive(Clone, Copy)]
enum Word<'s> {
    /// The word for the scopes.
    Secret,
    /// The word for a store's single places.
    Scheme(&'s Scheme),
}

impl Word<'_> {
    fn text(&self) -> &'static str {
        match self {
            Word::Secret => SECRET,
            Word::Scheme(scheme) => scheme.word,
        }
    }
}

/// Reads a variable's value. References to single places begin with these schemes.
///
/// # Errors
/// The first place of a malformed reference; the column counts bytes from 1, the line is always 1.
pub fn parse(value: &[u8], schemes: &[Scheme]) -> Result<Value, Malformed> {
    if writes(value, schemes) {
        return Err(Malformed::at(value, 0, NO_WRITING));
    }
    let (word, after) = match (word_before_colon(value, schemes), bare(value, schemes)) {
        (Some(word), _) => (word, word.text().len() + 1),
        (None, Some(scheme)) => (Word::Scheme(scheme), 0),
        (None, None) => return parse_mixed(value, schemes),
    };
    if after > 0 && value.get(after) == Some(&b':') {
        let literal = [word.text().as_bytes(), &value[after..]].concat();
        return Ok(Value::Mixed(vec![Part::Text(literal)]));
    }
    let mut cursor = Cursor {
        text: value,
        at: after,
        inline: false,
    };
    cursor.reference(word).map(Value::Whole)
}

/// Reads a list of documents in the form of the closest tool of this kind: `PATH[#VERSION]` with
/// commas between. A `?` at the end of one allows its absence. A scheme and its colon in front of a
/// path have no effect: all references are to the first scheme.
///
/// # Errors
/// Same as [`parse`].
pub fn documents(list: &[u8], schemes: &[Scheme]) -> Result<Vec<Reference>, Malformed> {
    let mut documents = Vec::new();
    let Some(scheme) = schemes.first() else {
        return Ok(documents);
    };
    let mut at = 0;
    for entry in list.split(|&byte| byte == b',') {
        let (mut start, end) = (at, at + entry.trim_ascii_end().len());
        at += entry.len() + 1;
        start += entry.len() - entry.trim_ascii_start().len();
        if start >= end {
            continue;
        }
        let after = match word_before_colon(&list[start..end], schemes) {
            Some(Word::Scheme(scheme)) => scheme.word.len() + 1,
            _ => 0,
        };
        let mut cursor = Cursor {
            text: &list[..end],
            at: start + after,
            inline: false,
        };
        let location = cursor.location(scheme, Form::Document)?;
        let fallback = cursor.take(b'?').then(Vec::new);
        cursor.end()?;
        let scheme = scheme.word;
        documents.push(Reference {
            fallback,
            ..Target::Direct(Direct { scheme, location }).into()
        });
    }
    Ok(documents)
}

/// Finds the word with which a text begins a reference.
fn word_before_colon<'s>(text: &[u8], schemes: &'s [Scheme]) -> Option<Word<'s>> {
    let begins = |word: &Word<'_>| {
        let rest = text.strip_prefix(word.text().as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b":"))
    };
    let schemes = schemes.iter().map(Word::Scheme);
    std::iter::once(Word::Secret).chain(schemes).find(begins)
}

/// Finds the scheme for a whole value that is a reference without a scheme.
fn bare<'s>(value: &[u8], schemes: &'s [Scheme]) -> Option<&'s Scheme> {
    let text = str::from_utf8(value).ok()?;
    let mut schemes = schemes.iter();
    schemes.find(|scheme| scheme.bare.is_some_and(|is_one| is_one(text)))
}

/// Reads a variable's value that is no whole reference.
fn parse_mixed(value: &[u8], schemes: &[Scheme]) -> Result<Value, Malformed> {
    let (parts, mut faults) = parse_inside(value, schemes);
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

/// Reads a text that may hold `${secret:…}` anywhere. Returns its parts, or none if it has no
/// reference and no escape; and the place of each fault, with the reason.
pub fn parse_inside(
    value: &[u8],
    schemes: &[Scheme],
) -> (Option<Parts>, Vec<(usize, &'static str)>) {
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
            rest.and_then(|rest| word_before_colon(rest, schemes))
        };
        let rest = &value[at..];
        if rest
            .strip_prefix(b"$${")
            .is_some_and(|rest| writes(rest, schemes))
        {
            text.extend_from_slice(&value[taken..at]);
            taken = at + 1;
            at += b"$${".len();
        } else if rest
            .strip_prefix(b"${")
            .is_some_and(|rest| writes(rest, schemes))
        {
            faults.push((at, NO_WRITING));
            at += b"${".len();
        } else if let Some(word) = word(b"$${") {
            text.extend_from_slice(&value[taken..at]);
            taken = at + 1;
            at += word.text().len() + 4;
        } else if let Some(word) = word(b"${") {
            text.extend_from_slice(&value[taken..at]);
            if !text.is_empty() {
                parts.push((start, Part::Text(std::mem::take(&mut text))));
            }
            let mut cursor = Cursor {
                text: value,
                at: at + word.text().len() + 3,
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

/// Makes the fault of a variable's value, which is one line.
fn malformed(at: usize, reason: &'static str) -> Malformed {
    Malformed {
        line: 1,
        column: at + 1,
        reason,
    }
}

/// The reasons for which a stretch of text is refused.
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

const PLACE: Faults = Faults {
    missing: "a path is missing",
    bytes: "this is not UTF-8",
    control: "a control character in a reference",
};

/// A place in a value, just after a reference's word and its colon.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    inline: bool,
}

impl<'a> Cursor<'a> {
    fn reference(&mut self, word: Word<'_>) -> Result<Reference, Malformed> {
        let target = match word {
            Word::Secret => Target::Scoped(self.scoped()?),
            Word::Scheme(scheme) => Target::Direct(Direct {
                scheme: scheme.word,
                location: self.location(scheme, Form::Value)?,
            }),
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

    fn scoped(&mut self) -> Result<Scoped, Malformed> {
        let (level, name) = self.level_and_name()?;
        let member = match self.take(b'#') {
            true => Some(self.member()?),
            false => None,
        };
        Ok(Scoped {
            level,
            name,
            member,
        })
    }

    fn location(&mut self, scheme: &Scheme, form: Form) -> Result<Location, Malformed> {
        let start = self.at;
        let text = self.stretch(b"|?{}", &PLACE)?;
        let fault = |at, reason| malformed(start + at, reason);
        let written = Location::parse_as(form, text).map_err(|(at, reason)| fault(at, reason))?;
        if written.key.as_deref() == Some("$") && self.peek() == Some(b'{') {
            return Err(self.fault(self.at - 1, "templates are not supported; name one key"));
        }
        (scheme.judge)(written.clone(), form)
            .map_err(|(part, reason)| fault(written.offset(part), reason))
    }

    /// Takes the text up to one of these bytes; it must be printable and not empty.
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
        if self.peek() != Some(b'/') || word.is_empty() {
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
                Some(b' ' | b'\t' | b'/') => {
                    "the name has to follow the colon at once, as in secret:NAME"
                }
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

    /// Takes a filter; `None` for the delivery, which is written like one.
    fn filter(&mut self) -> Result<Option<Filter>, Malformed> {
        let (filter, length) = Filter::read(self.rest())
            .map_err(|(offset, reason)| self.fault(self.at + offset, reason))?;
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
        let reason = match self.peek() {
            None if !self.inline => return Ok(()),
            None => "the closing '}' is missing",
            Some(b'}') if self.inline && self.take(b'}') => return Ok(()),
            Some(b'/') if !self.text[..self.at].contains(&b'|') => NO_ID,
            Some(_) if self.inline && !self.rest().contains(&b'}') => UNCLOSED,
            Some(_) if !self.inline && self.rest().trim_ascii().is_empty() => {
                match self.rest().contains(&b'\n') {
                    true => "a line break stands at the end; leave it out, in YAML with |- or >-",
                    false => "a blank stands at the end; leave it out",
                }
            }
            Some(_) => "a character that can't stand in a reference",
        };
        Err(self.fault(self.at, reason))
    }

    /// Takes the next bytes that could be a name.
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
