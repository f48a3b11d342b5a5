//! Azure Key Vault, by a cloud of our own. Something of ours stands in front of it and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::servers::Gate;
use crate::stores::Subject;
use support::azure::{Application, Azure, Front, TENANT, is_of_vault};
use support::canaries::{Random, SEED};
use support::faulty::Deaf;
use support::{Place, Run};

pub struct Vaults {
    place: Place,
    azure: Arc<Azure>,
    front: Front,
    vault: String,
    app: Application,
    token: String,
    gate: Arc<Gate>,
    deaf: Deaf,
}

/// The name of a scope's secret.
fn secret(scope: &str) -> String {
    format!("app--{}", scope.replace('/', "--"))
}

impl Vaults {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let (azure, gate) = (Azure::shared(), Arc::new(Gate::default()));
        let front = azure.behind({
            let gate = Arc::clone(&gate);
            move |request| {
                if is_of_vault(request) {
                    gate.pass();
                }
                None
            }
        });
        let mut random = Random(SEED + 1 + count);
        let [secret, token] = [(); 2].map(|()| String::from_utf8(random.text(40)).unwrap());
        Vaults {
            place: Place::new(),
            front,
            vault: azure.vault(),
            app: azure.application(&secret, Some(&token)),
            token,
            azure,
            gate,
            deaf: Deaf::new(),
        }
    }
}

impl Subject for Vaults {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        format!("azure-kv:{}/app", self.vault)
    }

    fn run(&self) -> Run {
        let run = self.place.doorkey([""; 0]);
        let run = self.front.lead(run.env("DOORKEY_STORE", self.store()));
        // As doorkey's own, since the workload keeps those of Azure's names.
        run.env("AZURE_TENANT_ID", TENANT)
            .env("DOORKEY_AZURE_CLIENT_ID", &self.app.id)
            .env("DOORKEY_AZURE_CLIENT_SECRET", &self.app.secret)
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let Ok(text) = str::from_utf8(value) else {
            let wanted = json!({
                "value": BASE64_STANDARD.encode(value),
                "contentType": "application/octet-stream",
            });
            self.azure.put_as(&self.vault, name, &wanted);
            return;
        };
        let there = self.azure.get(&self.vault, &secret(scope));
        let mut data: Value = match there["value"].as_str() {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => json!({}),
        };
        data[name] = text.into();
        self.azure
            .put(&self.vault, &secret(scope), &data.to_string());
    }

    fn deny(&self, scope: &str) {
        self.azure
            .deny(&self.vault, &secret(scope), "ForbiddenByRbac");
    }

    fn unreachable(&self) -> (Run, String) {
        let proxy = format!("http://{}", self.deaf.at);
        (self.run().env("HTTPS_PROXY", proxy), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("the client secret", self.app.secret.clone()),
            ("the token", self.token.clone()),
        ]
    }

    fn asked(&self, until: usize) -> usize {
        self.gate.count(until)
    }
}
