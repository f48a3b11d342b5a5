//! A server that is not there yet.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// `HOST:PORT` of a port that refuses for a while, and leads to a server then.
pub fn late(to: &str, after: Duration) -> String {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let to = to.to_owned();
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
    free.to_string()
}
