//! What is left in memory after a launch from `vault:`: as in `tests/launch/memory.rs`, doorkey is stopped as
//! it enters its `execve`. Values are where they belong; what we logged in with, and the token
//! that we got for it, are nowhere.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use support::bao::{App, Bao, Pki};
use support::faulty;
use support::faulty::Faulty;
use support::strays::{Needle, environment, strays};
use support::trace::{Begin, Tracee};
use support::{DOORKEY, Place};

fn needle(label: &str, bytes: impl AsRef<[u8]>, variables: &[&str]) -> Needle {
    Needle {
        label: label.to_owned(),
        bytes: bytes.as_ref().to_vec(),
        variables: variables.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// Characters that nobody else has in memory, the same in each run.
fn random(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let one = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[(state >> 33) as usize % letters.len()])
    };
    (0..length).map(one).collect()
}

/// Stops it at its execve and searches it; its environment has these values then.
#[track_caller]
fn search(mut tracee: Tracee, values: &[(&str, &str)], needles: &[Needle]) {
    let [_, _, envp] = tracee.reach_execve();
    let memory = tracee.memory();
    let environment = environment(&memory, envp);
    for (name, value) in values {
        assert_eq!(environment[*name].1, value.as_bytes(), "{name}");
    }
    let strays = strays(&memory, needles, &environment);
    assert!(strays.is_empty(), "{}", strays.join("\n"));
    let environ = tracee.read_proc("environ");
    for needle in needles {
        let text = String::from_utf8_lossy(&needle.bytes).into_owned();
        assert!(
            !environ.contains(&text),
            "/proc/PID/environ: {}",
            needle.label
        );
    }
    assert_eq!(tracee.finish(), 0);
}

fn with_approle(large: usize) {
    let place = Place::new();
    let pki = Pki::new(place.path("pki"));
    let app = App::on(Arc::new(Bao::with_tls(&pki)), 2);
    let (role, secret) = app.admin.approle("approle", &app.mount);
    let [mine, theirs, inner, other] = [1, 2, 3, 4].map(|seed| random(seed, 40));
    let long = random(5, large);
    app.put(
        "team",
        json!({"mine": "shadowed", "theirs": theirs, "long": long}),
    );
    app.put(
        "project/web",
        json!({"mine": mine, "object": {"a": inner, "b": other}}),
    );
    let begin = Begin::new([DOORKEY, "run", "--project=web", "-q", "/bin/true"])
        .env("DOORKEY_STORE", app.store())
        .env("VAULT_ADDR", app.bao.secure())
        .env("VAULT_CACERT", pki.path("ca.pem"))
        .env("VAULT_AUTH_METHOD", "approle")
        .env("VAULT_ROLE_ID", &role)
        .env("VAULT_SECRET_ID", &secret)
        .env("MINE", "secret:mine")
        .env("INNER", "x${secret:object#a}")
        .env("LONG", format!("vault:{}#long", app.document("team")));
    let filled = format!("x{inner}");
    search(
        begin.start(|| Ok(())),
        &[("MINE", &mine), ("INNER", &filled), ("LONG", &long)],
        &[
            needle("mine", &mine, &["MINE"]),
            needle("theirs", &theirs, &[]),
            needle("object#a", &inner, &["INNER"]),
            needle("object#b", &other, &[]),
            needle("long", &long, &["LONG"]),
            needle("the secret id", &secret, &[]),
        ],
    );
    assert_eq!(
        app.admin.tokens(),
        2,
        "the root token, and that of the policy"
    );
}

#[test]
fn after_a_login_over_tls() {
    with_approle(300);
}

#[test]
fn after_a_large_answer_over_tls() {
    with_approle(100_000);
}

#[test]
fn after_a_login_in_plain_text() {
    let place = Place::new();
    let [token, value, password] = [6, 7, 8].map(|seed| random(seed, 40));
    let server = Faulty::new({
        let (token, value) = (token.clone(), value.clone());
        move |request| match request.path.as_str() {
            "/v1/auth/userpass/login/ann" => faulty::json(
                200,
                &json!({"auth": {"client_token": token}, "data": Value::Null}),
            ),
            "/v1/auth/token/revoke-self" => faulty::answer(204, &[], b""),
            // The first answer breaks off in its middle.
            _ if request.number == 1 => {
                let mut steps = faulty::document(&json!({"k": value}));
                if let faulty::Step::Send(bytes) = &mut steps[0] {
                    bytes.truncate(bytes.len() - 5);
                }
                steps.push(faulty::Step::Reset);
                steps
            }
            _ => faulty::document(&json!({"k": value})),
        }
    });
    let file = place.write("password", format!("{password}\n"));
    let begin = Begin::new([DOORKEY, "run", "-q", "/bin/true"])
        .env("DOORKEY_STORE", "vault:kv/app?kv=2")
        .env("VAULT_ADDR", server.address())
        .env("VAULT_AUTH_METHOD", "userpass")
        .env("VAULT_USERNAME", "ann")
        .env("VAULT_PASSWORD_FILE", file)
        .env("V", "secret:k");
    let needles = [
        needle("the token", &token, &[]),
        needle("the value", &value, &["V"]),
        needle("the password", &password, &[]),
    ];
    search(begin.start(|| Ok(())), &[("V", &value)], &needles);
    let asked: Vec<_> = server.requests().into_iter().map(|one| one.path).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    let given = |seed: u64, place: &Place| {
        let token = random(seed, 40);
        fs::write(place.path("token"), &token).unwrap();
        token
    };
    // A token in a file, and one in a variable.
    let in_file = given(9, &place);
    let begin = || {
        Begin::new([DOORKEY, "run", "-q", "/bin/true"])
            .env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("VAULT_ADDR", server.address())
            .env("V", "secret:k")
    };
    let by_file = begin().env("VAULT_TOKEN_FILE", place.path("token"));
    let needles = [
        needle("the token", &in_file, &[]),
        needle("the value", &value, &["V"]),
    ];
    search(by_file.start(|| Ok(())), &[("V", &value)], &needles);
    let in_variable = random(10, 40);
    let by_variable = begin().env("VAULT_TOKEN", &in_variable);
    let needles = [
        needle("the token", &in_variable, &[]),
        needle("the value", &value, &["V"]),
    ];
    search(by_variable.start(|| Ok(())), &[("V", &value)], &needles);
}
