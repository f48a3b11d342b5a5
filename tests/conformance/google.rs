//! Google Secret Manager, by the key of a service account.

use std::sync::Arc;

use crate::servers::Gate;
use crate::stores::Subject;
use serde_json::{Value, json};
use support::faulty::{Deaf, Faulty};
use support::gcp::{ENDPOINT, Gcp};
use support::{Place, Run};

pub struct Google {
    place: Place,
    gcp: Arc<Gcp>,
    project: String,
    front: Faulty,
    gate: Arc<Gate>,
    deaf: Deaf,
}

impl Google {
    pub fn new() -> Self {
        let (place, gcp) = (Place::new(), Gcp::shared());
        place.write("credentials.json", gcp.account().to_string());
        let gate = Arc::new(Gate::default());
        let front = gcp.behind({
            let gate = Arc::clone(&gate);
            move |_| {
                gate.pass();
                None
            }
        });
        Google {
            place,
            gcp,
            project: Gcp::project(),
            front,
            gate,
            deaf: Deaf::new(),
        }
    }

    /// The lines of the key, of which each is looked for.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.gcp.key.lines();
        lines.filter(|line| !line.starts_with('-') && line.len() == 64)
    }
}

impl Subject for Google {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        format!("gcp-sm:{}/app", self.project)
    }

    fn run(&self) -> Run {
        let run = self.place.doorkey([""; 0]);
        let file = self.place.path("credentials.json");
        run.env("DOORKEY_STORE", self.store())
            .env(ENDPOINT, self.front.address())
            .env("GOOGLE_APPLICATION_CREDENTIALS", file)
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        let project = &self.project;
        let Ok(text) = str::from_utf8(value) else {
            self.gcp.put(project, name, value);
            return;
        };
        let id = format!("app--{}", scope.replace('/', "--"));
        let last = self.gcp.versions(project, &id).pop();
        let last = last.map(|text| serde_json::from_slice(&text).unwrap());
        let mut data: Value = last.unwrap_or_else(|| json!({}));
        data[name] = text.into();
        self.gcp.put(project, &id, data.to_string());
    }

    fn deny(&self, scope: &str) {
        let id = format!("/app--{}/", scope.replace('/', "--"));
        self.gcp.call(json!(["deny", self.project, id]));
    }

    fn unreachable(&self) -> (Run, String) {
        let address = format!("http://{}", self.deaf.at);
        (self.run().env(ENDPOINT, address), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        let lines = self.lines();
        lines.map(|line| ("the key", line.to_owned())).collect()
    }

    fn asked(&self, until: usize) -> usize {
        self.gate.count(until)
    }
}
