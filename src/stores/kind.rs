//! The type of a row in the table of stores.

use std::sync::Arc;

use super::context::{Access, Context, Opened};
use super::{dir, remote};
use crate::core::option::{InFile, Opt};
use crate::model::location::{Judge, Location};

/// Defines one list of variables' names twice: as doorkey's own, with `DOORKEY_` in front, and as
/// everybody's.
macro_rules! variables {
    ($prefix:literal: $($ours:ident, $theirs:ident = $($name:literal),+;)*) => {$(
        pub const $ours: &[&str] = &[$(concat!("DOORKEY_", $prefix, $name)),+];
        pub const $theirs: &[&str] = &[$(concat!($prefix, $name)),+];
    )*};
}
pub(super) use variables;

/// Lists the environment variables of a cloud by their uses: secrets and settings of doorkey's own,
/// files that can replace its secrets, everybody's secrets and settings.
pub(super) const fn of_cloud(
    [our_secrets, our_settings, files, secrets, settings]: [&'static [&'static str]; 5],
) -> [(Use, &'static [&'static str]); 7] {
    [
        (Use::Secret, our_secrets),
        (Use::Own, our_settings),
        (Use::File, files),
        (Use::Kept, secrets),
        (Use::Kept, settings),
        (Use::Kept, remote::VARIABLES),
        (Use::File, remote::FILES),
    ]
}

/// A kind of store.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Schemes: the words before the colon, in a store's name and in references to single places.
    pub schemes: &'static [&'static str],
    /// The form of the text after the colon; empty if the kind has single places only, and no
    /// store.
    pub place: &'static str,
    /// The heading above the options in the help.
    pub heading: &'static str,
    /// The options of the kind.
    pub options: &'static [StoreOption],
    /// True if options can follow the place, as `?KEY=VALUE&KEY=VALUE`. If false, a `?` is part of
    /// the place.
    pub splits: bool,
    /// Environment variables of the kind, apart from those that stand for options.
    pub variables: &'static [(Use, &'static [&'static str])],
    /// True if the value of a secret's variable may stay in memory, as it is no secret.
    pub stays: fn(&str, &[u8]) -> bool,
    /// Single places that references can name; `None` if there are none.
    pub direct: Option<Places>,
    /// True if the store asks a server that other launches ask as well.
    pub is_remote: bool,
    /// True if the store looks a name up in files, and starts nothing.
    pub is_local: bool,
    /// Environment variables that name a server which may lend values.
    pub lends: &'static [&'static str],
    /// True if the settings make each scheme stand for a separate store.
    pub apart: fn(&Access) -> bool,
    /// Opens the store at a place. Nothing is asked.
    pub open: fn(&str, &Arc<Context>) -> Opened,
}

/// An option of a kind of store.
pub struct StoreOption {
    /// The id, the value and the description.
    pub option: Opt,
    /// The configuration files that can set the option.
    pub file: InFile,
    /// True if the command line has the option, and with it a variable and the top of the
    /// configuration file. New options only follow the place, or stand in `[store]`.
    pub flag: bool,
}

impl StoreOption {
    /// An option that stands behind the place, and in `[store]` of a configuration file.
    pub const fn new(option: Opt, file: InFile) -> Self {
        let flag = false;
        StoreOption { option, file, flag }
    }

    /// An option that the command line has as well.
    pub const fn flag(option: Opt, file: InFile) -> Self {
        let flag = true;
        StoreOption { option, file, flag }
    }
}

/// The use that a store makes of an environment variable. One can have several uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A secret: overwritten in place as soon as it is read, and never passed to the workload.
    Secret,
    /// A secret that serves to read values, and nothing else.
    Reading,
    /// A setting of the store alone: read, and never passed to the workload. A `*` at the end
    /// stands for all names that begin so.
    Own,
    /// A variable that is read, and that the workload keeps. It belongs to everybody, or gives the
    /// workload its identity.
    Kept,
    /// A list of variables that the workload keeps although they are the store's own.
    Passing,
    /// A list of documents whose members are added to the environment. The first name of a row that
    /// is set counts.
    Listing,
    /// The path of a file with a credential, which can be read again.
    File,
}

/// The single places of a kind of store.
#[derive(Clone, Copy)]
pub struct Places {
    /// Checks the location in a reference. Gives the location that is meant, or the reason why it
    /// is none.
    pub judge: Judge,
    /// True if the place is doorkey's own credential. The workload then gets it in an environment
    /// variable of the store.
    pub hands_over: fn(&Location) -> bool,
    /// References that count only if the user asks for them, as applications have such values too.
    pub asked: Option<Asked>,
}

/// References that count only with a word in `--references`.
#[derive(Clone, Copy)]
pub struct Asked {
    /// The word.
    pub word: &'static str,
    /// True if a value without the scheme and its colon is a reference as it stands. `None` if the
    /// word is for references with the scheme.
    pub bare: Option<fn(&str) -> bool>,
}

/// The defaults of a row.
pub const NOTHING: Kind = Kind {
    schemes: &[],
    place: "DIR",
    heading: "Store",
    options: &[],
    splits: false,
    variables: &[],
    stays: |_, _| false,
    direct: None,
    is_remote: false,
    is_local: false,
    lends: &[],
    apart: |_| false,
    open: dir::open,
};

impl Kind {
    /// Lists the schemes that stand for the same store as a given one.
    pub fn same(&self, scheme: &str, access: &Access) -> &'static [&'static str] {
        let at = self.schemes.iter().position(|known| *known == scheme);
        match at {
            Some(at) if (self.apart)(access) => &self.schemes[at..=at],
            _ => self.schemes,
        }
    }

    /// Lists the environment variables that have one of these uses.
    pub fn variables(&self, uses: &[Use]) -> impl Iterator<Item = &'static str> {
        let lists = self.variables.iter();
        let lists = lists.filter(move |(of, _)| uses.contains(of));
        lists.flat_map(|(_, names)| names.iter().copied())
    }

    /// Names what can replace a secret's variable and can be read again.
    pub fn instead(&self, name: &str) -> String {
        let file = format!("{name}_FILE");
        let mut options = self.options.iter().map(|option| option.option.id);
        let is_option = options.any(|id| {
            let own = file.strip_prefix("DOORKEY_").unwrap_or_default();
            own.eq_ignore_ascii_case(&id.replace('-', "_"))
        });
        let mut files: Vec<_> = self.variables(&[Use::File]).collect();
        files.retain(|file| !remote::FILES.contains(file));
        if is_option || files.contains(&&*file) {
            return format!("give {name} as a file, {file}");
        }
        match files.is_empty() {
            true => format!("{name} can't, and the store takes no file in its place"),
            false => format!("{name} can't; give {} in its place", files.join(" or ")),
        }
    }

    /// True if the kind has credentials that are doorkey's own, whatever the store.
    pub fn is_ours(&self) -> bool {
        let mut secrets = self.variables(&[Use::Secret]);
        secrets.any(is_ours)
    }
}

/// True if a variable is doorkey's own by its name.
pub fn is_ours(name: &str) -> bool {
    name.starts_with("DOORKEY_")
}
