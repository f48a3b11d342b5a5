//! An HTTP server of our own that goes wrong as a script says, and writes down what it gets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::bao::http;
use serde_json::Value;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which of all requests, from 0.
    pub number: usize,
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Name in lower case, value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When it had come.
    pub when: Instant,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(one, _)| one == name)
            .map(|(_, value)| &**value)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a server does, in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends a piece of bytes again and again, so often.
    Repeat(Vec<u8>, usize),
    /// Waits.
    Pause(Duration),
    /// Does nothing until the other side is gone.
    Hang,
    /// Breaks the connection off.
    Reset,
    /// Ends the connection in order.
    Close,
}

/// A whole answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<Step> {
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    all.push(("Content-Length", &length));
    vec![Step::Send([&head(status, &all), body].concat())]
}

/// A whole answer in JSON.
pub fn json(status: u16, body: &Value) -> Vec<Step> {
    let kind = [("Content-Type", "application/json")];
    answer(status, &kind, body.to_string().as_bytes())
}

/// A document of version 2, as OpenBao answers it.
pub fn document(data: &Value) -> Vec<Step> {
    let metadata = serde_json::json!({
        "created_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": "",
        "destroyed": false, "version": 1,
    });
    let data = serde_json::json!({"data": data, "metadata": metadata});
    json(
        200,
        &serde_json::json!({"data": data, "auth": null, "wrap_info": null}),
    )
}

/// The head of an answer.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Test\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

/// The server. What it still does ends when it is dropped.
pub struct Faulty {
    /// `HOST:PORT`.
    pub at: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    /// Every connection there was, to end them.
    streams: Mutex<Vec<TcpStream>>,
    count: AtomicUsize,
    over: AtomicBool,
}

impl Faulty {
    /// Does with each request what the script says.
    pub fn new(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::on_connection(|_| Vec::new(), script)
    }

    /// Answers the first request with the first of these, and so on; the last one stays.
    pub fn in_turn(answers: Vec<Vec<Step>>) -> Self {
        Self::new(move |request| answers[request.number.min(answers.len() - 1)].clone())
    }

    /// Does something already when a connection comes, which it is told the number of.
    pub fn on_connection(
        first: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
        script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let (first, script) = (Arc::new(first), Arc::new(script));
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for (number, stream) in listener.incoming().enumerate() {
                    if shared.over.load(SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    shared
                        .streams
                        .lock()
                        .unwrap()
                        .push(stream.try_clone().unwrap());
                    let (first, script) = (Arc::clone(&first), Arc::clone(&script));
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        if follow(&stream, first(number)) {
                            shared.serve(&stream, number, &*script);
                        }
                    });
                }
            }
        });
        Faulty {
            at,
            shared,
            thread: Some(thread),
        }
    }

    /// `VAULT_ADDR`.
    pub fn address(&self) -> String {
        format!("http://{}", self.at)
    }

    /// What it got until now.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        // Wakes it from waiting for a connection.
        let _ = TcpStream::connect(&self.at);
        let _ = self.thread.take().unwrap().join();
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    /// Serves the requests of a connection until either side ends it.
    fn serve(&self, stream: &TcpStream, connection: usize, script: &dyn Fn(&Request) -> Vec<Step>) {
        let mut got = Vec::new();
        while let Some(mut request) = read(stream, &mut got) {
            request.connection = connection;
            request.number = self.count.fetch_add(1, SeqCst);
            self.requests.lock().unwrap().push(request.clone());
            let last = request.header("connection") == Some("close");
            if !follow(stream, script(&request)) {
                return;
            }
            if last {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Reads the next request; what comes after it stays in `got`.
fn read(mut stream: &TcpStream, got: &mut Vec<u8>) -> Option<Request> {
    let mut more = |got: &mut Vec<u8>| {
        let mut piece = [0; 65536];
        let count = stream.read(&mut piece).ok()?;
        got.extend_from_slice(&piece[..count]);
        (count > 0).then_some(())
    };
    loop {
        if let Some((lines, rest)) = http::head(got) {
            let mut words = lines[0].split(' ').map(str::to_owned);
            let mut request = Request {
                number: 0,
                connection: 0,
                method: words.next()?,
                path: words.next()?,
                headers: http::headers(&lines),
                body: rest.to_vec(),
                when: Instant::now(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |it| it.parse().unwrap());
            while request.body.len() < length {
                let mut piece = Vec::new();
                more(&mut piece)?;
                request.body.extend(piece);
            }
            *got = request.body.split_off(length);
            request.when = Instant::now();
            return Some(request);
        }
        more(got)?;
    }
}

/// Follows a script; says whether the connection goes on.
fn follow(mut stream: &TcpStream, steps: Vec<Step>) -> bool {
    for step in steps {
        let done = match step {
            Step::Send(bytes) => stream.write_all(&bytes),
            Step::Drip(bytes, pause) => bytes.iter().try_for_each(|&byte| {
                thread::sleep(pause);
                stream.write_all(&[byte])
            }),
            Step::Repeat(piece, times) => (0..times).try_for_each(|_| stream.write_all(&piece)),
            Step::Pause(pause) => {
                thread::sleep(pause);
                Ok(())
            }
            Step::Hang => {
                while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
                return false;
            }
            Step::Reset => {
                linger_not(stream);
                return false;
            }
            Step::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                return false;
            }
        };
        if done.is_err() {
            return false;
        }
    }
    true
}

/// Has the connection broken off, not ended in order. That needs the last descriptor of it to be
/// closed, and others are kept: so the socket is taken out of its connection by hand.
fn linger_not(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let unspecified = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    // SAFETY: both pointers are to values of the type and size that the calls expect.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        );
        // Disconnecting a connection sends a reset.
        libc::connect(
            stream.as_raw_fd(),
            &raw const unspecified,
            size_of_val(&unspecified) as libc::socklen_t,
        );
    }
}

/// A port where connections are not even refused: the kernel drops them, as the queue of those
/// that wait to be accepted is full.
pub struct Deaf {
    /// `HOST:PORT`.
    pub at: String,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    /// Listens, and fills its own queue.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: a listening socket may be told another length of its queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let at = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        let short = Duration::from_millis(200);
        while let Ok(stream) = TcpStream::connect_timeout(&at, short) {
            queue.push(stream);
        }
        Deaf {
            at: at.to_string(),
            _listener: listener,
            _queue: queue,
        }
    }
}

/// A port that refuses for a while, and leads to a server then.
pub fn late(to: &Faulty, after: Duration) -> String {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let to = to.at.clone();
    thread::spawn(move || {
        thread::sleep(after);
        let listener = TcpListener::bind(free).unwrap();
        for from in listener.incoming().flatten() {
            let Ok(there) = TcpStream::connect(&to) else {
                return;
            };
            for (mut one, mut other) in [
                (from.try_clone().unwrap(), there.try_clone().unwrap()),
                (there, from),
            ] {
                thread::spawn(move || std::io::copy(&mut one, &mut other));
            }
        }
    });
    format!("http://{free}")
}
