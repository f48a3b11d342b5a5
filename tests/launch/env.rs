//! `doorkey env` from outside: the environment that a workload would get, no secret in it, and
//! the same faults as `run`.

use support::{Place, Run};

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "pass", "p@ss/word-1");
    place.set("team", "pin", "1234");
    place.set("project/web", "json", r#"{"user":"app-user-1"}"#);
    place
}

fn env(place: &Place, options: &[&str]) -> Run {
    let run = place
        .doorkey(["env", "--store", "age:secrets"])
        .args(options);
    run.without("PATH")
        .without("HOME")
        .env("DOORKEY_KEY_FILE", "home/.config/doorkey/key.txt")
}

#[test]
fn each_secret_is_shown_by_its_name() {
    let place = place();
    place.write("more.env", "FILE=${secret:pass}\n");
    env(
        &place,
        &[
            "-p",
            "web",
            "--env-file",
            "more.env",
            "-e",
            "NEW-ONE=secret:pin?",
        ],
    )
    .env("A", "plain")
    .env("B", "secret:pass")
    .env(
        "C",
        "a:${secret:json#user|base64}@${secret:team/pass|urlencode}:1",
    )
    .env("D", "secret:none?some text")
    .env("E", "secret:none?")
    .env("F", "x${secret:none?}y")
    .env("G", "secret::a$${secret:b}")
    .env("H", "a value with p@ss/word-1 in it")
    .env("I", "${secret:pin} p@ss/word-1")
    .env("DOORKEY_LOG_LEVEL", "trace")
    .gives(
        0,
        "A=plain\nB=[secret:pass]\nC=a:[secret:json]@[secret:pass]:1\nD=some text\nF=xy\n\
             G=secret:a$${secret:b}\nH=a value with [secret:pass] in it\n\
             I=[secret:pin] [secret:pass]\nFILE=[secret:pass]\nNEW-ONE=[secret:pin]\n",
        "doorkey: debug: json comes from project/web\ndoorkey: debug: pass comes from team\n\
         doorkey: debug: pin comes from team\ndoorkey: debug: pass comes from team\n",
    );
    env(&place, &["--all", "--clear-env"])
        .env("A", "plain")
        .gives(0, "pass=[secret:pass]\npin=[secret:pin]\n", "");
}

/// A key that is passed on, because the workload runs doorkey itself, is not printed.
#[test]
fn a_credential_that_is_kept_is_not_shown() {
    let place = place();
    let key = std::fs::read_to_string(place.path("home/.config/doorkey/key.txt")).unwrap();
    let run = env(&place, &["--keep-env", "DOORKEY_KEY"]).env("A", "secret:pin");
    let run = run.without("DOORKEY_KEY_FILE");
    run.env("DOORKEY_KEY", key.lines().last().unwrap()).gives(
        0,
        "A=[secret:pin]\nDOORKEY_KEY=[secret:DOORKEY_KEY]\n",
        "",
    );
}

#[test]
fn it_fails_as_run_does() {
    let place = place();
    place.set("team", "nul", "a\0b");
    place.set("team", "large", "x".repeat(65_536));
    place.write("bad.env", "A B\n");
    let table: &[(&[&str], &[&str])] = &[
        (&["secret:.x"], &[]),
        (
            &[
                "secret:none",
                "secret:none2",
                "${secret:pin#x}${secret:cluster/x}",
            ],
            &[],
        ),
        (&["secret:nul"], &[]),
        (&["${secret:large}${secret:large}"], &[]),
        (
            &["secret:pin"],
            &["--env-file", "bad.env", "--spec", "none"],
        ),
        (&["secret:pin"], &["--timeout", "x"]),
        (&["secret:pin"], &["--key-file", "none"]),
        (&["secret:pin"], &["--store", "dir:none"]),
        (&["secret:pin"], &["--config", "none"]),
    ];
    for (values, options) in table {
        let start = |subcommand: &str| {
            let store = if options.contains(&"--store") {
                ""
            } else {
                "age:secrets"
            };
            let run = place
                .doorkey([subcommand, "-q"])
                .args(*options)
                .env("DOORKEY_STORE", store);
            values
                .iter()
                .enumerate()
                .fold(run, |run, (at, value)| run.env(format!("V{at}"), value))
        };
        let (env, run) = (start("env").end(), start("run").args(["--", "true"]).end());
        let usage = options.contains(&"--timeout");
        assert_eq!(
            (env.code(), run.code()),
            (if usage { 2 } else { 1 }, 125),
            "{}",
            env.err()
        );
        assert_eq!((env.out(), env.err()), (String::new(), run.err()));
        assert!(!env.err().is_empty());
    }
}

#[test]
fn as_json_and_with_nul() {
    let place = place();
    let with = |option: &str| {
        let run = env(&place, &["-q", option]).env("A", "two\nlines \"x\"");
        run.env("B", "secret:pass").env("C", "p@ss/word-1")
    };
    let text = "{\n  \"A\": \"two\\nlines \\\"x\\\"\",\n  \"B\": \"[secret:pass]\",\n  \
                \"C\": \"[secret:pass]\"\n}\n";
    with("--json").gives(0, text, "");
    with("-0").gives(
        0,
        "A=two\nlines \"x\"\0B=[secret:pass]\0C=[secret:pass]\0",
        "",
    );
    assert_eq!(with("-0").arg("--json").end().code(), 2);
}
