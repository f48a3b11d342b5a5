//! A pod's first seconds on Google: a metadata server that refuses, hangs, says 404, 410 or 429, or
//! leads elsewhere; clocks that are apart; a system with nothing in it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clouds::{has_waited, in_a_bare_root, shows_both};
use serde_json::json;
use support::canaries::{Canaries, Random, SEED, held};
use support::faulty::{self, Deaf, Faulty, Step, late};
use support::gcp::{ENDPOINT, Gcp};
use support::trace::Begin;
use support::{DOORKEY, Ended, Place};

const ENDS: &str = "NO_GCE_CHECK=true ends that";

/// A project with a secret.
fn start() -> (Arc<Gcp>, String) {
    let (gcp, project) = (Gcp::shared(), Gcp::project());
    gcp.put(&project, "app--team", r#"{"a": "canary-value"}"#);
    (gcp, project)
}

/// A launch whose metadata server is at `HOST:PORT`, with this timeout.
fn launch(gcp: &Gcp, project: &str, machine: &str, timeout: &str) -> Ended {
    let place = Place::new();
    let words = format!("run --timeout {timeout} -- printenv V");
    let run = place.doorkey(words.split(' '));
    let run = run
        .env("DOORKEY_STORE", format!("gcp-sm:{project}/app"))
        .env("V", "secret:team/a")
        .env(ENDPOINT, format!("http://{}", gcp.at));
    // A proxy that nobody may ask.
    let run = run
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "");
    run.env("GCE_METADATA_HOST", machine).end()
}

#[test]
fn who_refuses_at_first_is_waited_for() {
    let (gcp, project) = start();
    let front = gcp.behind(|_| None);
    let machine = late(&front, Duration::from_secs(5));
    let machine = machine.trim_start_matches("http://");
    let ended = launch(&gcp, &project, machine, "30s");
    has_waited(&ended, machine, ENDS);
}

#[test]
fn who_says_no_at_first_is_asked_again() {
    let (gcp, project) = start();
    let at = gcp.at.clone();
    let machine = Faulty::new(move |request| match request.number {
        0 => faulty::answer(404, &[], b""),
        1 => faulty::answer(410, &[], b""),
        2 => faulty::answer(429, &[], b""),
        3 => faulty::answer(503, &[], b""),
        _ => support::served::passed_on(&at, request),
    });
    let ended = launch(&gcp, &project, &machine.at, "30s");
    let said = ended.err();
    assert_eq!(
        (ended.code(), ended.out()),
        (0, "canary-value\n".to_owned()),
        "{said}"
    );
    assert_eq!(machine.requests().len(), 5);
    let never = Faulty::new(|_| faulty::answer(404, &[], b"canary-message"));
    let said = launch(&gcp, &project, &never.at, "2s").err();
    let why = "status 404: no service account is attached, or not yet";
    assert!(said.contains(why) && !said.contains("canary"), "{said}");
}

#[test]
fn who_hangs_is_given_up() {
    let (gcp, project) = start();
    let hangs = Faulty::new(|_| vec![Step::Hang]);
    let deaf = Deaf::new();
    for at in [&hangs.at, &deaf.at] {
        let ended = launch(&gcp, &project, at, "4s");
        let said = ended.err();
        assert!(
            said.contains("waiting for") && said.contains(ENDS),
            "{said}"
        );
        let hint = "outside Google Cloud say who doorkey is by GOOGLE_APPLICATION_CREDENTIALS";
        assert!(said.contains(hint), "{said}");
        assert_eq!(ended.code(), 125);
    }
}

#[test]
fn who_is_not_google_is_not_believed() {
    let (gcp, project) = start();
    let flavor = [("Metadata-Flavor", "Google")];
    let to = format!("http://{}/computeMetadata/v1/", gcp.at);
    let token = json!({"access_token": "canary-token"}).to_string();
    let before = gcp.asked(&project).len();
    for (answer, why) in [
        (
            faulty::answer(307, &[("Location", &to)], b""),
            "not followed",
        ),
        (
            faulty::answer(200, &[], token.as_bytes()),
            "is not Google's: its answer has no header Metadata-Flavor: Google",
        ),
        (faulty::answer(403, &flavor, b""), "gives us nothing (403)"),
        (
            faulty::answer(200, &flavor, b"{}"),
            "its answer holds no token",
        ),
    ] {
        let machine = Faulty::in_turn(vec![answer]);
        let said = launch(&gcp, &project, &machine.at, "3s").err();
        assert!(said.contains(why), "{said}");
        assert_eq!(
            (said.lines().count(), machine.requests().len()),
            (1, 1),
            "{said}"
        );
    }
    assert_eq!(gcp.asked(&project).len(), before);
}

/// Google's clock is an hour ahead: what a key has signed is refused once, and signed by that time,
/// whether Google takes it as a token or exchanges it for one.
#[test]
fn clocks_that_are_apart() {
    for is_exchanged in [false, true] {
        clock_that_is_ahead(is_exchanged);
    }
}

fn clock_that_is_ahead(is_exchanged: bool) {
    let (gcp, project) = start();
    let there = SystemTime::now() + Duration::from_secs(3600);
    let date = httpdate::fmt_http_date(there);
    let is_timely = move |token: &str| {
        let claims = token.split('.').nth(1).unwrap();
        let decoder = base64::prelude::BASE64_URL_SAFE_NO_PAD;
        let claims = base64::Engine::decode(&decoder, claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let since = there.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        claims["iat"].as_u64().unwrap().abs_diff(since.as_secs()) < 60
    };
    let front = gcp.behind(move |request| {
        let date = [("Date", date.as_str())];
        let form = String::from_utf8_lossy(&request.body);
        if let Some((_, assertion)) = form.split_once("assertion=") {
            return Some(match is_timely(assertion) {
                true => faulty::json(200, &json!({"access_token": "exchanged"})),
                false => faulty::answer(400, &date, br#"{"error": "invalid_grant"}"#),
            });
        }
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        match token == "exchanged" || is_timely(token) {
            true => Some(faulty::json(
                200,
                &json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "3804862018"}}),
            )),
            false => Some(faulty::answer(401, &date, b"canary-message")),
        }
    });
    let place = Place::new();
    let mut account = gcp.account();
    if is_exchanged {
        account["token_uri"] = format!("{}/token", front.address()).into();
    }
    let file = place.write("account", account.to_string());
    let run = place.doorkey("run -p web -- printenv V W".split(' '));
    let run = run
        .env("DOORKEY_STORE", format!("gcp-sm:{project}/app"))
        .env(ENDPOINT, front.address())
        .env("GOOGLE_APPLICATION_CREDENTIALS", file);
    let ended = run.env("V", "secret:a").env("W", "secret:team/a").end();
    let said = ended.err();
    assert_eq!(
        (ended.code(), ended.out()),
        (0, "v\nv\n".to_owned()),
        "{said}"
    );
    let line = "behind that of Google: requests are signed by the time there; set it";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert_eq!(front.requests().len(), 4);
}

/// As FROM scratch: a read-only root with nothing but doorkey in it, a numeric user, no home, and
/// the token of another provider.
#[test]
fn nothing_of_a_system_is_needed() {
    let (gcp, project) = start();
    let place = Place::new();
    place.write("root/token", "canary-subject");
    let file = gcp.external(json!({"file": "/token"}));
    place.write("root/credentials.json", file.to_string());
    for (credentials, who) in [("/credentials.json", "pool"), ("", "machine")] {
        let environment = [
            ("DOORKEY_STORE", &*format!("gcp-sm:{project}/app")),
            ("V", "secret:team/a"),
            ("GOOGLE_APPLICATION_CREDENTIALS", credentials),
            ("GCE_METADATA_HOST", &gcp.at),
            (ENDPOINT, &format!("http://{}", gcp.at)),
        ];
        in_a_bare_root(&place, &environment);
        assert_eq!(gcp.asked(&project).pop().unwrap().0, who);
    }
}

/// The kubelet replaces a token's file; `--watch` shows the new one.
#[test]
fn a_token_that_is_replaced_is_read_again() {
    let (gcp, project) = start();
    let place = Place::new();
    let token = place.write("token", "first");
    let at = gcp.at.clone();
    let front = Faulty::new(move |request| {
        let mut request = request.clone();
        let form = String::from_utf8_lossy(&request.body).into_owned();
        for word in ["first", "second"] {
            let shown = format!("subject_token={word}");
            if form.contains(&shown) {
                request.body = form
                    .replace(&shown, "subject_token=canary-subject")
                    .into_bytes();
            }
        }
        let length = request.body.len().to_string();
        let mut headers = request.headers.iter_mut();
        if let Some((_, value)) = headers.find(|(name, _)| name == "content-length") {
            *value = length;
        }
        support::served::passed_on(&at, &request)
    });
    let mut file = gcp.external(json!({"file": token}));
    file["token_url"] = format!("{}/exchange", front.address()).into();
    let file = place.write("credentials", file.to_string());
    let run = place.doorkey("run -q --watch 1s -- sleep 60".split(' '));
    let run = run
        .env("DOORKEY_STORE", format!("gcp-sm:{project}/app"))
        .env("V", "secret:team/a")
        .env(ENDPOINT, format!("http://{}", gcp.at));
    let run = run.env("GOOGLE_APPLICATION_CREDENTIALS", file);
    let replace = || drop(place.write("token", "second"));
    let replaced = ("first", "second", replace);
    shows_both(run, &front, "subject_token=", replaced);
}

/// Nothing that shows who we are, or was given for it, is in memory when the workload starts.
#[test]
fn nothing_of_an_exchange_is_left_in_memory() {
    let (gcp, project) = start();
    let place = Place::new();
    let mut random = Random(SEED);
    let [refresh, client, given] = [(); 3].map(|()| String::from_utf8(random.text(40)).unwrap());
    let answer = json!({"access_token": given, "expires_in": 3599});
    let front = gcp.behind(move |request| match request.path.as_str() {
        "/token" => Some(faulty::json(200, &answer)),
        _ => Some(faulty::json(
            200,
            &json!({"payload": {"data": "eyJhIjoidiJ9", "dataCrc32c": "3804862018"}}),
        )),
    });
    let mut user = gcp.user();
    user["refresh_token"] = refresh.as_str().into();
    user["client_secret"] = client.as_str().into();
    user["token_uri"] = format!("{}/token", front.address()).into();
    let mut canaries = Canaries::default();
    canaries.variable("V", "secret:team/a", b"v");
    canaries.nowhere("the refresh token", &refresh);
    canaries.nowhere("the client's secret", &client);
    canaries.nowhere("the token", &given);
    let begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"])
        .env("DOORKEY_STORE", format!("gcp-sm:{project}/app"))
        .env(ENDPOINT, front.address())
        .env(
            "GOOGLE_APPLICATION_CREDENTIALS",
            place.write("user", user.to_string()),
        )
        .env("V", "secret:team/a");
    let mut tracee = begin.start(|| Ok(()));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
    assert_eq!(front.requests().len(), 2);
}
