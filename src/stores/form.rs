//! Forms, in which logins ask other services for tokens and keys.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::secret::Secret;

/// Characters to encode in a form's field.
const UNFIT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Adds a field.
pub fn add(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    form.extend(utf8_percent_encode(value, &UNFIT));
}

/// Encodes a text as a field's value is.
pub fn encoded(text: &str) -> Secret {
    let encoded = utf8_percent_encode(text, &UNFIT).to_string();
    Secret::new(encoded.into_bytes())
}

/// Makes the text of a form.
pub fn of(fields: &[(&str, &str)]) -> Secret {
    let mut form = String::new();
    for (name, value) in fields {
        add(&mut form, name, value);
    }
    Secret::new(form.into_bytes())
}
