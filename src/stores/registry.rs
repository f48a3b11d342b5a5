//! The table of stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::{Access, Opened};
use super::{Store, age, dir, remote, vault};
use crate::words::error::Error;
use crate::words::location::{Location, Misfit, Scheme};
use crate::words::reference::Direct;

/// A kind of store.
pub struct Kind {
    /// What stands before the colon: of its location, and of references to single places in it.
    pub words: &'static [&'static str],
    /// What stands after it.
    pub place: &'static str,
    /// What references to single places in it can be; `None` where there are none.
    pub direct: Option<Places>,
    /// Opens the store at the place after the colon.
    pub open: fn(&str, &Arc<Access>) -> Opened,
    /// The variables that hold its credentials. They are overwritten where they stand as soon
    /// as they are read, and no workload gets them.
    pub credentials: &'static [&'static str],
    /// Whether what such a variable holds may stay in memory: it is no secret.
    pub stays: fn(&str, &[u8]) -> bool,
    /// Its other variables that no workload gets, beside all that begin with `DOORKEY_`.
    pub variables: &'static [&'static str],
    /// The variables that it reads and every workload keeps.
    pub read: &'static [&'static str],
    /// Of its variables those that list names of variables to be passed on all the same.
    pub passing: &'static [&'static str],
    /// Its options.
    pub settings: &'static [&'static str],
}

/// The single places of a kind of store.
pub struct Places {
    /// Takes a location as a reference says it: the one that is meant, or why it can't be one.
    pub judge: fn(Location) -> Result<Location, Misfit>,
    /// Whether what is there is our own credential, which a variable of the store's is to hold
    /// for the workload then.
    pub hands_over: fn(&Location) -> bool,
}

const NOTHING: Kind = Kind {
    words: &[],
    place: "DIR",
    direct: None,
    open: dir::open,
    credentials: &[],
    stays: |_, _| false,
    variables: &[],
    read: &[],
    passing: &[],
    settings: &[],
};

/// Every kind of store.
pub const KINDS: &[Kind] = &[
    Kind {
        words: &["age"],
        open: age::open,
        credentials: &[age::KEY],
        ..NOTHING
    },
    Kind {
        words: &["dir"],
        ..NOTHING
    },
    Kind {
        words: &["vault", "bao"],
        place: "MOUNT/PREFIX",
        direct: Some(Places {
            judge: vault::judge,
            hands_over: vault::is_login,
        }),
        open: vault::open,
        credentials: vault::CREDENTIALS,
        stays: vault::stays,
        variables: vault::VARIABLES,
        read: remote::VARIABLES,
        passing: vault::PASSING,
        settings: vault::SETTINGS,
    },
];

/// The kind of the store at `location`, and the place after the colon.
fn kind(location: &str) -> Option<(&'static Kind, &str)> {
    let (word, place) = location.split_once(':')?;
    Some((KINDS.iter().find(|kind| kind.words.contains(&word))?, place))
}

/// What references to single places begin with.
pub fn schemes() -> Vec<Scheme> {
    let mut schemes = Vec::new();
    for kind in KINDS {
        if let Some(Places { judge, .. }) = kind.direct {
            schemes.extend(kind.words.iter().map(|word| Scheme { word, judge }));
        }
    }
    schemes
}

/// Whether a reference is to the store's own credential, which the workload is to have then.
pub fn is_handed_over(place: &Direct) -> bool {
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|kind| kind.words.contains(&place.scheme));
    let places = kind.and_then(|kind| kind.direct.as_ref());
    places.is_some_and(|places| (places.hands_over)(&place.location))
}

/// The kinds that a launch has to do with: that of its store, and those of the words that its
/// references to single places begin with.
fn used(location: Option<&str>, words: &BTreeSet<&str>) -> impl Iterator<Item = &'static Kind> {
    let chosen = location.and_then(kind).map(|(kind, _)| kind.words);
    KINDS.iter().filter(move |kind| {
        chosen == Some(kind.words) || kind.words.iter().any(|word| words.contains(word))
    })
}

/// The variables that hold credentials for a launch: those of the kinds that it uses, and those
/// that are doorkey's own, whatever the store.
pub fn credentials(location: Option<&str>, words: &BTreeSet<&str>) -> Vec<&'static str> {
    let mut names: Vec<_> = used(location, words)
        .flat_map(|kind| kind.credentials)
        .copied()
        .collect();
    let ours = KINDS.iter().flat_map(|kind| kind.credentials).copied();
    let ours = ours.filter(|name| name.starts_with("DOORKEY_"));
    names.extend(ours);
    names.sort_unstable();
    names.dedup();
    names
}

/// Of those the ones that are set, so that a process which is to read them again would have to
/// keep a secret.
pub fn spent(location: Option<&str>, words: &BTreeSet<&str>, access: &Access) -> Vec<&'static str> {
    let stays = |name: &str, value: &[u8]| {
        let mut kinds = KINDS.iter().filter(|kind| kind.credentials.contains(&name));
        kinds.all(|kind| (kind.stays)(name, value))
    };
    let mut names = credentials(location, words);
    names.retain(|name| {
        let value = access.credential(name);
        value.is_some_and(|value| !stays(name, value.expose()))
    });
    names
}

/// All variables that no workload of such a launch gets.
pub fn own_variables(location: Option<&str>, words: &BTreeSet<&str>) -> Vec<&'static str> {
    let all = |kind: &'static Kind| [kind.credentials, kind.variables].concat();
    used(location, words).flat_map(all).collect()
}

/// The variables that list names of variables which are passed on all the same.
pub fn passed(location: Option<&str>, words: &BTreeSet<&str>) -> Vec<&'static str> {
    let lists = used(location, words).flat_map(|kind| kind.passing);
    lists.copied().collect()
}

/// The options of the kinds that a launch uses, and the variables that they read beside their
/// credentials.
pub fn settings(
    location: Option<&str>,
    words: &BTreeSet<&str>,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut options, mut variables) = (Vec::new(), Vec::new());
    for kind in used(location, words) {
        options.extend(kind.settings);
        variables.extend(kind.variables.iter().chain(kind.read));
    }
    (options, variables)
}

/// Opens the store that `location` names, as `WORD:PLACE`.
///
/// # Errors
/// A usage error for an unknown word; whatever keeps the store from being opened.
pub fn open(location: &str, access: &Arc<Access>) -> Result<Box<dyn Store>, Error> {
    let Some((kind, place)) = kind(location) else {
        let known: Vec<_> = KINDS
            .iter()
            .flat_map(|kind| {
                kind.words
                    .iter()
                    .map(|word| format!("{word}:{}", kind.place))
            })
            .collect();
        return Err(Error::Usage(format!(
            "the store must be one of {}",
            known.join(", ")
        )));
    };
    (kind.open)(place, access).map_err(|trouble| Error::Store {
        store: location.to_owned(),
        trouble,
    })
}

/// The words that stand for the kind of the store at `location`.
pub fn words_of(location: &str) -> &'static [&'static str] {
    kind(location)
        .map(|(kind, _)| kind.words)
        .unwrap_or_default()
}
