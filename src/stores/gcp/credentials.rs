//! The identity for Google, in the whole order of its own clients: a file that a variable names,
//! gcloud's file in the home, the metadata server. A step that is asked for and that fails is a
//! fault. It is never passed over for the next one: a pod must not become its node.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{Gcp, GcpRemote, UNIVERSE, bearer};
use crate::core::json::text_of;
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::{credential, form, jwt, remote};
use crate::sys::files;
use crate::sys::http::{Address, Answer, FORM, JSON, Method, Request, Server};

/// The scope of tokens.
pub const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The address where Google gives tokens.
const TOKENS: &str = "https://oauth2.googleapis.com/token";

/// The grant of a service account by its own key.
const OWN: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The lifetime of tokens in seconds.
const LIFE: u64 = 3600;

/// The identity of a launch.
pub struct Session {
    /// The header's value that shows it.
    pub authorization: Arc<Secret>,
    /// The identity, as messages name it.
    pub who: String,
    /// The project whose quota counts, if it is another than the secrets'.
    pub quota_project: Option<String>,
    /// True if doorkey signed it by itself, so that the local clock has to be right.
    pub is_by_clock: bool,
}

/// A token, the name of its owner for messages, and whether doorkey signed it by itself.
type Token = (Secret, String, bool);

/// A file that says who we are.
pub struct CredentialFile {
    path: Named,
    content: Value,
}

impl CredentialFile {
    /// A text at the top of the file.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.top().text(name)
    }

    fn top(&self) -> Part<'_> {
        Part {
            path: &self.path,
            content: &self.content,
        }
    }
}

/// A part of a file: an object in it.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    path: &'a Named,
    /// The object.
    pub content: &'a Value,
}

impl<'a> Part<'a> {
    /// A text in it; an empty one is none.
    pub fn text(self, name: &str) -> Option<&'a str> {
        let text = self.content[name].as_str();
        text.filter(|text| !text.is_empty())
    }

    /// A text that has to be in it.
    ///
    /// # Errors
    /// An error that the text is missing.
    pub fn needed(self, name: &str) -> Result<&'a str, StoreError> {
        let text = self.text(name);
        text.ok_or_else(|| self.fault(format_args!("{name} is missing")))
    }

    /// An object in it.
    pub fn inner(self, name: &str) -> Self {
        let content = &self.content[name];
        Part { content, ..self }
    }

    /// The fault of a setting in the file.
    pub fn fault(self, what: impl std::fmt::Display) -> StoreError {
        let setting = self.path.setting();
        let colon = if setting.is_empty() { "" } else { ": " };
        StoreError::setting(format_args!("{setting}{colon}{}: {what}", self.path))
    }
}

impl Gcp {
    /// The file that says who we are; `None` for the metadata server.
    pub fn file(&self) -> Result<Option<&CredentialFile>, StoreError> {
        let read = || {
            let Some(path) = self.file_path() else {
                return Ok(None);
            };
            let text = credential::read(&path)?;
            let content: Value = serde_json::from_slice(text.expose()).unwrap_or_default();
            let file = CredentialFile { path, content };
            match file.content.is_object() {
                true => Ok(Some(file)),
                false => Err(file.top().fault("it is no JSON object")),
            }
        };
        let found = self.file.get_or_init(read);
        found
            .as_ref()
            .map(Option::as_ref)
            .map_err(StoreError::clone)
    }

    /// Finds the file. Doorkey's own variables count before everybody's, whatever the step.
    fn file_path(&self) -> Option<Named> {
        let path = |name: &str| remote::path(&self.context, name);
        let inside =
            |folder: Named| folder.with(folder.join("application_default_credentials.json"));
        let own = path("DOORKEY_GOOGLE_APPLICATION_CREDENTIALS");
        if let Some(own) = own.or_else(|| path("DOORKEY_CLOUDSDK_CONFIG").map(inside)) {
            return Some(own);
        }
        if remote::text(&self.context, "DOORKEY_GCE_METADATA_HOST").is_some() {
            return None;
        }
        if let Some(path) = path("GOOGLE_APPLICATION_CREDENTIALS") {
            return Some(path);
        }
        let home = || {
            Some(Named::from(
                self.context.home.as_ref()?.join(".config/gcloud"),
            ))
        };
        let path = inside(path("CLOUDSDK_CONFIG").or_else(home)?);
        files::exists(&path).then_some(path)
    }

    /// Finds the identity, and asks other services for it if necessary.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn find(&self, remote: &GcpRemote) -> Result<Session, StoreError> {
        let quota_project = self.quota_project()?;
        let (token, who, is_by_clock) = match self.file()? {
            Some(file) => {
                let (token, who, is_by_clock) = self.of_part(remote, file.top(), true)?;
                (token, format!("{who}, by {}", file.path), is_by_clock)
            }
            None => {
                let (token, who) = self.of_machine(remote)?;
                (token, who, false)
            }
        };
        let (_, authorization) = bearer(&token);
        Ok(Session {
            authorization,
            who,
            quota_project,
            is_by_clock,
        })
    }

    /// Gets the token of a part of a file. A part that `is_last` is the identity itself, and no
    /// source of another.
    fn of_part(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        is_last: bool,
    ) -> Result<Token, StoreError> {
        match part.needed("type")? {
            "service_account" => self.of_account(remote, part, is_last),
            "authorized_user" => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", part.needed("client_id")?),
                    ("client_secret", part.needed("client_secret")?),
                    ("refresh_token", part.needed("refresh_token")?),
                ];
                let url = part.text("token_uri").unwrap_or(TOKENS);
                let who = "the user of gcloud".to_owned();
                let token = self.exchange(remote, part, (url, &fields, &who))?;
                Ok((token, who, false))
            }
            "external_account" => {
                let (token, who) = self.of_outside(remote, part)?;
                match part.text("service_account_impersonation_url") {
                    Some(_) => {
                        let settings = part.inner("service_account_impersonation");
                        let life = settings.content["token_lifetime_seconds"].as_u64();
                        self.impersonated(remote, part, &token, life)
                    }
                    None => Ok((token, who, false)),
                }
            }
            "impersonated_service_account" if is_last => {
                let source = part.inner("source_credentials");
                let (source, ..) = self.of_part(remote, source, false)?;
                self.impersonated(remote, part, &source, None)
            }
            other => Err(part.fault(format_args!(
                "type {} is nothing that doorkey can use here; it takes service_account, \
                 authorized_user, external_account and impersonated_service_account",
                ShownPath(other)
            ))),
        }
    }

    /// The token of a service account by its key. Google takes what the key has signed in a token's
    /// place; another service, or a source of another identity, has it exchanged.
    fn of_account(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        is_last: bool,
    ) -> Result<Token, StoreError> {
        let email = part.needed("client_email")?;
        let key = part.needed("private_key")?;
        let url = part.text("token_uri").unwrap_or(TOKENS);
        let is_by_clock = is_last && url == TOKENS;
        let signed = || {
            let now = self.clock.now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.unwrap_or_default().as_secs();
            let mut claims = json!({"iss": email, "iat": now, "exp": now + LIFE});
            if is_by_clock {
                let universe = part.text("universe_domain").unwrap_or(UNIVERSE);
                claims["sub"] = email.into();
                claims["aud"] = format!("https://secretmanager.{universe}/").into();
            } else {
                // Whoever stands at another address passes it on to Google.
                claims["aud"] = TOKENS.into();
                claims["scope"] = SCOPE.into();
            }
            let header = match part.text("private_key_id") {
                Some(id) => json!({"kid": id}),
                None => json!({}),
            };
            jwt::signed(key.as_bytes(), header, &claims)
                .map_err(|why| part.fault(format_args!("private_key {why}")))
        };
        let who = format!("the service account {}", ShownPath(email));
        if is_by_clock {
            return Ok((signed()?, who, true));
        }
        let ask = || {
            let signed = signed()?;
            let assertion = str::from_utf8(signed.expose()).unwrap_or_default();
            let fields = [("grant_type", OWN), ("assertion", assertion)];
            self.post(remote, part, (url, (FORM, form::of(&fields))), None)
        };
        let mut answer = ask()?;
        if answer.status >= 400 && self.clock.is_off(&answer) {
            answer = ask()?;
        }
        let token = given(&answer, OWN, &who)?;
        Ok((token, who, false))
    }

    /// Gets the token of a service account by that of another identity.
    fn impersonated(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        source: &Secret,
        life: Option<u64>,
    ) -> Result<Token, StoreError> {
        let url = part.needed("service_account_impersonation_url")?;
        let name = url.rsplit('/').next().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        let who = format!("the service account {}", ShownPath(name));
        let delegates = match &part.content["delegates"] {
            Value::Null => json!([]),
            given => given.clone(),
        };
        let life = format!("{}s", life.unwrap_or(LIFE));
        let body = json!({"scope": [SCOPE], "delegates": delegates, "lifetime": life});
        let body = Secret::new(body.to_string().into_bytes());
        let answer = self.post(remote, part, (url, (JSON, body)), Some(source))?;
        if let Some(token) = credential::in_answer(&answer, "accessToken") {
            return Ok((token, who, false));
        }
        let not_admitted = |why: &str| StoreError::not_admitted(&who, why);
        Err(match answer.status {
            403 => not_admitted("we may not be that account, or there is none").hint(
                "allow iam.serviceAccounts.getAccessToken on it \
                 (roles/iam.serviceAccountTokenCreator or roles/iam.workloadIdentityUser)",
            ),
            404 => not_admitted("there is no such account"),
            401 => not_admitted("Google does not take the token of its source"),
            200 => StoreError::unusable(who, "Google answers no token"),
            status => {
                StoreError::unusable(who, format_args!("Google refuses with status {status}"))
            }
        })
    }

    /// Exchanges something for a token, by a form.
    pub fn exchange(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        (url, fields, who): (&str, &[(&str, &str)], &str),
    ) -> Result<Secret, StoreError> {
        let body = (FORM, form::of(fields));
        let answer = self.post(remote, part, (url, body), None)?;
        given(&answer, fields.first().map_or("", |(_, grant)| grant), who)
    }

    /// Sends something to an address in a file; credentials go nowhere without TLS.
    fn post(
        &self,
        remote: &GcpRemote,
        part: Part<'_>,
        (url, body): (&str, (&'static str, Secret)),
        token: Option<&Secret>,
    ) -> Result<Answer, StoreError> {
        let unfit = |why: &str| part.fault(format_args!("an address in it {why}"));
        let (address, path) = Address::split(url).map_err(unfit)?;
        if address.is_plain() && !address.is_loopback() {
            return Err(unfit("must begin with https://"));
        }
        let server = Server::new(remote.client()?, self.reached_at(address)?)?;
        let mut request = Request::new(Method::POST, path);
        request.headers.extend(token.map(bearer));
        request.body = Some(body);
        server.ask(request)
    }
}

/// The token in the answer to a grant.
///
/// # Errors
/// The reason why there is none, by Google's own code.
fn given(answer: &Answer, grant: &str, who: &str) -> Result<Secret, StoreError> {
    if let Some(token) = credential::in_answer(answer, "access_token") {
        return Ok(token);
    }
    let code = text_of(answer.body.expose(), "error").unwrap_or_default();
    let why = match str::from_utf8(&code).unwrap_or_default() {
        "invalid_grant" if grant == "refresh_token" => {
            let why = "the login has ended or was revoked";
            let hint = "run gcloud auth application-default login";
            return Err(StoreError::not_admitted(who, why).hint(hint));
        }
        "invalid_grant" if grant == OWN => {
            "Google knows no such key of it, or not any more, or the clock here is wrong"
        }
        "invalid_grant" => "the provider takes no such token: its issuer, audience or time",
        "invalid_target" => "there is no such pool or provider, or it is disabled",
        "invalid_client" | "unauthorized_client" => "Google knows no such client",
        "unauthorized" | "access_denied" => "the provider's condition does not let us in",
        _ if answer.status == 200 => "the answer holds no token",
        _ => {
            let why = format_args!("the request for a token is refused ({})", answer.status);
            return Err(StoreError::not_admitted(who, why));
        }
    };
    Err(StoreError::not_admitted(who, why))
}
