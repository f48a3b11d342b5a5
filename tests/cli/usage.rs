//! What the command line itself says: usage errors and their exit codes, log levels and formats,
//! help, completions and the manual page.

use doorkey::cli::command_line::LEAVES;
use support::Place;

#[test]
fn faults_in_the_configuration() {
    let place = Place::new();
    let id = "must be an id: letters, digits, '_', '.' and '-', the first a letter, digit or '_', \
              at most 253";
    let file = place.path("doorkey.toml").display().to_string();
    for (text, fault) in [
        (
            "stor = 'canary'\n",
            format!("{file}:1:1: there is no such setting; did you mean store?"),
        ),
        (
            "canary = 'canary'\n",
            format!(
                "{file}:1:1: this setting is none of store, project, cluster, references, cache, cache-recipient, cache-max-age, splay, unbound, address, namespace, auth, auth-path, role, require-tls, team-path, cluster-path, project-path, env-file, env"
            ),
        ),
        (
            "\nstore = 1\n",
            format!("{file}:2:9: a string is wanted here"),
        ),
        (
            "store = 'canary\n",
            format!("{file}:1:16: this is not TOML"),
        ),
        (
            "project = '../canary'\n",
            format!("project in doorkey.toml {id}"),
        ),
        ("cluster = ''\n", format!("cluster in doorkey.toml {id}")),
    ] {
        place.write("doorkey.toml", text);
        place
            .doorkey(["run", "true"])
            .fails(125, &format!("doorkey: error: {fault}\n"));
        let code = if fault.contains(" in doorkey.toml ") {
            2
        } else {
            1
        };
        place
            .doorkey(["check"])
            .fails(code, &format!("doorkey: error: {fault}\n"));
    }
}

/// The line where a launch has no command.
const MISSING: &str = "<COMMAND>... is missing; put it after --; an image's own command is dropped where its \
     entrypoint is replaced, so repeat it there";

#[test]
fn usage_errors() {
    let place = Place::with_store();
    let id = "must be an id: letters, digits, '_', '.' and '-', the first a letter, digit or '_', \
              at most 253";
    let long = "n".repeat(254);
    for (arguments, message) in [
        (
            &["--canary-option=canary"][..],
            "there is no option --canary-option; see doorkey X --help",
        ),
        (
            &["--STORE=canary"],
            "there is an argument too many; see doorkey X --help",
        ),
        (
            &["--store"],
            "--store is given without a value, or with one too many; see doorkey X --help",
        ),
        (
            &["--all=canary"],
            "--all is given without a value, or with one too many; see doorkey X --help",
        ),
        (
            &["--store", "a:b", "--store", "c:d"],
            "--store is given twice; see doorkey X --help",
        ),
        (
            &["--log-level", "canary"],
            "--log-level must be trace, debug, info, warn or error",
        ),
        (
            &["--log-format", "canary"],
            "--log-format must be text or json",
        ),
        (
            &["--timeout", "canary"],
            "--timeout must be a duration above zero, such as 30s or 500ms",
        ),
        (
            &["--timeout", "0s"],
            "--timeout must be a duration above zero, such as 30s or 500ms",
        ),
        (&["--project", "../canary"], &format!("--project {id}")),
        (&["--cluster", ""], &format!("--cluster {id}")),
        (&["--project", &long], &format!("--project {id}")),
        (
            &["-e", "A=secret:a", "--store", "canary"],
            "the store must be one of age:DIR, dir:DIR, vault:MOUNT/PREFIX, bao:MOUNT/PREFIX, aws-sm:PREFIX, aws-ssm:/PREFIX, azure-kv:VAULT/PREFIX, gcp-sm:PROJECT/PREFIX, k8s:NAMESPACE/PREFIX, exec:PROGRAM",
        ),
        (
            &["-e", "A=secret:a", "--store", "canary:x"],
            "the store must be one of age:DIR, dir:DIR, vault:MOUNT/PREFIX, bao:MOUNT/PREFIX, aws-sm:PREFIX, aws-ssm:/PREFIX, azure-kv:VAULT/PREFIX, gcp-sm:PROJECT/PREFIX, k8s:NAMESPACE/PREFIX, exec:PROGRAM",
        ),
    ] {
        for (subcommand, code) in [("run", 125), ("check", 2), ("env", 2)] {
            let message = match message.strip_suffix("; see doorkey X --help") {
                Some(message) if subcommand == "run" && message.contains("no option") => {
                    format!(
                        "{message}; an option of the command stands after it: -- COMMAND --canary-option"
                    )
                }
                _ => message.replace("doorkey X", &format!("doorkey {subcommand}")),
            };
            let run = place.doorkey([subcommand]).args(arguments);
            let run = if code == 125 {
                run.args(["--", "true"])
            } else {
                run
            };
            let ended = run.end();
            let expected = (code, format!("doorkey: error: {message}\n"));
            assert_eq!(
                (ended.code(), ended.err()),
                expected,
                "{subcommand} {arguments:?}"
            );
        }
    }
    for (arguments, code, message) in [
        (
            &["canary"][..],
            2,
            "there is no such subcommand; doorkey run -- COMMAND runs a command; see doorkey --help",
        ),
        (
            &["--canary", "run"],
            2,
            "there is no option --canary; see doorkey --help",
        ),
        (
            &["secret", "canary"],
            2,
            "there is no such subcommand; see doorkey secret --help",
        ),
        (&["run"], 125, MISSING),
        (&["run", "--"], 125, MISSING),
        (
            &["check", "canary"],
            2,
            "there is an argument too many; see doorkey check --help",
        ),
        (
            &["secret", "set"],
            2,
            "<NAME> is missing; see doorkey secret set --help",
        ),
        (
            &["secret", "set", "a", "canary"],
            2,
            "a value is no argument, as every process can read those; pipe it: \
             printf %s \"$VALUE\" | doorkey secret set NAME",
        ),
        (
            &["secret", "set", "a", "--team", "-p", "web"],
            2,
            "--team can't be used with --project; see doorkey secret set --help",
        ),
        (
            &[
                "secret",
                "set",
                "../canary",
                "--team",
                "--store",
                "age:secrets",
            ],
            2,
            "a name is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at \
             most 253",
        ),
        (
            &["completions"],
            2,
            "<SHELL> is missing; see doorkey completions --help",
        ),
        (
            &["completions", "canary"],
            2,
            "the shell must be bash, fish or zsh",
        ),
    ] {
        place
            .doorkey(arguments)
            .fails(code, &format!("doorkey: error: {message}\n"));
    }
}

#[test]
fn log_levels() {
    let place = Place::with_store();
    place.set("team", "a", "x");
    let info = "doorkey: 1 reference resolved: 1 from team of age:secrets in T ms\n";
    let debug = "doorkey: debug: no references\n";
    let missing = "doorkey: error: X: secret:none: not found in team of age:secrets; create it, or \
                   allow its absence with '?'\n";
    for (level, informs, debugs) in [
        ("trace", true, true),
        ("debug", true, true),
        ("info", true, false),
        ("warn", false, false),
        ("warning", false, false),
        ("error", false, false),
        ("critical", false, false),
    ] {
        let run = || place.run(["--log-level", level, "true"]);
        let said = |text, says| if says { text } else { "" };
        let from = said("doorkey: debug: a comes from team\n", debugs);
        let phases = "doorkey: debug: environment in T ms, stores in T ms, the rest in T ms\n";
        let info = [from, said(info, informs), said(phases, debugs)].concat();
        run().env("X", "secret:a").gives(0, "", &info);
        run().env("X", "plain").gives(0, "", said(debug, debugs));
        run().env("X", "secret:none").gives(125, "", missing);
        let quiet = place.run(["--log-level", level, "--quiet", "true"]);
        quiet.env("X", "secret:a").gives(0, "", "");
    }
    place
        .run(["-q", "true"])
        .env("X", "secret:none")
        .gives(125, "", missing);
    // `check` and `env` have their output on stdout, and say nothing beside it.
    place
        .doorkey(["env"])
        .without("HOME")
        .gives(0, "PATH=/usr/local/bin:/usr/bin:/bin\n", "");
}

/// A store's or file's name does not forge a line of the log: it is not shown.
#[test]
fn each_message_is_one_line() {
    let place = Place::new();
    place.write("a\nb/x", "value");
    place.write("bad\n.env", "A B");
    place.write("key\n", "no key");
    let run = |store: &str| place.doorkey(["run", "--store", store, "true"]);
    let said = |message: &str| format!("doorkey: {message}\n");
    run("dir:a\nb").env("X", "secret:x").gives(
        0,
        "",
        &said("1 reference resolved: 1 from team of dir:[store] in T ms"),
    );
    run("dir:a\nb").env("X", "secret:none").fails(
        125,
        &said(
            "error: X: secret:none: not found in team of dir:[store]; create it, or allow \
             its absence with '?'",
        ),
    );
    run("dir:c\nd").env("X", "secret:x").fails(
        125,
        &said(
            "error: dir:[store]: there is no store there; check the name; the folder has one file a \
             secret, as mounts have",
        ),
    );
    let bad = run("dir:a\nb")
        .env("DOORKEY_ENV_FILE", "")
        .env("DOORKEY_SPEC", "bad\n.env");
    bad.fails(
        125,
        &said("error: [DOORKEY_SPEC]:1:1: there is no list `env` here, and no container; --spec-path says where it is"),
    );
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(place.path("key\n"), private).unwrap();
    let init = place.doorkey(["store", "init", "s", "--key-file", "key\n", "-q"]);
    init.fails(
        1,
        &said(
            "error: age:s: the key from [--key-file] can't be used: it is no age identity \
             (AGE-SECRET-KEY-1…)",
        ),
    );
}

/// Help, of the program and of every subcommand, fits a terminal of 80 columns.
#[test]
fn help_fits_a_screen() {
    let place = Place::new();
    let mut commands: Vec<Vec<&str>> = LEAVES.iter().map(|leaf| leaf.words.to_vec()).collect();
    commands.extend([vec![], vec!["key"], vec!["secret"], vec!["store"]]);
    for command in commands {
        for option in ["--help", "-h"] {
            let ended = place.doorkey(&command).arg(option).end();
            let help = ended.out();
            assert_eq!(
                (ended.code(), ended.err()),
                (0, String::new()),
                "{command:?}"
            );
            let words = [&["doorkey"], &command[..]].concat().join(" ");
            assert!(help.contains(&format!("\nUsage: {words} ")), "{help}");
            assert!(help.ends_with('\n') && !help.ends_with("\n\n"), "{help:?}");
            assert!(help.contains("\nExample"), "{help}");
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{command:?}");
            let headings: Vec<_> = help.lines().filter(|line| line.ends_with(':')).collect();
            let mut once = headings.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), headings.len(), "{help}");
            assert!(
                help.lines().count() <= 95,
                "{command:?}: {} lines",
                help.lines().count()
            );
        }
    }
    let run = place.doorkey(["run", "--help"]).ok().out();
    // The options of servers come last, and the short help has few.
    let headings =
        ["\nEnvironment:", "\nOptions:", "\nOpenBao and Vault:"].map(|one| run.find(one));
    assert!(headings.is_sorted() && headings[0].is_some(), "{run}");
    let short = place.doorkey(["run", "-h"]).ok().out();
    assert_eq!(
        short
            .lines()
            .filter(|line| line.starts_with(' ') && line.trim_start().starts_with('-'))
            .count(),
        10
    );
    let version = format!("doorkey {}\n", env!("CARGO_PKG_VERSION"));
    place.doorkey(["--version"]).gives(0, &version, "");
    place.doorkey(["-V"]).gives(0, &version, "");
}
