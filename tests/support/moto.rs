//! moto, which is AWS for tests, as a process of the test's, ended with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::Run;
use crate::bao;
use crate::faulty::{Faulty, Request, Step};
use serde_json::{Value, json};

/// The interpreter, where `.ci/test` puts it.
pub const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/moto/bin/python");
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/moto_server.py");

/// Where most secrets are.
pub const REGION: &str = "eu-west-1";

/// A server, with signatures and policies checked.
pub struct Moto {
    /// `HOST:PORT`.
    pub at: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
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
    /// The server that the tests of a crate share. It ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let moto = shared.upgrade().unwrap_or_else(|| Arc::new(Self::new()));
        *shared = Arc::downgrade(&moto);
        moto
    }

    fn new() -> Self {
        assert!(
            Path::new(PYTHON).exists(),
            "{PYTHON} is missing: `sh .ci/test` installs it"
        );
        let mut command = Command::new(PYTHON);
        command
            .arg(PROGRAM)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = bao::spawn(command);
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let at = line.trim().strip_prefix("http://").expect("an address");
        Moto {
            at: at.to_owned(),
            pipes: Mutex::new((stdin, stdout)),
            child: Mutex::new(child),
        }
    }

    /// Does something as the administrator; gives the answer, whatever it is.
    pub fn ask(&self, service: &str, region: &str, what: &str, arguments: Value) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        let asked = json!([service, region, what, arguments]);
        pipes.0.write_all(format!("{asked}\n").as_bytes()).unwrap();
        let mut line = String::new();
        pipes.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
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
        let at = self.at.clone();
        Faulty::new(move |request| first(request).unwrap_or_else(|| passed_on(&at, request)))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What a server answers to a request, which comes to it as it was sent: a signature is for that.
pub fn passed_on(to: &str, request: &Request) -> Vec<Step> {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "connection: close\r\n\r\n";
    let mut stream = TcpStream::connect(to).unwrap();
    stream
        .write_all(&[text.as_bytes(), &request.body].concat())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    vec![Step::Send(answer), Step::Close]
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
