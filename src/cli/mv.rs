//! `doorkey secret mv`: a secret under another name, or in another scope.

use std::process::ExitCode;

use serde_json::json;

use super::options::Options;
use super::output::print_json;
use super::own_flags;
use super::precedence::{Before, say};
use super::store_and_scope::ScopeTarget;
use crate::core::option::One;
use crate::engine::managed::{RULE, is_creatable};
use crate::engine::relocate;
use crate::model::error::Error;
use crate::model::log::{self, Label};
use crate::model::name::{Name, Scope};

/// Moves a secret to another name, or scope, or both.
///
/// # Errors
/// A usage error, or the reason why the secret is not moved.
pub fn mv(options: &mut Options) -> Result<ExitCode, Error> {
    let target = ScopeTarget::open(options, true)?;
    let mut own = None;
    let mut spot = |argument| spot(options, &target, argument, &mut own);
    let (from, to) = (spot(&own_flags::MOVE_FROM)?, spot(&own_flags::MOVE_TO)?);
    if from == to {
        return Err(Error::Usage("both are the same secret".to_owned()));
    }
    if !is_creatable(to.1.as_str()) {
        return Err(Error::Usage(RULE.to_owned()));
    }
    let fail = |(scope, name): &(Scope, Name), trouble| target.secret_error(scope, name, trouble);
    let writer = target.writer().map_err(|trouble| fail(&to, trouble))?;
    let before = Before::of(&target, &to.0, [&to.1]);
    let (source, goal) = ((&from.0, &from.1), (&to.0, &to.1));
    relocate::relocate(&*target.store, writer, source, goal).map_err(|trouble| {
        let of = if trouble.is_taken() { &to } else { &from };
        fail(of, trouble)
    })?;
    let [old, new] = [&from, &to].map(|(scope, name)| format!("{scope}/{name}"));
    let store = target.store.label();
    say::uncovered(&target, &from.0, &from.1);
    before.say(&target);
    if options.flag(&own_flags::JSON) {
        return print_json(&json!({"from": old, "to": new, "store": store, "done": "moved"}));
    }
    log::info!(
        Done, reference = &to.1, scope = &to.0, store = &Label(store);
        "{old} is {new} now, in {store}"
    );
    Ok(ExitCode::SUCCESS)
}

/// Reads the place of a secret: `SCOPE/NAME`, or `NAME` in the scope of the command.
fn spot(
    options: &Options,
    target: &ScopeTarget,
    argument: &One,
    own: &mut Option<Scope>,
) -> Result<(Scope, Name), Error> {
    let text = options.text(argument)?.unwrap_or_default();
    let bad = || {
        options.usage(
            argument,
            "must be NAME, or SCOPE/NAME such as project/web/NAME",
        )
    };
    let (scope, name) = match text.rsplit_once('/') {
        Some((scope, name)) => (Some(Scope::parse(scope).ok_or_else(bad)?), name),
        None => (None, text),
    };
    let name = Name::new(name.as_bytes()).ok_or_else(bad)?;
    let scope = match (scope, &*own) {
        (Some(scope), _) => scope,
        (None, Some(own)) => own.clone(),
        (None, None) => own.insert(target.scope(options)?).clone(),
    };
    Ok((scope, name))
}
