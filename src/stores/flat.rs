//! Names of scopes' documents in stores whose names have no slash: `PREFIX--team`,
//! `PREFIX--cluster--ID`, `PREFIX--project--ID`. Neither a prefix nor an ID has `--` in it, so that
//! a name is one scope's alone.

use super::document::scope_of;
use crate::model::error::StoreError;
use crate::model::name::Scope;

/// The mark between the parts of a name.
const MARK: &str = "--";

/// True if a text can be a prefix, as far as marks go.
pub fn is_prefix(text: &str) -> bool {
    !text.is_empty() && !text.ends_with('-') && !text.contains(MARK)
}

/// The name of a scope's document. `fits` tells if the store has such names, `why` says which ones
/// it has.
///
/// # Errors
/// An error that the store can't hold the scope.
pub fn name_of(
    prefix: &str,
    scope: &Scope,
    fits: impl Fn(&str) -> bool,
    why: &str,
) -> Result<String, StoreError> {
    let text = scope.to_string();
    let name = format!("{prefix}{MARK}{}", text.replace('/', MARK));
    if text.contains(MARK) || !fits(&name) {
        let what = format_args!("{scope} can't be here: {why}, and no '--' in an ID");
        return Err(StoreError::setting(what).hint("give the scope such an id"));
    }
    Ok(name)
}

/// The scope that a document's name says.
pub fn scope_in(prefix: &str, name: &str) -> Option<Scope> {
    let rest = name.strip_prefix(prefix)?.strip_prefix(MARK)?;
    let is_clear = rest.matches(MARK).count() < 2;
    scope_of(&rest.replacen(MARK, "/", 1)).filter(|_| is_clear)
}

#[cfg(test)]
mod tests {
    use super::{Scope, is_prefix, name_of, scope_in};
    use crate::model::name::Name;

    #[test]
    fn a_name_is_one_scopes_alone() {
        let id = |text: &str| Name::new(text.as_bytes()).unwrap();
        let named = |scope: &Scope| name_of("a-b", scope, |name| name.len() < 30, "so");
        for (scope, name) in [
            (Scope::Team, "a-b--team"),
            (Scope::Cluster(id("eu-1")), "a-b--cluster--eu-1"),
            (Scope::Project(id("x-")), "a-b--project--x-"),
        ] {
            assert_eq!(named(&scope).unwrap(), name);
            assert_eq!(scope_in("a-b", name), Some(scope));
        }
        for other in ["a--b", "0123456789012345678901234567890"] {
            assert!(named(&Scope::Project(id(other))).is_err(), "{other}");
        }
        for name in [
            "a-b",
            "a-b-team",
            "a-b--teams",
            "a--team",
            "a-b--project",
            "a-b--project--x--y",
        ] {
            assert_eq!(scope_in("a-b", name), None, "{name}");
        }
        assert!(is_prefix("a-b") && !is_prefix("") && !is_prefix("a-") && !is_prefix("a--b"));
    }
}
