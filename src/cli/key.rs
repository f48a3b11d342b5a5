//! `doorkey key`: makes the key of an embedded store, and shows its public half.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;

use super::configuration::StorePlace;
use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use crate::model::error::{Error, StoreError};
use crate::model::log;
use crate::stores::{self, Access, OwnKeys};

/// Makes a key, and prints its public half.
///
/// # Errors
/// A key that is there already, or one that can't be written.
pub fn new(options: &mut Options) -> Result<ExitCode, Error> {
    let (made, access) = ask(options, stores::new_key)?;
    log::info!(
        Done;
        "the key is {}: keep a copy, without it no value can be read again", made.key
    );
    if access.credential(stores::KEY).is_some() {
        log::warning!(Ignored; "{} is set, and counts before the new key", stores::KEY);
    }
    show(options, &made)
}

/// Prints the public halves of the keys that would be used, and their place.
///
/// # Errors
/// A missing key, or one that can't be used.
pub fn public(options: &mut Options) -> Result<ExitCode, Error> {
    let (found, _) = ask(options, stores::own_keys)?;
    log::info!("the key is the one of {}", found.key);
    show(options, &found)
}

type Asked = fn(&Access) -> Result<OwnKeys, StoreError>;

fn ask(options: &mut Options, what: Asked) -> Result<(OwnKeys, Access), Error> {
    let place = StorePlace::said(stores::embedded(""));
    let access = options.access(&place, &BTreeSet::new(), &[], true);
    let keys = what(&access).map_err(|trouble| Error::Store {
        store: "the key".to_owned(),
        trouble,
    })?;
    Ok((keys, access))
}

fn show(options: &Options, keys: &OwnKeys) -> Result<ExitCode, Error> {
    if options.flag(&own_flags::JSON) {
        let all = keys.recipients.iter();
        let (recipients, kinds): (Vec<_>, Vec<_>) =
            all.map(|one| (&one.recipient, one.kind)).unzip();
        return print_json(&json!({"key": keys.key, "recipients": recipients, "kinds": kinds}));
    }
    let lines = keys.recipients.iter();
    let lines = lines.map(|one| format!("{}\n", one.recipient));
    print(lines.collect::<String>().as_bytes())
}
