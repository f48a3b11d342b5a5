//! Texts that stand in place of a key or a recipient and are none: their kind, and the next step.

use super::ssh;

/// A kind of text, by its beginning.
struct Foreign {
    beginning: &'static str,
    /// Text that must come later as well.
    within: &'static str,
    what: &'static str,
}

const fn by(beginning: &'static str, what: &'static str) -> Foreign {
    Foreign {
        beginning,
        within: "",
        what,
    }
}

const OURS: &str = "doorkey store init makes a key that can be used";

/// Texts in place of a key. A kind that can be used one day loses its row.
const KEYS: &[Foreign] = &[
    by(
        "AGE-SECRET-KEY-PQ-",
        "a post-quantum key, which doorkey does not use",
    ),
    by(
        "AGE-PLUGIN-",
        "the key of an age plugin, which doorkey does not run",
    ),
    by(
        "AGE-SECRET-KEY-1",
        "an age key with a letter missing or wrong: copy it again",
    ),
    by(
        "age1",
        "a recipient: the key itself begins with AGE-SECRET-KEY-1",
    ),
    by("ssh-", "the public half of an SSH key"),
    by(
        "\u{feff}",
        "a file with a byte order mark: save it as UTF-8 without one",
    ),
    by("/", "a path, which belongs into DOORKEY_KEY_FILE"),
    by("./", "a path, which belongs into DOORKEY_KEY_FILE"),
    by("../", "a path, which belongs into DOORKEY_KEY_FILE"),
    by("~/", "a path, which belongs into DOORKEY_KEY_FILE"),
];

/// Texts in place of a recipient.
const RECIPIENTS: &[Foreign] = &[
    by(
        "AGE-SECRET-KEY-",
        "a secret key: give its public half (age1…)",
    ),
    by(
        "age1pq1",
        "a post-quantum recipient, which doorkey does not use",
    ),
    Foreign {
        beginning: "age1",
        within: "1",
        what: "the recipient of an age plugin, which doorkey does not run",
    },
    by(
        "age1",
        "a recipient with a letter missing or wrong: copy it again",
    ),
    by(
        "ecdsa-",
        "an SSH key of another kind than ssh-ed25519 and ssh-rsa, which age does not have",
    ),
    by(
        "sk-",
        "an SSH key that is in hardware, which doorkey does not use",
    ),
    by(
        "\u{feff}",
        "a line with a byte order mark: save the list as UTF-8 without one",
    ),
];

fn of(kinds: &[Foreign], text: &[u8]) -> Option<&'static str> {
    let is_one = |kind: &&Foreign| {
        let rest = text.strip_prefix(kind.beginning.as_bytes());
        let has = |rest: &[u8]| {
            let within = kind.within.as_bytes();
            within.is_empty() || rest.windows(within.len()).any(|part| part == within)
        };
        rest.is_some_and(has)
    };
    kinds.iter().find(is_one).map(|kind| kind.what)
}

/// Says what a line in place of a key is, and the next step where its kind is unknown.
pub fn key(line: &[u8]) -> (String, &'static str) {
    match of(KEYS, line) {
        _ if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") => {
            ("it is UTF-16: save it as UTF-8".to_owned(), "")
        }
        Some(what) if what.contains(": ") || what.contains("which belongs") => {
            (format!("it is {what}"), "")
        }
        Some(what) => (format!("it is {what}"), OURS),
        None => ("it is no age identity (AGE-SECRET-KEY-1…)".to_owned(), ""),
    }
}

/// True if a line is a key of a kind that is not supported, so that another key may do.
pub fn is_other_kind(line: &[u8]) -> bool {
    let kinds = ["AGE-SECRET-KEY-PQ-", "AGE-PLUGIN-"];
    kinds.iter().any(|kind| line.starts_with(kind.as_bytes()))
}

/// Says what a text in place of a recipient is; `None` where that can't be said.
pub fn recipient(text: &[u8]) -> Option<&'static str> {
    match str::from_utf8(text) {
        Ok(text) if text.starts_with(ssh::PREFIX) => ssh::unusable(text),
        _ => of(RECIPIENTS, text),
    }
}

#[cfg(test)]
mod tests {
    use super::recipient;

    #[test]
    fn a_plugins_recipient_has_its_name_in_it() {
        let plugin = recipient(b"age1yubikey1q2w3e");
        assert!(plugin.is_some_and(|what| what.contains("plugin")));
        let damaged = recipient(b"age1q2w3e");
        assert!(damaged.is_some_and(|what| what.contains("missing or wrong")));
        assert_eq!(recipient(b"alice"), None);
    }
}
