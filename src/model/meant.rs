//! The next step for a name that is in none of the searched scopes.

use std::fmt;

use super::name::{Name, Scope};

/// The likely meaning of a missing name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Meant {
    /// Nothing that is known: a secret that is still to be created.
    #[default]
    New,
    /// Another name, and its scope.
    Name(Name, Scope),
    /// The same name in a scope that was not searched. True if the reference itself names the kind
    /// of scope.
    Elsewhere(Scope, bool),
    /// Another scope than one in force that does not exist.
    Scope {
        /// The scope in force.
        missing: Scope,
        /// The existing scope that is most like it.
        nearest: Scope,
    },
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meant::New => f.write_str("create it, or allow its absence with '?'"),
            Meant::Name(name, scope) => write!(f, "did you mean {name} ({scope})?"),
            Meant::Elsewhere(scope, false) => {
                write!(f, "it is in {scope}: give {}", scope.option())
            }
            Meant::Elsewhere(scope, true) => {
                write!(f, "it is in {scope}, where the reference does not look")
            }
            Meant::Scope { missing, nearest } => {
                let (level, missing, nearest) = (missing.level(), missing.id(), nearest.id());
                write!(f, "there is no {level} {missing}; did you mean {nearest}?")
            }
        }
    }
}
