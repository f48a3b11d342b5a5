//! Why a store could not answer, in what all stores have in common.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use super::error::Os;
use super::named::Named;

/// The reason why a store, or one scope of it, could not answer: a kind, the text that the store
/// gives, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}{}{hint}", if hint.is_empty() { "" } else { "; " })]
pub struct StoreError {
    kind: FaultKind,
    about: About,
    what: String,
    hint: Cow<'static, str>,
    source: Option<Os>,
}

/// Kinds of errors. What follows from an error depends on its kind, never on its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no right to one thing; others may be readable.
    Denied,
    /// The store does not know us at all, so that nothing is readable.
    NotAdmitted,
    /// There was no answer in time; another attempt could go well.
    Unreachable,
    /// The system did not let it be read.
    Unreadable,
    /// The system did not let it be written.
    Unwritable,
    /// It is not what it should be.
    Corrupt,
    /// It may be sound, and doorkey does not take it.
    Refused,
    /// There is nothing there.
    Absent,
    /// It was there and is deleted, or a launch can't do without it.
    Gone,
    /// It is deleted for good.
    Destroyed,
    /// It is there already.
    Taken,
    /// This kind of store can't do it.
    ReadOnly,
    /// It is larger than what doorkey reads.
    TooLarge,
    /// A setting or a credential is missing, or can't be used.
    Setting,
    /// An answer, or a value, can't be used, and would be the same the next time.
    Unusable,
}

/// The thing that an error is about, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Anything,
    Key,
    Recipient,
    Secret,
}

impl StoreError {
    /// An error of a kind, with its whole text but for the hint.
    pub fn of(kind: FaultKind, what: impl fmt::Display) -> Self {
        StoreError {
            kind,
            about: About::Anything,
            what: what.to_string(),
            hint: Cow::Borrowed(""),
            source: None,
        }
    }

    /// No right to one thing: `denied: WHAT`.
    pub fn denied(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Denied, format_args!("denied: {what}"))
    }

    /// A credential that the store does not take: `not admitted by METHOD: WHY`.
    pub fn not_admitted(method: impl fmt::Display, why: impl fmt::Display) -> Self {
        let what = format_args!("not admitted by {method}: {why}");
        Self::of(FaultKind::NotAdmitted, what)
    }

    /// No answer in time.
    pub fn unreachable(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Unreachable, what)
    }

    /// A refusal of the system's to read, which is the source: `unreadable: WHY`.
    pub fn unreadable(why: impl Into<Os>) -> Self {
        let why = why.into();
        let error = Self::of(FaultKind::Unreadable, format_args!("unreadable: {why}"));
        error.because_of(why)
    }

    /// A refusal of the system's to write, which is the source: `can't be written: WHY`.
    pub fn unwritable(why: impl Into<Os>) -> Self {
        let why = why.into();
        let error = Self::of(
            FaultKind::Unwritable,
            format_args!("can't be written: {why}"),
        );
        error.because_of(why)
    }

    /// Something that is not what it should be: `corrupt: WHAT`.
    pub fn corrupt(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Corrupt, format_args!("corrupt: {what}"))
    }

    /// Something that doorkey does not take: `refused: WHAT`.
    pub fn refused(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Refused, format_args!("refused: {what}"))
    }

    /// Nothing where something should be; a secret is [`StoreError::no_secret`].
    pub fn absent(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Absent, what)
    }

    /// No secret of that name.
    pub fn no_secret() -> Self {
        Self::absent("there is no such secret").about(About::Secret)
    }

    /// Something that was there and is deleted, or that a launch can't do without.
    pub fn gone(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Gone, what)
    }

    /// Something that is deleted for good.
    pub fn destroyed(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Destroyed, what)
    }

    /// A secret of that name that is there already.
    pub fn taken() -> Self {
        Self::of(FaultKind::Taken, "it exists already").hint("to change it, use update or set")
    }

    /// Something that this kind of store can't do.
    pub fn read_only(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::ReadOnly, what)
    }

    /// Something that is larger than a number of bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::of(
            FaultKind::TooLarge,
            format_args!("larger than {limit} bytes"),
        )
    }

    /// A setting or a credential that is missing, or can't be used.
    pub fn setting(what: impl fmt::Display) -> Self {
        Self::of(FaultKind::Setting, what)
    }

    /// A path that a setting says, with what the system does not let us do there, which is the
    /// source: `can't read PATH: WHY`.
    pub fn file(doing: &str, path: &Named, why: impl Into<Os>) -> Self {
        let why = why.into();
        Self::setting(path.cannot(doing, why)).because_of(why)
    }

    /// An answer that can't be used, and would be the same the next time: `WHERE: WHY`.
    pub fn unusable(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::of(FaultKind::Unusable, format_args!("{place}: {why}"))
    }

    /// The same, with what to do next.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, with the system's error as its source.
    pub fn because_of(mut self, source: impl Into<Os>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, about the key that the store is read with.
    pub fn of_key(self) -> Self {
        self.about(About::Key)
    }

    /// The same, about a recipient.
    pub fn of_recipient(self) -> Self {
        self.about(About::Recipient)
    }

    fn about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// True if another attempt, later, could go well: the store did not say no.
    pub fn is_unreached(&self) -> bool {
        self.kind == FaultKind::Unreachable
    }

    /// True if the store as such said no, not a file that our key does not open.
    pub fn is_denial(&self) -> bool {
        matches!(self.kind, FaultKind::Denied | FaultKind::NotAdmitted) && self.about != About::Key
    }

    /// True if everything else would fail as well, so that it is said once.
    pub fn is_of_all(&self) -> bool {
        self.kind == FaultKind::NotAdmitted
    }

    /// True if it was there and is deleted.
    pub fn is_gone(&self) -> bool {
        matches!(self.kind, FaultKind::Gone | FaultKind::Destroyed)
    }

    /// True if what was there is gone, or not for us any more.
    pub fn is_loss(&self) -> bool {
        self.is_gone() || matches!(self.kind, FaultKind::Denied | FaultKind::NotAdmitted)
    }

    /// True if a secret of that name is not there.
    pub fn is_no_secret(&self) -> bool {
        self.kind == FaultKind::Absent && self.about == About::Secret
    }

    /// True if a recipient is in no such list.
    pub fn is_no_recipient(&self) -> bool {
        self.kind == FaultKind::Absent && self.about == About::Recipient
    }

    /// True if the key alone is at fault, so that what is in the store can still be listed.
    pub fn is_of_key(&self) -> bool {
        self.kind == FaultKind::Setting && self.about == About::Key
    }

    /// Its kind, in a word that stays (`kind` in the log).
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

    /// What a reference is whose value can't be had for it, in a word (`doorkey check`).
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
