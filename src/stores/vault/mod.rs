//! OpenBao and HashiCorp Vault: one KV document a scope, its members the secrets.
//!
//! Facts about the server's answers are those of OpenBao 2.7; its documentation says less.

mod advice;
mod auth;
mod fetch;
mod leases;
mod paths;
mod peers;
mod read;
mod response;
mod session;
mod settings;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use self::advice::advice_for_path;
use self::paths::{Layout, Mount, encoded};
use self::read::VaultDocument;
use self::session::{VaultSession, header};
use self::settings::Reader;
use super::document::{self, KnownDocuments, known, path_in};
use super::remote::{Remote, Service};
use super::{
    Answer, Context, Depth, Finding, Found, Here, How, Lease, Lender, Location, Names, Opened,
    Record, Store, Writer, search,
};
use crate::model::error::StoreError;
use crate::model::location::{Form, LocationPart, Misfit};
use crate::model::name::{self, Level, Name, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;
use crate::sys::http::{self, Method, Request, Server, Settings};

pub use self::auth::stays;
pub use self::settings::{
    ACCOUNT, ADDRESSES, CREDENTIALS, FILES, LISTING, OPTIONS, PASSING, VARIABLES, are_two,
};

/// The word for doorkey's own token, in the place of a path.
const LOGIN: &str = "login";

struct Vault {
    label: String,
    context: Arc<Context>,
    layout: Layout,
    remote: Remote<TokenSource>,
    documents: Mutex<KnownDocuments<VaultDocument>>,
    /// Facts about the server, apart from its documents.
    server: Mutex<OfServer>,
}

#[derive(Default)]
struct OfServer {
    /// Mounts, by the first guess of their paths.
    mounts: BTreeMap<String, Mount>,
    /// The paths of lent values that are not to be read.
    lent: BTreeSet<String>,
    /// Times of creation of documents, by their path.
    created: BTreeMap<String, Option<SystemTime>>,
}

/// Opens `vault:PLACE`. The server is not asked yet.
///
/// # Errors
/// Settings that are missing or can't be used.
pub fn open(place: &str, context: &Arc<Context>) -> Opened {
    let reader = Reader(context);
    let layout = Layout::new(place, &reader)?;
    reader.judge_peers()?;
    for variable in settings::YES_OR_NO {
        reader.yes(variable)?;
    }
    Ok(Box::new(Vault {
        label: context.label.clone(),
        context: Arc::clone(context),
        layout,
        remote: Remote::new(TokenSource(Arc::clone(context)), context),
        documents: Mutex::default(),
        server: Mutex::default(),
    }))
}

impl Vault {
    fn reader(&self) -> Reader<'_> {
        Reader(&self.context)
    }

    /// Sends several requests at once, with the token.
    fn round(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<http::Answer, StoreError>>, StoreError> {
        let requests = requests.into_iter().map(|request| ((), request));
        self.remote.round(requests.collect())
    }

    /// Sends one request, with the token.
    fn ask(&self, request: Request) -> Result<http::Answer, StoreError> {
        self.remote.ask(&(), request)
    }

    fn of_server(&self) -> MutexGuard<'_, OfServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the mount of a document: the known one, or else a guess.
    fn mount_of(&self, document: &str) -> Mount {
        let guess = self.layout.guess(document);
        let known = self.of_server().mounts.get(&guess.path).cloned();
        known.unwrap_or(guess)
    }

    /// Looks up a location, after its document was fetched.
    fn look(&self, location: &Location, depth: Depth) -> Result<Here, StoreError> {
        if is_login(location) {
            let token =
                |session: &mut VaultSession| session.token.as_ref().map(|token| copy(token));
            let none = || StoreError::setting("with --auth none there is no token");
            let token = self.remote.with_session(token)?.ok_or_else(none)?;
            return Ok(Here::value(Some(token)));
        }
        let known = known(self);
        let place = (location.path.clone(), location.version.clone());
        if self.of_server().lent.contains(&location.path) {
            return Ok(Here::Found(Found {
                lease: Some(Lease::unmade()),
                ..Found::default()
            }));
        }
        let document = match known.places.get(&place) {
            Some(Ok(Some(document))) => document,
            Some(Err(trouble)) => return Err(trouble.clone()),
            Some(Ok(None)) | None => return Ok(Here::Nothing),
        };
        let Some(key) = &location.key else {
            let member = |(name, value): &(String, Secret)| (name.clone(), copy(value));
            return Ok(Here::Found(Found {
                members: document.members.all.iter().map(member).collect(),
                lease: document.lease.clone(),
                ..Found::default()
            }));
        };
        // A single place is always read.
        let is_scope = known.scopes.contains_key(&location.path);
        let is_asked = depth != Depth::Names || !is_scope;
        // A secret is a member of its scope's document, and never part of another.
        let value = match is_scope {
            true => document.member(key).map(copy),
            false => document.members.at(document.source.expose(), key),
        };
        Ok(value.map_or(Here::NoKey, |value| {
            Here::Found(Found {
                value: is_asked.then_some(value),
                lease: document.lease.clone(),
                ..Found::default()
            })
        }))
    }
}

fn copy(secret: &Secret) -> Secret {
    Secret::new(secret.expose().to_vec())
}

/// Checks the location in a reference. The location has the path of a document as in the server's
/// interface, a key unless the whole document is meant, and possibly a version. The word for
/// doorkey's own token is a location too.
///
/// # Errors
/// The reason why the location is none of them.
pub fn judge(mut location: Location, form: Form) -> Result<Location, Misfit> {
    if is_login(&location) {
        return match form {
            Form::Value => Ok(location),
            Form::Document => Err((
                LocationPart::Path,
                "this is the word for doorkey's own token",
            )),
        };
    }
    let path = location.path.strip_prefix('/').unwrap_or(&location.path);
    if is_transit(path) {
        return Err((
            LocationPart::Path,
            "this is a value that transit has encrypted, and no path; doorkey does not decrypt it",
        ));
    }
    if !name::is_path(path) {
        return Err((LocationPart::Path, name::NO_PATH));
    }
    location.path = path.to_owned();
    let version: u64 = match location.version.as_deref() {
        // The newest.
        None | Some("-1") => 0,
        Some(number) => {
            let number = number.parse();
            number.map_err(|_| (LocationPart::Version, "the version is no number"))?
        }
    };
    location.version = (version > 0).then(|| version.to_string());
    if form == Form::Value && location.key.is_none() {
        return Err((LocationPart::Key, "'#' and a key must follow the path"));
    }
    Ok(location)
}

/// True if a text is a value of the transit engine: `v1:` and base64.
fn is_transit(path: &str) -> bool {
    let digits = path.strip_prefix('v').and_then(|rest| rest.split_once(':'));
    digits.is_some_and(|(digits, _)| digits.parse::<u32>().is_ok())
}

/// True if a location stands for doorkey's own token.
pub fn is_login(location: &Location) -> bool {
    location.path == LOGIN && location.key.is_none()
}

/// Gives a request's path for a path of the server's interface.
fn path_of(path: &str) -> String {
    format!("v1/{}", encoded(path))
}

/// A request that reads.
fn get(path: String) -> Request {
    Request::new(Method::GET, path)
}

/// The source of the token for the server.
struct TokenSource(Arc<Context>);

impl Service for TokenSource {
    type Host = ();
    type Session = VaultSession;

    fn settings(&self, _: &()) -> Result<Settings, StoreError> {
        Reader(&self.0).http()
    }

    fn log_in(&self, remote: &Remote<Self>) -> Result<VaultSession, StoreError> {
        auth::start(&Reader(&self.0), &*remote.server(&())?)
    }

    fn sign(
        &self,
        session: &VaultSession,
        _: (&(), &Server),
        request: &mut Request,
    ) -> Result<(), StoreError> {
        request.headers.extend(session.token.as_ref().map(header));
        Ok(())
    }

    fn log_out(&self, session: VaultSession, remote: &Remote<Self>) {
        if let Ok(server) = remote.server(&()) {
            session.end(&server);
        }
    }
}

impl Store for Vault {
    fn label(&self) -> &str {
        &self.label
    }

    fn identity(&self) -> String {
        let reader = self.reader();
        let address = reader.address_text().unwrap_or_default();
        let namespace = reader.setting("namespace", "NAMESPACE").unwrap_or_default();
        let instead = self.layout.instead();
        format!(
            "{} of {address} {namespace} {instead}",
            self.context.location
        )
    }

    fn at(&self) -> String {
        let reader = self.reader();
        let Ok(server) = self.remote.server(&()) else {
            return self.label.clone();
        };
        let namespace = reader.setting("namespace", "NAMESPACE");
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let namespace = namespace.map(|namespace| format!(" (namespace {})", ShownPath(namespace)));
        format!(
            "{}{}",
            server.address().origin(),
            namespace.unwrap_or_default()
        )
    }

    fn findings(&self) -> Vec<Finding> {
        vec![
            ("address", self.remote.server(&()).map(|_| self.at())),
            ("login", self.who()),
        ]
    }

    fn advice(&self, place: &Location, document: bool) -> Option<String> {
        match document {
            true => self.like_key(place),
            false => advice_for_path(&place.path),
        }
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location::member(path_in(self, scope)?, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        let (logins, documents): (Vec<_>, Vec<_>) =
            questions.iter().flatten().partition(|one| is_login(one));
        let place = |one: &Location| (one.path.clone(), one.version.clone());
        let mut places: Vec<_> = documents.into_iter().map(place).collect();
        match depth {
            Depth::Names | Depth::Look => self.settle_lent(&places)?,
            Depth::Watch(lent) => self.of_server().lent.extend(lent.iter().cloned()),
            Depth::Values | Depth::Fresh => {}
        }
        places.retain(|(path, _)| !self.of_server().lent.contains(path));
        document::fetch(self, places)?;
        document::check(self)?;
        if !logins.is_empty() {
            let reader = self.reader();
            self.remote
                .with_session(|session| session.hand_over(&reader))?;
        }
        let look = |location: &Location| self.look(location, depth);
        let questions = questions.iter();
        Ok(questions.map(|question| search(question, look)).collect())
    }

    fn leaves_out_missing(&self) -> bool {
        let ignored = self.reader().yes("IGNORE_MISSING_SECRETS");
        matches!(ignored, Ok(Some(true)))
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        let mut places = Vec::with_capacity(scopes.len());
        for scope in scopes {
            places.push((path_in(self, scope)?, None));
        }
        document::fetch(self, places)?;
        document::check(self)?;
        let names = |document: Option<&VaultDocument>| {
            let members = document.map_or(&[][..], |document| &document.members.all);
            let names = members.iter().map(|(name, _)| name.as_bytes());
            let mut names: Vec<Name> = names.filter_map(Name::new).collect();
            names.sort();
            names.dedup();
            names
        };
        let scopes = scopes.iter();
        Ok(scopes
            .map(|scope| document::with(self, scope, names))
            .collect())
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        let found = document::with(self, scope, |document| {
            let document = document?;
            Some((document.member(name.as_str())?.len(), document.written))
        })?;
        let Some((size, modified)) = found else {
            return Ok(None);
        };
        Ok(Some(Record {
            size,
            created: self.created(scope)?,
            modified,
            recipients: None,
        }))
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        let mut scopes = Vec::new();
        if document::with(self, &Scope::Team, |document| document.is_some())? {
            scopes.push(Scope::Team);
        }
        if let Some(folder) = self.layout.folder() {
            let levels = [Level::Cluster, Level::Project];
            let folders = levels.map(|level| format!("{folder}/{level}"));
            for (level, ids) in levels.iter().zip(self.list(&folders)?) {
                let scope = |id: Name| match level {
                    Level::Cluster => Scope::Cluster(id),
                    _ => Scope::Project(id),
                };
                scopes.extend(ids.into_iter().map(scope));
            }
        }
        scopes.sort();
        Ok(scopes)
    }

    fn lender(&self) -> Option<&dyn Lender> {
        Some(self)
    }

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }
}

impl Writer for Vault {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| crate::stores::not_text())?;
            changes.push((name.as_str(), Some(text)));
        }
        self.change(scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
