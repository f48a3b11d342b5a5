//! That the servers which the tests of `vault:` run against are what they are taken for.

#[path = "support/bao/mod.rs"]
mod bao;
#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/silent.rs"]
mod silent;
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use bao::{Admin, Bao, Cluster, Pki, Signer, http};
use faulty::{Deaf, Faulty, Step};
use serde_json::{Value, json};
use support::Place;

/// Reads `secret/data/door/team`, and what it opens.
const POLICY: &str = r#"path "secret/data/door/*" { capabilities = ["read"] }"#;

/// Logs in; gives a client with the token, and the token's accessor.
fn login(admin: &Admin, path: &str, body: &Value) -> (Admin, String) {
    let answer = admin
        .with_token("")
        .call("POST", &format!("auth/{path}"), body);
    let text = |name: &str| answer["auth"][name].as_str().unwrap().to_owned();
    (admin.with_token(&text("client_token")), text("accessor"))
}

#[test]
fn every_login_reads_what_its_policy_says() {
    let bao = Bao::new();
    let place = Place::new();
    let (admin, signer) = (bao.admin(), Signer::new(place.path("keys")));
    let pki = Pki::new(place.path("pki"));
    admin.policy("door", POLICY);
    admin.put("secret", "door/team", json!({"k": "v"}));

    let (role, secret) = admin.approle("approle", "door");
    admin.userpass("userpass", "a long password", "door");
    admin.jwt("jwt", &signer.public, "door");
    let reviewer = bao::reviewer();
    let (host, ca) = (reviewer.address(), pki.text("ca.pem"));
    admin.kubernetes("kubernetes", &host, &ca, "door");
    let logins = [
        (
            "approle/login",
            json!({"role_id": role, "secret_id": secret}),
        ),
        ("userpass/login/ann", json!({"password": "a long password"})),
        (
            "jwt/login",
            json!({"role": "web", "jwt": signer.sign(json!({"sub": "ci"}))}),
        ),
        (
            "kubernetes/login",
            json!({"role": "web", "jwt": signer.service_account("shop", "web")}),
        ),
    ];
    for (path, body) in logins {
        let mark = bao.mark();
        let (client, accessor) = login(&admin, path, &body);
        assert_eq!(client.get("secret", "door/team"), json!({"k": "v"}));
        assert_eq!(client.status("GET", "secret/data/other", &Value::Null), 403);
        assert!(admin.is_alive(&accessor));
        client.write("auth/token/revoke-self", Value::Null);
        let asked = bao.requests(mark);
        assert!(!admin.is_alive(&accessor));
        let mut expected = [
            "read secret/data/door/team",
            "read secret/data/other",
            "update auth/token/lookup-accessor",
            "update auth/token/revoke-self",
            &format!("update auth/{path}"),
        ];
        expected.sort_unstable();
        assert_eq!(asked, expected);
    }
    let other = json!({"role": "web", "jwt": signer.service_account("shop", "other")});
    assert_eq!(admin.status("POST", "auth/kubernetes/login", &other), 403);
}

#[test]
fn tls_and_client_certificates() {
    let place = Place::new();
    let pki = Pki::new(place.path("pki"));
    let bao = Bao::with_tls(&pki);
    bao.admin().cert("cert", &pki.text("ca.pem"), "default");
    let curl = |more: &[&str]| {
        let output = Command::new("curl")
            .args(["-s", "-w", "%{http_code}", "-d", "{}"])
            .args(more)
            .arg(format!("{}/v1/auth/cert/login", bao.secure()))
            .current_dir(place.path("pki"))
            .output()
            .expect("curl is needed");
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let unknown = curl(&[]);
    assert_eq!(
        unknown,
        (60, "000".to_owned()),
        "an authority that nobody knows"
    );
    let (code, text) = curl(&["--cacert", "ca.pem"]);
    assert!(code == 0 && text.ends_with("400"), "no certificate: {text}");
    let (_, text) = curl(&[
        "--cacert",
        "ca.pem",
        "--cert",
        "client.pem",
        "--key",
        "client.key",
    ]);
    assert!(
        text.contains("client_token") && text.ends_with("200"),
        "{text}"
    );
}

#[test]
fn secrets_of_both_versions_and_namespaces() {
    let bao = Bao::shared();
    let admin = bao.admin();
    admin.mount("v1", 1);
    admin.write("v1/a", json!({"k": "old"}));
    assert_eq!(admin.read("v1/a"), json!({"k": "old"}));
    admin.mount("deep/v2", 2);
    assert_eq!(admin.put("deep/v2", "a/b", json!({"k": 1})), 1);
    assert_eq!(admin.put("deep/v2", "a/b", json!({"k": 2})), 2);
    assert_eq!(admin.list("deep/v2/metadata/a"), ["b"]);
    assert_eq!(
        admin.read("deep/v2/data/a/b?version=1")["data"],
        json!({"k": 1})
    );

    let gone = |path: &str| {
        let answer = admin.ask("GET", path, &Value::Null).unwrap();
        assert_eq!(answer.status, 404);
        answer.json()
    };
    assert_eq!(gone("deep/v2/data/none"), json!({"errors": []}));
    admin.delete("deep/v2/data/a/b");
    assert_ne!(
        gone("deep/v2/data/a/b")["data"]["metadata"]["deletion_time"],
        ""
    );
    admin.write("deep/v2/destroy/a/b", json!({"versions": [2]}));
    assert_eq!(
        gone("deep/v2/data/a/b")["data"]["metadata"]["destroyed"],
        true
    );

    let inner = admin.namespace("one").namespace("two");
    assert_eq!(inner.namespace, "one/two");
    inner.mount("kv", 2);
    inner.put("kv", "a", json!({"k": "inner"}));
    assert_eq!(inner.get("kv", "a"), json!({"k": "inner"}));
    assert_eq!(admin.status("GET", "kv/data/a", &Value::Null), 404);
}

#[test]
fn what_is_wrapped_is_unwrapped_once() {
    let bao = Bao::shared();
    let admin = bao.admin();
    let wrapped = admin.wrapping().token("default");
    let unwrap = || {
        admin
            .with_token(&wrapped)
            .ask("POST", "sys/wrapping/unwrap", &Value::Null)
    };
    let inner = unwrap().unwrap().json()["auth"]["client_token"].clone();
    let inner = admin.with_token(inner.as_str().unwrap());
    inner.read("auth/token/lookup-self");
    assert_eq!(unwrap().unwrap().status, 400);
}

#[test]
fn quotas_and_seals() {
    let bao = Bao::new();
    let admin = bao.admin();
    admin.quota("secret/", 1, 1, true);
    let read = || admin.ask("GET", "secret/data/ready", &Value::Null).unwrap();
    let refused = bao::wait("a request too many", || {
        let answer = read();
        (answer.status == 429).then_some(answer)
    });
    assert!(refused.header("retry-after").is_some());
    bao::wait("another second", || (read().status == 200).then_some(()));
    admin.delete("sys/quotas/rate-limit/test");

    bao.seal();
    assert_eq!((read().status, bao.health()), (503, 503));
    bao.unseal();
    assert_eq!(read().status, 200);
    assert!(bao.log().contains("vault is sealed"));
}

#[test]
fn a_cluster_outlives_its_leader() {
    let cluster = Cluster::new(3);
    let leader = cluster.leader();
    leader.admin().put("secret", "a", json!({"k": "v"}));
    let follower = cluster.follower();
    follower.admin().put("secret", "b", json!({"k": "v"}));
    leader.kill();
    let next = cluster.leader();
    assert_ne!(next.at, leader.at);
    assert_eq!(next.admin().get("secret", "b"), json!({"k": "v"}));
}

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

    let at_once = Faulty::on_connection(|_| vec![Step::Reset], |_| Vec::new());
    assert_eq!(get(&at_once.at).0, RESET);
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
