//! `doorkey doctor`: shows what doorkey finds here and from where, each ok or not with the next
//! step. No value is read.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::configuration::StorePlace;
use super::deadline;
use super::options::Options;
use super::output::{print, print_json};
use super::table::aligned;
use super::{flags, own_flags};
use crate::core::option::One;
use crate::model::error::{Error, StoreError};
use crate::model::escape::counted;
use crate::model::name::{Name, Scope};
use crate::model::named::{Named, location};
use crate::stores::{self, Answer, Depth, Store};
use crate::sys::{features, process};

/// A fact, and whether it is as it should be.
#[derive(Serialize)]
struct Fact {
    what: String,
    found: String,
    ok: bool,
    next: Option<String>,
}

/// The facts so far.
#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn good(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.0.push(Fact {
            what: what.into(),
            found: found.into(),
            ok: true,
            next: None,
        });
    }

    /// Adds a fault: its reason, and behind a semicolon the next step.
    fn bad(&mut self, what: impl Into<String>, fault: &str) {
        let parts = fault
            .split_once("; ")
            .or_else(|| fault.split_once(": give "));
        let (found, next) = parts.unwrap_or((fault, ""));
        self.0.push(Fact {
            what: what.into(),
            found: found.to_owned(),
            ok: false,
            next: Some(next.to_owned()).filter(|next| !next.is_empty()),
        });
    }
}

/// Prints a table, or JSON.
///
/// # Errors
/// A usage error, or a failure to write.
pub fn doctor(options: &mut Options) -> Result<ExitCode, Error> {
    let _deadline = deadline::start(options.timeout()?, 1, "not all was looked at")?;
    let mut facts = Facts::default();
    let version = env!("CARGO_PKG_VERSION");
    let (user, own) = (process::user(), process::own());
    facts.good("doorkey", format!("{version}, as uid {user}, PID {own}"));
    match options.place() {
        Ok(place) => at_place(options, &place, &mut facts),
        Err(error) => {
            for line in error.lines() {
                facts.bad("configuration", &line);
            }
        }
    }
    for (name, use_, is_there) in features::list() {
        match is_there {
            true => facts.good(name, "the kernel has it"),
            false => facts.bad(name, &format!("the kernel does not let us; {use_}")),
        }
    }
    let Facts(facts) = facts;
    match options.flag(&own_flags::JSON) {
        true => print_json(&json!(facts))?,
        false => print(&table(&facts, options.is_colourful()))?,
    };
    Ok(match facts.iter().all(|fact| fact.ok) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn table(facts: &[Fact], bold: bool) -> Vec<u8> {
    let cells = |fact: &Fact| {
        let next = fact.next.as_deref();
        let next = next.map_or_else(String::new, |next| format!("; {next}"));
        let ok = if fact.ok { "ok" } else { "not ok" };
        vec![ok.to_owned(), fact.what.clone(), fact.found.clone() + &next]
    };
    let rows: Vec<_> = facts.iter().map(cells).collect();
    aligned(&["", "WHAT", "FOUND"], &rows, bold)
}

/// Looks at the configuration, the store and the scopes.
fn at_place(options: &mut Options, place: &StorePlace, facts: &mut Facts) {
    match place.file == Named::default() {
        true => facts.good("configuration", "no doorkey.toml here or above"),
        false => facts.good("configuration", place.file.to_string()),
    }
    let Some(named) = place.store.as_deref() else {
        return facts.bad("store", &stores::unnamed().to_string());
    };
    let from = |one: &One| match options.has(one) {
        true => options.setting(one),
        false => place.file.to_string(),
    };
    let shown = format!("{} ({})", location(named), from(&flags::STORE));
    let in_force = place.scopes.in_force().into_iter().map(|scope| {
        let from = match scope {
            Scope::Project(_) => format!(" ({})", from(&flags::PROJECT)),
            Scope::Cluster(_) => format!(" ({})", from(&flags::CLUSTER)),
            Scope::Team => String::new(),
        };
        (scope, from)
    });
    let in_force: Vec<(Scope, String)> = in_force.collect();
    let mut access = options.access(place, &BTreeSet::new(), &[], true);
    access.scopes = place.scopes.in_force();
    let access = Arc::new(access);
    let store = match stores::open(named, &access) {
        Ok(store) => store,
        Err(error) => {
            for line in error.lines() {
                facts.bad("store", &line);
            }
            return;
        }
    };
    facts.good("store", shown);
    of_store(store.as_ref(), facts);
    let before = facts.0.len();
    of_scopes(store.as_ref(), &in_force, facts);
    // Some stores learn who we are when they are asked.
    if let Some(who) = access.told() {
        facts.good("identity", who);
        facts.0[before..].rotate_right(1);
    }
}

/// Looks at the way to the store: the key or the credential, the address.
fn of_store(store: &dyn Store, facts: &mut Facts) {
    for (what, found) in store.findings() {
        match found {
            Ok(found) => facts.good(what, found),
            Err(trouble) => facts.bad(what, &trouble.to_string()),
        }
    }
}

/// Looks at the scopes in force: whether the store answers for them, and how much is there.
fn of_scopes(store: &dyn Store, in_force: &[(Scope, String)], facts: &mut Facts) {
    let scopes: Vec<Scope> = in_force.iter().map(|(scope, _)| scope.clone()).collect();
    let existing = store.scopes().unwrap_or_default();
    let listed = store.names(&scopes);
    for (at, (scope, from)) in in_force.iter().enumerate() {
        let what = format!("{scope}{from}");
        let names = match &listed {
            Ok(names) => names.get(at).cloned().unwrap_or(Ok(vec![])),
            Err(_) => asked(store, scope).map(|()| vec![]),
        };
        let is_unlisted = listed.is_err();
        match names {
            Err(trouble) => facts.bad(what, &trouble.to_string()),
            Ok(_) if is_unlisted => facts.good(what, "the store answers"),
            Ok(names) if names.is_empty() && *scope != Scope::Team => {
                let is_there = existing.is_empty() || existing.contains(scope);
                match is_there {
                    true => facts.good(what, "no secrets"),
                    false => facts.bad(
                        what,
                        "it does not exist; doorkey secret list --all shows all",
                    ),
                }
            }
            Ok(names) => facts.good(what, counted(names.len(), "secret")),
        }
    }
}

/// Asks for a name in a scope, without its value.
fn asked(store: &dyn Store, scope: &Scope) -> Result<(), StoreError> {
    let Some(name) = Name::new(b"doorkey_doctor") else {
        return Ok(());
    };
    let location = store.locate(scope, &name)?;
    match store.fetch(&[vec![location]], Depth::Names)?.pop() {
        Some(Answer::Failed(_, trouble)) => Err(trouble),
        _ => Ok(()),
    }
}
