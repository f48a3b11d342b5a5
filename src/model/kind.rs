//! Kinds of errors, in words that others may rely on.

use super::error::{Cause, Error, Trouble};

impl Error {
    /// Its kind, in a word that stays.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Usage(_) | Error::NoStore(_) => "usage",
            Error::Fault(fault) => fault.cause.kind(),
            Error::Text { .. } => "malformed",
            Error::Store { trouble, .. } => trouble.kind(),
            Error::All(_) | Error::Declined | Error::Found { .. } => "other",
            Error::File { .. } | Error::NoMemoryFile { .. } => "file",
            Error::Unjoinable(_) => "unjoinable",
            Error::NotFound(_) | Error::NotExecutable { .. } => "command",
            Error::TooLargeTogether { .. } => "too_large",
        }
    }
}

impl Cause {
    fn kind(&self) -> &'static str {
        match self {
            Cause::Malformed(_) | Cause::NoVariable => "malformed",
            Cause::Missing { .. } | Cause::Absent { .. } => "absent",
            Cause::NotInForce(_) => "usage",
            Cause::Failed { trouble, .. } => trouble.kind(),
            Cause::NotJson(_) | Cause::NoMember(_) | Cause::NotBase64(_) | Cause::Nul => "value",
            Cause::NoFileName | Cause::SameFile(_) => "file",
            Cause::TooLong(_) => "too_large",
        }
    }
}

impl Trouble {
    /// Its kind, in a word that stays.
    pub fn kind(&self) -> &'static str {
        match self {
            Trouble::Denied | Trouble::NotAdmitted { .. } | Trouble::Forbidden(_) => "denied",
            Trouble::Unreached { .. } => "unreachable",
            Trouble::Unreadable(_) => "unreadable",
            Trouble::Unwritable(_) => "unwritable",
            Trouble::Corrupt(_)
            | Trouble::Conflict
            | Trouble::Misplaced(_)
            | Trouble::Unbound
            | Trouble::Outside
            | Trouble::BadRecipients(..) => "corrupt",
            Trouble::Absent(_)
            | Trouble::NoStore
            | Trouble::NotListed
            | Trouble::Nowhere(_)
            | Trouble::Deleted(_)
            | Trouble::Destroyed(_)
            | Trouble::NoMount(_)
            | Trouble::NoDocument(_) => "absent",
            Trouble::Of("gone", _) => "absent",
            Trouble::Of("not admitted", _) => "denied",
            Trouble::Of(kind, _) => kind,
            Trouble::Taken | Trouble::Exists => "taken",
            Trouble::ReadOnly | Trouble::NoLists => "read_only",
            Trouble::TooLarge(_) => "too_large",
            Trouble::NoKey(_)
            | Trouble::BadKey(..)
            | Trouble::KeyExposed(..)
            | Trouble::KeyInside(_)
            | Trouble::NoRecipients(_)
            | Trouble::Setting(_) => "setting",
            _ => "unusable",
        }
    }
}
