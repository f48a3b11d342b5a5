//! moto, which is AWS for tests, as a process of the test's, ended with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use crate::Run;
use crate::faulty::{Faulty, Request, Step};
use crate::served::{self, Served};

/// The interpreter, where `.ci/test` puts it.
pub const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/moto/bin/python");
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/moto_server.py");

/// Where most secrets are.
pub const REGION: &str = "eu-west-1";

/// A server, with signatures and policies checked.
pub struct Moto {
    /// `HOST:PORT`.
    pub at: String,
    served: Served,
}

/// Who somebody is.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl Keys {
    /// Gives them to a program, with the region.
    pub fn give(&self, run: Run) -> Run {
        run.env("AWS_ACCESS_KEY_ID", &self.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", REGION)
    }
}

impl Moto {
    /// The server that the tests of a crate share.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());
        served::shared(&SHARED, || {
            let served = Served::start(PYTHON, PROGRAM, &[]);
            let at = served.said.strip_prefix("http://").expect("an address");
            Moto {
                at: at.to_owned(),
                served,
            }
        })
    }

    /// Does something as the administrator; gives the answer, whatever it is.
    pub fn ask(&self, service: &str, region: &str, what: &str, arguments: Value) -> Value {
        self.served.call(&json!([service, region, what, arguments]))
    }

    /// Does something as the administrator, which must succeed; gives the answer.
    #[track_caller]
    pub fn call(&self, service: &str, what: &str, arguments: Value) -> Value {
        let answer = self.ask(service, REGION, what, arguments);
        assert!(answer["error"].is_null(), "{what}: {answer}");
        answer
    }

    /// Stores a secret, which may be there; gives its ARN.
    pub fn put(&self, name: &str, text: &str) -> String {
        let made = json!({"Name": name, "SecretString": text});
        let made = self.ask("secretsmanager", REGION, "create_secret", made);
        let again = json!({"SecretId": name, "SecretString": text});
        let made = match made["error"].is_null() {
            true => made,
            false => self.call("secretsmanager", "put_secret_value", again),
        };
        made["ARN"].as_str().unwrap().to_owned()
    }

    /// Stores a parameter, which may be there.
    pub fn parameter(&self, name: &str, text: &str) {
        let made = json!({
            "Name": name, "Value": text, "Type": "SecureString", "Overwrite": true,
        });
        self.call("ssm", "put_parameter", made);
    }

    /// Makes a user who may do this and nothing else.
    pub fn user(&self, actions: &[&str]) -> Keys {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("user-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let allowed = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": allowed});
        self.call("iam", "create_user", json!({"UserName": name}));
        let policy = json!({
            "UserName": name, "PolicyName": "own", "PolicyDocument": policy.to_string(),
        });
        self.call("iam", "put_user_policy", policy);
        let made = self.call("iam", "create_access_key", json!({"UserName": name}));
        let text = |key: &str| made["AccessKey"][key].as_str().unwrap().to_owned();
        Keys {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
        }
    }

    /// Stands in front of it: writes down what is asked, and answers what `first` does.
    pub fn behind(
        &self,
        first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static,
    ) -> Faulty {
        served::behind(&self.at, first)
    }
}

/// The secrets or parameters that are asked for.
pub fn asked_for(request: &Request) -> Vec<String> {
    let body = request.json();
    let names = body["Names"].as_array().into_iter().flatten();
    let names = names.chain([&body["SecretId"], &body["Name"], &body["Path"]]);
    names
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}

/// What AWS answers that says no: as it does itself, not as moto does.
pub fn refusal(code: &str) -> Vec<Step> {
    refusal_in_words(code, "")
}

/// As [`refusal`], with a text that doorkey reads, and passes on to nobody.
pub fn refusal_in_words(code: &str, words: &str) -> Vec<Step> {
    let kind = [("Content-Type", "application/x-amz-json-1.1")];
    let words = format!("{words} canary-message");
    let body = json!({"__type": format!("com.amazonaws#{code}"), "Message": words});
    crate::faulty::answer(400, &kind, body.to_string().as_bytes())
}
