//! What stores behind HTTP share: servers under one deadline, proxies and trust, a session that is
//! begun when it is first needed, and rounds of requests that show who we are. A store supplies
//! what differs ([`Service`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Access;
use crate::model::error::StoreError;
use crate::model::log::{self, Phase};
use crate::model::named::{Named, ShownPath};
use crate::model::secret::Secret;
use crate::sys::http::{
    Address, Answer, Client, FaultHints, Proxy, Request, Server, Settings, Verdict, tls,
};

/// The variables that are read here, and belong to everybody.
pub const VARIABLES: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
];

/// Of those the ones that are paths of files.
pub const FILES: &[&str] = &["SSL_CERT_FILE"];

/// The longest that all tries take where there is no deadline.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The longest that one try takes where nothing else is said; and no more than a third of what
/// there is, so that another address, or node, is asked as well.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What is left at the end for logging out.
pub const LEAVING: Duration = Duration::from_millis(100);

/// What differs from one store behind HTTP to the next.
pub trait Service: Sized {
    /// What tells its servers apart: a region, say; `()` where there is only one.
    type Host: Ord + Clone;
    /// Who we are, for one launch.
    type Session;

    /// How a server is reached.
    ///
    /// # Errors
    /// Settings that are missing or can't be used.
    fn settings(&self, host: &Self::Host) -> Result<Settings, StoreError>;

    /// Finds out who we are, and asks whoever has to be asked for that.
    ///
    /// # Errors
    /// The reason why we are nobody.
    fn log_in(&self, remote: &Remote<Self>) -> Result<Self::Session, StoreError>;

    /// Has a request show who we are to a server.
    ///
    /// # Errors
    /// The reason why it can't.
    fn sign(
        &self,
        session: &Self::Session,
        to: (&Self::Host, &Server),
        request: &mut Request,
    ) -> Result<(), StoreError>;

    /// Ends a session.
    fn log_out(&self, _session: Self::Session, _remote: &Remote<Self>) {}
}

/// Something that is made once, or why it can't be.
type Connected<T> = Result<Arc<T>, StoreError>;

/// The servers of a store, and our session; both are made when they are first needed.
pub struct Remote<S: Service> {
    service: S,
    deadline: Option<Instant>,
    client: OnceLock<Connected<Client>>,
    servers: Mutex<BTreeMap<S::Host, Connected<Server>>>,
    session: Mutex<Option<S::Session>>,
}

impl<S: Service> Remote<S> {
    /// Nothing is asked, or looked for, yet.
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

    /// What all servers have in common, those included that only a login has to do with.
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

    /// A server, without our session.
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

    /// Does something with the session, which is begun where there is none.
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

    /// Asks everything at the same time, and gives the answers in the same order.
    ///
    /// # Errors
    /// What keeps all of it from being asked.
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

    /// Asks one thing.
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

/// How a server is reached where its store says nothing else.
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

/// The value of a variable; none where it is empty or no text.
pub fn text<'a>(access: &'a Access, name: &str) -> Option<&'a str> {
    let value = str::from_utf8(access.variable(name)?).ok()?;
    Some(value).filter(|value| !value.is_empty())
}

/// The path that a variable holds.
pub fn path(access: &Access, name: &str) -> Option<Named> {
    text(access, name).map(|path| Named::new(name, path))
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

/// The hosts of a list as `NO_PROXY` has it that are meant for a port: `HOST:PORT` is for that
/// alone.
fn for_port(list: &str, port: Option<u16>) -> String {
    let meant = list.split(',').filter_map(|entry| {
        let entry = entry.trim();
        let (host, digits) = match entry.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits),
            _ => return Some(entry),
        };
        let is_meant = port.is_some() && digits.parse().ok() == port;
        is_meant.then(|| host.trim_matches(['[', ']']))
    });
    meant.collect::<Vec<_>>().join(",")
}

/// Warns where others can read along or take the server's place; refuses it where TLS is
/// `required`. `unverified` is the setting that has anybody believed.
///
/// # Errors
/// What is refused.
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
