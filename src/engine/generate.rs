//! Values that are made here, and that nobody sees.

use std::io;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::model::secret::Secret;
use crate::sys::random;

/// The characters of a value that is neither hexadecimal nor base64.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Letters and digits, so many.
    Letters,
    /// So many bytes in hexadecimal digits.
    Hex,
    /// So many bytes in base64.
    Base64,
}

/// Makes a value from the system's randomness.
///
/// # Errors
/// The system's error.
pub fn value(form: Form, length: usize) -> io::Result<Secret> {
    let mut bytes = vec![0; length];
    random::fill(&mut bytes)?;
    let value = match form {
        Form::Hex => {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            pairs.map(digit).collect()
        }
        Form::Base64 => BASE64_STANDARD.encode(&bytes).into_bytes(),
        Form::Letters => {
            // A byte of the last, incomplete round would make the first letters likelier.
            let whole = 256 / LETTERS.len() * LETTERS.len();
            let mut value = Vec::with_capacity(length);
            while value.len() < length {
                let fair = bytes.iter().map(|&byte| usize::from(byte));
                let fair = fair.filter(|&byte| byte < whole);
                let left = length - value.len();
                value.extend(fair.take(left).map(|byte| LETTERS[byte % LETTERS.len()]));
                random::fill(&mut bytes)?;
            }
            value
        }
    };
    Ok(Secret::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_lengths() {
        for length in [1, 7, 32, 3000] {
            let made = |form| value(form, length).unwrap();
            let letters = made(Form::Letters);
            assert_eq!(letters.len(), length);
            assert!(letters.expose().iter().all(|byte| LETTERS.contains(byte)));
            assert_eq!(made(Form::Hex).len(), 2 * length);
            let decoded = BASE64_STANDARD.decode(made(Form::Base64).expose());
            assert_eq!(decoded.unwrap().len(), length);
        }
    }

    /// Each letter is as likely: of 620,000 the count of one is 10,000 with a deviation of 100.
    #[test]
    fn no_letter_is_likelier() {
        let value = value(Form::Letters, 620_000).unwrap();
        for letter in LETTERS {
            let count = value.expose().iter().filter(|byte| *byte == letter).count();
            assert!((9_000..11_000).contains(&count), "{letter}: {count}");
        }
    }
}
