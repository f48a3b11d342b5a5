//! Ways in which programs write a text: percent signs, backslashes, entities, quotes. Each writes a
//! character by itself, and keeps letters and digits.

use Number::{Brace, Go, Hex, Keep, Octal, Python, Slash, Unit as Utf16};

/// A character of a value, or a byte that is no part of one.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Char(char),
    Byte(u8),
}

/// A way to write each character.
pub(super) enum Style {
    /// `%41`. The characters that stay; the byte for a space, if it has one of its own; digits.
    Percent(&'static str, Option<u8>, &'static Digits),
    /// JavaScript's `escape`: `%E9`, `%u20AC`. The characters that stay.
    Units(&'static str),
    /// A backslash and something behind it.
    Backslash(Backslash),
    /// Single characters have texts in their place.
    Replaced(&'static [(char, &'static str)]),
    /// The same, and `&#233;` for each that is not ASCII.
    Entities(&'static [(char, &'static str)]),
}

/// Digits of hexadecimal numbers.
pub(super) type Digits = [u8; 16];

pub(super) const UPPER: &Digits = b"0123456789ABCDEF";
pub(super) const LOWER: &Digits = b"0123456789abcdef";

/// The bytes that are written with a backslash.
pub(super) struct Backslash {
    /// Characters that have it before them.
    pub(super) before: &'static str,
    /// Letters behind it, each before the character that it stands for.
    pub(super) letters: &'static str,
    /// Other characters that are numbers, as control characters are.
    pub(super) also: &'static str,
    /// Numbers of control characters; of DEL; of characters that can't be seen, and bytes of no
    /// character; of what else is not ASCII.
    pub(super) numbers: [Number; 4],
}

/// A way to write a character's number.
#[derive(Clone, Copy)]
pub(super) enum Number {
    /// The character itself.
    Keep,
    /// `\303\251`, of each byte.
    Octal,
    /// A backslash before each byte.
    Slash,
    /// `\xc3\xa9`, of each byte.
    Hex(&'static Digits),
    /// `\u00e9`, of each unit of UTF-16.
    Unit(&'static Digits),
    /// `\xe9`, `\u20ac`, `\U0001f600`.
    Python(&'static Digits),
    /// `\x01`, `\u00e9`, `\U0001f600`.
    Go,
    /// `\u{e9}`.
    Brace,
}

impl Style {
    /// Writes a text.
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        for chunk in text.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find(|one: char| !one.is_ascii_alphanumeric()) {
                let (kept, from) = rest.split_at(at);
                out.extend_from_slice(kept.as_bytes());
                let mut characters = from.chars();
                if let Some(one) = characters.next() {
                    self.unit(Unit::Char(one), out);
                }
                rest = characters.as_str();
            }
            out.extend_from_slice(rest.as_bytes());
            let bytes = chunk.invalid().iter();
            bytes.for_each(|byte| self.unit(Unit::Byte(*byte), out));
        }
    }

    fn is_in_ascii(&self) -> bool {
        matches!(self, Style::Entities(_))
    }

    fn unit(&self, unit: Unit, out: &mut Vec<u8>) {
        let is_in = |list: &str| matches!(unit, Unit::Char(one) if list.contains(one));
        match self {
            Style::Percent(kept, _, _) | Style::Units(kept) if is_in(kept) => unit.keep(out),
            Style::Percent(_, Some(space), _) if is_in(" ") => out.push(*space),
            Style::Percent(_, _, digits) => unit.bytes(|byte| {
                out.push(b'%');
                push_hex(u32::from(byte), 2, digits, out);
            }),
            Style::Units(_) => unit.units(|unit| match unit {
                0..0x100 => {
                    out.push(b'%');
                    push_hex(unit, 2, UPPER, out);
                }
                _ => {
                    out.extend_from_slice(b"%u");
                    push_hex(unit, 4, UPPER, out);
                }
            }),
            Style::Replaced(list) | Style::Entities(list) => {
                let found = list
                    .iter()
                    .find(|(one, _)| is_in(one.encode_utf8(&mut [0; 4])));
                match (found, unit) {
                    (Some((_, text)), _) => out.extend_from_slice(text.as_bytes()),
                    (None, Unit::Char(one)) if self.is_in_ascii() && !one.is_ascii() => {
                        out.extend_from_slice(format!("&#{};", u32::from(one)).as_bytes());
                    }
                    _ => unit.keep(out),
                }
            }
            Style::Backslash(style) => style.unit(unit, out),
        }
    }
}

impl Backslash {
    fn unit(&self, unit: Unit, out: &mut Vec<u8>) {
        let [control, del, unseen, wide] = self.numbers;
        let Unit::Char(one) = unit else {
            return unseen.write(unit, out);
        };
        let letters = self.letters.char_indices().skip(1).step_by(2);
        let letter = letters.into_iter().find(|(_, meant)| *meant == one);
        if let Some((at, _)) = letter {
            out.extend([b'\\', self.letters.as_bytes()[at - 1]]);
        } else if self.before.contains(one) {
            out.push(b'\\');
            unit.keep(out);
        } else if one < ' ' || self.also.contains(one) {
            control.write(unit, out);
        } else if one == '\x7f' {
            del.write(unit, out);
        } else if is_unseen(one) {
            unseen.write(unit, out);
        } else if !one.is_ascii() {
            wide.write(unit, out);
        } else {
            unit.keep(out);
        }
    }
}

/// Writes a text as GNU's tools do between `'` in messages about files. `is_ascii`: in a locale
/// without other characters.
pub(super) fn quoted(text: &[u8], is_ascii: bool) -> Vec<u8> {
    let (mut out, mut is_open) = (Vec::with_capacity(text.len()), false);
    let mut put = |unit: Unit| {
        let is_number = match unit {
            Unit::Char(one) => {
                one.is_ascii_control() || is_unseen(one) || is_ascii && !one.is_ascii()
            }
            Unit::Byte(_) => true,
        };
        match unit {
            _ if is_number => {
                if !is_open {
                    out.extend_from_slice(b"'$'");
                }
                NUMBERS.unit(unit, &mut out);
            }
            // This ends what is numbers as well.
            Unit::Char('\'') => out.extend_from_slice(b"'\\''"),
            _ => {
                if is_open {
                    out.extend_from_slice(b"''");
                }
                unit.keep(&mut out);
            }
        }
        is_open = is_number;
    };
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|one| put(Unit::Char(one)));
        let bytes = chunk.invalid().iter();
        bytes.for_each(|byte| put(Unit::Byte(*byte)));
    }
    out
}

/// The numbers of [`quoted`].
const NUMBERS: Backslash = Backslash {
    before: "",
    letters: "a\x07b\x08t\tn\nv\x0bf\x0cr\r",
    also: "",
    numbers: [Octal; 4],
};

/// True for what is written as a number where other characters stay: the usual ones of those that
/// can't be seen.
fn is_unseen(one: char) -> bool {
    matches!(one, '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}')
}

impl Number {
    fn write(self, unit: Unit, out: &mut Vec<u8>) {
        let mut put = |sign: &[u8], number: u32, count: u32, digits: &Digits| {
            out.push(b'\\');
            out.extend_from_slice(sign);
            push_hex(number, count, digits, out);
        };
        let one = match unit {
            Unit::Char(one) => u32::from(one),
            Unit::Byte(byte) => match self {
                // Python has such a byte as half of a pair.
                Utf16(digits) | Python(digits) => {
                    return put(b"u", 0xdc00 + u32::from(byte), 4, digits);
                }
                Go => return put(b"x", u32::from(byte), 2, LOWER),
                Brace => return put(b"x", u32::from(byte), 2, UPPER),
                Keep | Octal | Slash | Hex(_) => 0,
            },
        };
        match self {
            Keep => unit.keep(out),
            Octal => unit.bytes(|byte| {
                let digit = |shift: u8| b'0' + (byte >> shift & 7);
                out.extend([b'\\', digit(6), digit(3), digit(0)]);
            }),
            Slash => unit.bytes(|byte| out.extend([b'\\', byte])),
            Hex(digits) => unit.bytes(|byte| put(b"x", u32::from(byte), 2, digits)),
            Utf16(digits) => unit.units(|unit| put(b"u", unit, 4, digits)),
            Python(digits) if one < 0x100 => put(b"x", one, 2, digits),
            Go if one < 0x80 => put(b"x", one, 2, LOWER),
            Python(digits) if one < 0x10000 => put(b"u", one, 4, digits),
            Go if one < 0x10000 => put(b"u", one, 4, LOWER),
            Python(digits) => put(b"U", one, 8, digits),
            Go => put(b"U", one, 8, LOWER),
            Brace => {
                put(b"u{", one, one.max(1).ilog2() / 4 + 1, LOWER);
                out.push(b'}');
            }
        }
    }
}

impl Unit {
    fn keep(self, out: &mut Vec<u8>) {
        self.bytes(|byte| out.push(byte));
    }

    fn bytes(self, mut each: impl FnMut(u8)) {
        match self {
            Unit::Char(one) => one.encode_utf8(&mut [0; 4]).bytes().for_each(each),
            Unit::Byte(byte) => each(byte),
        }
    }

    fn units(self, mut each: impl FnMut(u32)) {
        match self {
            Unit::Char(one) => {
                let mut room = [0; 2];
                let units = one.encode_utf16(&mut room).iter();
                units.for_each(|unit| each(u32::from(*unit)));
            }
            Unit::Byte(byte) => each(u32::from(byte)),
        }
    }
}

/// Writes a number with so many digits.
pub(super) fn push_hex(number: u32, count: u32, digits: &Digits, out: &mut Vec<u8>) {
    let digit = |at: u32| digits[(number >> (4 * at) & 15) as usize];
    out.extend((0..count).rev().map(digit));
}
