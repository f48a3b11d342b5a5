//! The table of stores. What the command line, the configuration file, the grammar of references
//! and the texts of faults know of any store is made from it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::context::{Access, Context};
use super::kind::{Kind, NOTHING, Places, StoreOption, Use, is_ours};
use super::{Store, age, aws, aws_sm, dir, remote, settings, vault};
use crate::core::option::{InFile, Takes};
use crate::model::error::Error;
use crate::model::location::Scheme;
use crate::model::named;
use crate::model::reference::Direct;

/// Every kind of store.
pub static KINDS: &[Kind] = &[
    Kind {
        schemes: &["age"],
        options: age::OPTIONS,
        variables: &[(Use::Secret, &[age::KEY]), (Use::Reading, &[age::KEY])],
        open: age::open,
        ..NOTHING
    },
    Kind {
        schemes: &["dir"],
        options: dir::OPTIONS,
        ..NOTHING
    },
    Kind {
        schemes: &["vault", "bao"],
        place: "MOUNT/PREFIX",
        heading: "OpenBao and Vault",
        options: vault::OPTIONS,
        splits: true,
        variables: &[
            (Use::Secret, vault::CREDENTIALS),
            (Use::Own, vault::VARIABLES),
            (Use::File, vault::FILES),
            (Use::Passing, vault::PASSING),
            (Use::Listing, vault::LISTING[0]),
            (Use::Listing, vault::LISTING[1]),
            (Use::Kept, &[vault::ACCOUNT]),
            (Use::Kept, remote::VARIABLES),
            (Use::File, remote::FILES),
        ],
        stays: vault::stays,
        direct: Some(Places {
            judge: vault::judge,
            hands_over: vault::is_login,
        }),
        lends: vault::ADDRESSES,
        apart: vault::are_two,
        open: vault::open,
    },
    Kind {
        schemes: &["aws-sm"],
        place: "PREFIX",
        heading: "AWS Secrets Manager",
        options: aws::OPTIONS,
        splits: true,
        variables: aws::VARIABLES,
        direct: Some(Places {
            judge: aws_sm::judge,
            hands_over: |_| false,
        }),
        open: aws_sm::open,
        ..NOTHING
    },
];

/// Another table, where there is one.
static INSTEAD: OnceLock<&[Kind]> = OnceLock::new();

/// Has another table count, which a program with a store of its own makes of ours. The first one
/// that is given stays.
pub fn use_table(kinds: &'static [Kind]) {
    INSTEAD.get_or_init(|| kinds);
}

/// The table that counts.
pub fn kinds() -> &'static [Kind] {
    INSTEAD.get().copied().unwrap_or(KINDS)
}

/// The variables that are doorkey's own, and stand for no option.
pub fn ours() -> impl Iterator<Item = &'static str> {
    let rows = kinds().iter().flat_map(|kind| kind.variables);
    let names = rows.flat_map(|(_, names)| names.iter().copied());
    names.filter(|name| is_ours(name))
}

/// The kind of the store at `location`, and what stands after the colon.
fn kind(location: &str) -> Option<(&'static Kind, &str)> {
    let (scheme, place) = location.split_once(':')?;
    let mut all = kinds().iter();
    let kind = all.find(|kind| kind.schemes.contains(&scheme))?;
    Some((kind, place))
}

/// What references to single places begin with.
pub fn schemes() -> Vec<Scheme> {
    let mut schemes = Vec::new();
    for kind in kinds() {
        if let Some(Places { judge, .. }) = kind.direct {
            schemes.extend(kind.schemes.iter().map(|word| Scheme { word, judge }));
        }
    }
    schemes
}

/// Whether a reference is to the store's own credential, which the workload is to have then.
pub fn is_handed_over(place: &Direct) -> bool {
    let mut all = kinds().iter();
    let kind = all.find(|kind| kind.schemes.contains(&place.scheme));
    let places = kind.and_then(|kind| kind.direct.as_ref());
    places.is_some_and(|places| (places.hands_over)(&place.location))
}

/// The kinds that a launch has to do with: that of its store, and those of the schemes that its
/// references to single places begin with.
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

/// Of those the ones that are used: to read values only where it `reads`, and those that are
/// doorkey's own where a cache may have to be opened.
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

/// Of all those the ones that are set, so that a process which is to read them again would have to
/// keep a secret.
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

/// Whether what a launch gets may be lent, by what is set, and be renewed by whoever comes again: no
/// credential is in a variable.
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

/// What can be given, and read again, in the place of a secret's variable.
pub fn instead(name: &str) -> String {
    let is_its = |kind: &&Kind| kind.variables(&[Use::Secret]).any(|known| known == name);
    let kind = kinds().iter().find(is_its).unwrap_or(&NOTHING);
    kind.instead(name)
}

/// What the variables of `secret-init` begin with: it fetches from stores of many kinds.
const OF_PEER: &str = "SECRET_INIT_";

/// All variables that no workload of such a launch gets; of those that end with `*`, all that begin
/// so. What is the other tool's alone goes whichever the store is.
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

/// The variables that list documents whose members are added, in groups of which the first that is
/// set counts; and what references to such documents begin with.
pub fn listing() -> impl Iterator<Item = (&'static [&'static str], Vec<Scheme>)> {
    kinds().iter().flat_map(|kind| {
        let groups = kind.variables.iter();
        let groups = groups.filter(|(of, _)| *of == Use::Listing);
        groups.filter_map(|(_, names)| {
            let judge = kind.direct.as_ref()?.judge;
            let schemes = kind.schemes.iter();
            Some((*names, schemes.map(|word| Scheme { word, judge }).collect()))
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

/// Whether an option, or a variable, is the path of a file with a credential.
pub fn is_file(name: &str) -> bool {
    kinds().iter().any(|kind| {
        let mut options = kind.options.iter().map(|option| &option.option);
        options.any(|option| option.id == name && option.takes == Takes::Value("FILE"))
            || kind.variables(&[Use::File]).any(|known| known == name)
    })
}

/// What the configuration file can say of stores at its top.
pub fn configurable() -> impl Iterator<Item = (&'static str, InFile)> {
    let options = kinds().iter().flat_map(|kind| kind.options);
    let options = options.filter(|option| option.flag && option.file != InFile::Never);
    options.map(|option| (option.option.id, option.file))
}

/// The forms of a store's name, as help and faults list them.
pub fn forms() -> String {
    let forms = kinds().iter();
    let forms = forms.filter_map(|kind| Some(format!("{}:{}", kind.schemes.first()?, kind.place)));
    let mut forms: Vec<_> = forms.collect();
    let last = forms.pop().unwrap_or_default();
    format!("{} or {last}", forms.join(", "))
}

/// That no store is named, and how to name one.
pub fn unnamed() -> Error {
    Error::NoStore(forms())
}

/// Opens the store that the scopes are in, which `location` names as `SCHEME:PLACE`.
///
/// # Errors
/// A usage error for an unknown scheme; whatever keeps the store from being opened.
pub fn open(location: &str, access: &Arc<Access>) -> Result<Box<dyn Store>, Error> {
    let Some((kind, after)) = kind(location) else {
        let form = |kind: &Kind| {
            let forms = kind.schemes.iter();
            let forms = forms.map(|scheme| format!("{scheme}:{}", kind.place));
            forms.collect::<Vec<_>>().join(", ")
        };
        let known: Vec<_> = kinds().iter().map(form).collect();
        return Err(Error::Usage(format!(
            "the store must be one of {}",
            known.join(", ")
        )));
    };
    let fail = |trouble| Error::Store {
        store: named::location(location),
        trouble,
    };
    let (place, mut own) = settings::behind(kind, after, access).map_err(fail)?;
    own.extend(settings::in_table(kind, access)?);
    let scheme = location.split(':').next().unwrap_or_default();
    let name = format!("{}:{after}", kind.same(scheme, access)[0]);
    let context = Arc::new(Context::new(access, name, own));
    (kind.open)(place, &context).map_err(fail)
}

/// Opens the store of references to single places that begin with a scheme.
///
/// # Errors
/// Whatever keeps it from being opened.
pub fn open_places(scheme: &str, access: &Arc<Access>) -> Result<Box<dyn Store>, Error> {
    let store = format!("{scheme}:");
    let mut all = kinds().iter();
    let Some(kind) = all.find(|kind| kind.schemes.contains(&scheme)) else {
        return Err(unnamed());
    };
    let name = format!("{}:", kind.same(scheme, access)[0]);
    let context = Arc::new(Context::new(access, name, vec![]));
    (kind.open)("", &context).map_err(|trouble| Error::Store { store, trouble })
}

/// Whether two names are of stores of the same kind.
pub fn is_same_kind(one: &str, other: &str) -> bool {
    let schemes = |location| kind(location).map(|(kind, _)| kind.schemes);
    schemes(one) == schemes(other)
}

/// The schemes that stand for the store at `location`: those of its kind, or its own alone.
pub fn schemes_of(location: &str, access: &Access) -> &'static [&'static str] {
    let scheme = location.split(':').next().unwrap_or_default();
    kind(location)
        .map(|(kind, _)| kind.same(scheme, access))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Kind, NOTHING, StoreOption, Takes, Use, instead, remote};

    #[test]
    fn every_secret_that_has_a_file_says_so() {
        let file = |option: &StoreOption| option.option.takes == Takes::Value("FILE");
        let takes_files = |kind: &&Kind| kind.options.iter().any(file);
        for kind in KINDS.iter().filter(takes_files) {
            for name in kind.variables(&[Use::Secret]) {
                let said = format!("give {name} as a file, {name}_FILE");
                assert_eq!(instead(name), said);
            }
        }
        const NONE: Kind = Kind {
            variables: &[(Use::Secret, &["A_KEY"]), (Use::File, remote::FILES)],
            ..NOTHING
        };
        let said = "A_KEY can't, and the store takes no file in its place";
        assert_eq!(NONE.instead("A_KEY"), said);
        const OTHERS: Kind = Kind {
            variables: &[(Use::File, &["A_TOKEN_FILE", "A_CHAIN"])],
            ..NOTHING
        };
        let said = "A_KEY can't; give A_TOKEN_FILE or A_CHAIN in its place";
        assert_eq!(OTHERS.instead("A_KEY"), said);
    }
}
