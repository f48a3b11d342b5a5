//! Kubernetes: one Secret object a scope, its keys the secrets.

mod answer;
mod identity;
mod kubeconfig;
mod plugin;
mod write;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use self::answer::{Doing, Object};
use self::identity::Who;
use super::document::{self, Documents, KnownDocuments, Place, Reading};
use super::remote::Remote;
use super::{
    Answer, Context, Depth, Found, Here, How, Location, Names, Opened, Record, Store, StoreOption,
    Writer, search,
};
use crate::core::option::{InFile, value};
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::{LONGEST, Level, Name, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::{self, Method, Request};

pub use self::identity::VARIABLES;

/// The options of a store.
pub const OPTIONS: &[StoreOption] = &[StoreOption::new(
    value("context", "NAME", "The kubeconfig's context"),
    InFile::Named,
)];

/// The default prefix of the names of Secrets.
const PREFIX: &str = "doorkey";

/// The number of names on a page of a list.
const PAGE: usize = 500;

struct Kubernetes {
    label: String,
    location: String,
    /// The scopes in force.
    scopes: Vec<Scope>,
    /// The namespace in the store's name; `None` for that of the pod or the context.
    namespace: Option<String>,
    own_namespace: OnceLock<Result<String, StoreError>>,
    prefix: String,
    remote: Remote<Who>,
    known: Mutex<KnownDocuments<Object>>,
}

/// Opens `k8s:PLACE`. Nothing is read or asked yet.
///
/// # Errors
/// The fault of the place.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let (namespace, prefix) = place.split_once('/').unwrap_or((place, ""));
    if !namespace.is_empty() && !is_label(namespace) {
        let what = "a namespace has a-z, 0-9 and '-' alone, and at most 63 of them";
        return Err(StoreError::setting(what));
    }
    let prefix = if prefix.is_empty() { PREFIX } else { prefix };
    if !is_name(prefix) {
        let what = "a prefix has a-z, 0-9, '-' and '.' alone, the first and last none of the marks";
        return Err(StoreError::setting(what));
    }
    let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
    Ok(Box::new(Kubernetes {
        label: context.label.clone(),
        location: context.location.clone(),
        scopes: context.scopes.clone(),
        namespace,
        own_namespace: OnceLock::new(),
        prefix: prefix.to_owned(),
        remote: Remote::new(Who::new(context), context),
        known: Mutex::default(),
    }))
}

/// True if a text is a label of DNS (RFC 1123), which a namespace is.
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_inside = !text.starts_with('-') && !text.ends_with('-');
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && is_inside
}

/// True if a text is a subdomain of DNS, which a Secret's name is. Its labels can be of any length.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(fits) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= LONGEST && text.split('.').all(is_part)
}

/// Checks the location in a reference: namespace and name of a Secret, and a key of it.
///
/// # Errors
/// The reason why the location is none.
pub fn judge(location: Location, _: Form) -> Result<Location, Misfit> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match location.path.split_once('/') {
        Some((namespace, name)) if is_label(namespace) && is_name(name) => {}
        _ => {
            return Err((
                LocationPart::Path,
                "this is not the namespace and the name of a Secret",
            ));
        }
    }
    let key = location.key.as_deref();
    match key {
        None => Err((
            LocationPart::Key,
            "'#' and a key must follow the Secret's name",
        )),
        Some(key) if key.len() > LONGEST || !key.bytes().all(fits) => Err((
            LocationPart::Key,
            "a key has letters, digits, '.', '_' and '-' alone",
        )),
        _ if location.version.is_some() => Err((LocationPart::Version, "a Secret has no versions")),
        _ => Ok(location),
    }
}

impl Kubernetes {
    fn namespace(&self) -> Result<&str, StoreError> {
        if let Some(namespace) = &self.namespace {
            return Ok(namespace);
        }
        let own = self.own_namespace.get_or_init(|| {
            let own = self.remote.service().namespace()?;
            match is_label(&own) {
                true => Ok(own),
                false => Err(StoreError::setting(
                    "our own namespace is not the name of one",
                )),
            }
        });
        own.as_deref().map_err(StoreError::clone)
    }

    /// The namespace and the name of a scope's Secret.
    fn path_of(&self, scope: &Scope) -> Result<String, StoreError> {
        let namespace = self.namespace()?;
        let prefix = &self.prefix;
        let name = match scope {
            Scope::Team => format!("{prefix}-{}", Level::Team),
            Scope::Cluster(id) | Scope::Project(id) => format!("{prefix}-{}-{id}", scope.level()),
        };
        if !is_name(&name) {
            let what =
                format_args!("{scope} can't be here: a Secret's name has a-z, 0-9, '-' and '.'");
            return Err(StoreError::setting(what).hint("give the scope such an id"));
        }
        Ok(format!("{namespace}/{name}"))
    }

    /// Builds a request about a Secret, or about all of a namespace if the path has no name.
    fn request(method: Method, path: &str) -> Request {
        let (namespace, name) = path.split_once('/').unwrap_or((path, ""));
        let slash = if name.is_empty() { "" } else { "/" };
        let path = format!("api/v1/namespaces/{namespace}/secrets{slash}{name}");
        Request::new(method, path)
    }

    /// Gives the fault in an answer of status 400 or more.
    fn fault(&self, answer: &http::Answer, path: &str, doing: Doing) -> StoreError {
        let who = self.remote.service();
        let method = who.method();
        let method = match who.is_somebody() {
            true => Ok(&*method),
            false => Err(&*method),
        };
        answer::fault(answer, path, doing, method)
    }

    fn object(&self, answer: &http::Answer, path: &str) -> Reading<Object> {
        match answer.status {
            _ if answer::is_absent(answer) => Ok(None),
            400.. => Err(self.fault(answer, path, Doing::Get)),
            _ => answer::object(answer, path).map(Some),
        }
    }

    /// Looks up a location, after its object was fetched.
    fn look(&self, location: &Location, depth: Depth) -> Result<Here, StoreError> {
        let known = document::known(self);
        let place = (location.path.clone(), None);
        let object = match known.places.get(&place) {
            Some(Ok(Some(object))) => object,
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(None)) | None => return Ok(Here::Nothing),
        };
        let key = location.key.as_deref().unwrap_or_default();
        // A single place is always read.
        let is_asked = depth != Depth::Names || !known.scopes.contains_key(&location.path);
        Ok(object.member(key).map_or(Here::NoKey, |value| {
            Here::Found(Found {
                value: is_asked.then(|| Secret::new(value.expose().to_vec())),
                ..Found::default()
            })
        }))
    }
}

impl Documents<Object> for Kubernetes {
    fn in_force(&self) -> &[Scope] {
        &self.scopes
    }

    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError> {
        let path = self.path_of(scope)?;
        Ok((path.clone(), path))
    }

    fn kept(&self) -> &Mutex<KnownDocuments<Object>> {
        &self.known
    }

    fn read(&self, places: &[Place]) -> Result<Vec<Reading<Object>>, StoreError> {
        let requests = places
            .iter()
            .map(|(path, _)| ((), Self::request(Method::GET, path)));
        let requests = requests.collect();
        let ask = || self.remote.round(requests);
        let answers = self.remote.timed((places.len(), "Secrets"), ask)?;
        let mut objects = Vec::with_capacity(places.len());
        for ((path, _), answer) in places.iter().zip(answers) {
            objects.push(self.object(&answer?, path));
        }
        Ok(objects)
    }
}

impl Store for Kubernetes {
    fn label(&self) -> &str {
        &self.label
    }

    fn identity(&self) -> String {
        let namespace = self.namespace().unwrap_or_default();
        let server = self.remote.service().server();
        format!("{} in {namespace} of {server}", self.location)
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location::member(document::path_in(self, scope)?, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        let all = questions.iter().flatten();
        document::fetch(self, all.map(|one| (one.path.clone(), None)).collect())?;
        document::check(self)?;
        let look = |location: &Location| self.look(location, depth);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        let place = |scope| Ok((document::path_in(self, scope)?, None));
        let places: Result<_, StoreError> = scopes.iter().map(place).collect();
        document::fetch(self, places?)?;
        document::check(self)?;
        let names = |object: Option<&Object>| {
            let members = object.map_or(&[][..], |object| &object.members).iter();
            let names = members.filter_map(|(name, _)| Name::new(name.as_bytes()));
            let names: BTreeSet<Name> = names.collect();
            names.into_iter().collect()
        };
        let scopes = scopes.iter();
        Ok(scopes
            .map(|scope| document::with(self, scope, names))
            .collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        document::with(self, scope, |object| {
            let object = object?;
            Some(Record {
                size: object.member(name.as_str())?.len(),
                created: object.created,
                modified: object.modified,
                recipients: None,
            })
        })
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        #[derive(Deserialize)]
        struct List {
            metadata: Continue,
            items: Vec<ListItem>,
        }
        #[derive(Deserialize)]
        struct Continue {
            #[serde(default, rename = "continue")]
            next: String,
        }
        #[derive(Deserialize)]
        struct ListItem {
            metadata: NamedKey,
        }
        #[derive(Deserialize)]
        struct NamedKey {
            name: String,
        }
        const NAMES: &[u8] = b"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let namespace = self.namespace()?;
        let beginning = format!("{}-", self.prefix);
        let mut scopes = BTreeSet::new();
        let mut next = String::new();
        loop {
            let mut request = Self::request(Method::GET, namespace);
            request.path += &format!("?limit={PAGE}&continue={next}");
            let accepted = Secret::new(NAMES.to_vec());
            request.headers.push(("accept", Arc::new(accepted)));
            let answer = self.remote.ask(&(), request)?;
            if answer.status >= 400 {
                return Err(self.fault(&answer, namespace, Doing::List));
            }
            let list: Result<List, _> = serde_json::from_slice(answer.body.expose());
            let no_list = |_| StoreError::unusable(ShownPath(namespace), "the answer is no list");
            let list = list.map_err(no_list)?;
            let names = list.items.iter().map(|item| &item.metadata.name);
            let names = names.filter_map(|name| name.strip_prefix(&beginning));
            scopes.extend(names.filter_map(|name| Scope::parse(&name.replacen('-', "/", 1))));
            match list.metadata.next {
                none if none.is_empty() => return Ok(scopes.into_iter().collect()),
                token => next = utf8_percent_encode(&token, NON_ALPHANUMERIC).to_string(),
            }
        }
    }

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }
}

impl Writer for Kubernetes {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        let values = values.iter();
        let changes: Vec<_> = values
            .map(|(name, value)| (name.as_str(), Some(value)))
            .collect();
        self.change(scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Location, LocationPart, is_name, judge};

    #[test]
    fn what_a_reference_can_be() {
        for (text, fault) in [
            ("shop/db-1.x#tls.crt", None),
            ("shop/db#.dockerconfigjson", None),
            ("db#a", Some(LocationPart::Path)),
            ("shop/a/b#a", Some(LocationPart::Path)),
            ("Shop/db#a", Some(LocationPart::Path)),
            ("shop/-db#a", Some(LocationPart::Path)),
            ("shop/db", Some(LocationPart::Key)),
            ("shop/db#a b", Some(LocationPart::Key)),
            ("shop/db#a#1", Some(LocationPart::Version)),
        ] {
            let location = Location::parse(text).unwrap();
            let judged = judge(location.clone(), Form::Value);
            assert_eq!(
                judged.as_ref().err().map(|(part, _)| *part),
                fault,
                "{text}"
            );
            assert!(judged.is_err() || judged == Ok(location));
        }
    }

    #[test]
    fn what_a_name_can_be() {
        for name in ["a", "a-b.c-1", "1", &"a".repeat(253)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "A",
            "a_b",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a.-b",
            &"a".repeat(254),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
