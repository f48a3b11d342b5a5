//! Completions in real shells at a terminal: subcommands, options, and what a local store has.

use doorkey::cli::command_line::LEAVES;
use support::Place;
use support::pty::{Terminal, program};

const VALUE: &str = "canary-cmpl-31af";

/// A store with a name in each scope, and `doorkey.toml` that names it.
fn place() -> Place {
    let place = Place::new();
    place.write("doorkey.toml", "store = \"age:secrets\"\n");
    place.doorkey(["store", "init", "secrets", "-q"]).ok();
    place.set("project/webshop", "db_password", VALUE);
    place.set("cluster/europe", "db_user", VALUE);
    place.set("team", "smtp_host", VALUE);
    place
}

/// A shell at a terminal, with the completions in force.
fn shell(place: &Place, name: &str) -> Terminal {
    let (words, start): (&[&str], _) = match name {
        "bash" => (
            &["bash", "--norc", "--noprofile", "-i"],
            "source <(doorkey completions bash)",
        ),
        "zsh" => (
            &["zsh", "-f", "-i"],
            "autoload -U compinit; compinit -u -D; source <(doorkey completions zsh)",
        ),
        _ => (
            &["fish", "--no-config", "-i"],
            "doorkey completions fish | source",
        ),
    };
    let mut run = program(place, words);
    run.command.env("HOME", place.path("home"));
    let mut terminal = Terminal::start(run);
    terminal.types(format!("{start}; echo re''ady\r"));
    terminal.wait_for("ready");
    terminal
}

#[test]
fn in_each_shell() {
    for name in ["bash", "zsh", "fish"] {
        let place = place();
        let mut terminal = shell(&place, name);
        for (typed, completed) in [
            ("doorkey che\t", "doorkey check"),
            ("doorkey secret del\t", "doorkey secret delete"),
            ("doorkey run --log-l\t", "--log-level="),
            ("doorkey run -p web\t", "webshop"),
            ("doorkey run --cluster=eu\t", "europe"),
            ("doorkey secret get smt\t", "smtp_host"),
            ("doorkey secret get --cluster europe db\t", "db_user"),
        ] {
            // What stands on the line is thrown away, and a word says where the next one begins.
            terminal.types("\x15");
            terminal.types("echo ne''xt\r");
            terminal.wait_for("next");
            terminal.types(typed);
            terminal.wait_for(completed);
        }
        terminal.types("\x15exit\r");
        let (_, screen, _) = terminal.end();
        assert!(!screen.contains(VALUE), "{name}");
    }
}

/// What the shells get, one candidate a line.
#[test]
fn the_candidates() {
    let place = place();
    let of = |words: &[&str]| {
        place
            .doorkey(["completions", "zsh", "--"])
            .args(words)
            .ok()
            .out()
    };
    let first: Vec<String> = of(&[""])
        .lines()
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect();
    let mut words: Vec<_> = LEAVES.iter().map(|leaf| leaf.words[0]).collect();
    words.dedup();
    assert_eq!(first, words);
    for leaf in LEAVES {
        let words = [leaf.words, &["--"]].concat();
        let found = of(&words);
        for option in leaf.options() {
            assert!(
                found
                    .lines()
                    .any(|line| line.starts_with(&format!("--{}", option.id))),
                "{words:?}"
            );
        }
    }
    assert_eq!(
        of(&["secret", "get", ""]),
        "db_password\ndb_user\nsmtp_host\n"
    );
    assert_eq!(of(&["secret", "get", "--team", ""]), "smtp_host\n");
    assert_eq!(
        of(&["secret", "get", "--project=webshop", "db"]),
        "db_password\n"
    );
    assert_eq!(of(&["check", "--project=w"]), "--project=webshop\n");
    assert_eq!(of(&["check", "--store", "dir:none", "-p", ""]), "");
    assert_eq!(of(&["completions", ""]), "bash\nfish\nzsh\n");
    // Words of the workload are its own.
    assert_eq!(of(&["run", "-p", "webshop", "--", ""]), "");
    assert_eq!(of(&["run", "server", "--proj"]), "");
    assert_eq!(of(&["nothing", ""]), "");
    // Bash splits words, and replaces the text behind the last sign of these.
    let bash = |words: &[&str]| {
        place
            .doorkey(["completions", "bash", "--"])
            .args(words)
            .ok()
            .out()
    };
    assert_eq!(bash(&["check", "--project", "=", "w"]), "webshop\n");
    assert_eq!(bash(&["check", "--project", "="]), "webshop\n");
    assert_eq!(
        bash(&[
            "check",
            "--store",
            "=",
            "age",
            ":",
            "secrets",
            "--project",
            "=",
            ""
        ]),
        "webshop\n"
    );
}

/// No server is asked, and no program is started.
#[test]
fn other_stores_are_left_alone() {
    let place = place();
    place.write("program", "#!/bin/sh\ntouch started\n");
    for store in ["exec:./program", "vault:secret/app", "k8s:", "aws-sm:app"] {
        let run = place.doorkey([
            "completions",
            "zsh",
            "--",
            "check",
            "--store",
            store,
            "-p",
            "",
        ]);
        run.env("VAULT_ADDR", "http://127.0.0.1:1").gives(0, "", "");
    }
    assert!(!place.path("started").exists());
}
