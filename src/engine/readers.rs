//! The people who can read a store, and what each of them can read.

use crate::model::error::StoreError;
use crate::model::name::Scope;
use crate::stores::{Member, Recipients, Store};

/// Somebody who can read a store.
pub struct Reader {
    /// The key, and its owner.
    pub member: Member,
    /// The existing scopes that they can read.
    pub scopes: Vec<Scope>,
    /// True if they are in the store's list, and in the list of every scope that has its own.
    pub is_everywhere: bool,
}

/// Lists those who can read a scope, or anything in the store: first those in the store's list.
///
/// # Errors
/// A list that can't be read.
pub fn readers(
    store: &dyn Store,
    lists: &dyn Recipients,
    scope: Option<&Scope>,
) -> Result<Vec<Reader>, StoreError> {
    let (wanted, all) = (scope, store.scopes()?);
    let common = match lists.list(None) {
        // The list that was asked for may be sound.
        Err(_) if wanted.is_some() => Vec::new(),
        common => common?,
    };
    let reader = |member: &Member| Reader {
        member: member.clone(),
        scopes: Vec::new(),
        is_everywhere: common.iter().any(|one| one.recipient == member.recipient),
    };
    let mut readers: Vec<_> = match wanted {
        None => common.iter().map(reader).collect(),
        Some(scope) => lists.list(Some(scope))?.iter().map(reader).collect(),
    };
    for scope in all {
        let members = match lists.list(Some(&scope)) {
            Err(_) if wanted.is_some_and(|wanted| *wanted != scope) => continue,
            members => members?,
        };
        let is_in = |one: &Reader| {
            let key = &one.member.recipient;
            members.iter().any(|member| member.recipient == *key)
        };
        for reader in &mut readers {
            match is_in(reader) {
                true => reader.scopes.push(scope.clone()),
                false => reader.is_everywhere = false,
            }
        }
        if wanted.is_none() {
            for member in &members {
                if !readers
                    .iter()
                    .any(|one| one.member.recipient == member.recipient)
                {
                    readers.push(Reader {
                        scopes: vec![scope.clone()],
                        ..reader(member)
                    });
                }
            }
        }
    }
    Ok(readers)
}
