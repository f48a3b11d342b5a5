//! What OpenBao makes for whoever reads: one lease a document and launch, kept as long as the
//! workload needs it, and never made just to look.

use serde_json::json;
use support::bao::wait;
use support::lending::{Lending, PASSWORD, USER};

#[test]
fn the_first_login_works() {
    let (lending, _turn) = Lending::shared();
    let run = lending.run("run").arg("--").args(lending.logs_in());
    let ended = run.ok();
    assert!(
        ended.out().ends_with("\n7\n"),
        "{}{}",
        ended.out(),
        ended.err()
    );
    assert_eq!((lending.leases(), lending.postgres.users()), (1, 1));
    let line =
        "doorkey: lent: PGPASSWORD, PGUSER, the shortest for 1h; nothing renews it without --init";
    assert!(
        ended.err().lines().any(|said| said == line),
        "{}",
        ended.err()
    );
    // One read a document, and the token that the lease hangs on lives on.
    let mark = lending.app.bao.mark();
    let run = lending.run("run -q").env("A", USER).env("B", PASSWORD);
    run.args(["--", "true"]).ok();
    let asked = lending.app.bao.requests(mark);
    assert_eq!(
        asked,
        ["read database/creds/app", "update auth/approle/login"]
    );
    lending.clear();
}

#[test]
fn a_token_that_ends_before_the_lease_is_said() {
    let (lending, _turn) = Lending::shared();
    let token = lending.app.admin.token_with("lent", json!({"ttl": "60s"}));
    let ended = lending.by("run -- true").env("VAULT_TOKEN", token).ok();
    let line = ", as the token ends then; nothing renews it without --init";
    assert!(ended.err().contains(line), "{}", ended.err());
    lending.clear();
}

#[test]
fn looking_makes_nothing() {
    let (lending, _turn) = Lending::shared();
    let mark = lending.app.bao.mark();
    for words in ["check", "check --names"] {
        let ended = lending.run(words).ok();
        let statuses: Vec<_> = ended
            .out()
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().last().unwrap().to_owned())
            .collect();
        assert_eq!(statuses, ["leased", "leased"], "{}", ended.out());
    }
    let shown = lending.run("env").ok().out();
    assert!(
        shown.contains("PGUSER=[secret:vault:database/creds/app#username]"),
        "{shown}"
    );
    let asked = lending.app.bao.requests(mark);
    assert!(
        asked.iter().all(|one| !one.contains("read database/creds")),
        "{asked:?}"
    );
    assert_eq!(
        asked
            .iter()
            .filter(|one| *one == "update sys/capabilities-self")
            .count(),
        3
    );
    // What may not be read is said all the same, and a document of KV is read.
    let mount = &lending.app.mount;
    lending.app.admin.policy("kv", &format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }} path \"database/none\" {{ capabilities = [\"read\"] }}"));
    let token = lending.app.admin.token("kv");
    let run = lending.by("check").env("VAULT_TOKEN", token);
    let ended = run.env("K", format!("vault:{mount}/data/app/team#k")).end();
    assert_eq!(ended.code(), 1, "{}", ended.err());
    assert!(
        ended.out().contains("denied") && ended.out().contains(" ok"),
        "{}",
        ended.out()
    );
    assert_eq!(lending.leases(), 0);
}

#[test]
fn what_can_not_be_lent_says_why() {
    let (lending, _turn) = Lending::shared();
    let once = lending.app.admin.token_with("lent", json!({"num_uses": 1}));
    let ended = lending.by("run -- true").env("VAULT_TOKEN", once).end();
    let why = "the token had one use left, so that the server took the credentials back at once";
    assert!(
        ended.code() == 125 && ended.err().contains(why),
        "{}",
        ended.err()
    );
    lending
        .app
        .admin
        .write("sys/mounts/pki", json!({"type": "pki"}));
    lending.app.admin.policy(
        "issues",
        "path \"pki/*\" { capabilities = [\"read\", \"update\"] }",
    );
    let token = lending.app.admin.token("issues");
    let run = lending.app.place.doorkey(["run", "--", "true"]);
    let run = run
        .env("VAULT_ADDR", lending.app.bao.address())
        .env("VAULT_TOKEN", token);
    let ended = run.env("V", "vault:pki/issue/web#certificate").end();
    let why = "pki/issue/web: it answers only to a write";
    assert!(
        ended.code() == 125 && ended.err().contains(why),
        "{}",
        ended.err()
    );
    wait("no lease", || (lending.leases() == 0).then_some(()));
}

#[test]
fn no_cache_keeps_what_is_lent() {
    let (lending, _turn) = Lending::shared();
    let place = &lending.app.place;
    place.doorkey(["store", "init", "age-secrets", "-q"]).ok();
    let list = std::fs::read_to_string(place.path("age-secrets/recipients.txt")).unwrap();
    let key = list
        .lines()
        .find(|line| line.starts_with("age1"))
        .unwrap()
        .to_owned();
    let run = lending.run("run --cache kept");
    let ended = run.args(["--cache-recipient", &key, "--", "true"]).ok();
    let line = "warning: the cache kept is not written: some of the values are lent";
    assert!(ended.err().contains(line), "{}", ended.err());
    assert!(!place.path("kept").exists());
    lending.clear();
}
