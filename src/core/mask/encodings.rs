//! Forms of a value in output: plain, and as encoders, quoting and terminals change it. Each is in
//! memory for a moment; the allocator overwrites that when it is freed.

use std::collections::BTreeSet;

use super::base64_forms::{LINES, base64, inner_base64};
use super::style_table::{
    COMMON_PERCENT, COMPONENT, DEBUG, DOLLAR, DOTNET, DOUBLED, ENTITIES, JSON, JSON_ASCII,
    JSON_DEL, JSON_HTML, ONE_LINE, PERCENT, PHP, REPR, REPR_QUOTE, SIGNS, SINGLE, SLASHES, STYLES,
    UNRESERVED, URL_FRAGMENT, URL_PATH, URL_QUERY, WORD,
};
use super::styles::{LOWER, Style, UPPER, push_hex, quoted};

/// One style on the text that another has written.
const NESTED: &[&[&Style]] = &[
    &[&JSON, &JSON],
    &[&JSON_ASCII, &JSON],
    &[&JSON_DEL, &JSON],
    &[&JSON_HTML, &JSON],
    &[&JSON, &JSON, &JSON],
    &[&JSON_ASCII, &JSON, &JSON],
    &[&JSON, &REPR],
    &[&JSON, &REPR_QUOTE],
    &[&JSON_ASCII, &REPR],
    &[&JSON_ASCII, &REPR_QUOTE],
    &[&JSON, &SINGLE],
    &[&JSON, &COMPONENT],
    &[&JSON, &UNRESERVED],
    &[&JSON, &ENTITIES[0]],
    &[&JSON, &ENTITIES[1]],
    &[&REPR, &JSON_ASCII],
    &[&REPR_QUOTE, &JSON_ASCII],
    &[&REPR, &REPR],
    &[&REPR, &REPR_QUOTE],
    &[&REPR_QUOTE, &REPR],
    &[&REPR_QUOTE, &REPR_QUOTE],
    &[&DEBUG, &JSON],
    &[&COMPONENT, &SIGNS],
    &[&UNRESERVED, &SIGNS],
    &[&SLASHES, &URL_PATH],
    &[&ONE_LINE, &URL_QUERY],
    &[&ONE_LINE, &URL_FRAGMENT],
];

/// Styles of a text in base64, inside URLs, JSON and pages.
const OF_BASE64: [&Style; 4] = [&UNRESERVED, &PHP, &DOTNET, &ENTITIES[2]];

/// Styles of lines that are printed one by one.
const OF_LINES: [&Style; 4] = [&JSON, &REPR, &REPR_QUOTE, &DOUBLED];

/// Returns a value without the line breaks at its end: programs print it with them and without.
pub fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = value {
        value = rest;
    }
    value
}

/// Gives the forms of a value to `take`, the plain one first. Some may come twice. A value of
/// nothing but line breaks has none.
pub fn forms(value: &[u8], take: &mut dyn FnMut(&[u8])) {
    let value = trimmed(value);
    if value.is_empty() {
        return;
    }
    take(value);
    base64(value, take);
    inner_base64(value, &mut |text| of_base64(text, take));
    for digits in [LOWER, UPPER] {
        let mut text = Vec::with_capacity(2 * value.len());
        let bytes = value.iter();
        bytes.for_each(|byte| push_hex(u32::from(*byte), 2, digits, &mut text));
        take(&text);
    }
    Written::of(value).all(take);
    if value.contains(&b'\n') || value.trim_ascii() != value {
        lines(value, take);
    }
}

/// Writes a value in all styles, each text once.
struct Written<'v> {
    value: &'v [u8],
    /// The value's characters but for letters and digits, each once, with a letter before it. Styles
    /// that write them alike write the value alike.
    odd: Vec<u8>,
    /// The ways in which they were written.
    known: Vec<Vec<u8>>,
}

impl<'v> Written<'v> {
    fn of(value: &'v [u8]) -> Self {
        let mut odd = Vec::new();
        let (mut ascii, mut others) = ([false; 128], BTreeSet::new());
        for chunk in value.utf8_chunks() {
            for one in chunk.valid().chars() {
                let is_new = match ascii.get_mut(one as usize) {
                    Some(there) => !std::mem::replace(there, true) && !one.is_ascii_alphanumeric(),
                    None => others.insert(one.to_string().into_bytes()),
                };
                if is_new {
                    odd.push(b'a');
                    odd.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            for byte in chunk.invalid() {
                if others.insert(vec![*byte]) {
                    odd.extend([b'a', *byte]);
                }
            }
        }
        let known = vec![odd.clone()];
        Written { value, odd, known }
    }

    fn all(mut self, take: &mut dyn FnMut(&[u8])) {
        if self.odd.is_empty() {
            return;
        }
        let singles = STYLES.iter().chain(PERCENT).chain(&ENTITIES);
        singles.for_each(|style| self.write(&[style], take));
        for (kept, space) in COMMON_PERCENT {
            for digits in [UPPER, LOWER] {
                self.write(&[&Style::Percent(kept, *space, digits)], take);
            }
        }
        NESTED.iter().for_each(|styles| self.write(styles, take));
        self.write(&[&ONE_LINE], take);
        self.once(|text| quoted(text, false), take);
        self.once(|text| quoted(text, true), take);
        self.shell(take);
        let (json, ascii) = (
            through(&[&JSON], self.value),
            through(&[&JSON_ASCII], self.value),
        );
        if json != self.value {
            inner_base64(&json, take);
        }
        if ascii != json {
            inner_base64(&ascii, take);
        }
    }

    /// Writes the value in styles of which each has the text of the one before.
    fn write(&mut self, styles: &[&Style], take: &mut dyn FnMut(&[u8])) {
        self.once(|text| through(styles, text), take);
    }

    /// Writes the value in a way that is none of those before.
    fn once(&mut self, written: impl Fn(&[u8]) -> Vec<u8>, take: &mut dyn FnMut(&[u8])) {
        let odd = written(&self.odd);
        if !self.known.contains(&odd) {
            self.known.push(odd);
            take(&written(self.value));
        }
    }

    /// Writes the value as bash's `printf %q` does.
    fn shell(&mut self, take: &mut dyn FnMut(&[u8])) {
        if self.value.iter().any(u8::is_ascii_control) {
            return self.write(&[&DOLLAR], take);
        }
        self.write(&[&WORD], take);
        self.write(&[&DOLLAR], take);
        if !self.value.starts_with(b"#") && !self.value.contains(&b'~') {
            return;
        }
        let mut text = Vec::with_capacity(2 * self.value.len());
        for (at, byte) in self.value.iter().enumerate() {
            let begins = match byte {
                b'#' => at == 0,
                b'~' => at == 0 || b":=".contains(&self.value[at - 1]),
                _ => false,
            };
            if begins {
                text.push(b'\\');
            }
            match byte.is_ascii() {
                true => WORD.write(&[*byte], &mut text),
                false => text.push(*byte),
            }
        }
        take(&text);
    }
}

/// Returns the text that styles make, each of the text of the one before.
fn through(styles: &[&Style], text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for style in styles {
        let mut out = Vec::with_capacity(text.len() + text.len() / 4 + 16);
        style.write(&text, &mut out);
        text = out;
    }
    text
}

/// Gives a text in base64 as it is written in other texts, where it has `+` or `/`.
fn of_base64(text: &[u8], take: &mut dyn FnMut(&[u8])) {
    let mut known = vec![text.to_vec()];
    for style in OF_BASE64 {
        let written = through(&[style], text);
        if !known.contains(&written) {
            take(&written);
            known.push(written);
        }
    }
}

/// Gives the lines of a value, without white space around them, as they are and as
/// strings of several lines are written. The first and last line of a PEM key are left out: they are the same in every key.
fn lines(value: &[u8], take: &mut dyn FnMut(&[u8])) {
    let lines = || value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let are_few = lines().count() <= LINES;
    for line in lines().filter(|line| !line.is_empty() && !is_armour(line)) {
        take(line);
        if are_few {
            let mut written = Written::of(line);
            OF_LINES
                .iter()
                .for_each(|style| written.write(&[style], take));
        }
    }
}

fn is_armour(line: &[u8]) -> bool {
    let begins = line.starts_with(b"-----BEGIN ") || line.starts_with(b"-----END ");
    begins && line.ends_with(b"-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value whose forms below were printed by coreutils, bash, Python, Node and Go.
    const VALUE: &str = r#"p/ss "w'rd"$\<é😀>&~!"#;

    fn list(value: &[u8]) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        forms(value, &mut |form| list.push(form.to_vec()));
        list
    }

    #[track_caller]
    fn has(value: &[u8], expected: &[&str]) {
        let forms = list(value);
        for text in expected {
            let there = forms.iter().any(|form| form == text.as_bytes());
            assert!(there, "{text}");
        }
    }

    #[track_caller]
    fn has_not(value: &[u8], unexpected: &[&str]) {
        for form in list(value) {
            let text = String::from_utf8_lossy(&form).into_owned();
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
        has(b"a\x01\x7f\x1b1\nb", &["a\\001\\177\\E1\\nb"]);
        has(b"#a#~", &["\\#a#~"]);
        has(b"~a=~", &["\\~a=\\~"]);
    }

    /// Programs that the tests of printers do not run.
    #[test]
    fn other_programs() {
        for (name, text) in [
            ("Gson", r#"p/ss \"w\u0027rd\"$\\\u003cé😀\u003e\u0026~!"#),
            (
                "Flask",
                r#"p/ss \"w\u0027rd\"$\\\u003c\u00e9\ud83d\ude00\u003e\u0026~!"#,
            ),
            (
                "Django",
                r#"p/ss \u0022w\u0027rd\u0022$\u005C\u003Cé😀\u003E\u0026~!"#,
            ),
            (
                ".NET",
                r#"p/ss \u0022w\u0027rd\u0022$\\\u003C\u00E9\uD83D\uDE00\u003E\u0026~!"#,
            ),
            (
                "Java's properties",
                r#"p/ss "w'rd"$\\<\u00E9\uD83D\uDE00>&~\!"#,
            ),
            (
                "nginx",
                r#"p/ss \x22w'rd\x22$\x5C<\xC3\xA9\xF0\x9F\x98\x80>&~!"#,
            ),
            ("Redis", r#"p/ss \"w'rd\"$\\<\xc3\xa9\xf0\x9f\x98\x80>&~!"#),
        ] {
            let there = list(VALUE.as_bytes())
                .iter()
                .any(|form| form == text.as_bytes());
            assert!(there, "{name}: {text}");
        }
        has(
            b"a=b c",
            &[r"a\=b c", r"a\=b\ c", r"a\u003db c", r"a\u003Db c"],
        );
        has("aé<b".as_bytes(), &["a&#233;&lt;b"]);
        // Base64 in a URL, and in JSON by PHP.
        has(
            "?".repeat(9).as_bytes(),
            &["Pz8%2FPz8%2FPz8%2F", r"Pz8\/Pz8\/Pz8\/"],
        );
        has(b" padded\t", &[" padded\t", "padded"]);
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
    fn a_value_of_line_breaks_has_none() {
        for value in [b"".as_slice(), b"\n", b"\r\n\n"] {
            assert!(list(value).is_empty());
        }
        assert_eq!(list(b"plain\r\n")[0], b"plain");
        assert_eq!(list(b"plain\n"), list(b"plain"));
    }

    /// A text that no style changes is a form once; so is one that many styles write alike.
    #[test]
    fn a_form_is_made_where_it_differs() {
        let count = |value: &[u8], form: &str| {
            let list = list(value);
            list.iter().filter(|one| *one == form.as_bytes()).count()
        };
        assert_eq!(count(b"letters123", "letters123"), 1);
        assert_eq!(count(b"a\nb", "a\\nb"), 1);
        assert_eq!(count(b"a/b", "a%2Fb"), 1);
        // Plain, nine in base64, two in hexadecimal.
        assert!(
            list(b"letters123").len() <= 14,
            "{}",
            list(b"letters123").len()
        );
    }
}
