//! What the stores of AWS share: where a service is, who we are to it, signatures, and what its
//! faults mean. Its own words are never passed on: they may quote what was sent.
//!
//! The variables are those of AWS' own clients. They are how the workload says who it is, and stay
//! with it; each can have `DOORKEY_` in front, counts first then, and is doorkey's alone.

use std::sync::Arc;
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Context, StoreOption, Use, remote};
use crate::core::option::{InFile, value};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::{self, Address, Answer, Method, Request, Server, Verdict, tls};

/// Names with what stands before all of them.
macro_rules! names {
    ($prefix:literal: $($name:literal),* $(,)?) => {
        &[$(concat!($prefix, $name)),*]
    };
}

/// The same list of names, as doorkey's own and as everybody's.
macro_rules! variables {
    ($($ours:ident, $theirs:ident = $($name:literal),+;)*) => {$(
        const $ours: &[&str] = names!["DOORKEY_AWS_": $($name),+];
        const $theirs: &[&str] = names!["AWS_": $($name),+];
    )*};
}

variables! {
    OUR_KEYS, KEYS = "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN";
    OUR_SETTINGS, SETTINGS =
        "CA_BUNDLE", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT_URL_SECRETS_MANAGER",
        "IGNORE_CONFIGURED_ENDPOINT_URLS", "REGION", "USE_DUALSTACK_ENDPOINT", "USE_FIPS_ENDPOINT";
}

/// What the variables are to a store.
pub const VARIABLES: &[(Use, &[&str])] = &[
    (Use::Secret, OUR_KEYS),
    (Use::Own, OUR_SETTINGS),
    (Use::Kept, KEYS),
    (Use::Kept, SETTINGS),
    (Use::Kept, remote::VARIABLES),
    (Use::File, remote::FILES),
];

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[
    StoreOption::new(value("region", "NAME", "The region"), InFile::Always),
    StoreOption::new(
        value("endpoint", "URL", "The service's address"),
        InFile::Named,
    ),
];

/// The content type of requests.
const JSON: &str = "application/x-amz-json-1.1";

/// One of the services.
pub struct Service {
    /// As host names and signatures have it.
    pub name: &'static str,
    /// What its address is called in variables, after `AWS_`.
    pub endpoint: &'static str,
    /// What stands before the names of what it does.
    pub prefix: &'static str,
}

/// A service, and who we are to it. Its servers are told apart by their regions.
pub struct Aws {
    /// Settings.
    pub context: Arc<Context>,
    /// The service.
    pub service: Service,
}

/// A variable's value, doorkey's own first; an empty one is none.
fn variable<'a>(context: &'a Context, name: &str) -> Option<&'a str> {
    let text = |prefix| remote::text(context, &format!("{prefix}AWS_{name}"));
    text("DOORKEY_").or_else(|| text(""))
}

/// Whether a variable says yes.
fn says_yes(context: &Context, name: &str) -> bool {
    variable(context, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The region in the name of a thing of AWS (`arn:PARTITION:SERVICE:REGION:…`).
pub fn region_of(name: &str) -> Option<&str> {
    name.strip_prefix("arn:")?.split(':').nth(2)
}

impl Aws {
    /// The region where nothing else says it.
    ///
    /// # Errors
    /// Where it is missing.
    pub fn region(&self) -> Result<&str, StoreError> {
        let context = &self.context;
        let said = context.said("region");
        let said = said.or_else(|| variable(context, "REGION"));
        let said = said.or_else(|| variable(context, "DEFAULT_REGION"));
        said.or_else(|| context.configured("region"))
            .ok_or_else(|| {
                let what = "the region is missing: give AWS_REGION, or ?region=NAME behind the \
                            store's name";
                StoreError::setting(what)
            })
    }

    /// The address that stands in the place of the usual ones.
    fn endpoint(&self) -> Option<&str> {
        let context = &self.context;
        let ignored = says_yes(context, "IGNORE_CONFIGURED_ENDPOINT_URLS");
        let variable = |name| variable(context, name).filter(|_| !ignored);
        let said = context.said("endpoint");
        let said = said.or_else(|| variable(self.service.endpoint));
        let said = said.or_else(|| variable("ENDPOINT_URL"));
        said.or_else(|| context.configured("endpoint"))
    }

    /// What values depend on beside their names.
    pub fn identity(&self) -> String {
        let region = self.region().unwrap_or_default();
        format!("{region} {}", self.endpoint().unwrap_or_default())
    }

    fn address(&self, region: &str) -> Result<Address, StoreError> {
        let usual = || {
            let is_china = region.starts_with("cn-");
            let is_eusc = region.starts_with("eusc-");
            let suffix = match says_yes(&self.context, "USE_DUALSTACK_ENDPOINT") {
                true if is_china => "api.amazonwebservices.com.cn",
                true if is_eusc => "api.amazonwebservices.eu",
                true => "api.aws",
                false if is_china => "amazonaws.com.cn",
                false if is_eusc => "amazonaws.eu",
                false => "amazonaws.com",
            };
            let fips = says_yes(&self.context, "USE_FIPS_ENDPOINT");
            let fips = if fips { "-fips" } else { "" };
            format!("https://{}{fips}.{region}.{suffix}", self.service.name)
        };
        let text = self.endpoint().map_or_else(usual, str::to_owned);
        Address::parse(&text)
            .map_err(|why| StoreError::setting(format_args!("the endpoint's URL {why}")))
    }

    /// A request to do something.
    pub fn request(&self, what: &str, body: &Value) -> Request {
        let target = format!("{}.{what}", self.service.prefix);
        let mut request = Request::new(Method::POST, String::new());
        request.headers.push(header("x-amz-target", target));
        request.body = Some((JSON, Secret::new(body.to_string().into_bytes())));
        request
    }
}

fn header(name: &'static str, value: String) -> http::Header {
    (name, Arc::new(Secret::new(value.into_bytes())))
}

impl remote::Service for Aws {
    type Host = String;
    type Session = Keys;

    fn settings(&self, region: &String) -> Result<http::Settings, StoreError> {
        // It becomes part of a host's name.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || !region.bytes().all(fits) {
            let what = "the region has letters, digits and '-' alone";
            return Err(StoreError::setting(what));
        }
        let address = self.address(region)?;
        remote::check_way(&address, None, false)?;
        let mut settings = remote::settings(&self.context, address);
        let path = |name| remote::path(&self.context, name).map(tls::Pem::File);
        settings.tls.trust = path("DOORKEY_AWS_CA_BUNDLE").or_else(|| path("AWS_CA_BUNDLE"));
        settings.hints.trust = "AWS_CA_BUNDLE";
        settings.verdict = verdict;
        Ok(settings)
    }

    fn log_in(&self, _: &remote::Remote<Self>) -> Result<Keys, StoreError> {
        Keys::given(&self.context)
    }

    fn sign(
        &self,
        keys: &Keys,
        (region, server): (&String, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let stamp = now.replace(['-', ':'], "");
        request.headers.push(header("x-amz-date", stamp.clone()));
        if let Some(token) = &keys.token {
            let token = ("x-amz-security-token", Arc::clone(token));
            request.headers.push(token);
        }
        let address = server.address();
        let host = address.authority();
        let path = format!("{}{}", address.path(), request.path);
        let scope = [&stamp[..8], region, self.service.name, "aws4_request"];
        let signed = Signed {
            path: &path,
            host: &host,
            stamp: &stamp,
            scope,
        };
        let signature = signed.by(keys, request);
        request.headers.push(signature);
        Ok(())
    }
}

/// Who we are.
pub struct Keys {
    id: String,
    secret: Secret,
    token: Option<Arc<Secret>>,
}

impl Keys {
    /// Those in variables. Doorkey's own and the workload's are never mixed.
    fn given(context: &Context) -> Result<Self, StoreError> {
        let [id, secret, token] = [0, 1, 2];
        let ours = |which: usize| context.credential(OUR_KEYS[which]).map(Secret::expose);
        let theirs = |which: usize| {
            let value = context.variable(KEYS[which]);
            value.filter(|value| !value.is_empty())
        };
        let is_ours = (id..=token).any(|which| ours(which).is_some());
        let names = if is_ours { OUR_KEYS } else { KEYS };
        let value = |which| match is_ours {
            true => ours(which),
            false => theirs(which),
        };
        let needed = |which: usize| {
            value(which).ok_or_else(|| {
                let (id, secret) = (names[id], names[secret]);
                let what = format!("{} is missing: give {id} and {secret}", names[which]);
                StoreError::setting(what)
            })
        };
        let copy = |bytes: &[u8]| Secret::new(bytes.to_vec());
        Ok(Keys {
            id: String::from_utf8_lossy(needed(id)?).into_owned(),
            secret: copy(needed(secret)?),
            token: value(token).map(|token| Arc::new(copy(token))),
        })
    }
}

/// What of a request is signed beside itself.
struct Signed<'a> {
    path: &'a str,
    host: &'a str,
    /// The time, `20150830T123600Z`.
    stamp: &'a str,
    /// Day, region, service, and how it is signed.
    scope: [&'a str; 4],
}

impl Signed<'_> {
    /// The header that signs a request by all of its headers and its body: AWS' Signature
    /// Version 4. Queries have no place in what we ask.
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
        canonical.update(format!("{}\n{}\n\n", request.method, self.path));
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

/// The code of a fault. Stores answer JSON; who we are is judged in front of some, in XML.
pub fn code(answer: &Answer) -> Option<&str> {
    #[derive(Deserialize)]
    struct Fault<'a> {
        #[serde(borrow, rename = "__type")]
        kind: &'a str,
    }
    if answer.status < 400 {
        return None;
    }
    let body = answer.body.expose();
    if let Ok(Fault { kind }) = serde_json::from_slice(body) {
        return kind.rsplit('#').next();
    }
    let (_, after) = str::from_utf8(body).ok()?.split_once("<Code>")?;
    Some(after.split_once('<')?.0)
}

/// What an answer means: too many requests at once pass, in whatever words.
fn verdict(answer: &Answer) -> Verdict {
    const PASSING: [&str; 5] = [
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "TooManyRequestsException",
    ];
    match code(answer) {
        Some(code) if code.contains("Throttl") || PASSING.contains(&code) => Verdict::Passing {
            why: Some("there are too many requests"),
            undone: true,
        },
        _ => Verdict::of_status(answer),
    }
}

/// The trouble that an answer of 400 and up to a request about `what` is, where it is none that
/// the caller knows; `right` is the one that it takes.
pub fn trouble(answer: &Answer, what: &str, right: &str) -> StoreError {
    let not_admitted = |why: &str| StoreError::not_admitted("access key", why);
    match code(answer).unwrap_or_default() {
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => {
            not_admitted("AWS knows no such access key, or not any more")
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            not_admitted("the secret access key does not belong to the access key's id")
        }
        "ExpiredTokenException" | "ExpiredToken" => not_admitted("the session token has expired"),
        "RequestExpired" | "RequestTimeTooSkewed" => not_admitted("the clock here is wrong"),
        "AccessDeniedException" | "AccessDenied" => {
            let what = format_args!("the identity may not use {}", ShownPath(what));
            StoreError::denied(what).hint(format!("its policies must allow {right}"))
        }
        _ => {
            let why = format_args!("AWS refuses with status {}", answer.status);
            StoreError::unusable(ShownPath(what), why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Method, Request, Secret, Signed, header, region_of};

    /// Of AWS' own test suite, `post-vanilla` and `post-x-www-form-urlencoded`.
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
            let stamp = header("x-amz-date", signed.stamp.to_owned());
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

    #[test]
    fn the_region_of_a_name() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf";
        assert_eq!(region_of(arn), Some("eu-west-1"));
        assert_eq!(region_of("app/db"), None);
        assert_eq!(region_of("arn:aws"), None);
    }
}
