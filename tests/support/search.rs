//! Looks for canaries in what is printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How much of a canary is enough to be found.
pub const ENOUGH: usize = 12;

/// The forms in which the start of a canary would be found: as it is, in hexadecimal, in percent
/// encoding, and in base64 wherever in a longer text it begins.
pub fn forms(canary: &str) -> Vec<String> {
    let start = &canary.as_bytes()[..ENOUGH];
    let escape = |byte: &u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    let hexadecimal: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        canary[..ENOUGH].to_owned(),
        start.iter().map(escape).collect(),
        hexadecimal.to_uppercase(),
        hexadecimal,
    ];
    for before in 0..3 {
        // Of the text's base64, what depends on the canary alone.
        let text = [&vec![0; before], start].concat();
        let whole = text.len() * 8 / 6;
        let encoded = &STANDARD.encode(&text)[(before * 8).div_ceil(6)..whole];
        forms.push(encoded.to_owned());
        forms.push(encoded.replace('+', "-").replace('/', "_"));
    }
    forms
}

/// The canaries that are in `text`.
pub fn found<'c>(text: &[u8], canaries: &[&'c str]) -> Vec<&'c str> {
    let text = String::from_utf8_lossy(text);
    let is_in = |canary: &&&str| {
        forms(canary)
            .iter()
            .any(|form| text.contains(form.as_str()))
    };
    canaries.iter().filter(is_in).copied().collect()
}
