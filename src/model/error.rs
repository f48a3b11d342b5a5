//! What can go wrong. Errors are facts; their wording is in `Display`, one line each, without a
//! value, a token or any text that could be one.

use std::fmt;
use std::io;

use thiserror::Error;

use super::escape::Shown;
pub use super::join_error::JoinError;
use super::name::{Level, Name, Scope};
use super::named::{Named, is_path};
use super::reference::Reference;
pub use super::store_error::StoreError;

/// Where and why a text is not what it should be: never the text itself, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{line}:{column}: {reason}")]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes from 1.
    pub column: usize,
    /// The reason, in lower case.
    pub reason: &'static str,
}

impl Malformed {
    /// The fault at an offset of a text, in bytes from 0.
    pub fn at(text: &[u8], offset: usize, reason: &'static str) -> Self {
        let before = &text[..offset.min(text.len())];
        let newlines = before.iter().filter(|&&byte| byte == b'\n').count();
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        Malformed {
            line: newlines + 1,
            column: before.len() - line_start + 1,
            reason,
        }
    }
}

/// Where the lines of a text begin, for many faults in it.
pub struct Lines(Vec<usize>);

impl Lines {
    /// Those of this text.
    pub fn of(text: &[u8]) -> Self {
        let ends = text.iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
        Lines([0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// As [`Malformed::at`].
    pub fn fault(&self, offset: usize, reason: &'static str) -> Malformed {
        let line = self.0.partition_point(|&start| start <= offset);
        Malformed {
            line,
            column: offset - self.0[line - 1] + 1,
            reason,
        }
    }
}

/// An error of the operating system, by number, shown in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}", os(*.0))]
pub struct Os(pub i32);

/// "Input/output error", for the few errors that the system gave no number.
const EIO: i32 = 5;

impl From<io::Error> for Os {
    fn from(error: io::Error) -> Self {
        Os(error.raw_os_error().unwrap_or(EIO))
    }
}

/// What the system calls an error, in lower case.
fn os(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// Everything that stops doorkey.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line, or a variable that stands for a part of it, is not right.
    #[error("{0}")]
    Usage(String),
    /// Several faults, all of which are said.
    #[error("{} faults", .0.len())]
    All(Vec<Error>),
    /// A variable can't be given its value.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// A file can't be read or written.
    #[error("{}", path.cannot(doing, *why))]
    File {
        /// What was tried: `read`, `write`.
        doing: &'static str,
        /// The file.
        path: Named,
        /// What the system said.
        #[source]
        why: Os,
    },
    /// A file's text is not what it should be.
    #[error("{path}:{at}")]
    Text {
        /// The file.
        path: Named,
        /// Where, and why.
        #[source]
        at: Malformed,
    },
    /// The person who was asked said no.
    #[error("nothing is changed")]
    Declined,
    /// A store was looked at, and something is wrong in it.
    #[error("{place}: {what}")]
    Found {
        /// Where.
        place: String,
        /// What.
        what: String,
    },
    /// There are references, but no store was named; the forms of what would be one.
    #[error("no store is named: give --store {0}, DOORKEY_STORE, or store = in doorkey.toml")]
    NoStore(String),
    /// The store as a whole can't be used.
    #[error("{store}: {trouble}")]
    Store {
        /// The store, as it was named.
        store: String,
        /// Why.
        #[source]
        trouble: StoreError,
    },
    /// A file in memory can't be handed over; which, and why.
    #[error(
        "{what}: can't be handed over as a file in memory: {why}; --files DIR has it in a folder"
    )]
    NoMemoryFile {
        /// What is in it, or its path.
        what: String,
        /// The reason why not.
        why: String,
    },
    /// The workload can't be joined.
    #[error(transparent)]
    Unjoinable(#[from] JoinError),
    /// The command is in no folder of the workload's PATH, or is a path to nothing.
    #[error("{}: command not found", program(.0))]
    NotFound(Vec<u8>),
    /// The command is there, but can't be executed.
    #[error("{}: can't be executed: {why}", program(command))]
    NotExecutable {
        /// The command, as it was given.
        command: Vec<u8>,
        /// The reason why not.
        why: String,
    },
    /// Arguments and environment together are more than the kernel takes.
    #[error(
        "arguments and environment need {total} bytes, the kernel takes {limit}; the longest \
         variable is {name}; deliver it in a file: {name}_FILE=secret:…|file",
        name = Shown(longest)
    )]
    TooLargeTogether {
        /// Bytes of all strings and pointers.
        total: usize,
        /// What the kernel takes, in bytes.
        limit: usize,
        /// The variable with the longest string.
        longest: Vec<u8>,
    },
}

/// The reason why a variable can't be given its value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {}{}", Shown(variable), Before(reference.as_ref()), InVariable(variable, cause))]
pub struct Fault {
    /// The variable's name.
    pub variable: Vec<u8>,
    /// The reference, where there is a well-formed one.
    pub reference: Option<Reference>,
    /// What is wrong.
    #[source]
    pub cause: Cause,
}

impl Fault {
    /// A fault of a variable, and of the reference where there is a well-formed one.
    pub fn of(variable: &[u8], reference: Option<Reference>, cause: Cause) -> Self {
        Fault {
            variable: variable.to_vec(),
            reference,
            cause,
        }
    }
}

/// What is wrong with a variable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// It starts as a reference and is none.
    #[error("column {}: {}", .0.column, .0.reason)]
    Malformed(#[source] Malformed),
    /// No scope that was looked in has the name.
    #[error("not found in {} of {store}; {}", joined(searched), meant(nearest.as_ref()))]
    Missing {
        /// Where it was looked for.
        searched: Vec<Scope>,
        /// In which store.
        store: String,
        /// The existing name that is most like it.
        nearest: Option<(Name, Scope)>,
    },
    /// The reference asks for a scope that this launch has none of.
    #[error("no {0} is in force; give --{0} ID or DOORKEY_{upper}", upper = .0.as_str().to_uppercase())]
    NotInForce(Level),
    /// There is no such document, or it has no such key.
    #[error(
        "there is no such {} in {store}; create it, or allow its absence with '?'",
        if *document { "key" } else { "document" }
    )]
    Absent {
        /// In which store.
        store: String,
        /// True if the document is there.
        document: bool,
    },
    /// A member of the document has a name that no variable can have.
    #[error("a member's name can't be a variable's: it is empty, or has = or NUL in it")]
    NoVariable,
    /// What was asked for it could not answer.
    #[error("{}{store}: {trouble}", Of(scope.as_ref()))]
    Failed {
        /// The scope; `None` for a single place of the store, which the reference names.
        scope: Option<Scope>,
        /// The store.
        store: String,
        /// Why.
        #[source]
        trouble: Box<StoreError>,
    },
    /// A member was asked for, but the secret is not JSON; where it comes from.
    #[error("a member is asked for, but the secret in {0} is not JSON")]
    NotJson(String),
    /// The secret is JSON without that member; where it comes from.
    #[error("the secret in {0} has no such member")]
    NoMember(String),
    /// `base64decode` met something else; where it comes from.
    #[error("base64decode: the value from {0} is not base64")]
    NotBase64(String),
    /// The value contains a NUL byte.
    #[error("the value contains a NUL byte, which an environment can't hold")]
    Nul,
    /// The variable's name can't be a file's.
    #[error("the variable's name can't be a file's; give another with |file:NAME")]
    NoFileName,
    /// Another value is to be delivered in a file of this name.
    #[error(
        "another value is to be in the file {0}; give one of them another name with |file:NAME"
    )]
    SameFile(Name),
    /// `NAME=value` is longer than the kernel takes; its length in bytes, the ending NUL included.
    #[error("NAME=value takes {0} bytes, the kernel takes at most 131072; deliver it in a file")]
    TooLong(usize),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Fault(Box::new(fault))
    }
}

impl Error {
    /// The exit code for it. Who launches keeps 125 for all that is doorkey's own, since any other
    /// code could be the workload's (the convention of `env`, `timeout` and `docker run`).
    pub fn exit_code(&self, launching: bool) -> u8 {
        match self {
            Error::NotFound(_) => 127,
            Error::NotExecutable { .. } => 126,
            _ if launching => 125,
            Error::Usage(_) => 2,
            _ => 1,
        }
    }

    /// True if a secret is gone, or denied, and nothing else is wrong: fetching it again would not
    /// help.
    pub fn is_loss(&self) -> bool {
        match self {
            Error::All(errors) => errors.iter().all(Error::is_loss),
            Error::Store { trouble, .. } => trouble.is_loss(),
            Error::Fault(fault) => match &fault.cause {
                Cause::Missing { .. } | Cause::Absent { .. } => true,
                Cause::Failed { trouble, .. } => trouble.is_loss(),
                _ => false,
            },
            _ => false,
        }
    }

    /// A file that can't be read or written.
    pub fn file(doing: &'static str, path: impl Into<Named>, why: impl Into<Os>) -> Self {
        let (path, why) = (path.into(), why.into());
        Error::File { doing, path, why }
    }

    /// One error of several; the one itself where there is only one.
    pub fn all(mut errors: Vec<Error>) -> Self {
        if errors.len() == 1 {
            errors.remove(0)
        } else {
            Error::All(errors)
        }
    }

    /// Each error by itself.
    pub fn each(&self) -> Vec<&Error> {
        match self {
            Error::All(errors) => errors.iter().flat_map(Error::each).collect(),
            one => vec![one],
        }
    }

    /// The lines to say, each one error.
    pub fn lines(&self) -> Vec<String> {
        self.each().iter().map(ToString::to_string).collect()
    }
}

/// A command as it is shown: `PASSWORD=value server` is what a shell takes, but no path.
fn program(command: &[u8]) -> String {
    match is_path(command) || command.is_empty() {
        true => Shown(command).to_string(),
        false => "the command (it does not look like a path, and is not shown)".to_owned(),
    }
}

/// A reference before what is wrong with it.
struct Before<'a>(Option<&'a Reference>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |reference| write!(f, "{reference}: "))
    }
}

/// A scope before its store.
struct Of<'a>(Option<&'a Scope>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |scope| write!(f, "{scope} of "))
    }
}

/// What is wrong with a variable, with the advice that takes its name.
struct InVariable<'a>(&'a [u8], &'a Cause);

impl fmt::Display for InVariable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InVariable(variable, cause) = self;
        let variable = Shown(variable);
        match cause {
            Cause::Malformed(_) => write!(
                f,
                "malformed reference: {cause}; to pass the value on as it is, use --literal {variable}"
            ),
            Cause::TooLong(_) => write!(f, "{cause}: {variable}_FILE=secret:…|file"),
            cause => cause.fmt(f),
        }
    }
}

/// Scopes, with a comma between.
fn joined(scopes: &[Scope]) -> String {
    let scopes: Vec<_> = scopes.iter().map(Scope::to_string).collect();
    scopes.join(", ")
}

/// What helps where a name is nowhere.
fn meant(nearest: Option<&(Name, Scope)>) -> String {
    match nearest {
        Some((name, scope)) => format!("did you mean {name} ({scope})?"),
        None => "create it, or allow its absence with '?'".to_owned(),
    }
}
