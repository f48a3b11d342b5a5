//! `doorkey store recipient`: who can read a store.

use std::process::ExitCode;

use serde_json::json;

use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::store_and_scope::{ScopeTarget, paths};
use super::table::{NOTHING, table};
use crate::engine::readers::{self, Reader};
use crate::model::error::Error;
use crate::model::escape::counted;
use crate::model::log::{self, Label};
use crate::model::name::{Name, Scope};
use crate::stores::{Changed, Member};

/// Shows who can read the store, or a scope: the key, its owner's name, its kind, and the scopes.
///
/// # Errors
/// A usage error, or a list that can't be read.
pub fn list(options: &mut Options) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, false)?;
    let scope = target.named_scope(options);
    let readers = readers::readers(&*target.store, target.recipients()?, scope.as_ref());
    let readers =
        readers.map_err(|trouble| target.error(scope.as_ref().map(Scope::to_string), trouble))?;
    let scopes =
        |reader: &Reader| -> Vec<String> { reader.scopes.iter().map(Scope::to_string).collect() };
    if options.flag(&own_flags::JSON) {
        let keys: Vec<_> = readers.iter().map(|one| &one.member.recipient).collect();
        let rows = readers.iter().map(|reader| {
            let Member {
                recipient,
                name,
                kind,
            } = &reader.member;
            let scopes = scopes(reader);
            json!({"recipient": recipient, "name": name, "kind": kind, "scopes": scopes})
        });
        let rows: Vec<_> = rows.collect();
        let scope = scope.map(|scope| scope.to_string());
        return print_json(&json!({
            "store": target.store.label(), "scope": scope, "recipients": keys, "members": rows,
        }));
    }
    let rows: Vec<Vec<String>> = readers
        .iter()
        .map(|reader| {
            let Member {
                recipient,
                name,
                kind,
            } = &reader.member;
            let scopes = match (reader.is_everywhere, reader.scopes.is_empty()) {
                (true, _) => "all".to_owned(),
                (false, true) => NOTHING.to_owned(),
                (false, false) => scopes(reader).join(","),
            };
            let name = name.as_deref().unwrap_or(NOTHING);
            vec![
                recipient.clone(),
                name.to_owned(),
                (*kind).to_owned(),
                scopes,
            ]
        })
        .collect();
    let head = ["RECIPIENT", "NAME", "KIND", "SCOPES"];
    print(&table(&head, &rows, options.is_colourful()))
}

/// Lets others read the store, or a scope.
///
/// # Errors
/// A usage error, or the reason why nothing, or not all, is changed.
pub fn add(options: &mut Options) -> Result<ExitCode, Error> {
    change(options, true)
}

/// Removes recipients, who can then no longer read the store, or a scope.
///
/// # Errors
/// Same as for [`add`].
pub fn remove(options: &mut Options) -> Result<ExitCode, Error> {
    change(options, false)
}

fn change(options: &mut Options, adding: bool) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, true)?;
    let lists = target.recipients()?;
    let name = options.text(&own_flags::OWNER_NAME)?;
    let arguments = if adding {
        &own_flags::KEYS
    } else {
        &own_flags::RECIPIENTS
    };
    let named = options.values(arguments).into_iter();
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
        let changed = match adding {
            true => lists.add(place.as_ref(), &named, name),
            false => lists.remove(place.as_ref(), &named),
        };
        match changed {
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
        all(|one| &one.rotate)
    };
    let own = done.iter().find(|(one, _)| one.as_ref() == scope);
    print_json(&json!({
        "store": target.store.label(),
        "scope": scope.map(Scope::to_string),
        "recipients": own.map(|(_, changed)| keys(&changed.recipients)),
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
        for path in done.iter().flat_map(|(_, one)| paths(&one.rotate)) {
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

fn keys(members: &[Member]) -> Vec<&String> {
    members.iter().map(|member| &member.recipient).collect()
}

/// Returns the text of a list's scope.
pub fn shown(scope: &Option<Scope>) -> String {
    scope.as_ref().map_or(String::new(), Scope::to_string)
}
