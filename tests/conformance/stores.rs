//! The table: what the suite needs of each kind of store. A new store is a row more, and what
//! stands behind it.

use crate::azure::Vaults;
use crate::google::Google;
use crate::kubernetes::Kubernetes;
use crate::local::{Age, Dir, Mem};
use crate::program::Program;
use crate::servers::{Parameters, Secrets, Vault};
use support::{Place, Run};

/// A kind of store.
pub struct Row {
    /// Its scheme.
    pub scheme: &'static str,
    /// Makes an empty one.
    pub make: fn() -> Box<dyn Subject>,
    /// What is said where a scope is denied, after the reference and `project/web of STORE: `; what
    /// follows the store's colon is `PLACE`, and a key `age1…`.
    pub denied: &'static str,
    /// What is said where nobody answers, after `STORE: ` and what was asked; the time is `T`.
    pub unreachable: &'static str,
    /// How often the server is asked for twenty names in three scopes; `None` where there is no
    /// server.
    pub asked: Option<usize>,
    /// What becomes of bytes that are no text.
    pub bytes: Bytes,
}

/// What a store does with bytes that are no text.
pub enum Bytes {
    /// A scope holds them.
    Held,
    /// A single place holds them: the reference to the secret `bytes`.
    Single(fn(&dyn Subject) -> String),
    /// They are refused: the line, after `bytes in team of STORE: `.
    Refused(&'static str),
}

/// A store with what it is reached by, in a folder of its own.
pub trait Subject {
    /// The folder.
    fn place(&self) -> &Place;
    /// The store, as messages name it.
    fn store(&self) -> String;
    /// doorkey on it, with all that it needs to get in.
    fn run(&self) -> Run;
    /// Puts a secret into a scope.
    fn put(&self, scope: &str, name: &str, value: &[u8]);
    /// Keeps doorkey from a scope.
    fn deny(&self, scope: &str);
    /// The same program, with nobody where the store should be; how that store is called then.
    fn unreachable(&self) -> (Run, String);
    /// What must not be said, nor be in memory when the workload starts: what it is, and itself.
    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![]
    }
    /// How often the server has been asked for values; from the next time on it answers when so
    /// many have asked.
    fn asked(&self, _until: usize) -> usize {
        0
    }
}

/// Every kind of store.
pub const TABLE: &[Row] = &[
    Row {
        scheme: "mem",
        make: || Box::new(Mem::new()),
        denied: "denied: no right to project/web; say another ?deny",
        unreachable: "there is no such store; mem: has no place",
        asked: None,
        bytes: Bytes::Held,
    },
    Row {
        scheme: "dir",
        make: || Box::new(Dir(Place::new())),
        denied: "unreadable: permission denied; PLACE/project/web is uid 0's, mode 0000, and doorkey runs as uid 65534: run it as uid 0, or chown or chmod that (Kubernetes: fsGroup, defaultMode)",
        unreachable: "there is no store there; check the name; the folder has one file a secret, as mounts have",
        asked: None,
        bytes: Bytes::Held,
    },
    Row {
        scheme: "age",
        make: || Box::new(Age::new()),
        denied: "denied: the key age1… (DOORKEY_KEY) is not one of its recipients; have the holder of age1… run doorkey store recipient add age1… --project web",
        unreachable: "there is no store there; check the name, or make one with doorkey store init",
        asked: None,
        bytes: Bytes::Held,
    },
    Row {
        scheme: "vault",
        make: || Box::new(Vault::new()),
        denied: "denied: the token may not use PLACE/project/web, or is no longer valid; its policies must allow it",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(3),
        bytes: Bytes::Refused(
            "the value is not UTF-8, which this store can't hold; store it as base64, and read it with |base64decode",
        ),
    },
    Row {
        scheme: "aws-sm",
        make: || Box::new(Secrets::new()),
        denied: "denied: PLACE/project/web is not for us, or does not exist; a policy must allow secretsmanager:GetSecretValue on it",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(3),
        bytes: Bytes::Single(|subject| {
            let store = subject.store();
            let (_, prefix) = store.split_once(':').unwrap();
            format!("aws-sm:{prefix}/bytes")
        }),
    },
    Row {
        scheme: "aws-ssm",
        make: || Box::new(Parameters::new()),
        denied: "denied: PLACE/project/web/v is not for us, or does not exist; a policy must allow ssm:GetParameters on it",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(6),
        bytes: Bytes::Refused(
            "the value is not UTF-8, which this store can't hold; store it as base64, and read it with |base64decode",
        ),
    },
    Row {
        scheme: "azure-kv",
        make: || Box::new(Vaults::new()),
        denied: "denied: PLACE--project--web is not for us, or does not exist; a role must allow get on it, such as Key Vault Secrets User, which takes minutes to count",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(3),
        bytes: Bytes::Single(|subject| {
            let store = subject.store();
            let (vault, _) = store.split_once('/').unwrap();
            format!("{vault}/bytes")
        }),
    },
    Row {
        scheme: "gcp-sm",
        make: || Box::new(Google::new()),
        denied: "denied: PLACE--project--web is not for us, or does not exist; allow secretmanager.versions.access (roles/secretmanager.secretAccessor) on it; in the whole project that tells which it is",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(3),
        bytes: Bytes::Single(|subject| {
            let store = subject.store();
            let (project, _) = store.split_once('/').unwrap();
            format!("{project}/bytes")
        }),
    },
    Row {
        scheme: "k8s",
        make: || Box::new(Kubernetes::new()),
        denied: "denied: PLACE-project-web is not for us, or does not exist, which only those learn who may get it; a Role must allow get on secrets, with this name in its resourceNames",
        unreachable: "gave up after T; the last: no connection in time",
        asked: Some(3),
        bytes: Bytes::Held,
    },
    Row {
        scheme: "exec",
        make: || Box::new(Program::new()),
        denied: "denied: the program says that it is not for us",
        unreachable: "it can't reach what it asks; --log-level debug shows what it has said",
        asked: Some(1),
        bytes: Bytes::Held,
    },
];
