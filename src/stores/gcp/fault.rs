//! Meanings of Google's faults.

use super::{GcpRemote, is_about};
use crate::core::json::{self, Levels};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::stores::fault::InBrackets;
use crate::sys::http::Answer;

/// The fault in an answer of status 400 or more to a request about `what`, if the caller knows no
/// better one. `right` is the right that would have allowed it, and a role that has it.
pub fn trouble(remote: &GcpRemote, answer: &Answer, what: &str, right: &str) -> StoreError {
    let what = ShownPath(what);
    let not_admitted = |why: &str| {
        let who = remote.with_session(|session| session.who.clone());
        StoreError::not_admitted(who.unwrap_or_default(), why)
    };
    let is = |word| is_about(answer, word);
    match answer.status {
        401 => not_admitted("Google does not take its token; the key or the account may be gone"),
        403 if is("ACCESS_TOKEN_SCOPE_INSUFFICIENT") => {
            let hint = "give the machine the scope cloud-platform";
            not_admitted("its token has no scope for Secret Manager").hint(hint)
        }
        403 if is("SERVICE_DISABLED") => {
            let why = "the Secret Manager API is not turned on in the project";
            let hint = "run gcloud services enable secretmanager.googleapis.com";
            StoreError::unusable(what, why).hint(hint)
        }
        403 if is("BILLING_DISABLED") => {
            StoreError::unusable(what, "billing is not turned on in the project")
        }
        403 if is("CONSUMER_INVALID") => {
            StoreError::unusable(what, "there is no such project, or it is deleted")
        }
        403 if is("USER_PROJECT_DENIED") => {
            let what = "there is no right to the quota project";
            StoreError::denied(what).hint("allow serviceusage.services.use on it")
        }
        403 if is("SECURITY_POLICY_VIOLATED") => {
            let what = format_args!("VPC Service Controls keep {what} from us");
            StoreError::denied(what).hint("an ingress rule, or the perimeter, must let us in")
        }
        400 | 403 if is_of_key(answer) => {
            let why = "denied: there is no right to use its KMS key, or that is disabled";
            let hint = "allow Secret Manager's service agent cloudkms.cryptoKeyVersions.useToDecrypt \
                        on the key";
            StoreError::unusable(what, why).hint(hint)
        }
        // Google tells no more: only an identity that has the right in the whole project learns
        // what is missing.
        403 => {
            let what = format_args!("{what} is not for us, or does not exist");
            let hint = format!("allow {right} on it; in the whole project that tells which it is");
            StoreError::denied(what).hint(hint)
        }
        status => {
            let mut levels = Levels::default();
            let code = json::member(answer.body.expose(), "error.status", &mut levels);
            let code = code
                .ok()
                .and_then(|code| String::from_utf8(code.into()).ok());
            let code = InBrackets(code.as_deref().unwrap_or_default()).to_string();
            StoreError::unusable(
                what,
                format_args!("Google refuses with status {status}{code}"),
            )
        }
    }
}

/// True if a fault is about the key that a secret is encrypted with. A secret's name, which is in
/// the text as well, has none of these words.
pub fn is_of_key(answer: &Answer) -> bool {
    let words = ["cloudkms.", "Cloud KMS", "CMEK key", "/cryptoKeys/"];
    words.iter().any(|word| is_about(answer, word))
}
