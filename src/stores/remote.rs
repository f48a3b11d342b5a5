//! Shared code of the stores behind HTTP. It has servers under one deadline, proxies and trust, a
//! session that begins when first needed, and rounds of requests with the session's token or
//! signature. A store supplies its own part ([`Service`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Access;
use crate::model::error::StoreError;
use crate::model::log::{self, Phase};
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::sys::duration;
use crate::sys::http::{
    Address, Answer, Client, FaultHints, Proxy, Request, Server, Settings, Verdict, tls,
};

/// Environment variables that are read here, and belong to everybody.
pub const VARIABLES: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
];

/// The variables of these that are paths of files.
pub const FILES: &[&str] = &["SSL_CERT_FILE"];

/// The longest time of all tries together, if there is no deadline.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The longest time of one try, by default. A try also takes at most a third of the time that is
/// left, so that another address, or node, is asked as well.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The time that is kept at the end for logging out.
pub const LEAVING: Duration = Duration::from_millis(100);

/// Supplies the parts that differ between stores behind HTTP.
pub trait Service: Sized {
    /// The key that tells its servers apart: a region, for example; `()` if there is only one.
    type Host: Ord + Clone;
    /// The identity for one launch.
    type Session;

    /// Gives the settings of the connection to a server.
    ///
    /// # Errors
    /// Settings that are missing or can't be used.
    fn settings(&self, host: &Self::Host) -> Result<Settings, StoreError>;

    /// Finds the identity, and asks other servers for it if necessary.
    ///
    /// # Errors
    /// The reason why there is no identity.
    fn log_in(&self, remote: &Remote<Self>) -> Result<Self::Session, StoreError>;

    /// Adds the token or the signature for a server to a request.
    ///
    /// # Errors
    /// The reason why the request can't be signed.
    fn sign(
        &self,
        session: &Self::Session,
        to: (&Self::Host, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError>;

    /// Ends a session.
    fn log_out(&self, _session: Self::Session, _remote: &Remote<Self>) {}
}

/// A value that is made once, or the reason why it can't be made.
type Connected<T> = Result<Arc<T>, StoreError>;

/// The servers of a store, and the session; each is made when first needed.
pub struct Remote<S: Service> {
    service: S,
    deadline: Option<Instant>,
    client: OnceLock<Connected<Client>>,
    servers: Mutex<BTreeMap<S::Host, Connected<Server>>>,
    session: Mutex<Option<S::Session>>,
}

impl<S: Service> Remote<S> {
    /// Makes one. Nothing is asked, or looked for, yet.
    pub fn new(service: S, access: &Access) -> Self {
        Remote {
            service,
            deadline: access.deadline,
            client: OnceLock::new(),
            servers: Mutex::default(),
            session: Mutex::default(),
        }
    }

    /// The service.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// Gives the client that all servers share, also those that only a login needs.
    ///
    /// # Errors
    /// The system's error.
    pub fn client(&self) -> Result<&Arc<Client>, StoreError> {
        let client = self.client.get_or_init(|| {
            let now = Instant::now();
            let deadline = self.deadline.unwrap_or(now + PATIENCE);
            let leaving = LEAVING.min(deadline.saturating_duration_since(now) / 10);
            Client::new(deadline.checked_sub(leaving).unwrap_or(deadline))
        });
        client.as_ref().map_err(StoreError::clone)
    }

    /// Gives a server, without the session.
    ///
    /// # Errors
    /// Settings that are missing or can't be used.
    pub fn server(&self, host: &S::Host) -> Connected<Server> {
        let mut servers = lock(&self.servers);
        if let Some(server) = servers.get(host) {
            return server.clone();
        }
        let client = self.client()?;
        let settings = self.service.settings(host);
        let server = settings.and_then(|settings| Server::new(client, settings));
        let server = server.map(Arc::new);
        servers.insert(host.clone(), server.clone());
        server
    }

    /// Calls `then` with the session, which is begun first if there is none.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn with_session<T>(
        &self,
        then: impl FnOnce(&mut S::Session) -> T,
    ) -> Result<T, StoreError> {
        let mut session = lock(&self.session);
        let session = match &mut *session {
            Some(session) => session,
            none => {
                let _phase = log::begin(Phase::Login);
                none.insert(self.service.log_in(self)?)
            }
        };
        Ok(then(session))
    }

    /// Calls `ask`, and logs how long that took for a number of things. The session is begun before,
    /// since a login is timed by itself.
    ///
    /// # Errors
    /// The reason why there is no session, or the error of `ask`.
    pub fn timed<T>(
        &self,
        (count, things): (usize, &str),
        ask: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_session(|_| ())?;
        let began = Instant::now();
        let answered = ask()?;
        let took = began.elapsed();
        log::debug!(
            Fetched, elapsed = took;
            "{count} {things} fetched in {}", duration::shown(took)
        );
        Ok(answered)
    }

    /// Sends all requests at the same time, and gives the answers in the same order.
    ///
    /// # Errors
    /// The fault that keeps all requests from being sent.
    pub fn round(
        &self,
        requests: Vec<(S::Host, Request)>,
    ) -> Result<Vec<Result<Answer, StoreError>>, StoreError> {
        let mut signed = Vec::with_capacity(requests.len());
        for (host, mut request) in requests {
            let server = self.server(&host)?;
            let to = (&host, &*server);
            self.with_session(|session| self.service.sign(session, to, &mut request))??;
            signed.push((server, request));
        }
        let signed = signed
            .iter_mut()
            .map(|(server, request)| (&**server, std::mem::take(request)));
        Ok(self.client()?.round(signed.collect()))
    }

    /// Sends one request, and gives its answer.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub fn ask(&self, host: &S::Host, request: Request) -> Result<Answer, StoreError> {
        let mut answers = self.round(vec![(host.clone(), request)])?;
        let none = || Err(StoreError::setting("nothing was asked"));
        answers.pop().unwrap_or_else(none)
    }
}

impl<S: Service> Drop for Remote<S> {
    fn drop(&mut self) {
        let session = lock(&self.session).take();
        if let Some(session) = session {
            self.service.log_out(session, self);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the default settings of the connection to a server.
pub fn settings(access: &Access, address: Address) -> Settings {
    let left = access
        .deadline
        .map(|deadline| deadline.saturating_duration_since(Instant::now()));
    Settings {
        attempt: ATTEMPT.min(left.unwrap_or(PATIENCE) / 3),
        tries: 0,
        proxy: proxy(access, &address),
        tls: tls::TlsSettings {
            system: path(access, "SSL_CERT_FILE").map(tls::Pem::File),
            ..tls::TlsSettings::default()
        },
        headers: Vec::new(),
        verdict: Verdict::of_status,
        hints: FaultHints::default(),
        ends: "",
        leader: None,
        address,
    }
}

/// Gives the value of a variable; `None` if it is empty or no text.
pub fn text<'a>(access: &'a Access, name: &str) -> Option<&'a str> {
    let value = str::from_utf8(access.variable(name)?).ok()?;
    Some(value).filter(|value| !value.is_empty())
}

/// The path that a variable holds.
pub fn path(access: &Access, name: &str) -> Option<Named> {
    text(access, name).map(|path| Named::new(name, path))
}

/// Gives the value of a vendor's variable as [`text`] does, doorkey's own first.
pub fn own_text<'a>(access: &'a Access, name: &str) -> Option<&'a str> {
    let own = text(access, &format!("DOORKEY_{name}"));
    own.or_else(|| text(access, name))
}

/// The path that a vendor's variable holds, doorkey's own first.
pub fn own_path(access: &Access, name: &str) -> Option<Named> {
    let own = path(access, &format!("DOORKEY_{name}"));
    own.or_else(|| path(access, name))
}

/// A secret in a vendor's variable, doorkey's own (`DOORKEY_`) or everybody's (nothing).
pub fn secret<'a>(access: &'a Access, whose: &str, name: &str) -> Option<&'a [u8]> {
    let name = format!("{whose}{name}");
    let found = match whose.is_empty() {
        true => access.variable(&name),
        false => access.credential(&name).map(Secret::expose),
    };
    found.filter(|value| !value.is_empty())
}

/// The proxy of everybody's variables.
fn proxy(access: &Access, address: &Address) -> Option<Proxy> {
    let names = match address.is_plain() {
        true => ["HTTP_PROXY", "http_proxy"],
        false => ["HTTPS_PROXY", "https_proxy"],
    };
    let url = names.iter().find_map(|name| text(access, name))?;
    let mut lists = ["NO_PROXY", "no_proxy"].iter();
    let except = lists.find_map(|name| text(access, name));
    Some(Proxy {
        url: Secret::new(url.as_bytes().to_vec()),
        except: for_port(except.unwrap_or_default(), address.port()),
    })
}

/// Picks the hosts for a port from a list as in `NO_PROXY`. An entry `HOST:PORT` is for that port
/// alone. An entry `*.DOMAIN` means `.DOMAIN`, as for the official clients.
fn for_port(list: &str, port: Option<u16>) -> String {
    let meant = list.split(',').filter_map(|entry| {
        let entry = entry.trim();
        let below = entry.strip_prefix('*');
        let entry = below.filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        let (host, digits) = match entry.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits),
            _ => return Some(entry),
        };
        let is_meant = port.is_some() && digits.parse().ok() == port;
        is_meant.then(|| host.trim_matches(['[', ']']))
    });
    meant.collect::<Vec<_>>().join(",")
}

/// Warns if others can read along or take the server's place. Refuses a connection without TLS if
/// that is `required`. `unverified` is the setting that makes any server trusted.
///
/// # Errors
/// An error that the connection is refused.
pub fn check_way(
    address: &Address,
    unverified: Option<&str>,
    required: bool,
) -> Result<(), StoreError> {
    if required && address.is_plain() {
        let why = "the server's address must begin with https://, as --require-tls is given";
        return Err(StoreError::setting(why));
    }
    if required && let Some(setting) = unverified {
        let why = format!("{setting} can't be used with --require-tls");
        return Err(StoreError::setting(why));
    }
    if address.is_plain() {
        if !address.is_loopback() {
            let host = ShownPath(address.host());
            log::warning!(
                Insecure;
                "http to {host}: the token and the values can be read on the way; use https"
            );
        }
    } else if let Some(setting) = unverified {
        log::warning!(Insecure; "{setting}: anybody on the way can be the server");
    }
    Ok(())
}
