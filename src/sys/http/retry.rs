//! Sends one request until it has an answer or there is no more time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Response, Url, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::{Address, is_same};
use super::backoff::{Backoff, SHORTEST, Tries};
use super::failure::{Failure, failure};
use super::first_connection::Gate;
use super::{Answer, Method, Request, Settings, Verdict};
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::secret::Secret;
use crate::sys::signals;

/// The largest number of redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// The largest number of requests at once, with a connection each, until one takes them all.
const MOST_CONNECTIONS: usize = 8;

/// The largest answer, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// The shared state of requests to one server.
pub struct Exchange {
    http: Mutex<reqwest::Client>,
    /// Makes a client whose connections are new; it is told how many were made before.
    make: Make,
    made: AtomicUsize,
    /// True once a person was told what is waited for.
    pub told: AtomicBool,
    settings: Settings,
    /// The gate that requests wait at for the first connection.
    pub gate: Arc<Gate>,
    backoff: Backoff,
    /// The limit of requests on their way, until one connection is known to take them all.
    room: Semaphore,
}

/// The maker of a client; it is told how many were made before.
pub type Make = Box<dyn Fn(usize) -> Option<reqwest::Client> + Send + Sync>;

impl Exchange {
    /// Sets up the exchange; `None` if no client can be made.
    pub fn new(make: Make, settings: Settings, gate: Arc<Gate>) -> Option<Self> {
        Some(Exchange {
            http: Mutex::new(make(0)?),
            make,
            made: AtomicUsize::new(1),
            told: AtomicBool::new(false),
            settings,
            gate,
            backoff: Backoff::default(),
            room: Semaphore::new(MOST_CONNECTIONS),
        })
    }

    pub fn address(&self) -> &Address {
        &self.settings.address
    }

    /// Returns the way to end the waiting for it, in words.
    pub fn ends(&self) -> &'static str {
        self.settings.ends
    }

    /// Returns the text of what is waited for, to show to a person at the terminal.
    pub fn waiting(&self) -> String {
        let address = self.settings.address.shown("");
        match self.backoff.last() {
            None => address,
            Some(last) => format!("{address} ({last})"),
        }
    }

    fn http(&self) -> reqwest::Client {
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        http.clone()
    }

    /// Replaces connections that have gone silent. The next one is new, and to another address if
    /// the name has several.
    fn leave_connections(&self) {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        if let Some(new) = (self.make)(made) {
            *self.http.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    /// Tries until there is an answer that counts.
    ///
    /// # Errors
    /// No answer before the deadline, or an unusable one.
    pub async fn run(&self, request: Request, deadline: Instant) -> Result<Answer, StoreError> {
        let shown = self.settings.address.shown(&request.path);
        let what = format!("{} {shown}", request.method);
        let mut own = Tries::new(&what);
        let mut turn = None;
        let limits = (deadline, self.settings.tries);
        loop {
            turn = self.backoff.wait(turn, &own, limits).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(room) = timeout(left, self.room.acquire()).await else {
                return Err(self.backoff.fault(&own));
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let attempt = timeout(left.min(self.settings.attempt), self.attempt(&request));
            let (last, is_answer, undone, at_least) = match attempt.await {
                Err(_) if self.gate.is_open() => {
                    self.leave_connections();
                    ("no answer in time".to_owned(), false, false, None)
                }
                Err(_) => ("no connection in time".to_owned(), false, true, None),
                Ok(Err(Failure::Final(why))) => return Err(StoreError::unusable(what, why)),
                Ok(Err(Failure::Passing { why, unsent })) => (why, false, unsent, None),
                Ok(Ok(answer)) => match (self.settings.verdict)(&answer) {
                    Verdict::Counts => {
                        self.backoff.recovered();
                        return Ok(answer);
                    }
                    Verdict::Passing { why, undone } => {
                        let status = answer.status;
                        let why = match why {
                            Some(why) => format!("status {status}: {why}"),
                            None => format!("status {status}"),
                        };
                        (why, true, undone, answer.retry_after())
                    }
                },
            };
            drop(room);
            let left = deadline.saturating_duration_since(Instant::now());
            let outcome = (last.as_str(), is_answer);
            let pauses = (at_least, left / 2);
            let pause = self
                .backoff
                .failed(&mut own, outcome, turn.is_some(), pauses);
            let tries = own.tries();
            log::debug!(Retry, attempt = tries; "{what}: try {tries}: {last}");
            signals::note(&format!("{what}: {last}"));
            let over = tries == self.settings.tries || pause >= left || left < SHORTEST;
            if over || (request.once && !undone) {
                return Err(self.backoff.fault(&own));
            }
            if !self.told.swap(true, Ordering::Relaxed) {
                let left = Duration::from_secs(left.as_secs_f64().ceil() as u64);
                let left = humantime::format_duration(left);
                log::warning!(Waiting; "{what}: {last}; trying again for up to {left} (--timeout)");
            }
        }
    }

    /// Makes one try, and follows redirects.
    async fn attempt(&self, request: &Request) -> Result<Answer, Failure> {
        let bad = |why: &str| Failure::Final(why.to_owned());
        let mut url = self
            .settings
            .address
            .url(&request.path)
            .ok_or_else(|| bad("the address is no URL"))?;
        for _ in 0..=MOST_REDIRECTS {
            let mut response = self.send(request, url.clone()).await?;
            if response.version() == Version::HTTP_2 {
                self.room.close();
            }
            let status = response.status().as_u16();
            let keeps_method = matches!(status, 307 | 308);
            if keeps_method || matches!(status, 301..=303) {
                if !keeps_method && request.method != Method::GET {
                    return Err(bad(
                        "it is redirected, and a redirected write is not followed",
                    ));
                }
                url = self.redirected(&url, &response).await?;
                continue;
            }
            let headers = std::mem::take(response.headers_mut());
            let body = self.read(&mut response).await?;
            return Ok(Answer {
                status,
                headers,
                body,
            });
        }
        Err(bad("it is redirected in a circle"))
    }

    async fn send(&self, request: &Request, url: Url) -> Result<Response, Failure> {
        let mut builder = self.http().request(request.method.clone(), url);
        for (name, value) in self.settings.headers.iter().chain(&request.headers) {
            let mut value = HeaderValue::from_bytes(value.expose())
                .map_err(|_| Failure::Final(format!("the value for {name} fits no header")))?;
            // Neither shown nor kept in a connection's table of headers.
            value.set_sensitive(true);
            builder = builder.header(*name, value);
        }
        if let Some((kind, body)) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, *kind)
                .body(body.expose().to_vec());
        }
        builder.send().await.map_err(|error| self.failure(&error))
    }

    /// Returns the target of a redirect, if it may be followed: requests are for this server alone.
    async fn redirected(&self, from: &Url, response: &Response) -> Result<Url, Failure> {
        let location = response.headers().get(LOCATION);
        let next = location
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| Failure::Final("it is redirected to nowhere".to_owned()))?;
        let to = next.origin().ascii_serialization();
        let weaker = from.scheme() == "https" && next.scheme() != "https";
        let may = is_same(from, &next)
            || match self.leader().await {
                _ if weaker => false,
                Some(leader) if leader == to => true,
                // A cluster that is about to have another leader.
                Some(_) => {
                    return Err(Failure::Passing {
                        why: format!("redirected to {to}, which does not lead the cluster"),
                        unsent: true,
                    });
                }
                None => false,
            };
        if may {
            log::debug!("redirected to {to}");
            return Ok(next);
        }
        Err(Failure::Final(format!(
            "it is redirected to {to}, which is not the server's own address; not followed"
        )))
    }

    /// Asks the server for its cluster's leader; empty while there is none. The request carries
    /// nothing of ours.
    async fn leader(&self) -> Option<String> {
        let leader = self.settings.leader.as_ref()?;
        let asked = self.settings.address.url(leader.path)?;
        let mut response = self.http().get(asked).send().await.ok()?;
        let body = self.read(&mut response).await.ok()?;
        let leader = (leader.read)(body.expose())?;
        let url = Url::parse(&leader).ok();
        Some(url.map_or_else(String::new, |url| url.origin().ascii_serialization()))
    }

    /// Reads the whole body, if it is not too large.
    async fn read(&self, response: &mut Response) -> Result<Secret, Failure> {
        let too_large = || Failure::Final("the answer is larger than 8 MB".to_owned());
        let announced = response.content_length().unwrap_or(0);
        let announced = usize::try_from(announced).map_err(|_| too_large())?;
        if announced > LARGEST {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(announced.max(1024));
        let failed = |error| self.failure(&error);
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Secret::new(body))
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        failure(error, &self.settings)
    }
}
