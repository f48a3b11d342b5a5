//! Shared code of the stores that keep one JSON document for each scope. The members are the
//! secrets.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::value::{RawValue, to_raw_value};

use super::{Answer, Depth, Found, Here, Location, Names, Record, search};
use crate::core::json::{self, Levels};
use crate::model::error::StoreError;
use crate::model::name::{Level, Name, Scope};
use crate::model::named::ShownPath;
use crate::model::secret::Secret;

/// A document: the content that a store keeps under one name.
pub struct Document {
    /// The whole content.
    pub content: Secret,
    /// The time of writing, if the store keeps it.
    pub written: Option<SystemTime>,
    members: OnceCell<Option<Members>>,
}

impl Document {
    /// Makes a document of content that was read.
    pub fn new(content: Secret, written: Option<SystemTime>) -> Self {
        let members = OnceCell::new();
        Document {
            content,
            written,
            members,
        }
    }

    /// The members; `None` if the content is no JSON object in UTF-8.
    pub fn members(&self) -> Option<&Members> {
        let read = || Members::read(self.content.expose());
        self.members.get_or_init(read).as_ref()
    }

    /// A member's value.
    pub fn member(&self, name: &str) -> Option<&Secret> {
        self.members()?.get(name)
    }

    /// A copy of the value at a dotted path; see [`Members::at`].
    pub fn at(&self, path: &str) -> Option<Secret> {
        self.members()?.at(self.content.expose(), path)
    }
}

/// The members of a JSON object.
pub struct Members {
    /// Names and values in their order. Each value is as a child process gets it.
    pub all: Vec<(String, Secret)>,
    /// Indices into `all`, sorted by name.
    by_name: Vec<usize>,
}

impl Members {
    /// Reads the members; `None` if the text is no JSON object in UTF-8.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut all = Vec::new();
        for (name, value) in json::members(text).ok()? {
            all.push((name, Secret::new(json::plain(value).ok()?)));
        }
        let mut by_name: Vec<usize> = (0..all.len()).collect();
        by_name.sort_by(|&one, &other| all[one].0.cmp(&all[other].0));
        Some(Members { all, by_name })
    }

    /// A copy of the value at a dotted path, as a reference's member is found: the member that has
    /// the whole path as its name, or one inside another. `source` is the object that was read.
    pub fn at(&self, source: &[u8], path: &str) -> Option<Secret> {
        if let Some(value) = self.get(path) {
            return Some(Secret::new(value.expose().to_vec()));
        }
        let inside = path
            .contains('.')
            .then(|| json::member(source, path, &mut Levels::default()));
        Some(Secret::new(inside?.ok()?.into_owned()))
    }

    /// The value of a name; if the name is repeated, the last value.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        let known = |&at: &usize| self.all[at].0.as_str();
        let after = self.by_name.partition_point(|at| known(at) <= name);
        let last = self.by_name[..after].last().filter(|at| known(at) == name);
        last.map(|&at| &self.all[at].1)
    }
}

/// A document's path, and its version; `None` for the newest.
pub type Place = (String, Option<String>);

/// The result of reading a document; `None` if it does not exist.
pub type Reading<D> = Result<Option<D>, StoreError>;

/// Documents of a store that are known to a launch.
pub struct KnownDocuments<D> {
    /// Documents of scopes: their names in messages, by the paths of locations in them.
    pub scopes: BTreeMap<String, String>,
    /// Documents that were read.
    pub places: BTreeMap<Place, Reading<D>>,
}

impl<D> Default for KnownDocuments<D> {
    fn default() -> Self {
        KnownDocuments {
            scopes: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }
}

/// Supplies the documents of a store. `D` is a document. For [`Document`], of plain JSON,
/// [`answers`], [`names`] and [`record`] do the rest.
pub trait Documents<D> {
    /// The scopes in force.
    fn in_force(&self) -> &[Scope];

    /// Gives the path of locations in a scope's document, and its name in messages. Nothing is
    /// asked.
    ///
    /// # Errors
    /// The reason why the scope has no document.
    fn document_of(&self, scope: &Scope) -> Result<(String, String), StoreError>;

    /// The memory for documents that are known.
    fn kept(&self) -> &Mutex<KnownDocuments<D>>;

    /// Reads documents, all in one round, and gives them in the same order.
    ///
    /// # Errors
    /// The fault that keeps all documents from being read.
    fn read(&self, places: &[Place]) -> Result<Vec<Reading<D>>, StoreError>;
}

/// Locks and gives the known documents of a store.
pub fn known<D>(store: &dyn Documents<D>) -> MutexGuard<'_, KnownDocuments<D>> {
    store.kept().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the path of locations in a scope's document. The path is noted as a scope's document.
///
/// # Errors
/// The errors of [`Documents::document_of`].
pub fn path_in<D>(store: &dyn Documents<D>, scope: &Scope) -> Result<String, StoreError> {
    let (path, document) = store.document_of(scope)?;
    known(store).scopes.insert(path.clone(), document);
    Ok(path)
}

/// Reads documents that were not read yet, all at once, and each once. With one scope's document,
/// those of all scopes in force are read.
///
/// # Errors
/// The fault that keeps all documents from being read.
pub fn fetch<D>(store: &dyn Documents<D>, mut places: Vec<Place>) -> Result<(), StoreError> {
    let is_of_scope =
        |(path, version): &Place| version.is_none() && known(store).scopes.contains_key(path);
    if places.iter().any(is_of_scope) {
        for scope in store.in_force() {
            places.push((path_in(store, scope)?, None));
        }
    }
    places.sort_unstable();
    places.dedup();
    places.retain(|place| !known(store).places.contains_key(place));
    if places.is_empty() {
        return Ok(());
    }
    let read = store.read(&places)?;
    for (place, read) in places.into_iter().zip(read) {
        match read {
            Err(trouble) if trouble.is_of_all() => return Err(trouble),
            read => known(store).places.insert(place, read),
        };
    }
    Ok(())
}

/// Refuses a store in which no scope in force has a document. The store's name is likely to be
/// wrong, and that must not look like "no secrets".
///
/// # Errors
/// An error that no document exists.
pub fn check<D>(store: &dyn Documents<D>) -> Result<(), StoreError> {
    if known(store).scopes.is_empty() {
        return Ok(());
    }
    let mut missing = Vec::new();
    for scope in store.in_force() {
        let (path, document) = store.document_of(scope)?;
        if !matches!(known(store).places.get(&(path, None)), Some(Ok(None))) {
            return Ok(());
        }
        missing.push(ShownPath(&document).to_string());
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(
            StoreError::gone(format_args!("none of {} exists", missing.join(", ")))
                .hint("check the store's name, or set a secret"),
        ),
    }
}

/// Calls `then` with a scope's document, which is fetched first if necessary.
///
/// # Errors
/// The reason why it can't be read.
pub fn with<D, T>(
    store: &dyn Documents<D>,
    scope: &Scope,
    then: impl FnOnce(Option<&D>) -> T,
) -> Result<T, StoreError> {
    let place = (path_in(store, scope)?, None);
    fetch(store, vec![place.clone()])?;
    match known(store).places.get(&place) {
        Some(Ok(document)) => Ok(then(document.as_ref())),
        Some(Err(trouble)) => Err(trouble.clone()),
        None => Ok(then(None)),
    }
}

/// Answers questions about documents of plain JSON, and about single ones of any content.
///
/// # Errors
/// The fault that keeps every question from being answered.
pub fn answers(
    store: &dyn Documents<Document>,
    questions: &[Vec<Location>],
    depth: Depth,
) -> Result<Vec<Answer>, StoreError> {
    let all = questions.iter().flatten();
    let places = all.map(|one| (one.path.clone(), one.version.clone()));
    fetch(store, places.collect())?;
    check(store)?;
    let known = known(store);
    let look = |location: &Location| look(&known, location, depth);
    let questions = questions.iter();
    Ok(questions.map(|question| search(question, look)).collect())
}

/// Looks up a location, after its document was fetched.
fn look(
    known: &KnownDocuments<Document>,
    location: &Location,
    depth: Depth,
) -> Result<Here, StoreError> {
    let place = (location.path.clone(), location.version.clone());
    let document = match known.places.get(&place) {
        Some(Ok(Some(document))) => document,
        Some(Err(trouble)) => return Err(trouble.clone()),
        Some(Ok(None)) | None => return Ok(Here::Nothing),
    };
    let is_scope = known.scopes.contains_key(&location.path);
    let copy = |value: &Secret| Secret::new(value.expose().to_vec());
    let value = match &location.key {
        None => copy(&document.content),
        Some(_) if document.members().is_none() => return Err(no_object(&location.path)),
        Some(key) => match document.member(key) {
            Some(value) => copy(value),
            // A secret is a member of its scope's document, and never part of another.
            None => match document.at(key).filter(|_| !is_scope) {
                Some(value) => value,
                None => return Ok(Here::NoKey),
            },
        },
    };
    // A single place is always read.
    let is_asked = depth != Depth::Names || !is_scope;
    Ok(Here::Found(Found {
        value: is_asked.then_some(value),
        ..Found::default()
    }))
}

/// Lists the names in the documents of scopes.
///
/// # Errors
/// The fault that keeps all names from being listed.
pub fn names(store: &dyn Documents<Document>, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
    let mut places = Vec::with_capacity(scopes.len());
    for scope in scopes {
        places.push((path_in(store, scope)?, None));
    }
    fetch(store, places)?;
    check(store)?;
    let names = |scope: &Scope| {
        let members = with_object(store, scope, |document| {
            let members = document.and_then(Document::members);
            let members = members.map_or(&[][..], |members| &members.all);
            let names = members.iter().map(|(name, _)| name.as_bytes());
            names.filter_map(Name::new).collect::<BTreeSet<_>>()
        })?;
        Ok(members.into_iter().collect())
    };
    Ok(scopes.iter().map(names).collect())
}

/// Tells what is known of a secret in a scope's document.
///
/// # Errors
/// The reason why that can't be said.
pub fn record(
    store: &dyn Documents<Document>,
    scope: &Scope,
    name: &Name,
) -> Result<Option<Record>, StoreError> {
    with_object(store, scope, |document| {
        let document = document?;
        Some(Record {
            size: document.member(name.as_str())?.len(),
            created: None,
            modified: document.written,
            recipients: None,
        })
    })
}

/// Does as [`with`], for a document that must be a JSON object.
fn with_object<T>(
    store: &dyn Documents<Document>,
    scope: &Scope,
    then: impl FnOnce(Option<&Document>) -> T,
) -> Result<T, StoreError> {
    let (path, _) = store.document_of(scope)?;
    with(store, scope, |document| match document {
        Some(document) if document.members().is_none() => Err(no_object(&path)),
        document => Ok(then(document)),
    })?
}

/// The error that a document is no JSON object, so that it has no members.
pub fn no_object(path: &str) -> StoreError {
    StoreError::unusable(ShownPath(path), "it is no JSON object in UTF-8")
}

/// The scope that a document's name says, behind the prefix that all have.
pub fn scope_of(text: &str) -> Option<Scope> {
    let (level, id) = text.split_once('/').unwrap_or((text, ""));
    let id = Name::new(id.as_bytes());
    match Level::new(level.as_bytes())? {
        Level::Team if level == text => Some(Scope::Team),
        Level::Team => None,
        Level::Cluster => id.map(Scope::Cluster),
        Level::Project => id.map(Scope::Project),
    }
}

/// A member's name, and its new value; `None` removes it.
pub type DocumentChange<'a> = (&'a str, Option<&'a str>);

/// Changes members of a document's object, or of a new one. Other members keep their source text.
pub fn merged(source: Option<&[u8]>, changes: &[DocumentChange<'_>]) -> Vec<u8> {
    let source = source.unwrap_or(b"{}");
    let mut members: Vec<(String, Box<RawValue>)> = json::members(source)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    for (name, value) in changes {
        members.retain(|(known, _)| known != name);
        let raw = value.and_then(|value| to_raw_value(value).ok());
        members.extend(raw.map(|raw| ((*name).to_owned(), raw)));
    }
    let mut out = b"{".to_vec();
    for (name, value) in &members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&serde_json::to_vec(name).unwrap_or_default());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    out
}
