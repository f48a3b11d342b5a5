//! A forward proxy of our own: it writes down what it is asked for, and leads every name to one
//! server.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use support::bao::http;

/// The proxy. Its thread ends with the process.
pub struct Proxy {
    /// `HOST:PORT`.
    pub at: String,
    heads: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Proxy {
    /// Leads all to the server at `HOST:PORT`.
    pub fn new(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (to, kept) = (to.to_owned(), Arc::clone(&heads));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (to, kept) = (to.clone(), Arc::clone(&kept));
                thread::spawn(move || lead(&stream, &to, &kept));
            }
        });
        Proxy { at, heads }
    }

    /// Its address, as a variable has it.
    pub fn address(&self) -> String {
        format!("http://{}", self.at)
    }

    /// The head of each request, in lines.
    pub fn heads(&self) -> Vec<Vec<String>> {
        self.heads.lock().unwrap().clone()
    }

    /// The first line of each request.
    pub fn lines(&self) -> Vec<String> {
        self.heads()
            .into_iter()
            .map(|mut lines| lines.remove(0))
            .collect()
    }
}

fn lead(mut from: &TcpStream, to: &str, heads: &Mutex<Vec<Vec<String>>>) -> Option<()> {
    let mut got = Vec::new();
    let lines = loop {
        if let Some((lines, _)) = http::head(&got) {
            break lines;
        }
        let mut piece = [0; 4096];
        match from.read(&mut piece).ok()? {
            0 => return None,
            count => got.extend_from_slice(&piece[..count]),
        }
    };
    heads.lock().unwrap().push(lines.clone());
    let mut server = TcpStream::connect(to).ok()?;
    if lines[0].starts_with("CONNECT ") {
        from.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    } else {
        // `GET http://HOST/PATH` becomes `GET /PATH`; later ones on the connection pass as they are.
        let (method, rest) = lines[0].split_once(" http://")?;
        let first = lines[0].len();
        let path = &rest[rest.find('/')?..];
        server
            .write_all(format!("{method} {path}").as_bytes())
            .ok()?;
        server.write_all(&got[first..]).ok()?;
    }
    let (mut back, mut client) = (server.try_clone().ok()?, from.try_clone().ok()?);
    thread::spawn(move || {
        let _ = copy(&mut back, &mut client);
        let _ = client.shutdown(Shutdown::Both);
    });
    let _ = copy(&mut from, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    Some(())
}
