//! SSH keys as age uses them: `ssh-ed25519` and `ssh-rsa`, of people who have no other key.
//!
//! age's rules are in force: RSA keys have 2048 to 4096 bits, and of a hardware key there is no
//! private half to read. See <https://c2sp.org/age#the-ssh-ed25519-recipient-type>.

use std::str::FromStr;

use age::secrecy::SecretString;
use age::ssh::{Identity, ParseRecipientKeyError, Recipient, UnsupportedKey};

use super::entry::Entry;

/// The kinds, as the first word of a public half.
pub const KINDS: [&str; 2] = ["ssh-ed25519", "ssh-rsa"];

/// The start of an age stanza's argument, a name or a key that is of SSH.
pub const PREFIX: &str = "ssh-";

/// The lines before a private key.
const BEGINNINGS: [&[u8]; 2] = [
    b"-----BEGIN OPENSSH PRIVATE KEY",
    b"-----BEGIN RSA PRIVATE KEY",
];

const END: &[u8] = b"-----END ";

const OTHER_KIND: &str =
    "an SSH key of another kind than ssh-ed25519 and ssh-rsa, which age does not have";
const WEAK: &str = "an RSA key of fewer than 2048 bits, which age refuses";
const LARGE: &str = "an RSA key of more than 4096 bits, which age refuses";

/// A private key, with its public half.
pub struct SshKey {
    /// The key. It opens nothing as long as it is encrypted.
    pub identity: Identity,
    /// The public half as OpenSSH writes it, without a comment.
    pub recipient: String,
}

/// A reason why a private key is of no use.
pub enum Useless {
    /// Another kind of key, in words.
    Kind(&'static str),
    /// A text that is no whole key, in words.
    Damaged(&'static str),
}

impl SshKey {
    /// Reads a private key, from its first line to its last.
    ///
    /// # Errors
    /// The reason why it is of no use.
    pub fn read(block: &[u8]) -> Result<Self, Useless> {
        if !BEGINNINGS.iter().any(|start| block.starts_with(start)) {
            return Err(Useless::Kind("a PEM file, and no age key"));
        }
        let identity = Identity::from_buffer(block, None)
            .map_err(|_| Useless::Damaged("a damaged SSH key: copy it again"))?;
        let recipient = Recipient::try_from(identity.clone());
        let kind = match (&identity, recipient) {
            (Identity::Unsupported(UnsupportedKey::EncryptedPem), _) => {
                "an SSH key in an old encrypted form: ssh-keygen -p -f FILE writes the new one"
            }
            (Identity::Unsupported(UnsupportedKey::EncryptedSsh(_)), _) => {
                "an SSH key with a cipher that age does not have: ssh-keygen -p -f FILE writes another"
            }
            (Identity::Unsupported(UnsupportedKey::Hardware(_)), _) => {
                "an SSH key that is in hardware, which doorkey does not use"
            }
            (_, Err(ParseRecipientKeyError::RsaModulusTooLarge)) => LARGE,
            (_, Err(_)) => OTHER_KIND,
            (_, Ok(recipient)) => {
                let recipient = recipient.to_string();
                if Entry::new(&recipient).is_some() {
                    return Ok(SshKey {
                        identity,
                        recipient,
                    });
                }
                WEAK
            }
        };
        Err(Useless::Kind(kind))
    }

    /// True if the key needs a passphrase.
    pub fn is_locked(&self) -> bool {
        matches!(self.identity, Identity::Encrypted(_))
    }

    /// Decrypts the key. False if the passphrase is wrong.
    pub fn unlock(&mut self, passphrase: SecretString) -> bool {
        if let Identity::Encrypted(key) = &self.identity {
            let Ok(key) = key.decrypt(passphrase) else {
                return false;
            };
            self.identity = key.into();
        }
        true
    }
}

/// The length of the PEM text that `text` begins with: through the line of its end.
pub fn block(text: &[u8]) -> usize {
    let end = text.windows(END.len()).position(|part| part == END);
    let line = |from: usize| text[from..].iter().position(|&byte| byte == b'\n');
    end.and_then(|end| Some(end + line(end)?))
        .unwrap_or(text.len())
}

/// Reads a public half: the kind and the key, without a comment. Gives also its text as OpenSSH
/// writes it.
///
/// # Errors
/// The text in words.
pub fn recipient(text: &str) -> Result<(Recipient, String), &'static str> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [kind, key] = words.as_slice() else {
        return Err("not a whole SSH key: quote its kind and the key as one argument");
    };
    if !KINDS.contains(kind) {
        return Err(OTHER_KIND);
    }
    let whole = format!("{kind} {key}");
    match Recipient::from_str(&whole) {
        Ok(recipient) => {
            // age reads as much as it needs.
            let text = recipient.to_string();
            match is_same(&text, &whole) {
                true => Ok((recipient, text)),
                false => Err(DAMAGED),
            }
        }
        Err(ParseRecipientKeyError::RsaModulusTooSmall) => Err(WEAK),
        Err(ParseRecipientKeyError::RsaModulusTooLarge) => Err(LARGE),
        Err(_) => Err(DAMAGED),
    }
}

/// Says why a text that begins like a public half is none; `None` if it is one.
pub fn unusable(text: &str) -> Option<&'static str> {
    if text.trim().contains('\n') {
        return Some("more than one line: give each key as an argument of its own");
    }
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    recipient(&words.join(" ")).err()
}

const DAMAGED: &str = "an SSH key with a letter missing or wrong: copy it again";

/// True if two texts are one public half. The signs that fill its base64 up may be missing.
pub fn is_same(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split_whitespace();
        words
            .map(|word| word.trim_end_matches('=').to_owned())
            .collect()
    };
    words(one) == words(other)
}
