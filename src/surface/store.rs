//! `doorkey store`: making stores.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::options::{Options, Place};
use crate::pure::scope::Scopes;
use crate::stores;
use crate::words::error::Error;
use crate::world::environ::Started;
use crate::world::memory;

/// Makes an embedded store and, where the user has none, a key.
///
/// # Errors
/// Why it is not made.
pub fn init(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let dir = Path::new(options.value("dir").unwrap_or_default());
    let store = format!("age:{}", dir.display());
    let place = Place {
        store: Some(store.clone()),
        base: PathBuf::new(),
        scopes: Scopes::default(),
    };
    let access = options.access(&place, &mut started);
    let made = stores::init_age(dir, &access).map_err(|trouble| Error::Store {
        store: store.clone(),
        trouble,
    })?;
    ::log::info!("{store} is made, readable for {}", made.recipient);
    if made.new_key {
        ::log::info!(
            "the key is {}: keep a copy, without it no value can be read again",
            made.key
        );
    } else {
        ::log::info!("its key is the one of {}", made.key);
    }
    Ok(ExitCode::SUCCESS)
}
