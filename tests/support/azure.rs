//! Azure for tests, as far as `azure_server.py` has it, as a process of the test's, ended with it.
//! Azure's own client is asked first: a fake that it does not believe fails the test.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use crate::faulty::{self, Faulty, Request, Step};
use crate::served::{self, Served};
use crate::{Place, Run};

/// The interpreter, where `.ci/test` puts it.
pub const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/azure/bin/python");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/azure_server.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/azure_client.py");

/// The only tenant.
pub const TENANT: &str = "5f0c3a10-0000-4000-8000-00000000aaaa";
/// A service account's token, for which every application has a federated credential.
pub const WEB_TOKEN: &str = "canary-web-token";
/// What an app shows to the service of its identity.
pub const HEADER: &str = "canary-identity-header";

/// The cloud.
pub struct Azure {
    /// `HOST:PORT`.
    pub at: String,
    place: Place,
    served: Served,
}

/// An application.
#[derive(Clone)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl Application {
    /// Gives it to a program.
    pub fn give(&self, run: Run) -> Run {
        run.env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", &self.id)
            .env("AZURE_CLIENT_SECRET", &self.secret)
    }
}

/// What stands before the cloud and writes down what is asked, with a proxy that leads there.
pub struct Front {
    /// The cloud.
    pub azure: Arc<Azure>,
    /// What is asked.
    pub faulty: Faulty,
    /// The proxy's address.
    pub proxy: String,
}

impl Azure {
    /// The cloud that the tests of a crate share.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Azure>> = Mutex::new(Weak::new());
        served::shared(&SHARED, || {
            let place = Place::new();
            let served = Served::start(PYTHON, SERVER, &[&place.path("")]);
            Azure {
                at: served.said.clone(),
                place,
                served,
            }
        })
    }

    /// A file of the cloud's: `ca.pem`, the application's `app.pem`, and `other.pem` of nobody.
    pub fn file(&self, name: &str) -> String {
        self.place.path(name).to_str().unwrap().to_owned()
    }

    fn ask(&self, asked: &Value) -> Value {
        self.served.call(asked)
    }

    /// A vault that nobody else has.
    pub fn vault(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("vault-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Stores a secret, as a vault is asked to; gives its version.
    pub fn put_as(&self, vault: &str, name: &str, wanted: &Value) -> String {
        let made = self.ask(&json!(["put", vault, name, wanted]));
        made.as_str().unwrap().to_owned()
    }

    /// Stores a secret; gives its version.
    pub fn put(&self, vault: &str, name: &str, text: &str) -> String {
        self.put_as(vault, name, &json!({"value": text}))
    }

    /// The newest version of a secret; null where there is none.
    pub fn get(&self, vault: &str, name: &str) -> Value {
        self.ask(&json!(["get", vault, name]))
    }

    /// Deletes a secret, which keeps its name.
    pub fn delete(&self, vault: &str, name: &str) {
        self.ask(&json!(["delete", vault, name]));
    }

    /// Denies secrets of a vault whose names end so, with this code.
    pub fn deny(&self, vault: &str, end: &str, code: &str) {
        self.ask(&json!(["denied", vault, {end: code}]));
    }

    /// An application, which gets this token where one is given.
    pub fn application(&self, secret: &str, token: Option<&str>) -> Application {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let id = format!("app-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let made = json!({"secret": secret, "token": token, "federated": [WEB_TOKEN]});
        self.ask(&json!(["app", id, made]));
        let secret = secret.to_owned();
        Application { id, secret }
    }

    /// A proxy that leads straight to the cloud.
    pub fn proxy(&self) -> String {
        self.proxy_to(&self.at)
    }

    fn proxy_to(&self, at: &str) -> String {
        let proxy = self.ask(&json!(["front", at]));
        proxy.as_str().unwrap().to_owned()
    }

    /// Stands in front of it: writes down what is asked, and answers what `first` does.
    pub fn behind(
        self: &Arc<Self>,
        first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static,
    ) -> Front {
        let faulty = served::behind(&self.at, first);
        Front {
            azure: Arc::clone(self),
            proxy: self.proxy_to(&faulty.at),
            faulty,
        }
    }
}

/// What a vault answers that says no.
pub fn refusal(status: u16, code: &str, inner: &str) -> Vec<Step> {
    let mut error = json!({"code": code, "message": "canary-message"});
    if !inner.is_empty() {
        error["innererror"] = json!({"code": inner});
    }
    faulty::json(status, &json!({"error": error}))
}

impl Front {
    /// The settings by which a program gets there: it trusts the cloud, and finds it.
    pub fn way(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HTTPS_PROXY", self.proxy.clone()),
            ("SSL_CERT_FILE", self.azure.file("ca.pem")),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", self.faulty.address()),
        ]
    }

    /// Has doorkey get there.
    pub fn lead(&self, run: Run) -> Run {
        let way = self.way().into_iter();
        way.fold(run, |run, (name, value)| run.env(name, value))
    }

    /// What is asked of vaults: method, host, and path without the query.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.faulty.requests();
        let of_vaults = requests.iter().filter(|one| is_of_vault(one));
        let shown = of_vaults.map(|one| {
            let path = one.path.split('?').next().unwrap();
            format!("{} {}{path}", one.method, one.header("host").unwrap())
        });
        shown.collect()
    }

    /// Who asked vaults, by the tokens: each once.
    pub fn asked_as(&self) -> Vec<String> {
        let requests = self.faulty.requests();
        let of_vaults = requests.iter().filter(|one| is_of_vault(one));
        let shown = of_vaults.filter_map(|one| one.header("authorization"));
        let mut shown: Vec<_> = shown.map(str::to_owned).collect();
        shown.dedup();
        shown
    }

    /// What Azure's own client gets, in the same environment: each secret's value.
    #[track_caller]
    pub fn of_client(&self, words: &[&str], environment: &[(&str, String)]) -> String {
        let mut command = Command::new(PYTHON);
        command.arg(CLIENT).args(words).env_clear();
        command.env("REQUESTS_CA_BUNDLE", self.azure.file("ca.pem"));
        command.env("AZURE_TOKEN_CREDENTIALS", "prod");
        command.envs(self.way()).envs(
            environment
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success(),
            "Azure's client does not believe it: {said}"
        );
        String::from_utf8(out.stdout).unwrap()
    }
}

/// True for a request to a vault.
pub fn is_of_vault(request: &Request) -> bool {
    request.path.starts_with("/secrets")
}
