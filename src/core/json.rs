//! Values within a JSON text, exactly as they stand there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

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

/// Finds the value at a dotted path of a JSON text: the content of a string, the source of
/// anything else.
///
/// In an object a member with the whole remaining path as its key comes first, then the member
/// with the first segment: `tls.crt` is found nested or not. The last of repeated keys counts, as
/// for most readers. In an array a segment is an index from 0.
///
/// # Errors
/// The text is not JSON as a whole, or nothing is at the path.
pub fn member<'t>(text: &'t [u8], path: &str) -> Result<Cow<'t, [u8]>, MemberFault> {
    let mut value = serde_json::from_slice(text).map_err(|_| MemberFault::NotJson)?;
    let mut path = Some(path);
    while let Some(remaining) = path {
        (value, path) = step(value, remaining).ok_or(MemberFault::Missing)?;
    }
    match content(value).ok_or(MemberFault::NotJson)? {
        Cow::Borrowed(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Cow::Owned(text) => Ok(Cow::Owned(text.into_bytes())),
    }
}

/// Lists the members of a JSON object in their order, each with the source of its value.
///
/// # Errors
/// [`MemberFault::NotJson`] for a text that is no JSON object or has a key that UTF-8 can't hold.
pub fn members(text: &[u8]) -> Result<Vec<(String, &RawValue)>, MemberFault> {
    let Members(members) = serde_json::from_slice(text).map_err(|_| MemberFault::NotJson)?;
    let owned = |(key, value)| Some((content(key)?.into_owned(), value));
    let members: Option<_> = members.into_iter().map(owned).collect();
    members.ok_or(MemberFault::NotJson)
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
        let content = content(value).ok_or(MemberFault::NotJson)?;
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

/// Takes one step down a path. Returns the value there and the rest of the path.
fn step<'t, 'p>(value: &'t RawValue, path: &'p str) -> Option<(&'t RawValue, Option<&'p str>)> {
    let (segment, rest) = match path.split_once('.') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    };
    match view(value)? {
        View::Scalar(_) => None,
        View::List(elements) => Some((elements.get(index(segment)?)?, rest)),
        View::Mapping(members) => {
            let find = |wanted: &str| {
                let is_wanted = |key: &RawValue| match key.get().contains('\\') {
                    true => content(key).is_some_and(|key| key == wanted),
                    false => key.get().get(1..key.get().len() - 1) == Some(wanted),
                };
                let member = members.iter().rfind(|(key, _)| is_wanted(key));
                member.map(|&(_, value)| value)
            };
            let whole = find(path).map(|value| (value, None));
            let first = || rest.and_then(|_| find(segment)).map(|value| (value, rest));
            whole.or_else(first)
        }
    }
}

/// Reads a path's segment as an index: decimal digits without a sign.
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
            .map(|Members(members)| View::Mapping(members)),
        _ => content(value).map(View::Scalar),
    }
}

/// Returns the content of a string, or the source of anything else; `None` for a string that
/// UTF-8 can't hold.
fn content(value: &RawValue) -> Option<Cow<'_, str>> {
    let source = value.get();
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
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{MemberFault, member};

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
