//! `vault:` against a server of our own that goes wrong in every way: what passes is tried again
//! until the deadline, what doesn't is said at once, and no token leaves for anywhere else.

use std::time::{Duration, Instant};

use crate::silent;
use serde_json::json;
use support::bao;
use support::faulty;
use support::faulty::{Deaf, Faulty, Step, answer, document, head};
use support::{Ended, Place, Run};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A launch whose only reference is in the team's document of the server at this address.
fn launch(place: &Place, at: &str, words: &str) -> Run {
    let run = place.doorkey(format!("run {words}").split_whitespace());
    run.args(["--", "printenv", "V"])
        .env("DOORKEY_STORE", "vault:kv/app?kv=2")
        .env("VAULT_ADDR", format!("http://{at}"))
        .env("VAULT_TOKEN", "s.token")
        .env("V", "secret:k")
}

/// The document that is asked for.
fn good() -> Vec<Step> {
    document(&json!({"k": "v"}))
}

/// All of an answer but its last bytes.
fn cut() -> Vec<u8> {
    let Some(Step::Send(mut bytes)) = good().pop() else {
        unreachable!()
    };
    bytes.truncate(bytes.len() - 10);
    bytes
}

fn ended_within(run: Run, most: Duration) -> Ended {
    let start = Instant::now();
    let ended = run.end();
    let took = start.elapsed();
    assert!(took < most, "{took:?}: {}", ended.err());
    ended
}

#[test]
fn what_passes_is_tried_again() {
    let place = Place::new();
    let drip = |bytes: &[u8]| Step::Drip(bytes.to_vec(), Duration::from_millis(1));
    let passing: Vec<(&str, Vec<Step>)> = vec![
        ("reset before the answer", vec![Step::Reset]),
        ("closed before the answer", vec![Step::Close]),
        (
            "reset in the head",
            vec![Step::Send(b"HTTP/1.1 2".to_vec()), Step::Reset],
        ),
        ("reset in the body", vec![Step::Send(cut()), Step::Reset]),
        ("closed in the body", vec![Step::Send(cut()), Step::Close]),
        ("412", answer(412, &[], b"")),
        ("429", faulty::json(429, &json!({"errors": ["x"]}))),
        ("473", answer(473, &[], b"")),
        ("500", faulty::json(500, &json!({"errors": []}))),
        (
            "502, not JSON",
            answer(502, &[("Content-Type", "text/html")], b"<html>"),
        ),
        ("503", answer(503, &[], b"")),
        ("504", answer(504, &[], b"")),
        (
            "400 that passes",
            faulty::json(
                400,
                &json!({"errors": ["Upgrading from non-versioned to versioned data."]}),
            ),
        ),
    ];
    for (what, steps) in passing {
        let server = Faulty::in_turn(vec![steps.clone(), steps, good()]);
        let ended = launch(&place, &server.at, "-q").end();
        assert_eq!((ended.code(), &*ended.err()), (0, ""), "{what}");
        assert_eq!(server.requests().len(), 3, "{what}");
    }
    let at_once = Faulty::on_connection(
        |number| match number {
            0 => vec![Step::Reset],
            _ => vec![],
        },
        |_| good(),
    );
    launch(&place, &at_once.at, "-q").gives(0, "v\n", "");
    // Slow is not wrong.
    let Some(Step::Send(bytes)) = good().pop() else {
        unreachable!()
    };
    let server = Faulty::in_turn(vec![vec![drip(&bytes)]]);
    launch(&place, &server.at, "-q").gives(0, "v\n", "");
}

#[test]
fn what_does_not_pass_is_said_at_once() {
    let place = Place::new();
    let large = || Step::Repeat(vec![b'x'; 1 << 20], 9);
    let nine = (9 << 20).to_string();
    let body = |status: u16, text: &str| answer(status, &[JSON], text.as_bytes());
    let final_ones: Vec<(Vec<Step>, &str)> = vec![
        (
            body(400, r#"{"errors":["x"]}"#),
            "kv/app/team: the server refuses with status 400",
        ),
        (
            body(
                403,
                r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#,
            ),
            "denied: the token may not use kv/app/team, or is no longer valid; its policies must allow it",
        ),
        (
            body(404, r#"{"errors":[]}"#),
            "none of kv/app/team exists; check the store's name, or set a secret",
        ),
        (
            body(200, r#"{"data":{"data":{"k":"v"#),
            "kv/app/team: the answer is broken JSON, or not the server's",
        ),
        (body(200, "[]"), "kv/app/team: the answer is no document"),
        (body(200, "{}"), "kv/app/team: the answer is no document"),
        (
            body(200, r#"{"data":{"data":[1],"metadata":{}}}"#),
            "kv/app/team: the answer is no document",
        ),
        (
            answer(200, &[("Content-Type", "text/html")], b"<html>"),
            "kv/app/team: the answer is not JSON; is this the address of an OpenBao or Vault server?",
        ),
        (
            answer(200, &[], br#"{"data":{}}"#),
            "kv/app/team: the answer is not JSON; is this the address of an OpenBao or Vault server?",
        ),
        (
            vec![
                Step::Send(head(200, &[JSON, ("Content-Length", &nine)])),
                large(),
            ],
            "the answer is larger than 8 MB",
        ),
        (
            vec![Step::Send(head(200, &[JSON])), large(), Step::Close],
            "the answer is larger than 8 MB",
        ),
        (
            vec![
                Step::Send(head(
                    200,
                    &[JSON, ("Content-Length", "99999999999999999999")],
                )),
                Step::Hang,
            ],
            "the answer is no HTTP",
        ),
        (
            vec![Step::Send(b"SSH-2.0-x\r\n\r\n".to_vec()), Step::Hang],
            "the answer is no HTTP",
        ),
    ];
    for (steps, why) in final_ones {
        let server = Faulty::in_turn(vec![steps]);
        let ended = ended_within(
            launch(&place, &server.at, "--timeout 20s"),
            Duration::from_secs(5),
        );
        let err = ended.err();
        assert!(
            ended.code() == 125 && err.ends_with(&format!("{why}\n")) && err.lines().count() == 1,
            "{why}: {err}"
        );
        assert_eq!(server.requests().len(), 1, "{why}: asked once");
    }
}

#[test]
fn a_proxy_that_is_in_the_way_is_named() {
    let place = Place::new();
    let refusing = Faulty::in_turn(vec![answer(403, &[], b"")]);
    for (proxy, why) in [
        (&*refusing.at, "the proxy does not let us through"),
        ("127.0.0.1:1", "connection refused (a proxy is set)"),
    ] {
        let run = launch(&place, "", "").env("VAULT_MAX_RETRIES", "0");
        let run = run.env("VAULT_ADDR", "https://vault.test:8200");
        let ended = run.env("VAULT_PROXY_ADDR", format!("http://{proxy}")).end();
        let err = ended.err();
        assert!(
            ended.code() == 125 && err.ends_with(&format!("; the last: {why}\n")),
            "{why}: {err}"
        );
    }
}

/// The tries that an error speaks of.
fn tries(err: &str) -> usize {
    let rest = err.split("gave up after ").nth(1).expect(err);
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn hanging_at_any_phase_ends_by_the_deadline() {
    let place = Place::new();
    let begun = |bytes: &[u8]| vec![Step::Send(bytes.to_vec()), Step::Hang];
    let headers = head(200, &[JSON, ("Content-Length", "100")]);
    let phases = [
        vec![Step::Hang],
        begun(b"HTTP/1.1 200"),
        begun(&headers),
        begun(&cut()),
        vec![Step::Drip(vec![b'x'; 100_000], Duration::from_millis(20))],
        vec![
            Step::Send(headers.clone()),
            Step::Drip(cut(), Duration::from_millis(20)),
        ],
    ];
    for steps in phases {
        let what = format!("{:?}", steps.first());
        let server = Faulty::in_turn(vec![steps]);
        let ended = ended_within(
            launch(&place, &server.at, "-q --timeout 1s"),
            Duration::from_secs(5),
        );
        let err = ended.err();
        assert_eq!(ended.code(), 125, "{what}: {err}");
        assert!(
            err.contains("doorkey: error: ") && err.lines().count() == 1,
            "{what}: {err}"
        );
        assert!(
            err.contains(&server.at) || err.contains("gave up after 1s"),
            "{what}: {err}"
        );
    }
    // One that accepts no connection at all.
    let deaf = Deaf::new();
    let ended = ended_within(
        launch(&place, &deaf.at, "-q --timeout 1s"),
        Duration::from_secs(5),
    );
    assert_eq!(ended.code(), 125, "{}", ended.err());
    // Each request has a limit of its own, after which it is tried again.
    let server = Faulty::in_turn(vec![vec![Step::Hang], good()]);
    let run = launch(&place, &server.at, "-q").env("VAULT_CLIENT_TIMEOUT", "1");
    run.gives(0, "v\n", "");
}

#[test]
fn past_the_deadline_it_says_what_was_tried() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![answer(503, &[], b"")]);
    let ended = ended_within(
        launch(&place, &server.at, "--timeout 1s"),
        Duration::from_secs(5),
    );
    let err = ended.err();
    // After the first try it says that it goes on.
    let request = format!("GET http://{}/v1/kv/data/app/team", server.at);
    let warning =
        format!("doorkey: warning: {request}: status 503; trying again for up to 1s (--timeout)\n");
    let err = err.strip_prefix(&warning).expect(&err);
    let asked = server.requests().len();
    assert_eq!(tries(err), asked, "{err}");
    assert!(asked >= 3, "{err}");
    let begins = format!("doorkey: error: vault:kv/app?kv=2: {request}: gave up after ");
    assert!(
        err.starts_with(&begins) && err.ends_with("; the last: status 503\n"),
        "{err}"
    );
    // A closed port.
    let at = format!("127.0.0.1:{}", bao::free_port());
    let ended = ended_within(launch(&place, &at, "--timeout 1s"), Duration::from_secs(5));
    assert!(
        ended.err().ends_with("; the last: connection refused\n"),
        "{}",
        ended.err()
    );
    // As the official clients count.
    let server = Faulty::in_turn(vec![answer(503, &[], b"")]);
    let run = launch(&place, &server.at, "").env("VAULT_MAX_RETRIES", "2");
    assert_eq!(tries(&run.end().err()), 3);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_server_says_when_to_come_back() {
    let place = Place::new();
    let later = |when: &str| answer(429, &[("Retry-After", when)], b"");
    let server = Faulty::in_turn(vec![later("1"), good()]);
    launch(&place, &server.at, "-q").gives(0, "v\n", "");
    let requests = server.requests();
    let pause = requests[1].when - requests[0].when;
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
    // Later than the deadline is never: there is no point in waiting for it.
    let server = Faulty::in_turn(vec![later("60"), good()]);
    let ended = ended_within(
        launch(&place, &server.at, "--timeout 20s"),
        Duration::from_secs(5),
    );
    assert!(
        ended.err().ends_with("; the last: status 429\n"),
        "{}",
        ended.err()
    );
    // Nonsense is as nothing.
    let server = Faulty::in_turn(vec![later("soon"), later("-1"), good()]);
    launch(&place, &server.at, "-q").gives(0, "v\n", "");
}

#[test]
fn what_goes_with_a_request() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![good()]);
    let run = launch(&place, &server.at, "-q").env("VAULT_NAMESPACE", "a/b");
    run.gives(0, "v\n", "");
    let sent = &server.requests()[0];
    assert_eq!(
        (&*sent.method, &*sent.path),
        ("GET", "/v1/kv/data/app/team")
    );
    assert_eq!(sent.header("x-vault-token"), Some("s.token"));
    assert_eq!(sent.header("x-vault-namespace"), Some("a/b"));
    assert_eq!(sent.header("x-vault-request"), Some("true"));
    assert!(sent.header("referer").is_none() && sent.header("cookie").is_none());
    // A proxy in front of the server may serve it below a path.
    let run = launch(&place, &format!("{}/below/", server.at), "-q");
    run.gives(0, "v\n", "");
    assert_eq!(server.requests()[1].path, "/below/v1/kv/data/app/team");
    // What is no header can't be one.
    let run = launch(&place, &server.at, "").env("VAULT_TOKEN", "s.to\nzebra: x");
    let ended = run.end();
    assert_eq!(ended.code(), 125, "{}", ended.err());
    assert!(!ended.err().contains("zebra"), "{}", ended.err());
    // Names are encoded, and stay where they are.
    let run = place
        .doorkey(["run", "-q", "--", "printenv", "V"])
        .env("DOORKEY_STORE", "vault:kv/app?kv=2")
        .env("DOORKEY_TEAM_PATH", "kv/a b?c#d%2e/é")
        .env("VAULT_ADDR", server.address())
        .env("VAULT_TOKEN", "t")
        .env("V", "secret:k");
    run.gives(0, "v\n", "");
    assert_eq!(
        server.requests().last().unwrap().path,
        "/v1/kv/data/a%20b%3Fc%23d%252e/%C3%A9"
    );
}

#[test]
fn a_resolver_that_hangs_holds_nothing() {
    let place = Place::new();
    let run = |words: &str| {
        let run = launch(&place, "vault.test:8200", words);
        run.env("VAULT_ADDR", "https://vault.test:8200")
    };
    let ((code, err, took), asked) = silent::machine(|| {
        let start = Instant::now();
        let ended = run("--timeout 1s").end();
        (ended.code(), ended.err(), start.elapsed())
    });
    assert_eq!(code, 125, "{err}");
    assert!(took < Duration::from_secs(5), "{took:?}: {err}");
    assert!(
        err.contains("vault.test") || err.contains("gave up after 1s"),
        "{err}"
    );
    assert!(asked > 0, "the resolver was asked");
    // A name in vain beside a launch that succeeds: one attempt that hangs, and a cache or
    // another answer in time, must not be waited for either.
    let (code, _) = silent::machine(|| {
        let server = Faulty::in_turn(vec![good()]);
        let run = launch(&place, &server.at, "-q");
        run.env(
            "VAULT_ADDR",
            format!("http://localhost:{}", server.at.rsplit(':').next().unwrap()),
        )
        .end()
        .code()
    });
    assert_eq!(code, 0, "localhost needs no resolver");
}
