//! Metadata services of clouds, which give credentials to anyone who asks. They are never asked
//! through a proxy. In a pod's first seconds they refuse, hang or answer 404, so they are asked
//! again until the deadline.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Access, remote};
use crate::model::error::StoreError;
use crate::sys::http::{Address, Answer, Client, FaultHints, Server, Settings, Verdict};

/// The longest time of one try: a service that answers at all does so in milliseconds.
const ATTEMPT: Duration = Duration::from_secs(2);

/// True for an address that nobody else is on the way to, so that it can be asked without TLS: on
/// this machine, or a metadata service's.
pub fn is_near(address: &Address) -> bool {
    const EC2: [u16; 2] = [0xfd00, 0xec2];
    let is_link_local = match address.host().trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(host)) => host.is_link_local(),
        Ok(IpAddr::V6(host)) => host.is_unicast_link_local() || host.segments()[..2] == EC2,
        Err(_) => address.host() == "metadata.google.internal",
    };
    address.is_loopback() || is_link_local
}

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

#[cfg(test)]
mod tests {
    use super::{Address, is_near};

    #[test]
    fn who_may_be_asked_without_tls() {
        for (host, near) in [
            ("127.0.0.1:80", true),
            ("localhost", true),
            ("[::1]", true),
            ("169.254.169.254", true),
            ("[fd00:ec2::254]", true),
            ("[fe80::1]", true),
            ("metadata.google.internal", true),
            ("10.0.0.1", false),
            ("metadata.example", false),
            ("[fd00:ec3::254]", false),
            ("169.253.0.1", false),
        ] {
            let address = Address::parse(&format!("http://{host}")).unwrap();
            assert_eq!(is_near(&address), near, "{host}");
        }
    }
}
