//! Meanings of a vault's faults.

use crate::core::json::{self, Levels};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::stores::fault::InBrackets;
use crate::sys::http::Answer;

/// A fault: its code, and the more exact one inside.
#[derive(Default)]
pub struct VaultCode {
    /// The code, such as `SecretNotFound`.
    pub code: String,
    /// The code inside, such as `ForbiddenByRbac`; empty if there is none.
    pub inner: String,
}

/// Gives the code of a fault; empty if the answer is none.
pub fn code(answer: &Answer) -> VaultCode {
    if answer.status < 400 {
        return VaultCode::default();
    }
    let mut levels = Levels::default();
    let mut said = |path| {
        let found = json::member(answer.body.expose(), path, &mut levels);
        found.map_or_else(
            |_| String::new(),
            |code| String::from_utf8_lossy(&code).into_owned(),
        )
    };
    VaultCode {
        code: said("error.code"),
        inner: said("error.innererror.code"),
    }
}

/// The fault in an answer of status 400 or more to a request about `what`. `right` is the word for
/// the right that would have allowed it.
pub fn trouble(answer: &Answer, what: &str, right: &str) -> StoreError {
    let is_about = |word: &str| {
        let mut all = answer.body.expose().windows(word.len());
        all.any(|part| part == word.as_bytes())
    };
    let shown = ShownPath(what);
    let denied = |why: &str| StoreError::denied(format_args!("{shown} is not for us: {why}"));
    match (answer.status, &*code(answer).inner) {
        (401, _) => {
            let why = match () {
                () if is_about("AKV10032") => "the vault belongs to another tenant",
                () if is_about("AKV10022") => "the vault belongs to another cloud",
                () => "the vault does not accept it",
            };
            StoreError::not_admitted("Entra's token", why)
        }
        (403, "SecretDisabled") => disabled(what),
        (403, "ForbiddenByFirewall") => denied("the vault's firewall keeps this network out")
            .hint("allow the network, or use a private endpoint"),
        (403, "ForbiddenByConnection") => denied("the vault takes private endpoints alone")
            .hint("resolve its name to the private endpoint"),
        (403, "ForbiddenByPolicy" | "AccessDenied") => {
            denied("the vault's access policies do not name us")
                .hint(format!("a policy must allow {right} on secrets"))
        }
        (403, "ForbiddenByRbac") => {
            let role = match right {
                "set" => "Key Vault Secrets Officer",
                _ => "Key Vault Secrets User",
            };
            let what = format_args!("{shown} is not for us, or does not exist");
            StoreError::denied(what).hint(format!(
                "a role must allow {right} on it, such as {role}, which takes minutes to count"
            ))
        }
        (403, "VaultDisabled") => denied("the vault is disabled"),
        (403, inner) => denied(&format!("the vault forbids it{}", InBrackets(inner)))
            .hint(format!("we must be allowed to {right} secrets there")),
        (status, _) => {
            let code = code(answer).code;
            let why = format_args!(
                "Key Vault refuses with status {status}{}",
                InBrackets(&code)
            );
            StoreError::unusable(shown, why)
        }
    }
}

/// The error that a secret is disabled.
pub fn disabled(what: &str) -> StoreError {
    let what = format_args!("{} is disabled", ShownPath(what));
    StoreError::gone(what).hint("enable it: az keyvault secret set-attributes --enabled true")
}
