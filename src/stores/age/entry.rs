//! A recipient of an embedded store: the key to encrypt for, its kind, and its texts.

use std::str::FromStr;
use std::sync::Arc;

use age::x25519::Recipient;

use super::ssh;
use crate::stores::Member;

/// The kind of age's own keys.
const X25519: &str = "X25519";

/// The beginning of age's own keys.
const AGE: &str = "age1";

/// The number of characters that are left of a removed member's key.
const END: usize = 16;

/// A member of a list: a key, and the name of its owner.
#[derive(Clone)]
pub struct Entry {
    /// The key to encrypt for.
    pub key: Arc<dyn age::Recipient>,
    /// The key as its own programs write it.
    pub text: String,
    /// The owner's name.
    pub name: Option<String>,
}

impl Entry {
    /// A member without a name; `None` if the text is no key.
    pub fn new(text: &str) -> Option<Self> {
        let (key, text): (Arc<dyn age::Recipient>, _) = if text.starts_with(ssh::PREFIX) {
            let (key, text) = ssh::recipient(text).ok()?;
            (Arc::new(key), text)
        } else {
            let key = Recipient::from_str(text).ok()?;
            let text = key.to_string();
            (Arc::new(key), text)
        };
        let name = None;
        Some(Entry { key, text, name })
    }

    /// The member as other layers know it.
    pub fn member(&self) -> Member {
        member(self.text.clone(), self.name.clone())
    }
}

/// A member, as other layers know it.
pub fn member(recipient: String, name: Option<String>) -> Member {
    let kind = kind(&recipient);
    Member {
        recipient,
        name,
        kind,
    }
}

/// The kind of a key.
fn kind(recipient: &str) -> &'static str {
    let kind = recipient.split(' ').next();
    let ssh = ssh::KINDS.into_iter().find(|one| Some(*one) == kind);
    ssh.unwrap_or(X25519)
}

/// The text that is left of a removed member's key. It has no blank.
pub fn short(key: &str) -> String {
    let kind = match kind(key) {
        X25519 => AGE,
        ssh => ssh,
    };
    format!("{kind}...{}", &key[key.len().saturating_sub(END)..])
}

/// True if a text is what is left of a key.
pub fn is_short(text: &str) -> bool {
    let Some((kind, end)) = text.split_once("...") else {
        return false;
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    (kind == AGE || ssh::KINDS.contains(&kind)) && end.len() == END && end.bytes().all(is_base64)
}

/// A key as one word, which an argument of a stanza has to be.
pub fn word(key: &str) -> String {
    key.replace(' ', ":")
}

/// The key that one word stands for.
pub fn of_word(word: &str) -> String {
    match word.starts_with(ssh::PREFIX) {
        true => word.replacen(':', " ", 1),
        false => word.to_owned(),
    }
}
