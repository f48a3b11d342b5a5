//! Lines of the log: a level, a message, and the fields that JSON has beside it. All lines are made
//! here, so that a field holds only text that is printable by design.

use core::time::Duration;
use std::fmt;
use std::sync::OnceLock;

use tracing::span::EnteredSpan;
pub use tracing::{Level, level_filters::LevelFilter};

use super::error::{Cause, Error};
use super::escape::Shown;
use super::name::{Name, Scope};
use super::reference::{Direct, Reference};

/// The target of doorkey's own lines. Lines of libraries could quote anything.
pub const TARGET: &str = "doorkey";

/// The target of doorkey's own lines at debug, which are at info for `tracing`. That crate is built
/// without the levels below info, since h2's refused debug lines would add 60 KB to the binary.
pub const DEBUG: &str = "doorkey::debug";

/// A type that may stand in a field, since it holds a name. Plain text and secrets are not such
/// types.
///
/// ```no_run
/// # use doorkey::model::{log::Fields, escape::Shown};
/// let fields = Fields { variable: Some(&Shown(b"NAME")), ..Fields::NONE };
/// ```
///
/// ```compile_fail
/// # use doorkey::model::log::Fields;
/// let fields = Fields { variable: Some(&"text".to_owned()), ..Fields::NONE };
/// ```
///
/// ```compile_fail
/// # use doorkey::model::{log::Fields, secret::Secret};
/// let fields = Fields { variable: Some(&Secret::new(vec![])), ..Fields::NONE };
/// ```
pub trait Printable: fmt::Display {}

impl Printable for Name {}
impl Printable for Scope {}
impl Printable for Reference {}
impl Printable for Direct {}
impl Printable for Shown<'_> {}

/// The name of a store or a secret.
pub struct Label<'a>(pub &'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Printable for Label<'_> {}

/// Defines an enumeration with a fixed word for each variant, which others may rely on.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $one:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $one,)* }

        impl $name {
            /// All variants.
            pub const ALL: &'static [Self] = &[$(Self::$one),*];

            /// Returns the variant's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$one => $word,)* }
            }
        }
    };
}

words! {
    /// The event that a line is about, in a fixed word.
    Event {
        /// Advice about something in a store that is not wrong, but should be looked at.
        Advice = "advice",
        /// A cache of values was used, written in vain or removed.
        Cache = "cache",
        /// Watched secrets have changed.
        Changed = "changed",
        /// A change was made to a store.
        Done = "done",
        /// A fault was found.
        Fault = "fault",
        /// Documents were fetched.
        Fetched = "fetched",
        /// A secret was found.
        Found = "found",
        /// An option or variable has no effect.
        Ignored = "ignored",
        /// A connection that others can read, or whose server others can pretend to be.
        Insecure = "insecure",
        /// A fact about leases, such as their time.
        Leased = "leased",
        /// A missing secret was left out.
        LeftOut = "left_out",
        /// A login was made.
        LoggedIn = "logged_in",
        /// Watched secrets are gone, or denied.
        Lost = "lost",
        /// Values are too short for being masked.
        MaskedShort = "masked_short",
        /// A token could not be revoked.
        NotRevoked = "not_revoked",
        /// A phase of the launch is over.
        Phase = "phase",
        /// Watched secrets can be fetched again.
        Recovered = "recovered",
        /// All references are resolved.
        Resolved = "resolved",
        /// A server is asked once more.
        Retry = "retry",
        /// A token was revoked.
        Revoked = "revoked",
        /// A secret is to be replaced.
        Rotate = "rotate",
        /// Watched secrets could not be fetched.
        Unfetched = "unfetched",
        /// A server has not answered yet.
        Waiting = "waiting",
    }
}

words! {
    /// A part of a launch.
    Phase {
        /// Assembles the environment.
        Assemble = "assemble",
        /// A login to a server.
        Login = "login",
        /// Fetches from the stores.
        Fetch = "fetch",
        /// Fills in the values.
        Fill = "fill",
        /// Prepares the rest, until the command takes over.
        Exec = "exec",
    }
}

/// The fields beside a message.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// The event.
    pub event: Option<Event>,
    /// The variable's name, or several names with commas between.
    pub variable: Option<&'a dyn Printable>,
    /// The reference's name, or several names with commas between.
    pub reference: Option<&'a dyn Printable>,
    /// The scope.
    pub scope: Option<&'a dyn Printable>,
    /// The store.
    pub store: Option<&'a dyn Printable>,
    /// The number of the attempt, from 1.
    pub attempt: Option<u32>,
    /// The time that it took.
    pub elapsed: Option<Duration>,
    /// The kind of fault, as [`Error::kind`] names it.
    pub kind: Option<&'static str>,
}

impl Fields<'_> {
    /// No fields.
    pub const NONE: Self = Fields {
        event: None,
        variable: None,
        reference: None,
        scope: None,
        store: None,
        attempt: None,
        elapsed: None,
        kind: None,
    };
}

/// The id of this launch, once it asks a server.
static LAUNCH: OnceLock<String> = OnceLock::new();

/// Returns the id of this launch, for the log's fields and its requests. The first id that is made
/// stays.
pub fn launch_id(make: impl FnOnce() -> String) -> &'static str {
    LAUNCH.get_or_init(make)
}

/// Writes a line.
pub fn say(level: Level, fields: &Fields<'_>, message: fmt::Arguments<'_>) {
    macro_rules! at {
        ($level:ident, $target:ident) => {
            tracing::event!(
                target: $target,
                Level::$level,
                event = fields.event.map(Event::as_str),
                variable = fields.variable.map(tracing::field::display),
                reference = fields.reference.map(tracing::field::display),
                scope = fields.scope.map(tracing::field::display),
                store = fields.store.map(tracing::field::display),
                attempt = fields.attempt,
                elapsed_ms = fields.elapsed.map(|time| time.as_secs_f64() * 1000.0),
                kind = fields.kind,
                launch_id = LAUNCH.get().map(String::as_str),
                "{message}"
            )
        };
    }
    match level {
        Level::ERROR => at!(ERROR, TARGET),
        Level::WARN => at!(WARN, TARGET),
        Level::INFO => at!(INFO, TARGET),
        _ => at!(INFO, DEBUG),
    }
}

/// Writes a line for each fault, which begins with `before`.
pub fn say_faults(level: Level, event: Event, before: &str, error: &Error) {
    for error in error.each() {
        let (variable, label);
        let mut fields = Fields {
            event: Some(event),
            kind: Some(error.kind()),
            ..Fields::NONE
        };
        match error {
            Error::Fault(fault) => {
                variable = Shown(&fault.variable);
                fields.variable = Some(&variable);
                fields.reference = fault.reference.as_ref().map(|one| one as &dyn Printable);
                if let Cause::Missing { store, .. }
                | Cause::Absent { store, .. }
                | Cause::Failed { store, .. } = &fault.cause
                {
                    label = Label(store);
                    fields.store = Some(&label);
                }
                if let Cause::Failed { scope, .. } = &fault.cause {
                    fields.scope = scope.as_ref().map(|one| one as &dyn Printable);
                }
            }
            Error::Store { store, .. } => {
                label = Label(store);
                fields.store = Some(&label);
            }
            _ => {}
        }
        say(level, &fields, format_args!("{before}{error}"));
    }
}

/// A phase of the launch, which ends when this is dropped.
pub type InPhase = EnteredSpan;

/// Begins a phase of the launch, which ends when the returned value is dropped.
pub fn begin(phase: Phase) -> InPhase {
    macro_rules! span {
        ($name:literal) => {
            tracing::info_span!(target: DEBUG, $name)
        };
    }
    let span = match phase {
        Phase::Assemble => span!("assemble"),
        Phase::Login => span!("login"),
        Phase::Fetch => span!("fetch"),
        Phase::Fill => span!("fill"),
        Phase::Exec => span!("exec"),
    };
    span.entered()
}

/// Writes a line: `EVENT, FIELD = VALUE…; MESSAGE`, or a message alone.
macro_rules! line {
    ($level:ident, $event:ident $(, $field:ident = $value:expr)*; $($message:tt)+) => {
        $crate::model::log::say(
            $crate::model::log::Level::$level,
            &$crate::model::log::Fields {
                event: Some($crate::model::log::Event::$event),
                $($field: Some($value),)*
                ..$crate::model::log::Fields::NONE
            },
            format_args!($($message)+),
        )
    };
    ($level:ident, $($message:tt)+) => {
        $crate::model::log::say(
            $crate::model::log::Level::$level,
            &$crate::model::log::Fields::NONE,
            format_args!($($message)+),
        )
    };
}

macro_rules! error {
    ($($line:tt)+) => { $crate::model::log::line!(ERROR, $($line)+) };
}

macro_rules! warning {
    ($($line:tt)+) => { $crate::model::log::line!(WARN, $($line)+) };
}

macro_rules! info {
    ($($line:tt)+) => { $crate::model::log::line!(INFO, $($line)+) };
}

macro_rules! debug {
    ($($line:tt)+) => { $crate::model::log::line!(DEBUG, $($line)+) };
}

pub(crate) use {debug, error, info, line, warning};
