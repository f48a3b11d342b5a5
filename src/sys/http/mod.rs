//! The only HTTP client: rounds of requests to servers, each of which may be a cluster.
//!
//! The caller gives all requests of a round at once and gets all answers back. This module shares
//! connections, tries requests again, and ends by the deadline. The caller decides what an answer
//! means. The runtime lives in the calling thread. A resolver that hangs keeps a thread of its own,
//! which nobody waits for.

mod address;
mod backoff;
mod failure;
mod first_connection;
mod message;
mod names;
mod retry;
pub mod tls;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::address::Address;
use self::first_connection::{Gate, Opening};
pub use self::message::{Answer, FORM, Header, JSON, MERGE_PATCH, Request, Verdict};
use self::retry::Exchange;
use super::terminal;
use crate::model::error::StoreError;
use crate::model::log;
use crate::model::secret::Secret;
pub use reqwest::Method;
use reqwest::Url;

/// The longest silence of a round before a person at a terminal is told what it waits for.
const SILENCE: Duration = Duration::from_secs(1);

/// The timeout of a connection attempt, which is then tried again.
const CONNECTING: Duration = Duration::from_secs(5);

/// The hosts that are never reached through a proxy. They are this machine, and a cloud's metadata
/// servers, which no proxy can reach and which give credentials to any client.
const NEAR: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32,\
    metadata.google.internal,metadata.google.internal.";

/// The settings of a server and of the requests to it.
pub struct Settings {
    /// The server's address.
    pub address: Address,
    /// The timeout of one try.
    pub attempt: Duration,
    /// The largest number of tries; 0 for no limit but the time.
    pub tries: u32,
    /// The proxy that requests go through, if any.
    pub proxy: Option<Proxy>,
    /// The settings by which the server's certificate is checked.
    pub tls: tls::TlsSettings,
    /// The headers that each request gets.
    pub headers: Vec<Header>,
    /// Decides what an answer means.
    pub verdict: fn(&Answer) -> Verdict,
    /// The hints for its TLS faults.
    pub hints: FaultHints,
    /// The way to end the waiting for this server, in words. If given, the notice of what is waited
    /// for is shown without a terminal, too.
    pub ends: &'static str,
    /// The place where it names its cluster's leader: a redirect may lead there.
    pub leader: Option<Leader>,
}

/// A proxy.
pub struct Proxy {
    /// The proxy's URL, which may have a password in it.
    pub url: Secret,
    /// The hosts that are not reached through it, as in `NO_PROXY`. Those that never are come on
    /// top.
    pub except: String,
}

/// Reads a proxy's URL, which may have no scheme. A proxy of another kind, as of SOCKS, is none: the
/// library would pass it over, and connect without it.
fn proxy_url(text: &str) -> Option<Url> {
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The settings to name when a server can't be trusted, or does not trust us. Each is empty if
/// there are none.
#[derive(Clone, Copy, Default)]
pub struct FaultHints {
    /// For an authority that is not trusted.
    pub trust: &'static str,
    /// For a certificate that has another name.
    pub name: &'static str,
    /// For a certificate of ours.
    pub client: &'static str,
}

/// The way to learn a cluster's leader from a server, without credentials.
pub struct Leader {
    /// The path, after the server's address, that is asked for it.
    pub path: &'static str,
    /// Finds the leader's address in the answer, empty while there is none. `None` means that there
    /// is no cluster.
    pub read: fn(&[u8]) -> Option<String>,
}

/// The state that servers asked for one purpose share: the deadline, and the thread that asks.
pub struct Client {
    /// The runtime; taken when dropped.
    runtime: Option<Runtime>,
    deadline: Instant,
}

/// A server that can be asked.
pub struct Server {
    exchange: Arc<Exchange>,
    client: Arc<Client>,
}

impl Client {
    /// Sets up the runtime; all requests have to be over by the deadline.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(deadline: Instant) -> Result<Arc<Self>, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StoreError::unreadable)?;
        Ok(Arc::new(Client {
            runtime: Some(runtime),
            deadline,
        }))
    }

    /// Returns the deadline of all requests.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends all requests at the same time, and returns the answers in the same order. Requests are
    /// tried again, with growing random pauses, while that can help and there is time.
    pub fn round(&self, requests: Vec<(&Server, Request)>) -> Vec<Result<Answer, StoreError>> {
        self.round_until(requests, self.deadline)
    }

    fn round_until(
        &self,
        requests: Vec<(&Server, Request)>,
        deadline: Instant,
    ) -> Vec<Result<Answer, StoreError>> {
        let Some(runtime) = &self.runtime else {
            return Vec::new();
        };
        runtime.block_on(async {
            let mut asked: Vec<(Arc<Exchange>, Option<_>)> = Vec::with_capacity(requests.len());
            let mut running = JoinSet::new();
            for (place, (server, request)) in requests.into_iter().enumerate() {
                let exchange = Arc::clone(&server.exchange);
                let is_first = !asked.iter().any(|(one, _)| Arc::ptr_eq(one, &exchange));
                asked.push((Arc::clone(&exchange), None));
                running.spawn(async move {
                    if !is_first {
                        exchange.gate.pass().await;
                    }
                    let answer = exchange.run(request, deadline).await;
                    // If it never came to a connection, the others need not wait for one.
                    exchange.gate.open();
                    (place, answer)
                });
            }
            let is_told = |(one, _): &(Arc<Exchange>, _)| !one.ends().is_empty();
            let mut silent = terminal::is_watched() || asked.iter().any(is_told);
            while !running.is_empty() {
                let next = match silent {
                    true => timeout(SILENCE, running.join_next()).await,
                    false => Ok(running.join_next().await),
                };
                match next {
                    Ok(Some(Ok((place, answer)))) => asked[place].1 = Some(answer),
                    Ok(_) => {}
                    Err(_) => {
                        silent = false;
                        let waiting = asked.iter().find(|(_, answer)| answer.is_none());
                        let waiting = waiting.filter(|(one, _)| {
                            !one.ends().is_empty() || !one.told.swap(true, Ordering::Relaxed)
                        });
                        if let Some((exchange, _)) = waiting {
                            let ends = match exchange.ends() {
                                "" => String::new(),
                                ends => format!("; {ends}"),
                            };
                            log::info!(Waiting; "waiting for {}{ends}", exchange.waiting());
                        }
                    }
                }
            }
            asked.into_iter().filter_map(|(_, answer)| answer).collect()
        })
    }
}

impl Server {
    /// Sets up a server; nothing is sent yet.
    ///
    /// # Errors
    /// Settings that can't be used.
    pub fn new(client: &Arc<Client>, settings: Settings) -> Result<Self, StoreError> {
        let unfit = |what: &str| StoreError::setting(what);
        let gate = Arc::new(Gate::default());
        let tls = tls::config(&settings.tls, settings.address.is_plain())?;
        let proxy = settings.proxy.as_ref().map(|Proxy { url, except }| {
            let url = std::str::from_utf8(url.expose()).ok().and_then(proxy_url);
            let proxy = url.and_then(|url| reqwest::Proxy::all(url).ok());
            let proxy = proxy.ok_or_else(|| {
                unfit("the proxy's address must be http://HOST:PORT or https://HOST:PORT")
            })?;
            let except = reqwest::NoProxy::from_string(&format!("{NEAR},{except}"));
            Ok::<_, StoreError>(proxy.no_proxy(except))
        });
        let proxy = proxy.transpose()?;
        let (opening, address) = (Opening(Arc::clone(&gate)), settings.address.clone());
        let make = move |made| {
            let mut builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECTING)
                .connector_layer(opening.clone())
                .user_agent(concat!("doorkey/", env!("CARGO_PKG_VERSION")));
            if let Some(proxy) = &proxy {
                builder = builder.proxy(proxy.clone());
            }
            address.configure(builder, made).build().ok()
        };
        let exchange = Exchange::new(Box::new(make), settings, gate);
        Ok(Server {
            exchange: Arc::new(exchange.ok_or_else(|| unfit("the HTTP client can't be set up"))?),
            client: Arc::clone(client),
        })
    }

    /// Returns the client that it shares with other servers.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Returns the server's address.
    pub fn address(&self) -> &Address {
        self.exchange.address()
    }

    /// Sends one request.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub fn ask(&self, request: Request) -> Result<Answer, StoreError> {
        self.ask_until(request, self.client.deadline)
    }

    /// Sends one request, with a deadline of its own.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub fn ask_until(&self, request: Request, deadline: Instant) -> Result<Answer, StoreError> {
        let only = self.client.round_until(vec![(self, request)], deadline);
        let none = || Err(StoreError::setting("nothing was asked"));
        only.into_iter().next().unwrap_or_else(none)
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
