//! Nothing secret in anything printed, whatever a server answers: it repeats what it was sent, in
//! every part of its answer, at `--log-level trace`, as text and as JSON.

use crate::server::{
    ADDRESS, ASKED, GIVEN, PASSWORD, STDIN, TOKEN, UNASKED, referring, says_nothing,
};
use serde_json::json;
use support::Place;
use support::faulty;
use support::faulty::{Faulty, Request, Step, answer, head};

/// Everything that a request holds, in one text.
fn echo(request: &Request) -> String {
    let headers: String = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={value} "))
        .collect();
    format!(
        "{headers} {} {}",
        String::from_utf8_lossy(&request.body),
        request.path
    )
}

#[test]
fn servers_that_repeat_what_they_are_sent() {
    let place = Place::new();
    let member = || json!({"data": {"data": {"asked": ASKED, "unasked": UNASKED}, "metadata": {}}});
    type Script = Box<dyn Fn(&Request) -> Vec<Step> + Send + Sync>;
    let errors = |status: u16| -> Script {
        Box::new(move |request| {
            faulty::json(
                status,
                &json!({"errors": [echo(request)], "auth": {"client_token": GIVEN}, "data": ASKED}),
            )
        })
    };
    let raw = |bytes: String| -> Script {
        Box::new(move |_| vec![Step::Send(bytes.clone().into_bytes()), Step::Close])
    };
    let mut scripts: Vec<(String, Script)> = Vec::new();
    for status in [400, 401, 403, 404, 405, 412, 418, 429, 500, 503] {
        scripts.push((status.to_string(), errors(status)));
    }
    for status in [301, 302, 307, 308] {
        scripts.push((
            format!("redirect {status}"),
            Box::new(move |request| {
                let token = request.header("x-vault-token").unwrap_or(GIVEN);
                let to = format!("http://{ADDRESS}:{PASSWORD}@127.0.0.1:1/{token}?{ASKED}");
                answer(status, &[("Location", &to)], echo(request).as_bytes())
            }),
        ));
    }
    let text = member().to_string();
    let kind = "Content-Type: application/json";
    for (what, bytes) in [
        ("no HTTP", format!("{ASKED} {GIVEN}\r\n\r\n")),
        (
            "a bad header",
            format!("HTTP/1.1 200 OK\r\n{ASKED}\x01{GIVEN}\r\n\r\n"),
        ),
        (
            "a bad length",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {ASKED}\r\n\r\n"),
        ),
        (
            "a bad chunk",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{kind}\r\n\r\n{ASKED}\r\n"),
        ),
        (
            "half of it",
            format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: 9999\r\n\r\n{text}"),
        ),
        (
            "broken JSON",
            format!(
                "HTTP/1.1 200 OK\r\n{kind}\r\n\r\n{}",
                &text[..text.len() - 4]
            ),
        ),
        (
            "text after JSON",
            format!("HTTP/1.1 200 OK\r\n{kind}\r\n\r\n{text}{ASKED}"),
        ),
        (
            "a list",
            format!("HTTP/1.1 200 OK\r\n{kind}\r\n\r\n[\"{ASKED}\"]"),
        ),
        (
            "text",
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{ASKED}"),
        ),
        (
            "a kind of its own",
            format!("HTTP/1.1 200 OK\r\nContent-Type: {ASKED}\r\n\r\n{text}"),
        ),
        (
            "a reason of its own",
            format!("HTTP/1.1 500 {ASKED} {GIVEN}\r\nRetry-After: {ASKED}\r\n\r\n"),
        ),
        (
            "data that is none",
            format!(
                "HTTP/1.1 200 OK\r\n{kind}\r\n\r\n{{\"data\":\"{ASKED}\",\"auth\":\"{GIVEN}\"}}"
            ),
        ),
        (
            "a name that is none",
            format!(
                "HTTP/1.1 200 OK\r\n{kind}\r\n\r\n{{\"data\":{{\"data\":{{\"{ASKED}\":\"\\ud800{UNASKED}\"}},\"metadata\":{{}}}}}}"
            ),
        ),
    ] {
        scripts.push((what.to_owned(), raw(bytes)));
    }
    scripts.push((
        "a hang".to_owned(),
        Box::new(move |_| vec![Step::Send(head(200, &[("X", ASKED)])), Step::Hang]),
    ));
    place.write("password", PASSWORD);
    for (what, script) in scripts {
        let server = Faulty::new(script);
        let on = |words: &str| {
            let run = place.doorkey(words.split(' '));
            run.env("DOORKEY_STORE", "vault:kv/app")
                .env("VAULT_ADDR", server.address())
        };
        let by_token = || referring(on("run -- true")).env("VAULT_TOKEN", TOKEN);
        says_nothing(&what, by_token, true, &[]);
        let wrapped = || by_token().env("VAULT_UNWRAP_TOKEN", "1");
        says_nothing(&format!("{what}, unwrapping"), wrapped, true, &[]);
        let direct = || {
            let run = on("run -- true")
                .env("VAULT_TOKEN", TOKEN)
                .env("VAULT_MAX_RETRIES", "0");
            run.env("A", "vault:kv/data/app#k")
                .env("VAULT_NAMESPACE", "n")
        };
        says_nothing(&format!("{what}, direct"), direct, true, &[]);
        let login = || {
            let run = referring(on("run -- true")).env("VAULT_AUTH_METHOD", "userpass");
            run.env("VAULT_USERNAME", "ann")
                .env("VAULT_PASSWORD_FILE", "password")
                .env("VAULT_MAX_RETRIES", "1")
        };
        says_nothing(&format!("{what}, logging in"), login, true, &[]);
        let set = || {
            let run = on("secret set name --team")
                .env("VAULT_TOKEN", TOKEN)
                .stdin(STDIN);
            run.env("VAULT_MAX_RETRIES", "1")
        };
        says_nothing(&format!("{what}, writing"), set, true, &[]);
    }
}
