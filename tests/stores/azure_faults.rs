//! What Azure refuses, in its own words; and what is left of an identity in memory.

use serde_json::json;

use crate::azure_kv::App;
use support::DOORKEY;
use support::azure::refusal;
use support::canaries::{Canaries, Random, SEED, held};
use support::faulty;
use support::trace::Begin;

/// What Azure says in its own words is told apart, and not passed on.
#[test]
fn faults_as_azure_says_them() {
    for (status, code, inner, what) in [
        (
            403,
            "Forbidden",
            "ForbiddenByFirewall",
            "app--team is not for us: the vault's firewall keeps this network out; allow the network, or use a private endpoint",
        ),
        (
            403,
            "Forbidden",
            "ForbiddenByConnection",
            "the vault takes private endpoints alone",
        ),
        (
            403,
            "Forbidden",
            "ForbiddenByPolicy",
            "the vault's access policies do not name us; a policy must allow get on secrets",
        ),
        (
            403,
            "Forbidden",
            "ForbiddenByRbac",
            "is not for us, or does not exist; a role must allow get on it, such as Key Vault Secrets User, which takes minutes to count",
        ),
        (
            403,
            "Forbidden",
            "",
            "the vault forbids it; we must be allowed to get secrets there",
        ),
        (403, "Forbidden", "SecretDisabled", "app--team is disabled"),
        (
            401,
            "Unauthorized",
            "",
            "not admitted by Entra's token: the vault does not accept it",
        ),
        (
            404,
            "SecretNotFound",
            "",
            "app--team exists; check the store's name",
        ),
        (404, "", "", "Key Vault refuses with status 404"),
        (
            400,
            "BadParameter",
            "",
            "Key Vault refuses with status 400 (BadParameter)",
        ),
        (403, "Forbidden", "VaultDisabled", "the vault is disabled"),
        (
            403,
            "Forbidden",
            "NotYetKnown",
            "the vault forbids it (NotYetKnown)",
        ),
    ] {
        let app = App::behind(move |request| {
            support::azure::is_of_vault(request).then(|| refusal(status, code, inner))
        });
        let ended = app.run("run -q -- true").env("V", "secret:a").end();
        let said = ended.err();
        assert!(said.contains(what), "{inner}: {said}");
        assert_eq!((ended.code(), said.lines().count()), (125, 1), "{said}");
        assert!(!said.contains("canary-message"), "{said}");
        assert_eq!(app.front.asked().len(), 1, "{inner}");
    }
    // What passes is tried again.
    for (status, code) in [(429, "Throttled"), (503, "ServiceUnavailable")] {
        let app = App::behind(move |request| {
            let is_first = support::azure::is_of_vault(request) && request.number < 2;
            is_first.then(|| refusal(status, code, ""))
        });
        app.put("app--team", r#"{"a": "b"}"#);
        let run = app.run("run -q -- printenv V").env("V", "secret:a");
        run.gives(0, "b\n", "");
        assert_eq!(app.front.asked().len(), 2);
    }
    for value in [json!(null), json!(5), json!({"a": "b"})] {
        let body = json!({"value": value});
        let app = App::behind(move |request| {
            support::azure::is_of_vault(request).then(|| faulty::json(200, &body))
        });
        let ended = app.run("run -q -- true").env("V", "secret:a").end();
        let said = ended.err();
        assert!(said.contains("the answer is no secret"), "{value}: {said}");
    }
    // A vault of another tenant.
    let body = json!({"error": {"code": "Unauthorized", "message": "AKV10032: canary-message"}});
    let app = App::behind(move |request| {
        support::azure::is_of_vault(request).then(|| faulty::json(401, &body))
    });
    let ended = app.run("run -q -- true").env("V", "secret:a").end();
    assert!(
        ended.err().contains("the vault belongs to another tenant"),
        "{}",
        ended.err()
    );
}

/// The workload's own identity stays where it is, and is nowhere else.
#[test]
fn nothing_of_an_identity_is_left_in_memory() {
    let app = App::new();
    let mut random = Random(SEED);
    let [secret, token, value] = [(); 3].map(|()| String::from_utf8(random.text(40)).unwrap());
    let who = app.azure.application(&secret, Some(&token));
    app.put("app--team", &json!({"a": value}).to_string());
    let mut canaries = Canaries::default();
    canaries.variable("V", "secret:a", value.as_bytes());
    canaries.needle("the value", &value, &["V"]);
    canaries.needle("the client secret", &secret, &["AZURE_CLIENT_SECRET"]);
    canaries.nowhere("the token", &token);
    let run = app.run("run -q /bin/true").env("V", "secret:a");
    let run = who.give(run);
    let mut begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"]);
    for (name, value) in run.command.get_envs() {
        begin = begin.env(name.to_str().unwrap(), value.unwrap());
    }
    let mut tracee = begin.start(|| Ok(()));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
    assert_eq!(app.front.asked_as(), [format!("Bearer {token}")]);
}

/// A certificate's key, the assertion that it signs, and a federated token are nowhere either.
#[test]
fn nothing_of_an_exchange_is_left_in_memory() {
    let app = App::new();
    app.put("app--team", r#"{"a": "canary-value"}"#);
    let token = String::from_utf8(Random(SEED).text(40)).unwrap();
    let who = app.azure.application("none", Some(&token));
    let pem = std::fs::read_to_string(app.azure.file("app.pem")).unwrap();
    let key = pem.split("PRIVATE KEY-----\n").nth(1).unwrap();
    let mut canaries = Canaries::default();
    canaries.variable("V", "secret:a", b"canary-value");
    canaries.nowhere("the token", &token);
    canaries.nowhere("the private key", &key[..64]);
    canaries.nowhere("a later part of the private key", &key[650..714]);
    let run = app
        .front
        .lead(app.place.doorkey([""; 0]))
        .env("V", "secret:a");
    let run = run.env("DOORKEY_STORE", format!("azure-kv:{}/app", app.vault));
    let run = who.give(run).without("AZURE_CLIENT_SECRET");
    let run = run.env("AZURE_CLIENT_CERTIFICATE_PATH", app.azure.file("app.pem"));
    let mut begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"]);
    for (name, value) in run.command.get_envs() {
        if let Some(value) = value {
            begin = begin.env(name.to_str().unwrap(), value);
        }
    }
    let mut tracee = begin.start(|| Ok(()));
    let before = held(&tracee);
    let [_, _, envp] = tracee.reach_execve();
    canaries.search(tracee, envp, &before);
    assert_eq!(app.front.asked_as(), [format!("Bearer {token}")]);
}
