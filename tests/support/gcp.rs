//! Google, as far as drongo and a fake of our own are Google, as a process of the test's, ended with
//! it. Google's own client is asked first wherever a test is about who we are: a fake that it does
//! not believe fails the test.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use crate::faulty::{Faulty, Request, Step};
use crate::served::{self, Served};

/// The interpreter, where `.ci/test` puts it.
pub const PYTHON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/drongo/bin/python"
);
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gcp_server.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gcp_client.py");

/// The provider of workload identity federation that the server knows.
pub const POOL: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";

/// The variable with the service's address.
pub const ENDPOINT: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER";

/// The service account of the server's key.
pub const ACCOUNT: &str = "web@a.iam.gserviceaccount.com";

/// A server: secrets, tokens, metadata.
pub struct Gcp {
    /// `HOST:PORT`.
    pub at: String,
    /// The service account's key in PEM.
    pub key: String,
    served: Served,
}

impl Gcp {
    /// The server that the tests of a crate share.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Gcp>> = Mutex::new(Weak::new());
        served::shared(&SHARED, || {
            let served = Served::start(PYTHON, PROGRAM, &[]);
            let said: Value = serde_json::from_str(&served.said).unwrap();
            let text = |name: &str| said[name].as_str().unwrap().to_owned();
            Gcp {
                at: text("at"),
                key: text("key"),
                served,
            }
        })
    }

    /// Does something as the administrator; gives the answer.
    pub fn call(&self, words: Value) -> Value {
        self.served.call(&words)
    }

    /// The id of a project of a test's own.
    pub fn project() -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("project-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a version to a secret, which is made where it is not there.
    pub fn put(&self, project: &str, name: &str, value: impl AsRef<[u8]>) {
        let bytes = value.as_ref().iter();
        let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        self.call(json!(["put", project, name, hex]));
    }

    /// All versions of a secret, the oldest first.
    pub fn versions(&self, project: &str, name: &str) -> Vec<Vec<u8>> {
        let found = self.call(json!(["get", project, name]));
        let bytes = |hex: &str| {
            let digits = hex.as_bytes().chunks(2);
            let byte = |two: &[u8]| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap();
            digits.map(byte).collect()
        };
        let versions = found.as_array().into_iter().flatten();
        versions.map(|hex| bytes(hex.as_str().unwrap())).collect()
    }

    /// Who has asked for secrets of a project, and by whose quota.
    pub fn asked(&self, project: &str) -> Vec<(String, String)> {
        let asked = self.call(json!(["asked", project]));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = asked.as_array().unwrap().iter();
        all.map(|one| (text(&one[1]), text(&one[2]))).collect()
    }

    /// Stands in front of it: writes down what is asked, and answers what `first` does.
    pub fn behind(
        &self,
        first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static,
    ) -> Faulty {
        served::behind(&self.at, first)
    }

    /// A service account's file. Its token is signed by the key alone.
    pub fn account(&self) -> Value {
        json!({
            "type": "service_account", "client_email": ACCOUNT, "private_key": self.key,
            "private_key_id": "key-1", "project_id": "of-the-file",
            "token_uri": "https://oauth2.googleapis.com/token",
        })
    }

    /// A user's file.
    pub fn user(&self) -> Value {
        json!({
            "type": "authorized_user", "client_id": "an-id",
            "client_secret": "canary-client-secret", "refresh_token": "canary-refresh-token",
            "token_uri": format!("http://{}/token", self.at),
        })
    }

    /// A file of workload identity federation with such a source.
    pub fn external(&self, source: Value) -> Value {
        json!({
            "type": "external_account", "audience": POOL,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("http://{}/exchange", self.at), "credential_source": source,
        })
    }

    /// The address at which somebody becomes an account.
    pub fn impersonation(&self, name: &str) -> String {
        let at = &self.at;
        format!(
            "http://{at}/v1/projects/-/serviceAccounts/{name}@a.iam.gserviceaccount.com:generateAccessToken"
        )
    }

    /// Has Google's own client read a secret in this environment.
    #[track_caller]
    pub fn client(&self, project: &str, name: &str, environment: &[(&str, String)]) {
        let mut command = Command::new(PYTHON);
        let path = format!("projects/{project}/secrets/{name}/versions/latest:access");
        command
            .args([CLIENT, &format!("http://{}", self.at), &path])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("GOOGLE_CLOUD_PROJECT", project)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success(),
            "Google's client does not believe it: {said}"
        );
    }
}

/// What Google answers that says no, with the reason in its details.
pub fn refusal(status: u16, word: &str, reason: &str) -> Vec<Step> {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com",
    }]);
    let error = json!({
        "code": status, "message": "canary-message", "status": word, "details": details,
    });
    crate::faulty::json(status, &json!({"error": error}))
}
