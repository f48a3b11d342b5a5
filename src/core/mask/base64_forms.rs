//! Forms of a value in base64, wherever it begins in what is encoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
/// Line lengths of wrapped base64: MIME and coreutils, PEM.
const WRAPPED: [usize; 2] = [76, 64];

/// Most lines of wrapped base64 of which each is a form, and of a value of which each is written in
/// further styles. More lines of base64 are one form together.
pub(super) const LINES: usize = 128;

/// Gives base64 forms. One at the end of the encoding, or with a line break behind it, also has its
/// last character. One at the beginning also has its lines.
pub(super) fn base64(value: &[u8], take: &mut dyn FnMut(&[u8])) {
    inner_base64(value, take);
    for before in 0..3 {
        let length = before + value.len();
        let padding = &b"=="[..(3 - length % 3) % 3];
        let text = encoded(before, value, padding);
        // The last character that the value has a part of, as a line break behind it makes it.
        let broken = encoded(before, &[value, b"\n"].concat(), b"");
        let known = text.len() - padding.len();
        let broken = &broken[..known];
        for other in [false, true] {
            let Some(text) = in_alphabet(other, &text) else {
                break;
            };
            let broken = in_alphabet(other, broken).unwrap_or_default();
            if !padding.is_empty() {
                take(&text[..known]);
                take(&text);
                take(&broken);
            }
            if before == 0 {
                for width in WRAPPED.into_iter().filter(|width| text.len() > *width) {
                    wrapped(&text, width, take);
                    broken.chunks(width).last().into_iter().for_each(&mut *take);
                }
            }
        }
    }
}

/// Gives base64 forms of a value in the middle, which may begin at the first, second or third of
/// three bytes. They have the characters that no neighbour changes.
pub(super) fn inner_base64(value: &[u8], take: &mut dyn FnMut(&[u8])) {
    for before in 0..3 {
        let text = encoded(before, value, b"");
        let from = (before * 8).div_ceil(6);
        let own = ((before + value.len()) * 8 / 6).saturating_sub(from);
        for other in [false, true] {
            if let Some(text) = in_alphabet(other, &text[..own]) {
                take(&text);
            }
        }
    }
}

/// Encodes a value with so many bytes before it, without the characters that they share.
fn encoded(before: usize, value: &[u8], padding: &[u8]) -> Vec<u8> {
    let bytes = [&[0; 2][..before], value].concat();
    let text = STANDARD_NO_PAD.encode(&*bytes);
    // Each character has six bits.
    let own = &text.as_bytes()[(before * 8).div_ceil(6)..];
    [own, padding].concat()
}

/// Writes base64 in an alphabet: the standard one, or else that of URLs, where it differs.
fn in_alphabet(other: bool, text: &[u8]) -> Option<Vec<u8>> {
    let mut text = text.to_vec();
    if !other {
        return Some(text);
    }
    let mut differs = false;
    for byte in text.iter_mut() {
        let new = match byte {
            b'+' => b'-',
            b'/' => b'_',
            _ => continue,
        };
        (*byte, differs) = (new, true);
    }
    differs.then_some(text)
}

/// Gives the lines of wrapped base64; of many all at once, with their breaks.
fn wrapped(text: &[u8], width: usize, take: &mut dyn FnMut(&[u8])) {
    let lines = text.chunks(width);
    if lines.len() <= LINES {
        return lines.for_each(take);
    }
    let mut all = Vec::with_capacity(text.len() + lines.len());
    for line in lines {
        if !all.is_empty() {
            all.push(b'\n');
        }
        all.extend_from_slice(line);
    }
    take(&all);
}
