//! `vault:`: where redirects lead, and where not.

use std::time::{Duration, Instant};

use serde_json::json;
use support::bao;
use support::faulty;
use support::faulty::{Faulty, Request, Step, answer, document};
use support::{Ended, Place, Run};

/// A launch whose only reference is in the team's document of the server at this address.
fn launch(place: &Place, at: &str, words: &str) -> Run {
    let run = place.doorkey(format!("run {words}").split_whitespace());
    run.args(["--", "printenv", "V"])
        .env("DOORKEY_STORE", "vault:kv/app?kv=2")
        .env("VAULT_ADDR", format!("http://{at}"))
        .env("VAULT_TOKEN", "s.token")
        .env("V", "secret:k")
}

fn ended_within(run: Run, most: Duration) -> Ended {
    let start = Instant::now();
    let ended = run.end();
    let took = start.elapsed();
    assert!(took < most, "{took:?}: {}", ended.err());
    ended
}

/// The document that is asked for.
fn good() -> Vec<Step> {
    document(&json!({"k": "v"}))
}

/// A server that sends every request elsewhere.
fn redirecting(status: u16, to: impl Fn(&Request) -> String + Send + Sync + 'static) -> Faulty {
    Faulty::new(move |request| match request.path.as_str() {
        "/v1/sys/leader" => faulty::json(200, &json!({"ha_enabled": false})),
        _ => answer(status, &[("Location", &to(request))], b""),
    })
}

#[test]
fn redirects_lead_nowhere_else() {
    let place = Place::new();
    for status in [301, 302, 303, 307, 308] {
        // Round and round.
        let server = redirecting(status, |request| request.path.clone());
        let ended = launch(&place, &server.at, "").end();
        assert!(
            ended.err().contains("it is redirected in a circle"),
            "{}",
            ended.err()
        );
        assert!(server.requests().len() <= 10, "{}", server.requests().len());
        // To somebody else, in every way to write that.
        let other = Faulty::in_turn(vec![good()]);
        let port = other.at.rsplit(':').next().unwrap();
        for to in [
            format!("http://{}/v1/kv/data/app/team", other.at),
            format!("//{}/x", other.at),
            format!("http://localhost:{port}/x"),
            format!("https://{}/x", other.at),
            format!("ftp://{}/x", other.at),
            "::".to_owned(),
            String::new(),
        ] {
            let server = redirecting(status, move |_| to.clone());
            let run = launch(&place, &server.at, "").env("VAULT_MAX_RETRIES", "1");
            let ended = ended_within(run, Duration::from_secs(10));
            assert_eq!(ended.code(), 125, "{}", ended.err());
        }
        assert_eq!(other.connections(), 0, "{status}: nothing came there");
        // Within the server it is followed.
        let server = Faulty::new(|request| match request.path.as_str() {
            "/v1/moved" => good(),
            _ => answer(307, &[("Location", "/v1/moved")], b""),
        });
        launch(&place, &server.at, "-q").gives(0, "v\n", "");
        let sent = server.requests();
        assert_eq!(sent[1].header("x-vault-token"), Some("s.token"));
    }
}

#[test]
fn redirects_to_the_leader_that_the_server_names_are_followed() {
    let place = Place::new();
    let leader = Faulty::in_turn(vec![good()]);
    let (address, at) = (leader.address(), leader.address());
    let standby = Faulty::new(move |request| match request.path.as_str() {
        "/v1/sys/leader" => faulty::json(200, &json!({"ha_enabled": true, "leader_address": at})),
        path => answer(307, &[("Location", &format!("{address}{path}"))], b""),
    });
    launch(&place, &standby.at, "-q").gives(0, "v\n", "");
    let asked = standby.requests();
    let question = asked
        .iter()
        .find(|one| one.path == "/v1/sys/leader")
        .unwrap();
    assert_eq!(
        question.header("x-vault-token"),
        None,
        "asking who leads needs no token"
    );
    let got = &leader.requests()[0];
    assert_eq!(
        (&*got.path, got.header("x-vault-token")),
        ("/v1/kv/data/app/team", Some("s.token"))
    );
    // The one that is said to lead has gone, and another leads then.
    let dead = format!("http://127.0.0.1:{}", bao::free_port());
    let alive = leader.address();
    let standby = Faulty::new(move |request| {
        let to = if request.number < 6 { &dead } else { &alive };
        match request.path.as_str() {
            "/v1/sys/leader" => {
                faulty::json(200, &json!({"ha_enabled": true, "leader_address": to}))
            }
            path => answer(307, &[("Location", &format!("{to}{path}"))], b""),
        }
    });
    launch(&place, &standby.at, "-q").gives(0, "v\n", "");
}
