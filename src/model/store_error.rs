//! Reasons why a store could not answer, in terms that all stores share.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use super::error::Os;
use super::named::Named;

/// The reason why a store, or one scope of it, could not answer. It has a kind, the store's text,
/// and a hint for the next step.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}{}{hint}", if hint.is_empty() { "" } else { "; " })]
pub struct StoreError {
    kind: FaultKind,
    about: About,
    what: String,
    hint: Cow<'static, str>,
    source: Option<Os>,
}

/// Kinds of errors. The consequences of an error depend on its kind, never on its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No right to one thing; others may be readable.
    Denied,
    /// A login that the store does not accept, so that nothing is readable.
    NotAdmitted,
    /// No answer in time; another attempt could succeed.
    Unreachable,
    /// A refusal of the system to read.
    Unreadable,
    /// A refusal of the system to write.
    Unwritable,
    /// Corrupt content.
    Corrupt,
    /// Content that may be sound, but that doorkey does not take.
    Refused,
    /// A missing thing.
    Absent,
    /// A deleted thing, or one that a launch can't do without.
    Gone,
    /// A thing that is deleted for good.
    Destroyed,
    /// A thing that exists already.
    Taken,
    /// A change that this kind of store can't make.
    ReadOnly,
    /// A thing that is larger than doorkey's limit.
    TooLarge,
    /// A setting or a credential is missing, or can't be used.
    Setting,
    /// An answer, or a value, can't be used, and would be the same the next time.
    Unusable,
}

/// The subject of an error, if that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Anything,
    Key,
    Recipient,
    Secret,
}

impl StoreError {
    /// Makes an error of a kind, with its whole text but for the hint.
    pub fn of(kind: FaultKind, what: impl fmt::Display) -> Self {
        StoreError {
            kind,
            about: About::Anything,
            what: what.to_string(),
            hint: Cow::Borrowed(""),
            source: None,
        }
    }

    /// Makes the error for one thing to which there is no right: `denied: WHAT`.
    pub fn denied(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Denied, format_args!("denied: {what}"))
    }

    /// Makes the error for a credential that the store does not accept: `not admitted by METHOD:
    /// WHY`.
    pub fn not_admitted(method: impl fmt::Display, why: impl fmt::Display) -> Self {
        let what = format_args!("not admitted by {method}: {why}");
        Self::of(FaultKind::NotAdmitted, what)
    }

    /// Makes the error for no answer in time.
    pub fn unreachable(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Unreachable, what)
    }

    /// Makes the error for a refusal of the system to read, which is its source: `unreadable: WHY`.
    pub fn unreadable(why: impl Into<Os>) -> Self {
        let why = why.into();
        let error = Self::of(FaultKind::Unreadable, format_args!("unreadable: {why}"));
        error.because_of(why)
    }

    /// Makes the error for a refusal of the system to write, which is its source: `can't be
    /// written: WHY`.
    pub fn unwritable(why: impl Into<Os>) -> Self {
        let why = why.into();
        let error = Self::of(
            FaultKind::Unwritable,
            format_args!("can't be written: {why}"),
        );
        error.because_of(why)
    }

    /// Makes the error for corrupt content: `corrupt: WHAT`.
    pub fn corrupt(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Corrupt, format_args!("corrupt: {what}"))
    }

    /// Makes the error for content that doorkey does not take: `refused: WHAT`.
    pub fn refused(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Refused, format_args!("refused: {what}"))
    }

    /// Makes the error for a missing thing. [`StoreError::no_secret`] is the one for a secret.
    pub fn absent(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Absent, what)
    }

    /// Makes the error for a missing secret.
    pub fn no_secret() -> Self {
        Self::absent("there is no such secret").about(About::Secret)
    }

    /// Makes the error for a deleted thing, or one that a launch can't do without.
    pub fn gone(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Gone, what)
    }

    /// Makes the error for a thing that is deleted for good.
    pub fn destroyed(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Destroyed, what)
    }

    /// Makes the error for a secret that exists already.
    pub fn taken() -> Self {
        Self::of(FaultKind::Taken, "it exists already").hint("to change it, use update or set")
    }

    /// Makes the error for a change that this kind of store can't make.
    pub fn read_only(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::ReadOnly, what)
    }

    /// Makes the error for a thing that is larger than a number of bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::of(
            FaultKind::TooLarge,
            format_args!("larger than {limit} bytes"),
        )
    }

    /// Makes the error for a setting or a credential that is missing, or can't be used.
    pub fn setting(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Setting, what)
    }

    /// Makes the error for a setting's path that the system does not let us use. The system's error
    /// is its source: `can't read PATH: WHY`.
    pub fn file(doing: &str, path: &Named, why: impl Into<Os>) -> Self {
        let why = why.into();
        Self::setting(path.cannot(doing, why)).because_of(why)
    }

    /// Makes the error for an answer that can't be used, and would be the same the next time:
    /// `WHERE: WHY`.
    pub fn unusable(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::of(FaultKind::Unusable, format_args!("{place}: {why}"))
    }

    /// Adds a hint for the next step.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds the system's error as the source.
    pub fn because_of(mut self, source: impl Into<Os>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks the error as one about the key that the store is read with.
    pub fn of_key(self) -> Self {
        self.about(About::Key)
    }

    /// Marks the error as one about a recipient.
    pub fn of_recipient(self) -> Self {
        self.about(About::Recipient)
    }

    fn about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// True if a later attempt could succeed: the store did not refuse.
    pub fn is_unreached(&self) -> bool {
        self.kind == FaultKind::Unreachable
    }

    /// True if the store itself refused. A file that our key does not open is no such refusal.
    pub fn is_denial(&self) -> bool {
        matches!(self.kind, FaultKind::Denied | FaultKind::NotAdmitted) && self.about != About::Key
    }

    /// True if a key that we have does not open the thing.
    pub fn is_closed(&self) -> bool {
        self.kind == FaultKind::Denied && self.about == About::Key
    }

    /// True if everything else would fail as well. Such an error is printed once.
    pub fn is_of_all(&self) -> bool {
        self.kind == FaultKind::NotAdmitted
    }

    /// True if the thing was deleted.
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, FaultKind::Gone | FaultKind::Destroyed)
    }

    /// True if the thing is deleted, or no longer readable for us.
    pub fn is_loss(&self) -> bool {
        self.is_gone() || matches!(self.kind, FaultKind::Denied | FaultKind::NotAdmitted)
    }

    /// True if the secret does not exist.
    pub fn is_no_secret(&self) -> bool {
        self.kind == FaultKind::Absent && self.about == About::Secret
    }

    /// True if the secret exists already.
    pub fn is_taken(&self) -> bool {
        self.kind == FaultKind::Taken
    }

    /// True if the thing does not exist.
    pub fn is_absent(&self) -> bool {
        self.kind == FaultKind::Absent
    }

    /// True if the recipient is not in the list.
    pub fn is_no_recipient(&self) -> bool {
        self.kind == FaultKind::Absent && self.about == About::Recipient
    }

    /// True if the key alone is at fault, so that the store's content can still be listed.
    pub fn is_of_key(&self) -> bool {
        self.kind == FaultKind::Setting && self.about == About::Key
    }

    /// Returns the kind in a fixed word (`kind` in the log).
    pub fn kind(&self) -> &'static str {
        match self.kind {
            FaultKind::Denied | FaultKind::NotAdmitted => "denied",
            FaultKind::Unreachable => "unreachable",
            FaultKind::Unreadable => "unreadable",
            FaultKind::Unwritable => "unwritable",
            FaultKind::Corrupt | FaultKind::Refused => "corrupt",
            FaultKind::Absent | FaultKind::Gone | FaultKind::Destroyed => "absent",
            FaultKind::Taken => "taken",
            FaultKind::ReadOnly => "read_only",
            FaultKind::TooLarge => "too_large",
            FaultKind::Setting => "setting",
            FaultKind::Unusable => "unusable",
        }
    }

    /// Returns the status of a reference whose value this error withholds, in a word (`doorkey
    /// check`).
    pub fn status(&self) -> &'static str {
        match self.kind {
            FaultKind::Denied | FaultKind::NotAdmitted => "denied",
            FaultKind::Unreachable => "unreachable",
            FaultKind::Corrupt | FaultKind::Unusable => "corrupt",
            FaultKind::Refused => "refused",
            FaultKind::Gone => "deleted",
            FaultKind::Destroyed => "destroyed",
            _ => "unreadable",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{Os, StoreError};

    #[test]
    fn what_is_said_and_what_follows() {
        let denied = StoreError::denied("no right to app/db").hint("ask for one");
        assert_eq!(
            denied.to_string(),
            "denied: no right to app/db; ask for one"
        );
        assert!(denied.is_denial() && denied.is_loss() && !denied.is_of_all());
        assert!(denied.source().is_none());
        let key = StoreError::denied("the key does not open it").of_key();
        assert!(!key.is_denial() && key.is_loss() && !key.is_of_key());
        let unreadable = StoreError::unreadable(Os(13));
        assert_eq!(unreadable.to_string(), "unreadable: permission denied");
        let source = unreadable.source().and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&Os(13)));
        assert!(StoreError::no_secret().is_no_secret());
        assert!(!StoreError::absent("there is no store").is_no_secret());
        assert!(StoreError::destroyed("a").is_gone() && !StoreError::no_secret().is_loss());
        assert!(StoreError::not_admitted("token", "expired").is_of_all());
    }
}
