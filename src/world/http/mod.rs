//! The only HTTP client: rounds of requests to one server, which may be a cluster.
//!
//! Whoever asks gives all requests of a round at once and gets all answers back; how they share
//! connections, are tried again and end by the deadline is decided here. The runtime lives in the
//! calling thread. A resolver that hangs keeps a thread of its own, which nobody waits for.

mod address;
mod exchange;
mod failure;
mod gate;
mod names;
pub mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::address::Address;
use self::exchange::Exchange;
use self::gate::{Gate, Opening};
use super::terminal;
use crate::words::error::Trouble;
use crate::words::secret::Secret;
pub use reqwest::Method;

/// How long a round may be silent before a person at a terminal is told what it waits for.
const SILENCE: Duration = Duration::from_secs(1);

/// A connection that is not there by then is tried again.
const CONNECTING: Duration = Duration::from_secs(5);

/// How to reach a server.
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// When everything has to be over.
    pub deadline: Instant,
    /// The longest that one try takes.
    pub attempt: Duration,
    /// How often at most; 0 for as often as there is time.
    pub tries: u32,
    /// The proxy's URL, and the hosts that are not reached through it.
    pub proxy: Option<(Secret, String)>,
    /// How to be sure whom we talk to.
    pub tls: tls::Settings,
    /// What goes with each request.
    pub headers: Vec<(&'static str, Arc<Secret>)>,
    /// What an answer that is none says.
    pub explain: fn(&[u8]) -> Said,
    /// Where it says how its cluster is to be asked: a redirect may lead there.
    pub leader: Option<Leader>,
}

/// What a server says, to anybody, of its cluster.
pub struct Leader {
    /// Where it says that.
    pub path: &'static str,
    /// Finds in it the address of the one to be asked, empty while there is none; `None` where
    /// there is no cluster.
    pub read: fn(&[u8]) -> Option<String>,
}

/// What an answer says beside its status.
pub struct Said {
    /// Whether it may be otherwise the next time, although its status doesn't say so.
    pub passing: bool,
    /// What it says, where that is known.
    pub text: Option<&'static str>,
}

/// One request.
pub struct Request {
    /// What to do; PATCH changes a part, by a JSON merge patch (RFC 7396).
    pub method: Method,
    /// Where, after the server's address: percent-encoded, with the query.
    pub path: String,
    /// What goes with it, beside what goes with each.
    pub headers: Vec<(&'static str, Arc<Secret>)>,
    /// JSON.
    pub body: Option<Secret>,
    /// Whether it must not be done twice, so that it isn't tried again unless it surely was not
    /// done.
    pub once: bool,
}

/// What a server said.
pub struct Answer {
    /// The status, which is none of those that are tried again.
    pub status: u16,
    /// Whether it says that it is JSON.
    pub is_json: bool,
    /// The body.
    pub body: Secret,
}

/// A server that can be asked.
pub struct Client {
    exchange: Arc<Exchange>,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl Client {
    /// Makes ready to ask; nothing is sent yet.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn new(settings: Settings) -> Result<Self, Trouble> {
        let unfit = |what: &str| Trouble::Setting(what.to_owned());
        let gate = Arc::new(Gate::default());
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(&settings.tls, settings.address.is_plain())?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECTING)
            .connector_layer(Opening(Arc::clone(&gate)))
            .user_agent(concat!("doorkey/", env!("CARGO_PKG_VERSION")));
        if let Some((url, except)) = &settings.proxy {
            let url = std::str::from_utf8(url.expose()).ok();
            let proxy = url.and_then(|url| reqwest::Proxy::all(url).ok());
            let proxy = proxy.ok_or_else(|| unfit("the proxy's address is no URL"))?;
            builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(except)));
        }
        builder = settings.address.configure(builder);
        let http = builder
            .build()
            .map_err(|_| unfit("the HTTP client can't be set up"))?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Trouble::Unreadable(error.into()))?;
        Ok(Client {
            exchange: Arc::new(Exchange::new(http, settings, gate)),
            runtime: Some(runtime),
        })
    }

    /// Asks everything at the same time, and gives the answers in the same order. Requests are
    /// tried again, with growing random pauses, while that can help and there is time.
    pub fn round(&self, requests: Vec<Request>) -> Vec<Result<Answer, Trouble>> {
        let deadline = self.exchange.deadline();
        self.round_until(requests, deadline)
    }

    /// The same with a deadline of its own.
    pub fn round_until(
        &self,
        requests: Vec<Request>,
        deadline: Instant,
    ) -> Vec<Result<Answer, Trouble>> {
        let Some(runtime) = &self.runtime else {
            return Vec::new();
        };
        runtime.block_on(async {
            let mut answers: Vec<_> = requests.iter().map(|_| None).collect();
            let mut running = JoinSet::new();
            for (place, request) in requests.into_iter().enumerate() {
                let exchange = Arc::clone(&self.exchange);
                running.spawn(async move {
                    if place > 0 {
                        exchange.gate.pass().await;
                    }
                    let answer = exchange.run(request, deadline).await;
                    // If it never came to a connection, the others need not wait for one.
                    exchange.gate.open();
                    (place, answer)
                });
            }
            let mut silent = terminal::is_watched();
            while !running.is_empty() {
                let next = match silent {
                    true => timeout(SILENCE, running.join_next()).await,
                    false => Ok(running.join_next().await),
                };
                match next {
                    Ok(Some(Ok((place, answer)))) => answers[place] = Some(answer),
                    Ok(_) => {}
                    Err(_) => {
                        silent = false;
                        log::info!("waiting for {}", self.exchange.waiting());
                    }
                }
            }
            answers.into_iter().flatten().collect()
        })
    }

    /// One request by itself.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(&self, request: Request) -> Result<Answer, Trouble> {
        let only = self.round(vec![request]).pop();
        only.unwrap_or_else(|| Err(Trouble::Setting("nothing was asked".to_owned())))
    }

    /// When everything has to be over.
    pub fn deadline(&self) -> Instant {
        self.exchange.deadline()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Connections go with it, and their buffers; a thread that resolves a name stays.
            runtime.shutdown_background();
        }
    }
}
