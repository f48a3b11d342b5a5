//! Names of secrets, and the scopes that they live in.

use std::fmt;

/// The longest name of a secret or scope, in bytes. A DNS subdomain has this limit, and so have the
/// names of mounted secrets.
pub const LONGEST: usize = 253;

/// The name of a secret, or the id of a project or cluster: `[A-Za-z0-9_][A-Za-z0-9._-]*`, at most
/// [`LONGEST`] bytes. Such a name can't be a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Makes a name of `text`, if it is one.
    pub fn new(text: &[u8]) -> Option<Self> {
        let whole = prefix(text) == text.len() && !text.is_empty() && text.len() <= LONGEST;
        whole.then(|| Name(String::from_utf8_lossy(text).into_owned()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the bytes at the front of `text` that could be a name, whatever its length.
pub fn prefix(text: &[u8]) -> usize {
    let fits = |(at, byte): (usize, &u8)| {
        byte.is_ascii_alphanumeric() || *byte == b'_' || (at > 0 && matches!(byte, b'.' | b'-'))
    };
    text.iter()
        .enumerate()
        .take_while(|&pair| fits(pair))
        .count()
}

/// True if a text is a path in a server's interface that leads nowhere else. No step is empty, `.`
/// or `..`, and no character is a control character.
pub fn is_path(text: &str) -> bool {
    let is_step = |step: &str| !matches!(step, "" | "." | "..");
    text.split('/').all(is_step) && !text.contains(char::is_control)
}

/// The reason for refusing such a path.
pub const NO_PATH: &str = "a path has no empty steps, no '.' and no '..'";

/// One of the three kinds of scope, narrowest first, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One project of a team.
    Project,
    /// One cluster of a team.
    Cluster,
    /// The team that the store belongs to.
    Team,
}

impl Level {
    /// Returns the level for the word before a reference's slash.
    pub fn new(word: &[u8]) -> Option<Self> {
        match word {
            b"project" => Some(Level::Project),
            b"cluster" => Some(Level::Cluster),
            b"team" => Some(Level::Team),
            _ => None,
        }
    }

    /// Returns the level's word in references, folders and options.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Project => "project",
            Level::Cluster => "cluster",
            Level::Team => "team",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope of secrets. It is shown and stored as `team`, `cluster/ID`, `project/ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One project.
    Project(Name),
    /// One cluster.
    Cluster(Name),
    /// The whole team.
    Team,
}

impl Scope {
    /// Reads a scope in the form in which it is shown.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => (text == "team").then_some(Scope::Team),
            Some((level, id)) => {
                let id = Name::new(id.as_bytes())?;
                match Level::new(level.as_bytes())? {
                    Level::Project => Some(Scope::Project(id)),
                    Level::Cluster => Some(Scope::Cluster(id)),
                    Level::Team => None,
                }
            }
        }
    }

    /// Returns the scope's id; the team's is its word.
    pub fn id(&self) -> &str {
        match self {
            Scope::Project(id) | Scope::Cluster(id) => id.as_str(),
            Scope::Team => "team",
        }
    }

    /// Returns the option that gives the scope.
    pub fn option(&self) -> String {
        match self {
            Scope::Team => "--team".to_owned(),
            scope => format!("--{} {}", scope.level(), scope.id()),
        }
    }

    /// Returns the scope's kind.
    pub fn level(&self) -> Level {
        match self {
            Scope::Project(_) => Level::Project,
            Scope::Cluster(_) => Level::Cluster,
            Scope::Team => Level::Team,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Project(id) | Scope::Cluster(id) => write!(f, "{}/{id}", self.level()),
            Scope::Team => f.write_str("team"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, is_path};

    #[test]
    fn names() {
        for good in [
            "a",
            "db_password",
            "db-password",
            "tls.crt",
            "0",
            "_x",
            &"n".repeat(253),
        ] {
            assert!(Name::new(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "-a",
            "a/b",
            "/a",
            "a b",
            "ä",
            "a\0",
            &"n".repeat(254),
        ] {
            assert!(Name::new(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn paths() {
        for good in ["a", "a/b", "..a/b..", "...", "a b/ä"] {
            assert!(is_path(good), "{good}");
        }
        for bad in [
            "", "/", ".", "..", "a/", "/a", "a//b", "a/./b", "../a", "a/..", "a\nb",
        ] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
