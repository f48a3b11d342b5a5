//! AWS Secrets Manager: one JSON secret a scope, its members the secrets.

mod write;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::core::json;
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::{Level, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::aws::{self, Ask, Aws};
use crate::stores::document::{
    Document, Documents, KnownDocuments, Place, Reading, no_object, scope_of,
};
use crate::stores::kind::{Asked, Places};
use crate::stores::plain::PlainStore;
use crate::stores::{Context, Location, Opened, StoreOption};
use crate::sys::http;

/// The service.
const SERVICE: aws::AwsService = aws::AwsService {
    name: "secretsmanager",
    endpoint: "ENDPOINT_URL_SECRETS_MANAGER",
    prefix: "secretsmanager",
};

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[aws::REGION, aws::ENDPOINT, aws::PROFILE];

/// The single places of the store. A bare ARN is one if the user asks for that.
pub const PLACES: Places = Places {
    judge,
    hands_over: |_| false,
    asked: Some(Asked {
        word: "arn",
        bare: Some(|text| aws::is_arn(text, SERVICE.name)),
    }),
};

/// Characters of a secret's name beside letters and digits, and its greatest length.
const MARKS: &[u8] = b"/_+=.@-";
const LONGEST: usize = 512;

struct SecretsManager {
    prefix: String,
    remote: aws::AwsRemote,
    known: Mutex<KnownDocuments<Document>>,
}

/// Opens `aws-sm:PLACE`. Nothing is asked yet.
///
/// # Errors
/// The fault of the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let prefix = place.trim_matches('/');
    if !is_name(prefix) && !prefix.is_empty() {
        let what = "a prefix has letters, digits and /_+=.@- alone";
        return Err(StoreError::setting(what));
    }
    let aws = Aws::new(SERVICE, context);
    Ok(Box::new(SecretsManager {
        prefix: prefix.to_owned(),
        remote: aws::AwsRemote::new(aws, context),
        known: Mutex::default(),
    }))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// Checks the location in a reference: a secret's name or ARN, with an optional key of the JSON in
/// it and an optional version.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(location: Location, _: Form) -> Result<Location, Misfit> {
    let name = match location.path.strip_prefix("arn:") {
        None => Some(location.path.as_str()),
        Some(rest) => {
            let mut fields = rest.splitn(6, ':').skip(1);
            let is_ours = fields.next() == Some(SERVICE.name);
            let has_place = fields.next().is_some_and(|region| !region.is_empty());
            let is_secret = fields.nth(1) == Some("secret");
            fields.next().filter(|_| is_ours && has_place && is_secret)
        }
    };
    if !name.is_some_and(is_name) {
        let why = "neither a secret's name, of letters, digits and /_+=.@-, nor its ARN";
        return Err((LocationPart::Path, why));
    }
    Ok(location)
}

/// True if a version is an id, as AWS and its clients make them; else it is a stage.
fn is_id(version: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (32..=64).contains(&version.len()) && version.bytes().all(fits)
}

impl SecretsManager {
    fn aws(&self) -> &Aws {
        self.remote.service()
    }

    /// Builds the request for a secret's value.
    fn question(&self, (id, version): &Place) -> Result<Ask, StoreError> {
        let mut body = json!({"SecretId": id});
        if let Some(version) = version {
            let key = if is_id(version) {
                "VersionId"
            } else {
                "VersionStage"
            };
            body[key] = version.as_str().into();
        }
        self.ask_in(id, "GetSecretValue", body)
    }

    /// Builds a request for an action in the region of a secret.
    fn ask_in(&self, id: &str, what: &'static str, body: Value) -> Result<Ask, StoreError> {
        let region = match aws::region_of(id) {
            Some(region) => region,
            None => self.aws().region(&self.remote)?,
        };
        let region = region.to_owned();
        Ok(Ask { region, what, body })
    }
}

impl Documents<Document> for SecretsManager {
    fn in_force(&self) -> &[Scope] {
        &self.aws().context.scopes
    }

    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError> {
        let path = format!("{}/{scope}", self.prefix);
        let why = match path.len() {
            _ if self.prefix.is_empty() => {
                let what = "the store's name says no prefix";
                return Err(StoreError::setting(what).hint("give aws-sm:PREFIX"));
            }
            ..=LONGEST => return Ok((path.clone(), path)),
            _ => "the prefix and the scope's id are longer together than the 512 bytes of a name",
        };
        Err(StoreError::setting(why))
    }

    fn kept(&self) -> &Mutex<KnownDocuments<Document>> {
        &self.known
    }

    fn read(&self, places: &[Place]) -> Result<Vec<Reading<Document>>, StoreError> {
        let questions = places.iter().map(|place| self.question(place));
        let questions: Vec<Ask> = questions.collect::<Result<_, _>>()?;
        let ask = || Aws::round(&self.remote, &questions);
        let answers = self.remote.timed((places.len(), "secrets"), ask)?;
        let answers = places.iter().zip(answers);
        answers
            .map(|(place, answer)| Ok(read(&answer?, place)))
            .collect()
    }
}

/// Reads the answer to a request for a secret; `None` if the secret does not exist.
fn read(answer: &http::Answer, (id, version): &Place) -> Result<Option<Document>, StoreError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SecretValue<'a> {
        #[serde(borrow, default)]
        secret_string: Option<&'a RawValue>,
        #[serde(borrow, default)]
        secret_binary: Option<&'a RawValue>,
        #[serde(default)]
        created_date: Option<f64>,
    }
    let unusable = || StoreError::unusable(ShownPath(id), "the answer is no secret");
    match aws::code(answer) {
        // A secret without a value has no current version.
        Some("ResourceNotFoundException")
            if version.is_none() && aws::is_about(answer, "staging label") =>
        {
            let why = "it has no value yet";
            return Err(StoreError::unusable(ShownPath(id), why).hint("put one"));
        }
        Some("ResourceNotFoundException") => return Ok(None),
        Some("InvalidRequestException") if is_deleted(answer) => return Err(deleted(id)),
        _ if answer.status >= 400 => {
            return Err(aws::trouble(answer, id, "secretsmanager:GetSecretValue"));
        }
        _ => {}
    }
    let value: SecretValue<'_> =
        serde_json::from_slice(answer.body.expose()).map_err(|_| unusable())?;
    let text = |source| json::text(source).map(Secret::new);
    let content = match value.secret_string {
        Some(source) => text(source),
        None => value.secret_binary.and_then(text).and_then(|encoded| {
            let bytes = BASE64_STANDARD.decode(encoded.expose()).ok()?;
            Some(Secret::new(bytes))
        }),
    };
    let since = value.created_date.map(Duration::try_from_secs_f64);
    let written = since.and_then(Result::ok);
    let written = written.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
    Ok(Some(Document::new(content.ok_or_else(unusable)?, written)))
}

/// True if a fault of a secret's state is that it is marked deleted.
fn is_deleted(answer: &http::Answer) -> bool {
    aws::is_about(answer, "delet")
}

/// The error that a secret is marked deleted.
fn deleted(id: &str) -> StoreError {
    let what = format_args!("{} is deleted", ShownPath(id));
    StoreError::gone(what).hint("restore it: aws secretsmanager restore-secret")
}

impl PlainStore for SecretsManager {
    const LARGEST: (usize, &'static str) = write::LARGEST;

    fn context(&self) -> &Arc<Context> {
        &self.aws().context
    }

    fn settings(&self) -> String {
        self.aws().identity()
    }

    fn deadline(&self) -> Result<Instant, StoreError> {
        Ok(self.remote.client()?.deadline())
    }

    fn existing(&self) -> Result<Vec<Scope>, StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct SecretList {
            secret_list: Vec<ListedSecret>,
            #[serde(default)]
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ListedSecret {
            name: String,
        }
        let (folder, _) = self.document_of(&Scope::Team)?;
        let folder = folder.trim_end_matches(Level::Team.as_str());
        let filters = json!([{"Key": "name", "Values": [folder]}]);
        let mut body = json!({"Filters": filters, "MaxResults": 100});
        let mut scopes = BTreeSet::new();
        loop {
            let ask = self.ask_in("", "ListSecrets", body.clone())?;
            let answer = Aws::ask(&self.remote, ask)?;
            if answer.status >= 400 {
                let right = "secretsmanager:ListSecrets";
                return Err(aws::trouble(&answer, &format!("{folder}*"), right));
            }
            let listed: SecretList = serde_json::from_slice(answer.body.expose())
                .map_err(|_| no_object("the list of secrets"))?;
            let names = listed.secret_list.iter();
            let inside = names.filter_map(|entry| entry.name.strip_prefix(folder));
            scopes.extend(inside.filter_map(scope_of));
            match listed.next_token {
                Some(token) => body["NextToken"] = token.into(),
                None => return Ok(scopes.into_iter().collect()),
            }
        }
    }

    fn put(&self, path: &str, text: &str, exists: bool) -> Result<bool, StoreError> {
        self.write_whole(path, text, exists)
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Location, LocationPart, is_id, judge};

    #[test]
    fn what_a_reference_can_be() {
        let arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:app/db-AbCdEf";
        for (text, fits) in [
            ("app/db", true),
            ("app/db#password#AWSPREVIOUS", true),
            (arn, true),
            ("app db", false),
            ("app:db", false),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/a", false),
            ("arn:aws:secretsmanager::123456789012:secret:a", false),
            ("arn:aws:secretsmanager:eu-west-1:1:secret", false),
        ] {
            let judged = judge(Location::parse(text).unwrap(), Form::Value);
            let part = judged.err().map(|(part, _)| part);
            assert_eq!(part, (!fits).then_some(LocationPart::Path), "{text}");
        }
        assert!(judge(Location::parse(&"a".repeat(513)).unwrap(), Form::Value).is_err());
    }

    #[test]
    fn what_a_version_is() {
        assert!(is_id("d68396c2-90b8-48b4-9a3f-669c6f589550"));
        assert!(!is_id("AWSCURRENT"));
        assert!(!is_id("a stage of some forty characters ......."));
    }
}
