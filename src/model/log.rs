//! Lines of the log: a level, a message, and what JSON has beside it. Everything that is logged
//! goes through here, so that a field holds nothing but what is printable by design.

use core::time::Duration;
use std::fmt;
use std::sync::OnceLock;

use tracing::span::EnteredSpan;
pub use tracing::{Level, level_filters::LevelFilter};

use super::error::{Cause, Error};
use super::escape::Shown;
use super::name::{Name, Scope};
use super::reference::{Direct, Reference};

/// Who doorkey's own lines are from; those of libraries could quote anything.
pub const TARGET: &str = "doorkey";

/// Who its own lines at debug are from, which are at info for `tracing`: it is built without
/// anything below, since h2's lines at debug, refused as they are, would be 60 KB of the binary.
pub const DEBUG: &str = "doorkey::debug";

/// What may stand in a field: it is a name, whatever it holds. Neither text nor a secret is.
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

/// What a store, or a secret, is called.
pub struct Label<'a>(pub &'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Printable for Label<'_> {}

/// The words of enumerations that others may rely on, as a table.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $one:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $one,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$one),*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$one => $word,)* }
            }
        }
    };
}

words! {
    /// What a line is about, in a word that stays.
    Event {
        /// Something in a store is not wrong, but should be looked at.
        Advice = "advice",
        /// A cache of values was used, written in vain or removed.
        Cache = "cache",
        /// Watched secrets have changed.
        Changed = "changed",
        /// Something was done to a store.
        Done = "done",
        /// Something is wrong.
        Fault = "fault",
        /// Documents were fetched.
        Fetched = "fetched",
        /// A secret was found.
        Found = "found",
        /// What was given has no effect.
        Ignored = "ignored",
        /// Others can read along, or be the server.
        Insecure = "insecure",
        /// What is lent, and for how long.
        Leased = "leased",
        /// A missing secret was left out.
        LeftOut = "left_out",
        /// A login was made.
        LoggedIn = "logged_in",
        /// Watched secrets are gone, or denied.
        Lost = "lost",
        /// Values are too short for being masked.
        MaskedShort = "masked_short",
        /// A token lives on.
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
        /// The environment is put together.
        Assemble = "assemble",
        /// We find out who we are to a server.
        Login = "login",
        /// The stores are asked.
        Fetch = "fetch",
        /// The values are filled in.
        Fill = "fill",
        /// What is left until the command takes over.
        Exec = "exec",
    }
}

/// What stands beside a message.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// What it is about.
    pub event: Option<Event>,
    /// The variable's name; of several with commas between.
    pub variable: Option<&'a dyn Printable>,
    /// The reference's name; of several with commas between.
    pub reference: Option<&'a dyn Printable>,
    /// The scope.
    pub scope: Option<&'a dyn Printable>,
    /// The store.
    pub store: Option<&'a dyn Printable>,
    /// Which try it was, from 1.
    pub attempt: Option<u32>,
    /// How long it took.
    pub elapsed: Option<Duration>,
    /// What kind of fault it is, as [`Error::kind`] has it.
    pub kind: Option<&'static str>,
}

impl Fields<'_> {
    /// Nothing.
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

/// What this launch is called where it asks servers, once it does.
static LAUNCH: OnceLock<String> = OnceLock::new();

/// What this launch is called: in the log's fields from here on, and in its requests. The first
/// name that is made stays.
pub fn launch_id(make: impl FnOnce() -> String) -> &'static str {
    LAUNCH.get_or_init(make)
}

/// Says a line.
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

/// Says what is wrong, a line for each fault, which begins with `before`.
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

/// A phase of the launch, until it is dropped.
pub type InPhase = EnteredSpan;

/// Begins a phase of the launch, which ends when what is given is dropped.
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

/// A line: `EVENT, FIELD = VALUE…; MESSAGE`, or a message alone.
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
