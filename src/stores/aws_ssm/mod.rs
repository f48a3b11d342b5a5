//! AWS SSM Parameter Store: one parameter a secret, below the path of its scope.

mod fetch;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use self::fetch::Parameter;
use super::aws::{self, Ask, Aws};
use super::document::scope_of;
use super::kind::{Asked, Places};
use super::{
    Answer, Context, Depth, Found, Here, Location, Names, Opened, Record, Store, StoreOption,
    Writer, search,
};
use crate::core::option::{InFile, value};
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::{Level, Name, Scope, is_path};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;

/// The service.
const SERVICE: aws::AwsService = aws::AwsService {
    name: "ssm",
    endpoint: "ENDPOINT_URL_SSM",
    prefix: "AmazonSSM",
};

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[
    aws::REGION,
    aws::ENDPOINT,
    aws::PROFILE,
    StoreOption::new(
        value(
            "project-path",
            "PATH",
            "The path of the project's parameters",
        ),
        InFile::Always,
    ),
];

/// The single places of the store. A bare ARN is one if the user asks for that.
pub const PLACES: Places = Places {
    judge,
    hands_over: |_| false,
    asked: Some(Asked {
        word: "arn",
        bare: Some(|text| aws::is_arn(text, SERVICE.name)),
    }),
};

/// The longest name of a parameter, in bytes, and the most steps that it has.
const LONGEST: usize = 1011;
const DEEPEST: usize = 15;

struct ParameterStore {
    label: String,
    /// The prefix as `/PREFIX`, or an empty text.
    prefix: String,
    /// The path that replaces the project's usual one.
    project_path: Option<String>,
    remote: aws::AwsRemote,
    /// Parameters that were fetched, by the name in the request; `None` if one does not exist.
    known: Mutex<BTreeMap<String, Result<Option<Parameter>, StoreError>>>,
}

/// Opens `aws-ssm:PLACE`. Nothing is asked yet.
///
/// # Errors
/// The fault of the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let setting = |id| context.said(id).or_else(|| context.configured(id));
    let project_path = setting("project-path").map(|path| folder("project-path", path));
    Ok(Box::new(ParameterStore {
        label: context.label.clone(),
        prefix: folder("a prefix", place)?,
        project_path: project_path.transpose()?,
        remote: aws::AwsRemote::new(Aws::new(SERVICE, context), context),
        known: Mutex::default(),
    }))
}

/// Gives a path with one slash before it and none behind it; empty if the path is empty.
fn folder(what: &str, path: &str) -> Result<String, StoreError> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    if !is_name(path) || !is_path(path) {
        let what = format!("{what} has letters, digits and /_.- alone, and no empty steps");
        return Err(StoreError::setting(what));
    }
    let lower = path.to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        let what = format!("{what} can't begin with aws or ssm, which AWS keeps for itself");
        return Err(StoreError::setting(what));
    }
    Ok(format!("/{path}"))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

/// True if a text is a version's number or label.
fn is_version(text: &str) -> bool {
    is_name(text) && !text.contains('/') && text.len() <= 100
}

/// Checks the location in a reference: a parameter's name or ARN, with or without `:VERSION`, with
/// an optional key of the JSON in it and an optional version.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(location: Location, _: Form) -> Result<Location, Misfit> {
    let path = &location.path;
    let name = match path.strip_prefix("arn:") {
        None => Some(path.as_str()),
        Some(rest) => {
            let mut fields = rest.splitn(5, ':').skip(1);
            let is_ours = fields.next() == Some(SERVICE.name);
            let has_place = fields.next().is_some_and(|region| !region.is_empty());
            let name = fields
                .nth(1)
                .and_then(|name| name.strip_prefix("parameter/"));
            name.filter(|_| is_ours && has_place)
        }
    };
    let (name, selector) = match name.and_then(|name| name.split_once(':')) {
        Some((name, selector)) => (Some(name), Some(selector)),
        None => (name, None),
    };
    if !name.is_some_and(is_name) || path.len() > 2048 {
        let why = "neither a parameter's name, of letters, digits and /_.-, nor its ARN";
        return Err((LocationPart::Path, why));
    }
    let why = "a version is a number, or a label of letters, digits and _.-";
    if selector.is_some_and(|selector| !is_version(selector)) {
        return Err((LocationPart::Path, why));
    }
    match &location.version {
        Some(_) if selector.is_some() => {
            Err((LocationPart::Version, "the name has a version already"))
        }
        Some(version) if !is_version(version) => Err((LocationPart::Version, why)),
        _ => Ok(location),
    }
}

/// Gives the name to ask for at a location.
fn asked(location: &Location) -> String {
    match &location.version {
        Some(version) => format!("{}:{version}", location.path),
        None => location.path.clone(),
    }
}

fn no_object(path: &str) -> StoreError {
    StoreError::unusable(ShownPath(path), "it is no JSON object in UTF-8")
}

impl ParameterStore {
    fn aws(&self) -> &Aws {
        self.remote.service()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Result<Option<Parameter>, StoreError>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the path above a scope's parameters.
    fn path_in(&self, scope: &Scope) -> Result<String, StoreError> {
        match &self.project_path {
            Some(path) if scope.level() == Level::Project => Ok(path.clone()),
            _ if self.prefix.is_empty() => {
                let what = "the store's name says no prefix; give aws-ssm:/PREFIX";
                Err(StoreError::setting(what.to_owned()))
            }
            _ => Ok(format!("{}/{scope}", self.prefix)),
        }
    }

    /// The name of a secret's parameter.
    fn name_in(&self, scope: &Scope, name: &Name) -> Result<String, StoreError> {
        let path = format!("{}/{name}", self.path_in(scope)?);
        let why = match path.len() {
            _ if path.matches('/').count() > DEEPEST => "15 steps",
            ..=LONGEST => return Ok(path),
            _ => "1,011 bytes",
        };
        Err(StoreError::setting(format!(
            "{} has more than the {why} that a parameter's name can have",
            ShownPath(&path)
        )))
    }

    /// Builds a request for an action in the region of a parameter.
    fn ask_in(&self, name: &str, what: &'static str, body: Value) -> Result<Ask, StoreError> {
        let region = match aws::region_of(name) {
            Some(region) => region,
            None => self.aws().region(&self.remote)?,
        };
        let region = region.to_owned();
        Ok(Ask { region, what, body })
    }

    /// Looks up a location, after its parameter was fetched.
    fn look(&self, location: &Location) -> Result<Here, StoreError> {
        let known = self.known();
        let document = match known.get(&asked(location)) {
            Some(Ok(Some(parameter))) => &parameter.0,
            Some(Err(trouble)) => return Err(trouble.clone()),
            Some(Ok(None)) | None => return Ok(Here::Nothing),
        };
        let value = match &location.key {
            None => Secret::new(document.content.expose().to_vec()),
            Some(_) if document.members().is_none() => return Err(no_object(&location.path)),
            Some(key) => match document.at(key) {
                Some(value) => value,
                None => return Ok(Here::NoKey),
            },
        };
        Ok(Here::Found(Found {
            value: Some(value),
            ..Found::default()
        }))
    }
}

impl Store for ParameterStore {
    fn label(&self) -> &str {
        &self.label
    }

    fn identity(&self) -> String {
        let aws = self.aws();
        let project = self.project_path.as_deref().unwrap_or_default();
        format!("{} of {} {project}", aws.context.location, aws.identity())
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location {
            path: self.name_in(scope, name)?,
            key: None,
            version: None,
        })
    }

    fn fetch(&self, questions: &[Vec<Location>], _: Depth) -> Result<Vec<Answer>, StoreError> {
        self.fetch_names(questions.iter().flatten().map(asked).collect())?;
        let look = |location: &Location| self.look(location);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        let mut paths = Vec::with_capacity(scopes.len());
        for scope in scopes {
            paths.push(self.path_in(scope)?);
        }
        let listed = self.list(&paths, false)?.into_iter().zip(&paths);
        let names = listed.map(|(listed, path)| {
            let inside = |name: String| {
                let name = name.strip_prefix(path)?.strip_prefix('/')?;
                Name::new(name.as_bytes())
            };
            let names: BTreeSet<Name> = listed?.into_iter().filter_map(inside).collect();
            Ok(names.into_iter().collect())
        });
        Ok(names.collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        let name = self.name_in(scope, name)?;
        self.fetch_names(vec![name.clone()])?;
        match self.known().get(&name) {
            Some(Ok(Some(Parameter(document)))) => Ok(Some(Record {
                size: document.content.len(),
                created: None,
                modified: document.written,
                recipients: None,
            })),
            Some(Err(trouble)) => Err(trouble.clone()),
            Some(Ok(None)) | None => Ok(None),
        }
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        let mut scopes = BTreeSet::new();
        if !self.prefix.is_empty() {
            let prefix = &self.prefix;
            for listed in self.list(std::slice::from_ref(prefix), true)? {
                for name in listed? {
                    let inside = name
                        .strip_prefix(prefix)
                        .and_then(|rest| rest.strip_prefix('/'));
                    let scope = inside.and_then(|rest| scope_of(rest.rsplit_once('/')?.0));
                    scopes.extend(scope);
                }
            }
        }
        // A project with its own path gets the name that the command uses.
        if self.project_path.is_some() {
            scopes.retain(|scope| scope.level() != Level::Project);
            let mut in_force = self.aws().context.scopes.iter();
            scopes.extend(
                in_force
                    .find(|scope| scope.level() == Level::Project)
                    .cloned(),
            );
        }
        Ok(scopes.into_iter().collect())
    }

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }
}

/// Builds the input that asks for parameters by their names.
fn by_names(names: &[String]) -> Value {
    json!({"Names": names, "WithDecryption": true})
}

#[cfg(test)]
mod tests {
    use super::{Form, Location, LocationPart, folder, judge};

    #[test]
    fn what_a_reference_can_be() {
        let arn = "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/app/db";
        for (text, fault) in [
            ("/app/db", None),
            ("plain", None),
            ("/app/db:3", None),
            ("/app/db#password#3", None),
            ("/app/db#password#a-label", None),
            (arn, None),
            (&format!("{arn}:3"), None),
            (&format!("{arn}#k#3"), None),
            ("/app db", Some(LocationPart::Path)),
            ("/app/db:", Some(LocationPart::Path)),
            ("/app/db:a b", Some(LocationPart::Path)),
            ("/app/db:3#k#3", Some(LocationPart::Version)),
            ("/app/db#k#v/1", Some(LocationPart::Version)),
            (
                "arn:aws:secretsmanager:eu-west-1:1:secret:a",
                Some(LocationPart::Path),
            ),
            (
                "arn:aws:ssm::123456789012:parameter/a",
                Some(LocationPart::Path),
            ),
            (
                "arn:aws:ssm:eu-west-1:1:document/a",
                Some(LocationPart::Path),
            ),
        ] {
            let judged = judge(Location::parse(text).unwrap(), Form::Value);
            assert_eq!(judged.err().map(|(part, _)| part), fault, "{text}");
        }
    }

    #[test]
    fn what_a_prefix_can_be() {
        for (text, path) in [("", Some("")), ("/", Some("")), ("a/b/", Some("/a/b"))] {
            assert_eq!(folder("a prefix", text).ok().as_deref(), path);
        }
        for text in ["/aws/a", "SSM", "a//b", "a/../b", "a b", "é"] {
            assert!(folder("a prefix", text).is_err(), "{text}");
        }
    }
}
