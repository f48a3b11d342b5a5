//! Meanings of Google's faults.

use super::{GcpRemote, is_about};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
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
        403 if is("USER_PROJECT_DENIED") => {
            let what = "there is no right to the quota project";
            StoreError::denied(what).hint("allow serviceusage.services.use on it")
        }
        403 if is("SECURITY_POLICY_VIOLATED") => {
            let what = format_args!("VPC Service Controls keep {what} from us");
            StoreError::denied(what).hint("an ingress rule, or the perimeter, must let us in")
        }
        // Google tells no more: only an identity that has the right in the whole project learns
        // what is missing.
        403 => {
            let what = format_args!("{what} is not for us, or does not exist");
            let hint = format!("allow {right} on it; in the whole project that tells which it is");
            StoreError::denied(what).hint(hint)
        }
        status => StoreError::unusable(what, format_args!("Google refuses with status {status}")),
    }
}
