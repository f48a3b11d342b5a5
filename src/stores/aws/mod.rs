//! Shared code of AWS' stores: the service's address, the identity for it, signatures, and its
//! faults. The service's own words are never passed on: they may quote what was sent.
//!
//! The environment variables are those of AWS' own clients. They give the workload its identity,
//! and stay with it. Each can have `DOORKEY_` in front: it then counts first, and is doorkey's
//! alone.

mod credentials;
mod endpoint;
mod fault;
mod metadata;
mod profile;
mod sign;
mod sso;
mod sts;

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use self::metadata::InstanceMetadata;
use self::profile::Profiles;
pub use self::sign::{Keys, header};
use super::clock::Clock;
use super::kind::{of_cloud, variables};
use super::{Context, Kind, NOTHING, StoreOption, Use, remote};
use crate::core::option::{InFile, value};
use crate::model::error::StoreError;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::sys::http::{self, Answer, Method, Request, Server};

pub use self::endpoint::{is_arn, region_of};
pub use self::fault::{code, is_about, trouble, verdict};

variables! { "AWS_":
    OUR_SECRETS, SECRETS =
        "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "CONTAINER_AUTHORIZATION_TOKEN";
    OUR_SETTINGS, SETTINGS =
        "CA_BUNDLE", "CONFIG_FILE", "CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "CONTAINER_CREDENTIALS_FULL_URI", "CONTAINER_CREDENTIALS_RELATIVE_URI", "DEFAULT_PROFILE",
        "DEFAULT_REGION", "EC2_METADATA_DISABLED", "EC2_METADATA_SERVICE_ENDPOINT",
        "EC2_METADATA_SERVICE_ENDPOINT_MODE", "ENDPOINT_URL", "ENDPOINT_URL_SECRETS_MANAGER",
        "ENDPOINT_URL_SSM", "ENDPOINT_URL_SSO", "ENDPOINT_URL_STS",
        "IGNORE_CONFIGURED_ENDPOINT_URLS", "PROFILE", "REGION", "ROLE_ARN", "ROLE_SESSION_NAME",
        "SHARED_CREDENTIALS_FILE", "USE_DUALSTACK_ENDPOINT", "USE_FIPS_ENDPOINT",
        "WEB_IDENTITY_TOKEN_FILE";
}

/// Files with credentials that can be given in the place of doorkey's own variables.
const FILES: &[&str] = &[
    "DOORKEY_AWS_SHARED_CREDENTIALS_FILE",
    "DOORKEY_AWS_WEB_IDENTITY_TOKEN_FILE",
    "DOORKEY_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Environment variables, by the use that a store makes of them.
const VARIABLES: &[(Use, &[&str])] =
    &of_cloud([OUR_SECRETS, OUR_SETTINGS, FILES, SECRETS, SETTINGS]);

/// The common part of AWS' rows in the table of stores.
pub const KIND: Kind = Kind {
    splits: true,
    variables: VARIABLES,
    is_remote: true,
    ..NOTHING
};

/// The region.
pub const REGION: StoreOption =
    StoreOption::new(value("region", "NAME", "The region"), InFile::Always);

/// The service's address.
pub const ENDPOINT: StoreOption = StoreOption::new(
    value("endpoint", "URL", "The service's address"),
    InFile::Named,
);

/// The profile, which may name a program to run, or a role of another account.
pub const PROFILE: StoreOption = StoreOption::new(
    value("profile", "NAME", "The profile of ~/.aws/config"),
    InFile::Named,
);

/// The content type of requests.
const JSON: &str = "application/x-amz-json-1.1";

/// A service of AWS.
pub struct AwsService {
    /// The name in host names and signatures.
    pub name: &'static str,
    /// The variable with its address, without `AWS_`.
    pub endpoint: &'static str,
    /// The prefix of the names of its actions.
    pub prefix: &'static str,
}

/// A service, and the identity for it. Its servers are told apart by their regions.
pub struct Aws {
    /// The settings of the store.
    pub context: Arc<Context>,
    /// The service.
    service: AwsService,
    profiles: OnceLock<Result<Profiles, StoreError>>,
    machine: OnceLock<Result<InstanceMetadata, StoreError>>,
    region: OnceLock<Result<String, StoreError>>,
    /// The region of the first server.
    first: OnceLock<String>,
    clock: Clock,
}

/// The servers of a service, and our session.
pub type AwsRemote = remote::Remote<Aws>;

/// A request for an action of a service.
pub struct Ask {
    /// The region.
    pub region: String,
    /// The action's name.
    pub what: &'static str,
    /// The action's input.
    pub body: Value,
}

/// True if a setting says yes.
fn is_yes(setting: Option<&str>) -> bool {
    setting.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

impl Aws {
    /// Makes a service. Nothing is asked, or read, yet.
    pub fn new(service: AwsService, context: &Arc<Context>) -> Self {
        Aws {
            context: Arc::clone(context),
            service,
            profiles: OnceLock::new(),
            machine: OnceLock::new(),
            region: OnceLock::new(),
            first: OnceLock::new(),
            clock: Clock::new("AWS"),
        }
    }

    /// A variable's value, doorkey's own first; an empty one is none.
    fn variable(&self, name: &str) -> Option<&str> {
        remote::own_text(&self.context, &format!("AWS_{name}"))
    }

    /// A variable's value, doorkey's own (`DOORKEY_`) or everybody's (nothing).
    fn of(&self, whose: &str, name: &str) -> Option<&str> {
        remote::text(&self.context, &format!("{whose}AWS_{name}"))
    }

    /// The path in a variable, doorkey's own first.
    fn given_path(&self, name: &str) -> Option<Named> {
        remote::own_path(&self.context, &format!("AWS_{name}"))
    }

    /// A setting: in a variable, or else in the profile.
    fn setting(&self, name: &str) -> Result<Option<&str>, StoreError> {
        if let Some(value) = self.variable(name) {
            return Ok(Some(value));
        }
        Ok(self.profiles()?.setting(&name.to_ascii_lowercase()))
    }

    /// A setting that is a path.
    fn path(&self, name: &str) -> Result<Option<Named>, StoreError> {
        if let Some(path) = self.given_path(name) {
            return Ok(Some(path));
        }
        let name = name.to_ascii_lowercase();
        let found = self.profiles()?.setting(&name);
        Ok(found.map(|path| Named::new(name, path)))
    }

    /// The shared files.
    fn profiles(&self) -> Result<&Profiles, StoreError> {
        let read = self.profiles.get_or_init(|| Profiles::read(self));
        read.as_ref().map_err(StoreError::clone)
    }

    /// The region that settings say.
    fn said_region(&self) -> Result<Option<&str>, StoreError> {
        let context = &self.context;
        let said = context.said("region");
        let said = said.or_else(|| self.variable("REGION"));
        let said = said.or_else(|| self.variable("DEFAULT_REGION"));
        if let Some(said) = said.or_else(|| context.configured("region")) {
            return Ok(Some(said));
        }
        Ok(self.profiles()?.setting("region"))
    }

    /// Gives the default region: that of settings, or of the machine that the identity comes from.
    ///
    /// # Errors
    /// An error that the region is missing.
    pub fn region<'r>(&'r self, remote: &AwsRemote) -> Result<&'r str, StoreError> {
        let find = || {
            if let Some(said) = self.said_region()? {
                return Ok(said.to_owned());
            }
            match self.step()? {
                credentials::Step::Machine if !self.is_machine_ruled_out()? => {
                    self.machine(remote)?.region()
                }
                _ => Err(StoreError::setting(
                    "the region is missing: give AWS_REGION, or ?region=NAME behind the store's \
                     name"
                        .to_owned(),
                )),
            }
        };
        let region = self.region.get_or_init(find);
        region.as_deref().map_err(StoreError::clone)
    }

    /// The region that STS is asked in.
    fn region_of_identity(&self, remote: &AwsRemote) -> Result<String, StoreError> {
        match self.region(remote) {
            Ok(region) => Ok(region.to_owned()),
            Err(missing) => self.first.get().cloned().ok_or(missing),
        }
    }

    /// True if an answer refuses a signature for its time; AWS' time counts after that.
    fn is_skewed(&self, answer: &Answer) -> bool {
        const CODES: [&str; 5] = [
            "InvalidSignatureException",
            "RequestExpired",
            "RequestInTheFuture",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
        ];
        code(answer).is_some_and(|code| CODES.contains(&code)) && self.clock.is_off(answer)
    }

    fn request(&self, ask: &Ask) -> Request {
        let target = format!("{}.{}", self.service.prefix, ask.what);
        let mut request = Request::new(Method::POST, String::new());
        request.headers.push(header("x-amz-target", target));
        request.body = Some((JSON, Secret::new(ask.body.to_string().into_bytes())));
        request
    }

    /// Sends all requests at the same time, and gives the answers in the same order. A request that
    /// is refused for the local clock is signed once more by AWS' time.
    ///
    /// # Errors
    /// The fault that keeps all requests from being sent.
    pub fn round(
        remote: &AwsRemote,
        asks: &[Ask],
    ) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let aws = remote.service();
        let request = |ask: &Ask| (ask.region.clone(), aws.request(ask));
        let mut answers = remote.round(asks.iter().map(request).collect())?;
        let is_skewed =
            |answer: &Result<Answer, _>| answer.as_ref().is_ok_and(|answer| aws.is_skewed(answer));
        // The first refused answer sets the clock for all.
        if answers.iter().any(is_skewed) {
            let refused = |answer: &Result<Answer, _>| {
                answer.as_ref().is_ok_and(|answer| answer.status >= 400)
            };
            let places: Vec<_> = (0..answers.len())
                .filter(|&at| refused(&answers[at]))
                .collect();
            let again = places.iter().map(|&at| request(&asks[at])).collect();
            for (at, answer) in places.iter().zip(remote.round(again)?) {
                answers[*at] = answer;
            }
        }
        Ok(answers)
    }

    /// Sends one request, and gives its answer.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub fn ask(remote: &AwsRemote, ask: Ask) -> Result<Answer, StoreError> {
        let mut answers = Aws::round(remote, &[ask])?;
        let none = || Err(StoreError::setting("nothing was asked".to_owned()));
        answers.pop().unwrap_or_else(none)
    }
}

impl remote::Service for Aws {
    type Host = String;
    type Session = Keys;

    fn settings(&self, region: &String) -> Result<http::Settings, StoreError> {
        let settings = self.reached_at(self.address(&self.service, region)?)?;
        self.first.get_or_init(|| region.clone());
        Ok(settings)
    }

    fn log_in(&self, remote: &AwsRemote) -> Result<Keys, StoreError> {
        self.find_keys(remote)
    }

    fn sign(
        &self,
        keys: &Keys,
        (region, server): (&String, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        let scope = (self.service.name, region.as_str());
        keys.sign(request, server.address(), scope, self.clock.now());
        Ok(())
    }
}
