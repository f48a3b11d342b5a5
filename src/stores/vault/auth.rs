//! Login at the server, and the token that it gives.

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::paths::{clean, encoded};
use super::response::{self, ServerRefusal, refusal};
use super::session::{VaultSession, header, session};
use super::settings::{ACCOUNT, Reader};
use crate::model::error::{Os, StoreError};
use crate::model::log;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::{credential, remote};
use crate::sys::duration;
use crate::sys::files::{self, KeyFile};
use crate::sys::http::{self, Answer, Method, Request, Server};

/// The path where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Words that the closest tools of this kind take in the place of a token, as a request to log in.
const LOGIN: [&[u8]; 2] = [b"vault:login", b"bao:login"];

/// True if a credential's variable holds no secret: a role's id, which is a name, or the word that
/// asks for a login.
pub fn stays(name: &str, value: &[u8]) -> bool {
    name.ends_with("ROLE_ID") || LOGIN.contains(&value)
}

/// The method for an agent or a proxy in between that adds a token.
const NOBODY: &str = "none";

/// Gets a token: a given one, or one by logging in.
///
/// # Errors
/// The reason why there is none.
pub fn start(reader: &Reader<'_>, server: &Server) -> Result<VaultSession, StoreError> {
    let began = Instant::now();
    let given = match reader.setting("auth", "AUTH_METHOD") {
        Some("token") | None => given_token(reader)?,
        Some(NOBODY) => {
            return Ok(VaultSession {
                token: None,
                revoked: false,
                is_once: false,
                holder: None,
            });
        }
        Some(_) => None,
    };
    let wrapped = reader.flag("unwrap", "UNWRAP_TOKEN")?;
    let wants_revoked = reader.yes("REVOKE_TOKEN")?;
    let revokes_ours = reader.0.said("no-revoke").is_none() && wants_revoked != Some(false);
    let Some(given) = given else {
        let session = log_in(reader, server, revokes_ours, wrapped)?;
        let took = began.elapsed();
        log::debug!(LoggedIn, elapsed = took; "logged in in {}", duration::shown(took));
        return Ok(session);
    };
    if wrapped || given.wrapped {
        used_once(reader, "a wrapped token")?;
        let answer = unwrap(server, given.token)?;
        let unwrapped = response::open(&answer, "the wrapped token")?;
        let auth = unwrapped.auth.ok_or_else(|| {
            let why = "what was unwrapped is no token; is it a wrapped secret id?";
            StoreError::setting(why)
        })?;
        return Ok(VaultSession {
            is_once: true,
            ..session(auth.get(), revokes_ours)?
        });
    }
    Ok(VaultSession {
        token: Some(Arc::new(given.token)),
        // Others may use it, too, so that it is revoked only where that is asked for.
        revoked: wants_revoked == Some(true),
        is_once: reader.0.said("token-once").is_some(),
        holder: None,
    })
}

/// A token that came from outside.
struct Presented {
    token: Secret,
    /// True if the token's text tells that it is wrapped.
    wrapped: bool,
}

/// Finds the given token: in a file, in a variable, or, if there is no other way to log in, in the
/// official clients' file in the user's home.
fn given_token(reader: &Reader<'_>) -> Result<Option<Presented>, StoreError> {
    let said = reader.0.path("token-file");
    if let Some(path) = said.or_else(|| reader.path("TOKEN_FILE")) {
        let file = credential::open(&path)?;
        let token = token_in(&credential::trimmed(&file))?;
        if reader.0.said("token-once").is_some() {
            used_once(reader, "the token's file with --token-once")?;
            remove(&file, &path)?;
        }
        return Ok(Some(token));
    }
    // The option must not be ignored: the token would live on in its place.
    let once = || match reader.0.said("token-once") {
        None => Ok(()),
        Some(_) => {
            let why = "--token-once needs the token's file: give --token-file or VAULT_TOKEN_FILE";
            Err(StoreError::setting(why))
        }
    };
    if let Some(token) = reader.secret("TOKEN")
        && !LOGIN.contains(&token.expose())
    {
        once()?;
        return token_in(token).map(Some);
    }
    let named = reader.setting("auth", "AUTH_METHOD");
    if named.is_none() && method(reader).is_some() {
        return Ok(None);
    }
    let home = reader.0.home.as_ref().map(|home| home.join(".vault-token"));
    match home {
        Some(file) if files::exists(&file) => {
            once()?;
            token_in(&credential::read(&file.into())?).map(Some)
        }
        _ => Err(no_token()),
    }
}

/// Refuses a credential that can be used only once, if another process needs it again.
fn used_once(reader: &Reader<'_>, what: &str) -> Result<(), StoreError> {
    match reader.0.again {
        true => Err(StoreError::setting(format_args!("{what} can be used once"))
            .hint("--watch needs credentials that can be read again")),
        false => Ok(()),
    }
}

fn no_token() -> StoreError {
    let how = "give VAULT_TOKEN or VAULT_TOKEN_FILE, or VAULT_AUTH_METHOD with what it needs";
    StoreError::setting(format_args!("there is nothing to log in with: {how}"))
}

/// Finds the token in a text: the text itself, or a member of the official clients' JSON.
fn token_in(text: &Secret) -> Result<Presented, StoreError> {
    #[derive(Deserialize)]
    struct Printed<'a> {
        #[serde(borrow)]
        token: Option<&'a str>,
        #[serde(borrow)]
        wrap_info: Option<AuthData<'a>>,
        #[serde(borrow)]
        auth: Option<AuthData<'a>>,
    }
    #[derive(Deserialize)]
    struct AuthData<'a> {
        #[serde(borrow, alias = "client_token")]
        token: Option<&'a str>,
    }
    let bytes = text.expose();
    if !bytes.starts_with(b"{") {
        return Ok(Presented {
            token: Secret::new(bytes.to_vec()),
            wrapped: false,
        });
    }
    let printed: Option<Printed<'_>> = serde_json::from_slice(bytes).ok();
    let found = printed.and_then(|printed| {
        let plain = printed.auth.and_then(|auth| auth.token);
        // A `token` member alone is from an agent that has wrapped the token.
        let wrapped = printed.wrap_info.and_then(|info| info.token);
        let wrapped = wrapped.or(printed.token);
        plain
            .map(|token| (token, false))
            .or_else(|| wrapped.map(|token| (token, true)))
    });
    let (token, wrapped) =
        found.ok_or_else(|| StoreError::setting("the token's file is JSON without a token"))?;
    Ok(Presented {
        token: response::secret(token),
        wrapped,
    })
}

/// Gives the login method: the named one, or the first that has credentials.
fn method<'r>(reader: &'r Reader<'_>) -> Option<&'r str> {
    if let Some(named) = reader.setting("auth", "AUTH_METHOD") {
        return Some(named);
    }
    let has = |name| reader.variable(name).is_some();
    if reader.secret("ROLE_ID").is_some() || has("ROLE_ID_FILE") {
        Some("approle")
    } else if has("USERNAME") {
        Some("userpass")
    } else if reader.secret("JWT").is_some() || has("JWT_FILE") {
        Some("jwt")
    } else if reader.setting("role", "ROLE").is_some() {
        Some("kubernetes")
    } else if has("CLIENT_CERT") && reader.secret("TOKEN").is_none() {
        Some("cert")
    } else {
        None
    }
}

/// A credential in a variable, or in the file that another names.
fn given(reader: &Reader<'_>, name: &str) -> Result<Option<Secret>, StoreError> {
    let file = reader.path(&format!("{name}_FILE"));
    credential::value_or_file(reader.secret(name), file.as_ref())
}

/// Removes the token's file after reading, as it was to be read once.
fn remove(file: &KeyFile, path: &Named) -> Result<(), StoreError> {
    file.remove(path).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::EMLINK) => "it has another name, a hard link".to_owned(),
            _ => Os::from(error).to_string(),
        };
        StoreError::setting(format_args!("--token-once: can't remove {path}: {why}"))
    })
}

/// A login: its path and its body.
struct Login<'r> {
    method: &'r str,
    mount: &'r str,
    path: String,
    body: Value,
}

fn log_in(
    reader: &Reader<'_>,
    server: &Server,
    revoked: bool,
    wrapped: bool,
) -> Result<VaultSession, StoreError> {
    let mut login = prepared(reader)?;
    let mut is_once = wrapped;
    if wrapped {
        used_once(reader, "a wrapped secret id")?;
        unwrap_secret_id(server, &mut login)?;
    }
    let mut answer = ask(server, &login)?;
    // A wrapped secret id is none by itself, and asking has not used it up. It is worth a try.
    if answer.status >= 400
        && matches!(refusal(&answer), ServerRefusal::Credentials(_))
        && !wrapped
        && !reader.0.again
        && unwrap_secret_id(server, &mut login).is_ok()
    {
        is_once = true;
        answer = ask(server, &login)?;
    }
    let refused = |why: &str| {
        let (method, mount) = (login.method, ShownPath(login.mount));
        StoreError::not_admitted(format_args!("{method} at auth/{mount}"), why)
    };
    if answer.status >= 400 {
        return Err(match refusal(&answer) {
            ServerRefusal::Credentials(why) => refused(why),
            ServerRefusal::BadToken | ServerRefusal::Policy => refused(
                "the server says no; check the auth mount (VAULT_PATH), the role and the account",
            ),
            ServerRefusal::NoMount => refused("nothing is mounted there; check VAULT_PATH"),
            ServerRefusal::NoNamespace => response::trouble(&answer, &login.path),
            _ if !answer.is_json() => response::trouble(&answer, &login.path),
            _ => refused("the server refuses it"),
        });
    }
    let opened = response::open(&answer, &format!("auth/{}/login", ShownPath(login.mount)))?;
    let auth = opened
        .auth
        .ok_or_else(|| refused("the answer has no token in it"))?;
    let session = session(auth.get(), revoked)?;
    Ok(VaultSession { is_once, ..session })
}

/// The login that the settings describe, its credentials read.
fn prepared<'r>(reader: &'r Reader<'_>) -> Result<Login<'r>, StoreError> {
    let method = method(reader).ok_or_else(no_token)?;
    let mount = reader.path_setting("auth-path", "PATH")?.unwrap_or(method);
    let mount = mount.strip_prefix("auth/").unwrap_or(mount);
    let mut path = format!("v1/auth/{}/login", encoded(mount));
    let needs =
        |what: &str| StoreError::setting(format_args!("to log in by {method}, give {what}"));
    let role = reader.path_setting("role", "ROLE")?;
    let body = match method {
        "approle" => {
            let role_id = given(reader, "ROLE_ID")?;
            let role_id = role_id.ok_or_else(|| needs("VAULT_ROLE_ID or VAULT_ROLE_ID_FILE"))?;
            let secret_id = given(reader, "SECRET_ID")?;
            json!({"role_id": as_text(&role_id)?, "secret_id": secret_id.as_ref().map(as_text).transpose()?})
        }
        "kubernetes" | "jwt" => {
            let jwt = match given(reader, "JWT")? {
                Some(jwt) => jwt,
                None => {
                    let named = remote::path(reader.0, ACCOUNT);
                    credential::read(&named.unwrap_or_else(|| SERVICE_ACCOUNT.into()))?
                }
            };
            json!({"role": role, "jwt": as_text(&jwt)?})
        }
        "userpass" => {
            let user = reader.variable("USERNAME");
            let user = user.ok_or_else(|| needs("VAULT_USERNAME"))?;
            path = format!("{path}/{}", encoded(clean("VAULT_USERNAME", user)?));
            let password = given(reader, "PASSWORD")?
                .ok_or_else(|| needs("VAULT_PASSWORD or VAULT_PASSWORD_FILE"))?;
            json!({"password": as_text(&password)?})
        }
        "cert" => json!({"name": role}),
        _ => {
            let known = "token, approle, kubernetes, jwt, userpass, cert or none";
            let what = format_args!("the auth method must be {known}");
            return Err(StoreError::setting(what));
        }
    };
    Ok(Login {
        method,
        mount,
        path,
        body,
    })
}

fn as_text(secret: &Secret) -> Result<&str, StoreError> {
    str::from_utf8(secret.expose())
        .map_err(|_| StoreError::setting("what is given to log in with is not UTF-8"))
}

fn ask(server: &Server, login: &Login<'_>) -> Result<Answer, StoreError> {
    let mut body = login.body.clone();
    if let Value::Object(members) = &mut body {
        members.retain(|_, value| !value.is_null());
    }
    let body = Secret::new(serde_json::to_vec(&body).unwrap_or_default());
    server.ask(Request {
        body: Some((http::JSON, body)),
        ..Request::new(Method::POST, login.path.clone())
    })
}

/// Replaces a wrapped secret id in a login by the secret id inside.
fn unwrap_secret_id(server: &Server, login: &mut Login<'_>) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Unwrapped<'a> {
        #[serde(borrow)]
        secret_id: &'a str,
    }
    let none = || StoreError::setting("there is no wrapped secret id to unwrap");
    let wrapping = login.body["secret_id"].as_str().ok_or_else(none)?;
    let answer = unwrap(server, response::secret(wrapping))?;
    let opened = response::open(&answer, "the wrapped secret id")?;
    let data = opened.data.ok_or_else(none)?;
    let unwrapped: Unwrapped<'_> = serde_json::from_str(data.get()).map_err(|_| none())?;
    login.body["secret_id"] = unwrapped.secret_id.into();
    Ok(())
}

/// Unwraps a wrapping token. That can be done only once.
fn unwrap(server: &Server, token: Secret) -> Result<Answer, StoreError> {
    let path = "v1/sys/wrapping/unwrap".to_owned();
    let answer = server.ask(Request {
        // In the header alone: in the body as well it would be used up by the question.
        headers: vec![header(&Arc::new(token))],
        once: true,
        ..Request::new(Method::POST, path)
    })?;
    if answer.status < 400 {
        return Ok(answer);
    }
    let why = match refusal(&answer) {
        ServerRefusal::Credentials(why) => why,
        _ => "the server refuses to unwrap it",
    };
    Err(StoreError::not_admitted("unwrapping", why))
}
