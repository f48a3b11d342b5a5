//! Dotenv files as Docker Compose reads them (its compose-go, 2.16). Without interpolation, a `$` is
//! a `$`.
//!
//! A line that nobody can have meant is a fault here, although Compose reads it: a missing name, a
//! name with a blank in it, text after a closing quote, a comment where the value belongs. A name
//! alone may end the file without a line break.

use std::fmt;

use crate::model::error::{Lines, Malformed};

/// Mark that some editors write before UTF-8 text. It is no part of the text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One assignment of a dotenv file.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name: one or more of Unicode's letters and digits, `_`, `.`, `-`, `[` and `]`, in UTF-8.
    pub name: Vec<u8>,
    /// The value, any bytes. None for a name alone on a line, which asks for the value that the
    /// variable already has.
    pub value: Option<Vec<u8>>,
    /// True if the value stands in single quotes, so that Compose fills nothing in.
    pub is_literal: bool,
    /// The names of variables that Compose would fill in, of those with braces.
    pub braced: Vec<Vec<u8>>,
    /// Start of the name, in bytes from 0, not counting a byte order mark.
    offset: usize,
}

impl Assignment {
    /// A fault of this assignment; `lines` are those of the text that it was read from.
    pub fn fault(&self, lines: &Lines, reason: &'static str) -> Malformed {
        lines.fault(self.offset, reason)
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.name);
        f.debug_struct("Assignment")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

/// The assignments of a dotenv file in their order, repeated names and all. With `interpolates`, a
/// `\$` in double quotes is `$$`, as interpolation reads it.
///
/// # Errors
/// Every line that is none of a dotenv file, up to a number; for a quote that is never closed, the
/// quote.
pub fn parse(text: &[u8], interpolates: bool) -> Result<Vec<Assignment>, Vec<Malformed>> {
    let text = unmarked(text);
    if is_utf_16(text) {
        return Err(vec![Malformed::at(
            text,
            0,
            "this is UTF-16; save it as UTF-8",
        )]);
    }
    let mut reader = DotenvReader {
        text,
        offset: 0,
        interpolates,
    };
    let (mut assignments, mut faults) = (Vec::new(), Vec::new());
    loop {
        let next = match reader.finds_statement() {
            Ok(false) => break,
            Ok(true) => reader.assignment(),
            Err(fault) => Err(fault),
        };
        match next {
            Ok(assignment) => assignments.push(assignment),
            Err(fault) => {
                faults.push(fault);
                if faults.len() == MOST_FAULTS {
                    break;
                }
                reader.offset += reader.line().len();
            }
        }
    }
    match faults.is_empty() {
        true => Ok(assignments),
        false => Err(faults),
    }
}

/// The most faults that are found in one file. More say nothing more.
const MOST_FAULTS: usize = 1000;

/// True if a text is UTF-16: by its mark, or as each second byte of two letters is 0.
fn is_utf_16(text: &[u8]) -> bool {
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [one, 0, other, 0, ..] | [0, one, 0, other, ..] => *one != 0 && *other != 0,
        _ => false,
    }
}

const CR: &str = "a CR that ends no line stands here; save the file with LF as line ends";
const COMMENT: &str = "a comment stands in the value's place; a value that begins so needs quotes";

/// Start of each line of a dotenv file.
pub fn lines(text: &[u8]) -> Lines {
    Lines::of(unmarked(text))
}

fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Reads a dotenv file from front to back.
struct DotenvReader<'t> {
    text: &'t [u8],
    offset: usize,
    interpolates: bool,
}

impl<'t> DotenvReader<'t> {
    /// Skips white space and comments. Returns false at the end of the text.
    fn finds_statement(&mut self) -> Result<bool, Malformed> {
        loop {
            self.take(char::is_whitespace);
            if self.peek() != Some(b'#') {
                return Ok(self.peek().is_some());
            }
            self.offset += self.whole_line()?.len();
        }
    }

    /// Returns the rest of the line, in which no CR may stand but at its end.
    fn whole_line(&self) -> Result<&'t [u8], Malformed> {
        let line = self.line();
        let inner = line.strip_suffix(b"\r").unwrap_or(line);
        match inner.iter().position(|&byte| byte == b'\r') {
            Some(at) => Err(Malformed::at(self.text, self.offset + at, CR)),
            None => Ok(line),
        }
    }

    fn assignment(&mut self) -> Result<Assignment, Malformed> {
        let name = self.name();
        let offset = self.offset - name.len();
        let blanks = self.take(is_blank);
        let mut is_literal = false;
        let start = self.offset;
        let value = match self.peek() {
            None | Some(b'\n' | b'=' | b':') if name.is_empty() => {
                return Err(self.fault("a name is missing"));
            }
            None | Some(b'\n') => None,
            Some(b'=' | b':') => {
                self.offset += 1;
                let (value, literal) = self.value()?;
                is_literal = literal;
                Some(value)
            }
            _ if blanks.contains(&b'\r') => return Err(self.fault(CR)),
            _ if self.character().is_some_and(is_of_name) => {
                return Err(self.fault("a name has no blank in it"));
            }
            _ if self.character() == Some('\u{feff}') => {
                let reason = "a byte order mark stands here, which belongs at a file's beginning";
                return Err(self.fault(reason));
            }
            _ => return Err(self.fault("a name has only letters, digits and _ . - [ ] in it")),
        };
        Ok(Assignment {
            name: name.to_vec(),
            value,
            is_literal,
            braced: match is_literal {
                true => vec![],
                false => braced(&self.text[start..self.offset]),
            },
            offset,
        })
    }

    /// Reads a name and drops an `export` before it. A variable may be called `export`.
    fn name(&mut self) -> &'t [u8] {
        let word = self.take(is_of_name);
        if word != b"export" || matches!(self.peek(), Some(b'=' | b':')) {
            return word;
        }
        self.take(is_blank);
        self.take(is_of_name)
    }

    /// Reads a value. Also returns true if it stands in single quotes.
    fn value(&mut self) -> Result<(Vec<u8>, bool), Malformed> {
        let before = self.offset;
        self.take(is_blank);
        if let Some(quote @ (b'"' | b'\'')) = self.peek() {
            return Ok((self.quoted(quote)?, quote == b'\''));
        }
        let start = self.offset;
        self.take(|character| character.is_whitespace() && character != '\n');
        // Compose takes such a comment for the value.
        if let Some(after) = self.line().strip_prefix(b"#") {
            let is_comment = after.first().is_some_and(u8::is_ascii_whitespace);
            if self.offset > before || is_comment {
                return Err(self.fault(COMMENT));
            }
        }
        self.offset = start;
        let line = self.whole_line()?;
        self.offset += line.len();
        let comment = line.windows(2).position(|pair| pair == b" #");
        let value = trim_end(&line[..comment.unwrap_or(line.len())]).to_vec();
        Ok((value, false))
    }

    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, Malformed> {
        let opening = self.offset;
        self.offset += 1;
        let mut value = Vec::new();
        loop {
            match self.next() {
                None => {
                    // The lines below are read as lines again, for the faults in them.
                    self.offset = opening;
                    return Err(self.fault("the quote is never closed"));
                }
                Some(byte) if byte == quote => break,
                Some(b'\\') => self.escape(quote, &mut value),
                Some(byte) => value.push(byte),
            }
        }
        self.take(|character| character.is_whitespace() && character != '\n');
        match self.peek() {
            None | Some(b'\n' | b'#') => Ok(value),
            Some(_) => Err(self.fault("only a comment may follow a closing quote")),
        }
    }

    /// Reads the characters after a backslash in quotes. At the end of the text there are none; the
    /// missing quote is the fault then.
    fn escape(&mut self, quote: u8, value: &mut Vec<u8>) {
        let Some(escaped) = self.next() else { return };
        if escaped == quote {
            value.push(quote);
        } else if self.interpolates && quote == b'"' && escaped == b'$' {
            value.extend(b"$$");
        } else if quote == b'"' && escaped == b'0' {
            self.octal(value);
        } else {
            match meaning(escaped).filter(|_| quote == b'"') {
                Some(byte) => value.push(byte),
                None => value.extend([b'\\', escaped]),
            }
        }
    }

    /// Reads the characters after `\0`. Three octal digits, at most 377, name a character, which is
    /// written in UTF-8. Before anything else only the `0` is dropped, as Compose does.
    fn octal(&mut self, value: &mut Vec<u8>) {
        let rest = &self.text[self.offset..];
        let count = rest
            .iter()
            .take(3)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let digits = &rest[..count];
        self.offset += count;
        let number = str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.len() == 3);
        match number.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(number) => value.extend(char::from(number).encode_utf8(&mut [0; 2]).bytes()),
            None => value.extend([b"\\", digits].concat()),
        }
    }

    /// Takes characters up to the first that does not fit.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t [u8] {
        let start = self.offset;
        while let Some(character) = self.character().filter(|&character| fits(character)) {
            self.offset += character.len_utf8();
        }
        &self.text[start..self.offset]
    }

    /// Returns the next character, or `None` at the end and where the text is not UTF-8.
    fn character(&self) -> Option<char> {
        let rest = &self.text[self.offset..];
        let longest = &rest[..rest.len().min(4)];
        longest.utf8_chunks().next()?.valid().chars().next()
    }

    /// Returns the rest of the line without its line break.
    fn line(&self) -> &'t [u8] {
        let rest = &self.text[self.offset..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len());
        &rest[..length]
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.offset += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.offset).copied()
    }

    fn fault(&self, reason: &'static str) -> Malformed {
        Malformed::at(self.text, self.offset, reason)
    }
}

/// Lists the variables in braces that stand in a value's source.
fn braced(source: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for at in 0..source.len().saturating_sub(2) {
        let (before, rest) = source.split_at(at);
        let escaped = matches!(before.last(), Some(b'$' | b'\\'));
        let Some(rest) = rest.strip_prefix(b"${").filter(|_| !escaped) else {
            continue;
        };
        let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let (name, after) = rest.split_at(rest.iter().take_while(is_of_name).count());
        let ends = matches!(
            after,
            [b'}' | b'-' | b'?' | b'+', ..] | [b':', b'-' | b'?' | b'+', ..]
        );
        if ends && name.first().is_some_and(|first| !first.is_ascii_digit()) {
            names.push(name.to_vec());
        }
    }
    names
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || "_.-[]".contains(character)
}

/// Maps the byte after a backslash in double quotes to the byte that both stand for.
fn meaning(escaped: u8) -> Option<u8> {
    let at = b"abtnvfr\\$".iter().position(|&byte| byte == escaped)?;
    b"\x07\x08\t\n\x0b\x0c\r\\$".get(at).copied()
}

/// True for white space within a line. Other Unicode white space belongs to the value, as in
/// Compose.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\t' | '\x0b' | '\x0c' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}

/// Removes white space from the end of a text that need not be UTF-8.
fn trim_end(text: &[u8]) -> &[u8] {
    let Some(last) = text
        .utf8_chunks()
        .last()
        .filter(|last| last.invalid().is_empty())
    else {
        return text;
    };
    let blank = last.valid().len() - last.valid().trim_end().len();
    &text[..text.len() - blank]
}

#[cfg(test)]
mod tests;
