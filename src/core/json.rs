//! Values within a JSON text, exactly as they stand there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use super::suggest::nearest;

/// Reason why a member is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MemberFault {
    /// The text is not JSON (RFC 8259) in UTF-8, or the member is a string that UTF-8 can't hold:
    /// one with half of a surrogate pair.
    #[error("it is not JSON in UTF-8")]
    NotJson,
    /// The text is JSON, but has nothing at the path.
    #[error("it has no such member")]
    Missing,
}

/// The levels of one JSON text in which members were looked for. Each is read once, so that all
/// members of a large text together take as long as the text is, and not its square.
#[derive(Default)]
pub struct Levels {
    /// Place of the whole text's value; `None` before the first search.
    whole: Option<Result<Span, MemberFault>>,
    /// Levels that were read, by the place where each begins.
    read: BTreeMap<usize, JsonLevel>,
}

impl Levels {
    /// Finds the key, at any level that was read, that is most like the last segment of a path.
    pub fn nearest(&self, path: &str) -> Option<&str> {
        let last = path.rsplit('.').next().unwrap_or_default();
        let keys = self.read.values().flat_map(|level| match level {
            JsonLevel::Mapping(members) => members.keys().map(AsRef::as_ref).collect(),
            _ => vec![],
        });
        let keys: Vec<&str> = keys.collect();
        nearest(last, &keys, |key| key).copied()
    }
}

/// A place in a text: its first byte, and the first that is beyond.
type Span = (usize, usize);

/// Says nothing of what is in the text.
impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Levels")
    }
}

/// Content of one level.
enum JsonLevel {
    Scalar,
    List(Vec<Span>),
    /// By key; of a repeated key the last value.
    Mapping(BTreeMap<Box<str>, Span>),
}

/// The value at a dotted path of a JSON text: a string's content; of anything else the source.
///
/// Of an object, the member that has all of the remaining path as its key is taken, or else the
/// one that has its first segment, so that `tls.crt` is found whether or not it is nested. Where a
/// key is repeated, the last one counts, as for most readers. Of an array, a segment is an index
/// from 0. `levels` is that text's, and empty at first.
///
/// # Errors
/// The text is not JSON as a whole, or nothing is at the path.
pub fn member<'t>(
    text: &'t [u8],
    path: &str,
    levels: &mut Levels,
) -> Result<Cow<'t, [u8]>, MemberFault> {
    let whole = || {
        let value: &RawValue = serde_json::from_slice(text).map_err(|_| MemberFault::NotJson)?;
        Ok(span(text, value))
    };
    let mut value = (*levels.whole.get_or_insert_with(whole))?;
    let mut path = Some(path);
    while let Some(remaining) = path {
        let level = || JsonLevel::read(text, value);
        let level = levels.read.entry(value.0).or_insert_with(level);
        (value, path) = level.step(remaining).ok_or(MemberFault::Missing)?;
    }
    let source = source(text, value).ok_or(MemberFault::NotJson)?;
    match content(source).ok_or(MemberFault::NotJson)? {
        Cow::Borrowed(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Cow::Owned(text) => Ok(Cow::Owned(text.into_bytes())),
    }
}

/// Returns the place of a value in its text.
fn span(text: &[u8], value: &RawValue) -> Span {
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    (start, start + value.get().len())
}

fn source(text: &[u8], (start, end): Span) -> Option<&str> {
    std::str::from_utf8(text.get(start..end)?).ok()
}

impl JsonLevel {
    fn read(text: &[u8], value: Span) -> Self {
        let value = source(text, value).and_then(|source| serde_json::from_str(source).ok());
        match value.and_then(view) {
            Some(View::List(elements)) => {
                JsonLevel::List(elements.iter().map(|element| span(text, element)).collect())
            }
            Some(View::Mapping(members)) => {
                // A key that UTF-8 can't hold is nobody's.
                let known = |(key, value): (&RawValue, &RawValue)| {
                    Some((content(key.get())?.into(), span(text, value)))
                };
                JsonLevel::Mapping(members.into_iter().filter_map(known).collect())
            }
            Some(View::Scalar(_)) | None => JsonLevel::Scalar,
        }
    }

    /// One step down a path: the value there, and what then remains of the path.
    fn step<'p>(&self, path: &'p str) -> Option<(Span, Option<&'p str>)> {
        let (segment, rest) = match path.split_once('.') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        match self {
            JsonLevel::Scalar => None,
            JsonLevel::List(elements) => Some((*elements.get(index(segment)?)?, rest)),
            JsonLevel::Mapping(members) => {
                let whole = members.get(path).map(|&value| (value, None));
                let first = || members.get(segment).map(|&value| (value, rest));
                whole.or_else(|| rest.and_then(|_| first()))
            }
        }
    }
}

/// The members of a JSON object in their order, each with its value's source.
///
/// # Errors
/// [`MemberFault::NotJson`] for a text that is no JSON object or has a key that UTF-8 can't hold.
pub fn members(text: &[u8]) -> Result<Vec<(String, &RawValue)>, MemberFault> {
    let ObjectMembers(members) = serde_json::from_slice(text).map_err(|_| MemberFault::NotJson)?;
    let owned = |(key, value): (&RawValue, _)| Some((content(key.get())?.into_owned(), value));
    let members: Option<_> = members.into_iter().map(owned).collect();
    members.ok_or(MemberFault::NotJson)
}

/// The content of a string; `None` for any other value.
pub fn text(value: &RawValue) -> Option<Vec<u8>> {
    let is_string = value.get().starts_with('"');
    plain(value).ok().filter(|_| is_string)
}

/// The content of a member of an object, if it is a string. If the name is repeated, the last
/// member counts.
pub fn text_of(object: &[u8], name: &str) -> Option<Vec<u8>> {
    let members = members(object).ok()?;
    let (_, value) = members.into_iter().rfind(|(known, _)| known == name)?;
    text(value)
}

/// Converts a member's value for a program: the content of a string, or the source of anything
/// else without white space and without the escapes that keep JSON safe in HTML.
///
/// # Errors
/// [`MemberFault::NotJson`] for a string that UTF-8 can't hold.
pub fn plain(value: &RawValue) -> Result<Vec<u8>, MemberFault> {
    const ESCAPES: [(&[u8], u8); 3] = [(br"\u003c", b'<'), (br"\u003e", b'>'), (br"\u0026", b'&')];
    let source = value.get().as_bytes();
    if source.starts_with(b"\"") {
        let content = content(value.get()).ok_or(MemberFault::NotJson)?;
        return Ok(content.into_owned().into_bytes());
    }
    let mut out = Vec::with_capacity(source.len());
    let (mut at, mut in_string) = (0, false);
    while let Some(&byte) = source.get(at) {
        let html = ESCAPES
            .iter()
            .find(|(escape, _)| source[at..].starts_with(escape));
        match (byte, html) {
            (b'\\', Some((escape, meant))) => {
                out.push(*meant);
                at += escape.len() - 1;
            }
            (b'\\', None) => {
                out.extend_from_slice(&source[at..source.len().min(at + 2)]);
                at += 1;
            }
            (b' ' | b'\n' | b'\r' | b'\t', _) if !in_string => {}
            _ => {
                in_string ^= byte == b'"';
                out.push(byte);
            }
        }
        at += 1;
    }
    Ok(out)
}

/// The index that a path's segment is: decimal digits, with no sign.
pub(super) fn index(segment: &str) -> Option<usize> {
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    segment.parse().ok().filter(|_| digits)
}

/// One level of a value, with the values in it as `N`.
pub(super) enum View<'t, N> {
    /// Content of a string, or source of a number, a boolean or null.
    Scalar(Cow<'t, str>),
    /// An array's elements.
    List(Vec<N>),
    /// An object's keys and values in their order, repeated keys and all.
    Mapping(Vec<(N, N)>),
}

/// Opens one level of a value; `None` for a string that UTF-8 can't hold.
pub(super) fn view(value: &RawValue) -> Option<View<'_, &RawValue>> {
    let source = value.get();
    match source.as_bytes().first()? {
        b'[' => serde_json::from_str(source).ok().map(View::List),
        b'{' => serde_json::from_str(source)
            .ok()
            .map(|ObjectMembers(members)| View::Mapping(members)),
        _ => content(source).map(View::Scalar),
    }
}

/// A string's content; of anything else the source. None for a string that UTF-8 can't hold.
fn content(source: &str) -> Option<Cow<'_, str>> {
    if !source.starts_with('"') {
        return Some(Cow::Borrowed(source));
    }
    // Only a string without escapes can be borrowed.
    let borrowed = serde_json::from_str(source).map(Cow::Borrowed);
    borrowed
        .or_else(|_| serde_json::from_str(source).map(Cow::Owned))
        .ok()
}

/// An object that keeps its members' order and sources, which no map would.
struct ObjectMembers<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for ObjectMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = ObjectMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(ObjectMembers(members))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Levels, MemberFault};

    /// Looks once, and once more with what is known of the text then.
    fn member<'t>(text: &'t [u8], path: &str) -> Result<Cow<'t, [u8]>, MemberFault> {
        let mut levels = Levels::default();
        let once = super::member(text, path, &mut levels);
        assert_eq!(super::member(text, path, &mut levels), once);
        once
    }

    #[test]
    fn found() {
        for (text, path, value) in [
            (r#"{"a":"b"}"#, "a", "b"),
            (r#" {"a" : {"b" : "c"} } "#, "a", r#"{"b" : "c"}"#),
            (r#"{"tls.crt":"b"}"#, "tls.crt", "b"),
            (r#"{"tls":{"crt":"b"}}"#, "tls.crt", "b"),
            (r#"{"a":{"b":{"c":0},"b.c":1}}"#, "a.b.c", "1"),
            (r#"{"a":{"b":1},"a.b":2}"#, "a.b", "2"),
            (r#"{"a":1,"a":2}"#, "a", "2"),
            (r#"{"":{"":1}}"#, ".", "1"),
            (r#"{"a\u002eb\ud83d\ude00":1}"#, "a.b😀", "1"),
            (r#"[[1],[2,{"a":[3]}]]"#, "1.1.a.0", "3"),
            (
                r#"["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000é"]"#,
                "0",
                "\"\\/\x08\x0c\n\r\té😀\0é",
            ),
            // The source is kept of what is no string.
            ("[1.0]", "0", "1.0"),
            ("[1e400]", "0", "1e400"),
            ("[-0.10E+5]", "0", "-0.10E+5"),
            ("[12345678901234567890]", "0", "12345678901234567890"),
            ("[null]", "0", "null"),
            ("[true]", "00", "true"),
            (r#"[[ 1,"\u0061"]]"#, "0", r#"[ 1,"\u0061"]"#),
            // Half a pair is no matter elsewhere.
            (r#"{"\ud800":"\udc00","a":1}"#, "a", "1"),
        ] {
            let found = member(text.as_bytes(), path).map(|value| value.into_owned());
            assert_eq!(found, Ok(value.as_bytes().to_vec()), "{text} {path}");
        }
    }

    #[test]
    fn what_a_program_gets() {
        for (text, value) in [
            (r#"{"a":"b\u003c\n"}"#, "b<\n"),
            (r#"{"a": 1.50 }"#, "1.50"),
            (r#"{"a":null}"#, "null"),
            (
                r#"{"a":[ 1, "x y\\", {"k" : "\"< \u003c\u0026\\u003c"} ]}"#,
                r#"[1,"x y\\",{"k":"\"< <&\\u003c"}]"#,
            ),
        ] {
            let members = super::members(text.as_bytes()).unwrap();
            assert_eq!(members[0].0, "a");
            let plain = super::plain(members[0].1).unwrap();
            assert_eq!(String::from_utf8(plain).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn missing() {
        for (text, path) in [
            (r#"{"a":1}"#, "b"),
            (r#"{"a":1}"#, ""),
            (r#"{"a":1}"#, "a."),
            (r#"{"a":"b"}"#, "a.b"),
            (r#"{"a.b":{"c":1}}"#, "a.b.c"),
            (r#"{"a":null}"#, "a.b"),
            ("[1]", "1"),
            ("[1]", "+0"),
            ("[1]", "-1"),
            ("[1]", ""),
            ("[1]", "99999999999999999999"),
            (r#""a""#, "a"),
            ("1", "1"),
        ] {
            assert_eq!(
                member(text.as_bytes(), path),
                Err(MemberFault::Missing),
                "{text} {path}"
            );
        }
    }

    #[test]
    fn not_json() {
        for text in [
            &b""[..],
            b"{",
            b"{a:1}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":1} {}",
            b"{\"a\":1,\"b\":01}",
            b"{\"a\":1,\"b\":\"\\x\"}",
            b"{\"a\":1,\"b\":\"\n\"}",
            b"{\"a\":1,\"b\":\"\xff\"}",
            b"{\"a\":1,\"b\":NaN}",
            b"{\"a\":\"\\ud800\"}",
            b"\xff",
        ] {
            assert_eq!(member(text, "a"), Err(MemberFault::NotJson), "{text:?}");
        }
    }

    #[test]
    fn deep() {
        let (opening, closing) = ("[{\"a\":".repeat(200_000), "}]".repeat(200_000));
        let deep = format!("{{\"a\":{opening}0{closing}}}");
        assert_eq!(member(deep.as_bytes(), "a.0.b"), Err(MemberFault::Missing));
        assert!(member(deep.as_bytes(), "a.0.a").is_ok());
        assert_eq!(
            member("[".repeat(1 << 20).as_bytes(), "0"),
            Err(MemberFault::NotJson)
        );
    }

    #[test]
    fn any_bytes() {
        let alphabet = b"{}[]:,\"\"\"\\ad0 1e.-nullu\xc3\xa9\xff";
        let mut state = 1_u32;
        for length in (0..16).cycle().take(50_000) {
            let text = [(); 16].map(|()| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                alphabet[(state >> 8) as usize % alphabet.len()]
            });
            let _ = member(&text[..length], "a.0");
        }
    }
}
