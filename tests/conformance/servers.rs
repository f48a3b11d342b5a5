//! Stores that are servers. Something of ours stands in front of each and counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::stores::Subject;
use serde_json::{Value, json};
use support::bao::{App, Bao};
use support::faulty::{Deaf, Faulty};
use support::moto::{self, Keys, Moto};
use support::{Place, Run};

/// Counts who asks, and lets nobody through until so many have asked.
#[derive(Default)]
pub struct Gate {
    asked: AtomicUsize,
    until: AtomicUsize,
}

impl Gate {
    /// Waits until so many have asked.
    pub fn pass(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        support::bao::wait("all ask at the same time", || {
            let until = self.until.load(Ordering::SeqCst);
            (self.asked.load(Ordering::SeqCst) >= until).then_some(())
        });
    }

    /// How many have asked; from now on so many have to.
    pub fn count(&self, until: usize) -> usize {
        let before = self.asked.load(Ordering::SeqCst);
        self.until.store(before + until, Ordering::SeqCst);
        before
    }
}

pub struct Vault {
    app: App,
    front: Faulty,
    gate: Arc<Gate>,
    deaf: Deaf,
}

impl Vault {
    pub fn new() -> Self {
        let app = App::on(Bao::shared(), 2);
        let gate = Arc::new(Gate::default());
        let front = Faulty::new({
            let (at, gate) = (app.bao.at.clone(), Arc::clone(&gate));
            move |request| {
                if request.path.contains("/data/") {
                    gate.pass();
                }
                support::served::passed_on(&at, request)
            }
        });
        let deaf = Deaf::new();
        Vault {
            app,
            front,
            gate,
            deaf,
        }
    }
}

impl Subject for Vault {
    fn place(&self) -> &Place {
        &self.app.place
    }

    fn store(&self) -> String {
        self.app.store()
    }

    fn run(&self) -> Run {
        self.app.run("").env("VAULT_ADDR", self.front.address())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let path = self.app.document(scope);
        let answer = self.app.admin.ask("GET", &path, &Value::Null).unwrap();
        let mut data = match answer.status {
            200 => answer.json()["data"]["data"].take(),
            _ => json!({}),
        };
        data[name] = str::from_utf8(value).unwrap().into();
        self.app.put(scope, data);
    }

    fn deny(&self, scope: &str) {
        let document = self.app.document(scope);
        let mount = &self.app.mount;
        let policy = format!(
            "path \"{mount}/*\" {{ capabilities = [\"read\"] }}\n\
             path \"{document}\" {{ capabilities = [\"deny\"] }}"
        );
        self.app.admin.policy(mount, &policy);
    }

    fn unreachable(&self) -> (Run, String) {
        let address = format!("http://{}", self.deaf.at);
        (self.run().env("VAULT_ADDR", address), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![("the token", self.app.token.clone())]
    }

    fn asked(&self, until: usize) -> usize {
        self.gate.count(until)
    }
}

pub struct Secrets {
    place: Place,
    prefix: String,
    moto: Arc<Moto>,
    keys: Keys,
    front: Faulty,
    gate: Arc<Gate>,
    denied: Arc<Mutex<String>>,
    deaf: Deaf,
}

impl Secrets {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let moto = Moto::shared();
        let gate = Arc::new(Gate::default());
        let denied = Arc::new(Mutex::new("/no scope".to_owned()));
        // moto knows no policy for one secret.
        let front = moto.behind({
            let (gate, denied) = (Arc::clone(&gate), Arc::clone(&denied));
            move |request| {
                gate.pass();
                let denied = denied.lock().unwrap();
                let is_denied = |name: &String| {
                    name.ends_with(&*denied) || name.contains(&format!("{denied}/"))
                };
                let is_denied = moto::asked_for(request).iter().any(is_denied);
                is_denied.then(|| moto::refusal("AccessDeniedException"))
            }
        });
        Secrets {
            place: Place::new(),
            prefix: format!("app-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            keys: moto.user(&["secretsmanager:GetSecretValue"]),
            moto,
            front,
            gate,
            denied,
            deaf: Deaf::new(),
        }
    }
}

impl Subject for Secrets {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        format!("aws-sm:{}", self.prefix)
    }

    fn run(&self) -> Run {
        let run = self
            .place
            .doorkey([""; 0])
            .env("DOORKEY_STORE", self.store());
        let run = run.env("AWS_ENDPOINT_URL", self.front.address());
        // As doorkey's own, since the workload keeps those of AWS' names.
        run.env("DOORKEY_AWS_ACCESS_KEY_ID", &self.keys.id)
            .env("DOORKEY_AWS_SECRET_ACCESS_KEY", &self.keys.secret)
            .env("AWS_REGION", moto::REGION)
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let path = format!("{}/{scope}", self.prefix);
        let Ok(text) = str::from_utf8(value) else {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            let single = format!("{}/{name}", self.prefix);
            let made = json!({"Name": single, "SecretBinary": hex});
            self.moto.call("secretsmanager", "create_secret", made);
            return;
        };
        let there = json!({"SecretId": path});
        let there = self
            .moto
            .ask("secretsmanager", moto::REGION, "get_secret_value", there);
        let mut data: Value = match there["SecretString"].as_str() {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => json!({}),
        };
        data[name] = text.into();
        self.moto.put(&path, &data.to_string());
    }

    fn deny(&self, scope: &str) {
        *self.denied.lock().unwrap() = format!("/{scope}");
    }

    fn unreachable(&self) -> (Run, String) {
        let address = format!("http://{}", self.deaf.at);
        (self.run().env("AWS_ENDPOINT_URL", address), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("the access key's id", self.keys.id.clone()),
            ("the secret access key", self.keys.secret.clone()),
        ]
    }

    fn asked(&self, until: usize) -> usize {
        self.gate.count(until)
    }
}

/// Parameters, with the same front as secrets.
pub struct Parameters(Secrets);

impl Parameters {
    pub fn new() -> Self {
        let secrets = Secrets::new();
        let keys = secrets.moto.user(&["ssm:GetParameters"]);
        Parameters(Secrets { keys, ..secrets })
    }
}

impl Subject for Parameters {
    fn place(&self) -> &Place {
        self.0.place()
    }

    fn store(&self) -> String {
        format!("aws-ssm:/{}", self.0.prefix)
    }

    fn run(&self) -> Run {
        self.0.run().env("DOORKEY_STORE", self.store())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let name = format!("/{}/{scope}/{name}", self.0.prefix);
        self.0.moto.parameter(&name, str::from_utf8(value).unwrap());
    }

    fn deny(&self, scope: &str) {
        self.0.deny(scope);
    }

    fn unreachable(&self) -> (Run, String) {
        let (run, _) = self.0.unreachable();
        (run.env("DOORKEY_STORE", self.store()), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        self.0.credentials()
    }

    fn asked(&self, until: usize) -> usize {
        self.0.asked(until)
    }
}
