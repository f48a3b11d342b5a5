//! Keys by IAM Identity Center: the token that `aws sso login` has left in the user's home.

use std::time::SystemTime;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;

use super::credentials::keys as made;
use super::profile::{Section, value};
use super::{AwsRemote, AwsService, Keys, header};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::stores::credential;
use crate::sys::http::{Address, Method, Request, Server};

/// The service, whose host has a word before it.
const PORTAL: AwsService = AwsService {
    name: "portal.sso",
    endpoint: "ENDPOINT_URL_SSO",
    prefix: "",
};

/// The keys of a role by the token in the user's home.
///
/// # Errors
/// The reason why there are none.
pub fn keys(remote: &AwsRemote, profile: &str, section: &Section) -> Result<Keys, StoreError> {
    let aws = remote.service();
    let profile = ShownPath(profile);
    let fault = |what: String| StoreError::setting(format!("profile {profile}: {what}"));
    let again = |what: &str| fault(format!("{what}; run aws sso login --profile {profile}"));
    let session = value(section, "sso_session");
    // The session names the token's file; before sessions existed, the start URL did.
    let (settings, cached_as) = match session {
        Some(name) => {
            let found = aws.profiles()?.session(name);
            let missing = || fault(format!("there is no [sso-session {}]", ShownPath(name)));
            (found.ok_or_else(missing)?, name)
        }
        None => (section, value(section, "sso_start_url").unwrap_or_default()),
    };
    let needed = |of: &'_ Section, name: &str| {
        let found = value(of, name).map(str::to_owned);
        found.ok_or_else(|| fault(format!("{name} is missing")))
    };
    let region = needed(settings, "sso_region")?;
    let account = needed(section, "sso_account_id")?;
    let role = needed(section, "sso_role_name")?;

    let home = aws.context.home.as_ref();
    let home = home.ok_or_else(|| fault("there is no home with a token".to_owned()))?;
    let name = digest(&SHA1_FOR_LEGACY_USE_ONLY, cached_as.as_bytes());
    let name: String = name
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = home.join(format!(".aws/sso/cache/{name}.json"));
    if !crate::sys::files::exists(&file) {
        return Err(again("there is no token"));
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cached {
        access_token: String,
        expires_at: String,
    }
    let cached = credential::read(&Named::from(file))?;
    let cached: Cached = serde_json::from_slice(cached.expose())
        .map_err(|_| again("the token's file can't be understood"))?;
    // Older clients write `UTC` in the place of `Z`.
    let end = cached.expires_at.replace("UTC", "Z");
    let end = humantime::parse_rfc3339(&end);
    if !end.is_ok_and(|end| end > SystemTime::now()) {
        return Err(again("the token has expired"));
    }

    let address: Address = aws.address(&PORTAL, &region)?;
    let server = Server::new(remote.client()?, aws.reached_at(address)?)?;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = format!(
        "federation/credentials?role_name={}&account_id={}",
        encoded(&role),
        encoded(&account)
    );
    let mut request = Request::new(Method::GET, path);
    let token = header("x-amz-sso_bearer_token", cached.access_token);
    request.headers.push(token);
    let answer = server.ask(request)?;
    match answer.status {
        200 => {}
        401 => return Err(again("the token is no longer valid")),
        403 | 404 => {
            let what = "there is no such role in that account for whoever has logged in";
            return Err(fault(what.to_owned()));
        }
        status => {
            let what = format!("IAM Identity Center refuses with status {status}");
            return Err(fault(what));
        }
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RoleCredentials {
        role_credentials: SsoRole,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct SsoRole {
        access_key_id: String,
        secret_access_key: String,
        session_token: String,
    }
    let given: Option<RoleCredentials> = serde_json::from_slice(answer.body.expose()).ok();
    let given = given.and_then(|RoleCredentials { role_credentials }| {
        made(
            role_credentials.access_key_id.as_bytes(),
            role_credentials.secret_access_key.as_bytes(),
            Some(role_credentials.session_token.as_bytes()),
        )
    });
    given.ok_or_else(|| fault("IAM Identity Center answers no keys".to_owned()))
}
