//! Kinds of errors, in words that others may rely on.

use super::error::{Cause, Error};

impl Error {
    /// Returns the kind of the error, in a fixed word.
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
            Cause::NotJson(_) | Cause::NoMember { .. } | Cause::NotBase64(_) | Cause::Nul => {
                "value"
            }
            Cause::NoFileName | Cause::SameFile(_) => "file",
            Cause::TooLong(_) => "too_large",
            Cause::NotHere(_) => "missing",
            Cause::InText(..) => "malformed",
            Cause::Unfilled(..) => "missing",
        }
    }
}
