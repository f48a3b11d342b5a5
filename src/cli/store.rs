//! `doorkey store`: makes a store, and verifies it.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;

use super::configuration::StorePlace;
use super::options::Options;
use super::output::print_json;
use super::own_flags;
use super::store_and_scope::{ScopeTarget, paths};
use crate::model::error::Error;
use crate::model::escape::counted;
use crate::model::log::{self, Label};
use crate::model::named::{Named, location};
use crate::stores::{self, Checked, Fix};

/// Makes an embedded store, and a key if the user has none.
///
/// # Errors
/// The reason why the store is not made.
pub fn init(options: &mut Options) -> Result<ExitCode, Error> {
    let dir = options
        .path(&own_flags::DIR)
        .unwrap_or_else(|| "secrets".into());
    let store = stores::embedded(&dir.display().to_string());
    let label = location(&store);
    let place = StorePlace::said(store);
    let access = options.access(&place, &BTreeSet::new(), &[], true);
    let name = options.text(&own_flags::OWNER_NAME)?;
    let made = stores::init_age(&dir, name, &access).map_err(|trouble| Error::Store {
        store: label.clone(),
        trouble,
    })?;
    if options.flag(&own_flags::JSON) {
        let new = made.new_key;
        return print_json(
            &json!({"store": label, "recipient": made.recipient, "key": made.key, "newKey": new}),
        );
    }
    log::info!(Done, store = &Label(&label); "{label} is made, readable for {}", made.recipient);
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
/// The faults of the store.
pub fn check(options: &mut Options) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, true)?;
    let texts = |many| -> Vec<String> {
        let values = options.values(many).into_iter();
        values
            .map(|text| text.to_string_lossy().into_owned())
            .collect()
    };
    let fix = Fix {
        ours: texts(&own_flags::OURS),
        theirs: texts(&own_flags::THEIRS),
    };
    let fixes = options.flag(&own_flags::FIX);
    let chooses = !fix.ours.is_empty() || !fix.theirs.is_empty();
    if chooses && !fixes {
        return Err(Error::Usage("--ours and --theirs need --fix".to_owned()));
    }
    if fix.ours.iter().any(|name| fix.theirs.contains(name)) {
        let what = "--ours and --theirs can't name the same secret";
        return Err(Error::Usage(what.to_owned()));
    }
    let checked = target.recipients()?.check(fixes.then_some(&fix));
    let checked = checked.map_err(|trouble| target.error(None, trouble))?;
    warn(&checked);
    if options.flag(&own_flags::JSON) {
        let findings: Vec<_> = checked
            .findings
            .iter()
            .map(|(place, what)| json!({"place": place, "what": what}))
            .collect();
        let (secrets, scopes) = (checked.secrets, checked.scopes);
        print_json(&json!({
            "secrets": secrets, "scopes": scopes, "findings": findings,
            "unbound": paths(&checked.unbound), "bound": paths(&checked.bound),
            "merged": checked.merged, "rewritten": paths(&checked.rewritten),
            "rotate": rotations(&checked),
        }))?;
    }
    if checked.findings.is_empty() {
        let label = target.store.label();
        log::info!(
            Done, store = &Label(label);
            "{label} is sound: {} in {}",
            counted(checked.secrets, "secret"),
            counted(checked.scopes, "scope")
        );
        return Ok(ExitCode::SUCCESS);
    }
    let found = |(place, what)| Error::Found { place, what };
    Err(Error::all(
        checked.findings.into_iter().map(found).collect(),
    ))
}

/// Warns of facts that are not faults, but should be known.
fn warn(checked: &Checked) {
    if let Some((file, line)) = &checked.attributes {
        let file = Named::from(file);
        log::warning!(
            Advice;
            "git may take the store's files for text and damage them; put the line \"{line}\" into {file}"
        );
    }
    match checked.unbound.len() {
        0 => {}
        count => log::warning!(
            Advice;
            "{} bound to no name, so that such a file can be put in another's place; doorkey store check --fix binds it",
            match count {
                1 => "1 secret is".to_owned(),
                _ => format!("{count} secrets are"),
            }
        ),
    }
    for path in paths(&checked.bound) {
        log::warning!(Advice, reference = &Label(&path); "{path} is bound to its name now; see that its value is the right one");
    }
    if !checked.merged.is_empty() {
        log::info!(
            Done;
            "settled what git left in conflict: {}; look at it, then git add it and commit",
            checked.merged.join(", ")
        );
    }
    if !checked.rewritten.is_empty() {
        let paths = paths(&checked.rewritten).join(", ");
        log::info!(Done; "encrypted anew for those of their lists: {paths}");
    }
    for rotation in &checked.rotate {
        let (scope, name) = &rotation.secret;
        let (who, since) = (rotation.who.join(", "), &rotation.since);
        log::warning!(
            Rotate, reference = name, scope = scope;
            "rotate {scope}/{name}: {who} could read it until {since}"
        );
    }
    for (scope, who) in &checked.remaining {
        let (scope, who) = (super::recipient::shown(scope), who.join(", "));
        log::warning!(
            Advice;
            "{scope} has {who}, who was removed from the store's list; doorkey store recipient remove NAME --everywhere removes everywhere"
        );
    }
}

/// Lists the secrets that are to be replaced, for programs.
fn rotations(checked: &Checked) -> Vec<serde_json::Value> {
    let rotations = checked.rotate.iter().map(|rotation| {
        let (scope, name) = &rotation.secret;
        json!({"secret": format!("{scope}/{name}"), "since": rotation.since, "who": rotation.who})
    });
    rotations.collect()
}
