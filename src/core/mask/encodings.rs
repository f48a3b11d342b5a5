//! Forms of a value in output: plain, and as encoders, quoting and terminals change it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::model::secret::Secret;

/// Line lengths of wrapped base64: MIME and coreutils, PEM.
const WRAPPED: [usize; 2] = [76, 64];

/// Lists the forms of a value, the plain one among them, each once. An empty value has none.
pub fn forms(value: &[u8]) -> Vec<Secret> {
    let mut forms = Forms::default();
    if value.is_empty() {
        return Vec::new();
    }
    forms.add(value.to_vec());
    forms.base64(value);
    forms.percent(value);
    if let Ok(text) = std::str::from_utf8(value) {
        forms.json(text);
    }
    forms.shell(value);
    forms.add(hex(value, b"0123456789abcdef"));
    forms.add(hex(value, b"0123456789ABCDEF"));
    forms.add(each(value, |byte, out| match byte {
        b'\n' => out.extend(b"\r\n"),
        _ => out.push(byte),
    }));
    forms.lines(value);
    let Forms(mut list) = forms;
    list.sort_unstable_by(|one, other| one.expose().cmp(other.expose()));
    list.dedup_by(|one, other| one.expose() == other.expose());
    list
}

#[derive(Default)]
struct Forms(Vec<Secret>);

impl Forms {
    fn add(&mut self, form: Vec<u8>) {
        if !form.is_empty() {
            self.0.push(Secret::new(form));
        }
    }

    /// Adds base64 forms. The value may begin at the first, second or third of three bytes; the
    /// form has the characters that no neighbour changes. A value at the end of the encoding also
    /// has its last character and the padding; one at the beginning also has its lines.
    fn base64(&mut self, value: &[u8]) {
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for before in 0..3 {
                let bytes = Zeroizing::new([&[0; 2][..before], value].concat());
                let text = Zeroizing::new(alphabet.encode(&*bytes).into_bytes());
                // Each character has six bits; one that shares bits with what is before is not ours.
                let text = &text[(before * 8).div_ceil(6)..];
                let own = (bytes.len() * 8 / 6).saturating_sub((before * 8).div_ceil(6));
                self.add(text[..own].to_vec());
                self.add(text.to_vec());
                let padding = &b"=="[..(3 - bytes.len() % 3) % 3];
                self.add([text, padding].concat());
                if before == 0 {
                    let text = Zeroizing::new([text, padding].concat());
                    for width in WRAPPED.into_iter().filter(|width| text.len() > *width) {
                        text.chunks(width).for_each(|line| self.add(line.to_vec()));
                    }
                }
            }
        }
    }

    /// Adds percent-encoded forms. They differ in the characters that stay: the unreserved ones of
    /// RFC 3986, those of JavaScript's `encodeURIComponent`, those of Python's `quote`, and those
    /// of web forms, where a space is `+`.
    fn percent(&mut self, value: &[u8]) {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            for (kept, plus) in [
                ("-._~", false),
                ("-_.!~*'()", false),
                ("-._~/", false),
                ("-._~", true),
                ("-._*", true),
            ] {
                self.add(each(value, |byte, out| match byte {
                    b' ' if plus => out.push(b'+'),
                    _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                        out.push(byte);
                    }
                    _ => {
                        out.push(b'%');
                        push_hex(byte, digits, out);
                    }
                }));
            }
        }
    }

    /// Adds the content of JSON strings: of serde_json and JavaScript, of Python (ASCII alone), of
    /// Go (safe in HTML), of PHP (escaped slashes).
    fn json(&mut self, text: &str) {
        for (ascii, html, slashes) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
            (true, false, true),
        ] {
            let mut out = Zeroizing::new(String::with_capacity(6 * text.len()));
            for character in text.chars() {
                let short = match character {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\u{8}' => "\\b",
                    '\t' => "\\t",
                    '\n' => "\\n",
                    '\u{c}' => "\\f",
                    '\r' => "\\r",
                    '/' if slashes => "\\/",
                    _ => "",
                };
                let escaped = character.is_control() && character.is_ascii() && character != '\x7f'
                    || ascii && !character.is_ascii()
                    || html && matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
                if !short.is_empty() {
                    out.push_str(short);
                } else if escaped {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        // Writing into a string does not fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                } else {
                    out.push(character);
                }
            }
            self.add(out.as_bytes().to_vec());
        }
    }

    /// Adds the content of shell quotes: `'…'` with both ways to write a quote in it, `"…"`, and
    /// bash's `printf %q`: backslashes, or `$'…'` for bytes that can't be printed.
    fn shell(&mut self, value: &[u8]) {
        for quote in [br#"'\''"#.as_slice(), br#"'"'"'"#] {
            self.add(each(value, |byte, out| match byte {
                b'\'' => out.extend(quote),
                _ => out.push(byte),
            }));
        }
        self.add(each(value, |byte, out| {
            if b"\"\\$`".contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }));
        let mut before = None;
        self.add(each(value, |byte, out| {
            let begins = match byte {
                b'#' => before.is_none(),
                b'~' => matches!(before, None | Some(b':' | b'=')),
                _ => false,
            };
            if begins || b" !\"$&'()*,;<>?[\\]^`{|}".contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
            before = Some(byte);
        }));
        // In a locale of UTF-8, what is a character there stays.
        for ascii in [true, std::str::from_utf8(value).is_err()] {
            self.add(each(value, |byte, out| {
                let letter = match byte {
                    b'\x07' => b'a',
                    b'\x08' => b'b',
                    b'\t' => b't',
                    b'\n' => b'n',
                    b'\x0b' => b'v',
                    b'\x0c' => b'f',
                    b'\r' => b'r',
                    b'\x1b' => b'E',
                    b'\\' | b'\'' => byte,
                    _ if byte.is_ascii_control() || ascii && !byte.is_ascii() => {
                        out.extend([
                            b'\\',
                            b'0' + (byte >> 6),
                            b'0' + (byte >> 3 & 7),
                            b'0' + (byte & 7),
                        ]);
                        return;
                    }
                    _ => return out.push(byte),
                };
                out.extend([b'\\', letter]);
            }));
        }
    }

    /// Adds the lines of a value with line breaks, without white space around them. The first and
    /// last line of a PEM key are left out: they are the same in every key.
    fn lines(&mut self, value: &[u8]) {
        if value.contains(&b'\n') {
            for line in value.split(|byte| *byte == b'\n') {
                let line = line.trim_ascii();
                if !is_armour(line) {
                    self.add(line.to_vec());
                }
            }
        }
    }
}

fn is_armour(line: &[u8]) -> bool {
    let begins = line.starts_with(b"-----BEGIN ") || line.starts_with(b"-----END ");
    begins && line.ends_with(b"-----")
}

/// Builds a form by changing each byte of a value.
fn each(value: &[u8], mut change: impl FnMut(u8, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(6 * value.len());
    value.iter().for_each(|byte| change(*byte, &mut out));
    out
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    each(value, |byte, out| push_hex(byte, digits, out))
}

fn push_hex(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    out.extend([
        digits[usize::from(byte >> 4)],
        digits[usize::from(byte & 15)],
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value whose forms below were printed by coreutils, bash, Python, Node and Go.
    const VALUE: &str = r#"p/ss "w'rd"$\<é😀>&~!"#;

    #[track_caller]
    fn has(value: &[u8], expected: &[&str]) {
        let forms = forms(value);
        for text in expected {
            let there = forms.iter().any(|form| form.expose() == text.as_bytes());
            assert!(there, "{text}");
        }
    }

    #[track_caller]
    fn has_not(value: &[u8], unexpected: &[&str]) {
        for form in forms(value) {
            let text = String::from_utf8_lossy(form.expose()).into_owned();
            assert!(!unexpected.contains(&text.as_str()), "{text}");
        }
    }

    #[test]
    fn base64_at_each_offset() {
        has(
            VALUE.as_bytes(),
            &[
                "cC9zcyAidydyZCIkXDzDqfCfmIA+Jn4h",
                "cC9zcyAidydyZCIkXDzDqfCfmIA-Jn4h",
                "Avc3MgIncncmQiJFw8w6nwn5iAPiZ+IQ==",
                "Avc3MgIncncmQiJFw8w6nwn5iAPiZ+IQ",
                "Avc3MgIncncmQiJFw8w6nwn5iAPiZ+I",
                "Avc3MgIncncmQiJFw8w6nwn5iAPiZ-I",
                "wL3NzICJ3J3JkIiRcPMOp8J+YgD4mfiE=",
                "wL3NzICJ3J3JkIiRcPMOp8J+YgD4mfiE",
                "wL3NzICJ3J3JkIiRcPMOp8J+YgD4mfi",
                "wL3NzICJ3J3JkIiRcPMOp8J-YgD4mfi",
            ],
        );
        // Of one byte, the characters that a neighbour changes are not its own.
        has(b"x", &["e", "eA", "eA==", "g=", "4"]);
    }

    #[test]
    fn base64_in_lines() {
        let value = [b'x'; 100];
        let line = "eHh4".repeat(33) + "eA==";
        let (mime, pem) = (line.split_at(76), line.split_at(64));
        has(
            &value,
            &[&line, mime.0, mime.1, pem.0, pem.1.split_at(64).0],
        );
        has(&value, &[pem.1.split_at(64).1]);
    }

    #[test]
    fn percent() {
        has(
            VALUE.as_bytes(),
            &[
                "p%2Fss%20%22w%27rd%22%24%5C%3C%C3%A9%F0%9F%98%80%3E%26~%21",
                "p%2fss%20%22w%27rd%22%24%5c%3c%c3%a9%f0%9f%98%80%3e%26~%21",
                "p%2Fss%20%22w'rd%22%24%5C%3C%C3%A9%F0%9F%98%80%3E%26~!",
                "p/ss%20%22w%27rd%22%24%5C%3C%C3%A9%F0%9F%98%80%3E%26~%21",
                "p%2Fss+%22w%27rd%22%24%5C%3C%C3%A9%F0%9F%98%80%3E%26~%21",
                "p%2Fss+%22w%27rd%22%24%5C%3C%C3%A9%F0%9F%98%80%3E%26%7E%21",
            ],
        );
    }

    #[test]
    fn json() {
        has(
            VALUE.as_bytes(),
            &[
                r#"p/ss \"w'rd\"$\\<é😀>&~!"#,
                r#"p/ss \"w'rd\"$\\<\u00e9\ud83d\ude00>&~!"#,
                r#"p/ss \"w'rd\"$\\\u003cé😀\u003e\u0026~!"#,
                r#"p\/ss \"w'rd\"$\\<é😀>&~!"#,
                r#"p\/ss \"w'rd\"$\\<\u00e9\ud83d\ude00>&~!"#,
            ],
        );
        has(b"a\x08\t\n\x0c\r\x01\x7f", &["a\\b\\t\\n\\f\\r\\u0001\x7f"]);
        has("a\u{2028}".as_bytes(), &["a\\u2028"]);
        // What is no text has no such form.
        has_not(b"\xff\n", &["\u{fffd}\\n"]);
    }

    #[test]
    fn shell() {
        has(
            VALUE.as_bytes(),
            &[
                r#"p/ss "w'\''rd"$\<é😀>&~!"#,
                r#"p/ss "w'"'"'rd"$\<é😀>&~!"#,
                r#"p/ss \"w'rd\"\$\\<é😀>&~!"#,
                r#"p/ss\ \"w\'rd\"\$\\\<é😀\>\&~\!"#,
                r#"p/ss "w\'rd"$\\<\303\251\360\237\230\200>&~!"#,
                r#"p/ss "w\'rd"$\\<é😀>&~!"#,
            ],
        );
        has(b"a\x01\x7f\x1b1\n", &["a\\001\\177\\E1\\n"]);
        has(b"#a#~", &["\\#a#~"]);
        has(b"~a=~", &["\\~a=\\~"]);
    }

    #[test]
    fn hexadecimal() {
        has(b"\x00p/\xfe", &["00702ffe", "00702FFE"]);
    }

    #[test]
    fn lines() {
        let key = b"-----BEGIN KEY-----\nfirst line\n \t\n\t second\r\n-----END KEY-----\n";
        has(key, &["first line", "second"]);
        has(b"one\ntwo", &["one\r\ntwo", "one", "two"]);
        has(b"alone\n", &["alone"]);
        has_not(
            key,
            &["-----BEGIN KEY-----", "-----END KEY-----", " \t", ""],
        );
    }

    #[test]
    fn each_is_there_once_and_none_is_empty() {
        assert!(forms(b"").is_empty());
        for value in [b"plain".as_slice(), b"\n\n", VALUE.as_bytes()] {
            let forms = forms(value);
            assert!(forms.iter().any(|form| form.expose() == value));
            for (at, form) in forms.iter().enumerate() {
                assert!(!form.is_empty());
                let same = |other: &Secret| other.expose() == form.expose();
                assert!(!forms[at + 1..].iter().any(same));
            }
        }
    }
}
