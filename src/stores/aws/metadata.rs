//! Metadata services of a container (ECS, Pod Identity) and of a machine (IMDSv2).

use std::sync::Arc;

use super::credentials::from_json;
use super::{Aws, AwsRemote, Keys, header};
use crate::model::error::StoreError;
use crate::model::name::is_path;
use crate::model::secret::Secret;
use crate::stores::{credential, metadata, remote};
use crate::sys::http::{Address, Answer, Method, Request, Server, Verdict};

/// The address of ECS' agent.
const ECS: &str = "http://169.254.170.2";

/// Hosts that may be asked without TLS beside this machine: ECS' agent, and EKS' in IPv4 and IPv6.
const PLAIN: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// The addresses of a machine's metadata, in IPv4 and IPv6.
const MACHINE: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// The lifetime of a machine's token in seconds, as AWS' clients ask for it.
const LIFE: &str = "21600";

const ROLES: &str = "latest/meta-data/iam/security-credentials/";

fn of_container(answer: &Answer) -> Verdict {
    metadata::verdict(
        answer,
        "no role belongs to the task, or to the pod's service account",
    )
}

fn of_machine(answer: &Answer) -> Verdict {
    metadata::verdict(
        answer,
        "no role (instance profile) is attached to the machine",
    )
}

fn server(
    aws: &Aws,
    remote: &AwsRemote,
    address: Address,
    (ends, verdict): (&'static str, fn(&Answer) -> Verdict),
) -> Result<Server, StoreError> {
    let said = (ends, "AWS_CA_BUNDLE");
    metadata::server(remote.client()?, &aws.context, address, said, verdict)
}

fn setting(what: impl Into<String>) -> StoreError {
    StoreError::setting(what.into())
}

impl Aws {
    /// Gets the keys of a container.
    ///
    /// # Errors
    /// An address that may not be asked, or the reason why there are no keys.
    pub fn of_container(&self, remote: &AwsRemote, whose: &str) -> Result<Keys, StoreError> {
        let (relative, full) = (
            format!("{whose}AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            format!("{whose}AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        );
        let variable = |name: &str| remote::text(&self.context, name);
        let (name, url) = match (variable(&relative), variable(&full)) {
            (Some(path), _) => (relative, format!("{ECS}/{}", path.trim_start_matches('/'))),
            (None, Some(url)) => (full, url.to_owned()),
            (None, None) => {
                let what = format!("{relative} and {full} are missing: this is no ECS or EKS");
                return Err(setting(what));
            }
        };
        let unfit = |why: &str| setting(format!("{name} {why}"));
        let (address, path) = Address::split(&url).map_err(unfit)?;
        if address.is_plain() && !address.is_loopback() && !PLAIN.contains(&address.host()) {
            let why = "leads elsewhere without TLS: that may be this machine, 169.254.170.2, \
                       169.254.170.23 or [fd00:ec2::23]";
            return Err(unfit(why));
        }
        let mut request = Request::new(Method::GET, path);
        if let Some(token) = self.container_token(whose)? {
            request.headers.push(("authorization", Arc::new(token)));
        }
        let ends = "AWS_CONTAINER_CREDENTIALS_FULL_URI and _RELATIVE_URI say so";
        let server = server(self, remote, address, (ends, of_container))?;
        let answer = server.ask(request)?;
        match answer.status {
            200 => from_json(answer.body.expose())
                .ok_or_else(|| unfit("leads to something that answers no keys")),
            401 | 403 => Err(unfit(
                "leads to somebody who refuses us: the authorization token is not valid there",
            )),
            status => Err(unfit(&format!("leads to a refusal with status {status}"))),
        }
    }

    /// Gives the token that allows a request for a container's keys; the file is read each time.
    fn container_token(&self, whose: &str) -> Result<Option<Secret>, StoreError> {
        for whose in [whose, ""] {
            let name = format!("{whose}AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
            if let Some(file) = remote::path(&self.context, &name) {
                return credential::read(&file).map(Some);
            }
            if let Some(token) = self.secret(whose, "CONTAINER_AUTHORIZATION_TOKEN") {
                return Ok(Some(Secret::new(token.to_vec())));
            }
        }
        Ok(None)
    }

    /// Gives the machine's metadata service.
    ///
    /// # Errors
    /// A setting that can't be used, or the reason why the machine does not answer.
    pub fn machine(&self, remote: &AwsRemote) -> Result<&InstanceMetadata, StoreError> {
        let made = self
            .machine
            .get_or_init(|| InstanceMetadata::new(self, remote));
        made.as_ref().map_err(StoreError::clone)
    }
}

/// A machine of AWS', by IMDSv2.
pub struct InstanceMetadata {
    server: Server,
    token: Arc<Secret>,
}

impl InstanceMetadata {
    /// Gets the token that all other requests need.
    fn new(aws: &Aws, remote: &AwsRemote) -> Result<Self, StoreError> {
        let given = aws.setting("EC2_METADATA_SERVICE_ENDPOINT")?;
        let mode = aws.setting("EC2_METADATA_SERVICE_ENDPOINT_MODE")?;
        let is_later = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
        let address = given.unwrap_or(MACHINE[usize::from(is_later)]);
        let address = Address::parse(address)
            .map_err(|why| setting(format!("AWS_EC2_METADATA_SERVICE_ENDPOINT {why}")))?;
        let ends = "AWS_EC2_METADATA_DISABLED=true ends that";
        let server = server(aws, remote, address, (ends, of_machine))?;
        let mut request = Request::new(Method::PUT, "latest/api/token".to_owned());
        let life = header("x-aws-ec2-metadata-token-ttl-seconds", LIFE);
        request.headers.push(life);
        let answer = server
            .ask(request)
            .map_err(|error| match error.is_unreached() {
                true => error.hint(
                    "in a container the machine's hop limit for metadata \
                 (http-put-response-hop-limit) must be 2; outside AWS say who doorkey is: \
                 AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                ),
                false => error,
            })?;
        match answer.status {
            200 => {}
            403 => return Err(refused("is turned off for this machine (403)")),
            status => return Err(refused(&format!("gives no token of IMDSv2 ({status})"))),
        }
        Ok(InstanceMetadata {
            server,
            token: Arc::new(Secret::new(answer.body.expose().trim_ascii().to_vec())),
        })
    }

    fn ask(&self, path: String) -> Result<Answer, StoreError> {
        let mut request = Request::new(Method::GET, path);
        let token = ("x-aws-ec2-metadata-token", Arc::clone(&self.token));
        request.headers.push(token);
        let answer = self.server.ask(request)?;
        match answer.status {
            200 => Ok(answer),
            status => Err(refused(&format!("refuses with status {status}"))),
        }
    }

    /// The keys of the machine's role.
    ///
    /// # Errors
    /// The reason why there are none.
    pub fn keys(&self) -> Result<Keys, StoreError> {
        let roles = self.ask(ROLES.to_owned())?;
        let text = str::from_utf8(roles.body.expose()).unwrap_or_default();
        let role = text.lines().next().unwrap_or_default().trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if role.is_empty() || !role.bytes().all(fits) || !is_path(role) {
            return Err(refused("names no role"));
        }
        let answer = self.ask(format!("{ROLES}{role}"))?;
        let body = answer.body.expose();
        #[derive(serde::Deserialize)]
        struct Said<'a> {
            #[serde(borrow, rename = "Code")]
            code: Option<&'a str>,
        }
        let said: Option<Said<'_>> = serde_json::from_slice(body).ok();
        let fine = said.is_some_and(|said| said.code == Some("Success"));
        let keys = from_json(body).filter(|_| fine);
        keys.ok_or_else(|| refused("gives no keys for this machine's role"))
    }

    /// The region that the machine is in.
    ///
    /// # Errors
    /// The reason why the region is not known.
    pub fn region(&self) -> Result<String, StoreError> {
        let answer = self.ask("latest/meta-data/placement/region".to_owned())?;
        let text = str::from_utf8(answer.body.expose()).unwrap_or_default();
        Ok(text.trim().to_owned())
    }
}

fn refused(why: &str) -> StoreError {
    setting(format!(
        "the machine's metadata service {why}; say who doorkey is by AWS_ROLE_ARN with \
         AWS_WEB_IDENTITY_TOKEN_FILE, AWS_PROFILE or keys"
    ))
}
