//! Workload identity federation: the token of another identity provider, which Google exchanges.

use std::ffi::OsString;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::credentials::{Part, SCOPE};
use super::{Gcp, GcpRemote, header};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::aws::{self, Aws, AwsRemote};
use crate::stores::document::Members;
use crate::stores::{credential, form, metadata, program};
use crate::sys::http::{Address, Answer, Method, Request, Server, Verdict};
use crate::sys::program::{Program, found};

/// The address where Google exchanges tokens.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";

/// Settings that doorkey can't use.
const LEFT_OUT: [&str; 2] = ["client_id", "client_secret"];

/// The default limit of a program's time in milliseconds.
const PROGRAM: u64 = 30_000;

/// AWS' service that tells who somebody is there.
const STS: aws::AwsService = aws::AwsService {
    name: "sts",
    endpoint: "ENDPOINT_URL_STS",
    prefix: "",
};

fn of_provider(answer: &Answer) -> Verdict {
    metadata::verdict(answer, "there is no token, or not yet")
}

impl Gcp {
    /// Exchanges the token of another identity provider; gives the token, and whose it is.
    pub fn of_outside(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
    ) -> Result<(Secret, String), StoreError> {
        for name in LEFT_OUT {
            if part.text(name).is_some() {
                return Err(part.fault(format_args!("{name} is nothing that doorkey can use")));
            }
        }
        let audience = part.needed("audience")?;
        let subject = self.subject(remote, part, audience)?;
        let subject = str::from_utf8(subject.expose());
        let subject = subject.map_err(|_| part.fault("the provider's token is no text"))?;
        let options = part.text("workforce_pool_user_project");
        let options = options.map(|project| json!({"userProject": project}).to_string());
        let kind = |what: &str| format!("urn:ietf:params:oauth:{what}");
        let (grant, wanted) = (
            kind("grant-type:token-exchange"),
            kind("token-type:access_token"),
        );
        let mut fields = vec![
            ("grant_type", grant.as_str()),
            ("audience", audience),
            ("scope", SCOPE),
            ("requested_token_type", &wanted),
            ("subject_token_type", part.needed("subject_token_type")?),
            ("subject_token", subject),
        ];
        fields.extend(options.as_deref().map(|options| ("options", options)));
        let url = part.text("token_url").unwrap_or(EXCHANGE);
        let pool = audience.rsplit("/locations/").next().unwrap_or_default();
        let who = format!("the identity of {}", ShownPath(pool));
        let token = self.exchange(remote, part, (url, &fields, &who))?;
        Ok((token, who))
    }

    /// The other provider's token, which is read or asked for now.
    fn subject(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        audience: &str,
    ) -> Result<Secret, StoreError> {
        let source = part.inner("credential_source");
        if let Some(file) = source.text("file") {
            let content = credential::read(&Named::new("credential_source", file))?;
            return formatted(source, content);
        }
        if let Some(id) = source.text("environment_id") {
            return match id {
                "aws1" => self.of_aws(part, source, audience),
                _ => Err(part.fault("environment_id is nothing that doorkey knows; it knows aws1")),
            };
        }
        if let Some(url) = source.text("url") {
            return formatted(source, self.at_url(remote, part, url)?);
        }
        if source.inner("executable").content.is_object() {
            return self.of_program(remote, part, audience);
        }
        let what = "credential_source has no file, url, environment_id or executable; doorkey can \
                    use no other";
        Err(part.fault(what))
    }

    fn at_url(&self, remote: &GcpRemote, part: Part<'_>, url: &str) -> Result<Secret, StoreError> {
        let unfit = |why: &str| part.fault(format_args!("credential_source's url {why}"));
        let (address, path) = Address::split(url).map_err(unfit)?;
        let server = match address.is_plain() {
            true if !metadata::is_near(&address) => return Err(unfit("must begin with https://")),
            // A metadata service of another cloud.
            true => {
                let said = ("credential_source's url says so", "SSL_CERT_FILE");
                let client = remote.client()?;
                metadata::server(client, &self.context, address, said, of_provider)?
            }
            false => Server::new(remote.client()?, self.reached_at(address)?)?,
        };
        let mut request = Request::new(Method::GET, path);
        let headers = part.inner("credential_source").inner("headers").content;
        for (name, value) in headers.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            if !is_header(name, value) {
                let what = "credential_source has a header that is none";
                return Err(part.fault(what));
            }
            // Names of headers are constants elsewhere; there are one or two of these.
            request.headers.push(header(name.clone().leak(), value));
        }
        let answer = server.ask(request)?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(unfit(&format!("leads to a refusal with status {status}"))),
        }
    }

    /// A request to AWS that shows who we are there, and that Google sends in our place.
    fn of_aws(
        &self,
        part: Part<'_>,
        source: Part<'_>,
        audience: &str,
    ) -> Result<Secret, StoreError> {
        let remote = AwsRemote::new(Aws::new(STS, &self.context), &self.context);
        let region = remote.service().region(&remote)?;
        let url = source.needed("regional_cred_verification_url")?;
        let url = url.replace("{region}", region);
        let unfit = |why: &str| part.fault(format_args!("regional_cred_verification_url {why}"));
        let (address, path) = Address::split(&url).map_err(unfit)?;
        let mut request = Request::new(Method::POST, path);
        let target = header("x-goog-cloud-target-resource", audience);
        request.headers.push(target);
        let keys = remote.service().find_keys(&remote)?;
        keys.sign(
            &mut request,
            &address,
            (STS.name, region),
            SystemTime::now(),
        );
        let text = |value: &Secret| String::from_utf8_lossy(value.expose()).into_owned();
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| json!({"key": name, "value": text(value)}));
        let mut headers: Vec<Value> = headers.collect();
        headers.push(json!({"key": "host", "value": address.authority()}));
        let signed = json!({"url": url, "method": "POST", "headers": headers});
        Ok(form::encoded(&signed.to_string()))
    }

    /// A token that a program prints. The program is run without a shell, inside the deadline.
    fn of_program(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        audience: &str,
    ) -> Result<Secret, StoreError> {
        let fault = |what: &str| part.fault(format_args!("executable: {what}"));
        if self.variable("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES") != Some("1") {
            return Err(fault(
                "it counts with GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 alone",
            ));
        }
        let settings = part.inner("credential_source").inner("executable");
        let words = program::words(settings.needed("command")?).map_err(fault)?;
        let (file, arguments) = words
            .split_first()
            .ok_or_else(|| fault("there is no program"))?;
        let file = found(file, &self.context.base);
        let kind = part.needed("subject_token_type")?;
        let environment = [
            ("AUDIENCE", audience),
            ("TOKEN_TYPE", kind),
            ("INTERACTIVE", "0"),
        ];
        let environment = environment.map(|(name, value)| {
            let name = format!("GOOGLE_EXTERNAL_ACCOUNT_{name}");
            (OsString::from(name), OsString::from(value))
        });
        let limit = settings.content["timeout_millis"]
            .as_u64()
            .unwrap_or(PROGRAM);
        let limit = Instant::now() + Duration::from_millis(limit);
        let answer = program::run(&Program {
            file: &file,
            arguments,
            environment: &environment,
            without: &[],
            input: &[],
            deadline: limit.min(remote.client()?.deadline()),
        })?;
        answer.log(std::iter::empty());
        let name = program::shown(&file);
        if answer.code != 0 {
            return Err(fault(&format!(
                "{name} has ended with exit code {}",
                answer.code
            )));
        }
        let said = Members::read(answer.output.expose());
        let member = |name| said.as_ref()?.get(name).map(Secret::expose);
        let end = member("expiration_time").and_then(|end| str::from_utf8(end).ok()?.parse().ok());
        let end = end.map(Duration::from_secs);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let is_over = end.is_some_and(|end| now.is_ok_and(|now| end < now));
        if member("version") != Some(b"1") || member("success") != Some(b"true") || is_over {
            return Err(fault(&format!(
                "{name} prints no token that is valid, in JSON of version 1"
            )));
        }
        let token = |name| credential::in_json(answer.output.expose(), name);
        let token = token("id_token").or_else(|| token("saml_response"));
        token.ok_or_else(|| fault(&format!("{name} prints no token")))
    }
}

/// True for the name of a header, and a value that fits one.
fn is_header(name: &str, value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.bytes().all(fits) && !value.contains(char::is_control)
}

/// Takes the token out of content, in the form that the file says.
fn formatted(source: Part<'_>, content: Secret) -> Result<Secret, StoreError> {
    let form = source.inner("format");
    let copy = |token: &[u8]| Secret::new(token.trim_ascii().to_vec());
    let token = match form.text("type") {
        None | Some("text") => Some(copy(content.expose())),
        Some(_) => {
            let name = form.needed("subject_token_field_name")?;
            credential::in_json(content.expose(), name)
        }
    };
    let token = token.filter(|token| !token.is_empty());
    token.ok_or_else(|| source.fault("there is no token where credential_source leads"))
}
