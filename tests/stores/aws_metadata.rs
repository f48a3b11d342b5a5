//! A pod's first seconds on AWS: metadata services that refuse, hang, say 404 or lead elsewhere; and
//! clocks that are apart.

use crate::clouds::{has_waited, in_a_bare_root, shows_both};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use support::cloud;
use support::faulty;

use serde_json::json;
use support::canaries::{Canaries, Random, SEED, held};
use support::cloud::{POD_TOKEN, WEB_TOKEN, asked_as, cloud as start};
use support::faulty::{Deaf, Faulty, Step, late};
use support::trace::Begin;
use support::{DOORKEY, Ended, Place};

/// A launch whose machine is there, on a store that is there, with this timeout.
fn launch(machine: &str, store: &Faulty, timeout: &str) -> Ended {
    let place = Place::new();
    let words = format!("run --timeout {timeout} -- printenv V");
    let run = place.doorkey(words.split(' '));
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("V", "secret:team/a");
    let run = run.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", store.address());
    let run = run.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine);
    run.env("AWS_REGION", "eu-west-1").end()
}

const ENDS: &str = "AWS_EC2_METADATA_DISABLED=true ends that";

#[test]
fn who_refuses_at_first_is_waited_for() {
    let cloud = start();
    let machine = late(&cloud, Duration::from_secs(2));
    let ended = launch(&machine, &cloud, "20s");
    has_waited(&ended, &machine, ENDS);
}

#[test]
fn who_says_404_at_first_is_asked_again() {
    let machine = Faulty::new(|request| match request.number {
        0 | 2 | 4 => faulty::answer(404, &[], b""),
        1 => faulty::answer(503, &[], b""),
        _ => cloud::answer(request),
    });
    let ended = launch(&machine.address(), &machine, "20s");
    assert_eq!(
        (ended.code(), ended.out()),
        (0, "canary-value\n".to_owned()),
        "{}",
        ended.err()
    );
    let never = Faulty::new(|request| match request.path.contains("iam/") {
        true => faulty::answer(404, &[], b""),
        false => cloud::answer(request),
    });
    let ended = launch(&never.address(), &never, "2s");
    let said = ended.err();
    assert!(
        said.contains("status 404: no role (instance profile) is attached"),
        "{said}"
    );
    assert_eq!(ended.code(), 125);
}

/// A machine whose answers reach the host alone: the connection is there, the answer never comes.
#[test]
fn who_hangs_may_have_a_hop_limit() {
    let cloud = start();
    let hangs = Faulty::new(|_| vec![Step::Hang]);
    let ended = launch(&hangs.address(), &cloud, "5s");
    let said = ended.err();
    assert!(
        said.contains("waiting for") && said.contains(ENDS),
        "{said}"
    );
    let hint = "hop limit for metadata (http-put-response-hop-limit) must be 2";
    assert!(said.contains(hint), "{said}");
    let deaf = Deaf::new();
    let said = launch(&format!("http://{}", deaf.at), &cloud, "3s").err();
    assert!(said.contains("outside AWS say who doorkey is"), "{said}");
    let refuses = Faulty::new(|_| faulty::answer(403, &[], b"canary-message"));
    let ended = launch(&refuses.address(), &cloud, "3s");
    let said = ended.err();
    assert!(
        said.contains("is turned off for this machine (403)"),
        "{said}"
    );
    assert_eq!(
        (said.lines().count(), refuses.requests().len()),
        (1, 1),
        "{said}"
    );
}

#[test]
fn nobody_follows_elsewhere() {
    let elsewhere = start();
    let to = elsewhere.address();
    let leads = Faulty::new(move |_| {
        let location = format!("{to}/latest/api/token");
        faulty::answer(307, &[("Location", &location)], b"")
    });
    let ended = launch(&leads.address(), &elsewhere, "3s");
    assert!(ended.err().contains("not followed"), "{}", ended.err());
    assert_eq!(elsewhere.connections(), 0);
    // Nor with what a container shows.
    let place = Place::new();
    let run = place
        .doorkey("run -q -- true".split(' '))
        .env("V", "secret:team/a");
    let run = run.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", leads.address());
    let run = run.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN);
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("AWS_REGION", "x");
    assert!(run.end().err().contains("not followed"));
    assert_eq!(elsewhere.connections(), 0);
}

/// A store whose clock is an hour ahead refuses ours once; then it is signed by its time.
#[test]
fn clocks_that_are_apart() {
    let there = SystemTime::now() + Duration::from_secs(3600);
    let date = httpdate::fmt_http_date(there);
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let hour = humantime::format_rfc3339_seconds(there).to_string();
    let hour = hour[..13].replace('-', "");
    let store = Faulty::new(move |request| {
        let stamp = request.header("x-amz-date").unwrap();
        if stamp[..11] == hour {
            return faulty::json(200, &json!({"SecretString": r#"{"a": "v"}"#}));
        }
        counted.fetch_add(1, Ordering::SeqCst);
        let body = json!({"__type": "InvalidSignatureException", "message": "Signature expired"});
        faulty::answer(400, &[("Date", &date)], body.to_string().as_bytes())
    });
    let place = Place::new();
    let run = place.doorkey("run -p web -- printenv V W".split(' '));
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("AWS_REGION", "x");
    let run = run
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    let run = run.env("AWS_ENDPOINT_URL", store.address());
    let ended = run.env("V", "secret:a").env("W", "secret:team/a").end();
    assert_eq!(
        (ended.code(), ended.out()),
        (0, "v\nv\n".to_owned()),
        "{}",
        ended.err()
    );
    let said = ended.err();
    let line = "behind that of AWS: requests are signed by the time there; set it";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert!(
        said.contains("the clock here is 59m") || said.contains("the clock here is 1h"),
        "{said}"
    );
    assert_eq!(
        (refused.load(Ordering::SeqCst), store.requests().len()),
        (2, 4)
    );
}

/// As FROM scratch: a read-only root with nothing but doorkey in it, a numeric user, no home, and
/// the token of a service account.
#[test]
fn nothing_of_a_system_is_needed() {
    let (place, cloud) = (Place::new(), start());
    place.write("root/token", WEB_TOKEN);
    let environment = [
        ("DOORKEY_STORE", "aws-sm:app"),
        ("V", "secret:team/a"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ENDPOINT_URL", &cloud.address()),
    ];
    in_a_bare_root(&place, &environment);
    assert_eq!(asked_as(&cloud), [("WEB".to_owned(), true)]);
}

/// The kubelet replaces a token's file; `--watch` shows the new one.
#[test]
fn a_token_that_is_replaced_is_read_again() {
    let place = Place::new();
    let token = place.write("token", "first");
    let cloud = Faulty::new(|request| {
        let mut request = request.clone();
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let form = form.replace("WebIdentityToken=first", "WebIdentityToken=");
        let form = form.replace("WebIdentityToken=second", "WebIdentityToken=");
        request.body = form
            .replace("Token=", &format!("Token={WEB_TOKEN}"))
            .into_bytes();
        cloud::answer(&request)
    });
    let run = place.doorkey("run -q --watch 1s -- sleep 60".split(' '));
    let run = run
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("V", "secret:team/a");
    let run = run
        .env("AWS_ENDPOINT_URL", cloud.address())
        .env("AWS_REGION", "x");
    let run = run.env("AWS_ROLE_ARN", "arn:aws:iam::1:role/a");
    let run = run.env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    let replace = || drop(place.write("token", "second"));
    let replaced = ("first", "second", replace);
    shows_both(run, &cloud, "WebIdentityToken=", replaced);
}

/// Nothing that shows who we are, or was given for it, is in memory when the workload starts.
#[test]
fn nothing_of_an_exchange_is_left_in_memory() {
    let place = Place::new();
    let mut random = Random(SEED);
    let [token, secret, session] = [(); 3].map(|()| String::from_utf8(random.text(40)).unwrap());
    let file = place.write("token", &token);
    let (given, lent) = (secret.clone(), session.clone());
    let cloud = Faulty::new(move |request| match request.header("x-amz-target") {
        Some(_) => cloud::answer(request),
        None => {
            let body = format!(
                "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>{given}</SecretAccessKey>\
                 <SessionToken>{lent}</SessionToken></Credentials>"
            );
            faulty::answer(200, &[], body.as_bytes())
        }
    });
    let mut canaries = Canaries::default();
    canaries.variable("V", "secret:team/a", b"canary-value");
    canaries.nowhere("the token", &token);
    canaries.nowhere("the secret access key", &secret);
    canaries.nowhere("the session token", &session);
    let begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"])
        .env("DOORKEY_STORE", "aws-sm:app")
        .env("AWS_ENDPOINT_URL", cloud.address())
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/a")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", file)
        .env("V", "secret:team/a");
    let mut tracee = begin.start(|| Ok(()));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
    assert_eq!(asked_as(&cloud), [("A".to_owned(), true)]);
}
