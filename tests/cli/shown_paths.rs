//! A key, a token or a password where a path or an address belongs is not printed: every option
//! and argument that takes one, every variable, and the place of a store.

use std::collections::BTreeSet;

use doorkey::cli::command_line::LEAVES;
use doorkey::core::option::Takes;
use doorkey::stores::KINDS;
use support::{Place, Run};

/// What easily stands in the wrong place.
const VALUES: [&str; 9] = [
    "AGE-SECRET-KEY-1QWERTYUIOPASDFGHJKLZXCVBNM234567890QWERTYUIOPASDFGHJK",
    "hvs.CAESIJ1canarycanarycanary",
    "s.4WIrCAZvg3DQnHqBNGIVHPYA",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
    "DB_PASSWORD=canary-hunter2",
    ID,
    "postgres://app:canary@db/app",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9",
];

/// A secret id.
const ID: &str = "5f3a0c1e-9b7d-4c2a-8e6f-0123456789ab";

/// What the value of an option that takes a path, or the like, is called in the table.
const PATHS: [&str; 6] = ["FILE", "DIR", "URL", "STORE", "PATH", "MOUNT"];

/// The pieces of a value that must not be seen.
fn pieces(value: &str) -> impl Iterator<Item = &str> {
    let lines = value.lines().filter(|line| !line.starts_with("-----END"));
    lines
        .flat_map(|line| line.split_inclusive('='))
        .filter(|piece| piece.len() > 12)
}

#[track_caller]
fn is_silent(run: Run, value: &str, what: &str) -> String {
    let ended = run.env("DOORKEY_LOG_LEVEL", "trace").end();
    let said = ended.out() + &ended.err();
    let lower = said.to_lowercase();
    for piece in pieces(value) {
        let is_there = lower.contains(&piece.to_lowercase());
        assert!(!is_there, "{what} {value}: {said}");
    }
    said
}

/// What each subcommand needs beside its options.
fn arguments(words: &[&str]) -> &'static [&'static str] {
    match words {
        ["run"] => &["--", "true"],
        ["join"] => &["--pid=1073741824", "--", "true"],
        ["render"] => &["template"],
        ["secret", "import"] => &["template", "--team", "--yes"],
        ["secret", "list"] => &["--team"],
        ["secret", ..] => &["a", "--team"],
        ["store", "recipient", "add" | "remove"] => &["age1nobody"],
        ["console"] => &["--idle=1ms"],
        ["install"] => &["copied"],
        ["completions"] => &["bash"],
        _ => &[],
    }
}

#[test]
fn every_option_that_takes_a_path() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    place.write("template", "A=${secret:a}\n");
    let mut walked = BTreeSet::new();
    for leaf in LEAVES {
        let words = || place.doorkey(leaf.words).stdin("value");
        for option in leaf.options() {
            let (Takes::Value(name) | Takes::Values(name)) = option.takes else {
                continue;
            };
            if !PATHS.contains(&name) {
                continue;
            }
            walked.insert(option.id);
            for value in VALUES {
                // What is asked of a server may well be a project of such a name.
                if value == ID && (["PATH", "MOUNT"].contains(&name) || option.id == "address") {
                    continue;
                }
                // Nothing else of a launch is to be at fault, and a server is not there.
                let mut of_servers = KINDS.iter().filter(|kind| kind.direct.is_some());
                let server = of_servers.any(|kind| {
                    let mut its_own = kind.options.iter();
                    its_own.any(|one| one.option.id == option.id)
                });
                let store = if server {
                    "vault:kv/app"
                } else {
                    "age:secrets"
                };
                let set = |run: Run| match option.id {
                    "store" => run,
                    _ => run.env("DOORKEY_STORE", store),
                };
                let of_server = |run: Run| match (server, option.id) {
                    (true, "address") => run,
                    (true, _) => run
                        .env("VAULT_ADDR", "http://127.0.0.1:9")
                        .env("VAULT_TOKEN", "t"),
                    _ => run,
                };
                let base = || {
                    let run = of_server(set(words()))
                        .env("DOORKEY_LINK_FILE", "link")
                        .env("DOORKEY_TIMEOUT", "10s")
                        .env("VAULT_MAX_RETRIES", "0");
                    let reads = ["run", "check", "env"].contains(&leaf.words[0]);
                    if reads { run.env("A", "secret:a") } else { run }
                };
                let what = format!("{:?} --{}", leaf.words, option.id);
                let values: Vec<String> = match option.id {
                    "store" => ["", "age:", "dir:", "vault:"]
                        .map(|word| format!("{word}{value}"))
                        .into(),
                    "address" => ["", "http://", "unix://"]
                        .map(|word| format!("{word}{value}"))
                        .into(),
                    _ => vec![value.to_owned()],
                };
                for given in values {
                    let rest = arguments(leaf.words);
                    let run = base().arg(format!("--{}={given}", option.id)).args(rest);
                    is_silent(run, value, &what);
                    let name = format!("DOORKEY_{}", option.id.to_uppercase().replace('-', "_"));
                    let run = base().args(rest).env(name, &given);
                    is_silent(run, value, &what);
                }
            }
        }
    }
    let known = [
        "address",
        "auth-path",
        "cache",
        "chdir",
        "cluster-path",
        "config",
        "cwd",
        "dir",
        "env-file",
        "files",
        "key-file",
        "link-file",
        "project-path",
        "spec",
        "spec-path",
        "store",
        "team-path",
        "token-file",
        "value-file",
    ];
    let is_built = |one: &&str| cfg!(feature = "console") || *one != "link-file";
    let known = known.into_iter().filter(is_built);
    assert_eq!(walked, known.collect(), "the options that take a path");
}

#[test]
fn every_variable_of_a_store() {
    let place = Place::new();
    let lists = KINDS.iter().flat_map(|kind| kind.variables);
    let names: BTreeSet<&str> = lists.flat_map(|(_, names)| *names).copied().collect();
    for name in names.into_iter().chain(["HOME", "XDG_CONFIG_HOME"]) {
        for value in VALUES {
            for form in ["", "http://", "unix://", "/run/"] {
                // Behind these they are steps of a path like others.
                if !form.is_empty() && (value == ID || value.contains("wJal")) {
                    continue;
                }
                let run = place.doorkey(["run", "--store=vault:kv/app", "--timeout=10s", "true"]);
                let run = run
                    .env("A", "secret:a")
                    .env("VAULT_ADDR", "https://127.0.0.1:9");
                let run = run.env("VAULT_MAX_RETRIES", "0");
                let run = run.env(name, format!("{form}{value}"));
                is_silent(run, value, name);
            }
        }
    }
}

/// Arguments that are paths, and each message with the setting that is meant.
#[test]
fn the_setting_is_named() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    place.write("template", "A=${secret:a}\n");
    place.write("cache.toml", "store = 'age:secrets'\n");
    let key = VALUES[0];
    let reading = |words: &str| place.on(words).env("A", "secret:a");
    let hidden = "no such file or directory; it does not look like a path, and is not shown";
    let server = |run: Run| {
        run.env("DOORKEY_STORE", "vault:kv/app")
            .env("VAULT_ADDR", "https://127.0.0.1:9")
            .env("VAULT_TOKEN", "t")
            .args(["--timeout=10s", "true"])
    };
    let cases: Vec<(Run, String)> = vec![
        (
            reading("run true").env("DOORKEY_KEY_FILE", key),
            format!("age:secrets: no key: can't read [DOORKEY_KEY_FILE]: {hidden}; mount or write the key there"),
        ),
        (
            reading("run").args(["--key-file", "hunter2", "true"]),
            format!("age:secrets: no key: can't read [--key-file]: {hidden}; mount or write the key there"),
        ),
        (
            reading("run true").env("DOORKEY_ENV_FILE", format!("none.env,{key}")),
            // Both may be pieces of one key.
            format!(
                "can't read [DOORKEY_ENV_FILE]: {hidden}\n\
                 doorkey: error: can't read [DOORKEY_ENV_FILE]: {hidden}"
            ),
        ),
        (reading("run").args(["--spec", key, "true"]), format!("can't read [--spec]: {hidden}")),
        (reading("run true").env("DOORKEY_CONFIG", key), format!("can't read [DOORKEY_CONFIG]: {hidden}")),
        (reading("run").args(["--cwd", key, "true"]), format!("can't read [--cwd]: {hidden}")),
        (reading("run true").env("DOORKEY_CHDIR", key), format!("can't enter [DOORKEY_CHDIR]: {hidden}")),
        (
            reading("run true").env("A", "secret:a|file").env("DOORKEY_FILES", key),
            "[DOORKEY_FILES]: it is not on tmpfs, so values would be on a disk; --allow-disk allows that".to_owned(),
        ),
        (reading("render").arg(key), format!("can't read [TEMPLATE]: {hidden}")),
        (reading("render template").arg(format!("none/{key}")), format!("can't write [OUT]: {hidden}")),
        (reading("secret import --team").arg(key), format!("can't read [FILE]: {hidden}")),
        (reading("secret set b --team --value-file").arg(key), format!("can't read [--value-file]: {hidden}")),
        (reading("install").arg(format!("none/{key}")), format!("can't write [DEST]: {hidden}")),
        (
            place.doorkey(["store", "init"]).arg(format!("age:{key}")).env("DOORKEY_KEY_FILE", key).without("HOME").env("DOORKEY_KEY_FILE", "/dev/null"),
            "age:[store]: the key from /dev/null can't be used: there is no age identity in it".to_owned(),
        ),
        (
            reading("run true").env("DOORKEY_STORE", format!("dir:{key}")),
            "dir:[store]: there is no store there; check the name; the folder has one file a secret, as mounts have".to_owned(),
        ),
        (
            place.doorkey(["run"]).arg(format!("PASSWORD={key}")).arg("true"),
            "the command (it does not look like a path, and is not shown): command not found".to_owned(),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"])).env("VAULT_TOKEN_FILE", VALUES[1]),
            format!("vault:kv/app: can't read [VAULT_TOKEN_FILE]: {hidden}"),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"])).env("BAO_CACERT", key),
            format!("vault:kv/app: can't read [BAO_CACERT]: {hidden}"),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"])).env("VAULT_CAPATH", key),
            format!("vault:kv/app: can't read [VAULT_CAPATH]: {hidden}"),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"])).env("SSL_CERT_FILE", key),
            format!("vault:kv/app: can't read [SSL_CERT_FILE]: {hidden}"),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"])).env("VAULT_CLIENT_CERT", key).env("VAULT_CLIENT_KEY", key),
            format!("vault:kv/app: can't read [VAULT_CLIENT_CERT]: {hidden}"),
        ),
        (
            server(place.doorkey(["run", "-e", "A=secret:a"]))
                .without("VAULT_TOKEN")
                .env("VAULT_ROLE_ID", "r")
                .env("VAULT_SECRET_ID_FILE", VALUES[6]),
            format!("vault:kv/app: can't read [VAULT_SECRET_ID_FILE]: {hidden}"),
        ),
    ];
    for (run, said) in cases {
        let err = run.end().err();
        assert_eq!(err, format!("doorkey: error: {said}\n"));
    }
}
