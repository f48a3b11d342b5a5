//! `vault:` when many start at once: against one server, which sees no more than what is needed,
//! and against a cluster whose leader dies meanwhile.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::Run;
use support::bao;
use support::bao::{App, Bao, Cluster, Pki};

fn start(mut run: Run) -> Child {
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Waits for a launch that must have succeeded; gives what it said on stderr.
fn succeeds(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {err}", output.status);
    assert_eq!(output.stdout, b"web\n", "{err}");
    err
}

const LAUNCHES: usize = 300;

#[test]
fn three_hundred_at_once_ask_for_what_they_need_and_no_more() {
    let place = support::Place::new();
    let pki = Pki::new(place.path("pki"));
    let app = App::on(Arc::new(Bao::with_tls(&pki)), 2);
    let (role, secret) = app.admin.approle("approle", &app.mount);
    for document in ["team", "cluster/eu", "project/web"] {
        let name = document.rsplit('/').next().unwrap();
        app.put(document, json!({"k": name, name: name}));
    }
    let alive = app.admin.tokens();
    let mark = app.bao.mark();
    let children: Vec<_> = (0..LAUNCHES)
        .map(|_| {
            let run = app.nobody("run -q --project web --cluster eu -- printenv A");
            start(
                run.env("A", "secret:k")
                    .env("B", "<${secret:team}>")
                    .env("C", "secret:eu")
                    .env("VAULT_ADDR", app.bao.secure())
                    .env("VAULT_CACERT", pki.path("ca.pem"))
                    .env("VAULT_AUTH_METHOD", "approle")
                    .env("VAULT_ROLE_ID", &role)
                    .env("VAULT_SECRET_ID", &secret),
            )
        })
        .collect();
    for child in children {
        assert_eq!(succeeds(child), "");
    }
    let mut counts = BTreeMap::new();
    for asked in app.bao.requests(mark) {
        *counts.entry(asked).or_insert(0) += 1;
    }
    let needed = [
        format!("read {}", app.document("cluster/eu")),
        format!("read {}", app.document("project/web")),
        format!("read {}", app.document("team")),
        "update auth/approle/login".to_owned(),
        "update auth/token/revoke-self".to_owned(),
    ];
    assert_eq!(counts, needed.map(|asked| (asked, LAUNCHES)).into());
    assert_eq!(app.admin.tokens(), alive);
}

#[test]
fn fifty_launches_while_the_leader_dies() {
    let cluster = Cluster::new(3);
    let leader = cluster.leader();
    let admin = leader.admin();
    admin.policy("web", r#"path "secret/*" { capabilities = ["read"] }"#);
    let (role, secret) = admin.approle("approle", "web");
    admin.put("secret", "app/team", json!({"k": "team"}));
    admin.put("secret", "app/project/web", json!({"k": "web"}));
    let place = support::Place::new();
    let others: Vec<&Bao> = cluster
        .nodes
        .iter()
        .filter(|node| node.at != leader.at)
        .collect();
    // What has just been written arrives at the others a moment later.
    for node in &others {
        bao::wait("the document is everywhere", || {
            let read = node
                .admin()
                .status("GET", "secret/data/app/project/web", &json!(null));
            (read == 200).then_some(())
        });
    }
    let launch = |number: usize| {
        let run = place.doorkey("run -q --timeout 30s --project web -- printenv V".split(' '));
        start(
            run.env("V", "secret:k")
                .env("DOORKEY_STORE", "vault:secret/app")
                .env("VAULT_ADDR", others[number % 2].address())
                .env("VAULT_AUTH_METHOD", "approle")
                .env("VAULT_ROLE_ID", &role)
                .env("VAULT_SECRET_ID", &secret),
        )
    };
    let mut children = Vec::new();
    for number in 0..50 {
        // Some have logged in by then, some have not, and some begin while nobody leads.
        if number == 15 {
            leader.kill();
        }
        children.push(launch(number));
        thread::sleep(Duration::from_millis(30));
    }
    assert_ne!(leader.health(), 200);
    for child in children {
        let err = succeeds(child);
        let warned = err
            .lines()
            .all(|line| line.contains("warning: the token is not revoked"));
        assert!(warned, "{err}");
    }
    assert!(
        others.iter().any(|node| node.health() == 200),
        "another leads"
    );
}

/// A frozen server is one that neither answers nor ends its connections.
#[test]
fn a_server_that_stands_still_for_a_while() {
    let app = App::alone();
    app.put("team", json!({"k": "web"}));
    app.bao.freeze();
    let run = app.run("run -q --timeout 30s -- printenv V");
    let child = start(run.env("V", "secret:k").env("VAULT_CLIENT_TIMEOUT", "1s"));
    thread::sleep(Duration::from_millis(1500));
    app.bao.resume();
    succeeds(child);
}
