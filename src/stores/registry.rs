//! The table of stores. The command line, the configuration file, the grammar of references and the
//! texts of faults take their facts about stores from it.

use std::sync::{Arc, OnceLock};

use super::context::{Access, Context};
use super::kind::{Asked, Kind, NOTHING, Places, Use, is_ours};
use super::{
    Store, age, aws, aws_sm, aws_ssm, azure, azure_kv, dir, exec, file, gcp, gcp_sm, k8s, remote,
    settings, vault,
};
use crate::core::option::InFile;
use crate::model::error::{Error, StoreError};
use crate::model::location::Scheme;
use crate::model::named;
use crate::model::reference::Direct;

/// Every kind of store.
pub static KINDS: &[Kind] = &[
    Kind {
        schemes: &["age"],
        options: age::OPTIONS,
        variables: &[(Use::Secret, &[age::KEY]), (Use::Reading, &[age::KEY])],
        is_local: true,
        open: age::open,
        ..NOTHING
    },
    Kind {
        schemes: &["dir"],
        options: dir::OPTIONS,
        is_local: true,
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
            asked: None,
        }),
        is_remote: true,
        is_local: false,
        lends: vault::ADDRESSES,
        apart: vault::are_two,
        open: vault::open,
    },
    Kind {
        schemes: &["aws-sm"],
        place: "PREFIX",
        heading: "AWS Secrets Manager",
        options: aws_sm::OPTIONS,
        direct: Some(aws_sm::PLACES),
        open: aws_sm::open,
        ..aws::KIND
    },
    Kind {
        schemes: &["aws-ssm"],
        place: "/PREFIX",
        heading: "AWS SSM Parameter Store",
        options: aws_ssm::OPTIONS,
        direct: Some(aws_ssm::PLACES),
        open: aws_ssm::open,
        ..aws::KIND
    },
    Kind {
        schemes: &["azure-kv"],
        place: "VAULT/PREFIX",
        heading: "Azure Key Vault",
        direct: Some(azure_kv::PLACES),
        open: azure_kv::open,
        ..azure::KIND
    },
    Kind {
        schemes: &[azure_kv::PEER],
        place: "",
        direct: Some(azure_kv::PEERS),
        open: azure_kv::open,
        ..azure::KIND
    },
    Kind {
        schemes: &["gcp-sm", "gcp:secretmanager"],
        place: "PROJECT/PREFIX",
        heading: "Google Secret Manager",
        options: gcp_sm::OPTIONS,
        direct: Some(Places {
            judge: gcp_sm::judge,
            hands_over: |_| false,
            asked: None,
        }),
        open: gcp_sm::open,
        ..gcp::KIND
    },
    Kind {
        schemes: &["k8s"],
        place: "NAMESPACE/PREFIX",
        heading: "Kubernetes",
        options: k8s::OPTIONS,
        splits: true,
        variables: k8s::VARIABLES,
        direct: Some(Places {
            judge: k8s::judge,
            hands_over: |_| false,
            asked: None,
        }),
        is_remote: true,
        open: k8s::open,
        ..NOTHING
    },
    Kind {
        schemes: &["exec"],
        place: "PROGRAM",
        heading: "A program",
        open: exec::open,
        ..NOTHING
    },
    Kind {
        schemes: &["file"],
        place: "",
        heading: "Single files",
        variables: file::VARIABLES,
        direct: Some(Places {
            judge: file::judge,
            hands_over: |_| false,
            asked: Some(Asked {
                word: "file",
                bare: None,
            }),
        }),
        open: file::open,
        ..NOTHING
    },
];

/// Another table that replaces this one, if there is one.
static INSTEAD: OnceLock<&[Kind]> = OnceLock::new();

/// Makes another table count, which a program with a store of its own makes from this one. The
/// first table that is given stays.
pub fn use_table(kinds: &'static [Kind]) {
    INSTEAD.get_or_init(|| kinds);
}

/// The table that counts.
pub fn kinds() -> &'static [Kind] {
    INSTEAD.get().copied().unwrap_or(KINDS)
}

/// The environment variables that are doorkey's own, and are no option's.
pub fn ours() -> impl Iterator<Item = &'static str> {
    let rows = kinds().iter().flat_map(|kind| kind.variables);
    let names = rows.flat_map(|(_, names)| names.iter().copied());
    names.filter(|name| is_ours(name))
}

/// Gives the kind of the store at `location`, and the text after the scheme's colon. A scheme of
/// another tool's references can have a colon in it.
pub(super) fn kind(location: &str) -> Option<(&'static Kind, &str)> {
    let after = |scheme: &&str| location.strip_prefix(*scheme)?.strip_prefix(':');
    let mut all = kinds().iter();
    all.find_map(|kind| Some((kind, kind.schemes.iter().find_map(after)?)))
}

/// True if the store at `location` looks a name up in files, and starts nothing.
pub fn is_local(location: &str) -> bool {
    kind(location).is_some_and(|(kind, _)| kind.is_local)
}

/// Lists the schemes of references to single places, also those that count only with these words.
pub fn schemes(words: &[&str]) -> Vec<Scheme> {
    let mut schemes = Vec::new();
    for kind in kinds() {
        let Some(Places { judge, asked, .. }) = kind.direct else {
            continue;
        };
        let is_asked = asked.is_none_or(|asked| words.contains(&asked.word));
        let bare = asked.and_then(|asked| asked.bare);
        if is_asked || bare.is_some() {
            let bare = bare.filter(|_| is_asked);
            let kinds = kind.schemes.iter();
            schemes.extend(kinds.map(|word| Scheme { word, judge, bare }));
        }
    }
    schemes
}

/// Lists the words that make more values count as references, each once.
pub fn references() -> Vec<&'static str> {
    let mut words: Vec<_> = all_asked().map(|(_, asked)| asked.word).collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn all_asked() -> impl Iterator<Item = (&'static Kind, Asked)> {
    let kinds = kinds().iter();
    kinds.filter_map(|kind| Some((kind, kind.direct.as_ref()?.asked?)))
}

/// Prefixes of `secret-init`'s references. That tool takes each such value for one, whatever the
/// application does with it.
const PEERS: [&str; 4] = ["vault:", "bao:", "gcp:secretmanager:", "azure:keyvault:"];

/// Tells if a value would be a reference to `secret-init`. The inner value is the word that makes
/// it one here, if there is such a word.
pub fn likely(value: &[u8]) -> Option<Option<&'static str>> {
    let text = str::from_utf8(value).ok()?;
    if PEERS.iter().any(|peer| text.starts_with(peer)) {
        return Some(None);
    }
    let mut asked = all_asked().filter(|(kind, asked)| match asked.bare {
        Some(is_one) => is_one(text),
        None => {
            let mut schemes = kind.schemes.iter();
            schemes.any(|scheme| {
                let rest = text.strip_prefix(scheme);
                rest.is_some_and(|rest| rest.starts_with(':'))
            })
        }
    });
    asked.next().map(|(_, asked)| Some(asked.word))
}

/// True if a reference is to the store's own credential, which the workload is then given.
pub fn is_handed_over(place: &Direct) -> bool {
    let mut all = kinds().iter();
    let kind = all.find(|kind| kind.schemes.contains(&place.scheme));
    let places = kind.and_then(|kind| kind.direct.as_ref());
    places.is_some_and(|places| (places.hands_over)(&place.location))
}

/// Lists the options of stores that can stand at the top of the configuration file.
pub fn configurable() -> impl Iterator<Item = (&'static str, InFile)> {
    let options = kinds().iter().flat_map(|kind| kind.options);
    let options = options.filter(|option| option.flag && option.file != InFile::Never);
    options.map(|option| (option.option.id, option.file))
}

/// The forms of a store's name, as help and faults list them.
pub fn forms() -> String {
    let forms = kinds().iter().filter(|kind| !kind.place.is_empty());
    let forms = forms.filter_map(|kind| Some(format!("{}:{}", kind.schemes.first()?, kind.place)));
    let mut forms: Vec<_> = forms.collect();
    let last = forms.pop().unwrap_or_default();
    format!("{} or {last}", forms.join(", "))
}

/// The error that no store is named, with the forms of a name.
pub fn unnamed() -> Error {
    Error::NoStore(forms())
}

/// Opens the store that the scopes are in, which `location` names as `SCHEME:PLACE`.
///
/// # Errors
/// A usage error for an unknown scheme, or the fault that keeps the store from being opened.
pub fn open(location: &str, access: &Arc<Access>) -> Result<Box<dyn Store>, Error> {
    let Some((kind, after)) = kind(location) else {
        let form = |kind: &Kind| {
            // One with a colon in it is for references alone.
            let forms = kind.schemes.iter().filter(|scheme| !scheme.contains(':'));
            let forms = forms.map(|scheme| format!("{scheme}:{}", kind.place));
            forms.collect::<Vec<_>>().join(", ")
        };
        let kinds = kinds().iter().filter(|kind| !kind.place.is_empty());
        let known: Vec<_> = kinds.map(form).collect();
        return Err(Error::Usage(format!(
            "the store must be one of {}",
            known.join(", ")
        )));
    };
    let fail = |trouble| Error::Store {
        store: named::location(location),
        trouble,
    };
    judge_texts(kind, access).map_err(fail)?;
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
/// The fault that keeps the store from being opened.
pub fn open_places(scheme: &str, access: &Arc<Access>) -> Result<Box<dyn Store>, Error> {
    let store = format!("{scheme}:");
    let mut all = kinds().iter();
    let Some(kind) = all.find(|kind| kind.schemes.contains(&scheme)) else {
        return Err(unnamed());
    };
    let name = format!("{}:", kind.same(scheme, access)[0]);
    let context = Arc::new(Context::new(access, name, vec![]));
    let opened = judge_texts(kind, access).and_then(|()| (kind.open)("", &context));
    opened.map_err(|trouble| Error::Store { store, trouble })
}

/// Refuses a variable of a kind that is no text: passed over, it would change what is meant.
fn judge_texts(kind: &Kind, access: &Access) -> Result<(), StoreError> {
    let is_text = |name: &str| str::from_utf8(access.variable(name).unwrap_or_default()).is_ok();
    let mut names = kind.variables(&[Use::Own, Use::Kept]);
    match names.find(|name| !is_text(name)) {
        Some(name) => Err(StoreError::setting(format_args!("{name} is not UTF-8"))),
        None => Ok(()),
    }
}

/// True if two names are of stores of the same kind.
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
    use super::{KINDS, Kind, NOTHING, Use, remote};
    use crate::core::option::Takes;
    use crate::stores::kind::StoreOption;
    use crate::stores::variables::instead;

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
