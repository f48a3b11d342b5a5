//! AWS Secrets Manager: one JSON secret a scope, its members the secrets.

mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::core::json;
use crate::model::error::Trouble;
use crate::model::location::{Misfit, Part};
use crate::model::log;
use crate::model::name::{Level, Name, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::aws::{self, Ask, Aws};
use crate::stores::document::{Document, scope_of};
use crate::stores::{
    Answer, Context, Depth, Found, Here, Location, Names, Opened, Record, Store, StoreOption,
    Writer, search,
};
use crate::sys::duration;
use crate::sys::http;

/// The service.
const SERVICE: aws::Service = aws::Service {
    name: "secretsmanager",
    endpoint: "ENDPOINT_URL_SECRETS_MANAGER",
    prefix: "secretsmanager",
};

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[aws::REGION, aws::ENDPOINT, aws::PROFILE];

/// What a secret's name consists of beside letters and digits, and its longest.
const MARKS: &[u8] = b"/_+=.@-";
const LONGEST: usize = 512;

/// A secret's name, and its version.
type Place = (String, Option<String>);

struct SecretsManager {
    label: String,
    prefix: String,
    remote: aws::Remote,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The names of the scopes' documents.
    scopes: BTreeSet<String>,
    /// What was fetched; `None` for what is not there.
    places: BTreeMap<Place, Result<Option<Document>, Trouble>>,
}

/// Opens `aws-sm:PLACE`. Nothing is asked yet.
///
/// # Errors
/// What is wrong with the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let prefix = place.trim_matches('/');
    if !is_name(prefix) && !prefix.is_empty() {
        let what = "a prefix has letters, digits and /_+=.@- alone";
        return Err(Trouble::Setting(what.to_owned()));
    }
    let aws = Aws::new(SERVICE, context);
    Ok(Box::new(SecretsManager {
        label: context.label.clone(),
        prefix: prefix.to_owned(),
        remote: aws::Remote::new(aws, context),
        known: Mutex::default(),
    }))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// Takes what a reference says: a secret's name or its ARN, and it may be a key of the JSON in it
/// and a version.
///
/// # Errors
/// Why it is none.
pub fn judge(location: Location) -> Result<Location, Misfit> {
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
        return Err((Part::Path, why));
    }
    Ok(location)
}

/// Whether a version is an id, as AWS and its clients make them; else it is a stage.
fn is_id(version: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (32..=64).contains(&version.len()) && version.bytes().all(fits)
}

impl SecretsManager {
    fn aws(&self) -> &Aws {
        self.remote.service()
    }

    fn scopes_in_force(&self) -> &[Scope] {
        &self.aws().context.scopes
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a scope's document.
    fn path_in(&self, scope: &Scope) -> Result<String, Trouble> {
        let path = format!("{}/{scope}", self.prefix);
        let why = match path.len() {
            _ if self.prefix.is_empty() => "the store's name says no prefix; give aws-sm:PREFIX",
            ..=LONGEST => {
                self.known().scopes.insert(path.clone());
                return Ok(path);
            }
            _ => "the prefix and the scope's id are longer together than the 512 bytes of a name",
        };
        Err(Trouble::Setting(why.to_owned()))
    }

    /// What asks for a secret.
    fn question(&self, (id, version): &Place) -> Result<Ask, Trouble> {
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

    /// Something to be done in the region that a secret is in.
    fn ask_in(&self, id: &str, what: &'static str, body: Value) -> Result<Ask, Trouble> {
        let region = match aws::region_of(id) {
            Some(region) => region,
            None => self.aws().region(&self.remote)?,
        };
        let region = region.to_owned();
        Ok(Ask { region, what, body })
    }

    /// Fetches documents unless they have been, all at once and each once; with that of one scope
    /// those of all in force.
    ///
    /// # Errors
    /// What keeps all of them from being read.
    fn fetch_places(&self, mut places: Vec<Place>) -> Result<(), Trouble> {
        let is_of_scope = |(path, _): &Place| self.known().scopes.contains(path);
        if places.iter().any(is_of_scope) {
            for scope in self.scopes_in_force() {
                places.push((self.path_in(scope)?, None));
            }
        }
        places.sort_unstable();
        places.dedup();
        places.retain(|place| !self.known().places.contains_key(place));
        if places.is_empty() {
            return Ok(());
        }
        let questions = places.iter().map(|place| self.question(place));
        let questions: Vec<Ask> = questions.collect::<Result<_, _>>()?;
        // Finding out who we are is timed by itself.
        self.remote.with_session(|_| ())?;
        let began = Instant::now();
        let answers = Aws::round(&self.remote, &questions)?;
        let took = began.elapsed();
        log::debug!(
            Fetched, elapsed = took;
            "{} secrets fetched in {}", places.len(), duration::shown(took)
        );
        for (place, answer) in places.into_iter().zip(answers) {
            let read = match read(&answer?, &place) {
                Err(everybodys @ Trouble::NotAdmitted { .. }) => return Err(everybodys),
                read => read,
            };
            self.known().places.insert(place, read);
        }
        Ok(())
    }

    /// Where no scope in force has a document, the store's name is likely to be wrong, which must
    /// not look like "no secrets".
    fn check_documents(&self) -> Result<(), Trouble> {
        if self.known().scopes.is_empty() {
            return Ok(());
        }
        let mut documents = Vec::new();
        for scope in self.scopes_in_force() {
            let place = (self.path_in(scope)?, None);
            if !matches!(self.known().places.get(&place), Some(Ok(None))) {
                return Ok(());
            }
            documents.push(place.0);
        }
        match documents.is_empty() {
            true => Ok(()),
            false => Err(Trouble::NoDocument(documents)),
        }
    }

    /// Does something with a scope's document, which is fetched unless it has been.
    fn with_document<T>(
        &self,
        scope: &Scope,
        then: impl FnOnce(Option<(&Document, &[(String, Secret)])>) -> T,
    ) -> Result<T, Trouble> {
        let place = (self.path_in(scope)?, None);
        self.fetch_places(vec![place.clone()])?;
        match self.known().places.get(&place) {
            Some(Ok(Some(document))) => {
                let members = document.members().ok_or_else(|| no_object(&place.0))?;
                Ok(then(Some((document, members))))
            }
            Some(Err(trouble)) => Err(trouble.clone()),
            Some(Ok(None)) | None => Ok(then(None)),
        }
    }

    /// What is at a location, when it has been fetched.
    fn look(&self, location: &Location, depth: Depth) -> Result<Here, Trouble> {
        let known = self.known();
        let place = (location.path.clone(), location.version.clone());
        let document = match known.places.get(&place) {
            Some(Ok(Some(document))) => document,
            Some(Err(trouble)) => return Err(trouble.clone()),
            Some(Ok(None)) | None => return Ok(Here::Nothing),
        };
        let value = match &location.key {
            None => &document.content,
            Some(_) if document.members().is_none() => return Err(no_object(&location.path)),
            Some(key) => match document.member(key) {
                Some(value) => value,
                None => return Ok(Here::NoKey),
            },
        };
        // A single place is always read.
        let is_asked = depth != Depth::Names || !known.scopes.contains(&location.path);
        Ok(Here::Found(Found {
            value: is_asked.then(|| Secret::new(value.expose().to_vec())),
            ..Found::default()
        }))
    }
}

fn no_object(path: &str) -> Trouble {
    Trouble::Unusable {
        what: ShownPath(path).to_string(),
        why: "it is no JSON object in UTF-8".to_owned(),
    }
}

/// Reads the answer to a request for a secret; `None` where it is not there.
fn read(answer: &http::Answer, (id, version): &Place) -> Result<Option<Document>, Trouble> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Said<'a> {
        #[serde(borrow, default)]
        secret_string: Option<&'a RawValue>,
        #[serde(borrow, default)]
        secret_binary: Option<&'a RawValue>,
        #[serde(default)]
        created_date: Option<f64>,
    }
    let unusable = || Trouble::Unusable {
        what: ShownPath(id).to_string(),
        why: "the answer is no secret".to_owned(),
    };
    let is_version = version.is_some();
    match aws::code(answer) {
        // Of a secret without a value the current version is not there.
        Some("ResourceNotFoundException") if !is_version && aws::is_about(answer, "label") => {
            return Err(Trouble::Unusable {
                what: ShownPath(id).to_string(),
                why: "it has no value yet; put one".to_owned(),
            });
        }
        Some("ResourceNotFoundException") => return Ok(None),
        Some("InvalidRequestException") => return Err(Trouble::Deleted(id.to_owned())),
        _ if answer.status >= 400 => {
            return Err(aws::trouble(answer, id, "secretsmanager:GetSecretValue"));
        }
        _ => {}
    }
    let value: Said<'_> = serde_json::from_slice(answer.body.expose()).map_err(|_| unusable())?;
    let plain = |source| json::plain(source).map(Secret::new).ok();
    let content = match value.secret_string {
        Some(text) => plain(text),
        None => value.secret_binary.and_then(plain).and_then(|encoded| {
            let bytes = BASE64_STANDARD.decode(encoded.expose()).ok()?;
            Some(Secret::new(bytes))
        }),
    };
    let since = value.created_date.map(Duration::try_from_secs_f64);
    let written = since.and_then(Result::ok);
    let written = written.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
    Ok(Some(Document::new(content.ok_or_else(unusable)?, written)))
}

impl Store for SecretsManager {
    fn label(&self) -> &str {
        &self.label
    }

    fn identity(&self) -> String {
        let aws = self.aws();
        format!("{} of {}", aws.context.location, aws.identity())
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, Trouble> {
        Ok(Location::member(self.path_in(scope)?, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, Trouble> {
        let all = questions.iter().flatten();
        let places = all.map(|one| (one.path.clone(), one.version.clone()));
        self.fetch_places(places.collect())?;
        self.check_documents()?;
        let look = |location: &Location| self.look(location, depth);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, Trouble> {
        let mut places = Vec::with_capacity(scopes.len());
        for scope in scopes {
            places.push((self.path_in(scope)?, None));
        }
        self.fetch_places(places)?;
        self.check_documents()?;
        let scopes = scopes.iter();
        let names = scopes.map(|scope| {
            self.with_document(scope, |found| {
                let members = found.map_or(&[][..], |(_, members)| members).iter();
                let names = members.filter_map(|(name, _)| Name::new(name.as_bytes()));
                let names: BTreeSet<Name> = names.collect();
                names.into_iter().collect()
            })
        });
        Ok(names.collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, Trouble> {
        self.with_document(scope, |found| {
            let (document, _) = found?;
            Some(Record {
                size: document.member(name.as_str())?.len(),
                created: None,
                modified: document.written,
                recipients: None,
            })
        })
    }

    fn scopes(&self) -> Result<Vec<Scope>, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            secret_list: Vec<Entry>,
            #[serde(default)]
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry {
            name: String,
        }
        let folder = self.path_in(&Scope::Team)?;
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
            let listed: Listed = serde_json::from_slice(answer.body.expose())
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

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, Part, is_id, judge};

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
            let judged = judge(Location::parse(text).unwrap());
            let part = judged.err().map(|(part, _)| part);
            assert_eq!(part, (!fits).then_some(Part::Path), "{text}");
        }
        assert!(judge(Location::parse(&"a".repeat(513)).unwrap()).is_err());
    }

    #[test]
    fn what_a_version_is() {
        assert!(is_id("d68396c2-90b8-48b4-9a3f-669c6f589550"));
        assert!(!is_id("AWSCURRENT"));
        assert!(!is_id("a stage of some forty characters ......."));
    }
}
