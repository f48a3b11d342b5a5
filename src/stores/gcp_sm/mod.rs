//! Google Secret Manager: one JSON secret a scope, its members the secrets.

mod crc32c;
mod write;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::crc32c::crc32c;
use crate::core::json;
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::Scope;
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::stores::document::{Document, Documents, KnownDocuments, Place, Reading, no_object};
use crate::stores::gcp::{self, Gcp, GcpRemote, is_project};
use crate::stores::plain::PlainStore;
use crate::stores::{Context, Location, Opened, StoreOption, flat};
use crate::sys::http::{self, Method, Request};

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[gcp::LOCATION, gcp::ENDPOINT];

/// The greatest length of a secret's id.
const LONGEST: usize = 255;

/// The right that a launch needs, and a role that has it.
const ACCESS: &str = "secretmanager.versions.access (roles/secretmanager.secretAccessor)";

struct SecretManager {
    /// The project, if the store's name says one.
    project: Option<String>,
    /// The location of regional secrets; empty for global ones.
    location: String,
    prefix: String,
    remote: GcpRemote,
    known: Mutex<KnownDocuments<Document>>,
}

/// Opens `gcp-sm:PLACE`. Nothing is asked yet.
///
/// # Errors
/// The fault of the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let (project, prefix) = match place.split_once('/') {
        Some((project, prefix)) => (Some(project), prefix),
        None => (None, place),
    };
    if !project.is_none_or(is_project) {
        return Err(StoreError::setting("this is not the id of a project"));
    }
    if !prefix.is_empty() && (!is_id(prefix) || !flat::is_prefix(prefix)) {
        let what =
            "a prefix has letters, digits, '_' and '-' alone, no '--', and no '-' at its end";
        return Err(StoreError::setting(what));
    }
    let location = context.said("location");
    let location = location.or_else(|| context.configured("location"));
    let location = location.unwrap_or_default();
    // It becomes part of a host's name.
    if !location.is_empty() && !is_location(location) {
        let what = "a location has lower case letters, digits and '-' alone";
        return Err(StoreError::setting(what));
    }
    Ok(Box::new(SecretManager {
        project: project.map(str::to_owned),
        location: location.to_owned(),
        prefix: prefix.to_owned(),
        remote: GcpRemote::new(Gcp::new(context), context),
        known: Mutex::default(),
    }))
}

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

fn is_location(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

/// A secret, or a version of it, as a path names it.
struct Resource<'a> {
    project: Option<&'a str>,
    /// The location; empty if the path says that the secret is a global one.
    location: Option<&'a str>,
    secret: &'a str,
    version: Option<&'a str>,
}

impl<'a> Resource<'a> {
    /// Reads `[PROJECT/]NAME`, or Google's own form,
    /// `projects/P[/locations/L]/secrets/NAME[/versions/V]`.
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let (project, location, rest) = match parts.as_slice() {
            [
                "projects",
                project,
                "locations",
                location,
                "secrets",
                rest @ ..,
            ] => (Some(*project), Some(*location), rest),
            ["projects", project, "secrets", rest @ ..] => (Some(*project), Some(""), rest),
            [project, secret] if *project != "projects" => {
                (Some(*project), None, std::slice::from_ref(secret))
            }
            [_] => (None, None, parts.as_slice()),
            _ => return None,
        };
        let (secret, version) = match *rest {
            [secret] => (secret, None),
            [secret, "versions", version] => (secret, Some(version)),
            _ => return None,
        };
        let fits = project.is_none_or(is_project)
            && location.is_none_or(|location| location.is_empty() || is_location(location))
            && is_id(secret)
            && version.is_none_or(is_id);
        fits.then_some(Resource {
            project,
            location,
            secret,
            version,
        })
    }
}

/// Checks the location in a reference: a secret, with an optional key of the JSON in it and an
/// optional version.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(location: Location, _: Form) -> Result<Location, Misfit> {
    let Some(resource) = Resource::of(&location.path) else {
        let why = "this is neither PROJECT/NAME nor projects/PROJECT/secrets/NAME";
        return Err((LocationPart::Path, why));
    };
    match location.version.as_deref() {
        Some(_) if resource.version.is_some() => {
            Err((LocationPart::Version, "the path says a version already"))
        }
        Some(version) if !is_id(version) => Err((
            LocationPart::Version,
            "a version is a number, latest or an alias",
        )),
        _ => Ok(location),
    }
}

impl SecretManager {
    /// The location that serves a secret, and the path of all secrets there.
    fn all_beside(&self, resource: &Resource<'_>) -> Result<(String, String), StoreError> {
        let mut project = resource.project.or(self.project.as_deref());
        if project.is_none() {
            project = Some(self.remote.service().project(&self.remote)?);
        }
        let project = project.filter(|project| is_project(project));
        let project = project.ok_or_else(|| {
            StoreError::setting(
                "the project of the variables, or of the file, is not the id of one",
            )
        })?;
        let location = resource.location.unwrap_or(&self.location);
        let part = match location {
            "" => String::new(),
            location => format!("/locations/{location}"),
        };
        let path = format!("v1/projects/{project}{part}/secrets");
        Ok((location.to_owned(), path))
    }

    /// Finds the place to ask for a secret's content.
    fn question(&self, (path, version): &Place) -> Result<(String, String), StoreError> {
        let resource = resource(path)?;
        let version = version.as_deref().or(resource.version).unwrap_or("latest");
        let (location, all) = self.all_beside(&resource)?;
        let secret = resource.secret;
        Ok((
            location,
            format!("{all}/{secret}/versions/{version}:access"),
        ))
    }

    fn trouble(&self, answer: &http::Answer, what: &str, right: &str) -> StoreError {
        gcp::trouble(&self.remote, answer, what, right)
    }

    /// Reads the answer to a request for a secret; `None` if the secret does not exist.
    fn content(&self, answer: &http::Answer, (path, _): &Place) -> Reading<Document> {
        #[derive(Deserialize)]
        struct Version<'a> {
            #[serde(borrow)]
            payload: Payload<'a>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload<'a> {
            #[serde(borrow, default)]
            data: Option<&'a RawValue>,
            #[serde(borrow, default)]
            data_crc32c: Option<&'a RawValue>,
        }
        let unusable = |why: &str| StoreError::unusable(ShownPath(path), why);
        match answer.status {
            404 => return Ok(None),
            400 if gcp::is_about(answer, "FAILED_PRECONDITION") && !gcp::is_of_key(answer) => {
                return Err(unready(answer, path));
            }
            400.. => return Err(self.trouble(answer, path, ACCESS)),
            _ => {}
        }
        let version: Version<'_> = serde_json::from_slice(answer.body.expose())
            .map_err(|_| unusable("the answer is no secret"))?;
        let plain = |source| json::plain(source).map(Secret::new).ok();
        // A secret without content has no data in its payload.
        let encoded = match version.payload.data {
            None => None,
            Some(data) => {
                let text = json::text(data).map(Secret::new);
                Some(text.ok_or_else(|| unusable("the answer is no secret"))?)
            }
        };
        let data = BASE64_STANDARD.decode(encoded.as_ref().map_or(&[][..], Secret::expose));
        let data = data.map_err(|_| unusable("the answer is no secret"))?;
        let data = Secret::new(data);
        let sum = version.payload.data_crc32c.and_then(plain);
        let sum = sum.and_then(|sum| str::from_utf8(sum.expose()).ok()?.parse().ok());
        match sum == Some(crc32c(data.expose())) {
            true => Ok(Some(Document::new(data, None))),
            false => Err(unusable(
                "the content does not have the checksum that came with it",
            )),
        }
    }
}

fn resource(path: &str) -> Result<Resource<'_>, StoreError> {
    let none = || StoreError::unusable(ShownPath(path), "this is no secret's name");
    Resource::of(path).ok_or_else(none)
}

/// The error that a version is disabled or destroyed. Nobody takes the version before it.
fn unready(answer: &http::Answer, path: &str) -> StoreError {
    let what = ShownPath(path);
    // A name, which may be in the text as well, has no space before it.
    match gcp::is_about(answer, " DESTROYED") {
        true => StoreError::destroyed(format_args!("the version of {what} is destroyed"))
            .hint("add another one"),
        false => StoreError::gone(format_args!("the version of {what} is disabled"))
            .hint("add another one, or run gcloud secrets versions enable"),
    }
}

impl Documents<Document> for SecretManager {
    fn in_force(&self) -> &[Scope] {
        &self.remote.service().context.scopes
    }

    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError> {
        if self.prefix.is_empty() {
            let what = "the store's name says no prefix";
            return Err(StoreError::setting(what).hint("give gcp-sm:PROJECT/PREFIX"));
        }
        let why = "a secret's name has letters, digits, '_' and '-', at most 255";
        let name = flat::name_of(&self.prefix, scope, is_id, why)?;
        let path = match &self.project {
            Some(project) => format!("{project}/{name}"),
            None => name,
        };
        Ok((path.clone(), path))
    }

    fn kept(&self) -> &Mutex<KnownDocuments<Document>> {
        &self.known
    }

    fn read(&self, places: &[Place]) -> Result<Vec<Reading<Document>>, StoreError> {
        let questions = places.iter().map(|place| self.question(place));
        let questions: Vec<_> = questions.collect::<Result<_, _>>()?;
        let request = |(location, path): &(String, String)| {
            (location.clone(), Request::new(Method::GET, path.clone()))
        };
        let requests = || questions.iter().map(request).collect();
        let ask = || Gcp::round(&self.remote, &requests);
        let answers = self.remote.timed((places.len(), "secrets"), ask)?;
        let answers = places.iter().zip(answers);
        // Who does not answer about one secret answers about none.
        answers
            .map(|(place, answer)| Ok(self.content(&answer?, place)))
            .collect()
    }
}

impl PlainStore for SecretManager {
    const LARGEST: (usize, &'static str) = write::LARGEST;

    fn context(&self) -> &Arc<Context> {
        &self.remote.service().context
    }

    fn settings(&self) -> String {
        format!("{} in {}", self.remote.service().identity(), self.location)
    }

    fn deadline(&self) -> Result<Instant, StoreError> {
        Ok(self.remote.client()?.deadline())
    }

    fn existing(&self) -> Result<Vec<Scope>, StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct SecretList {
            #[serde(default)]
            secrets: Vec<ListedSecret>,
            #[serde(default)]
            next_page_token: String,
        }
        #[derive(Deserialize)]
        struct ListedSecret {
            name: String,
        }
        let (team, _) = self.document_of(&Scope::Team)?;
        let (location, all) = self.all_beside(&resource(&team)?)?;
        let path = format!("{all}?pageSize=250&filter=name:{}--", self.prefix);
        let mut scopes = BTreeSet::new();
        let mut page = String::new();
        loop {
            let encoded = utf8_percent_encode(&page, NON_ALPHANUMERIC);
            let path = format!("{path}&pageToken={encoded}");
            let request = || (location.clone(), Request::new(Method::GET, path.clone()));
            let answer = Gcp::ask(&self.remote, &request)?;
            if answer.status >= 400 {
                let right = "secretmanager.secrets.list (roles/secretmanager.viewer)";
                return Err(self.trouble(&answer, &format!("{}--*", self.prefix), right));
            }
            let listed: SecretList = serde_json::from_slice(answer.body.expose())
                .map_err(|_| no_object("the list of secrets"))?;
            let names = listed.secrets.iter();
            let names = names.filter_map(|secret| secret.name.rsplit('/').next());
            scopes.extend(names.filter_map(|name| flat::scope_in(&self.prefix, name)));
            page = listed.next_page_token;
            if page.is_empty() {
                return Ok(scopes.into_iter().collect());
            }
        }
    }

    fn put(&self, path: &str, text: &str, exists: bool) -> Result<bool, StoreError> {
        self.write_whole(path, text, exists)
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Location, LocationPart, judge};

    #[test]
    fn what_a_reference_can_be() {
        let path = Some(LocationPart::Path);
        let version = Some(LocationPart::Version);
        for (text, misfit) in [
            ("app-1/db_password", None),
            ("db", None),
            ("app/db#password#3", None),
            ("app/db#password#latest", None),
            ("example.com:app/db", None),
            ("projects/123/secrets/db", None),
            ("projects/123/secrets/db/versions/4", None),
            (
                "projects/a/locations/europe-west1/secrets/db/versions/latest#k",
                None,
            ),
            ("projects/123/secrets/db/versions/4#k#5", version),
            ("app/db#password#a.b", version),
            ("app/db/x", path),
            ("app/db.x", path),
            ("app/", path),
            ("/db", path),
            ("../db", path),
            ("projects/db", path),
            ("projects/a/secrets", path),
            ("projects/a/secrets/db/versions", path),
            ("projects/a/secrets/db/versions/1/2", path),
            ("projects/a/locations/X.evil/secrets/db", path),
        ] {
            let judged = judge(Location::parse(text).unwrap(), Form::Value);
            assert_eq!(judged.err().map(|(part, _)| part), misfit, "{text}");
        }
        assert!(judge(Location::parse(&"a".repeat(256)).unwrap(), Form::Value).is_err());
    }
}
