//! One HTTP request on a connection of its own, as bytes: enough to set a server up and ask it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// What a server answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Name in lower case, value.
    pub headers: Vec<(String, String)>,
    /// The body, decoded.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(one, _)| one == name)
            .map(|(_, value)| &**value)
    }
}

/// Sends a request to `HOST:PORT`. Fails where the connection does.
pub fn request(
    to: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    raw(to, &[head.as_bytes(), body].concat())
}

/// Sends these bytes to `HOST:PORT`, and reads the answer: as much as its head says, or until the
/// connection ends.
pub fn raw(to: &str, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(request)?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while !is_whole(&bytes) {
        match stream.read(&mut piece)? {
            0 => break,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
    answer(&bytes).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Whether an answer says its length, and has it. Not every server ends a connection when asked to.
fn is_whole(bytes: &[u8]) -> bool {
    head(bytes).is_some_and(|(lines, body)| {
        let mut headers = headers(&lines).into_iter();
        let length = headers.find(|(name, _)| name == "content-length");
        length.is_some_and(|(_, length)| {
            length
                .parse()
                .is_ok_and(|length: usize| body.len() >= length)
        })
    })
}

/// Cuts text at the end of an HTTP head: its lines, and what follows it.
pub fn head(bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let lines = head.split("\r\n").map(str::to_owned).collect();
    Some((lines, &bytes[end + 4..]))
}

/// The headers among a head's lines, the names in lower case.
pub fn headers(lines: &[String]) -> Vec<(String, String)> {
    let pairs = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let (lines, body) = head(bytes)?;
    let mut answer = Answer {
        status: lines[0].split(' ').nth(1)?.parse().ok()?,
        headers: headers(&lines),
        body: body.to_vec(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = chunks(body)?;
    } else if let Some(length) = answer.header("content-length") {
        answer.body.truncate(length.parse().ok()?);
    }
    Some(answer)
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(length.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}
