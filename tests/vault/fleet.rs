//! `vault:` as one of many: a launch backs off as one, waits for nothing that it does not need, and
//! asks the server that is meant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use support::bao::App;
use support::faulty::{Faulty, Request, Step, answer, document, json as answered};
use support::watched::{Watched, plain};
use support::{Place, Run};

/// A launch with a reference to each of so many documents.
fn launch(place: &Place, at: &str, documents: usize, words: &str) -> Run {
    let run = place.doorkey(format!("run {words}").split_whitespace());
    let run = run.args(["--", "printenv", "V0"]);
    let run = run.env("VAULT_ADDR", format!("http://{at}"));
    (0..documents).fold(run.env("VAULT_TOKEN", "s.token"), |run, number| {
        run.env(format!("V{number}"), format!("vault:kv/data/d{number}#k"))
    })
}

fn good() -> Vec<Step> {
    document(&json!({"k": "v"}))
}

fn sealed() -> Vec<Step> {
    answered(503, &json!({"errors": ["Vault is sealed"]}))
}

#[test]
fn a_launch_backs_off_as_one() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![sealed()]);
    let ended = launch(&place, &server.at, 6, "--timeout 4s").end();
    assert_eq!(ended.code(), 125);
    let requests = server.requests();
    // The first ones go out together; from then on one at a time, with growing pauses.
    assert!(
        (9..=22).contains(&requests.len()),
        "{}: {}",
        requests.len(),
        ended.err()
    );
    let begins = requests[6].when;
    let together = requests[6..].windows(2);
    let together = together.filter(|two| two[0].path != two[1].path).count();
    assert_eq!(together, 0, "one of them tries");
    assert!(begins > requests[5].when);
    let said = format!("gave up after {} tries in ", requests.len());
    assert!(ended.err().contains(&said), "{}", ended.err());
    // As soon as one is answered the others are.
    let server = Faulty::new(|request| match request.number {
        0..8 => sealed(),
        _ => good(),
    });
    launch(&place, &server.at, 6, "-q").gives(0, "v\n", "");
    let requests = server.requests();
    assert_eq!(requests.len(), 8 + 6);
    let took = requests[13].when - requests[8].when;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn the_error_says_the_last_answer_and_how_often_each_was_seen() {
    let place = Place::new();
    let server = Faulty::new(|request| match request.number {
        0 | 1 => sealed(),
        2 => vec![Step::Close],
        _ => vec![Step::Hang],
    });
    let ended = launch(&place, &server.at, 1, "--timeout 3s").end();
    let err = ended.err();
    let last = "; the last: status 503: it is sealed; unseal it (2 times; once ";
    assert!(ended.code() == 125 && err.contains(last), "{err}");
    assert!(err.contains("no answer in time"), "{err}");
    assert!(
        err.contains("once the connection was closed")
            || err.contains("once the connection broke off"),
        "{err}"
    );
}

#[test]
fn one_try_is_a_third_of_the_deadline_at_most() {
    let place = Place::new();
    let began = Instant::now();
    let server = Faulty::in_turn(vec![vec![Step::Hang], good()]);
    launch(&place, &server.at, 1, "-q --timeout 3s").gives(0, "v\n", "");
    assert!(began.elapsed() < Duration::from_secs(3));
    let requests = server.requests();
    assert_ne!(requests[0].connection, requests[1].connection);
    // Whoever says how long it may be gets that.
    let server = Faulty::in_turn(vec![vec![Step::Hang], good()]);
    let run = launch(&place, &server.at, 1, "-q --timeout 3s");
    let ended = run.env("VAULT_CLIENT_TIMEOUT", "10s").end();
    assert_eq!((ended.code(), server.requests().len()), (125, 1));
}

#[test]
fn at_most_eight_connections() {
    let place = Place::new();
    let server = Faulty::new(|_| {
        let pause = Step::Pause(Duration::from_millis(20));
        [vec![pause], good()].concat()
    });
    launch(&place, &server.at, 40, "-q").gives(0, "v\n", "");
    assert_eq!(server.requests().len(), 40);
    assert!(server.connections() <= 8, "{}", server.connections());
}

/// A server that lets in whoever comes, and revokes as this says.
fn admitting(revokes: Vec<Step>, accessor: &'static str) -> Faulty {
    Faulty::new(move |request| match request.path.as_str() {
        "/v1/auth/approle/login" => {
            let auth = json!({"client_token": "s.login", "accessor": accessor});
            answered(200, &json!({"auth": auth}))
        }
        "/v1/auth/token/revoke-self" => revokes.clone(),
        _ => good(),
    })
}

fn by_approle(place: &Place, server: &Faulty, words: &str) -> Run {
    let run = launch(place, &server.at, 1, &format!("--auth approle {words}"));
    run.env("VAULT_ROLE_ID", "r").env("VAULT_SECRET_ID", "s")
}

fn revocations(server: &Faulty) -> usize {
    let requests = server.requests();
    let revokes = |one: &&Request| one.path.ends_with("revoke-self");
    requests.iter().filter(revokes).count()
}

#[test]
fn revocation_is_not_waited_for() {
    let place = Place::new();
    let server = admitting(vec![Step::Hang], "a");
    let began = Instant::now();
    by_approle(&place, &server, "-q").gives(0, "v\n", "");
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(revocations(&server), 1);
    // What is not known is no warning.
    let ended = by_approle(&place, &server, "--log-level debug").ok();
    let line = "debug: the token is revoked, or lives on until it expires: ";
    assert!(ended.err().contains(line), "{}", ended.err());
    // A plain no is one.
    let refusing = admitting(answer(403, &[], b""), "a");
    let ended = by_approle(&place, &refusing, "").ok();
    assert!(
        ended.err().contains("warning: the token is not revoked"),
        "{}",
        ended.err()
    );
    // Nobody keeps a token without an accessor, so that nobody can revoke one.
    let batch = admitting(vec![Step::Hang], "");
    by_approle(&place, &batch, "-q").gives(0, "v\n", "");
    assert_eq!(revocations(&batch), 0);
}

#[test]
fn somebody_in_between_adds_the_token() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![good()]);
    let run = launch(&place, &server.at, 1, "-q --auth none");
    run.gives(0, "v\n", "");
    let requests = server.requests();
    let sent = &requests[0];
    assert_eq!(sent.header("x-vault-token"), None);
    assert_eq!(sent.header("x-vault-request"), Some("true"));
    let run = launch(&place, &server.at, 1, "").env("VAULT_AUTH_METHOD", "none");
    let err = run.env("VAULT_TOKEN", "vault:login").end().err();
    assert!(err.contains("with --auth none there is no token"), "{err}");
}

#[test]
fn one_id_a_launch() {
    let place = Place::new();
    let server = admitting(answer(204, &[], b""), "a");
    let ids = |words: &str| {
        let before = server.requests().len();
        let ended = by_approle(&place, &server, words).ok();
        let requests = server.requests();
        let ids = requests[before..].iter();
        let ids: BTreeSet<_> = ids
            .map(|one| one.header("x-correlation-id").unwrap().to_owned())
            .collect();
        assert_eq!((ids.len(), requests.len() - before), (1, 3));
        (ids.into_iter().next().unwrap(), ended.err())
    };
    let (one, _) = ids("-q");
    let (other, said) = ids("--log-format json --log-level debug");
    assert_ne!(one, other);
    assert_eq!(one.len(), 32);
    let field = format!("\"launch_id\":\"{other}\"");
    for event in ["logged_in", "fetched", "resolved", "revoked"] {
        let mut lines = said.lines();
        let event = format!("\"event\":\"{event}\"");
        let line = lines.find(|line| line.contains(&event)).unwrap();
        assert!(line.contains(&field), "{line}");
    }
}

/// A launch of which doorkey says how long it waits before it asks.
fn splayed(place: &Place, server: &Faulty, words: &str) -> Watched {
    let words = format!("--log-level debug {words}");
    let mut watched = Watched::start(launch(place, &server.at, 1, &words));
    while !watched.saying().contains("debug: a server is asked in ") {}
    watched
}

#[test]
fn a_launch_begins_at_a_random_moment() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![good()]);
    // The deadline counts from then on, the supervisor's as well.
    // The supervisor gives a launch a second more.
    for (words, most) in [("--timeout 300ms", 1500), ("--timeout 300ms --init", 2500)] {
        let took: Vec<_> = (0..5)
            .map(|_| {
                let before = server.requests().len();
                let began = Instant::now();
                let run = launch(
                    &place,
                    &server.at,
                    1,
                    &format!("-q --splay {most}ms {words}"),
                );
                run.gives(0, "v\n", "");
                server.requests()[before].when - began
            })
            .collect();
        let most = Duration::from_millis(most + 500);
        assert!(took.iter().all(|took| *took < most), "{took:?}");
        let late = |took: &&Duration| **took > Duration::from_millis(300);
        assert!(took.iter().filter(late).count() > 0, "{took:?}");
    }
    // A signal ends it at once.
    let before = server.requests().len();
    for words in ["", "--init"] {
        let began = Instant::now();
        let watched = splayed(&place, &server, &format!("{words} --splay 24h"));
        watched.send(libc::SIGTERM);
        assert_eq!(watched.end().0, 143);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(server.requests().len(), before);
}

#[test]
fn only_the_first_launch_that_asks_a_server_waits() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![good()]);
    // Nothing is asked for.
    let began = Instant::now();
    let run = launch(&place, &server.at, 0, "-q --splay 24h --store vault:kv/app");
    run.env("V0", "as it is").gives(0, "as it is\n", "");
    let (age, dir) = (Place::with_store(), plain(&[("a", "v")]));
    age.set("team", "a", "v");
    for (place, store) in [(age, "age:secrets"), (dir, "dir:plain")] {
        let run = place.doorkey(["run", "-q", "--splay", "24h", "-eA=secret:a"]);
        let run = run.args(["--store", store, "--", "printenv", "A"]);
        run.gives(0, "v\n", "");
    }
    // Neither a fetch that comes again nor what is launched anew.
    let changing = Faulty::new(|request| {
        let number = request.number / 2;
        document(&json!({"k": format!("{number}")}))
    });
    let token = place.write("token", "s.token");
    let run = place.doorkey(["run", "--splay", "10ms", "--watch", "50ms"]);
    let run = run.args([
        "--log-level",
        "debug",
        "--",
        "sh",
        "-c",
        "echo $V; exec sleep 100",
    ]);
    let run = run
        .env("V", "vault:kv/data/a#k")
        .env("VAULT_ADDR", changing.address())
        .env("VAULT_TOKEN_FILE", token);
    let mut watched = Watched::start(run);
    for number in 0..3 {
        watched.shows(&number.to_string());
    }
    watched.send(libc::SIGTERM);
    let (_, said, _) = watched.end();
    let waits = said.iter().filter(|line| line.contains("(--splay)"));
    assert_eq!(waits.count(), 1, "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_splay_that_is_none() {
    let place = Place::new();
    let server = Faulty::in_turn(vec![good()]);
    let what = "must be a duration, such as 10s, of a day at most";
    for words in ["--splay soon", "--splay 25h", "--splay=-1", "--splay="] {
        let run = launch(&place, &server.at, 1, words);
        run.fails(125, &format!("doorkey: error: --splay {what}\n"));
    }
    let run = launch(&place, &server.at, 1, "").env("DOORKEY_SPLAY", "soon");
    run.fails(125, &format!("doorkey: error: DOORKEY_SPLAY {what}\n"));
    place.write("doorkey.toml", "splay = 'soon'\n");
    let run = launch(&place, &server.at, 1, "");
    run.fails(
        125,
        &format!("doorkey: error: splay in doorkey.toml {what}\n"),
    );
    // What is said wins.
    launch(&place, &server.at, 1, "-q --splay 0s").gives(0, "v\n", "");
    place.write("doorkey.toml", "splay = '24h'\n");
    let watched = splayed(&place, &server, "");
    watched.send(libc::SIGINT);
    assert_eq!(watched.end().0, 130);
}

/// Each family has its own server; the other's token is not for it.
#[test]
fn two_servers() {
    let (app, place) = (App::new(), Place::new());
    let [bao, vault] = ["bao", "vault"]
        .map(|word| Faulty::new(move |_| document(&json!({"k": format!("of {word}")}))));
    let run = |words: &str, store: &str| {
        let run = place.doorkey(format!("run -q {words} --store {store}").split_whitespace());
        run.args(["--", "sh", "-c", "echo $A, $B, $C"])
            .env("BAO_ADDR", bao.address())
            .env("VAULT_ADDR", vault.address())
            .env("BAO_TOKEN", "t.bao")
            .env("VAULT_TOKEN", "t.vault")
            .env("BAO_NAMESPACE", "n.bao")
            .env("A", "bao:kv/data/a#k")
            .env("B", "vault:kv/data/a#k")
            .env("C", "secret:k")
    };
    run("", "bao:kv/app?kv=2").gives(0, "of bao, of vault, of bao\n", "");
    run("", "vault:kv/app?kv=2").gives(0, "of bao, of vault, of vault\n", "");
    for (server, word, namespace) in [(&bao, "bao", Some("n.bao")), (&vault, "vault", None)] {
        for request in server.requests() {
            let token = format!("t.{word}");
            assert_eq!(request.header("x-vault-token"), Some(&*token));
            assert_eq!(request.header("x-vault-namespace"), namespace);
        }
    }
    assert_eq!((bao.requests().len(), vault.requests().len()), (3, 3));
    // An address that is said is that of both.
    let words = format!("--address {}", bao.address());
    run(&words, "vault:kv/app?kv=2").gives(0, "of bao, of bao, of bao\n", "");
    // A list of documents is of the family that it is named after.
    let listed = place
        .doorkey(["run", "-q", "--", "sh", "-c", "echo $k"])
        .env("BAO_ADDR", bao.address())
        .env("VAULT_ADDR", vault.address())
        .env("BAO_TOKEN", "t.bao")
        .env("BAO_FROM_PATH", "kv/data/a");
    listed.gives(0, "of bao\n", "");
    // The same address twice is one server, whose first family counts as ever.
    app.put("team", json!({"k": "v"}));
    let run = app.run("run -q -- printenv V").env("V", "secret:k");
    let run = run.env("BAO_ADDR", app.bao.address());
    run.env("BAO_TOKEN", &app.token)
        .env("VAULT_TOKEN", "wrong")
        .gives(0, "v\n", "");
}
