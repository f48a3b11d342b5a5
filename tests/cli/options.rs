//! Options: on the command line, as `DOORKEY_…` variables and in `doorkey.toml`, and which wins.

use std::collections::BTreeSet;

use doorkey::cli::command_line::LEAVES;
use doorkey::stores::KINDS;
use support::{Place, Run};

/// A store with one name in three scopes, files for the options that name one, and a second key.
fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "a", "team\n");
    place.set("project/web", "a", "project");
    place.set("cluster/eu", "a", "cluster");
    place.write("plain/a", "plain\n");
    place.write("one.env", "ONE=1\n");
    place.write("two.env", "TWO=2\n");
    place.write(
        "spec.json",
        r#"{"env": [{"name": "S", "value": "1"}], "other": []}"#,
    );
    place.write("below/doorkey.toml", "store = 'dir:../plain'\n");
    place.write("other/key.txt", "no key");
    place
}

/// What a run leaves that an option can change.
fn trace(run: Run) -> (i32, String, String) {
    let ended = run.end();
    (ended.code(), ended.out(), ended.timeless())
}

/// Each option, in a command where it changes something: given as an option and given as its
/// variable it does the same.
#[test]
fn every_option_is_also_a_variable() {
    let run = &["run", "--store", "age:secrets", "-e", "A=secret:a"][..];
    let silent = &["run", "-q", "--store", "age:secrets", "-e", "A=secret:a"][..];
    let dir = &["run", "-q", "--store", "dir:plain", "-e", "A=secret:a"][..];
    let file = &[
        "run",
        "-q",
        "--store",
        "age:secrets",
        "-e",
        "A=secret:a|file",
    ][..];
    let file_there = &[file, &["--files", "/sys/kernel"]].concat()[..];
    let render = &["render", "spec.json"][..];
    let nothing = &["run", "-q", "-e", "A=secret:a"][..];
    let debug = &["run", "--log-level", "debug"][..];
    let init = &["run", "--log-level", "debug", "--init"][..];
    let mask = &["run", "--log-level", "debug", "--mask"][..];
    let watch = &["run", "--log-level", "debug", "--watch=1h"][..];
    let redact = &[
        "redact",
        "--store",
        "dir:plain",
        "-e",
        "A=secret:a",
        "--mask-min=4",
        "plain/a",
    ][..];
    let check = &["check", "--store", "age:secrets", "-e", "A=secret:a"][..];
    let set = &["secret", "set", "new", "--store", "age:secrets"][..];
    let set_team = &["secret", "set", "new", "--store", "age:secrets", "--team"][..];
    let table: &[(&[&str], &str, &[&str])] = &[
        (nothing, "store", &["age:secrets"]),
        (silent, "project", &["web"]),
        (silent, "cluster", &["eu"]),
        (silent, "key-file", &["other/key.txt"]),
        (silent, "unbound", &["perhaps"]),
        (dir, "trim-newline", &[]),
        (nothing, "config", &["below/doorkey.toml"]),
        (nothing, "cwd", &["below"]),
        (silent, "env-file", &["one.env", "two.env"]),
        (silent, "spec", &["spec.json"]),
        (
            &["run", "-q", "--spec", "spec.json"],
            "spec-path",
            &["other"],
        ),
        (
            &["run", "-q", "--store", "age:secrets"],
            "env",
            &["B=1", "C=${secret:a}=2"],
        ),
        (silent, "all", &[]),
        (silent, "clear-env", &[]),
        (silent, "keep-env", &["DOORKEY_X", "DOORKEY_Y"]),
        (silent, "literal", &["A", "X"]),
        (silent, "references", &["other"]),
        (file, "files", &["/sys/kernel"]),
        (file_there, "allow-disk", &[]),
        (silent, "files-owner", &["no-such-user"]),
        (silent, "render", &["no colon"]),
        (render, "owner", &["no-such-user"]),
        (render, "mode", &["640"]),
        (silent, "timeout", &["0"]),
        (silent, "splay", &["soon"]),
        (run, "log-level", &["warn"]),
        (run, "log-format", &["yaml"]),
        (run, "quiet", &[]),
        (debug, "init", &[]),
        (init, "signal-map", &["TERM:INT", "HUP:none"]),
        (init, "signal-group", &[]),
        (init, "grace", &["5s"]),
        (debug, "mask", &[]),
        (mask, "mask-min", &["32"]),
        (mask, "mask-also", &["PATH"]),
        (debug, "watch", &["1h"]),
        (watch, "on-change", &["signal:HUP"]),
        (watch, "on-loss", &["stop"]),
        (watch, "refresh-signal", &["none"]),
        (debug, "user", &["0:0"]),
        (debug, "no-new-privs", &[]),
        (debug, "umask", &["027"]),
        (debug, "chdir", &["/"]),
        (debug, "argv0", &["other"]),
        (debug, "nice", &["1"]),
        (debug, "rlimit", &["core=0", "nofile=20:30"]),
        (debug, "parent-death-signal", &["TERM"]),
        (redact, "count", &[]),
        (redact, "fail", &[]),
        (check, "names", &[]),
        (check, "json", &[]),
        (set, "team", &[]),
        (set_team, "raw", &[]),
        (set_team, "value-file", &["one.env"]),
    ];
    for (command, option, values) in table {
        let place = place();
        let start = |place: &Place, more: &[&str]| {
            let run = place.doorkey(*command).args(more).stdin("value\n");
            let run = run
                .env("X", "1")
                .env("DOORKEY_X", "1")
                .env("DOORKEY_Y", "1");
            if command[0] == "run" {
                run.arg("/usr/bin/env")
            } else {
                run
            }
        };
        // What is stored counts, too.
        let after = |place: &Place, found: (i32, String, String)| {
            let stored = place
                .run(["-q", "-e", "N=secret:team/new?", "printenv", "N"])
                .end()
                .out();
            let _ = std::fs::remove_file(place.path("secrets/team/new.age"));
            (found, stored)
        };
        let variable = format!("DOORKEY_{}", option.to_uppercase().replace('-', "_"));
        let mut given: Vec<String> = values
            .iter()
            .map(|value| format!("--{option}={value}"))
            .collect();
        if values.is_empty() {
            given.push(format!("--{option}"));
        }
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let value = if values.is_empty() {
            "1".to_owned()
        } else {
            values.join("\n")
        };

        let without = after(&place, trace(start(&place, &[])));
        let mut as_option = after(&place, trace(start(&place, &given)));
        let as_variable = after(&place, trace(start(&place, &[]).env(&variable, &value)));
        // A fault names the option as it was given.
        as_option.0.2 = as_option
            .0
            .2
            .replace(&format!("--{option} "), &format!("{variable} "));
        assert_eq!(as_option, as_variable, "--{option}");
        assert_ne!(
            as_option, without,
            "--{option} changes nothing, so this shows nothing"
        );
        // Compose makes an empty variable of an unset one.
        let empty = after(&place, trace(start(&place, &[]).env(&variable, "")));
        assert_eq!(empty, without, "{variable}=''");
        if values.is_empty() {
            for no in ["0", "false", "no", "off", "FALSE"] {
                let off = after(&place, trace(start(&place, &[]).env(&variable, no)));
                assert_eq!(off, without, "{variable}={no}");
            }
        }
    }
    let tested: BTreeSet<_> = table.iter().map(|(_, option, _)| *option).collect();
    let launching = LEAVES
        .iter()
        .filter(|leaf| leaf.words.len() == 1 || leaf.words == ["secret", "set"]);
    let existing = launching.flat_map(|leaf| leaf.options());
    let existing: BTreeSet<_> = existing.map(|option| option.id).collect();
    let untested: Vec<_> = existing.difference(&tested).copied().collect();
    // What is a server's is tested against one: tests/vault/direct.rs.
    let untested: Vec<_> = untested
        .into_iter()
        .filter(|option| {
            let mut servers = KINDS.iter().filter(|kind| kind.splits);
            let of_server = servers.any(|kind| {
                let mut options = kind.options.iter();
                options.any(|of| of.option.id == *option)
            });
            !option.starts_with("cache") && !of_server
        })
        .collect();
    // Without --pid the machine's own first process would be looked at: tests/launch/join.rs.
    // Some need a file, or another subcommand: env_files.rs, env.rs and manifests.rs there.
    // A console has tests of its own: tests/console/link.rs.
    let elsewhere = [
        "dir",
        "help",
        "idle",
        "interpolate",
        "link-file",
        "listen",
        "null",
        "open",
        "pid",
        "port",
        "strict",
        "unused",
    ];
    assert_eq!(untested, elsewhere, "options without a line in the table");
}

#[test]
fn options_beat_variables_beat_the_file() {
    let place = place();
    place.set("project/three", "a", "three");
    place.set("cluster/us", "a", "us");
    place.write(
        "doorkey.toml",
        "store = 'age:secrets'\nproject = 'web'\ncluster = 'us'\n",
    );
    let print = |reference: &str| {
        let run = place.doorkey(["run", "-q", "-e"]);
        run.arg(format!("A=secret:{reference}"))
    };
    print("a").args(["printenv", "A"]).gives(0, "project\n", "");
    print("cluster/a")
        .args(["printenv", "A"])
        .gives(0, "us\n", "");
    let variable = || print("a").env("DOORKEY_PROJECT", "three");
    variable().args(["printenv", "A"]).gives(0, "three\n", "");
    variable()
        .args(["-p", "none", "printenv", "A"])
        .gives(0, "us\n", "");
    let empty = print("a")
        .env("DOORKEY_PROJECT", "")
        .env("DOORKEY_STORE", "");
    empty.args(["printenv", "A"]).gives(0, "project\n", "");
    let plain = print("a").env("DOORKEY_STORE", "dir:plain");
    plain.args(["printenv", "A"]).gives(0, "plain\n\n", "");
    let both = print("a")
        .env("DOORKEY_STORE", "dir:none")
        .args(["--store", "dir:plain"]);
    both.args(["printenv", "A"]).gives(0, "plain\n\n", "");
    let listed = print("a")
        .env("DOORKEY_LITERAL", "B")
        .args(["--literal", "A", "printenv", "A"]);
    listed.gives(0, "secret:a\n", "");
}

/// A variable must not carry a secret into a wider scope than the command line says.
#[test]
fn where_a_secret_is_set() {
    for (options, variables, scope) in [
        (&["--team"][..], &[][..], "team"),
        (
            &["--team"],
            &[("PROJECT", "web"), ("CLUSTER", "eu")],
            "team",
        ),
        (&["--project", "web"], &[], "project/web"),
        (
            &["--project", "web"],
            &[("TEAM", "1"), ("CLUSTER", "eu")],
            "project/web",
        ),
        (
            &["--cluster", "eu"],
            &[("TEAM", "1"), ("PROJECT", "web")],
            "cluster/eu",
        ),
        (&[], &[("TEAM", "1")], "team"),
        (&[], &[("PROJECT", "web")], "project/web"),
    ] {
        let place = Place::with_store();
        let mut run = place
            .doorkey(["secret", "set", "s", "--store", "age:secrets"])
            .args(options);
        for (name, value) in variables {
            run = run.env(format!("DOORKEY_{name}"), value);
        }
        let said = format!("doorkey: s is set in {scope} of age:secrets\n");
        run.stdin("x").gives(0, "", &said);
        assert!(
            place.path(&format!("secrets/{scope}/s.age")).exists(),
            "{scope}"
        );
    }
    let place = Place::with_store();
    place
        .doorkey(["secret", "set", "s", "--store", "age:secrets"])
        .stdin("x")
        .fails(
            2,
            "doorkey: error: which scope? give --project ID, --cluster ID or --team\n",
        );
}

#[test]
fn the_configuration_is_looked_for_upwards() {
    let place = place();
    place.write("doorkey.toml", "store = 'age:secrets'\n");
    place.write("below/secrets/recipients.txt", "not this one");
    std::fs::create_dir_all(place.path("deep/er")).unwrap();
    std::fs::create_dir_all(place.path("below/deep")).unwrap();
    let print = |options: &[&str]| {
        let run = place
            .doorkey(["run", "-q", "-e", "A=secret:a"])
            .args(options);
        run.args(["printenv", "A"])
    };
    print(&[]).gives(0, "team\n\n", "");
    // The store's place starts from the file, wherever it was found.
    print(&[])
        .dir(place.path("deep/er"))
        .gives(0, "team\n\n", "");
    print(&[])
        .dir(place.path("below/deep"))
        .gives(0, "plain\n\n", "");
    print(&["--cwd", "below/deep"]).gives(0, "plain\n\n", "");
    print(&["--config", "below/doorkey.toml"]).gives(0, "plain\n\n", "");
    print(&["--config", "../doorkey.toml"])
        .dir(place.path("below"))
        .gives(0, "team\n\n", "");
    print(&["--cwd", "none"]).fails(
        125,
        "doorkey: error: --cwd: can't read none: no such file or directory\n",
    );
    print(&["--config", "none.toml"]).fails(
        125,
        "doorkey: error: --config: can't read none.toml: no such file or directory\n",
    );
    // A named store starts from the working directory, and --cwd changes only where to look.
    print(&["--store", "dir:plain", "--cwd", "below"]).gives(0, "plain\n\n", "");
    let pwd = place.doorkey(["run", "-q", "--cwd", "below", "pwd"]);
    pwd.gives(
        0,
        &format!(
            "{}\n",
            place.path("").display().to_string().trim_end_matches('/')
        ),
        "",
    );
}

/// What was meant may be the safer one.
#[test]
fn a_flag_that_says_neither_yes_nor_no() {
    let place = Place::new();
    for variable in [
        "DOORKEY_MASK",
        "DOORKEY_NO_NEW_PRIVS",
        "DOORKEY_REQUIRE_TLS",
    ] {
        let run = || place.doorkey(["run", "-q", "true"]);
        let said = format!("doorkey: error: {variable} must be 1 or 0, or true or false\n");
        run().env(variable, "ture").fails(125, &said);
        run().env(variable, "off").gives(0, "", "");
    }
    let given = place.doorkey(["run", "-q", "--clear-env", "true"]);
    given.env("DOORKEY_CLEAR_ENV", "ture").gives(0, "", "");
}

/// A value may stand where the name of its variable belongs.
#[test]
fn a_name_that_looks_like_a_value_is_not_shown() {
    let place = Place::with_store();
    let run = place.doorkey(["run", "--keep-env", "hvs.CAESIJ1canary", "true"]);
    let ended = run.end();
    assert_eq!(ended.code(), 0);
    assert!(
        ended
            .err()
            .contains("--keep-env [not shown]: there is no such variable"),
        "{}",
        ended.err()
    );
}
