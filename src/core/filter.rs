//! Filters that a reference applies to its value.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::model::reference::Filter;

/// All but RFC 3986's unreserved characters, so that a value fits any part of a URL.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Base64 with padding. Input may lack the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Blanks to indent with, as many as can be asked for.
const BLANKS: [u8; 99] = [b' '; 99];

/// Applies one filter.
///
/// # Errors
/// The form that the value does not have: `base64decode` wants base64, where white space inside is
/// skipped, as it wraps lines; `json` wants UTF-8.
pub fn apply(filter: Filter, value: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, &'static str> {
    Ok(match filter {
        Filter::UrlEncode => Cow::Owned(percent_encode(&value, &RESERVED).to_string().into_bytes()),
        Filter::Base64 => Cow::Owned(BASE64.encode(&value).into_bytes()),
        Filter::Base64Decode => {
            let dense: Vec<u8> = value
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            Cow::Owned(BASE64.decode(dense).map_err(|_| "base64")?)
        }
        Filter::Json => Cow::Owned(escaped(str::from_utf8(&value).map_err(|_| "UTF-8")?)),
        Filter::Indent(blanks) => {
            let indent = &BLANKS[..usize::from(blanks).min(BLANKS.len())];
            let mut lines = value.split_inclusive(|&byte| byte == b'\n');
            let mut out = lines.next().unwrap_or_default().to_vec();
            for line in lines {
                // A line without content needs none.
                if !matches!(line, b"\n" | b"\r\n") {
                    out.extend_from_slice(indent);
                }
                out.extend_from_slice(line);
            }
            Cow::Owned(out)
        }
        Filter::Trim => match value {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.trim_ascii()),
            Cow::Owned(bytes) => Cow::Owned(bytes.trim_ascii().to_vec()),
        },
    })
}

/// Escapes a text for the inside of a string. Characters that YAML or TOML don't take as they are
/// become `\\uXXXX`, which all three read.
fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for character in text.chars() {
        let short = match character {
            '"' | '\\' => Some(character),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            _ => None,
        };
        let is_odd = character.is_control()
            || matches!(
                character,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            );
        match short {
            Some(short) => out.extend([b'\\', short as u8]),
            None if is_odd => {
                out.extend(format!("\\u{:04x}", u32::from(character)).into_bytes());
            }
            None => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let apply =
            |filter, value: &'static [u8]| apply(filter, Cow::Borrowed(value)).map(Cow::into_owned);
        assert_eq!(
            apply(Filter::UrlEncode, b"a-b.c_d~/ @\xff"),
            Ok(b"a-b.c_d~%2F%20%40%FF".to_vec())
        );
        assert_eq!(apply(Filter::Base64, b"a\xff"), Ok(b"Yf8=".to_vec()));
        assert_eq!(
            apply(Filter::Base64Decode, b"Yf8=\n"),
            Ok(b"a\xff".to_vec())
        );
        assert_eq!(apply(Filter::Base64Decode, b"Y\nf8"), Ok(b"a\xff".to_vec()));
        assert_eq!(apply(Filter::Base64Decode, b"Y_8="), Err("base64"));
        let awkward = "\"a\\\n\u{7f}\u{2028}\0é".as_bytes();
        let meant = br#"\"a\\\n\u007f\u2028\u0000"#;
        let meant = [&meant[..], "é".as_bytes()].concat();
        assert_eq!(apply(Filter::Json, awkward), Ok(meant));
        assert_eq!(apply(Filter::Json, b"\xff"), Err("UTF-8"));
        let indented = apply(Filter::Indent(2), b"a\n\nb\r\n\r\n c\n");
        assert_eq!(indented, Ok(b"a\n\n  b\r\n\r\n   c\n".to_vec()));
        assert_eq!(apply(Filter::Trim, b" \ta b\r\n"), Ok(b"a b".to_vec()));
    }
}
