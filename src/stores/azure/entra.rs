//! Entra, which gives an application a token for what it shows: a secret, or a signed assertion.

use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use super::{Azure, AzureRemote};
use crate::core::json::{self, Levels};
use crate::model::error::StoreError;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::{form, jwt};
use crate::sys::http::{Answer, FORM, Method, Request, Server};
use crate::sys::random;

/// The type of an assertion (RFC 7523, 2.2).
const JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The member of an answer that is the token, at Entra and at metadata services.
pub const TOKEN: &str = "access_token";

/// The lifetime of an assertion of ours in seconds, as Azure's clients make them.
const LIFE: u64 = 600;

/// The number of a refusal for the time of what is shown.
const UNTIMELY: u32 = 700_024;

/// Gives the fields of a form that show an assertion.
pub fn assertion(text: &str) -> [(&'static str, &str); 2] {
    [("client_assertion_type", JWT), ("client_assertion", text)]
}

/// The path of a tenant's tokens below Entra's address.
fn path(tenant: &str) -> Result<String, StoreError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    match tenant.bytes().all(fits) && !tenant.starts_with('.') {
        true => Ok(format!("{tenant}/oauth2/v2.0/token")),
        false => Err(StoreError::setting(
            "AZURE_TENANT_ID is neither an id nor a domain",
        )),
    }
}

/// The whole address of a tenant's tokens.
///
/// # Errors
/// Settings that can't be used.
pub fn address(azure: &Azure, tenant: &str) -> Result<String, StoreError> {
    let entra = azure.authority()?;
    let (host, base) = (entra.authority(), entra.path().to_owned());
    Ok(format!("https://{host}{base}{}", path(tenant)?))
}

/// Makes an assertion of a certificate and its key in PEM, for an application at an address. A
/// tenant that knows the certificate by its issuer and subject needs the whole chain.
///
/// # Errors
/// The fault of the file.
pub fn signed(
    pem: &[u8],
    (client, audience): (&str, &str),
    with_chain: bool,
    now: SystemTime,
) -> Result<Secret, &'static str> {
    const NONE: &str = "holds no certificate in PEM";
    let chain: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|_| NONE)?;
    let own = chain.first().ok_or(NONE)?;
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, own));
    let mut header = json!({"x5t#S256": thumbprint});
    if with_chain {
        let chain = chain.iter().map(|one| BASE64_STANDARD.encode(one));
        header["x5c"] = chain.collect::<Vec<_>>().into();
    }
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let claims = json!({
        "iss": client, "sub": client, "aud": audience, "jti": random::id(),
        "nbf": now, "iat": now, "exp": now + LIFE,
    });
    jwt::signed(pem, header, &claims)
}

/// Asks for a token for the vaults. `proof` shows that we are the application.
///
/// # Errors
/// The reason why there is no answer.
pub fn ask(
    remote: &AzureRemote,
    (tenant, client): (&str, &str),
    proof: &[(&str, &str)],
) -> Result<Answer, StoreError> {
    let azure = remote.service();
    let path = path(tenant)?;
    let server = Server::new(remote.client()?, azure.reached_at(azure.authority()?))?;
    let scope = format!("{}/.default", azure.resource());
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("scope", &scope),
        ("client_id", client),
    ];
    fields.extend_from_slice(proof);
    let mut request = Request::new(Method::POST, path);
    request.body = Some((FORM, form::of(&fields)));
    server.ask(request)
}

/// The number of a refusal; 0 if there is none.
fn number(answer: &Answer) -> u32 {
    let said = json::member(
        answer.body.expose(),
        "error_codes.0",
        &mut Levels::default(),
    );
    let number = said
        .ok()
        .and_then(|said| str::from_utf8(&said).ok()?.parse().ok());
    number.unwrap_or_default()
}

/// True if an answer refuses an assertion for its time.
pub fn is_untimely(answer: &Answer) -> bool {
    number(answer) == UNTIMELY
}

/// The meaning of a refusal, by Entra's own numbers. `method` is how we have logged in.
pub fn refusal(answer: &Answer, method: &str, azure: &Azure) -> StoreError {
    let why = match number(answer) {
        7_000_215 | 7_000_216 => "the client secret is wrong",
        7_000_222 => "the client secret has expired",
        7_000_112 => "the application is disabled",
        700_016 => "the tenant has no such application (AZURE_CLIENT_ID)",
        90_002 | 900_023 => "there is no such tenant (AZURE_TENANT_ID)",
        70_021 | 700_211..=700_213 => {
            "the application has no federated credential with the token's issuer, subject and \
             audience"
        }
        UNTIMELY => "what is shown is not valid now; is the token old, or the clock wrong?",
        700_027 => "the application does not have this certificate, or its key is another",
        500_011 => {
            let what = format_args!(
                "the tenant knows no {}: is the vault's host right, and AZURE_AUTHORITY_HOST?",
                ShownPath(&azure.resource())
            );
            return StoreError::not_admitted(method, what);
        }
        0 => {
            let what = format_args!("Entra gives no token (status {})", answer.status);
            return StoreError::not_admitted(method, what);
        }
        number => {
            let what = format_args!("Entra refuses with AADSTS{number}");
            return StoreError::not_admitted(method, what);
        }
    };
    StoreError::not_admitted(method, why)
}
