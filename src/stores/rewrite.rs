//! Changing a scope's document where it is read, changed and written whole. Such stores have no
//! compare-and-set, so one of several writers at once can lose its change.

use super::document::{Document, DocumentChange, Documents, known, merged, no_object, with};
use super::{How, not_text};
use crate::model::error::StoreError;
use crate::model::name::{Name, Scope};
use crate::model::secret::Secret;

/// The changes that set these values.
///
/// # Errors
/// An error that a value is no text.
pub fn settings(values: &[(Name, Secret)]) -> Result<Vec<DocumentChange<'_>>, StoreError> {
    let mut changes = Vec::with_capacity(values.len());
    for (name, value) in values {
        let text = str::from_utf8(value.expose()).map_err(|_| not_text())?;
        changes.push((name.as_str(), Some(text)));
    }
    Ok(changes)
}

/// Reads a scope's document anew, and gives its new content; and whether there is a document yet.
///
/// # Errors
/// The error that a name exists, or does not, as `how` asks; or the reason why the document can't
/// be changed. `limit` is the largest content in bytes, and what the store calls a document.
pub fn content(
    store: &dyn Documents<Document>,
    scope: &Scope,
    (changes, how): (&[DocumentChange<'_>], How),
    (largest, limit): (usize, &str),
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
    if data.len() > largest {
        let what = format_args!("the scope's secrets would be larger together than the {limit}");
        return Err(StoreError::setting(what));
    }
    Ok((exists, data))
}
