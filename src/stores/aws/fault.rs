//! Meanings of AWS' faults.

use serde::Deserialize;

use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::stores::fault::InBrackets;
use crate::sys::http::{Answer, Verdict};

/// Gives the code of a fault. Stores answer JSON, with the code in it or in a header; a check of the
/// identity in front of some answers XML.
pub fn code(answer: &Answer) -> Option<&str> {
    #[derive(Deserialize)]
    struct AwsFault<'a> {
        #[serde(borrow, rename = "__type")]
        kind: &'a str,
    }
    if answer.status < 400 {
        return None;
    }
    let body = answer.body.expose();
    let in_body = serde_json::from_slice(body).ok();
    let kind = in_body.map(|AwsFault { kind }| kind);
    if let Some(kind) = kind.or_else(|| answer.header("x-amzn-errortype")) {
        // `prefix#Code:address`
        let code = kind.split(':').next().unwrap_or_default();
        return code.rsplit('#').next();
    }
    let (_, after) = str::from_utf8(body).ok()?.split_once("<Code>")?;
    Some(after.split_once('<')?.0)
}

/// True if a fault's own words contain a word. The words are not passed on.
pub fn is_about(answer: &Answer, word: &str) -> bool {
    let mut all = answer.body.expose().windows(word.len());
    answer.status >= 400 && all.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Judges an answer: too many requests at once pass, in whatever words.
pub fn verdict(answer: &Answer) -> Verdict {
    const PASSING: [&str; 6] = [
        "IDPCommunicationError",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "TooManyRequestsException",
    ];
    match code(answer) {
        Some("InternalServiceError" | "InternalServerError") => Verdict::Passing {
            why: None,
            undone: false,
        },
        Some(code) if code.contains("Throttl") || PASSING.contains(&code) => Verdict::Passing {
            why: Some("there are too many requests"),
            undone: true,
        },
        _ => Verdict::of_status(answer),
    }
}

/// The fault in an answer of status 400 or more to a request about `what`, if the caller knows no
/// better one. `right` is the right that would have allowed it.
pub fn trouble(answer: &Answer, what: &str, right: &str) -> StoreError {
    let not_admitted = |why: &str| StoreError::not_admitted("access key", why);
    let no_key = |right: &str| {
        let why = "denied: there is no right to use its KMS key, or that is disabled";
        StoreError::unusable(ShownPath(what), why).hint(format!("allow {right} on the key"))
    };
    // The secret's name may be in the text as well.
    let is_of_key = || {
        let texts = ["Access to KMS", "perform: kms:", "The ciphertext refers to"];
        texts.iter().any(|text| is_about(answer, text))
    };
    match code(answer).unwrap_or_default() {
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => {
            not_admitted("AWS knows no such access key, or not any more")
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            not_admitted("the secret access key does not belong to the access key's id")
        }
        "ExpiredTokenException" | "ExpiredToken" => not_admitted("the session token has expired"),
        "RequestExpired" | "RequestTimeTooSkewed" => not_admitted("the clock here is wrong"),
        "EncryptionFailure" => no_key("kms:GenerateDataKey"),
        "DecryptionFailure" | "InvalidKeyId" => no_key("kms:Decrypt"),
        "AccessDeniedException" | "AccessDenied" if is_of_key() => no_key("kms:Decrypt"),
        "LimitExceededException" => {
            StoreError::unusable(ShownPath(what), "it has as many versions as AWS keeps")
        }
        // AWS tells no more: only an identity that may read everything below a path learns what is
        // missing.
        "AccessDeniedException" | "AccessDenied" => {
            let what = ShownPath(what);
            let what = format_args!("{what} is not for us, or does not exist");
            StoreError::denied(what).hint(format!("a policy must allow {right} on it"))
        }
        code => {
            let why = format_args!(
                "AWS refuses with status {}{}",
                answer.status,
                InBrackets(code)
            );
            StoreError::unusable(ShownPath(what), why)
        }
    }
}
