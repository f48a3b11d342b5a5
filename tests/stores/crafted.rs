//! Age files as no honest program writes them.

use std::collections::HashSet;
use std::io::Write;

use age::x25519::Recipient;
use age::{EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};

/// A recipient that opens nothing, and adds stanzas of any kind.
struct Stanzas(Vec<(String, Vec<String>)>);

impl age::Recipient for Stanzas {
    fn wrap_file_key(&self, _: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let one = |(tag, args): &(String, Vec<String>)| Stanza {
            tag: tag.clone(),
            args: args.clone(),
            body: vec![7; 32],
        };
        Ok((self.0.iter().map(one).collect(), HashSet::new()))
    }
}

/// A file for some, with more stanzas in its header.
pub fn age_file(value: &str, recipients: &[&str], stanzas: &[(&str, &[&str])]) -> Vec<u8> {
    let owned = |(tag, args): &(&str, &[&str])| {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        ((*tag).to_owned(), args)
    };
    let more = Stanzas(stanzas.iter().map(owned).collect());
    let recipients: Vec<Recipient> = recipients.iter().map(|one| one.parse().unwrap()).collect();
    let all = recipients.iter().map(|one| one as &dyn age::Recipient);
    let all = all.chain([&more as &dyn age::Recipient]);
    let mut file = Vec::new();
    let mut out = Encryptor::with_recipients(all)
        .unwrap()
        .wrap_output(&mut file)
        .unwrap();
    out.write_all(value.as_bytes()).unwrap();
    out.finish().unwrap();
    file
}
