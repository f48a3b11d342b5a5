//! `doorkey secret`: putting secrets into a store.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use super::options::{Options, Place};
use crate::stores;
use crate::words::error::{Error, Os};
use crate::words::name::{Name, Scope};
use crate::words::secret::Secret;
use crate::words::shown::Shown;
use crate::world::environ::Started;
use crate::world::{files, memory};

/// The largest value, in bytes (what AWS Secrets Manager takes, so that stores stay exchangeable).
const LARGEST: usize = 65_536;

/// Stores a value from standard input.
///
/// # Errors
/// Usage, or why it is not stored.
pub fn set(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let place = options.place()?;
    let scope = scope(options, &place)?;
    let name = options
        .value("name")
        .and_then(|name| Name::new(name.as_bytes()));
    let name = name.ok_or_else(|| {
        Error::Usage(
            "a name is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253 bytes".to_owned(),
        )
    })?;
    let location = place.store.as_deref().ok_or(Error::NoStore)?;
    let store = stores::open(location, options.access(&place, &mut started))?;
    let value = read_value(options.flag("raw"))?;
    store
        .write(&scope, &name, &value)
        .map_err(|trouble| Error::Store {
            store: format!("{name} in {scope} of {}", store.label()),
            trouble,
        })?;
    let label = Shown(store.label().as_bytes());
    ::log::info!("{name} is set in {scope} of {label}");
    Ok(ExitCode::SUCCESS)
}

/// The scope to write to: what the command line says, else the team if its variable says so, else
/// the project that is in force.
fn scope(options: &Options, place: &Place) -> Result<Scope, Error> {
    let project = place.scopes.project.clone().map(Scope::Project);
    let cluster = place.scopes.cluster.clone().map(Scope::Cluster);
    let scope = if options.is_given("cluster") {
        cluster
    } else if options.flag("team") && !options.is_given("project") {
        Some(Scope::Team)
    } else {
        project
    };
    scope.ok_or_else(|| {
        Error::Usage("which scope? give --project ID, --cluster ID or --team".to_owned())
    })
}

fn read_value(raw: bool) -> Result<Secret, Error> {
    let too_large = || Error::Usage(format!("a value is at most {LARGEST} bytes"));
    let mut bytes = files::read_stdin(LARGEST + 2).map_err(|error| match Os::from(error) {
        Os(libc::EFBIG) => too_large(),
        why => Error::File {
            doing: "read",
            path: "standard input".into(),
            why,
        },
    })?;
    if !raw && bytes.ends_with(b"\n") {
        bytes.truncate(bytes.len() - if bytes.ends_with(b"\r\n") { 2 } else { 1 });
    }
    let value = Secret::new(bytes);
    match value.len() {
        0 => Err(Error::Usage(
            "the value is empty: it is read from standard input".to_owned(),
        )),
        1..=LARGEST => Ok(value),
        _ => Err(too_large()),
    }
}
