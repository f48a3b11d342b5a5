//! `doorkey store`: makes a store, verifies it, and manages its recipients.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::configuration::StorePlace;
use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::store_and_scope::ScopeTarget;
use crate::core::config::Config;
use crate::core::scope::Scopes;
use crate::model::error::Error;
use crate::model::escape::counted;
use crate::model::log::{self, Label};
use crate::model::name::{Name, Scope};
use crate::model::named::{Named, location};
use crate::stores::{self, Changed, Checked, Origin, Recipients};

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
    let place = StorePlace {
        store: Some(store),
        origin: Origin::Said,
        base: PathBuf::new(),
        scopes: Scopes::default(),
        config: Config::default(),
        file: Named::default(),
    };
    let access = options.access(&place, &BTreeSet::new(), &[], true);
    let made = stores::init_age(&dir, &access).map_err(|trouble| Error::Store {
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
    let checked = recipients(&target)?
        .check(options.flag(&own_flags::FIX))
        .map_err(|trouble| target.error(None, trouble))?;
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
}

/// Shows the recipients who can read the store, or a scope.
///
/// # Errors
/// A usage error, or a list that can't be read.
pub fn list_recipients(options: &mut Options) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, false)?;
    let scope = target.named_scope(options);
    let listed = recipients(&target)?.list(scope.as_ref());
    let listed =
        listed.map_err(|trouble| target.error(scope.as_ref().map(Scope::to_string), trouble))?;
    if options.flag(&own_flags::JSON) {
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
/// A usage error, or the reason why nothing, or not all, is changed.
pub fn add_recipients(options: &mut Options) -> Result<ExitCode, Error> {
    change(options, true)
}

/// Removes recipients, who can then no longer read the store, or a scope.
///
/// # Errors
/// Same as for [`add_recipients`].
pub fn remove_recipients(options: &mut Options) -> Result<ExitCode, Error> {
    change(options, false)
}

fn change(options: &mut Options, adding: bool) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, true)?;
    let lists = recipients(&target)?;
    let named = options.values(&own_flags::RECIPIENTS).into_iter();
    let named: Vec<String> = named
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    let everywhere = options.flag(&own_flags::EVERYWHERE);
    let scope = target.named_scope(options).filter(|_| !everywhere);
    let fail = |scope: Option<&Scope>, trouble| target.error(scope.map(Scope::to_string), trouble);
    let places = if everywhere {
        let naming = lists.naming(&named, true);
        naming.map_err(|trouble| fail(None, trouble))?
    } else {
        vec![(scope.clone(), named.clone())]
    };
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    for (place, named) in places {
        let (add, remove): (&[String], &[String]) = match adding {
            true => (&named, &[]),
            false => (&[], &named),
        };
        match lists.change(place.as_ref(), add, remove) {
            Ok(changed) => done.push((place, changed)),
            // If the store's own list does not name the recipient, another list may, or none.
            Err(trouble) if trouble.is_no_recipient() && place.is_none() => {
                let nowhere = lists.naming(&named, true).err();
                errors.push(fail(None, nowhere.unwrap_or(trouble)));
            }
            Err(trouble) => errors.push(fail(place.as_ref(), trouble)),
        }
    }
    let mut still = Vec::new();
    if !adding && scope.is_none() {
        let naming = lists.naming(&named, false);
        still = naming.map_err(|trouble| fail(None, trouble))?;
        still.retain(|(scope, _)| scope.is_some());
    }
    if options.flag(&own_flags::JSON) && !done.is_empty() {
        print_changes(&target, scope.as_ref(), &done, &still, adding)?;
    } else {
        say_changes(&target, &done, &still, adding);
    }
    for (scope, named) in &still {
        let (scope, named) = (shown(scope), named.join(" "));
        let option = scope.replace('/', " ");
        log::warning!(
            Advice;
            "{scope} still has {named}; run doorkey store recipient remove {named} --{option}, or use --everywhere"
        );
    }
    match (errors.is_empty(), still.is_empty()) {
        (true, true) => Ok(ExitCode::SUCCESS),
        (true, false) => Ok(ExitCode::FAILURE),
        (false, _) => Err(Error::all(errors)),
    }
}

/// Lists that were changed, or that name a recipient.
type Lists<T> = [(Option<Scope>, T)];

fn print_changes(
    target: &ScopeTarget,
    scope: Option<&Scope>,
    done: &Lists<Changed>,
    still: &Lists<Vec<String>>,
    adding: bool,
) -> Result<ExitCode, Error> {
    let all = |of: fn(&Changed) -> &[(Scope, Name)]| -> Vec<String> {
        done.iter().flat_map(|(_, one)| paths(of(one))).collect()
    };
    let rotate = if adding {
        vec![]
    } else {
        all(|one| &one.covered)
    };
    let own = done.iter().find(|(one, _)| one.as_ref() == scope);
    print_json(&json!({
        "store": target.store.label(),
        "scope": scope.map(Scope::to_string),
        "recipients": own.map(|(_, changed)| &changed.recipients),
        "rewritten": all(|one| &one.rewritten),
        "rotate": rotate,
        "left": left(done, &[]).map(Scope::to_string).collect::<Vec<_>>(),
        "still": still.iter().map(|(scope, _)| shown(scope)).collect::<Vec<_>>(),
    }))
}

fn say_changes(
    target: &ScopeTarget,
    done: &Lists<Changed>,
    still: &Lists<Vec<String>>,
    adding: bool,
) {
    let label = target.store.label();
    for (scope, changed) in done {
        let what = match scope {
            Some(scope) => format!("{scope} of {label}"),
            None => label.to_owned(),
        };
        let readers = counted(changed.recipients.len(), "recipient");
        let rewritten = counted(changed.rewritten.len(), "secret");
        log::info!(
            Done, store = &Label(&what);
            "{what} is readable for {readers}; {rewritten} encrypted anew"
        );
    }
    for scope in left(done, still) {
        log::info!("{scope} has recipients of its own, which are left as they are");
    }
    if !adding && !done.is_empty() {
        log::warning!(
            Rotate;
            "whoever was removed may have read every value until now, and can still read old copies"
        );
        for path in done.iter().flat_map(|(_, one)| paths(&one.covered)) {
            log::warning!(Rotate, reference = &Label(&path); "rotate {path}");
        }
    }
}

/// Returns the scopes whose lists were left unchanged, without those in `done` or `still`.
fn left<'a>(
    done: &'a Lists<Changed>,
    still: &'a Lists<Vec<String>>,
) -> impl Iterator<Item = &'a Scope> {
    let all = done.iter().flat_map(|(_, changed)| &changed.left);
    all.filter(|scope| {
        let is_it = |other: &Option<Scope>| other.as_ref() == Some(*scope);
        !done.iter().any(|(other, _)| is_it(other)) && !still.iter().any(|(other, _)| is_it(other))
    })
}

fn shown(scope: &Option<Scope>) -> String {
    scope.as_ref().map_or(String::new(), Scope::to_string)
}

fn paths(secrets: &[(Scope, Name)]) -> Vec<String> {
    secrets
        .iter()
        .map(|(scope, name)| format!("{scope}/{name}"))
        .collect()
}

fn recipients(target: &ScopeTarget) -> Result<&dyn Recipients, Error> {
    target
        .store
        .recipients()
        .ok_or_else(|| target.error(None, stores::no_lists()))
}
