//! Roles that are assumed by STS. Its answers are always XML.

use std::borrow::Cow;
use std::time::SystemTime;

use super::credentials::{Role, keys};
use super::{AwsRemote, AwsService, Keys, code};
use crate::model::error::StoreError;
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::stores::{credential, form};
use crate::sys::http::{Answer, FORM, Method, Request, Server};

/// The service.
const STS: AwsService = AwsService {
    name: "sts",
    endpoint: "ENDPOINT_URL_STS",
    prefix: "",
};

/// The keys of a role by another identity provider's token, which is read now.
///
/// # Errors
/// The reason why there are none.
pub fn with_web_identity(
    remote: &AwsRemote,
    role: &Role<'_>,
    file: &Named,
) -> Result<Keys, StoreError> {
    let token = credential::read(file)?;
    let token = credential::as_text(token.expose(), &format!("the token in {}", file.named()))?;
    let mut form = form_of("AssumeRoleWithWebIdentity", role);
    form::add(&mut form, "WebIdentityToken", token);
    ask(remote, role, form, None)
}

/// The keys of a role by other keys.
///
/// # Errors
/// The reason why there are none.
pub fn assume(remote: &AwsRemote, role: &Role<'_>, source: &Keys) -> Result<Keys, StoreError> {
    ask(remote, role, form_of("AssumeRole", role), Some(source))
}

fn form_of(action: &str, role: &Role<'_>) -> String {
    let mut form = format!("Action={action}&Version=2011-06-15");
    let session = role.session.map(Cow::Borrowed).unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Cow::Owned(format!("doorkey-{}", since.unwrap_or_default().as_secs()))
    });
    form::add(&mut form, "RoleArn", role.arn);
    form::add(&mut form, "RoleSessionName", &session);
    for (name, value) in [
        ("ExternalId", role.external_id),
        ("DurationSeconds", role.duration),
    ] {
        if let Some(value) = value {
            form::add(&mut form, name, value);
        }
    }
    form
}

fn ask(
    remote: &AwsRemote,
    role: &Role<'_>,
    form: String,
    source: Option<&Keys>,
) -> Result<Keys, StoreError> {
    let aws = remote.service();
    let region = aws.region_of_identity(remote)?;
    let settings = aws.reached_at(aws.address(&STS, &region)?)?;
    let server = Server::new(remote.client()?, settings)?;
    let form = Secret::new(form.into_bytes());
    let request = || {
        let mut request = Request::new(Method::POST, String::new());
        request.body = Some((FORM, Secret::new(form.expose().to_vec())));
        if let Some(keys) = source {
            keys.sign(
                &mut request,
                server.address(),
                (STS.name, &region),
                aws.clock.now(),
            );
        }
        request
    };
    let mut answer = server.ask(request())?;
    if source.is_some() && aws.is_skewed(&answer) {
        answer = server.ask(request())?;
    }
    if answer.status >= 400 {
        return Err(refusal(&answer, role));
    }
    of_xml(answer.body.expose()).ok_or_else(|| {
        StoreError::unusable(
            format!("the role {}", ShownPath(role.arn)),
            "STS answers no keys",
        )
    })
}

fn refusal(answer: &Answer, role: &Role<'_>) -> StoreError {
    let why = match code(answer).unwrap_or_default() {
        "AccessDenied" | "AccessDeniedException" => {
            "its trust policy does not let us assume it, or there is no such role"
        }
        "ExpiredTokenException" | "ExpiredToken" => "the token has expired",
        "InvalidIdentityToken" | "IDPRejectedClaim" => {
            "the token is not from an identity provider that the account trusts"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            "AWS knows no such access key, or not any more"
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature" => {
            "the secret access key does not belong to the access key's id"
        }
        "ValidationError" => "its ARN, the session's name or the duration is not valid",
        "RegionDisabledException" => "STS is not turned on in this region for the account",
        _ => "STS refuses",
    };
    StoreError::not_admitted(format!("the role {}", ShownPath(role.arn)), why)
}

/// The keys in an answer: three elements in `<Credentials>`, of letters, digits and base64's marks.
fn of_xml(body: &[u8]) -> Option<Keys> {
    let text = str::from_utf8(body).ok()?;
    let inside = |text: &'_ str, name: &str| -> Option<(usize, usize)> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = text.find(&open)? + open.len();
        Some((from, from + text[from..].find(&close)?))
    };
    let (from, to) = inside(text, "Credentials")?;
    let text = &text[from..to];
    let element = |name| {
        let (from, to) = inside(text, name)?;
        let value = text[from..to].trim();
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"<>&".contains(&byte);
        (!value.is_empty() && value.bytes().all(fits)).then_some(value.as_bytes())
    };
    keys(
        element("AccessKeyId")?,
        element("SecretAccessKey")?,
        Some(element("SessionToken")?),
    )
}

#[cfg(test)]
mod tests {
    use super::{Role, form_of, of_xml};

    #[test]
    fn keys_in_an_answer() {
        let whole = "<R xmlns=\"https://sts\"><A><Credentials>\n <SecretAccessKey>s/+=</SecretAccessKey>\
             <SessionToken> t </SessionToken><AccessKeyId>ASIA</AccessKeyId></Credentials>\
             <AccessKeyId>other</AccessKeyId></A></R>";
        let keys = of_xml(whole.as_bytes()).unwrap();
        assert_eq!(keys.id, "ASIA");
        assert_eq!(keys.secret.expose(), b"s/+=");
        assert_eq!(keys.token.unwrap().expose(), b"t");
        // Cut off anywhere it is none; changed anywhere it does no harm.
        let end = whole.find("</Credentials>").unwrap() + "</Credentials>".len();
        for at in 0..end {
            assert!(of_xml(&whole.as_bytes()[..at]).is_none(), "{at}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.as_bytes().to_vec();
            for byte in [b'<', b'>', b'&', 0, 0xff] {
                changed[at] = byte;
                let _ = of_xml(&changed);
            }
        }
        let entity = whole.replace("s/+=", "s&lt;x");
        assert!(of_xml(entity.as_bytes()).is_none());
    }

    #[test]
    fn a_form_has_every_character_in_its_place() {
        let role = Role {
            arn: "arn:aws:iam::1:role/a b",
            session: Some("me@here"),
            external_id: Some("x&y=z+é"),
            duration: None,
        };
        let expected = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b\
             &RoleSessionName=me%40here&ExternalId=x%26y%3Dz%2B%C3%A9";
        assert_eq!(form_of("AssumeRole", &role), expected);
    }
}
