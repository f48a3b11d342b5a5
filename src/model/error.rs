//! Errors: facts, worded in `Display`, one line each. No line holds a value, a token or any text
//! that could be one.

use std::fmt;
use std::io;

use thiserror::Error;

use super::escape::Shown;
pub use super::join_error::JoinError;
pub use super::malformed::{Lines, Malformed};
use super::meant::Meant;
use super::name::{Level, Name, Scope};
use super::named::{Named, is_path};
use super::reference::{Filter, Reference};
pub use super::store_error::StoreError;

/// An error of the operating system, by number, shown in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}", os(*.0))]
pub struct Os(pub i32);

/// The number of "Input/output error", for the few errors that the system gave no number.
const EIO: i32 = 5;

impl From<io::Error> for Os {
    fn from(error: io::Error) -> Self {
        Os(error.raw_os_error().unwrap_or(EIO))
    }
}

/// Returns the system's text for an error, in lower case.
fn os(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// The errors that stop doorkey.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line, or a variable that stands for a part of it, is not right.
    #[error("{0}")]
    Usage(String),
    /// Several faults, each with its own message.
    #[error("{} faults", .0.len())]
    All(Vec<Error>),
    /// A variable can't be given its value.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// A file can't be read or written.
    #[error("{}", path.cannot(doing, *why))]
    File {
        /// The attempted action: `read`, `write`.
        doing: &'static str,
        /// The file.
        path: Named,
        /// The system's error.
        #[source]
        why: Os,
    },
    /// A file's text is not what it should be.
    #[error("{path}:{at}")]
    Text {
        /// The file.
        path: Named,
        /// The place in the text, and the reason.
        #[source]
        at: Malformed,
    },
    /// A "no" from the person who was asked to confirm.
    #[error("nothing is changed")]
    Declined,
    /// A fault at a place in a store or a configuration file.
    #[error("{place}: {what}")]
    Found {
        /// The place of the fault.
        place: String,
        /// The fault.
        what: String,
    },
    /// References without a store; holds the forms in which a store is named.
    #[error("no store is named: give --store {0}, DOORKEY_STORE, or store = in doorkey.toml")]
    NoStore(String),
    /// A store that can't be used as a whole.
    #[error("{store}: {trouble}")]
    Store {
        /// The store, as the user named it.
        store: String,
        /// The reason.
        #[source]
        trouble: StoreError,
    },
    /// A file in memory that can't be handed over to the command.
    #[error(
        "{what}: can't be handed over as a file in memory: {why}; --files DIR has it in a folder"
    )]
    NoMemoryFile {
        /// The file's content in words, or its path.
        what: String,
        /// The reason.
        why: String,
    },
    /// A workload that can't be joined.
    #[error(transparent)]
    Unjoinable(#[from] JoinError),
    /// A command that is in no folder of the workload's PATH, or is a path to nothing.
    #[error("{}: command not found", program(.0))]
    NotFound(Vec<u8>),
    /// A command that exists, but can't be executed.
    #[error("{}: can't be executed: {why}", program(command))]
    NotExecutable {
        /// The command, as the user gave it.
        command: Vec<u8>,
        /// The reason.
        why: String,
    },
    /// Arguments and environment together are more than the kernel takes.
    #[error(
        "arguments and environment need {total} bytes, the kernel takes {limit}; the longest \
         variable is {name}; deliver it in a file: {name}_FILE=secret:…|file",
        name = Shown(longest)
    )]
    TooLargeTogether {
        /// The bytes of all strings and pointers.
        total: usize,
        /// The kernel's limit, in bytes.
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
    /// The reference, if it is well formed.
    pub reference: Option<Reference>,
    /// The cause.
    #[source]
    pub cause: Cause,
}

impl Fault {
    /// Makes the fault of a variable, with its reference if that is well formed.
    pub fn of(variable: &[u8], reference: Option<Reference>, cause: Cause) -> Self {
        Fault {
            variable: variable.to_vec(),
            reference,
            cause,
        }
    }
}

/// The cause of a variable's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// A value that starts as a reference and is none.
    #[error("column {}: {}", .0.column, .0.reason)]
    Malformed(#[source] Malformed),
    /// A reference that is plainly meant, and not read.
    #[error("a reference is meant, and is not read, as {why}: write {right}")]
    Unread {
        /// The reason why it is not read.
        why: &'static str,
        /// The spelling that would be read there.
        right: String,
    },
    /// A reference in an argument of the command; holds it as it would be read in a variable.
    #[error(
        "a reference is meant, and nothing is filled in in arguments, which others can see: put \
         it into a variable, as NAME={0}; to pass it on as it is, use --literal arguments"
    )]
    InArgument(String),
    /// A name that is in none of the searched scopes.
    #[error("not found in {} of {store}; {meant}", joined(searched))]
    Missing {
        /// The searched scopes.
        searched: Vec<Scope>,
        /// The store.
        store: String,
        /// The name or the scope that may be meant.
        meant: Meant,
    },
    /// A reference to a scope of a kind of which none is in force.
    #[error("no {0} is in force; give --{0} ID or DOORKEY_{upper}", upper = .0.as_str().to_uppercase())]
    NotInForce(Level),
    /// A missing document, or a document without the key.
    #[error(
        "there is no such {} in {store}; {}",
        match (document, version) {
            (true, _) => "key",
            (false, true) => "document, or no such version of it,",
            (false, false) => "document",
        },
        advice.as_deref().unwrap_or("create it, or allow its absence with '?'")
    )]
    Absent {
        /// The store, and the document in it if only its key is missing.
        store: String,
        /// True if the document exists, and only the key is missing.
        document: bool,
        /// True if the reference names a version.
        version: bool,
        /// The next step, if the store knows a better one than usual.
        advice: Option<String>,
    },
    /// A key that has a `?` in it, at which a reference's fallback begins.
    #[error(
        "there is a key with this '?' in its name, which a reference can't name, as a fallback \
         begins there; give the key another name"
    )]
    KeyWithMark,
    /// A member of the document has a name that no variable can have.
    #[error("a member's name can't be a variable's: it is empty, or has = or NUL in it")]
    NoVariable,
    /// A store, or one scope of it, that could not answer.
    #[error("{}{store}: {trouble}", Of(scope.as_ref()))]
    Failed {
        /// The scope; `None` for a single place of the store, which the reference names.
        scope: Option<Scope>,
        /// The store.
        store: String,
        /// The reason.
        #[source]
        trouble: Box<StoreError>,
    },
    /// A reference to a member of a secret that is not JSON; holds the secret's place.
    #[error("a member is asked for, but the secret in {0} is not JSON")]
    NotJson(String),
    /// A secret that is JSON without the member.
    #[error("the secret in {place} has no {}", no_member(likely.as_ref()))]
    NoMember {
        /// The secret's place.
        place: String,
        /// The member, and the existing one that is like it. A member that is like none may be
        /// anything, and is not shown.
        likely: Option<(String, String)>,
    },
    /// A value that a filter can't be applied to.
    #[error("{filter}: the value from {from} is not {wanted}")]
    Unfit {
        /// The filter.
        filter: Filter,
        /// The value's place.
        from: String,
        /// The form that the filter wants.
        wanted: &'static str,
    },
    /// A value that breaks the text that it is put into; holds the text's format.
    #[error(
        "the value breaks the {0} around it; in double quotes |json makes it fit, in a block of \
         YAML |indent:N"
    )]
    Breaks(&'static str),
    /// A value with a NUL byte in it.
    #[error("the value contains a NUL byte, which an environment can't hold")]
    Nul,
    /// A variable whose name can't be a file's name.
    #[error("the variable's name can't be a file's; give another with |file:NAME")]
    NoFileName,
    /// Two values that are to be delivered in files of one name.
    #[error(
        "another value is to be in the file {0}; give one of them another name with |file:NAME"
    )]
    SameFile(Name),
    /// A value of the platform's that is not here; holds its source.
    #[error(
        "its value is the platform's ({}), and is not here; pass it on, or give --env",
        Shown(.0.as_bytes())
    )]
    NotHere(String),
    /// A `$(NAME)` in a text, where the variable's value is a reference; holds the name, and the
    /// reference.
    #[error(
        "a reference is meant, and is not read, as the cluster puts its text in for $({}): write \
         ${{{}}}",
        Shown(.0), .1
    )]
    InText(Vec<u8>, String),
    /// A `${NAME}` that can't be filled in; holds the name, and the reason.
    #[error("{}: {}", Shown(.0), .1)]
    Unfilled(Vec<u8>, &'static str),
    /// A `NAME=value` that is longer than the kernel takes; holds its length in bytes, with the
    /// ending NUL.
    #[error("NAME=value takes {0} bytes, the kernel takes at most 131072; deliver it in a file")]
    TooLong(usize),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Fault(Box::new(fault))
    }
}

impl Error {
    /// Returns the exit code for the error. A launch exits with 125 for all errors of doorkey
    /// itself, since any other code could be the workload's. The convention is that of `env`,
    /// `timeout` and `docker run`.
    pub fn exit_code(&self, launching: bool) -> u8 {
        match self {
            Error::NotFound(_) => 127,
            Error::NotExecutable { .. } => 126,
            _ if launching => 125,
            Error::Usage(_) => 2,
            _ => 1,
        }
    }

    /// True if a secret is gone or denied, and nothing else is wrong. Another fetch would not help
    /// then.
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

    /// Makes the error of a file that can't be read or written.
    pub fn file(doing: &'static str, path: impl Into<Named>, why: impl Into<Os>) -> Self {
        let (path, why) = (path.into(), why.into());
        Error::File { doing, path, why }
    }

    /// Makes one error of several; a single error stays as it is.
    pub fn all(mut errors: Vec<Error>) -> Self {
        if errors.len() == 1 {
            errors.remove(0)
        } else {
            Error::All(errors)
        }
    }

    /// Lists the errors one by one.
    pub fn each(&self) -> Vec<&Error> {
        match self {
            Error::All(errors) => errors.iter().flat_map(Error::each).collect(),
            one => vec![one],
        }
    }

    /// Lists the lines to print, one for each error.
    pub fn lines(&self) -> Vec<String> {
        self.each().iter().map(ToString::to_string).collect()
    }
}

/// Formats a command for a message. A command that does not look like a path, such as
/// `PASSWORD=value server`, is not shown.
fn program(command: &[u8]) -> String {
    match is_path(command) || command.is_empty() {
        true => Shown(command).to_string(),
        false => "the command (it does not look like a path, and is not shown)".to_owned(),
    }
}

/// A reference, shown in front of its fault.
struct Before<'a>(Option<&'a Reference>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |reference| write!(f, "{reference}: "))
    }
}

/// A scope, shown in front of its store.
struct Of<'a>(Option<&'a Scope>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |scope| write!(f, "{scope} of "))
    }
}

/// A variable's fault, shown with the advice that needs the variable's name.
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
            Cause::Unread { .. } => write!(
                f,
                "{cause}; to pass the value on as it is, use --literal {variable}"
            ),
            Cause::TooLong(_) => write!(f, "{cause}: {variable}_FILE=secret:…|file"),
            cause => cause.fmt(f),
        }
    }
}

/// Joins scopes with commas.
fn joined(scopes: &[Scope]) -> String {
    let scopes: Vec<_> = scopes.iter().map(Scope::to_string).collect();
    scopes.join(", ")
}

/// Says which member is missing, and the one that may be meant.
fn no_member(likely: Option<&(String, String)>) -> String {
    match likely {
        Some((member, likely)) => format!("member {member}; did you mean {likely}?"),
        None => "such member".to_owned(),
    }
}
