//! A server in Python that runs as a process of the test's, ended with it. It says a line when it is
//! ready, and answers each line of JSON on its standard input with one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;

use crate::bao;
use crate::faulty::{Faulty, Request, Step};

/// The server.
pub struct Served {
    /// The line that it said when it was ready.
    pub said: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl Served {
    /// Starts a program by an interpreter, where `.ci/test` puts it.
    #[track_caller]
    pub fn start(python: &str, program: &str, arguments: &[&Path]) -> Self {
        assert!(
            Path::new(python).exists(),
            "{python} is missing: `sh .ci/test` installs it"
        );
        let mut command = Command::new(python);
        command
            .arg(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = bao::spawn(command);
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{program} does not start");
        Served {
            said: line.trim().to_owned(),
            pipes: Mutex::new((stdin, stdout)),
            child: Mutex::new(child),
        }
    }

    /// Sends a line; gives the answer.
    pub fn call(&self, words: &Value) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        pipes.0.write_all(format!("{words}\n").as_bytes()).unwrap();
        let mut line = String::new();
        pipes.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What the tests of a crate share. It ends with the last test that holds it.
pub fn shared<T>(kept: &Mutex<Weak<T>>, make: impl FnOnce() -> T) -> Arc<T> {
    let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let all = kept.upgrade().unwrap_or_else(|| Arc::new(make()));
    *kept = Arc::downgrade(&all);
    all
}

/// Stands in front of a server: writes down what is asked, and answers what `first` does.
pub fn behind(
    at: &str,
    first: impl Fn(&Request) -> Option<Vec<Step>> + Send + Sync + 'static,
) -> Faulty {
    let at = at.to_owned();
    Faulty::new(move |request| first(request).unwrap_or_else(|| passed_on(&at, request)))
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
    std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
    vec![Step::Send(answer), Step::Close]
}
