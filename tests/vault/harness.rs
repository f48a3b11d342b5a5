//! That the servers of our own which the tests of `vault:` run against do what they are said to.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::proxy;
use crate::silent;
use serde_json::{Value, json};
use support::bao::http;
use support::faulty;
use support::faulty::{Deaf, Faulty, Step};

/// A request to a faulty server, with a second's patience.
fn get(at: &str) -> (i32, String, Duration) {
    let start = Instant::now();
    let output = Command::new("curl")
        .args(["-s", "-m", "1", &format!("http://{at}/v1/a?b")])
        .output()
        .expect("curl is needed");
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text, start.elapsed())
}

#[test]
fn faults_are_what_they_are_called() {
    const RESET: i32 = 56;
    const PARTIAL: i32 = 18;
    const EMPTY: i32 = 52;
    const TIMEOUT: i32 = 28;
    let head = || Step::Send(faulty::head(200, &[("Content-Length", "10")]));
    let half = || Step::Send(b"half".to_vec());
    let cases = [
        (vec![Step::Reset], RESET, ""),
        (vec![Step::Close], EMPTY, ""),
        (vec![head(), half(), Step::Reset], RESET, "half"),
        (vec![head(), half(), Step::Close], PARTIAL, "half"),
        (vec![Step::Hang], TIMEOUT, ""),
        (vec![head(), Step::Hang], TIMEOUT, ""),
        (vec![head(), half(), Step::Hang], TIMEOUT, "half"),
        (
            vec![Step::Drip(
                b"HTTP/1.1 200 OK".to_vec(),
                Duration::from_millis(300),
            )],
            TIMEOUT,
            "",
        ),
        (faulty::json(500, &json!({})), 0, "{}"),
        (
            vec![
                head(),
                Step::Repeat(b"1234".to_vec(), 2),
                Step::Pause(Duration::ZERO),
                half(),
            ],
            0,
            "12341234ha",
        ),
    ];
    let count = cases.len();
    let scripts: Vec<_> = cases.iter().map(|case| case.0.clone()).collect();
    let faulty = Faulty::in_turn(scripts);
    for (number, (steps, code, text)) in cases.into_iter().enumerate() {
        let (found, body, _) = get(&faulty.at);
        assert_eq!((found, &*body), (code, text), "{number}: {steps:?}");
    }
    let requests = faulty.requests();
    assert_eq!((requests.len(), faulty.connections()), (count, count));
    let last = &requests[count - 1];
    assert_eq!(
        (&*last.method, &*last.path, last.number),
        ("GET", "/v1/a?b", count - 1)
    );
    assert_eq!(last.header("host"), Some(&*faulty.at));

    // It may come so early that connecting fails with it.
    let at_once = Faulty::on_connection(|_| vec![Step::Reset], |_| Vec::new());
    let read = TcpStream::connect(&at_once.at).and_then(|mut stream| stream.read(&mut [0]));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let deaf = Deaf::new();
    assert_eq!(get(&deaf.at).0, TIMEOUT);
}

#[test]
fn a_proxy_leads_every_name_to_one_server() {
    let faulty = Faulty::new(|_| faulty::document(&json!({"k": "v"})));
    let proxy = proxy::Proxy::new(&faulty.at);
    for more in [&[][..], &["-p"]] {
        let output = Command::new("curl")
            .args(["-s", "-x", &proxy.address(), "http://vault.test:8200/v1/a"])
            .args(more)
            .output();
        let answer: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        assert_eq!(answer["data"]["data"], json!({"k": "v"}));
    }
    assert_eq!(
        proxy.lines(),
        [
            "GET http://vault.test:8200/v1/a HTTP/1.1",
            "CONNECT vault.test:8200 HTTP/1.1"
        ]
    );
    let paths: Vec<_> = faulty.requests().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/v1/a", "/v1/a"]);
    let answer = http::request(&faulty.at, "POST", "/v1/b", &[], b"body").unwrap();
    assert_eq!(
        (answer.status, &*faulty.requests()[2].body),
        (200, &b"body"[..])
    );
}

#[test]
fn names_are_asked_for_in_vain_on_the_silent_machine() {
    let (code, asked) = silent::machine(|| {
        let curl = ["-s", "-m", "1", "http://vault.test/"];
        let output = Command::new("curl").args(curl).output();
        output.unwrap().status.code().unwrap()
    });
    assert_eq!(code, 28, "it was not answered");
    assert!(asked > 0);
}
