//! Metadata services of clouds, which give credentials to anyone who asks. They are never asked
//! through a proxy. In a pod's first seconds they refuse, hang or answer 404, so they are asked
//! again until the deadline.

use std::sync::Arc;
use std::time::Duration;

use super::{Access, remote};
use crate::model::error::StoreError;
use crate::sys::http::{Address, Answer, Client, FaultHints, Server, Settings, Verdict};

/// The longest time of one try: a service that answers at all does so in milliseconds.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Judges an answer: a resource that does not exist yet (404), or not any more while the service
/// starts anew (410), is asked for again. `absent` says what that means.
pub fn verdict(answer: &Answer, absent: &'static str) -> Verdict {
    match answer.status {
        404 | 410 => Verdict::Passing {
            why: Some(absent),
            undone: true,
        },
        _ => Verdict::of_status(answer),
    }
}

/// Makes the server of a metadata service. `ends` is the way to end the waiting for it, in words;
/// `trust` is the variable with the authority to trust.
///
/// # Errors
/// Settings that can't be used.
pub fn server(
    client: &Arc<Client>,
    access: &Access,
    address: Address,
    (ends, trust): (&'static str, &'static str),
    verdict: fn(&Answer) -> Verdict,
) -> Result<Server, StoreError> {
    let settings = Settings {
        attempt: ATTEMPT,
        proxy: None,
        verdict,
        hints: FaultHints {
            trust,
            ..FaultHints::default()
        },
        ends,
        ..remote::settings(access, address)
    };
    Server::new(client, settings)
}
