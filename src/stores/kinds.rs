//! The table of stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::access::{Access, Opened};
use super::{Store, age, dir, vault};
use crate::words::error::Error;
use crate::words::named;

/// A kind of store.
pub struct Kind {
    /// What stands before the colon: of its location, and of references to single places in it.
    pub words: &'static [&'static str],
    /// What stands after it.
    pub place: &'static str,
    /// Opens the store at the place after the colon.
    pub open: fn(&str, &Arc<Access>) -> Opened,
    /// The variables that hold its credentials. They are overwritten where they stand as soon
    /// as they are read, and no workload gets them.
    pub credentials: &'static [&'static str],
    /// Whether they serve to read values, and nothing else.
    pub only_read: bool,
    /// Whether what such a variable holds may stay in memory: it is no secret.
    pub stays: fn(&str, &[u8]) -> bool,
    /// Its other variables that no workload gets, beside all that begin with `DOORKEY_`.
    pub variables: &'static [&'static str],
    /// The variables that it reads and every workload keeps.
    pub read: &'static [&'static str],
    /// Of its variables those that list names of variables to be passed on all the same.
    pub passing: &'static [&'static str],
    /// Of its variables those that list documents whose members are added to the environment: the
    /// first of each group that is set counts.
    pub listing: &'static [&'static [&'static str]],
    /// Its options.
    pub settings: &'static [&'static str],
}

const NOTHING: Kind = Kind {
    words: &[],
    place: "DIR",
    open: dir::open,
    credentials: &[],
    only_read: false,
    stays: |_, _| false,
    variables: &[],
    read: &[],
    passing: &[],
    listing: &[],
    settings: &[],
};

/// Every kind of store.
pub const KINDS: &[Kind] = &[
    Kind {
        words: &["age"],
        open: age::open,
        credentials: &[age::KEY],
        only_read: true,
        settings: age::SETTINGS,
        ..NOTHING
    },
    Kind {
        words: &["dir"],
        ..NOTHING
    },
    Kind {
        words: &["vault", "bao"],
        place: "MOUNT/PREFIX",
        open: vault::open,
        credentials: vault::CREDENTIALS,
        only_read: false,
        stays: vault::stays,
        variables: vault::VARIABLES,
        read: vault::READ,
        passing: vault::PASSING,
        listing: vault::LISTING,
        settings: vault::SETTINGS,
    },
];

/// The kind of the store at `location`, and the place after the colon.
fn kind(location: &str) -> Option<(&'static Kind, &str)> {
    let (word, place) = location.split_once(':')?;
    Some((KINDS.iter().find(|kind| kind.words.contains(&word))?, place))
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

/// Of those the ones that are used: to read values only where it `reads`, and a key where a cache
/// may have to be opened.
pub fn needed(
    location: Option<&str>,
    words: &BTreeSet<&str>,
    reads: bool,
    caches: bool,
) -> Vec<&'static str> {
    let needed = used(location, words).filter(|kind| reads || !kind.only_read);
    let cache = (reads && caches).then_some(age::KEY);
    needed
        .flat_map(|kind| kind.credentials)
        .copied()
        .chain(cache)
        .collect()
}

/// Of all those the ones that are set, so that a process which is to read them again would have to
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

/// All variables that no workload of such a launch gets; of those that end with `*`, all that begin
/// so. What is the other tool's alone goes whichever the store is.
pub fn own_variables(location: Option<&str>, words: &BTreeSet<&str>) -> Vec<&'static str> {
    let all = |kind: &'static Kind| [kind.credentials, kind.variables].concat();
    let mut names: Vec<_> = used(location, words).flat_map(all).collect();
    if used(location, words).next().is_some() {
        let every = KINDS.iter().flat_map(|kind| kind.variables).copied();
        names.extend(every.filter(|name| name.starts_with("SECRET_INIT_")));
    }
    names
}

/// The variables that list names of variables which are passed on all the same.
pub fn passed(location: Option<&str>, words: &BTreeSet<&str>) -> Vec<&'static str> {
    let lists = used(location, words).flat_map(|kind| kind.passing);
    lists.copied().collect()
}

/// The variables that list documents whose members are added, in groups of which the first that
/// is set counts; and the word that references to such documents begin with.
pub fn listing() -> impl Iterator<Item = (&'static [&'static str], &'static str)> {
    KINDS.iter().flat_map(|kind| {
        let groups = kind.listing.iter();
        groups.filter_map(|group| Some((*group, *kind.words.first()?)))
    })
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
        store: named::location(location),
        trouble,
    })
}

/// The words that stand for the kind of the store at `location`.
pub fn words_of(location: &str) -> &'static [&'static str] {
    kind(location)
        .map(|(kind, _)| kind.words)
        .unwrap_or_default()
}
