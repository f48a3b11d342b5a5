//! Values that printers write in many ways, and a decoder that knows nothing of masking.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use support::canaries::{Random, SEED};

/// So many bytes of a value in a row are something that is left of it.
const LEFT: usize = 6;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARKS: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What most ways of quoting change, to tell these apart in values of every kind.
const QUOTES: &[u8] = b"'\"\\/<&$!";

/// A value, and the stretches of it that are secret.
pub struct Value {
    pub text: Vec<u8>,
    pub secret: Vec<Vec<u8>>,
}

/// A kind of values: its name, and the value with a number.
pub struct Kind {
    pub name: &'static str,
    pub value: fn(usize) -> Value,
}

pub fn kinds() -> Vec<Kind> {
    let kind = |name, value| Kind { name, value };
    vec![
        kind("punctuation", |at| whole(marked(at))),
        kind("spaces", |at| {
            whole(woven(at, &[b" ", b" ", b"  ", b"'", b"&", b"\"", b"#"]))
        }),
        kind("control bytes", |at| {
            let bytes: Vec<u8> = (1..32).filter(|byte| *byte != b'\n').chain([127]).collect();
            let pieces: Vec<&[u8]> = bytes.chunks(1).chain(QUOTES.chunks(1)).collect();
            whole(woven(at, &pieces))
        }),
        kind("not ASCII", |at| {
            let pieces = ["é", "ü", "€", "😀", "ÿ", "ж", " "].map(str::as_bytes);
            let pieces: Vec<&[u8]> = pieces.into_iter().chain(QUOTES.chunks(1)).collect();
            whole(woven(at, &pieces))
        }),
        kind("no text", |at| {
            let pieces: [&[u8]; 5] = [b"\xff", b"\xc3", b"\x80", b"\xf0\x9f", b" "];
            let pieces: Vec<&[u8]> = pieces.into_iter().chain(QUOTES.chunks(1)).collect();
            whole(woven(at, &pieces))
        }),
        kind("lines", |at| {
            let lines = [marked(at), marked(at + 1000), marked(at + 2000)];
            Value {
                text: lines.join(&b'\n'),
                secret: lines.to_vec(),
            }
        }),
        kind("line break at the end", |at| {
            let text = marked(at);
            Value {
                text: [&text[..], b"\n"].concat(),
                secret: vec![text],
            }
        }),
        kind("JSON", |at| {
            let text = String::from_utf8(marked(at)).unwrap();
            let json = serde_json::json!({ "u": "user", "list": [{ "password": &text }] });
            Value {
                text: json.to_string().into_bytes(),
                secret: vec![text.into_bytes()],
            }
        }),
        kind("PEM", |at| {
            let mut random = random(at);
            let alphabet = [LETTERS, b"+/"].concat();
            let mut lines: Vec<_> = (0..20).map(|_| random.bytes(64, &alphabet)).collect();
            lines.push([random.bytes(30, &alphabet), b"==".to_vec()].concat());
            let body = String::from_utf8(lines.join(&b'\n')).unwrap();
            let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
            Value {
                text: text.into_bytes(),
                secret: lines,
            }
        }),
    ]
}

fn random(at: usize) -> Random {
    Random(SEED ^ (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn whole(text: Vec<u8>) -> Value {
    Value {
        secret: vec![text.clone()],
        text,
    }
}

/// Letters with these pieces between, each of which is there.
fn woven(at: usize, pieces: &[&[u8]]) -> Vec<u8> {
    let mut random = random(at);
    let mut text = random.text(8);
    let from = at % pieces.len();
    for (nth, piece) in pieces[from..].iter().chain(&pieces[..from]).enumerate() {
        text.extend_from_slice(piece);
        text.extend(random.text(if nth % 3 == 0 { 8 } else { 1 }));
    }
    text
}

/// Letters with all punctuation between, in any order: some beside each other, some by themselves.
fn marked(at: usize) -> Vec<u8> {
    let mut random = random(at);
    let mut marks = MARKS.to_vec();
    for place in (1..marks.len()).rev() {
        let other = usize::from(random.bytes(1, &(0..=place as u8).collect::<Vec<_>>())[0]);
        marks.swap(place, other);
    }
    let mut text = Vec::new();
    // A generator's password, now and then: it has few of them.
    let few = if at.is_multiple_of(2) { 3 } else { marks.len() };
    for (nth, mark) in marks[..few].iter().enumerate() {
        text.extend(random.text([8, 1, 0][nth % 3]));
        text.push(*mark);
    }
    text.extend(random.text(8));
    text
}

/// Returns something that is left of a value in what was printed.
pub fn left(value: &Value, printed: &[u8]) -> Option<String> {
    let windows: BTreeSet<&[u8]> = value
        .secret
        .iter()
        .flat_map(|it| it.windows(LEFT))
        .collect();
    let seen = |text: &[u8]| {
        let found = text.windows(LEFT).find(|window| windows.contains(window));
        found.map(|window| String::from_utf8_lossy(window).into_owned())
    };
    let mut texts = vec![printed.to_vec()];
    for _ in 0..2 {
        let decoded: Vec<Vec<u8>> = texts.iter().flat_map(|text| decoded(text)).collect();
        if let Some(found) = texts.iter().find_map(|text| seen(text)) {
            return Some(found);
        }
        texts = decoded;
        texts.sort_unstable();
        texts.dedup();
    }
    texts.iter().find_map(|text| seen(text))
}

/// Decodes a text in all ways that change something.
fn decoded(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![
        percent(text),
        text.iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect(),
        backslashes(text),
        entities(text),
        without(text, b"\n \\"),
        without(text, b" :,"),
        colours(text),
        text.iter().rev().copied().collect(),
        decimal(text),
    ];
    for (join, by) in [
        ("'\\''", "'"),
        ("'\"'\"'", "'"),
        ("'$'\\n''", "\n"),
        ("''", "'"),
        ("\"\"", "\""),
    ] {
        all.push(replaced(text, join.as_bytes(), by.as_bytes()));
    }
    all.extend(base64(text));
    all.extend(hexadecimal(text));
    all.push(base32(text));
    all.retain(|one| one.len() >= LEFT && one != text);
    all
}

fn without(text: &[u8], bytes: &[u8]) -> Vec<u8> {
    text.iter()
        .copied()
        .filter(|byte| !bytes.contains(byte))
        .collect()
}

fn replaced(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text[at..].starts_with(what) {
            out.extend_from_slice(by);
            at += what.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn put(number: u32, into: &mut Vec<u8>) {
    if let Some(one) = char::from_u32(number) {
        into.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn percent(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"%u")
            && let Some(unit) = rest.get(2..6).and_then(|digits| number(digits, 16))
        {
            put(unit, &mut out);
            at += 6;
        } else if rest[0] == b'%'
            && let Some(byte) = rest.get(1..3).and_then(|digits| number(digits, 16))
        {
            out.push(byte as u8);
            at += 3;
        } else {
            out.push(rest[0]);
            at += 1;
        }
    }
    out
}

fn backslashes(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest[0] != b'\\' || rest.len() < 2 {
            out.push(rest[0]);
            at += 1;
            continue;
        }
        let digits = |from: usize, radix: u32, most: usize| {
            let digits = rest[from..].iter().take(most);
            let count = digits
                .take_while(|byte| char::from(**byte).is_digit(radix))
                .count();
            Some((number(&rest[from..from + count], radix)?, from + count))
        };
        let (numbered, is_byte) = match rest[1] {
            b'x' => (digits(2, 16, 2), true),
            b'u' if rest.get(2) == Some(&b'{') => {
                (digits(3, 16, 6).map(|(number, to)| (number, to + 1)), false)
            }
            b'u' => (digits(2, 16, 4), false),
            b'U' => (digits(2, 16, 8), false),
            b'0'..=b'7' => (digits(1, 8, 3), true),
            _ => (None, false),
        };
        match (numbered, rest[1]) {
            (Some((number, to)), _) => {
                match is_byte {
                    true => out.push(number as u8),
                    false => put(number, &mut out),
                }
                at += to;
                continue;
            }
            (None, b'n') => out.push(b'\n'),
            (None, b't') => out.push(b'\t'),
            (None, b'r') => out.push(b'\r'),
            (None, b'e' | b'E') => out.push(27),
            (None, b'a') => out.push(7),
            (None, b'b') => out.push(8),
            (None, b'v') => out.push(11),
            (None, b'f') => out.push(12),
            (None, other) => out.push(other),
        }
        at += 2;
    }
    out
}

fn entities(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        let end = rest.iter().take(10).position(|byte| *byte == b';');
        if rest[0] == b'&'
            && let Some(end) = end
        {
            let known = match &rest[1..end] {
                b"amp" => Some(u32::from(b'&')),
                b"lt" => Some(u32::from(b'<')),
                b"gt" => Some(u32::from(b'>')),
                b"quot" => Some(u32::from(b'"')),
                b"apos" => Some(u32::from(b'\'')),
                [b'#', b'x', digits @ ..] => number(digits, 16),
                [b'#', digits @ ..] => number(digits, 10),
                _ => None,
            };
            if let Some(one) = known {
                put(one, &mut out);
                at += end + 1;
                continue;
            }
        }
        out.push(rest[0]);
        at += 1;
    }
    out
}

/// Removes escape sequences of terminals.
fn colours(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text[at..].starts_with(b"\x1b[") {
            let end = text[at..].iter().position(|byte| *byte == b'm');
            at += end.map_or(2, |end| end + 1);
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// Bytes as decimal numbers.
fn decimal(text: &[u8]) -> Vec<u8> {
    let numbers = text.split(|byte| !byte.is_ascii_digit());
    let numbers = numbers.filter_map(|digits| number(digits, 10));
    numbers
        .filter_map(|number| u8::try_from(number).ok())
        .collect()
}

/// Stretches of at least eight of some bytes.
fn stretches(text: &[u8], is_one: impl Fn(u8) -> bool) -> Vec<Vec<u8>> {
    let all = text.split(|byte| !is_one(*byte));
    all.filter(|one| one.len() >= 8)
        .map(<[u8]>::to_vec)
        .collect()
}

fn base64(text: &[u8]) -> Vec<Vec<u8>> {
    let standard: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let mut all = Vec::new();
    for text in stretches(&standard, |byte| {
        byte.is_ascii_alphanumeric() || b"+/".contains(&byte)
    }) {
        for from in 0..4 {
            let whole = &text[from..from + (text.len() - from) / 4 * 4];
            all.extend(BASE64_STANDARD_NO_PAD.decode(whole));
        }
    }
    all
}

fn base32(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for byte in text {
        let five = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => continue,
        };
        (bits, count) = (bits << 5 | u32::from(five), count + 5);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

fn hexadecimal(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for text in stretches(text, |byte| byte.is_ascii_hexdigit()) {
        for from in 0..2 {
            let (pairs, _) = text[from..].as_chunks::<2>();
            all.push(
                pairs
                    .iter()
                    .filter_map(|pair| number(pair, 16))
                    .map(|it| it as u8)
                    .collect(),
            );
        }
    }
    all
}
