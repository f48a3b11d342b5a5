//! Variables, options and credentials of the kinds of stores that a launch has to do with.

use std::collections::BTreeSet;

use super::context::Access;
use super::kind::{Kind, NOTHING, StoreOption, Use};
use super::registry::{kind, kinds};
use crate::core::option::Takes;
use crate::model::location::Scheme;

/// Lists the kinds that a launch uses: that of its store, and those of the schemes in its
/// references to single places.
fn used(location: Option<&str>, schemes: &BTreeSet<&str>) -> impl Iterator<Item = &'static Kind> {
    let chosen = location.and_then(kind).map(|(kind, _)| kind.schemes);
    kinds().iter().filter(move |kind| {
        chosen == Some(kind.schemes) || kind.schemes.iter().any(|one| schemes.contains(one))
    })
}

/// The variables that hold credentials for a launch: those of the kinds that it uses, and those
/// that are doorkey's own, whatever the store.
pub fn credentials(location: Option<&str>, schemes: &BTreeSet<&str>) -> Vec<&'static str> {
    let used = used(location, schemes).chain(kinds().iter().filter(|kind| kind.is_ours()));
    let mut names: Vec<_> = used
        .flat_map(|kind| kind.variables(&[Use::Secret]))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Lists the credentials of these that are used. Those that only read values count only if the
/// launch `reads`. Those that are doorkey's own count if a cache may have to be opened.
pub fn needed(
    location: Option<&str>,
    schemes: &BTreeSet<&str>,
    reads: bool,
    caches: bool,
) -> Vec<&'static str> {
    let needed = used(location, schemes).flat_map(move |kind| {
        let only_read: Vec<_> = kind.variables(&[Use::Reading]).collect();
        let secrets = kind.variables(&[Use::Secret]);
        secrets.filter(move |name| reads || !only_read.contains(name))
    });
    let ours = kinds()
        .iter()
        .filter(|kind| reads && caches && kind.is_ours());
    let ours = ours.flat_map(|kind| kind.variables(&[Use::Secret]));
    needed.chain(ours).collect()
}

/// Lists the credentials that are set, so that a process which reads them again would have to keep
/// a secret.
pub fn spent(
    location: Option<&str>,
    schemes: &BTreeSet<&str>,
    access: &Access,
) -> Vec<&'static str> {
    let stays = |name: &str, value: &[u8]| {
        let mut kinds = kinds()
            .iter()
            .filter(|kind| kind.variables(&[Use::Secret]).any(|known| known == name));
        kinds.all(|kind| (kind.stays)(name, value))
    };
    let mut names = credentials(location, schemes);
    names.retain(|name| {
        let value = access.credential(name);
        value.is_some_and(|value| !stays(name, value.expose()))
    });
    names
}

/// True if the settings allow that a launch's values are lent, and that a later process renews
/// them. No credential may be in a variable then.
pub fn may_be_lent<'v>(value: impl Fn(&str) -> Option<&'v [u8]>) -> bool {
    let has = |name: &&str| value(name).is_some_and(|value| !value.is_empty());
    let lends = kinds().iter().any(|kind| kind.lends.iter().any(has));
    let is_spent = |kind: &Kind| {
        let mut secrets = kind.variables(&[Use::Secret]);
        secrets.any(|name| {
            let value = value(name).filter(|value| !value.is_empty());
            value.is_some_and(|value| !(kind.stays)(name, value))
        })
    };
    lends && !kinds().iter().any(is_spent)
}

/// True if a server is asked for a launch.
pub fn are_remote(location: Option<&str>, schemes: &BTreeSet<&str>) -> bool {
    used(location, schemes).any(|kind| kind.is_remote)
}

/// Names what can replace a secret's variable and can be read again.
pub fn instead(name: &str) -> String {
    let is_its = |kind: &&Kind| kind.variables(&[Use::Secret]).any(|known| known == name);
    let kind = kinds().iter().find(is_its).unwrap_or(&NOTHING);
    kind.instead(name)
}

/// The prefix of `secret-init`'s variables. That tool fetches from stores of many kinds.
const OF_PEER: &str = "SECRET_INIT_";

/// Lists the variables that no workload of such a launch gets. A name that ends with `*` stands for
/// all that begin so. Variables of the other tool alone are removed for every store.
pub fn own_variables(location: Option<&str>, schemes: &BTreeSet<&str>) -> Vec<&'static str> {
    let own = |kind: &'static Kind| kind.variables(&[Use::Secret, Use::Own]);
    let mut names: Vec<_> = used(location, schemes).flat_map(own).collect();
    if used(location, schemes).next().is_some() {
        let every = kinds().iter().flat_map(own);
        names.extend(every.filter(|name| name.starts_with(OF_PEER)));
    }
    names
}

/// The variables that list names of variables which are passed on all the same.
pub fn passed(location: Option<&str>, schemes: &BTreeSet<&str>) -> Vec<&'static str> {
    let lists = used(location, schemes).flat_map(|kind| kind.variables(&[Use::Passing]));
    lists.collect()
}

/// Lists the variables that list documents whose members are added, in groups. The first of a group
/// that is set counts. With each group come the schemes of references to such documents.
pub fn listing() -> impl Iterator<Item = (&'static [&'static str], Vec<Scheme>)> {
    kinds().iter().flat_map(|kind| {
        let groups = kind.variables.iter();
        let groups = groups.filter(|(of, _)| *of == Use::Listing);
        groups.filter_map(|(_, names)| {
            let judge = kind.direct.as_ref()?.judge;
            let schemes = kind.schemes.iter();
            Some((
                *names,
                schemes
                    .map(|word| Scheme {
                        word,
                        judge,
                        bare: None,
                    })
                    .collect(),
            ))
        })
    })
}

/// The variables that a launch reads beside its credentials.
pub fn read_variables(location: Option<&str>, schemes: &BTreeSet<&str>) -> Vec<&'static str> {
    let read = |kind: &'static Kind| kind.variables(&[Use::Own, Use::Kept]);
    used(location, schemes).flat_map(read).collect()
}

/// The options on the command line of the kinds that a launch has to do with.
pub fn flags(
    location: Option<&str>,
    schemes: &BTreeSet<&str>,
) -> impl Iterator<Item = &'static StoreOption> {
    let used: Vec<_> = used(location, schemes).map(|kind| kind.schemes).collect();
    let kinds = kinds().iter();
    let kinds = kinds.filter(move |kind| kind.is_ours() || used.contains(&kind.schemes));
    kinds.flat_map(|kind| kind.options.iter().filter(|option| option.flag))
}

/// True if an option, or a variable, is the path of a file with a credential.
pub fn is_file(name: &str) -> bool {
    kinds().iter().any(|kind| {
        let mut options = kind.options.iter().map(|option| &option.option);
        options.any(|option| option.id == name && option.takes == Takes::Value("FILE"))
            || kind.variables(&[Use::File]).any(|known| known == name)
    })
}
