//! Who may ask, in tables.

use super::*;

const HOST: &str = "127.0.0.1:4242";

fn gate() -> Gate {
    let mut gate = Gate::new(HOST.to_owned(), "token".to_owned());
    gate.begin("session".to_owned());
    gate
}

/// A request that the page itself sends.
fn own<'a>(method: &'a str, path: &'a str) -> Head<'a> {
    Head {
        method,
        path,
        host: Some(HOST.as_bytes()),
        origin: (method == "POST").then_some(b"http://127.0.0.1:4242"),
        site: Some(b"same-origin"),
        mode: Some(b"cors"),
        dest: Some(b"empty"),
        length: None,
        token: None,
        session: Some(b"session"),
    }
}

fn status(head: &Head<'_>) -> u16 {
    gate().judge(head, 0).map_or_else(|no| no.0, |_| 200)
}

#[test]
fn every_route_takes_the_page_itself() {
    for (method, path, route, largest) in ROUTES {
        let head = Head {
            length: Some(largest as u64),
            ..own(method, path)
        };
        let expected = match route {
            Route::Session => Err((403, "the token is wrong")),
            _ => Ok((route, largest)),
        };
        assert_eq!(gate().judge(&head, 0), expected, "{path}");
        let longer = Head {
            length: Some(largest as u64 + 1),
            ..head
        };
        assert_eq!(status(&longer), 413, "{path}");
        let other = if method == "GET" { "POST" } else { "GET" };
        for other in [other, "OPTIONS", "HEAD", "PUT"] {
            assert_eq!(status(&own(other, path)), 405, "{other} {path}");
        }
    }
    assert_eq!(status(&own("GET", "/favicon.ico")), 404);
    assert_eq!(status(&own("GET", "//")), 404);
}

/// A change to a head, and the status of each matter of a request with it: the page, one of the
/// page's files, a question, a change.
type Case = (&'static str, fn(&mut Head<'_>), [u16; 4]);

const CASES: &[Case] = &[
    ("as the page sends it", |_| (), [200; 4]),
    (
        "a name that leads here",
        |head| head.host = Some(b"evil.test:4242"),
        [421; 4],
    ),
    (
        "the same by name",
        |head| head.host = Some(b"localhost:4242"),
        [421; 4],
    ),
    (
        "another port",
        |head| head.host = Some(b"127.0.0.1:4243"),
        [421; 4],
    ),
    ("no port", |head| head.host = Some(b"127.0.0.1"), [421; 4]),
    ("no host", |head| head.host = None, [421; 4]),
    ("two hosts", |head| head.host = Some(b""), [421; 4]),
    ("no origin", |head| head.origin = None, [200; 4]),
    (
        "a foreign origin",
        |head| head.origin = Some(b"http://evil.test"),
        [403; 4],
    ),
    (
        "a page on another port",
        |head| head.origin = Some(b"http://127.0.0.1:4243"),
        [403; 4],
    ),
    (
        "the origin by https",
        |head| head.origin = Some(b"https://127.0.0.1:4242"),
        [403; 4],
    ),
    (
        "a hidden origin",
        |head| head.origin = Some(b"null"),
        [403; 4],
    ),
    ("two origins", |head| head.origin = Some(b""), [403; 4]),
    (
        "the same site",
        |head| head.site = Some(b"same-site"),
        [403; 4],
    ),
    (
        "another site",
        |head| head.site = Some(b"cross-site"),
        [403; 4],
    ),
    ("no browser", |head| head.site = None, [403; 4]),
    (
        "typed by the user",
        |head| top(head, b"none"),
        [200, 200, 403, 403],
    ),
    (
        "from the redirect file",
        |head| top(head, b"cross-site"),
        [200, 200, 403, 403],
    ),
    (
        "from a page on another port",
        |head| top(head, b"same-site"),
        [200, 200, 403, 403],
    ),
    (
        "in another page's frame",
        |head| {
            top(head, b"cross-site");
            head.dest = Some(b"iframe");
        },
        [403; 4],
    ),
    (
        "as another page's script",
        |head| {
            head.site = Some(b"cross-site");
            head.mode = Some(b"no-cors");
            head.dest = Some(b"script");
        },
        [403; 4],
    ),
    (
        "no session",
        |head| head.session = None,
        [200, 200, 401, 401],
    ),
    (
        "another session",
        |head| head.session = Some(b"sessiom"),
        [200, 200, 401, 401],
    ),
    (
        "part of the session",
        |head| head.session = Some(b"sessio"),
        [200, 200, 401, 401],
    ),
    (
        "the token as session",
        |head| head.session = Some(b"token"),
        [200, 200, 401, 401],
    ),
];

fn top(head: &mut Head<'_>, site: &'static [u8]) {
    head.site = Some(site);
    head.mode = Some(b"navigate");
    head.dest = Some(b"document");
}

#[test]
fn who_may_ask() {
    let requests = [
        ("GET", "/"),
        ("GET", "/script.js"),
        ("GET", "/api/state"),
        ("POST", "/api/write"),
    ];
    for (what, change, expected) in CASES {
        let of = |(method, path)| {
            let mut head = own(method, path);
            change(&mut head);
            status(&head)
        };
        assert_eq!(requests.map(of), *expected, "{what}");
    }
    let mut unused = Gate::new(HOST.to_owned(), "token".to_owned());
    for session in [None, Some(&b""[..])] {
        let head = Head {
            session,
            ..own("GET", "/api/state")
        };
        assert_eq!(unused.judge(&head, 0).unwrap_err().0, 401);
    }
}

#[test]
fn a_link_is_used_once_and_soon() {
    let head = |token: &'static str| Head {
        token: Some(token.as_bytes()),
        ..own("POST", "/api/session")
    };
    let new = || Gate::new(HOST.to_owned(), "token".to_owned());
    let mut gate = new();
    assert_eq!(
        gate.judge(&head("token"), 119).map(|no| no.0),
        Ok(Route::Session)
    );
    gate.begin("session".to_owned());
    assert_eq!(gate.judge(&head("token"), 1).unwrap_err().0, 409);
    assert_eq!(new().judge(&head("token"), 120).unwrap_err().0, 410);
    assert!(!gate.is_attacked());
}

#[test]
fn five_wrong_tokens_and_no_more() {
    let mut gate = Gate::new(HOST.to_owned(), "token".to_owned());
    let wrong = Head {
        token: Some(b"tokem"),
        ..own("POST", "/api/session")
    };
    // Whoever is refused for another reason does not count.
    for (what, change, expected) in CASES
        .iter()
        .filter(|case| case.2 == [421; 4] || case.2 == [403; 4])
    {
        for _ in 0..MOST_WRONG {
            let mut head = wrong;
            change(&mut head);
            assert_eq!(gate.judge(&head, 0).unwrap_err().0, expected[3], "{what}");
        }
    }
    for count in 1..=MOST_WRONG {
        assert!(!gate.is_attacked(), "{count}");
        assert_eq!(gate.judge(&wrong, 0).unwrap_err().0, 403);
    }
    assert!(gate.is_attacked());
}
