//! The console: a page in the browser, and the answers to it. [`crate::core::gate`] judges who may
//! ask, [`crate::sys::loopback`] serves, and `operations.rs` asks and changes the store.

mod operations;
mod query;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use self::query::Query;
use crate::core::gate::{self, Gate, Route};
use crate::core::scope::Scopes;
use crate::model::error::Error;
use crate::model::secret::Secret;
use crate::stores::Access;
use crate::sys::loopback::{Answer, Head, Site, Undone};
use crate::sys::random;

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The store that the console is for, and how long it waits.
pub struct Settings {
    /// The store, as `SCHEME:PLACE`.
    pub location: String,
    /// The inputs for opening the store, again for each request.
    pub access: Access,
    /// The longest time for one request to the store.
    pub timeout: Duration,
    /// The console ends after so long without a request.
    pub idle: Duration,
    /// The scopes to show at first.
    pub scopes: Scopes,
}

/// The reason why a console is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The person at the page has ended it.
    Asked,
    /// Nobody has used the link in time.
    Unused,
    /// There was no request for so long.
    Idle,
    /// There were too many wrong tokens.
    Attacked,
}

/// A running console.
pub struct Console {
    settings: Settings,
    gate: Mutex<Gate>,
    began: Instant,
    last: Mutex<Instant>,
    /// Held by each request that is not answered yet, and by the console itself.
    busy: Arc<()>,
    /// The changes so far, each with its time.
    done: Mutex<Vec<Value>>,
    end: Mutex<Option<End>>,
}

impl Console {
    /// Sets up the console at `host`, as `ADDRESS:PORT`. Also returns its link, which holds the
    /// token.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(settings: Settings, host: String) -> Result<(Self, Secret), Error> {
        let token = token()?;
        let link = Secret::new(format!("http://{host}/#{token}").into_bytes());
        let console = Console {
            settings,
            gate: Mutex::new(Gate::new(host, token)),
            began: Instant::now(),
            last: Mutex::new(Instant::now()),
            busy: Arc::default(),
            done: Mutex::default(),
            end: Mutex::default(),
        };
        Ok((console, link))
    }

    /// The reason why it is over; `None` while it goes on.
    pub fn end(&self) -> Option<End> {
        *held(&self.end)
    }

    fn is_over(&self, why: End) {
        held(&self.end).get_or_insert(why);
    }

    /// Begins the session; returns its secret.
    fn session(&self) -> Result<Value, Error> {
        let secret = token()?;
        held(&self.gate).begin(secret.clone());
        Ok(json!({"session": secret}))
    }
}

/// Locks a mutex. No thread panics while it holds one.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Makes a token of 256 random bits.
fn token() -> Result<String, Error> {
    let key = random::key().map_err(|why| Error::file("read", "random bytes", why))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(key))
}

const JSON: &str = "application/json";

fn file(kind: &'static str, text: &'static str) -> Answer {
    Answer {
        status: 200,
        kind,
        body: text.as_bytes().into(),
    }
}

fn answer(status: u16, value: &Value) -> Answer {
    Answer {
        status,
        kind: JSON,
        body: value.to_string().into(),
    }
}

/// Makes the answer that lists faults; `field` is the one at fault, or empty.
fn faults(status: u16, field: &str, lines: &[String]) -> Answer {
    answer(status, &json!({"field": field, "faults": lines}))
}

fn refused((status, why): gate::Refusal) -> Answer {
    faults(status, "", &[why.to_owned()])
}

impl Site for Console {
    type Asked = (Route, Query, Arc<()>);

    fn judge(&self, head: &Head) -> Result<(Self::Asked, usize), Answer> {
        let length = head.header("content-length");
        let length = length.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        let judged = {
            let mut gate = held(&self.gate);
            let judged = gate.judge(
                &gate::Head {
                    method: head.method(),
                    path: head.path(),
                    host: head.host(),
                    origin: head.header("origin"),
                    site: head.header("sec-fetch-site"),
                    mode: head.header("sec-fetch-mode"),
                    dest: head.header("sec-fetch-dest"),
                    length,
                    token: head.header(gate::TOKEN),
                    session: head.header(gate::SESSION),
                },
                self.began.elapsed().as_secs(),
            );
            if gate.is_attacked() {
                self.is_over(End::Attacked);
            }
            judged
        };
        let (route, largest) = judged.map_err(refused)?;
        match route {
            Route::Page => return Err(file("text/html; charset=utf-8", PAGE)),
            Route::Style => return Err(file("text/css; charset=utf-8", STYLE)),
            Route::Script => return Err(file("text/javascript; charset=utf-8", SCRIPT)),
            _ => {}
        }
        *held(&self.last) = Instant::now();
        match route {
            // At once: of two who have the token, one must be late.
            Route::Session => Err(match self.session() {
                Ok(session) => answer(200, &session),
                Err(error) => faults(500, "", &error.lines()),
            }),
            Route::End => {
                self.is_over(End::Asked);
                Err(answer(200, &json!({})))
            }
            _ => {
                let query = Query::parse(head.query());
                Ok(((route, query, Arc::clone(&self.busy)), largest))
            }
        }
    }

    fn work(&self, (route, query, _busy): Self::Asked, body: Secret) -> Answer {
        let answer = match self.operate(route, &query, body) {
            Ok(value) => answer(200, &value),
            Err(fault) => faults(fault.status(), fault.field, &fault.error.lines()),
        };
        *held(&self.last) = Instant::now();
        answer
    }

    fn undone(&self, why: Undone) -> Answer {
        refused(match why {
            Undone::TooLarge => (413, gate::TOO_LARGE),
            Undone::Unread => (408, gate::UNREAD),
            Undone::NoThread => (503, "the system gives no thread; try again"),
        })
    }

    fn rest(&self) -> Option<Duration> {
        if self.end().is_some() {
            return None;
        }
        let idle = self.settings.idle;
        if Arc::strong_count(&self.busy) > 1 {
            return Some(idle);
        }
        let left = idle.saturating_sub(held(&self.last).elapsed());
        if left.is_zero() {
            self.is_over(End::Idle);
            return None;
        }
        if held(&self.gate).has_begun() {
            return Some(left);
        }
        let lasts = Duration::from_secs(gate::LINK_LASTS);
        match lasts.saturating_sub(self.began.elapsed()) {
            Duration::ZERO => {
                self.is_over(End::Unused);
                None
            }
            link => Some(left.min(link)),
        }
    }
}
