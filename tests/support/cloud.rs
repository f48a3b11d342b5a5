//! What AWS has beside its stores and moto has not: metadata services, an identity provider's
//! exchange, IAM Identity Center; and a store that writes down who asks. AWS' own client is asked
//! first, each time: a fake that it does not believe fails the test.

use std::process::Command;

use serde_json::{Value, json};

use crate::faulty::{self, Faulty, Request, Step};
use crate::moto::PYTHON;
use crate::{Place, Run};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/aws_client.py");

/// Where the machine is.
pub const REGION: &str = "eu-central-1";

/// What a container shows.
pub const POD_TOKEN: &str = "canary-pod-token";
/// What a service account shows.
pub const WEB_TOKEN: &str = "canary-web-token";
/// What a login has left.
pub const SSO_TOKEN: &str = "canary-sso-token";

/// The keys that are given as this, in JSON as metadata services have it.
pub fn keys(id: &str) -> Value {
    json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": id,
        "SecretAccessKey": format!("secret/of+{id}="), "Token": format!("token/of+{id}=="),
        "LastUpdated": "2026-11-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
    })
}

/// The cloud.
pub fn cloud() -> Faulty {
    Faulty::new(answer)
}

/// What it answers.
pub fn answer(request: &Request) -> Vec<Step> {
    let text = |status, text: &str| {
        faulty::answer(status, &[("Content-Type", "text/plain")], text.as_bytes())
    };
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let has = |name, value| request.header(name) == Some(value);
    let machine = "latest/meta-data/";
    match (request.method.as_str(), path.trim_start_matches('/')) {
        ("PUT", "latest/api/token") => {
            match request.header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some(_) => text(200, "the-machine's"),
                None => text(400, ""),
            }
        }
        ("GET", path) if path.starts_with(machine) => {
            if !has("x-aws-ec2-metadata-token", "the-machine's") {
                return text(401, "");
            }
            match &path[machine.len()..] {
                "placement/region" => text(200, REGION),
                "iam/security-credentials/" => text(200, "a-role"),
                "iam/security-credentials/a-role" => faulty::json(200, &keys("MACHINE")),
                _ => text(404, ""),
            }
        }
        ("GET", "v2/credentials") => match has("authorization", POD_TOKEN) {
            true => faulty::json(200, &keys("CONTAINER")),
            false => text(401, "canary-message"),
        },
        ("GET", "federation/credentials") => {
            let asked = ["role_name=reader", "account_id=123456789012"];
            if !asked
                .iter()
                .all(|part| query.split('&').any(|one| one == *part))
            {
                return text(404, "");
            }
            match has("x-amz-sso_bearer_token", SSO_TOKEN) {
                true => {
                    let keys = keys("SSO");
                    let given = json!({
                        "accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"],
                        "sessionToken": keys["Token"], "expiration": 4_070_908_800_000_u64,
                    });
                    faulty::json(200, &json!({"roleCredentials": given}))
                }
                false => text(401, ""),
            }
        }
        ("POST", "") if request.header("x-amz-target").is_some() => {
            faulty::json(200, &json!({"SecretString": r#"{"a": "canary-value"}"#}))
        }
        ("POST", "") => exchange(request),
        _ => text(404, ""),
    }
}

/// STS.
fn exchange(request: &Request) -> Vec<Step> {
    let form = str::from_utf8(&request.body).unwrap();
    let field = |name: &str| {
        let mut fields = form.split('&').filter_map(|field| field.split_once('='));
        fields
            .find(|(one, _)| *one == name)
            .map_or("", |(_, value)| value)
    };
    let refused = |code: &str| {
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>canary-message</Message></Error></ErrorResponse>"
        );
        faulty::answer(403, &[("Content-Type", "text/xml")], body.as_bytes())
    };
    let signed = request.header("authorization");
    let (id, action) = match field("Action") {
        _ if field("Version") != "2011-06-15" || field("RoleSessionName").is_empty() => {
            return refused("ValidationError");
        }
        action @ "AssumeRoleWithWebIdentity" => match field("WebIdentityToken") {
            WEB_TOKEN if signed.is_none() => ("WEB".to_owned(), action),
            _ => return refused("InvalidIdentityToken"),
        },
        action @ "AssumeRole" => {
            let by = signed.and_then(|signed| Some(signed.split_once("Credential=")?.1));
            let Some((by, _)) = by.and_then(|by| by.split_once('/')) else {
                return refused("AccessDenied");
            };
            let id = format!("ROLE.{}.{by}", field("ExternalId"));
            (id, action)
        }
        _ => return refused("InvalidAction"),
    };
    let keys = keys(&id);
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         </{action}Result></{action}Response>",
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("Token"),
    );
    faulty::answer(200, &[("Content-Type", "text/xml")], body.as_bytes())
}

/// Who AWS' own client is, in the same environment: the key's id.
#[track_caller]
pub fn of_client(place: &Place, environment: &[(&str, String)]) -> String {
    let mut command = Command::new(PYTHON);
    command
        .arg(PROGRAM)
        .env_clear()
        .env("HOME", place.path("home"))
        .current_dir(place.path(""))
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success(),
        "AWS' client does not believe it: {said}"
    );
    let out = String::from_utf8(out.stdout).unwrap();
    let mut lines = out.lines();
    let id = lines.next().unwrap().to_owned();
    assert!(lines.next().is_some_and(|secret| !secret.is_empty()));
    id
}

/// Who asked a store, of those that did: the key's id, and whether there was a token.
pub fn asked_as(cloud: &Faulty) -> Vec<(String, bool)> {
    let requests = cloud.requests();
    let mut of_store = requests
        .iter()
        .filter(|one| one.header("x-amz-target").is_some());
    let who = |request: &Request| {
        let signed = request.header("authorization")?;
        let (id, _) = signed.split_once("Credential=")?.1.split_once('/')?;
        let token = request.header("x-amz-security-token");
        Some((id.to_owned(), token.is_some()))
    };
    of_store
        .by_ref()
        .map(|request| who(request).expect("a signature"))
        .collect()
}

/// doorkey with this environment, on a store in the cloud.
pub fn launch(place: &Place, cloud: &Faulty, environment: &[(&str, String)]) -> Run {
    let run = place.doorkey("run -q --timeout 3s -- printenv V".split(' '));
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("V", "secret:team/a");
    let run = run.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", cloud.address());
    let all = environment.iter();
    all.fold(run, |run, (name, value)| run.env(name, value))
}
