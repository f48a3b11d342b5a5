//! Settings of one store alone: behind its place, and in `[store]` of doorkey.toml.

use serde_json::json;
use support::faulty::{Faulty, document};
use support::{Place, Run};

fn server() -> Faulty {
    Faulty::new(|_| document(&json!({"k": "v"})))
}

/// A launch that needs one secret of the team's.
fn launch(place: &Place) -> Run {
    let run = place.doorkey(["run", "-q"]).env("V", "secret:k");
    run.env("VAULT_TOKEN", "t")
}

/// What a server was asked: the path, and the namespace.
fn asked(server: &Faulty) -> (String, Option<String>) {
    let requests = server.requests();
    let last = requests.last().expect("a request");
    let namespace = last.header("x-vault-namespace");
    (last.path.clone(), namespace.map(str::to_owned))
}

fn at(path: &str, namespace: &str) -> (String, Option<String>) {
    let namespace = Some(namespace.to_owned());
    (path.to_owned(), namespace.filter(|name| !name.is_empty()))
}

#[test]
fn behind_the_place() {
    let place = Place::new();
    let server = server();
    let run = |store: &str, arguments: &[&str]| {
        let run = launch(&place).env("VAULT_ADDR", server.address());
        let run = run.env("DOORKEY_STORE", store).args(arguments);
        run.args(["printenv", "V"])
    };
    let team = "/v1/kv/data/app/team";
    for (store, arguments, expected) in [
        ("vault:kv/app?namespace=a%2Fb", &[][..], at(team, "a/b")),
        (
            "bao:kv/app?kv=2&team-path=kv/else",
            &[],
            at("/v1/kv/data/else", ""),
        ),
        ("vault:kv/app?", &[], at(team, "")),
        // What is for this launch alone counts more.
        (
            "vault:kv/app?namespace=a",
            &["--namespace", "b"],
            at(team, "b"),
        ),
    ] {
        run(store, arguments).gives(0, "v\n", "");
        assert_eq!(asked(&server), expected, "{store}");
    }
    // And what is for all less.
    let other = run("vault:kv/app?namespace=a", &[]).env("VAULT_NAMESPACE", "c");
    other.gives(0, "v\n", "");
    assert_eq!(asked(&server), at(team, "a"));
    let elsewhere = run("vault:kv/app?require-tls=false", &[]);
    elsewhere.gives(0, "v\n", "");

    let before = server.requests().len();
    let all = "address, namespace, auth, auth-path, role, token-file, token-once, unwrap, \
               no-revoke, require-tls, team-path, cluster-path, project-path, kv";
    let refused = "the server's address must begin with https://, as --require-tls is given";
    for (query, fault) in [
        (
            "namepsace=a",
            "after '?': the store has no such setting; did you mean namespace?".to_owned(),
        ),
        (
            "a=b",
            format!("after '?': the store has no such setting; it has {all}"),
        ),
        ("role=", "after '?': role needs a value".to_owned()),
        ("role=%ff", "after '?': a value is not UTF-8".to_owned()),
        (
            "unwrap=maybe",
            "after '?': unwrap must be true or false".to_owned(),
        ),
        ("require-tls", refused.to_owned()),
        (
            "kv=3",
            "after '?' the store's name has kv=1 or kv=2".to_owned(),
        ),
    ] {
        let store = format!("vault:kv/app?{query}");
        let fault = format!("doorkey: error: {store}: {fault}\n");
        run(&store, &[]).fails(125, &fault);
    }
    assert_eq!(server.requests().len(), before);
}

/// Stores without such settings have a place with any character in it.
#[test]
fn a_question_mark_in_a_folder() {
    let place = Place::new();
    place.write("se?crets/k", "v");
    let run = launch(&place).env("DOORKEY_STORE", "dir:se?crets");
    run.args(["printenv", "V"]).gives(0, "v\n", "");
    let place = Place::with_store();
    place.set("team", "k", "v");
    std::fs::rename(place.path("secrets"), place.path("a?b=c")).unwrap();
    let run = launch(&place).env("DOORKEY_STORE", "age:a?b=c");
    run.args(["printenv", "V"]).gives(0, "v\n", "");
}

#[test]
fn in_the_configuration_file() {
    let place = Place::new();
    let server = server();
    let address = server.address();
    let team = "/v1/kv/data/app/team";
    let run = |text: &str, arguments: &[&str]| {
        place.write("doorkey.toml", text);
        let run = launch(&place).env("VAULT_ADDR", &address).args(arguments);
        run.args(["printenv", "V"])
    };
    let table = "namespace = 'all'\n[store]\nlocation = 'vault:kv/app'\nnamespace = 'one'\n";
    let named = ["--config", "doorkey.toml"];
    run(table, &named).gives(0, "v\n", "");
    assert_eq!(asked(&server), at(team, "one"));
    // It is nothing to a store of another kind.
    place.write("plain/k", "plain");
    let with = |store| [&named[..], &["--store", store]].concat();
    run(table, &with("dir:plain")).gives(0, "plain\n", "");
    run(table, &with("vault:kv/app?namespace=two")).gives(0, "v\n", "");
    assert_eq!(asked(&server), at(team, "two"));
    // One that is merely found may say what sends nothing elsewhere.
    let found = "[store]\nlocation = 'vault:kv'\nteam-path = 'kv/app/team'\n";
    run(found, &[]).gives(0, "v\n", "");
    let nowhere = "VAULT_ADDR";
    for text in [
        format!("[store]\nlocation = 'vault:kv/app'\naddress = '{address}'\n"),
        format!("store = 'vault:kv/app?address={address}'\n"),
    ] {
        let run = run(&text, &named).without(nowhere);
        run.gives(0, "v\n", "");
    }

    let before = server.requests().len();
    let file = place.path("doorkey.toml").display().to_string();
    let named_only = "address counts only in a file that --config or DOORKEY_CONFIG names";
    let store = "[store]\nlocation = 'vault:kv/app'\n";
    for (text, fault) in [
        (
            format!("{store}address = 'http://canary'\n"),
            format!("{file}:3:1: {named_only}"),
        ),
        (
            "store = 'vault:kv/app?address=http://canary'".to_owned(),
            format!("vault:kv/app?address=http://canary: after '?': {named_only}"),
        ),
        (
            format!("{store}token-file = 'canary'\n"),
            format!("{file}:3:1: token-file can't be set in a file; give --token-file"),
        ),
        (
            format!("{store}nmespace = 'canary'\n"),
            format!("{file}:3:1: the store has no such setting; did you mean namespace?"),
        ),
        (
            "[store]\nlocation = 'dir:plain'\nregion = 'canary'\n".to_owned(),
            format!("{file}:3:1: the store has no such setting"),
        ),
    ] {
        run(&text, &[]).fails(125, &format!("doorkey: error: {fault}\n"));
    }
    assert_eq!(server.requests().len(), before);
}
