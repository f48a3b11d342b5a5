//! A real OpenBao server as a process of the test, ended with it.

pub mod admin;
pub mod app;
pub mod http;
pub mod pki;

use std::fmt::Write;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::Place;
pub use admin::Admin;
pub use app::App;
pub use pki::{Pki, Signer};
use serde_json::{Value, json};

/// The program, where `.ci/test` puts it.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/openbao/bao");

/// How long anything may take that a server does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const BEAT: Duration = Duration::from_millis(5);

/// Waits until there is something.
#[track_caller]
pub fn wait<T>(for_what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {for_what}");
        thread::sleep(BEAT);
    }
}

/// A port that nobody uses at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts a process that the kernel ends when this one does. That is tied to the thread that
/// starts it, and a test's thread ends before the others that share a server: so one thread
/// starts them all, and never ends.
pub fn spawn(mut command: Command) -> Child {
    type Job = (Command, Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    // SAFETY: one system call, which takes no pointer.
    unsafe {
        command.pre_exec(
            || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            },
        );
    }
    let (answer, child) = channel();
    starter.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap().expect("the process starts")
}

/// One request, as the server's audit log has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// `read`, `update`, `patch`, `list`, …
    pub operation: String,
    /// The path without `/v1/`.
    pub path: String,
    /// What was wrong with it; empty where nothing was.
    pub error: String,
}

/// A server: unsealed, with versioned secrets at `secret/` and every request in its audit log.
pub struct Bao {
    /// `HOST:PORT` of its plain listener.
    pub at: String,
    /// `HOST:PORT` of its listener with TLS, if it has one.
    pub tls: String,
    /// The root token.
    pub root: String,
    /// What unseals it.
    key: String,
    place: Place,
    child: Mutex<Child>,
}

/// A node of a cluster: its number, and how many there are.
type Node = Option<(usize, usize)>;

impl Bao {
    /// A server of its own.
    pub fn new() -> Self {
        Self::ready(None)
    }

    /// A server of its own that also has a listener with TLS, with the certificates of `pki`.
    pub fn with_tls(pki: &Pki) -> Self {
        Self::ready(Some(pki))
    }

    /// The server that the tests of a crate share. It ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Bao>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let bao = shared.upgrade().unwrap_or_else(|| Arc::new(Self::new()));
        *shared = Arc::downgrade(&bao);
        bao
    }

    fn ready(pki: Option<&Pki>) -> Self {
        let mut bao = Self::start(pki, None);
        bao.initialise();
        bao.unseal();
        bao.admin().mount("secret", 2);
        bao.admin().put("secret", "ready", json!({}));
        bao
    }

    /// Starts one that is sealed and empty.
    fn start(pki: Option<&Pki>, node: Node) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: `sh .ci/test` installs it"
        );
        let place = Place::new();
        // Somebody else may take a free port before the server has it.
        for _ in 0..5 {
            let at = format!("127.0.0.1:{}", free_port());
            let tls = pki.map_or(String::new(), |_| format!("localhost:{}", free_port()));
            place.write("config.hcl", config(&place, &at, &tls, pki, node));
            let log = File::create(place.path("log")).unwrap();
            let mut command = Command::new(PROGRAM);
            command
                .arg("server")
                .arg(format!("-config={}", place.path("config.hcl").display()))
                .current_dir(place.path(""))
                .env_clear()
                .env("HOME", place.path("home"))
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log);
            let mut child = spawn(command);
            let admin = Admin::new(&at, "");
            let ended = wait("the server answers", || {
                let answer = admin.ask("GET", "sys/health", &Value::Null);
                let ended = child.try_wait().unwrap();
                (ended.is_some() || answer.is_ok()).then_some(ended)
            });
            if ended.is_none() {
                return Bao {
                    at,
                    tls,
                    root: String::new(),
                    key: String::new(),
                    place,
                    child: Mutex::new(child),
                };
            }
        }
        panic!("{}", fs::read_to_string(place.path("log")).unwrap());
    }

    fn initialise(&mut self) {
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let mut made = self.admin().call("PUT", "sys/init", &shares);
        let text = |value: Value| serde_json::from_value(value).unwrap();
        self.key = text(made["keys"][0].take());
        self.root = text(made["root_token"].take());
    }

    /// `VAULT_ADDR` of its plain listener.
    pub fn address(&self) -> String {
        format!("http://{}", self.at)
    }

    /// `VAULT_ADDR` of its listener with TLS.
    pub fn secure(&self) -> String {
        format!("https://{}", self.tls)
    }

    /// Its operator.
    pub fn admin(&self) -> Admin {
        Admin::new(&self.at, &self.root)
    }

    /// Seals it.
    pub fn seal(&self) {
        self.admin().call("PUT", "sys/seal", &Value::Null);
    }

    /// Unseals it, and waits until it works.
    pub fn unseal(&self) {
        self.give_key();
        wait("the server is active", || {
            (self.health() == 200).then_some(())
        });
    }

    fn give_key(&self) {
        let key = json!({"key": self.key});
        self.admin().call("PUT", "sys/unseal", &key);
    }

    /// The status of `sys/health`: 200 active, 429 standby, 503 sealed; 0 where it is gone.
    pub fn health(&self) -> u16 {
        let answer = self.admin().ask("GET", "sys/health", &Value::Null);
        answer.map_or(0, |answer| answer.status)
    }

    /// Ends it as a failing machine would.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Stops it where it stands (and so its connections), until `resume`.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, number: i32) {
        let id = i32::try_from(self.child.lock().unwrap().id()).unwrap();
        // SAFETY: the process is a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(id, number) }, 0);
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap()
    }

    /// Where its audit log ends at the moment.
    pub fn mark(&self) -> usize {
        fs::metadata(self.place.path("audit"))
            .map_or(0, |file| usize::try_from(file.len()).unwrap())
    }

    /// All of the audit log since a mark: requests and answers as they are, secrets included.
    pub fn entries(&self, mark: usize) -> Vec<Value> {
        let log = fs::read(self.place.path("audit")).unwrap();
        let log = String::from_utf8(log[mark..].to_vec()).unwrap();
        // The last line may be half written.
        let entries = log.lines().map(serde_json::from_str);
        entries.filter_map(Result::ok).collect()
    }

    /// The requests since a mark, in order. The server writes one down before it answers it.
    pub fn asked(&self, mark: usize) -> Vec<Asked> {
        let entries = self.entries(mark).into_iter();
        let requests = entries.filter(|entry| entry["type"] == "request");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        requests
            .map(|entry| Asked {
                operation: text(&entry["request"]["operation"]),
                path: text(&entry["request"]["path"]),
                error: text(&entry["error"]),
            })
            .collect()
    }

    /// The same as `OPERATION PATH`, sorted.
    pub fn requests(&self, mark: usize) -> Vec<String> {
        let asked = self.asked(mark).into_iter();
        let mut requests: Vec<_> = asked
            .map(|one| format!("{} {}", one.operation, one.path))
            .collect();
        requests.sort();
        requests
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config(place: &Place, at: &str, tls: &str, pki: Option<&Pki>, node: Node) -> String {
    let mut text = format!("api_addr = \"http://{at}\"\n");
    let cluster = format!("127.0.0.1:{}", free_port());
    let mut listener = |address: &str, more: &str| {
        writeln!(
            text,
            "listener \"tcp\" {{\naddress = \"{address}\"\ncluster_address = \"{cluster}\"\n{more}\n}}"
        )
        .unwrap();
    };
    listener(at, "tls_disable = true");
    if let Some(pki) = pki {
        let mut files = String::new();
        for (key, name) in [
            ("tls_cert_file", "server.pem"),
            ("tls_key_file", "server.key"),
            ("tls_client_ca_file", "ca.pem"),
        ] {
            writeln!(files, "{key} = \"{}\"", pki.path(name).display()).unwrap();
        }
        listener(&tls.replace("localhost", "127.0.0.1"), &files);
    }
    if let Some((number, of)) = node {
        let path = place.path("data");
        fs::create_dir_all(&path).unwrap();
        write!(
            text,
            "cluster_addr = \"https://{cluster}\"\n\
             storage \"raft\" {{\npath = \"{}\"\nnode_id = \"{number}-of-{of}\"\n\
             performance_multiplier = 1\n\
             autopilot_reconcile_interval = \"200ms\"\nautopilot_update_interval = \"100ms\"\n}}\n",
            path.display()
        )
        .unwrap();
    } else {
        text += "storage \"inmem\" {}\n";
    }
    // A path within the working directory: the nodes of a cluster must all name the same one.
    text + "audit \"file\" \"file\" {\noptions {\nfile_path = \"audit\"\nlog_raw = \"true\"\n}\n}\n"
}

/// Servers that are one cluster.
pub struct Cluster {
    /// Its nodes.
    pub nodes: Vec<Bao>,
}

impl Cluster {
    /// So many nodes, all with a vote.
    pub fn new(count: usize) -> Self {
        let node = |number| Bao::start(None, Some((number, count)));
        let mut first = node(0);
        first.initialise();
        first.unseal();
        let admin = first.admin();
        admin.write(
            "sys/storage/raft/autopilot/configuration",
            json!({"server_stabilization_time": "100ms"}),
        );
        admin.mount("secret", 2);
        admin.put("secret", "ready", json!({}));
        let mut nodes = vec![first];
        for number in 1..count {
            let mut bao = node(number);
            let leader = json!({"leader_api_addr": nodes[0].address()});
            bao.admin().write("sys/storage/raft/join", leader);
            (bao.key, bao.root) = (nodes[0].key.clone(), nodes[0].root.clone());
            bao.give_key();
            nodes.push(bao);
        }
        wait("every node votes", || {
            let state = admin.read("sys/storage/raft/configuration");
            let servers = state["config"]["servers"].as_array().unwrap();
            let votes = servers.iter().filter(|server| server["voter"] == true);
            (votes.count() == count).then_some(())
        });
        let ready = |bao: &Bao| bao.admin().status("GET", "secret/data/ready", &Value::Null) == 200;
        wait("every node reads", || nodes.iter().all(ready).then_some(()));
        Cluster { nodes }
    }

    /// The node that leads.
    pub fn leader(&self) -> &Bao {
        wait("a node leads", || {
            self.nodes.iter().find(|node| node.health() == 200)
        })
    }
}

/// The API server of a Kubernetes cluster, as far as a login asks it: it knows the service
/// account `web` in the namespace `shop`, by what a token claims.
pub fn reviewer() -> crate::faulty::Faulty {
    use base64::Engine;
    crate::faulty::Faulty::new(|request| {
        let spec = &request.json()["spec"];
        let token = spec["token"].as_str().unwrap_or_default();
        let claims = token.split('.').nth(1).unwrap_or_default();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
        let claims: Value = serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
        let known = claims["sub"] == "system:serviceaccount:shop:web";
        let user = json!({"username": claims["sub"], "uid": "1", "groups": []});
        crate::faulty::json(
            201,
            &json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "status": {"authenticated": known, "user": user, "audiences": spec["audiences"]},
            }),
        )
    })
}
