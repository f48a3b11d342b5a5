//! Stores that keep one plain JSON document for each scope, and write it whole. They have no
//! compare-and-set, so one of several writers at once can lose its change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::document::{
    self, Document, DocumentChange, Documents, known, merged, no_object, path_in, with,
};
use super::{
    Answer, Context, Depth, How, Location, Names, Record, Store, Writer, contended, not_text,
};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;
use crate::sys::random;

/// The longest wait of a writer that lost a race, before the next try.
const PAUSE: Duration = Duration::from_millis(40);

/// Supplies the parts that differ between such stores. The rest of [`Store`] and [`Writer`] follows
/// from them.
pub trait PlainStore: Documents<Document> + Sync {
    /// The largest document in bytes, and the limit in words.
    const LARGEST: (usize, &'static str);

    /// The settings of the store.
    fn context(&self) -> &Arc<Context>;

    /// Names the settings that values depend on, apart from the store's name.
    fn settings(&self) -> String;

    /// The deadline of all requests.
    ///
    /// # Errors
    /// The system's error.
    fn deadline(&self) -> Result<Instant, StoreError>;

    /// Lists the scopes that have a document.
    ///
    /// # Errors
    /// The reason why that can't be said.
    fn existing(&self) -> Result<Vec<Scope>, StoreError>;

    /// Writes the document at a path, which may exist. Gives false if that has changed since it was
    /// read, and nothing is written.
    ///
    /// # Errors
    /// The reason why nothing is written.
    fn put(&self, path: &str, text: &str, exists: bool) -> Result<bool, StoreError>;
}

impl<S: PlainStore> Store for S {
    fn label(&self) -> &str {
        &self.context().label
    }

    fn identity(&self) -> String {
        format!("{} of {}", self.context().location, self.settings())
    }

    fn locate(&self, scope: &Scope, name: &Name) -> Result<Location, StoreError> {
        Ok(Location::member(path_in(self, scope)?, name))
    }

    fn fetch(&self, questions: &[Vec<Location>], depth: Depth) -> Result<Vec<Answer>, StoreError> {
        document::answers(self, questions, depth)
    }

    fn names(&self, scopes: &[Scope]) -> Result<Vec<Names>, StoreError> {
        document::names(self, scopes)
    }

    fn record(&self, scope: &Scope, name: &Name) -> Result<Option<Record>, StoreError> {
        document::record(self, scope, name)
    }

    fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.existing()
    }

    fn writer(&self) -> Option<&dyn Writer> {
        Some(self)
    }
}

impl<S: PlainStore> Writer for S {
    fn write(&self, scope: &Scope, values: &[(Name, Secret)], how: How) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(values.len());
        for (name, value) in values {
            let text = str::from_utf8(value.expose()).map_err(|_| not_text())?;
            changes.push((name.as_str(), Some(text)));
        }
        change(self, scope, &changes, how)
    }

    fn delete(&self, scope: &Scope, name: &Name) -> Result<(), StoreError> {
        change(self, scope, &[(name.as_str(), None)], How::Update)
    }
}

/// Changes members of a scope's document, all of them or none.
fn change<S: PlainStore>(
    store: &S,
    scope: &Scope,
    changes: &[DocumentChange<'_>],
    how: How,
) -> Result<(), StoreError> {
    let (path, _) = store.document_of(scope)?;
    let deadline = store.deadline()?;
    loop {
        let (exists, data) = content(store, scope, changes, how)?;
        let text = str::from_utf8(data.expose()).map_err(|_| no_object(&path))?;
        if store.put(&path, text, exists)? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(contended());
        }
        random::pause(PAUSE);
    }
}

/// Reads a scope's document anew, and gives its new content; and whether there is a document yet.
fn content<S: PlainStore>(
    store: &S,
    scope: &Scope,
    changes: &[DocumentChange<'_>],
    how: How,
) -> Result<(bool, Secret), StoreError> {
    let (path, _) = store.document_of(scope)?;
    let place = (path.clone(), None);
    // The document may have changed since the command read it.
    known(store).places.remove(&place);
    let (exists, data) = with(store, scope, |document| {
        if document.is_some_and(|document| document.members().is_none()) {
            return Err(no_object(&path));
        }
        for (name, _) in changes {
            let has = document.is_some_and(|document| document.member(name).is_some());
            match how {
                How::Create if has => return Err(StoreError::taken()),
                How::Update if !has => return Err(StoreError::no_secret()),
                _ => {}
            }
        }
        let source = document.map(|document| document.content.expose());
        Ok((document.is_some(), Secret::new(merged(source, changes))))
    })??;
    known(store).places.remove(&place);
    let (largest, limit) = S::LARGEST;
    if data.len() > largest {
        let what = format_args!("the scope's secrets would be larger together than the {limit}");
        return Err(StoreError::setting(what));
    }
    Ok((exists, data))
}
