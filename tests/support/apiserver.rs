//! The real Kubernetes API server, as a process of the test's, ended with it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::bao;
use crate::faulty::{Request, Step};
use crate::{Place, Run};

/// Who may do everything.
const ADMIN: &str = "admins-own-token";

/// A server.
pub struct ApiServer {
    /// `HOST:PORT`.
    pub at: String,
    folder: PathBuf,
    child: Mutex<Child>,
}

/// A service account in a namespace of its own.
pub struct Account {
    /// The server.
    pub server: Arc<ApiServer>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// A token of its.
    pub token: String,
}

/// A rule of a Role: what may be done to Secrets of these names; to all, where there are none.
pub fn rule(verbs: &[&str], names: &[&str]) -> Value {
    let mut rule = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": verbs});
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

impl ApiServer {
    /// The server that the tests of a file share. It ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<ApiServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Self::new()));
        *shared = Arc::downgrade(&server);
        server
    }

    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.ci/apiserver");
        let built = Command::new("sh")
            .arg(script)
            .output()
            .expect("sh is there");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let program = String::from_utf8(built.stdout).unwrap();
        let name = format!("doorkey-apiserver-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let key = path("account.key");
        let made = Command::new("openssl")
            .args(["genrsa", "-out", &key, "2048"])
            .output();
        assert!(made.unwrap().status.success());
        let tokens = format!("{ADMIN},admin,uid,\"system:masters\"\n");
        fs::write(path("tokens.csv"), tokens).unwrap();
        let subject = ["-subj", "/CN=clients", "-keyout", &path("clients.key")];
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-out", &path("clients.pem")])
            .args(subject)
            .output();
        assert!(made.unwrap().status.success());
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}],
            "omitStages": ["RequestReceived"],
        });
        fs::write(path("policy"), policy.to_string()).unwrap();
        let port = bao::free_port();
        let mut command = Command::new(program.trim());
        let flag = |name: &str, value: &str| format!("--{name}={value}");
        command
            .arg(path("etcd"))
            .args([
                flag("bind-address", "127.0.0.1"),
                flag("secure-port", &port.to_string()),
                flag("cert-dir", &path("")),
                flag("service-account-issuer", "https://kubernetes.default.svc"),
                flag("service-account-key-file", &key),
                flag("service-account-signing-key-file", &key),
                flag("authorization-mode", "RBAC"),
                flag("token-auth-file", &path("tokens.csv")),
                flag("service-cluster-ip-range", "10.0.0.0/24"),
                flag("disable-admission-plugins", "ServiceAccount"),
                flag("client-ca-file", &path("clients.pem")),
                flag("audit-policy-file", &path("policy")),
                flag("audit-log-path", &path("audit")),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = bao::spawn(command);
        let server = ApiServer {
            at: format!("127.0.0.1:{port}"),
            folder,
            child: Mutex::new(child),
        };
        bao::wait("the API server is ready", || {
            let (status, _) = server.try_ask(ADMIN, "GET", "/readyz", &Value::Null)?;
            (status == 200).then_some(())
        });
        server
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("https://{}", self.at)
    }

    /// The file of the authority that its certificate is of.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("apiserver.crt")
    }

    /// Asks something with a token; gives the status and the answer, if there is any.
    fn try_ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut curl = Command::new("curl")
            .args(["-s", "--cacert"])
            .arg(self.authority())
            .args(["-X", method, "-w", "\n%{http_code}", "-H"])
            .arg(format!("Authorization: Bearer {token}"))
            .args(["-H", &format!("Content-Type: {kind}"), "-d", "@-"])
            .arg(format!("{}{path}", self.address()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is there");
        let mut stdin = curl.stdin.take().unwrap();
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        let output = curl.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (answer, status) = text.rsplit_once('\n')?;
        let status = status.parse().ok().filter(|status| *status != 0)?;
        Some((status, serde_json::from_str(answer).unwrap_or_default()))
    }

    /// Asks something as the administrator; gives the answer, whatever it is.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.try_ask(ADMIN, method, path, body);
        answer.expect("the API server answers")
    }

    /// Does something as the administrator, which must succeed; gives the answer.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// Makes a thing that is written in YAML, of which the server has to know every field.
    #[track_caller]
    pub fn make(&self, collection: &str, yaml: &str) {
        let output = Command::new("curl")
            .args(["-s", "--fail-with-body", "--cacert"])
            .arg(self.authority())
            .args(["-H", "Content-Type: application/yaml", "-H"])
            .arg(format!("Authorization: Bearer {ADMIN}"))
            .args(["--data-binary", yaml])
            .arg(format!(
                "{}{collection}?fieldValidation=Strict",
                self.address()
            ))
            .output()
            .expect("curl is there");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{yaml}\n{said}");
    }

    /// What it was asked by an account, oldest first: status, verb and path.
    pub fn asked_by(&self, account: &Account) -> Vec<String> {
        let log = fs::read_to_string(self.folder.join("audit")).unwrap_or_default();
        let events = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let own = events.filter(|event: &Value| event["user"]["username"] == account.user());
        let line = |event: Value| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let status = &event["responseStatus"]["code"];
            format!("{status} {} {}", text("verb"), text("requestURI"))
        };
        own.map(line).collect()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Account {
    /// One in a new namespace, who may do this.
    pub fn new(rules: &[Value]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = ApiServer::shared();
        let namespace = format!("shop-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let made = json!({"metadata": {"name": namespace}});
        server.call("POST", "/api/v1/namespaces", &made);
        Self::in_namespace(&server, &namespace, rules)
    }

    fn in_namespace(server: &Arc<ApiServer>, namespace: &str, rules: &[Value]) -> Self {
        let name = "web".to_owned();
        let inside = format!("/api/v1/namespaces/{namespace}");
        let account = json!({"metadata": {"name": name}});
        server.call("POST", &format!("{inside}/serviceaccounts"), &account);
        let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
        let role = json!({"metadata": {"name": name}, "rules": rules});
        server.call("POST", &format!("{rbac}/roles"), &role);
        let of_role = json!({
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name,
        });
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        let binding = json!({
            "metadata": {"name": name}, "roleRef": of_role, "subjects": [subject],
        });
        server.call("POST", &format!("{rbac}/rolebindings"), &binding);
        let account = Self::existing(server, namespace, &name);
        account.wait_for(rules);
        account
    }

    /// One that is there.
    pub fn existing(server: &Arc<ApiServer>, namespace: &str, name: &str) -> Self {
        let asked = json!({"spec": {"expirationSeconds": 600}});
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let made = server.call("POST", &path, &asked);
        Account {
            server: Arc::clone(server),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            token: made["status"]["token"].as_str().unwrap().to_owned(),
        }
    }

    fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// Has these rules be what it may do.
    pub fn may(&self, rules: &[Value]) {
        let path = format!(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/{}",
            self.namespace, self.name
        );
        let role = json!({"metadata": {"name": self.name}, "rules": rules});
        self.server.call("PUT", &path, &role);
        self.wait_for(rules);
    }

    /// The server learns of rules a moment after they are written.
    fn wait_for(&self, rules: &[Value]) {
        bao::wait("the rules count", || {
            let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
            let asked = json!({"spec": {"namespace": self.namespace}});
            let (_, answer) = self.server.try_ask(&self.token, "POST", path, &asked)?;
            let known = answer["status"]["resourceRules"].as_array()?;
            let of_secrets = known
                .iter()
                .filter(|rule| rule["resources"][0] == "secrets");
            let known: Vec<_> = of_secrets.collect();
            let is_known = |rule: &Value| {
                let same = |key: &str, known: &Value| known[key] == rule[key];
                known
                    .iter()
                    .any(|known| same("verbs", known) && same("resourceNames", known))
            };
            (known.len() == rules.len() && rules.iter().all(is_known)).then_some(())
        });
    }

    /// The path of a Secret.
    pub fn path(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace)
    }

    /// Puts values into a Secret, which need not be there; those that are there stay.
    pub fn put(&self, name: &str, values: &[(&str, &[u8])]) {
        let values = values.iter();
        let values = values.map(|(key, value)| ((*key).to_owned(), BASE64_STANDARD.encode(value)));
        let data: Value = values
            .collect::<std::collections::BTreeMap<_, _>>()
            .into_iter()
            .collect();
        let data = json!({"data": data});
        let (status, _) = self.server.ask("PATCH", &self.path(name), &data);
        if status == 404 {
            let mut new = data;
            new["metadata"] = json!({"name": name});
            self.server.call("POST", &self.path(""), &new);
        }
    }

    /// What a Secret has.
    pub fn read(&self, name: &str) -> Value {
        self.server.call("GET", &self.path(name), &Value::Null)
    }

    /// Writes a kubeconfig for it, at an address; gives its path.
    pub fn kubeconfig(&self, place: &Place, address: &str) -> PathBuf {
        self.kubeconfig_for(place, address, &format!("token: {}", self.token))
    }

    /// The same with another user, in YAML on one line.
    pub fn kubeconfig_for(&self, place: &Place, address: &str, user: &str) -> PathBuf {
        let authority = self.server.authority();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: own\n\
             clusters:\n- name: test\n  cluster:\n    server: {address}\n    \
             certificate-authority: {}\n\
             contexts:\n- name: own\n  context: {{cluster: test, user: web, namespace: {}}}\n\
             users:\n- name: web\n  user: {{{user}}}\n",
            authority.display(),
            self.namespace
        );
        let name = match address == self.server.address() {
            true => "kubeconfig".to_owned(),
            false => format!("kubeconfig-{}", address.rsplit(':').next().unwrap()),
        };
        let path = place.path(&name);
        // Others may be reading it.
        match fs::read(&path).is_ok_and(|known| known == text.as_bytes()) {
            true => path,
            false => place.write(&name, text),
        }
    }

    /// Writes a certificate that says it is this account, `client.pem`, and its key, `client.key`;
    /// gives both in base64.
    pub fn certificate(&self, place: &Place) -> (String, String) {
        let folder = self.server.folder.display();
        let files = ["client.pem", "client.key"].map(|name| place.path(name));
        let script = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {1} \
             -subj '/CN={2}' -addext extendedKeyUsage=clientAuth -CA {folder}/clients.pem -CAkey \
             {folder}/clients.key -days 1 -out {0}",
            files[0].display(),
            files[1].display(),
            self.user()
        );
        let made = Command::new("sh").args(["-euc", &script]).output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let [certificate, key] = files.map(|file| BASE64_STANDARD.encode(fs::read(file).unwrap()));
        (certificate, key)
    }

    /// doorkey with these words, as this account.
    pub fn run(&self, place: &Place, words: &str) -> Run {
        let file = self.kubeconfig(place, &self.server.address());
        let run = place.doorkey(words.split_whitespace());
        run.env("KUBECONFIG", file).env("DOORKEY_STORE", "k8s:")
    }
}

/// What the server answers to a request, which comes to it as it was sent.
pub fn passed_on(server: &ApiServer, request: &Request) -> Vec<Step> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-i", "--raw", "--http1.1", "--cacert"])
        .arg(server.authority())
        .args(["-X", &request.method]);
    for (name, value) in &request.headers {
        let own = ["host", "content-length", "connection"];
        if !own.contains(&name.to_ascii_lowercase().as_str()) {
            curl.args(["-H", &format!("{name}: {value}")]);
        }
    }
    if !request.body.is_empty() {
        curl.arg("--data-binary")
            .arg(String::from_utf8(request.body.clone()).unwrap());
    }
    let url = format!("{}{}", server.address(), request.path);
    let output = curl.arg(url).output().expect("curl is there");
    vec![Step::Send(output.stdout), Step::Close]
}
