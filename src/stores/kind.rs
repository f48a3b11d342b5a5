//! What a row of the table of stores says.

use std::sync::Arc;

use super::context::{Access, Context, Opened};
use super::{dir, remote};
use crate::core::option::{InFile, Opt};
use crate::model::location::{Judge, Location};

/// A kind of store.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What stands before the colon: of a store's name, and of references to single places in it.
    pub schemes: &'static [&'static str],
    /// The form of what stands after it; empty where there are single places alone, and no store.
    pub place: &'static str,
    /// What stands above its options in the help.
    pub heading: &'static str,
    /// Its options.
    pub options: &'static [StoreOption],
    /// Whether they can stand behind its place, as `?KEY=VALUE&KEY=VALUE`; else a `?` is part of
    /// the place.
    pub splits: bool,
    /// The variables that it has to do with, beside those that stand for options.
    pub variables: &'static [(Use, &'static [&'static str])],
    /// Whether what a secret's variable holds may stay in memory: it is no secret.
    pub stays: fn(&str, &[u8]) -> bool,
    /// What references to single places in it can be; `None` where there are none.
    pub direct: Option<Places>,
    /// Whether a server is asked that others ask as well.
    pub is_remote: bool,
    /// The variables by which a server is named that may lend what it gives.
    pub lends: &'static [&'static str],
    /// Whether each of its schemes is of a store of its own, by what is set.
    pub apart: fn(&Access) -> bool,
    /// Opens the store at a place. Nothing is asked.
    pub open: fn(&str, &Arc<Context>) -> Opened,
}

/// An option of a kind of store.
pub struct StoreOption {
    /// Its id, its value, and what it is.
    pub option: Opt,
    /// Whether a configuration file can say it.
    pub file: InFile,
    /// Whether the command line has it, too, and with it a variable, and the top of the
    /// configuration file. New ones stand behind the place, and in `[store]`.
    pub flag: bool,
}

impl StoreOption {
    /// An option that stands behind the place, and in `[store]` of a configuration file.
    pub const fn new(option: Opt, file: InFile) -> Self {
        let flag = false;
        StoreOption { option, file, flag }
    }

    /// One that the command line has as well.
    pub const fn flag(option: Opt, file: InFile) -> Self {
        let flag = true;
        StoreOption { option, file, flag }
    }
}

/// What a variable is to a store. One can be several things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A secret: overwritten where it stands as soon as it is read, and no workload gets it.
    Secret,
    /// Of the secrets one that serves to read values, and nothing else.
    Reading,
    /// About the store, and nothing else: read, and no workload gets it. A `*` at its end stands
    /// for all that begin so.
    Own,
    /// Read, and the workload keeps it: it is everybody's, or how the workload says who it is.
    Kept,
    /// A list of variables that the workload keeps although they are the store's own.
    Passing,
    /// A list of documents whose members are added to the environment: of the names of one row the
    /// first that is set counts.
    Listing,
    /// The path of a file with a credential, which can be read again.
    File,
}

/// The single places of a kind of store.
#[derive(Clone, Copy)]
pub struct Places {
    /// Takes a location as a reference says it: the one that is meant, or why it can't be one.
    pub judge: Judge,
    /// Whether what is there is our own credential, which a variable of the store's is to hold
    /// for the workload then.
    pub hands_over: fn(&Location) -> bool,
    /// What is a reference only where the user says so, as applications have such values, too.
    pub asked: Option<Asked>,
}

/// References that count only with a word in `--references`.
#[derive(Clone, Copy)]
pub struct Asked {
    /// The word.
    pub word: &'static str,
    /// Whether a value without the scheme and its colon is a reference, as it stands; `None` where
    /// the word is for those with the scheme.
    pub bare: Option<fn(&str) -> bool>,
}

/// What a row has where it says nothing else.
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
    lends: &[],
    apart: |_| false,
    open: dir::open,
};

impl Kind {
    /// The schemes that stand for the same store as one of them.
    pub fn same(&self, scheme: &str, access: &Access) -> &'static [&'static str] {
        let at = self.schemes.iter().position(|known| *known == scheme);
        match at {
            Some(at) if (self.apart)(access) => &self.schemes[at..=at],
            _ => self.schemes,
        }
    }

    /// Its variables of some uses.
    pub fn variables(&self, uses: &[Use]) -> impl Iterator<Item = &'static str> {
        let lists = self.variables.iter();
        let lists = lists.filter(move |(of, _)| uses.contains(of));
        lists.flat_map(|(_, names)| names.iter().copied())
    }

    /// What can be given, and read again, in the place of a secret's variable.
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

    /// Whether it has credentials that are doorkey's own, whatever the store.
    pub fn is_ours(&self) -> bool {
        let mut secrets = self.variables(&[Use::Secret]);
        secrets.any(is_ours)
    }
}

/// Whether a variable is doorkey's own by its name.
pub fn is_ours(name: &str) -> bool {
    name.starts_with("DOORKEY_")
}
