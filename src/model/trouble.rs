//! Why a store could not answer.

use std::fmt;

use super::error::{Malformed, Os};
use super::name::Name;
use super::named::ShownPath;

/// Why a store, or one scope of it, could not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The key is no recipient of it.
    Denied,
    /// The system did not let it be read.
    Unreadable(Os),
    /// The system did not let it be written.
    Unwritable(Os),
    /// It is not what it should be.
    Corrupt(&'static str),
    /// Git left conflict markers in it.
    Conflict,
    /// It was written for something else, and put here afterwards; for what.
    Misplaced(String),
    /// It says not which secret it is, and such files are refused.
    Unbound,
    /// A link or path leads out of the store.
    Outside,
    /// It is larger than the number of bytes that doorkey reads.
    TooLarge(usize),
    /// There is nothing there.
    NoStore,
    /// The store can't be written by doorkey.
    ReadOnly,
    /// No key was found; where it was looked for.
    NoKey(String),
    /// The key can't be used; where it came from, and why.
    BadKey(String, &'static str),
    /// The key's file can be read or written by others; its path and mode.
    KeyExposed(String, u32),
    /// A list of recipients is not what it should be.
    BadRecipients(String, Malformed),
    /// The name is there already.
    Taken,
    /// The name is not there; the existing one that is most like it.
    Absent(Option<Name>),
    /// Secrets that would have to be opened, and can't be.
    Closed(Vec<String>),
    /// What was given is no recipient that doorkey can encrypt for; which, from 1. It may be a
    /// key's private half.
    BadRecipient(usize),
    /// Whoever was to be removed is no recipient.
    NotListed,
    /// No list names whoever was to be removed.
    Nowhere(String),
    /// This kind of store keeps no lists of recipients.
    NoLists,
    /// There is a store already.
    Exists,
    /// The key's file would lie inside the store; its path.
    KeyInside(String),
    /// Nobody is named as a recipient.
    NoRecipients(String),
    /// A server did not answer, or not with anything that counts, until there was no more time.
    Unreached {
        /// What was asked: method and address.
        what: String,
        /// How often.
        tries: u32,
        /// In what time, in milliseconds.
        within: u128,
        /// What came of the last try.
        last: String,
    },
    /// A server answered with something that can't be used, and would again.
    Unusable {
        /// What was asked: method and address.
        what: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The server did not let us in; how we asked, and why not.
    NotAdmitted {
        /// The method, and its mount.
        method: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// We have no right to this path.
    Forbidden(String),
    /// The newest version of this document is deleted.
    Deleted(String),
    /// The newest version of this document is destroyed.
    Destroyed(String),
    /// The server has nothing mounted there.
    NoMount(String),
    /// None of the documents that could hold a secret exists; their paths.
    NoDocument(Vec<String>),
    /// A setting is missing or can't be used; which, and why.
    Setting(String),
    /// The value is not UTF-8, and the store holds text only.
    NotText,
    /// Others changed it at the same time, again and again.
    Contended,
    /// Anything else: its kind, and the whole text.
    Of(&'static str, String),
}

/// What new stores say, of a kind and with their own text.
impl Trouble {
    /// No right to one thing.
    pub fn denied(what: impl fmt::Display) -> Self {
        Trouble::Of("denied", format!("denied: {what}"))
    }

    /// A credential that the store does not take.
    pub fn not_admitted(method: impl fmt::Display, why: impl fmt::Display) -> Self {
        Trouble::Of("not admitted", format!("not admitted by {method}: {why}"))
    }

    /// No answer in time.
    pub fn unreachable(what: impl fmt::Display) -> Self {
        Trouble::Of("unreachable", what.to_string())
    }

    /// A refusal of the system's to read.
    pub fn unreadable(why: impl Into<Os>) -> Self {
        Trouble::Unreadable(why.into())
    }

    /// A setting or a credential that is missing, or can't be used.
    pub fn setting(what: impl fmt::Display) -> Self {
        Trouble::Of("setting", what.to_string())
    }

    /// An answer that can't be used, and would be the same the next time.
    pub fn unusable(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        Trouble::Of("unusable", format!("{place}: {why}"))
    }

    /// Something that a launch can't do without.
    pub fn gone(what: impl fmt::Display) -> Self {
        Trouble::Of("gone", what.to_string())
    }

    /// Something that this kind of store can't do.
    pub fn read_only(what: impl fmt::Display) -> Self {
        Trouble::Of("read_only", what.to_string())
    }

    /// No secret of that name.
    pub fn no_secret() -> Self {
        Trouble::Absent(None)
    }

    /// A secret of that name that is there already.
    pub fn taken() -> Self {
        Trouble::Taken
    }

    /// The same, with what to do next.
    pub fn hint(self, hint: &str) -> Self {
        match self {
            Trouble::Of(kind, what) => Trouble::Of(kind, format!("{what}; {hint}")),
            other => other,
        }
    }

    /// Whether everything else would fail as well, so that it is said once.
    pub fn is_of_all(&self) -> bool {
        matches!(
            self,
            Trouble::NotAdmitted { .. } | Trouble::Of("not admitted", _)
        )
    }
}

impl Trouble {
    /// Whether another attempt, later, could go well: the store did not say no.
    pub fn is_unreached(&self) -> bool {
        matches!(
            self,
            Trouble::Unreached { .. } | Trouble::Of("unreachable", _)
        )
    }

    /// Whether the store as such said no.
    pub fn is_denial(&self) -> bool {
        use Trouble::{Forbidden, NotAdmitted, Of};
        matches!(
            self,
            Forbidden(_) | NotAdmitted { .. } | Of("denied" | "not admitted", _)
        )
    }

    /// Whether what was there is gone, or not for us any more.
    pub fn is_loss(&self) -> bool {
        use Trouble::{Deleted, Denied, Destroyed, NoDocument, Of};
        let is_gone = matches!(
            self,
            Denied | Deleted(_) | Destroyed(_) | NoDocument(_) | Of("gone", _)
        );
        is_gone || self.is_denial()
    }

    /// Whether the key alone is at fault, so that what is in the store can still be listed.
    pub fn is_of_key(&self) -> bool {
        matches!(
            self,
            Trouble::NoKey(_) | Trouble::BadKey(..) | Trouble::KeyExposed(..)
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Denied => f.write_str(
                "denied: the key is not one of its recipients; have somebody who can read it add the key",
            ),
            Trouble::Unreadable(why) => write!(f, "unreadable: {why}"),
            Trouble::Unwritable(why) => write!(f, "can't be written: {why}"),
            Trouble::Corrupt(why) => write!(f, "corrupt: {why}; restore it or set it again"),
            Trouble::Conflict => f.write_str(
                "git left conflict markers in it; take one side whole: git checkout --ours, or --theirs, and its path",
            ),
            Trouble::Misplaced(place) => write!(
                f,
                "refused: it was written for {place} and put here afterwards; restore it or set it again"
            ),
            Trouble::Unbound => f.write_str(
                "refused: it is bound to no name; see that it is the right one, then run doorkey store check --fix",
            ),
            Trouble::Outside => f.write_str("refused: it leads out of the store"),
            Trouble::TooLarge(limit) => write!(f, "larger than {limit} bytes"),
            Trouble::NoStore => {
                f.write_str("there is no store there; check the name, or make one with doorkey store init")
            }
            Trouble::ReadOnly => f.write_str("doorkey only reads this kind of store"),
            Trouble::NoKey(looked) => {
                write!(f, "no key: {looked}; give DOORKEY_KEY_FILE or DOORKEY_KEY")
            }
            Trouble::BadKey(from, why) => write!(f, "the key from {from} can't be used: {why}"),
            Trouble::KeyExposed(path, mode) => write!(
                f,
                "the key file {path} can be {} by others (mode {mode:04o}); run chmod 600 {path}",
                if mode & 0o022 == 0 { "read" } else { "written" }
            ),
            Trouble::BadRecipients(file, at) => {
                write!(f, "{file}:{}:{}: {}", at.line, at.column, at.reason)
            }
            Trouble::Taken => f.write_str("it exists already; to change it, use update or set"),
            Trouble::Absent(None) => f.write_str("there is no such secret"),
            Trouble::Absent(Some(near)) => {
                write!(f, "there is no such secret; did you mean {near}?")
            }
            Trouble::Closed(names) => {
                let names = names.join(", ");
                write!(f, "nothing is changed: {names} can't be opened; doorkey store check says why")
            }
            Trouble::BadRecipient(which) => write!(
                f,
                "argument {which} is no age recipient, the public half of a key (age1…)"
            ),
            Trouble::NotListed => f.write_str("there is no such recipient; nothing is changed"),
            Trouble::Nowhere(key) => {
                write!(f, "no list names {key}; nothing is changed")
            }
            Trouble::NoLists => f.write_str("this kind of store has no recipients"),
            Trouble::Exists => f.write_str("there is a store already"),
            Trouble::KeyInside(path) => {
                write!(f, "the key file {path} lies inside the store; give another DOORKEY_KEY_FILE")
            }
            Trouble::NoRecipients(file) => write!(f, "{file} names no recipient"),
            Trouble::Unreached { what, tries, within, last } => {
                let plural = if *tries == 1 { "try" } else { "tries" };
                let seconds = *within as f64 / 1000.0;
                write!(f, "{what}: gave up after {tries} {plural} in {seconds:.1} s; the last: {last}")
            }
            Trouble::Unusable { what, why } => write!(f, "{what}: {why}"),
            Trouble::NotAdmitted { method, why } => write!(f, "not admitted by {method}: {why}"),
            Trouble::Forbidden(path) => write!(
                f,
                "denied: the token may not use {}, or is no longer valid; its policies must allow it",
                ShownPath(path)
            ),
            Trouble::Deleted(path) => {
                let path = ShownPath(path);
                write!(f, "{path} is deleted; undelete it, or set its secrets again")
            }
            Trouble::Destroyed(path) => {
                write!(f, "{} is destroyed; set its secrets again", ShownPath(path))
            }
            Trouble::NoMount(mount) => {
                let mount = ShownPath(mount);
                write!(f, "nothing is mounted at {mount}; check the store's name")
            }
            Trouble::NoDocument(paths) => {
                let paths: Vec<_> = paths.iter().map(|path| ShownPath(path).to_string()).collect();
                let paths = paths.join(", ");
                write!(f, "none of {paths} exists; check the store's name, or set a secret")
            }
            Trouble::Setting(what) | Trouble::Of(_, what) => f.write_str(what),
            Trouble::NotText => f.write_str(
                "the value is not UTF-8, which this store can't hold; store it as base64, and read it with |base64decode",
            ),
            Trouble::Contended => {
                f.write_str("others change it at the same time; nothing is changed, try again")
            }
        }
    }
}
