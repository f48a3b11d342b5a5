//! Nothing secret in anything printed: every failing path, at `--log-level trace`, as text and as
//! JSON, with canaries planted in the store, the key, the environment, files and arguments. None
//! of them, nor its first twelve bytes, plain or encoded, may stand in what doorkey prints.

mod case;
mod cases;

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use case::{AROUND, CANARIES, Case, MEMBER, PLAIN, STORED, TEXT};
use cases::cases;
use support::search::{ENOUGH, forms, found};
use support::{Place, Run};

/// The folder that each case gets a copy of.
fn template() -> Place {
    let place = Place::with_store();
    place.set("team", "db", STORED);
    place.set("team", "json", format!(r#"{{"pass":"{MEMBER}","port":1}}"#));
    place.set("team", "nul", format!("{STORED}\0{STORED}"));
    place.set("team", "large", STORED.repeat(3000));
    place
}

/// A copy of the template. It lies in the build's folder, as on a tmpfs a key file that others
/// can read is no fault; but where another user has to reach it.
fn copy(template: &Place, case: &Case) -> Place {
    let place = if case.unprivileged {
        Place::new()
    } else {
        Place::within(env!("CARGO_TARGET_TMPDIR"))
    };
    for folder in ["secrets", "home"] {
        let status = Command::new("cp")
            .args(["-a", "-T"])
            .args([template.path(folder), place.path(folder)])
            .status();
        assert!(status.unwrap().success());
    }
    place
}

/// The key of a place, without the words that every key begins with.
fn key(place: &Place) -> String {
    let file = fs::read_to_string(place.path("home/.config/doorkey/key.txt")).unwrap();
    let key = file
        .lines()
        .find_map(|line| line.strip_prefix("AGE-SECRET-KEY-1"));
    key.expect("a key").to_owned()
}

/// The environment that every case has beside what it fails with.
fn environment(run: Run) -> Run {
    run.env("DOORKEY_STORE", "age:secrets")
        .env("DOORKEY_LOG_LEVEL", "trace")
        .env("V_PLAIN", PLAIN)
        .env("V_WHOLE", "secret:db")
        .env(
            "V_AROUND",
            format!("{AROUND}${{secret:db|urlencode}}{AROUND}"),
        )
        .env("V_MEMBER", "secret:json#pass|base64")
        .env("V_TEXT", format!("secret:none?{TEXT}"))
        .env("V_INLINE_TEXT", format!("x${{secret:none?{TEXT}}}"))
        .env("V_ESCAPED", format!("secret::{PLAIN}"))
}

/// The control: a launch that succeeds gives its workload every canary that is planted in each
/// case, in all encodings, and this search finds them in what the workload prints.
#[test]
fn the_search_finds_what_is_there() {
    let place = template();
    let key = key(&place);
    let run = environment(place.doorkey(["run", "--keep-env", "DOORKEY_KEY", "/usr/bin/env"]));
    let run = run.env("DOORKEY_KEY", format!("AGE-SECRET-KEY-1{key}"));
    let ended = run.ok();
    let planted = [STORED, MEMBER, TEXT, AROUND, PLAIN, &key];
    assert_eq!(found(&ended.output.stdout, &planted), planted);
    assert_eq!(found(&ended.output.stderr, &planted), [""; 0]);
    for canary in CANARIES {
        for before in 0..3 {
            let text = format!("{}{canary}", "x".repeat(before));
            for text in [
                text.clone(),
                STANDARD.encode(&text),
                forms(canary)[1].clone(),
            ] {
                assert_eq!(
                    found(format!("…{text}…").as_bytes(), &CANARIES),
                    [canary],
                    "{text}"
                );
            }
        }
        assert_eq!(found(&canary.as_bytes()[..ENOUGH], &CANARIES), [canary]);
        assert_eq!(found(&canary.as_bytes()[..ENOUGH - 1], &CANARIES), [""; 0]);
    }
}

#[test]
fn no_failure_prints_a_canary() {
    let template = template();
    let cases = cases();
    let count = cases.len();
    assert!(count >= 40, "{count} failing paths are too few");
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "each has a name of its own");
    std::thread::scope(|scope| {
        for cases in cases.chunks(count.div_ceil(4)) {
            scope.spawn(|| cases.iter().for_each(|case| check(case, &template)));
        }
    });
}

/// The subcommands that resolve an environment.
const RESOLVING: [&[&str]; 5] = [
    &["run"],
    &["check"],
    &["check", "--json"],
    &["check", "--names"],
    &["env"],
];

fn check(case: &Case, template: &Place) {
    let place = copy(template, case);
    case.prepare.iter().for_each(|prepare| prepare(&place));
    // A case may have put another key in the place of the template's.
    let keys = [key(template), key(&place)];
    let searched: Vec<&str> = CANARIES
        .into_iter()
        .chain(keys.iter().map(String::as_str))
        .collect();
    let subcommands = if case.subcommand.is_empty() {
        &RESOLVING[..]
    } else {
        &[case.subcommand]
    };
    for subcommand in subcommands {
        for format in ["text", "json"] {
            let mut run = environment(place.doorkey(*subcommand)).args(&case.arguments);
            if subcommand[0] == "run" {
                run = run.arg("--").args(case.command);
            }
            run = run.env("DOORKEY_LOG_FORMAT", format).stdin(&case.stdin);
            run = case
                .variables
                .iter()
                .fold(run, |run, (name, value)| run.env(name, value));
            if case.unprivileged {
                run = run.unprivileged(&place);
            }
            let ended = run.end();
            let what = format!(
                "{}: {subcommand:?} {format}\n{}{}",
                case.name,
                ended.out(),
                ended.err()
            );
            let text = [&ended.output.stdout[..], &ended.output.stderr].concat();
            assert_eq!(found(&text, &searched), [""; 0], "{what}");
            // What needs no value is no fault where only names are asked for.
            if !subcommand.contains(&"--names") {
                let expected: &[i32] = if subcommand[0] == "run" {
                    &[125, 126, 127]
                } else {
                    &[1, 2]
                };
                assert!(
                    expected.contains(&ended.code()),
                    "it must fail: {}: {what}",
                    ended.code()
                );
                assert!(!ended.err().contains("internal error"), "{what}");
                assert!(ended.err().contains("error"), "{what}");
            }
        }
    }
    let _ = Command::new("chmod")
        .args(["-R", "u+rwx"])
        .arg(place.path(""))
        .status();
}
