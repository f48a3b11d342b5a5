//! OpenBao and HashiCorp Vault: one KV document a scope, its members the secrets.
//!
//! Facts about the server's answers are those of OpenBao 2.7; its documentation says less.

mod answer;
mod credential;
mod document;
mod fetch;
mod layout;
mod login;
mod peers;
mod settings;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use self::document::Document;
use self::layout::{Layout, Mount, encoded};
use self::login::{Session, header};
use self::settings::Reader;
use super::{Access, Asked, Found, How, Opened, Record, Store};
use crate::words::error::Trouble;
use crate::words::name::{Level, Name, Scope};
use crate::words::named::location;
use crate::words::reference::{Direct, What};
use crate::words::secret::Secret;
use crate::world::http::{Answer, Client, Method, Request};

pub use self::login::stays;
pub use self::settings::{CREDENTIALS, LISTING, PASSING, READ, SETTINGS, VARIABLES};

/// A path, and the version of what is there.
type Place = (String, Option<u64>);

struct Vault {
    label: String,
    /// The same, shown or not.
    location: String,
    access: Arc<Access>,
    layout: Layout,
    /// Made when the first question is asked.
    client: OnceLock<Result<Client, Trouble>>,
    session: Mutex<Option<Session>>,
    /// What is known of the server.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What is mounted, by the first guess.
    mounts: BTreeMap<String, Mount>,
    /// The scopes' documents; `None` for one that is not there.
    scopes: BTreeMap<Scope, Result<Option<Document>, Trouble>>,
    /// Single documents.
    places: BTreeMap<Place, Result<Option<Document>, Trouble>>,
    /// When documents were made, by their path.
    created: BTreeMap<String, Option<SystemTime>>,
}

impl Known {
    /// What is mounted where a document is: what is known, or else a guess.
    fn mount_of(&self, document: &str, layout: &Layout) -> Mount {
        let guess = layout.guess(document);
        self.mounts.get(&guess.path).cloned().unwrap_or(guess)
    }
}

/// Opens `vault:PLACE`. The server is not asked yet.
///
/// # Errors
/// Settings that are missing or can't be used.
pub fn open(place: &str, access: &Arc<Access>) -> Opened {
    let reader = Reader(access);
    let layout = Layout::new(place, &reader)?;
    reader.judge_peers()?;
    for variable in settings::YES_OR_NO {
        reader.yes(variable)?;
    }
    Ok(Box::new(Vault {
        label: location(&format!("vault:{place}")),
        location: format!("vault:{place}"),
        access: Arc::clone(access),
        layout,
        client: OnceLock::new(),
        session: Mutex::default(),
        known: Mutex::default(),
    }))
}

impl Vault {
    fn reader(&self) -> Reader<'_> {
        Reader(&self.access)
    }

    /// The client, set up when it is first needed.
    fn client(&self) -> Result<&Client, Trouble> {
        let client = self
            .client
            .get_or_init(|| Client::new(self.reader().http()?));
        client.as_ref().map_err(Trouble::clone)
    }

    /// The header with our token, for which we log in when it is first needed.
    fn token(&self) -> Result<(&'static str, Arc<Secret>), Trouble> {
        let mut session = lock(&self.session);
        let session = match &mut *session {
            Some(session) => session,
            none => none.insert(login::start(&self.reader(), self.client()?)?),
        };
        Ok(header(&session.token))
    }

    /// Asks several things at once, with our token.
    fn round(&self, requests: Vec<Request>) -> Result<Vec<Result<Answer, Trouble>>, Trouble> {
        let token = self.token()?;
        let with_token = |mut request: Request| {
            request.headers.push(token.clone());
            request
        };
        Ok(self
            .client()?
            .round(requests.into_iter().map(with_token).collect()))
    }

    /// Asks one thing, with our token.
    fn ask(&self, mut request: Request) -> Result<Answer, Trouble> {
        request.headers.push(self.token()?);
        self.client()?.ask(request)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// The path of the request for a scope's document.
    fn request_for(&self, scope: &Scope, known: &Known) -> Result<String, Trouble> {
        let document = self.layout.document(scope)?;
        let mount = known.mount_of(&document, &self.layout);
        Ok(mount.request("data", &document))
    }

    /// Does something with a scope's document, which is fetched unless it has been.
    fn with_document<T>(
        &self,
        scope: &Scope,
        then: impl FnOnce(Option<&Document>) -> T,
    ) -> Result<T, Trouble> {
        if !self.known().scopes.contains_key(scope) {
            self.fetch(std::slice::from_ref(scope), &[])?;
        }
        match self.known().scopes.get(scope) {
            Some(Ok(document)) => Ok(then(document.as_ref())),
            Some(Err(trouble)) => Err(trouble.clone()),
            None => Ok(then(None)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request's path for what is at a path of the server's interface.
fn path_of(path: &str) -> String {
    format!("v1/{}", encoded(path))
}

/// A request that reads.
fn get(path: String) -> Request {
    Request {
        method: Method::GET,
        path,
        headers: vec![],
        body: None,
        once: false,
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let (Some(session), Some(Ok(client))) = (lock(&self.session).take(), self.client.get()) {
            session.end(client);
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
        format!("{} of {address} {namespace} {instead}", self.location)
    }

    fn prepare(&self, asked: &Asked) -> Result<(), Trouble> {
        let mut places = Vec::new();
        let mut wants_token = false;
        for direct in &asked.direct {
            match &direct.what {
                What::Token => wants_token = true,
                What::Key { path, version, .. } | What::Document { path, version } => {
                    places.push((path.clone(), *version));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        // What is fetched for a scope is not fetched once more for its path.
        for scope in &asked.scopes {
            let request = self.request_for(scope, &self.known())?;
            places.retain(|(path, version)| version.is_some() || path_of(path) != request);
        }
        self.fetch(&asked.scopes, &places)?;
        if wants_token {
            self.token()?;
            if let Some(session) = lock(&self.session).as_mut() {
                session.hand_over(&self.reader());
            }
        }
        let known = self.known();
        let absent = |scope: &Scope| matches!(known.scopes.get(scope), Some(Ok(None)));
        if !asked.scopes.is_empty() && asked.scopes.iter().all(absent) {
            let paths = asked.scopes.iter().map(|scope| self.layout.document(scope));
            return Err(Trouble::NoDocument(paths.collect::<Result<_, _>>()?));
        }
        Ok(())
    }

    fn is_laborious(&self) -> bool {
        false
    }

    fn read(&self, scope: &Scope, name: &Name) -> Result<Option<Secret>, Trouble> {
        self.with_document(scope, |document| {
            let value = document?.member(name.as_str())?;
            Some(Secret::new(value.expose().to_vec()))
        })
    }

    fn read_direct(&self, place: &Direct) -> Result<Found, Trouble> {
        let (path, key, version) = match &place.what {
            What::Key { path, key, version } => (path, Some(key), version),
            What::Document { path, version } => (path, None, version),
            What::Token => {
                let (_, token) = self.token()?;
                return Ok(Found::Value(Secret::new(token.expose().to_vec())));
            }
        };
        let known = self.known();
        let found = known.places.get(&(path.clone(), *version)).or_else(|| {
            let mut scopes = known.scopes.iter();
            let request = |scope| self.request_for(scope, &known).ok();
            let same = |scope| request(scope) == Some(path_of(path));
            scopes
                .find(|(scope, _)| same(scope))
                .map(|(_, found)| found)
        });
        match found {
            Some(Ok(Some(document))) => {
                let copy = |value: &Secret| Secret::new(value.expose().to_vec());
                let member = |(name, value): &(String, Secret)| (name.clone(), copy(value));
                Ok(match key.map(|key| document.member(key)) {
                    Some(Some(value)) => Found::Value(copy(value)),
                    Some(None) => Found::NoKey,
                    None => Found::Members(document.members.iter().map(member).collect()),
                })
            }
            Some(Err(trouble)) => Err(trouble.clone()),
            Some(Ok(None)) | None => Ok(Found::Nothing),
        }
    }

    fn leaves_out_missing(&self) -> bool {
        let ignored = self.reader().yes("IGNORE_MISSING_SECRETS");
        matches!(ignored, Ok(Some(true)))
    }

    fn has(&self, scope: &Scope, name: &Name) -> Result<bool, Trouble> {
        self.with_document(scope, |document| {
            document.is_some_and(|document| document.member(name.as_str()).is_some())
        })
    }

    fn names(&self, scope: &Scope) -> Result<Vec<Name>, Trouble> {
        let mut names = self.with_document(scope, |document| {
            let members = document.map_or(&[][..], |document| &document.members);
            let names = members.iter().map(|(name, _)| name.as_bytes());
            names.filter_map(Name::new).collect::<Vec<_>>()
        })?;
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, Trouble> {
        let found = self.with_document(scope, |document| {
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

    fn scopes(&self) -> Result<Vec<Scope>, Trouble> {
        let mut scopes = Vec::new();
        if self.with_document(&Scope::Team, |document| document.is_some())? {
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

    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), Trouble> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| Trouble::NotText)?;
            changes.push((name.as_str(), Some(text)));
        }
        self.change(scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), Trouble> {
        self.change(scope, &[(name.as_str(), None)], How::Update)
    }
}
