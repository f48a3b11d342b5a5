//! Whose identity counts for Azure, doorkey's or the workload's; and clouds that are not the first.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::azure_chain::{CERTIFICATE, SECRET, Step, WORKLOAD, World};
use support::faulty;

/// With `DOORKEY_` in front a variable is doorkey's alone, counts first, and is nowhere afterwards.
#[test]
fn doorkeys_own_identity() {
    let world = World::new();
    let own = world.front.azure.application("canary-own", None);
    let asks = |step: &Step, more: &[(&str, &str)], how: &str| {
        let mut run = world.launch(step);
        for (name, value) in more {
            run = run.env(name, value);
        }
        run.gives(0, "canary-value\n", "");
        assert_eq!(
            world.front.asked_as().pop().unwrap(),
            format!("Bearer token-of-{how}")
        );
    };
    let id = ("DOORKEY_AZURE_CLIENT_ID", &*own.id);
    let secret = ("DOORKEY_AZURE_CLIENT_SECRET", "canary-own");
    asks(&SECRET, &[id, secret], &format!("secret-{}", own.id));
    // Another application by everybody's token, and another identity of the machine.
    asks(&WORKLOAD, &[id], &format!("federated-{}", own.id));
    asks(&[], &[id], &format!("imds-{}", own.id));
    asks(&SECRET, &[id], &format!("imds-{}", own.id));
    // Never one's id with the other's secret.
    let ended = world.launch(&SECRET).env(secret.0, secret.1).end();
    let said = "DOORKEY_AZURE_CLIENT_ID is missing, which DOORKEY_AZURE_CLIENT_SECRET needs";
    assert!(ended.err().contains(said), "{}", ended.err());
    // The workload has its own, and nothing of doorkey's.
    let run = world
        .place
        .doorkey("run -q -- env".split(' '))
        .env("V", "secret:a");
    let run = run.env("DOORKEY_STORE", format!("azure-kv:{}/app", world.vault));
    let run = world.app.give(world.front.lead(run)).env(id.0, id.1);
    let out = run.env(secret.0, secret.1).ok().out();
    assert!(
        !out.contains("DOORKEY_") && !out.contains("canary-own"),
        "{out}"
    );
    assert!(out.contains("AZURE_CLIENT_SECRET=canary-secret\n"), "{out}");
    // What is overwritten can't be read again.
    let run = world.place.doorkey("run -q --watch 1h -- true".split(' '));
    let run = run
        .env("DOORKEY_STORE", "azure-kv:v/app")
        .env("V", "secret:a");
    let said = "DOORKEY_AZURE_CLIENT_SECRET can't; give DOORKEY_AZURE_CLIENT_CERTIFICATE_PATH or \
                DOORKEY_AZURE_FEDERATED_TOKEN_FILE in its place\n";
    let ended = run.env(id.0, id.1).env(secret.0, secret.1).end();
    assert!(ended.err().ends_with(said), "{}", ended.err());
}

#[test]
fn sovereign_clouds() {
    let world = World::new();
    let text = json!({"a": "in China"}).to_string();
    world.front.azure.put(&world.vault, "app--team", &text);
    let china = ("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/");
    let hosts = || -> Vec<_> {
        let requests = world.front.faulty.requests();
        requests
            .iter()
            .rev()
            .take(2)
            .map(|one| one.header("host").unwrap().to_owned())
            .collect()
    };
    let expected = [
        format!("{}.vault.azure.cn", world.vault),
        "login.chinacloudapi.cn".to_owned(),
    ];
    let run = world.launch(&[&SECRET[..], &[china]].concat());
    run.gives(0, "in China\n", "");
    assert_eq!(hosts(), expected);
    // The vault's own domain says it, too.
    let whole = format!("azure-kv:{}.vault.azure.cn/app", world.vault);
    let run = world.launch(&SECRET).env("DOORKEY_STORE", &whole);
    run.gives(0, "in China\n", "");
    assert_eq!(hosts(), expected);
    // A cloud that is not known needs the whole host.
    let run = world
        .launch(&SECRET)
        .env("AZURE_AUTHORITY_HOST", "login.example");
    let ended = run.end();
    assert!(
        ended.err().contains("give the vault's whole host"),
        "{}",
        ended.err()
    );
    // A token is for one domain, and comes nowhere else.
    let run = world
        .launch(&SECRET)
        .env("W", "azure-kv:x.vault.azure.cn/y");
    let ended = run.end();
    assert!(
        ended.err().contains("is in another domain than"),
        "{}",
        ended.err()
    );
    let before = world.front.asked().len();
    let run = world
        .launch(&SECRET)
        .env("DOORKEY_STORE", "azure-kv:v.evil.test/app");
    let ended = run.end();
    assert!(
        ended
            .err()
            .contains("the tenant knows no https://evil.test"),
        "{}",
        ended.err()
    );
    assert_eq!(world.front.asked().len(), before);
}

/// Entra's clock is an hour ahead: an assertion is signed once more by its time, and that is said.
#[test]
fn clocks_that_are_apart() {
    let there = SystemTime::now() + Duration::from_secs(3600);
    let date = httpdate::fmt_http_date(there);
    let since = there.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let world = World::behind(move |request| {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let shown = form.split("client_assertion=").nth(1)?;
        let claims = URL_SAFE_NO_PAD.decode(shown.split('.').nth(1)?).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let is_timely = claims["nbf"].as_u64().unwrap().abs_diff(since.as_secs()) < 300;
        let given = json!({"access_token": "x", "token_type": "Bearer"});
        let refused = json!({"error": "invalid_client", "error_codes": [700_024]});
        let (status, body) = if is_timely {
            (200, given)
        } else {
            (401, refused)
        };
        let headers = [("Date", &*date), ("Content-Type", "application/json")];
        Some(faulty::answer(
            status,
            &headers,
            body.to_string().as_bytes(),
        ))
    });
    // The vault does not know that token, which is another matter.
    let said = world.run("run -- true", &CERTIFICATE).end().err();
    let line = "behind that of Entra: requests are signed by the time there; set it\n";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert!(said.contains("the vault does not accept it"), "{said}");
    assert_eq!(world.front.faulty.requests().len(), 3);
}
