//! doorkey on a mount of its own of a server: what most tests of the store begin with.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Admin, Bao};
use crate::{Place, Run};
use serde_json::{Value, json};

/// A mount with the store `vault:MOUNT/app`, a token that may read it, and a folder.
pub struct App {
    /// The server.
    pub bao: Arc<Bao>,
    /// Its operator.
    pub admin: Admin,
    /// The mount, which is the name of the policy that reads it, too.
    pub mount: String,
    /// A token with that policy.
    pub token: String,
    /// Whether the mount keeps versions.
    pub versioned: bool,
    /// Where doorkey runs.
    pub place: Place,
}

impl Deref for App {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl App {
    /// On the server that the tests of a crate share.
    pub fn new() -> Self {
        Self::on(Bao::shared(), 2)
    }

    /// The same with KV of version 1.
    pub fn unversioned() -> Self {
        Self::on(Bao::shared(), 1)
    }

    /// On a server of its own, where nobody else's requests are counted.
    pub fn alone() -> Self {
        Self::on(Arc::new(Bao::new()), 2)
    }

    /// On this server.
    pub fn on(bao: Arc<Bao>, version: u8) -> Self {
        let admin = bao.admin();
        Self::within(bao, admin, version)
    }

    /// The same in a namespace, which the operator speaks in.
    pub fn within(bao: Arc<Bao>, admin: Admin, version: u8) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mount = format!("kv{}", COUNT.fetch_add(1, Ordering::Relaxed));
        admin.mount(&mount, version);
        admin.policy(
            &mount,
            &format!(r#"path "{mount}/*" {{ capabilities = ["read"] }}"#),
        );
        let token = admin.token(&mount);
        App {
            bao,
            admin,
            mount,
            token,
            versioned: version == 2,
            place: Place::new(),
        }
    }

    /// What requests for a document below `app` go to.
    pub fn document(&self, document: &str) -> String {
        let kind = if self.versioned { "/data" } else { "" };
        format!("{}{kind}/app/{document}", self.mount)
    }

    /// Stores a document: `team`, `cluster/ID`, `project/ID`.
    #[track_caller]
    pub fn put(&self, document: &str, data: Value) {
        let body = if self.versioned {
            json!({"data": data})
        } else {
            data
        };
        self.admin.write(&self.document(document), body);
    }

    /// A document's data.
    #[track_caller]
    pub fn get(&self, document: &str) -> Value {
        let mut data = self.admin.read(&self.document(document));
        if self.versioned {
            data["data"].take()
        } else {
            data
        }
    }

    /// The store as an option names it.
    pub fn store(&self) -> String {
        format!("vault:{}/app", self.mount)
    }

    /// doorkey with these words, divided by blanks, on the store, without anything to log in with.
    pub fn nobody(&self, words: &str) -> Run {
        let run = self.place.doorkey(words.split_whitespace());
        let run = run.env("DOORKEY_STORE", self.store());
        run.env("VAULT_ADDR", self.bao.address())
    }

    /// The same with the token.
    pub fn run(&self, words: &str) -> Run {
        self.nobody(words).env("VAULT_TOKEN", &self.token)
    }

    /// The same with the root token, which may do everything.
    pub fn operator(&self, words: &str) -> Run {
        self.nobody(words).env("VAULT_TOKEN", &self.bao.root)
    }

    /// `doorkey run -q -- printenv V` with V a reference; gives what it prints, without the newline.
    #[track_caller]
    pub fn value(&self, reference: &str) -> String {
        let run = self.run("run -q --project web -- printenv V");
        let out = run.env("V", reference).ok().out();
        out.strip_suffix('\n').expect("a line").to_owned()
    }
}
