//! AWS' Signature Version 4: a request shows who sends it, by all of its headers and its body.

use std::sync::Arc;
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::model::secret::Secret;
use crate::sys::http::{self, Address, Request};

/// Makes a header.
pub fn header(name: &'static str, value: impl Into<Vec<u8>>) -> http::Header {
    (name, Arc::new(Secret::new(value.into())))
}

/// An access key.
pub struct Keys {
    /// The key's id.
    pub id: String,
    /// The secret half.
    pub secret: Secret,
    /// The session token of a temporary one.
    pub token: Option<Arc<Secret>>,
}

impl Keys {
    /// Signs a request to a service in a region, at a time.
    pub fn sign(
        &self,
        request: &mut Request,
        address: &Address,
        (service, region): (&str, &str),
        now: SystemTime,
    ) {
        let now = humantime::format_rfc3339_seconds(now).to_string();
        let stamp = now.replace(['-', ':'], "");
        request.headers.push(header("x-amz-date", stamp.clone()));
        if let Some(token) = &self.token {
            let token = ("x-amz-security-token", Arc::clone(token));
            request.headers.push(token);
        }
        let signed = Signed {
            path: &format!("{}{}", address.path(), request.path),
            host: &address.authority(),
            stamp: &stamp,
            scope: [&stamp[..8], region, service, "aws4_request"],
        };
        let signature = signed.by(self, request);
        request.headers.push(signature);
    }
}

/// The signed facts of a request beside the request itself.
struct Signed<'a> {
    path: &'a str,
    host: &'a str,
    /// The time, `20150830T123600Z`.
    stamp: &'a str,
    /// Day, region, service, and the kind of signature.
    scope: [&'a str; 4],
}

impl Signed<'_> {
    /// Makes the header with the signature. The fields of a query are encoded already, and in their
    /// order.
    fn by(&self, keys: &Keys, request: &Request) -> http::Header {
        let (kind, body) = match &request.body {
            Some((kind, body)) => (Some(kind.as_bytes()), body.expose()),
            None => (None, &[][..]),
        };
        let own = request.headers.iter();
        let own = own.map(|(name, value)| (*name, value.expose()));
        let mut headers: Vec<_> = own.collect();
        headers.push(("host", self.host.as_bytes()));
        headers.extend(kind.map(|kind| ("content-type", kind)));
        headers.sort_unstable();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let mut canonical = Sha256::new();
        let (path, query) = self.path.split_once('?').unwrap_or((self.path, ""));
        canonical.update(format!("{}\n{path}\n{query}\n", request.method));
        for (name, value) in headers {
            canonical.update(name);
            canonical.update(":");
            canonical.update(value);
            canonical.update("\n");
        }
        canonical.update(format!("\n{names}\n{:x}", Sha256::digest(body)));
        let scope = self.scope.join("/");
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{:x}",
            self.stamp,
            canonical.finalize()
        );

        let first = Secret::new([b"AWS4", keys.secret.expose()].concat());
        let mut key = mac(first.expose(), self.scope[0].as_bytes());
        for part in &self.scope[1..] {
            key = mac(&key, part.as_bytes());
        }
        let signature = mac(&key, text.as_bytes());
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                keys.id
            ),
        )
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // A key can have any length.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.chain_update(text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::{Keys, Request, Secret, Signed, header};
    use crate::sys::http::Method;

    /// Cases of AWS' own test suite: `post-vanilla` and `post-x-www-form-urlencoded`.
    #[test]
    fn a_query_is_signed() {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec()),
            token: None,
        };
        let signed = Signed {
            path: "/?Param1=value1&Param2=value2",
            host: "example.amazonaws.com",
            stamp: "20150830T123600Z",
            scope: ["20150830", "us-east-1", "service", "aws4_request"],
        };
        let mut request = Request::new(Method::GET, String::new());
        let stamp = header("x-amz-date", signed.stamp);
        request.headers.push(stamp);
        let (_, value) = signed.by(&keys, &request);
        // AWS' case `get-vanilla-query-order-key-case`.
        let signature = b"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        assert!(value.expose().ends_with(signature));
    }

    #[test]
    fn signatures_are_those_that_aws_gives() {
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token: None,
        };
        let signed = Signed {
            path: "/",
            host: "example.amazonaws.com",
            stamp: "20150830T123600Z",
            scope: ["20150830", "us-east-1", "service", "aws4_request"],
        };
        let form = Some(("application/x-www-form-urlencoded", secret("Param1=value1")));
        for (body, names, signature) in [
            (
                None,
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                form,
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let mut request = Request::new(Method::POST, String::new());
            let stamp = header("x-amz-date", signed.stamp);
            request.headers.push(stamp);
            request.body = body;
            let (_, value) = signed.by(&keys, &request);
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(str::from_utf8(value.expose()), Ok(&*expected));
        }
    }
}
