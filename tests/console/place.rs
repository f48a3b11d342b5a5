//! A console that runs, and requests to it as its page sends them.

use std::fs;
use std::fs::File;
use std::ops::Deref;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use support::bao::http::{self, Answer};
use support::bao::{spawn, wait};
use support::{Ended, Place, Run};

use crate::browser::Browser;

/// A running console. It is ended when dropped.
pub struct Console {
    child: Child,
    /// The address and port.
    pub host: String,
    /// The token of the link.
    pub token: String,
    log: std::path::PathBuf,
}

/// A console, and the folder of its store `secrets`.
pub struct Own {
    /// The console.
    pub console: Console,
    /// The folder.
    pub place: Place,
}

impl Deref for Own {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.console
    }
}

/// A console on a new store in which every scope has the name `db_password`.
pub fn own() -> Own {
    let place = Place::with_store();
    for scope in ["team", "cluster/eu", "project/web"] {
        place.set(scope, "db_password", "value");
    }
    place.set("team", "smtp_user", "value");
    let console = Console::start(&place, place.on("console"));
    Own { place, console }
}

impl Console {
    /// Starts `doorkey console` with these arguments, and waits for its link.
    pub fn start(place: &Place, run: Run) -> Self {
        Self::start_with(place, run, |run| run)
    }

    /// The same as a user whom the system's permissions hold back.
    pub fn start_unprivileged(place: &Place, run: Run) -> Self {
        Self::start_with(place, run, |run| run.unprivileged(place))
    }

    fn start_with(place: &Place, run: Run, change: impl FnOnce(Run) -> Run) -> Self {
        support::default_signals();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (link, log) = (format!("link{number}"), place.path(&format!("log{number}")));
        let mut run = change(run.args(["--link-file", &link]));
        let out = File::create(&log).unwrap();
        run.command.stdin(Stdio::null());
        run.command.stdout(out.try_clone().unwrap()).stderr(out);
        let child = spawn(run.command);
        let text = wait("the link", || {
            fs::read_to_string(place.path(&link))
                .ok()
                .filter(|text| text.ends_with('\n'))
        });
        let (host, token) = parts(text.trim_end());
        Console {
            child,
            host,
            token,
            log,
        }
    }

    /// The link.
    pub fn link(&self) -> String {
        format!("http://{}/#{}", self.host, self.token)
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for its end; gives the exit code as a shell has it.
    pub fn wait(&mut self) -> i32 {
        let output = std::process::Output {
            status: self.child.wait().unwrap(),
            stdout: vec![],
            stderr: vec![],
        };
        Ended { output }.code()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a request with exactly these headers, and its length.
    pub fn send(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut head = format!("{line} HTTP/1.1\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        http::raw(&self.host, &[head.as_bytes(), body].concat())
    }

    /// Sends a request as the page does, with a session.
    #[track_caller]
    pub fn ask(&self, session: &str, line: &str, body: &[u8]) -> Answer {
        let origin = format!("http://{}", self.host);
        let headers = [
            ("Host", &*self.host),
            ("Origin", &origin),
            ("Sec-Fetch-Site", "same-origin"),
            ("doorkey-session", session),
        ];
        self.send(line, &headers, body).expect("an answer")
    }

    /// Sends a token, as the page does.
    pub fn exchange(&self, token: &str) -> Answer {
        let headers = [
            ("Host", &*self.host),
            ("Sec-Fetch-Site", "same-origin"),
            ("doorkey-token", token),
        ];
        self.send("POST /api/session", &headers, b"")
            .expect("an answer")
    }

    /// Changes the link's token for the session's secret.
    #[track_caller]
    pub fn session(&self) -> String {
        let answer = self.exchange(&self.token);
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        answer["session"].as_str().expect("a session").to_owned()
    }

    /// Opens the link in a new browser.
    pub fn browse(&self) -> Browser {
        self.browse_with(&[])
    }

    /// The same, with options of the browser.
    pub fn browse_with(&self, options: &[&str]) -> Browser {
        let browser = Browser::with(options);
        browser
            .go(&self.link())
            .until("document.querySelector('#overview-rows, #closed:not([hidden])')");
        browser.until("!document.getElementById('nav').hidden");
        browser
    }
}

/// The host and the token of a link.
pub fn parts(link: &str) -> (String, String) {
    let rest = link.strip_prefix("http://").expect("a link");
    let (host, token) = rest.split_once("/#").expect("a token");
    (host.to_owned(), token.to_owned())
}

/// The faults of an answer.
pub fn faults(answer: &Answer) -> (u16, String, String) {
    let json = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        answer.status,
        text(&json["field"]),
        text(&json["faults"][0]),
    )
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
