//! The keys that open files. age's own type would compute the public half again for each file, and
//! try the recipients' stanzas in turn, which takes a multiplication on the curve each.

use std::str::FromStr;

use age::DecryptError;
use age::x25519::Identity;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, bech32_decode, hkdf};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use curve25519_dalek::MontgomeryPoint;
use zeroize::Zeroizing;

use super::file::NOTE;
use super::ssh;

/// The type of a recipient's stanza, and what its key is derived for:
/// <https://c2sp.org/age#the-x25519-recipient-type>.
const TAG: &str = "X25519";
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";

/// A secret key, with its public half.
pub struct AgeKey {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    /// The public half as age writes it.
    pub recipient: String,
}

impl AgeKey {
    /// Reads a key as age writes it; `None` if the text is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let recipient = Identity::from_str(text).ok()?.to_public().to_string();
        Some(AgeKey {
            secret: Zeroizing::new(bytes(text)?),
            public: bytes(&recipient)?,
            recipient,
        })
    }

    /// Gives the file's key, if the stanza was written for this key.
    fn unwrap(&self, wrapped: &Wrapped) -> Option<Result<FileKey, DecryptError>> {
        let shared = self.shared(wrapped.share);
        if shared.iter().fold(0, |all, byte| all | byte) == 0 {
            return Some(Err(DecryptError::InvalidHeader));
        }
        let salt = [wrapped.share, self.public].concat();
        let key = hkdf(&salt, LABEL, &*shared);
        let file_key = aead_decrypt(&key, FILE_KEY_BYTES, wrapped.file_key).ok()?;
        Some(Ok(FileKey::init_with_mut(|bytes| {
            bytes.copy_from_slice(&file_key);
        })))
    }

    /// X25519 (RFC 7748, section 5). A share that an age program has made is a point of the curve,
    /// on whose Edwards form multiplying takes three quarters of the time; any other is on the twist.
    fn shared(&self, share: [u8; 32]) -> Zeroizing<[u8; 32]> {
        let share = MontgomeryPoint(share);
        let shared = match share.to_edwards(0) {
            Some(point) => point.mul_clamped(*self.secret).to_montgomery(),
            None => share.mul_clamped(*self.secret),
        };
        Zeroizing::new(shared.to_bytes())
    }
}

/// Decodes the text of a key, be it secret or public.
fn bytes(text: &str) -> Option<[u8; 32]> {
    let all = |bytes: Vec<u8>| bytes.try_into().map_err(|_| ());
    bech32_decode(text, |_| (), |_| Ok(()), |_, bytes| all(bytes.collect())).ok()
}

/// A recipient's stanza.
struct Wrapped<'a> {
    share: [u8; 32],
    file_key: &'a [u8],
}

impl<'a> Wrapped<'a> {
    /// Reads a stanza; `None` if it is malformed.
    fn of(stanza: &'a Stanza) -> Option<Self> {
        let [share] = stanza.args.as_slice() else {
            return None;
        };
        let share: [u8; 32] = STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
        (stanza.body.len() == FILE_KEY_BYTES + 16).then(|| Wrapped {
            share,
            file_key: &stanza.body,
        })
    }
}

/// A holder of these keys.
pub struct KeyHolder<'a>(pub &'a [AgeKey]);

impl age::Identity for KeyHolder<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    /// Tries the stanzas that doorkey's note gives to our keys first. The note is not trusted: if
    /// it is false or missing, all are tried.
    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let ours = stanzas.iter().filter(|stanza| stanza.tag == TAG);
        let Some(wrapped) = ours.map(Wrapped::of).collect::<Option<Vec<_>>>() else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        let note = stanzas.iter().find(|stanza| stanza.tag == NOTE);
        let names = note.map(|note| note.args.as_slice()).unwrap_or_default();
        // Those of SSH have stanzas of their own.
        let is_ours = |name: &&String| !name.starts_with(ssh::PREFIX);
        let names: Vec<_> = names.iter().filter(is_ours).collect();
        let keys = self.0.iter();
        let noted = keys.clone().filter_map(|key| {
            let at = names.iter().position(|name| **name == key.recipient)?;
            Some((key, wrapped.get(at)?))
        });
        let all = keys.flat_map(|key| wrapped.iter().map(move |wrapped| (key, wrapped)));
        noted
            .chain(all)
            .find_map(|(key, wrapped)| key.unwrap(wrapped))
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use age::{Identity as _, Recipient as _};

    use super::*;

    fn stanza(tag: &str, args: Vec<String>, body: &[u8]) -> Stanza {
        Stanza {
            tag: tag.to_owned(),
            args,
            body: body.to_vec(),
        }
    }

    /// Gives the holder's result: the file's key, nothing, or a fault.
    fn opened(holder: &KeyHolder, stanzas: &[Stanza]) -> Option<Result<[u8; 16], ()>> {
        let opened = holder.unwrap_stanzas(stanzas)?;
        Some(opened.map(|key| *key.expose_secret()).map_err(|_| ()))
    }

    /// RFC 7748, section 5.2, of which the second share is on the twist; and shares of a low order,
    /// by which every key has the same secret.
    #[test]
    fn shares_on_and_off_the_curve() {
        let hex = |text: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..][..2], 16).unwrap())
        };
        let shared = |secret: &str, share: [u8; 32]| {
            let key = AgeKey {
                secret: Zeroizing::new(hex(secret)),
                public: [0; 32],
                recipient: String::new(),
            };
            *key.shared(share)
        };
        let secret = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4";
        let share = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";
        let both = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552";
        assert_eq!(shared(secret, hex(share)), hex(both));
        let other = "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d";
        let share = "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493";
        let both = "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957";
        assert_eq!(shared(other, hex(share)), hex(both));
        for low in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            assert_eq!(shared(secret, hex(low)), [0; 32], "{low}");
        }
        // Whatever the share is, it is as by the ladder.
        for at in 0..=255 {
            let share = [at; 32];
            let ladder = MontgomeryPoint(share).mul_clamped(hex(secret)).to_bytes();
            assert_eq!(shared(secret, share), ladder, "{at}");
        }
    }

    #[test]
    fn the_noted_stanza_is_tried_first_and_then_all() {
        let keys = [Identity::generate(), Identity::generate()];
        let parsed = |key: &Identity| AgeKey::parse(key.to_string().expose_secret()).unwrap();
        let [first, second] = keys.each_ref().map(parsed);
        let names = [&first, &second].map(|key| key.recipient.clone());
        assert_eq!(
            names,
            keys.each_ref().map(|key| key.to_public().to_string())
        );

        let file_key = FileKey::new(Box::new([7; 16]));
        let wrapped = |key: &Identity| {
            let (mut stanzas, _) = key.to_public().wrap_file_key(&file_key).unwrap();
            stanzas.remove(0)
        };
        // A trial of this stanza fails with an error: its share gives every key the same secret.
        let tells = || stanza(TAG, vec![STANDARD_NO_PAD.encode([0; 32])], &[0; 32]);
        let note = |names: &[String]| stanza(NOTE, names.to_vec(), b"");
        let turned = [names[1].clone(), names[0].clone()];

        let mine = [second];
        let holder = KeyHolder(&mine);
        let header = |note: Stanza| [tells(), wrapped(&keys[1]), note];
        let found = Some(Ok([7; 16]));
        assert_eq!(opened(&holder, &header(note(&names))), found);
        assert_eq!(opened(&holder, &header(note(&turned))), Some(Err(())));
        assert_eq!(opened(&holder, &header(note(&[]))), Some(Err(())));

        // A false note, or none, keeps nobody out.
        let honest = |note: Stanza| [wrapped(&keys[0]), wrapped(&keys[1]), note];
        for note in [note(&turned), note(&[]), stanza("another", vec![], b"")] {
            assert_eq!(opened(&holder, &honest(note)), found);
        }
        let beyond = [names[0].clone(), names[0].clone(), names[1].clone()];
        assert_eq!(opened(&holder, &honest(note(&beyond))), found);
        // The named one of several keys comes first.
        let both = keys.each_ref().map(parsed);
        let unknown = ["age1".to_owned(), names[1].clone()];
        assert_eq!(opened(&KeyHolder(&both), &header(note(&unknown))), found);
        assert_eq!(opened(&KeyHolder(&[]), &honest(note(&names))), None);
        let only_first = [wrapped(&keys[0]), note(&names)];
        assert_eq!(opened(&holder, &only_first), None);

        // A malformed stanza is a fault at any position.
        for bad in [
            stanza(TAG, vec![], &[0; 32]),
            stanza(TAG, vec!["x".to_owned()], &[0; 32]),
            stanza(TAG, vec![STANDARD_NO_PAD.encode([1; 31])], &[0; 32]),
            stanza(TAG, vec![STANDARD_NO_PAD.encode([1; 32])], &[0; 31]),
        ] {
            let header = [wrapped(&keys[1]), bad, note(&names[1..])];
            assert_eq!(opened(&holder, &header), Some(Err(())));
        }
    }
}
