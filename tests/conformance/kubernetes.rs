//! Kubernetes, by its real API server. Something of ours stands in front of it and counts.

use std::sync::Arc;

use crate::servers::Gate;
use crate::stores::Subject;
use support::apiserver::{self, Account, rule};
use support::faulty::{Deaf, Faulty};
use support::{Place, Run};

pub struct Kubernetes {
    place: Place,
    account: Account,
    front: Faulty,
    gate: Arc<Gate>,
    deaf: Deaf,
}

/// The name of a scope's Secret.
fn secret(scope: &str) -> String {
    format!("doorkey-{}", scope.replace('/', "-"))
}

impl Kubernetes {
    pub fn new() -> Self {
        let scopes = ["team", "cluster/eu", "project/web"].map(secret);
        let names = scopes.each_ref().map(String::as_str);
        let account = Account::new(&[rule(&["get"], &names)]);
        let gate = Arc::new(Gate::default());
        let front = Faulty::new({
            let (server, gate) = (Arc::clone(&account.server), Arc::clone(&gate));
            move |request| {
                gate.pass();
                apiserver::passed_on(&server, request)
            }
        });
        Kubernetes {
            place: Place::new(),
            account,
            front,
            gate,
            deaf: Deaf::new(),
        }
    }

    fn run_at(&self, address: &str) -> Run {
        let file = self.account.kubeconfig(&self.place, address);
        let run = self.place.doorkey([""; 0]).env("KUBECONFIG", file);
        run.env("DOORKEY_STORE", self.store())
    }
}

impl Subject for Kubernetes {
    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        format!("k8s:{}/doorkey", self.account.namespace)
    }

    fn run(&self) -> Run {
        self.run_at(&self.front.address())
    }

    fn put(&self, scope: &str, name: &str, value: &[u8]) {
        self.account.put(&secret(scope), &[(name, value)]);
    }

    fn deny(&self, scope: &str) {
        let all = ["team", "cluster/eu", "project/web"];
        let rest: Vec<_> = all.into_iter().filter(|one| *one != scope).collect();
        let names: Vec<_> = rest.into_iter().map(secret).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.account.may(&[rule(&["get"], &names)]);
    }

    fn unreachable(&self) -> (Run, String) {
        let address = format!("http://{}", self.deaf.at);
        (self.run_at(&address), self.store())
    }

    fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![("the token", self.account.token.clone())]
    }

    fn asked(&self, until: usize) -> usize {
        self.gate.count(until)
    }
}
