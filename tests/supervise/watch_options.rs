//! `run --watch`: what is refused before anything is launched, and where it is asked for.

use std::process::Command;

use support::watched::plain;
use support::{DOORKEY, Place, Run};

fn run(place: &Place, words: &[&str]) -> Run {
    let run = place.doorkey(["run", "--store=dir:plain", "-eA=secret:a"]);
    run.args(words).args(["--", "true"])
}

#[test]
fn usage_errors() {
    let place = plain(&[("a", "one")]);
    let interval = "--watch must be a duration of 10ms or more, such as 60s";
    let change = "--on-change must be restart, none, signal:NAME or exit:CODE, such as signal:HUP";
    let refresh = "--refresh-signal must be a signal that can be caught, or none";
    for (option, message) in [
        ("--watch=0", interval),
        ("--watch=9ms", interval),
        ("--watch=soon", interval),
        ("--watch=-1s", interval),
        ("--on-change=reload", change),
        ("--on-change=restart:now", change),
        ("--on-change=signal", change),
        ("--on-change=signal:", change),
        ("--on-change=signal:NONE", change),
        ("--on-change=signal:0", change),
        ("--on-change=signal:65", change),
        ("--on-change=exit", change),
        ("--on-change=exit:256", change),
        ("--on-change=exit:-1", change),
        ("--on-loss=exit", "--on-loss must be warn or stop"),
        ("--refresh-signal=KILL", refresh),
        ("--refresh-signal=STOP", refresh),
        ("--refresh-signal=CHLD", refresh),
        ("--refresh-signal=SEGV", refresh),
        ("--refresh-signal=0", refresh),
        ("--refresh-signal=any", refresh),
    ] {
        let interval = (!option.starts_with("--watch")).then_some("--watch=1h");
        let words: Vec<&str> = interval.into_iter().chain([option]).collect();
        run(&place, &words).fails(125, &format!("doorkey: error: {message}\n"));
    }
    for (name, value, needs) in [
        ("on-change", "restart", "--init or --watch"),
        ("on-loss", "warn", "--init or --watch"),
        ("refresh-signal", "none", "--watch"),
    ] {
        let option = format!("--{name}={value}");
        let message = format!("doorkey: error: --{name} needs {needs}\n");
        run(&place, &[&option]).fails(125, &message);
        if needs == "--watch" {
            run(&place, &["--init", &option]).fails(125, &message);
        }
    }
}

#[test]
fn what_is_accepted() {
    let place = plain(&[("a", "one")]);
    for words in [
        &["--watch=100ms"][..],
        &["--watch=1000000h"],
        &["--watch=1h", "--init", "--grace=0", "--signal-map=TERM:INT"],
        &[
            "--watch=1h",
            "--on-change=signal:usr1",
            "--refresh-signal=RTMIN+1",
        ],
        &[
            "--watch=1h",
            "--on-change=signal:SIGHUP",
            "--refresh-signal=SIGHUP",
        ],
        &["--watch=1h", "--on-change=exit:0", "--on-loss=stop"],
        &["--watch=584542046y"],
    ] {
        let words = [words, &["-q"]].concat();
        run(&place, &words).gives(0, "", "");
    }
}

#[test]
fn where_it_is_asked_for() {
    let place = plain(&[("a", "one")]);
    let plain = |words: &[&str]| place.doorkey(["run"]).args(words);
    for (run, asked) in [
        (plain(&[]), false),
        (plain(&["--watch", "1h"]), true),
        (plain(&["--watch=1h", "--"]), true),
        (plain(&["-e", "A=--watch"]), false),
        (plain(&[]).env("DOORKEY_WATCH", "60s"), true),
        (plain(&[]).env("DOORKEY_WATCH", ""), false),
    ] {
        let words: Vec<_> = run.command.get_args().map(|word| word.to_owned()).collect();
        assert_eq!(run.has_supervisor(), asked, "{words:?}");
    }
    // It is the workload's own word here.
    plain(&["echo", "--watch=1s"]).gives(0, "--watch=1s\n", "");
}

/// A key that is in a variable would have to stay in the supervisor.
#[test]
fn a_key_in_a_variable_is_refused() {
    let place = Place::with_store();
    place.set("team", "a", "value");
    let words = ["--watch=1h", "-eA=secret:a", "--", "true"];
    let refused = "doorkey: error: --watch needs credentials that can be read again: give \
                   DOORKEY_KEY as a file, DOORKEY_KEY_FILE\n";
    let canary = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQ";
    place
        .run(words)
        .env("DOORKEY_KEY", canary)
        .fails(125, refused);
    place.run(words).arg("x").env("DOORKEY_KEY", "").ok();
    let key = place.path("home/.config/doorkey/key.txt");
    let run = place.run(["-q"]).args(words);
    run.env("DOORKEY_KEY_FILE", key).gives(0, "", "");
    // Whatever the store is.
    let place = plain(&[("a", "one")]);
    let run = run_with(&place, "DOORKEY_KEY", canary);
    run.fails(125, refused);
}

fn run_with(place: &Place, name: &str, value: &str) -> Run {
    run(place, &["--watch=1h"]).env(name, value)
}

#[test]
fn what_is_a_pipe_is_refused() {
    let place = plain(&[("a", "one")]);
    place.write("spec.json", r#"{"env": []}"#);
    for (option, file) in [
        ("--env-file", "/dev/null"),
        ("--spec", "spec.json"),
        ("--key-file", "spec.json"),
    ] {
        let script = format!(
            "cat {file} | \"$0\" run --store=dir:plain --watch=1h {option}=/dev/stdin -- true"
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, DOORKEY])
            .current_dir(place.path(""));
        let mut run = place.doorkey([""; 0]);
        run.command = command;
        let line =
            "doorkey: error: --watch needs files that can be read again: /dev/stdin is a pipe\n";
        run.fails(125, line);
    }
    // What is only led to standard input can be read again.
    let script = "\"$0\" run --store=dir:plain --watch=1h --env-file=/dev/stdin -- true </dev/null";
    let mut shell = Command::new("sh");
    let shell = shell
        .args(["-c", script, DOORKEY])
        .current_dir(place.path(""));
    assert!(shell.status().unwrap().success());
}
