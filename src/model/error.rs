//! What can go wrong. Errors are facts; their wording is in `Display`, one line each, without a
//! value, a token or any text that could be one.

use std::fmt;
use std::io;

use super::escape::Shown;
pub use super::join_error::Unjoinable;
use super::name::{Level, Name, Scope};
use super::named::{Named, is_path};
use super::reference::Reference;
pub use super::trouble::{Trouble, Trouble as StoreError};

/// Where and why a text is not what it should be: never the text itself, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Os(pub i32);

/// "Input/output error", for the few errors that the system gave no number.
const EIO: i32 = 5;

impl From<io::Error> for Os {
    fn from(error: io::Error) -> Self {
        Os(error.raw_os_error().unwrap_or(EIO))
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        f.write_str(&text.to_lowercase())
    }
}

/// Everything that stops doorkey.
#[derive(Debug)]
pub enum Error {
    /// The command line, or a variable that stands for a part of it, is not right.
    Usage(String),
    /// Several faults, all of which are said.
    All(Vec<Error>),
    /// A variable can't be given its value.
    Fault(Box<Fault>),
    /// A file can't be read or written.
    File {
        /// What was tried: `read`, `write`.
        doing: &'static str,
        /// The file.
        path: Named,
        /// What the system said.
        why: Os,
    },
    /// A file's text is not what it should be.
    Text {
        /// The file.
        path: Named,
        /// Where, and why.
        at: Malformed,
    },
    /// The person who was asked said no.
    Declined,
    /// A store was looked at, and something is wrong in it.
    Found {
        /// Where.
        place: String,
        /// What.
        what: String,
    },
    /// There are references, but no store was named; the forms of what would be one.
    NoStore(String),
    /// The store as a whole can't be used.
    Store {
        /// The store, as it was named.
        store: String,
        /// Why.
        trouble: Trouble,
    },
    /// A file in memory can't be handed over; which, and why.
    NoMemoryFile {
        /// What is in it, or its path.
        what: String,
        /// Why not.
        why: String,
    },
    /// The workload can't be joined.
    Unjoinable(Unjoinable),
    /// The command is in no folder of the workload's PATH, or is a path to nothing.
    NotFound(Vec<u8>),
    /// The command is there, but can't be executed.
    NotExecutable {
        /// The command, as it was given.
        command: Vec<u8>,
        /// Why not.
        why: String,
    },
    /// Arguments and environment together are more than the kernel takes.
    TooLargeTogether {
        /// Bytes of all strings and pointers.
        total: usize,
        /// What the kernel takes, in bytes.
        limit: usize,
        /// The variable with the longest string.
        longest: Vec<u8>,
    },
}

/// Why a variable can't be given its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub variable: Vec<u8>,
    /// The reference, where there is a well-formed one.
    pub reference: Option<Reference>,
    /// What is wrong.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It starts as a reference and is none.
    Malformed(Malformed),
    /// No scope that was looked in has the name.
    Missing {
        /// Where it was looked for.
        searched: Vec<Scope>,
        /// In which store.
        store: String,
        /// The existing name that is most like it.
        nearest: Option<(Name, Scope)>,
    },
    /// The reference asks for a scope that this launch has none of.
    NotInForce(Level),
    /// There is no such document, or it has no such key.
    Absent {
        /// In which store.
        store: String,
        /// Whether the document is there.
        document: bool,
    },
    /// A member of the document has a name that no variable can have.
    NoVariable,
    /// What was asked for it could not answer.
    Failed {
        /// The scope; `None` for a single place of the store, which the reference names.
        scope: Option<Scope>,
        /// The store.
        store: String,
        /// Why.
        trouble: Box<Trouble>,
    },
    /// A member was asked for, but the secret is not JSON; where it comes from.
    NotJson(String),
    /// The secret is JSON without that member; where it comes from.
    NoMember(String),
    /// `base64decode` met something else; where it comes from.
    NotBase64(String),
    /// The value contains a NUL byte.
    Nul,
    /// The variable's name can't be a file's.
    NoFileName,
    /// Another value is to be delivered in a file of this name.
    SameFile(Name),
    /// `NAME=value` is longer than the kernel takes; its length in bytes, the ending NUL included.
    TooLong(usize),
}

impl From<Unjoinable> for Error {
    fn from(why: Unjoinable) -> Self {
        Error::Unjoinable(why)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Fault(Box::new(fault))
    }
}

impl Error {
    /// The exit code for it. Who launches keeps 125 for all that is doorkey's own, since any other code
    /// could be the workload's (the convention of `env`, `timeout` and `docker run`).
    pub fn exit_code(&self, launching: bool) -> u8 {
        match self {
            Error::NotFound(_) => 127,
            Error::NotExecutable { .. } => 126,
            _ if launching => 125,
            Error::Usage(_) => 2,
            _ => 1,
        }
    }

    /// Whether a secret is gone, or denied, and nothing else is wrong: fetching it again would not
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(what) => f.write_str(what),
            Error::All(errors) => write!(f, "{} faults", errors.len()),
            Error::Fault(fault) => fault.fmt(f),
            Error::File { doing, path, why } => f.write_str(&path.cannot(doing, *why)),
            Error::Text { path, at } => {
                write!(f, "{path}:{}:{}: {}", at.line, at.column, at.reason)
            }
            Error::Declined => f.write_str("nothing is changed"),
            Error::Found { place, what } => write!(f, "{place}: {what}"),
            Error::NoStore(forms) => write!(
                f,
                "no store is named: give --store {forms}, DOORKEY_STORE, or store = in doorkey.toml"
            ),
            Error::Store { store, trouble } => write!(f, "{store}: {trouble}"),
            Error::NoMemoryFile { what, why } => write!(
                f,
                "{what}: can't be handed over as a file in memory: {why}; --files DIR has it in a folder"
            ),
            Error::Unjoinable(why) => why.fmt(f),
            Error::NotFound(command) => write!(f, "{}: command not found", program(command)),
            Error::NotExecutable { command, why } => {
                write!(f, "{}: can't be executed: {why}", program(command))
            }
            Error::TooLargeTogether {
                total,
                limit,
                longest,
            } => write!(
                f,
                "arguments and environment need {total} bytes, the kernel takes {limit}; the longest variable is {0}; deliver it in a file: {0}_FILE=secret:…|file",
                Shown(longest)
            ),
        }
    }
}

/// A command as it is shown: `PASSWORD=value server` is what a shell takes, but no path.
fn program(command: &[u8]) -> String {
    match is_path(command) || command.is_empty() {
        true => Shown(command).to_string(),
        false => "the command (it does not look like a path, and is not shown)".to_owned(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = Shown(&self.variable);
        write!(f, "{variable}: ")?;
        if let Some(reference) = &self.reference {
            write!(f, "{reference}: ")?;
        }
        match &self.cause {
            Cause::Malformed(at) => write!(
                f,
                "malformed reference: column {}: {}; to pass the value on as it is, use --literal {variable}",
                at.column, at.reason
            ),
            Cause::TooLong(_) => write!(f, "{}: {variable}_FILE=secret:…|file", self.cause),
            cause => cause.fmt(f),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Malformed(at) => write!(f, "column {}: {}", at.column, at.reason),
            Cause::Missing {
                searched,
                store,
                nearest,
            } => {
                let searched: Vec<_> = searched.iter().map(Scope::to_string).collect();
                write!(f, "not found in {} of {store}; ", searched.join(", "))?;
                match nearest {
                    Some((name, scope)) => write!(f, "did you mean {name} ({scope})?"),
                    None => f.write_str("create it, or allow its absence with '?'"),
                }
            }
            Cause::NotInForce(level) => {
                write!(
                    f,
                    "no {level} is in force; give --{level} ID or DOORKEY_{}",
                    level.as_str().to_uppercase()
                )
            }
            Cause::Failed {
                scope,
                store,
                trouble,
            } => match scope {
                Some(scope) => write!(f, "{scope} of {store}: {trouble}"),
                None => write!(f, "{store}: {trouble}"),
            },
            Cause::Absent { store, document } => {
                let what = if *document { "key" } else { "document" };
                write!(
                    f,
                    "there is no such {what} in {store}; create it, or allow its absence with '?'"
                )
            }
            Cause::NoVariable => f.write_str(
                "a member's name can't be a variable's: it is empty, or has = or NUL in it",
            ),
            Cause::NotJson(from) => {
                write!(
                    f,
                    "a member is asked for, but the secret in {from} is not JSON"
                )
            }
            Cause::NoMember(from) => write!(f, "the secret in {from} has no such member"),
            Cause::NotBase64(from) => {
                write!(f, "base64decode: the value from {from} is not base64")
            }
            Cause::Nul => {
                f.write_str("the value contains a NUL byte, which an environment can't hold")
            }
            Cause::NoFileName => {
                f.write_str("the variable's name can't be a file's; give another with |file:NAME")
            }
            Cause::SameFile(name) => write!(
                f,
                "another value is to be in the file {name}; give one of them another name with |file:NAME"
            ),
            Cause::TooLong(bytes) => write!(
                f,
                "NAME=value takes {bytes} bytes, the kernel takes at most 131072; deliver it in a file"
            ),
        }
    }
}
