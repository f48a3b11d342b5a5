//! `doorkey store`: making a store, verifying it, and who can read it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::configuration::Place;
use super::options::Options;
use super::target::Target;
use super::{print, print_json};
use crate::pure::config::Config;
use crate::pure::scope::Scopes;
use crate::stores::{self, Changed, Origin, Recipients};
use crate::words::error::{Error, Trouble};
use crate::words::log::{self, Label};
use crate::words::name::{Name, Scope};
use crate::world::environ::Started;
use crate::world::memory;

/// Makes an embedded store and, where the user has none, a key.
///
/// # Errors
/// Why it is not made.
pub fn init(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let dir = options.value("dir").unwrap_or("secrets".as_ref());
    let store = stores::embedded(&dir.display().to_string());
    let place = Place {
        store: Some(store.clone()),
        origin: Origin::Said,
        base: PathBuf::new(),
        scopes: Scopes::default(),
        config: Config::default(),
        file: PathBuf::new(),
    };
    let access = options.access(&place, &mut started, &BTreeSet::new(), &[]);
    let made = stores::init_age(Path::new(dir), &access).map_err(|trouble| Error::Store {
        store: store.clone(),
        trouble,
    })?;
    if options.flag("json") {
        let new = made.new_key;
        return print_json(
            &json!({"store": store, "recipient": made.recipient, "key": made.key, "newKey": new}),
        );
    }
    log::info!(Done, store = &Label(&store); "{store} is made, readable for {}", made.recipient);
    if made.new_key {
        log::info!(
            "the key is {}: keep a copy, without it no value can be read again",
            made.key
        );
    } else {
        log::info!("its key is the one of {}", made.key);
    }
    Ok(ExitCode::SUCCESS)
}

/// Verifies a whole store.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let target = Target::open(options, &mut started)?;
    let checked = recipients(&target)?
        .check()
        .map_err(|trouble| target.error(None, trouble))?;
    if options.flag("json") {
        let findings: Vec<_> = checked
            .findings
            .iter()
            .map(|(place, what)| json!({"place": place, "what": what}))
            .collect();
        let (secrets, scopes) = (checked.secrets, checked.scopes);
        print_json(&json!({"secrets": secrets, "scopes": scopes, "findings": findings}))?;
    }
    if checked.findings.is_empty() {
        let label = target.store.label();
        log::info!(
            Done, store = &Label(label);
            "{label} is sound: {} secrets in {} scopes",
            checked.secrets,
            checked.scopes
        );
        return Ok(ExitCode::SUCCESS);
    }
    let found = |(place, what)| Error::Found { place, what };
    Err(Error::all(
        checked.findings.into_iter().map(found).collect(),
    ))
}

/// Shows who can read the store, or a scope.
///
/// # Errors
/// Usage, or that the list can't be read.
pub fn list_recipients(options: &Options, mut started: Started) -> Result<ExitCode, Error> {
    let target = Target::open(options, &mut started)?;
    let scope = target.named_scope(options);
    let listed = recipients(&target)?.list(scope.as_ref());
    let listed =
        listed.map_err(|trouble| target.error(scope.as_ref().map(Scope::to_string), trouble))?;
    if options.flag("json") {
        let scope = scope.map(|scope| scope.to_string());
        return print_json(
            &json!({"store": target.store.label(), "scope": scope, "recipients": listed}),
        );
    }
    print(
        listed
            .iter()
            .map(|recipient| format!("{recipient}\n"))
            .collect::<String>()
            .as_bytes(),
    )
}

/// Lets others read the store, or a scope.
///
/// # Errors
/// Usage, or why nothing, or not all, is changed.
pub fn add_recipients(options: &Options, started: Started) -> Result<ExitCode, Error> {
    change(options, started, true)
}

/// Lets some read the store, or a scope, no more.
///
/// # Errors
/// As `add_recipients`.
pub fn remove_recipients(options: &Options, started: Started) -> Result<ExitCode, Error> {
    change(options, started, false)
}

fn change(options: &Options, mut started: Started, adding: bool) -> Result<ExitCode, Error> {
    let _concealed = memory::conceal();
    let target = Target::open(options, &mut started)?;
    let scope = target.named_scope(options);
    let what = scope.as_ref().map(Scope::to_string);
    let named = options.values("recipient").into_iter();
    let named: Vec<String> = named
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    let (add, remove): (&[String], &[String]) = if adding { (&named, &[]) } else { (&[], &named) };
    let changed = recipients(&target)?
        .change(scope.as_ref(), add, remove)
        .map_err(|trouble| target.error(what.clone(), trouble))?;
    if options.flag("json") {
        return print_json(&json!({
            "store": target.store.label(),
            "scope": what,
            "recipients": changed.recipients,
            "rewritten": paths(&changed.rewritten),
            "rotate": if adding { vec![] } else { paths(&changed.covered) },
            "left": changed.left.iter().map(Scope::to_string).collect::<Vec<_>>(),
        }));
    }
    let label = target.store.label();
    let what = what.map_or_else(|| label.to_owned(), |scope| format!("{scope} of {label}"));
    say(&changed, &what, adding);
    Ok(ExitCode::SUCCESS)
}

fn say(changed: &Changed, what: &str, adding: bool) {
    let (readers, rewritten) = (changed.recipients.len(), changed.rewritten.len());
    log::info!(
        Done, store = &Label(what);
        "{what} is readable for {readers} recipients; {rewritten} secrets are encrypted anew"
    );
    for scope in &changed.left {
        log::info!("{scope} has recipients of its own, which are left as they are");
    }
    if !adding {
        log::warning!(
            "whoever was removed may have read every value until now, and can still read old copies"
        );
        for path in paths(&changed.covered) {
            log::warning!(Rotate, reference = &Label(&path); "rotate {path}");
        }
    }
}

fn paths(secrets: &[(Scope, Name)]) -> Vec<String> {
    secrets
        .iter()
        .map(|(scope, name)| format!("{scope}/{name}"))
        .collect()
}

fn recipients(target: &Target) -> Result<&dyn Recipients, Error> {
    target
        .store
        .recipients()
        .ok_or_else(|| target.error(None, Trouble::NoLists))
}
