//! Filters that a reference applies to its value.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use thiserror::Error;

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

/// Error: the value is not base64.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("it is not base64")]
pub struct NotBase64;

/// Applies one filter.
///
/// # Errors
/// [`NotBase64`], from `base64decode` alone. White space inside is skipped, as it wraps lines.
pub fn apply(filter: Filter, value: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, NotBase64> {
    Ok(match filter {
        Filter::UrlEncode => Cow::Owned(percent_encode(&value, &RESERVED).to_string().into_bytes()),
        Filter::Base64 => Cow::Owned(BASE64.encode(&value).into_bytes()),
        Filter::Base64Decode => {
            let dense: Vec<u8> = value
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            Cow::Owned(BASE64.decode(dense).map_err(|_| NotBase64)?)
        }
        Filter::Trim => match value {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.trim_ascii()),
            Cow::Owned(bytes) => Cow::Owned(bytes.trim_ascii().to_vec()),
        },
    })
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
        assert_eq!(apply(Filter::Base64Decode, b"Y_8="), Err(NotBase64));
        assert_eq!(apply(Filter::Trim, b" \ta b\r\n"), Ok(b"a b".to_vec()));
    }
}
