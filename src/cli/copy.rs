//! `doorkey store copy`: the secrets of one store, written to another.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::configuration::StorePlace;
use super::flags;
use super::options::Options;
use super::output::{print, print_json};
use super::own_flags;
use super::store_and_scope::confirm;
use crate::core::scope::Scopes;
use crate::engine::relocate::{self, Part};
use crate::model::error::{Error, StoreError};
use crate::model::log::{self, Label};
use crate::model::name::Scope;
use crate::stores::{self, Store};

/// Copies all secrets of a store, or of one scope of it. Names and counts come first.
///
/// # Errors
/// A usage error, every secret that can't be read, or the reason why not all are written.
pub fn copy(options: &mut Options) -> Result<ExitCode, Error> {
    let text =
        |one| -> Result<String, Error> { Ok(options.text(one)?.unwrap_or_default().to_owned()) };
    let (from, to) = (text(&own_flags::FROM)?, text(&own_flags::TO)?);
    let only = scope(options)?;
    // Both stores get their settings and credentials from the same place.
    let words = scheme(&to).into_iter().collect::<BTreeSet<_>>();
    let place = StorePlace::said(from.clone());
    let mut access = options.access(&place, &words, &[], true);
    // A person may have to be asked; each request has its own patience.
    access.deadline = None;
    let access = Arc::new(access);
    let (from, to) = (stores::open(&from, &access)?, stores::open(&to, &access)?);
    let (from, to) = (&*from, &*to);
    if from.identity() == to.identity() {
        return Err(Error::Usage("both are the same store".to_owned()));
    }
    let writer = to
        .writer()
        .ok_or_else(|| fault(to, None, stores::read_only()))?;
    let plan = relocate::plan(from, to, only);
    let plan =
        plan.map_err(|(is_first, trouble)| fault(if is_first { from } else { to }, None, trouble))?;
    let all = || {
        plan.iter()
            .flat_map(|(scope, names)| names.iter().map(move |name| (scope, name)))
    };
    let (count, over) = (
        all().count(),
        all().filter(|(_, (_, exists))| *exists).count(),
    );
    let dry = options.flag(&own_flags::DRY_RUN);
    let is_json = options.flag(&own_flags::JSON);
    if !is_json {
        print(shown(&plan).as_bytes())?;
    }
    let [old, new] = [from, to].map(Store::label);
    if !dry && count > 0 {
        let what = format!("copy {count}, {over} of them in place of others, from {old} to {new}");
        confirm(options, &what)?;
        let values = relocate::read(from, &plan).map_err(|errors| {
            let errors = errors.into_iter().map(|(secret, trouble)| {
                let what = secret.map(|(scope, name)| format!("{name} in {scope}"));
                fault(from, what, trouble)
            });
            Error::all(errors.collect())
        })?;
        relocate::write(writer, &values)
            .map_err(|(scope, trouble)| fault(to, Some(scope.to_string()), trouble))?;
    }
    if is_json {
        let items = all().map(|(scope, (name, exists))| {
            json!({"scope": scope.to_string(), "name": name.as_str(), "change": change(*exists)})
        });
        let items: Vec<_> = items.collect();
        return print_json(&json!({"from": old, "to": new, "dryRun": dry, "items": items}));
    }
    let done = if dry { "would be copied" } else { "copied" };
    log::info!(
        Done, store = &Label(new);
        "{count} {done} from {old} to {new}, {over} of them in place of others"
    );
    Ok(ExitCode::SUCCESS)
}

/// Returns the scope that the command line names; all count without one.
fn scope(options: &Options) -> Result<Option<Scope>, Error> {
    let scopes = Scopes {
        project: options.name(&flags::PROJECT)?,
        cluster: options.name(&flags::CLUSTER)?,
    };
    Ok(
        match (
            options.is_given(&flags::PROJECT),
            options.is_given(&flags::CLUSTER),
        ) {
            (true, _) => scopes.project.map(Scope::Project),
            (_, true) => scopes.cluster.map(Scope::Cluster),
            _ => options.flag(&flags::TEAM).then_some(Scope::Team),
        },
    )
}

/// Returns the word before the colon, if it is a kind of store.
fn scheme(store: &str) -> Option<&'static str> {
    let word = store.split(':').next()?;
    let mut schemes = stores::kinds().iter().flat_map(|kind| kind.schemes);
    schemes.find(|scheme| **scheme == word).copied()
}

fn change(exists: bool) -> &'static str {
    if exists { "overwrite" } else { "create" }
}

fn shown(plan: &[Part]) -> String {
    let all = plan.iter().flat_map(|(scope, names)| {
        let line =
            move |(name, exists): &(_, bool)| format!("{}\t{scope}/{name}\n", change(*exists));
        names.iter().map(line)
    });
    all.collect()
}

fn fault(store: &dyn Store, what: Option<String>, trouble: StoreError) -> Error {
    let label = store.label();
    let store = what.map_or_else(|| label.to_owned(), |what| format!("{what} of {label}"));
    Error::Store { store, trouble }
}
