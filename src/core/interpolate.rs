//! `$NAME` and `${NAME}` in a text, filled in as Docker Compose does (its compose-go, 2.16):
//! `${NAME:-TEXT}` and `-` have a default, `${NAME:?TEXT}` and `?` a fault, `${NAME:+TEXT}` and `+`
//! another text for a variable that is set. The colon counts an empty variable as none. `TEXT` is
//! filled in too. `$$` is `$`. A value that is filled in is not read again.
//!
//! A reference such as `${secret:NAME}` is none of these, and stays. Any other `$` stays as well,
//! where Compose refuses some.

use std::collections::BTreeSet;

/// The deepest nesting of one `${…}` in another.
const DEEPEST: usize = 16;

/// The length at which a text is cut, in bytes: more than a kernel takes.
const LONGEST: usize = 1 << 20;

/// The value of a name, if it is set.
pub type Lookup<'l> = &'l dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// The reason why a text can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfilled {
    /// The name of the variable, which stands in braces.
    pub name: Vec<u8>,
    /// The reason, in lower case.
    pub reason: &'static str,
}

/// Fills in every variable of a text.
///
/// # Errors
/// The first variable that has to be set and is not, and the first `${NAME` that is never closed.
pub fn interpolate(text: &[u8], lookup: Lookup<'_>) -> Result<Vec<u8>, Unfilled> {
    filled(text, lookup, 0)
}

/// Replaces each `$$` by `$`, and leaves variables as they are. Also returns the names of the
/// variables: those in braces, and of the others those without small letters. A `$word` may be a
/// part of a password.
pub fn unescaped(text: &[u8]) -> (Vec<u8>, BTreeSet<Vec<u8>>) {
    let (mut out, mut names) = (Vec::with_capacity(text.len()), BTreeSet::new());
    for piece in (Pieces { rest: text }) {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Variable(variable) => {
                let is_usual = !variable.name.iter().any(u8::is_ascii_lowercase);
                if variable.inner.is_some() || is_usual {
                    names.insert(variable.name.to_vec());
                }
                out.extend_from_slice(variable.whole);
            }
        }
    }
    (out, names)
}

fn filled(text: &[u8], lookup: Lookup<'_>, depth: usize) -> Result<Vec<u8>, Unfilled> {
    let mut out = Vec::with_capacity(text.len());
    for piece in (Pieces { rest: text }) {
        if out.len() > LONGEST {
            break;
        }
        let variable = match piece {
            Piece::Text(text) => {
                out.extend_from_slice(text);
                continue;
            }
            Piece::Variable(variable) => variable,
        };
        let fault = |reason| Unfilled {
            name: variable.name.to_vec(),
            reason,
        };
        let value = lookup(variable.name);
        let Some(inner) = variable.inner else {
            out.extend(value.unwrap_or_default());
            continue;
        };
        let Some(inner) = inner else {
            return Err(fault("its ${ is never closed"));
        };
        let (needs_content, inner) = match inner.strip_prefix(b":") {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        let value = value.filter(|value| !needs_content || !value.is_empty());
        let (operator, inner) = inner.split_first().unwrap_or((&b'-', inner));
        let has_value = value.is_some();
        match operator {
            b'?' if !has_value => return Err(fault("it has to be set, and is not")),
            b'-' if !has_value => {}
            b'+' if has_value => {}
            b'+' => continue,
            _ => {
                out.extend(value.unwrap_or_default());
                continue;
            }
        }
        if depth == DEEPEST {
            return Err(fault("too many ${ are in one another"));
        }
        out.extend(filled(inner, lookup, depth + 1)?);
    }
    Ok(out)
}

/// A part of a text.
enum Piece<'t> {
    /// Text that stays, with `$$` read as `$`.
    Text(&'t [u8]),
    Variable(Variable<'t>),
}

struct Variable<'t> {
    name: &'t [u8],
    /// With braces, the text from the operator to the closing one; `None` in it without a closing
    /// one.
    inner: Option<Option<&'t [u8]>>,
    /// The variable as it is written.
    whole: &'t [u8],
}

/// The parts of a text, one after the other.
struct Pieces<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let text = self.rest;
        let dollar = text.iter().position(|&byte| byte == b'$');
        let length = match dollar {
            Some(0) => {
                if let Some(variable) = variable(text) {
                    self.rest = &text[variable.whole.len()..];
                    return Some(Piece::Variable(variable));
                }
                // The first of two, or one that begins nothing.
                self.rest = &text[1 + usize::from(text.starts_with(b"$$"))..];
                return Some(Piece::Text(&text[..1]));
            }
            Some(at) => at,
            None if text.is_empty() => return None,
            None => text.len(),
        };
        self.rest = &text[length..];
        Some(Piece::Text(&text[..length]))
    }
}

/// Reads the variable that a text begins with.
fn variable(text: &[u8]) -> Option<Variable<'_>> {
    let has_brace = text.starts_with(b"${");
    let start = 1 + usize::from(has_brace);
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let rest = text.get(start..)?;
    let length = rest.iter().position(|byte| !is_of_name(byte));
    let (name, after) = rest.split_at(length.unwrap_or(rest.len()));
    if name.first().is_none_or(u8::is_ascii_digit) {
        return None;
    }
    if !has_brace {
        return Some(Variable {
            name,
            inner: None,
            whole: &text[..start + name.len()],
        });
    }
    // What follows a name otherwise makes it a reference.
    match after {
        [] | [b'}' | b'-' | b'?' | b'+', ..] | [b':', b'-' | b'?' | b'+', ..] => {}
        _ => return None,
    }
    let end = closing(after);
    Some(Variable {
        name,
        inner: Some(end.map(|end| &after[..end])),
        whole: end.map_or(text, |end| &text[..=start + name.len() + end]),
    })
}

/// Finds the brace that closes one which was opened before. All braces in between count, as for
/// Compose.
fn closing(text: &[u8]) -> Option<usize> {
    let mut open = 1;
    text.iter().position(|byte| {
        open += i32::from(*byte == b'{') - i32::from(*byte == b'}');
        open == 0
    })
}

#[cfg(test)]
mod tests {
    use super::{interpolate, unescaped};

    fn lookup(name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"A" => Some(b"a".to_vec()),
            b"EMPTY" => Some(vec![]),
            b"DOLLAR" => Some(b"$A".to_vec()),
            _ => None,
        }
    }

    #[test]
    fn variables() {
        for (text, meant) in [
            ("", ""),
            ("$A ${A}$A", "a aa"),
            ("$NONE${NONE}.", "."),
            ("$$A $${A} $$$A", "$A ${A} $a"),
            ("$DOLLAR ${DOLLAR}", "$A $A"),
            (
                "${A:-b} ${NONE:-b} ${EMPTY:-b} ${EMPTY-b} ${NONE-b}",
                "a b b  b",
            ),
            (
                "${A:+b} ${NONE:+b} ${EMPTY:+b} ${EMPTY+b} ${NONE+b}",
                "b   b ",
            ),
            ("${A:?b} ${A?b} ${EMPTY?b}", "a a "),
            ("${NONE:-${NONE:-${A}b}c}d", "abcd"),
            ("${NONE:-$$} ${NONE-}", "$ "),
            ("${A:-${NONE:?b}}", "a"),
            ("${NONE:-{\"b\": {}}}", "{\"b\": {}}"),
            (
                "${secret:db} ${vault:a/b#c?d}",
                "${secret:db} ${vault:a/b#c?d}",
            ),
            ("$ $1 ${1} ${} $(A) a$", "$ $1 ${1} ${} $(A) a$"),
            ("é$A€", "éa€"),
        ] {
            let found = interpolate(text.as_bytes(), &lookup);
            let found = found.map(|found| String::from_utf8(found).unwrap());
            assert_eq!(found.as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn faults() {
        let deep = "${N:-".repeat(20) + &"}".repeat(20);
        for (text, name, reason) in [
            ("${NONE:?b}", "NONE", "it has to be set, and is not"),
            ("${EMPTY:?}", "EMPTY", "it has to be set, and is not"),
            ("${A:+${NONE?}}", "NONE", "it has to be set, and is not"),
            ("x${A", "A", "its ${ is never closed"),
            ("${A:-$${}", "A", "its ${ is never closed"),
            (&deep, "N", "too many ${ are in one another"),
        ] {
            let fault = interpolate(text.as_bytes(), &lookup).unwrap_err();
            let name = name.as_bytes().to_vec();
            assert_eq!((fault.name, fault.reason), (name, reason), "{text}");
        }
    }

    #[test]
    fn names_without_values() {
        let (text, names) = unescaped(b"$$a ${A:-$$} $B $word ${word} ${secret:x} ${C");
        assert_eq!(text, b"$a ${A:-$$} $B $word ${word} ${secret:x} ${C");
        assert_eq!(
            names,
            [&b"A"[..], b"B", b"C", b"word"].map(<[u8]>::to_vec).into()
        );
    }
}
