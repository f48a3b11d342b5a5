//! The environment of one container, as a manifest says it.

use super::env_list::Variable;
use crate::model::error::Malformed;

/// The rules by which a file's values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `$(NAME)` in a value is another variable.
    Kubernetes,
    /// `${NAME}` in a value is a variable of who starts the container.
    Compose,
}

/// The environment of one container.
#[derive(Debug)]
pub struct Container {
    /// The text that chooses it: `deploy/web/server`, a service's name, or a dotted path.
    pub label: String,
    /// The dotted path to its variables, if it has one.
    pub(super) path: String,
    /// The kind, in lower case, and the name of what the container is in.
    pub(super) owner: Option<(String, String)>,
    /// The container's own name.
    pub(super) name: String,
    /// The line where it begins, from 1.
    pub line: usize,
    /// The rules for its values.
    pub dialect: Dialect,
    /// Its variables, in their order.
    pub variables: Vec<Variable>,
    /// The sources that add variables whose names only the platform knows.
    pub env_from: Vec<EnvFrom>,
    /// The env files that come before its variables.
    pub env_files: Vec<EnvFile>,
    /// The faults in it.
    pub(super) faults: Vec<Malformed>,
}

/// A source of variables (`secretRef`), and what is put before the name of each.
#[derive(Debug)]
pub struct EnvFrom {
    /// The line, from 1.
    pub line: usize,
    /// The kind of the source.
    pub source: String,
    /// The beginning of the variables' names.
    pub prefix: String,
}

/// An env file of a service.
#[derive(Debug)]
pub struct EnvFile {
    /// The line, from 1.
    pub line: usize,
    /// The path, from the Compose file's folder.
    pub path: String,
    /// False if the file may be missing.
    pub required: bool,
}

impl Container {
    pub(super) fn new(dialect: Dialect) -> Self {
        Container {
            label: String::new(),
            path: String::new(),
            owner: None,
            name: String::new(),
            line: 1,
            dialect,
            variables: Vec::new(),
            env_from: Vec::new(),
            env_files: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// True if `KIND/NAME/CONTAINER` is this one. The kind stands in full, in the plural or short.
    pub(super) fn is_called(&self, path: &str) -> bool {
        let mut words = path.splitn(3, '/');
        let mut next = || words.next().unwrap_or_default();
        let (kind, name, container) = (next().to_lowercase(), next(), next());
        self.owner.as_ref().is_some_and(|(own, of)| {
            let is_kind = kind == *own || kind == short(own) || kind.strip_suffix('s') == Some(own);
            is_kind && of == name && self.name == container
        })
    }
}

/// Returns the usual short form of a kind in lower case.
pub(super) fn short(kind: &str) -> &str {
    match kind {
        "pod" => "po",
        "deployment" => "deploy",
        "statefulset" => "sts",
        "daemonset" => "ds",
        "replicaset" => "rs",
        "replicationcontroller" => "rc",
        "cronjob" => "cj",
        kind => kind,
    }
}
