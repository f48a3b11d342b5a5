//! `run --mask`: the parts of structured values, and variables that are no secrets of a store.

use support::{Place, Run};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n\
                   -----END PRIVATE KEY-----\n";

fn run(place: &Place, options: &[&str], script: &str) -> Run {
    support::default_signals();
    let run = place.doorkey(["run", "--store=dir:plain", "--mask"]);
    let run = run.args(options).args(["--", "sh", "-c", script]);
    run.env("PATH", std::env::var("PATH").unwrap())
}

#[test]
fn members_and_their_lines() {
    let place = Place::new();
    let json = serde_json::json!({
        "type": "service_account",
        "private_key": KEY,
        "list": [{ "url": "postgres://app:s3cr%26et-word@db/name" }],
    });
    place.write("plain/account", json.to_string());
    let script = "printf %s \"$ACCOUNT\" | jq -r '.private_key, .list[0].url, .type'; \
                  printf %s \"$ACCOUNT\" | jq -r .private_key | sed -n 2p; \
                  echo 's3cr&et-word s3cr%26et-word'; printf %s \"$ACCOUNT\"";
    let out = run(&place, &["-q"], script)
        .env("ACCOUNT", "secret:account")
        .ok()
        .out();
    let of = |member: &str| format!("[secret:account#{member}]");
    let (key, url) = (of("private_key"), of("list.0.url"));
    let password = of("list.0.url.password");
    assert_eq!(
        out,
        format!(
            "{key}\n\n{url}\n{}\n{key}\n{password} {password}\n[secret:account]",
            of("type")
        )
    );
}

#[test]
fn a_connection_string_and_a_pair() {
    let place = Place::new();
    place.write(
        "plain/dsn",
        "host=db user=app password=Gq7wZ2nL9x sslmode=require",
    );
    place.write("plain/pair", "deploy:Rt5mK8vB3c");
    let out = run(&place, &["-q"], "echo Gq7wZ2nL9x Rt5mK8vB3c db app")
        .env("DSN", "secret:dsn")
        .env("PAIR", "secret:pair")
        .ok()
        .out();
    assert_eq!(out, "[secret:dsn#password] [secret:pair#password] db app\n");
}

/// Files of settings: their secrets are printed alone, without quotes and escapes.
#[test]
fn settings_in_files() {
    const PASSWORD: &str = "Gq7wZ2nL9xRt";
    let json = format!(
        r#"{{"auths": {{"host": {{"auth": "{}"}}}}}}"#,
        "ZGVwbG95OkdxN3daMm5MOXhSdA=="
    );
    for (value, part) in [
        ("db:\n  user: app\n  password: Gq7wZ2nL9xRt\n", "password"),
        (
            "[client]\nuser = app\n; a comment\nsecret = Gq7wZ2nL9xRt\n",
            "secret",
        ),
        (
            "Server=db;User ID=app;Password=\"a;Gq7wZ2nL9xRt\";",
            "Password",
        ),
        ("cache:6380,password=Gq7wZ2nL9xRt,ssl=True", "password"),
        (
            "url: 'amqp://app:Gq7wZ2nL9xRt@one,amqp://app:other-password@two'\n",
            "password",
        ),
        ("machine host login app password Gq7wZ2nL9xRt", "password"),
        ("Authorization: Bearer Gq7wZ2nL9xRt", "bearer"),
        (&json, "auths.host.auth.base64.password"),
    ] {
        let place = Place::new();
        place.write("plain/file", value);
        let quote = if value.contains("a;") { "a;" } else { "" };
        let out = run(&place, &["-q"], "echo \"$TEXT\"").env("FILE", "secret:file");
        let out = out.env("TEXT", format!("is {quote}{PASSWORD}.")).ok().out();
        assert_eq!(out, format!("is [secret:file#{part}].\n"), "{value}");
    }
}

#[test]
fn plain_variables_that_are_named() {
    let place = Place::new();
    place.write("plain/name", "Vq8Zt2LxWm4R");
    let script = "echo \"$PLAIN\" \"$URL\" \"$OTHER\"";
    let start = |options: &[&str]| {
        let run = run(&place, options, script).env("PLAIN", "plain value");
        let run = run.env("OTHER", "other value");
        run.env("URL", "https://u:${secret:name}@host").ok()
    };
    let ended = start(&["--mask-also=PLAIN", "--mask-also=URL"]);
    assert_eq!(ended.out(), "[secret:PLAIN] [secret:URL] other value\n");
    let ended = start(&["--mask-also=PLAIM"]);
    let warning =
        "doorkey: warning: --mask-also PLAIM: there is no such variable; did you mean PLAIN?\n";
    assert!(ended.err().contains(warning), "{}", ended.err());
    assert_eq!(
        ended.out(),
        "plain value https://u:[secret:name]@host other value\n"
    );
    let run = place.doorkey(["run", "--mask-also=PLAIN", "--", "true"]);
    run.fails(125, "doorkey: error: --mask-also needs --mask\n");
}
