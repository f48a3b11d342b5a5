//! The only HTTP server: for one person's browser, on the loopback interface.
//!
//! Connections live in the calling thread, and each takes one request. The work on a request is
//! done in other threads, one request at a time, as a store's client has a runtime of its own.

mod peer;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::memory;
use crate::model::secret::Secret;

/// The longest time for a head, and for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// The size of a connection's buffer, in bytes: a head fits, and the body comes in pieces.
const BUFFER: usize = 16 * 1024;

/// The time for reading what comes after the answer.
const LINGER: Duration = Duration::from_secs(2);

/// The largest number of connections whose request is not judged yet, or was refused. A browser
/// has six.
const MOST_STRANGERS: usize = 64;

/// The pause after a connection that the system could not give.
const PAUSE: Duration = Duration::from_millis(50);

/// The headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
         require-trusted-types-for 'script'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The head of a request.
pub struct Head(Parts);

impl Head {
    /// Returns the method.
    pub fn method(&self) -> &str {
        self.0.method.as_str()
    }

    /// Returns the path, without the query.
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// Returns the query, still percent-encoded.
    pub fn query(&self) -> &str {
        self.0.uri.query().unwrap_or_default()
    }

    /// Returns a header's value; an empty one if it is given twice.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.0.headers.get_all(name).iter();
        let value = values.next()?;
        Some(match values.next() {
            None => value.as_bytes(),
            Some(_) => b"",
        })
    }

    /// Returns the host that the request is for; an empty one if it is said twice.
    pub fn host(&self) -> Option<&[u8]> {
        match self.0.uri.authority() {
            None => self.header("host"),
            Some(_) => Some(b""),
        }
    }
}

/// An answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The type of the content.
    pub kind: &'static str,
    /// The content. It holds no value.
    pub body: Bytes,
}

/// The reason why the work on a request is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The body is too large.
    TooLarge,
    /// The body breaks off, or did not come in time.
    Unread,
    /// The system gives no thread.
    NoThread,
}

/// The site that is served.
pub trait Site: Send + Sync + 'static {
    /// The matter of a request.
    type Asked: Send;

    /// Judges a request by its head. Returns its matter, and the largest body in bytes. It is called
    /// in the thread of the connections, and must not wait.
    ///
    /// # Errors
    /// The answer, if there is nothing more to do.
    fn judge(&self, head: &Head) -> Result<(Self::Asked, usize), Answer>;

    /// Does the work on a request. It is called in a thread of its own.
    fn work(&self, asked: Self::Asked, body: Secret) -> Answer;

    /// Makes the answer to a request that was judged, but whose work is not done.
    fn undone(&self, why: Undone) -> Answer;

    /// The time after which to ask again if the site is still wanted; `None` if it is not.
    fn rest(&self) -> Option<Duration>;
}

/// An address of this machine alone, to which a browser can connect.
pub struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

type Job = Box<dyn FnOnce() + Send>;

impl Loopback {
    /// Listens; port 0 means any that is free. `address` is a loopback address.
    ///
    /// # Errors
    /// The system's error; also if the table of connections can't be read.
    pub fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((address, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        peer::table(address)?;
        Ok(Loopback { listener, address })
    }

    /// Returns the address and port, as a browser writes them: it leaves out port 80.
    pub fn host(&self) -> String {
        host(self.address)
    }

    /// Serves a site until it is not wanted any more. The last work is done to its end.
    ///
    /// # Errors
    /// The system's error, before the first request.
    pub fn serve<S: Site>(self, site: &Arc<S>) -> io::Result<()> {
        memory::stay();
        let (jobs, waiting) = mpsc::channel::<Job>();
        let worker = thread::Builder::new().spawn(move || {
            for job in waiting {
                // What was on its stack goes with a thread.
                if let Ok(doing) = thread::Builder::new().spawn(job) {
                    let _ = doing.join();
                }
            }
        })?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        runtime.block_on(self.accept(site, jobs))?;
        drop(runtime);
        let _ = worker.join();
        Ok(())
    }

    async fn accept<S: Site>(self, site: &Arc<S>, jobs: mpsc::Sender<Job>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let changed = Arc::new(Notify::new());
        let mut strangers = Strangers::default();
        while let Some(rest) = site.rest() {
            let mut is_changed = pin!(changed.notified());
            let accepted = poll_fn(|context| match listener.poll_accept(context) {
                Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                Poll::Pending => is_changed.as_mut().poll(context).map(|()| None),
            });
            match timeout(rest, accepted).await {
                Ok(Some(Ok((stream, from)))) => {
                    if peer::is_ours(self.address, from) {
                        let (site, jobs) = (Arc::clone(site), jobs.clone());
                        let changed = Arc::clone(&changed);
                        let is_judged = Arc::new(AtomicBool::new(false));
                        let judged = Arc::clone(&is_judged);
                        let task = tokio::spawn(async move {
                            converse(stream, &site, &jobs, &judged).await;
                            changed.notify_one();
                        });
                        strangers.add(is_judged, task.abort_handle());
                    }
                }
                Ok(Some(Err(_))) => sleep(PAUSE).await,
                Ok(None) | Err(_) => memory::wipe_stack(),
            }
        }
        Ok(())
    }
}

fn host(address: SocketAddr) -> String {
    let host = address.to_string();
    match host.strip_suffix(":80") {
        Some(address) => address.to_owned(),
        None => host,
    }
}

/// The connections that nobody has judged yet, the oldest first.
#[derive(Default)]
struct Strangers(VecDeque<(Arc<AtomicBool>, AbortHandle)>);

impl Strangers {
    /// Adds a connection. If there are too many then, the oldest is closed: whoever opens many
    /// without a right request keeps nobody else out.
    fn add(&mut self, is_judged: Arc<AtomicBool>, task: AbortHandle) {
        let is_strange = |(is_judged, task): &(Arc<AtomicBool>, AbortHandle)| {
            !is_judged.load(Relaxed) && !task.is_finished()
        };
        self.0.retain(is_strange);
        self.0.push_back((is_judged, task));
        if self.0.len() > MOST_STRANGERS
            && let Some((_, oldest)) = self.0.pop_front()
        {
            oldest.abort();
        }
    }
}

/// Answers the one request of a connection. Its buffers are freed, and so wiped, when it ends.
async fn converse<S: Site>(
    stream: TcpStream,
    site: &Arc<S>,
    jobs: &mpsc::Sender<Job>,
    is_judged: &AtomicBool,
) {
    let service = service_fn(|request: Request<Incoming>| async {
        let answer = answer(request, site, jobs, is_judged).await;
        Ok::<_, hyper::Error>(response(answer))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever still sends a body that is refused would not hear why.
    if let Ok(mut parts) = connection.without_shutdown().await {
        let stream = parts.io.inner_mut();
        let mut rest = vec![0; BUFFER];
        let read = async {
            let _ = stream.shutdown().await;
            while let Ok(1..) = stream.read(&mut rest).await {}
        };
        let _ = timeout(LINGER, read).await;
    }
}

async fn answer<S: Site>(
    request: Request<Incoming>,
    site: &Arc<S>,
    jobs: &mpsc::Sender<Job>,
    is_judged: &AtomicBool,
) -> Answer {
    let (parts, body) = request.into_parts();
    let (asked, largest) = match site.judge(&Head(parts)) {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    is_judged.store(true, Relaxed);
    let body = match timeout(PATIENCE, read(body, largest)).await {
        Ok(Ok(body)) => body,
        Ok(Err(why)) => return site.undone(why),
        Err(_) => return site.undone(Undone::Unread),
    };
    let (done, answered) = oneshot::channel();
    let of_site = Arc::clone(site);
    let job = move || {
        let _ = done.send(of_site.work(asked, body));
    };
    let _ = jobs.send(Box::new(job));
    let answered = answered.await;
    answered.unwrap_or_else(|_| site.undone(Undone::NoThread))
}

/// Reads a body.
async fn read(mut body: Incoming, largest: usize) -> Result<Secret, Undone> {
    let mut bytes = Vec::with_capacity(body.size_hint().lower().min(largest as u64) as usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.map_err(|_| Undone::Unread)?.into_data() {
            if bytes.len() + data.len() > largest {
                return Err(Undone::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Secret::new(bytes))
}

/// The content of an answer, in one piece.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

fn response(answer: Answer) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    response
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_as_a_browser_writes_it() {
        for (address, expected) in [
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:1080", "[::1]:1080"),
        ] {
            assert_eq!(host(address.parse().unwrap()), expected);
        }
    }
}
