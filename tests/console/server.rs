//! Who may ask the console: the host, the page that asks, the session, the user, and how much.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use support::Place;
use support::bao::http::Answer;

use crate::place::{Console, faults, own};

/// Every answer has them.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[track_caller]
fn has_headers(answer: &Answer) {
    for (name, value) in HEADERS {
        assert_eq!(answer.header(name), Some(value));
    }
    let others = answer.headers.iter().map(|(name, _)| &**name);
    let cors = others.filter(|name| name.starts_with("access-control") || *name == "set-cookie");
    assert_eq!(cors.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn only_the_page_itself_is_answered() {
    let own = own();
    let session = own.session();
    let host = &*own.host;
    let port = host.rsplit_once(':').unwrap().1;
    let (named, origin) = (format!("localhost:{port}"), format!("http://{host}"));
    let elsewhere = format!("http://127.0.0.1:{}", port.parse::<u16>().unwrap() ^ 1);
    let site = ("Sec-Fetch-Site", "same-origin");
    let own_session = ("doorkey-session", &*session);
    let top = [
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    let cross = ("Sec-Fetch-Site", "cross-site");
    type Fields<'a> = [(&'a str, &'a str)];
    let cases: &[(&str, &Fields<'_>, [u16; 3])] = &[
        (
            "as the page",
            &[("Host", host), ("Origin", &origin), site, own_session],
            [200; 3],
        ),
        ("no origin", &[("Host", host), site, own_session], [200; 3]),
        (
            "a name that was bound anew",
            &[("Host", "evil.test"), site, own_session],
            [421; 3],
        ),
        (
            "another name",
            &[("Host", &named), site, own_session],
            [421; 3],
        ),
        (
            "two hosts",
            &[("Host", host), ("Host", host), site, own_session],
            [421; 3],
        ),
        ("no host", &[site, own_session], [421; 3]),
        (
            "a page elsewhere",
            &[
                ("Host", host),
                ("Origin", "http://evil.test"),
                site,
                own_session,
            ],
            [403; 3],
        ),
        (
            "a page on another port",
            &[("Host", host), ("Origin", &elsewhere), site, own_session],
            [403; 3],
        ),
        (
            "another site",
            &[("Host", host), cross, own_session],
            [403; 3],
        ),
        ("no browser", &[("Host", host), own_session], [403; 3]),
        (
            "a link elsewhere",
            &[("Host", host), cross, top[0], top[1], own_session],
            [200, 403, 403],
        ),
        ("no session", &[("Host", host), site], [200, 401, 401]),
        (
            "a wrong session",
            &[("Host", host), site, ("doorkey-session", "wrong")],
            [200, 401, 401],
        ),
        (
            "two sessions",
            &[("Host", host), site, own_session, own_session],
            [200, 401, 401],
        ),
        (
            "a cookie",
            &[("Host", host), site, ("Cookie", &session)],
            [200, 401, 401],
        ),
    ];
    let lines = [
        "GET /",
        "GET /api/state",
        "POST /api/delete?scope=team&name=smtp_user",
    ];
    for (what, headers, expected) in cases {
        for (line, expected) in lines.iter().zip(expected) {
            // The secret is there for each request that may remove it.
            own.place.set("team", "smtp_user", "value");
            let answer = own.send(line, headers, b"").unwrap();
            assert_eq!(answer.status, *expected, "{what}: {line}");
            has_headers(&answer);
            if *expected != 200 {
                assert_eq!(answer.json()["faults"].as_array().unwrap().len(), 1);
            }
            let is_gone = own.place.reveal("team", "smtp_user").is_none();
            assert_eq!(
                is_gone,
                line.starts_with("POST") && *expected == 200,
                "{what}"
            );
        }
    }
    // An address in the request's own line counts as a host.
    let line = format!("GET http://{host}/");
    assert_eq!(
        own.send(&line, &[("Host", host), site], b"")
            .unwrap()
            .status,
        421
    );
}

#[test]
fn there_is_nothing_else() {
    let own = own();
    let session = own.session();
    for (line, status) in [
        ("OPTIONS /api/state", 405),
        ("HEAD /", 405),
        ("DELETE /api/state", 405),
        ("GET /api/write", 405),
        ("GET /favicon.ico", 404),
        ("GET /../secrets/recipients.txt", 404),
        ("GET //", 404),
        ("TRACE /", 405),
    ] {
        let answer = own.ask(&session, line, b"");
        assert_eq!(answer.status, status, "{line}");
        has_headers(&answer);
    }
}

#[test]
fn bodies_have_limits() {
    let own = own();
    let session = own.session();
    let largest = vec![b'x'; 64 * 1024];
    let write = "POST /api/write?scope=team&how=create&name=";
    assert_eq!(
        own.ask(&session, &format!("{write}large"), &largest).status,
        200
    );
    assert_eq!(own.place.reveal("team", "large").unwrap(), largest);
    let larger = [&*largest, b"x"].concat();
    let answer = own.ask(&session, &format!("{write}larger"), &larger);
    let why = "that is too large: a value is at most 64 KiB, a file 256 KiB";
    assert_eq!(faults(&answer), (413, String::new(), why.to_owned()));
    assert_eq!(own.place.reveal("team", "larger"), None);
    let file = |size: usize| {
        [
            b"A='",
            &*vec![b'x'; 60_000],
            b"'\n#",
            &*vec![b'y'; size - 60_006],
        ]
        .concat()
    };
    let plan = |body: &[u8]| own.ask(&session, "POST /api/plan?scope=team", body).status;
    assert_eq!(
        (plan(&file(256 * 1024)), plan(&file(256 * 1024 + 1))),
        (200, 413)
    );

    // What says no length is counted as it comes.
    let origin = format!("http://{}", own.host);
    let head = format!(
        "POST /api/write?scope=team&how=create&name=chunks HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n\
         Sec-Fetch-Site: same-origin\r\ndoorkey-session: {session}\r\nTransfer-Encoding: chunked\r\n\r\n",
        own.host
    );
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "z".repeat(size));
    let body = [chunk(40_000), chunk(25_536), "0\r\n\r\n".to_owned()].concat();
    let answer = support::bao::http::raw(&own.host, [head.clone(), body].concat().as_bytes());
    assert_eq!(answer.unwrap().status, 200);
    let body = [chunk(40_000), chunk(25_537)].concat();
    let answer = support::bao::http::raw(&own.host, [head, body].concat().as_bytes());
    assert_eq!(answer.unwrap().status, 413);
}

/// The status that a user gets for the page: none where the connection is closed.
fn as_user(user: u32, console: &Console) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        "Sec-Fetch-Site: same-origin",
    ]);
    curl.arg(format!("http://{}/", console.host));
    let output = curl.uid(user).gid(user).current_dir("/").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Needs root, to be others.
#[test]
fn other_users_are_not_even_heard() {
    const NOBODY: u32 = 65534;
    const DAEMON: u32 = 1;
    let own = own();
    assert_eq!(as_user(0, &own), "200");
    assert_eq!(as_user(NOBODY, &own), "000");

    let place = Place::new();
    Command::new("chown")
        .arg("-R")
        .arg("65534:65534")
        .arg(place.path(""))
        .status()
        .unwrap();
    let init = place.doorkey(["store", "init", "secrets", "-q"]);
    init.unprivileged(&place).ok();
    for listen in ["127.0.0.1", "::1"] {
        let run = place.on("console --listen").arg(listen);
        let console = Console::start_unprivileged(&place, run);
        // Root can do everything anyway, as a proxy of its may.
        let codes = [NOBODY, 0, DAEMON].map(|user| as_user(user, &console));
        assert_eq!(codes, ["200", "200", "000"], "{listen}");
    }
}

#[test]
fn messages_are_those_of_the_command_line() {
    let own = own();
    let session = own.session();
    let ask = |line: &str, body: &[u8]| {
        let answer = own.ask(&session, line, body);
        let (status, field, what) = faults(&answer);
        assert_ne!(status, 200, "{line}");
        (field, what)
    };
    let says = |words: &str| {
        let err = own.place.on(words).stdin("v").end().err();
        err.strip_prefix("doorkey: error: ")
            .unwrap()
            .trim_end()
            .to_owned()
    };
    for (scope, name, how, field) in [
        ("team", "smtp_user", "create", "name"),
        ("team", "smtp_use", "update", "name"),
        ("team", "9lives", "create", "name"),
        ("team", "with-dash", "create", "name"),
    ] {
        let line = format!("POST /api/write?scope={scope}&name={name}&how={how}");
        let expected = says(&format!("secret {how} {name} --{scope}"));
        assert_eq!(ask(&line, b"v"), (field.to_owned(), expected), "{name}");
    }
    let write = "POST /api/write?scope=team&name=a&how=create";
    let empty = "the value is empty".to_owned();
    assert_eq!(ask(write, b""), ("value".to_owned(), empty.clone()));
    assert_eq!(ask(write, b"\n"), ("value".to_owned(), empty));
    let gone = says("secret delete smtp --team --yes");
    assert_eq!(
        ask("POST /api/delete?scope=team&name=smtp", b""),
        ("name".to_owned(), gone)
    );
    let text = "A=1\nb c\n";
    own.place.write("file", text);
    let fault = says("secret import file --team").replace("file:", "the text:");
    let plan = "POST /api/plan?scope=team";
    assert_eq!(ask(plan, text.as_bytes()), ("text".to_owned(), fault));
    for line in [
        "GET /api/scope?scope=galaxy",
        "GET /api/scope?scope=project/..",
        "GET /api/scope",
    ] {
        assert_eq!(ask(line, b"").0, "scope", "{line}");
    }
}

#[test]
fn a_store_that_is_read_only_stays_so() {
    let place = Place::new();
    place.write("plain/team/a", "value");
    let run = place.doorkey(["console", "--store", "dir:plain"]);
    let console = Console::start(&place, run);
    let session = console.session();
    let state = console.ask(&session, "GET /api/state", b"").json();
    assert_eq!(
        (&state["writes"], &state["readers"]),
        (&false.into(), &false.into())
    );
    let scope = console
        .ask(&session, "GET /api/scope?scope=team", b"")
        .json();
    assert_eq!(scope["rows"][0]["name"], "a");
    let write = console.ask(
        &session,
        "POST /api/write?scope=team&name=b&how=create",
        b"v",
    );
    let why = "b in team of dir:plain: doorkey only reads this kind of store".to_owned();
    assert_eq!(faults(&write), (502, String::new(), why));
    let delete = console.ask(&session, "POST /api/delete?scope=team&name=a", b"");
    assert_eq!(delete.status, 502);
    assert!(place.path("plain/team/a").exists());
}

/// Whoever opens many connections and says nothing keeps nobody out.
#[test]
fn strangers_hold_nobody_up() {
    let own = own();
    let session = own.session();
    let mut silent = Vec::new();
    for _ in 0..5 {
        for _ in 0..40 {
            let mut stream = TcpStream::connect(&own.host).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            silent.push(stream);
        }
        assert_eq!(own.ask(&session, "GET /api/state", b"").status, 200);
    }
    let id = own.id();
    let open = fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
    assert!(open < 100, "{open} of {} are open", silent.len());
}

/// A body that is refused by its length is heard to its end, so that the answer arrives.
#[test]
fn a_refused_body_hears_why() {
    let own = own();
    let session = own.session();
    let large = vec![b'x'; 5_000_000];
    for path in [
        "write?scope=team&how=create&name=a",
        "plan?scope=team",
        "state",
    ] {
        let answer = own.ask(&session, &format!("POST /api/{path}"), &large);
        assert_eq!(answer.status, if path == "state" { 405 } else { 413 });
    }
}

#[test]
fn a_body_that_never_ends_is_said() {
    let own = own();
    let session = own.session();
    let host = &*own.host;
    let request = format!(
        "POST /api/write?scope=team&how=create&name=half HTTP/1.1\r\nHost: {host}\r\n\
         Sec-Fetch-Site: same-origin\r\ndoorkey-session: {session}\r\nContent-Length: 9\r\n\r\nhalf"
    );
    let answer = support::bao::http::raw(host, request.as_bytes()).unwrap();
    let why = "the request did not come whole within ten seconds".to_owned();
    assert_eq!(faults(&answer), (408, String::new(), why));
    assert_eq!(own.place.reveal("team", "half"), None);
}
