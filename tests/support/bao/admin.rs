//! What an operator does to a server, over its API.

use super::http::{self, Answer};
use serde_json::{Value, json};

/// Speaks to one server with one token in one namespace.
#[derive(Clone)]
pub struct Admin {
    /// `HOST:PORT` of its plain listener.
    pub at: String,
    /// The token; none where it is empty.
    pub token: String,
    /// The namespace; the root where it is empty.
    pub namespace: String,
    /// How long the wrapping of its next answers holds; not wrapped where it is empty.
    pub wrap: String,
}

impl Admin {
    /// With this token, in the root namespace.
    pub fn new(at: &str, token: &str) -> Self {
        Admin {
            at: at.to_owned(),
            token: token.to_owned(),
            namespace: String::new(),
            wrap: String::new(),
        }
    }

    /// The same with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Admin {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same in another namespace.
    pub fn within(&self, namespace: &str) -> Self {
        Admin {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    /// The same, with answers that are wrapped.
    pub fn wrapping(&self) -> Self {
        Admin {
            wrap: "300".to_owned(),
            ..self.clone()
        }
    }

    /// Sends a request, whatever comes back. A null body is none.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Answer> {
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let mut headers = vec![("X-Vault-Request", "true"), ("Content-Type", kind)];
        for (name, value) in [
            ("X-Vault-Token", &self.token),
            ("X-Vault-Namespace", &self.namespace),
            ("X-Vault-Wrap-TTL", &self.wrap),
        ] {
            headers.extend((!value.is_empty()).then_some((name, &**value)));
        }
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        let path = format!("/v1/{path}");
        http::request(&self.at, method, &path, &headers, &body.unwrap_or_default())
    }

    /// The status of a request.
    pub fn status(&self, method: &str, path: &str, body: &Value) -> u16 {
        self.ask(method, path, body).expect("it answers").status
    }

    /// Sends a request that must succeed; gives its whole answer.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        loop {
            let answer = self.ask(method, path, body).expect("the server answers");
            let text = String::from_utf8_lossy(&answer.body);
            // A mount of versioned secrets is not ready in its first moments.
            if answer.status == 400 && text.contains("non-versioned to versioned") {
                std::thread::yield_now();
                continue;
            }
            assert!(
                answer.status < 300,
                "{method} {path}: {} {text}",
                answer.status
            );
            return answer.json();
        }
    }

    /// Writes; gives the answer's data.
    #[track_caller]
    pub fn write(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, &body)["data"].take()
    }

    /// Reads; gives the answer's data.
    #[track_caller]
    pub fn read(&self, path: &str) -> Value {
        self.call("GET", path, &Value::Null)["data"].take()
    }

    /// Deletes.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        self.call("DELETE", path, &Value::Null);
    }

    /// What a folder holds.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<String> {
        let mut answer = self.call("LIST", path, &Value::Null);
        serde_json::from_value(answer["data"]["keys"].take()).unwrap()
    }

    /// Makes a policy.
    pub fn policy(&self, name: &str, text: &str) {
        self.write(&format!("sys/policies/acl/{name}"), json!({"policy": text}));
    }

    /// Makes a token with policies, divided by commas.
    pub fn token(&self, policies: &str) -> String {
        let policies: Vec<_> = policies.split(',').collect();
        let answer = self.call("POST", "auth/token/create", &json!({"policies": policies}));
        let made = answer["auth"]["client_token"].as_str();
        // The wrapping token, where answers are wrapped.
        let made = made.or(answer["wrap_info"]["token"].as_str());
        made.expect("a token").to_owned()
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.list("auth/token/accessors").len()
    }

    /// Makes a mount of secrets, of version 1 or 2.
    pub fn mount(&self, path: &str, version: u8) {
        let options = json!({"version": version.to_string()});
        self.write(
            &format!("sys/mounts/{path}"),
            json!({"type": "kv", "options": options}),
        );
    }

    /// Stores a document of version 2; gives its version.
    #[track_caller]
    pub fn put(&self, mount: &str, path: &str, data: Value) -> u64 {
        let answer = self.write(&format!("{mount}/data/{path}"), json!({"data": data}));
        answer["version"].as_u64().unwrap()
    }

    /// A document of version 2.
    #[track_caller]
    pub fn get(&self, mount: &str, path: &str) -> Value {
        self.read(&format!("{mount}/data/{path}"))["data"].take()
    }

    /// Makes a namespace, and speaks within it.
    pub fn namespace(&self, name: &str) -> Self {
        self.write(&format!("sys/namespaces/{name}"), json!({}));
        self.within(format!("{}/{name}", self.namespace).trim_start_matches('/'))
    }

    /// Enables a way to log in.
    fn enable(&self, kind: &str, at: &str) {
        self.write(&format!("sys/auth/{at}"), json!({"type": kind}));
    }

    /// AppRole `web` with a policy; gives its role id and secret id.
    pub fn approle(&self, at: &str, policy: &str) -> (String, String) {
        self.enable("approle", at);
        let role = format!("auth/{at}/role/web");
        self.write(&role, json!({"token_policies": policy}));
        let id = self.read(&format!("{role}/role-id"))["role_id"].take();
        let id = serde_json::from_value(id).unwrap();
        (id, self.secret_id(at))
    }

    /// One more secret id of AppRole `web`; the wrapping token, where answers are wrapped.
    pub fn secret_id(&self, at: &str) -> String {
        let path = format!("auth/{at}/role/web/secret-id");
        let answer = self.call("POST", &path, &json!({}));
        let made = answer["data"]["secret_id"].as_str();
        let made = made.or(answer["wrap_info"]["token"].as_str());
        made.expect("a secret id").to_owned()
    }

    /// User `ann` with a password and a policy.
    pub fn userpass(&self, at: &str, password: &str, policy: &str) {
        self.enable("userpass", at);
        self.write(
            &format!("auth/{at}/users/ann"),
            json!({"password": password, "token_policies": policy}),
        );
    }

    /// Role `web` of whoever is `ci` in a token signed with this public key.
    pub fn jwt(&self, at: &str, key: &str, policy: &str) {
        self.enable("jwt", at);
        let keys = json!({"jwt_validation_pubkeys": [key]});
        self.write(&format!("auth/{at}/config"), keys);
        self.write(
            &format!("auth/{at}/role/web"),
            json!({
                "role_type": "jwt", "user_claim": "sub", "bound_subject": "ci",
                "token_policies": policy,
            }),
        );
    }

    /// Role `web` of the service account `web` in the namespace `shop`, which the API server at
    /// this address vouches for.
    pub fn kubernetes(&self, at: &str, host: &str, ca: &str, policy: &str) {
        self.enable("kubernetes", at);
        self.write(
            &format!("auth/{at}/config"),
            json!({
                "kubernetes_host": host, "disable_local_ca_jwt": true,
                "kubernetes_ca_cert": ca, "token_reviewer_jwt": "reviewer",
            }),
        );
        self.write(
            &format!("auth/{at}/role/web"),
            json!({
                "bound_service_account_names": "web",
                "bound_service_account_namespaces": "shop", "token_policies": policy,
            }),
        );
    }

    /// Role `web` of whoever has a certificate of this authority.
    pub fn cert(&self, at: &str, authority: &str, policy: &str) {
        self.enable("cert", at);
        self.write(
            &format!("auth/{at}/certs/web"),
            json!({"certificate": authority, "token_policies": policy}),
        );
    }

    /// At most so many requests in so many seconds, with Retry-After where it is asked for.
    pub fn quota(&self, path: &str, rate: u32, seconds: u32, says_when: bool) {
        let headers = json!({"enable_rate_limit_response_headers": says_when});
        self.write("sys/quotas/config", headers);
        let limit = json!({"rate": rate, "interval": format!("{seconds}s"), "path": path});
        self.write("sys/quotas/rate-limit/test", limit);
    }
}
