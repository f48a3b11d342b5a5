//! Names that nobody meant: those by which programs would run what a secret says, and those that
//! options, variables and specs give and nothing has.

use support::{Place, Run};

/// A store of plain files, in which each secret's value is `v`.
fn plain(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        place.write(&format!("plain/{name}"), "v");
    }
    place
}

/// `doorkey run` on that store, without anything inherited; the workload is `env`.
fn run(place: &Place, words: &str) -> Run {
    let run = place.doorkey(["run", "--store", "dir:plain", "--log-level", "warn"]);
    let run = run.args(words.split_whitespace());
    run.args(["--", "/usr/bin/env"])
        .without("PATH")
        .without("HOME")
}

#[test]
fn a_secret_that_programs_would_run_is_not_added() {
    let executing = [
        "BASH_ENV",
        "ENV",
        "GIT_EXEC_PATH",
        "GIT_SSH_COMMAND",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "NODE_OPTIONS",
        "PATH",
        "PERL5OPT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYOPT",
    ];
    let others = ["GIT_TOKEN", "LD_SDK_KEY", "NODE_ENV", "path"];
    let place = plain(&[&executing[..], &others[..]].concat());
    let added = "GIT_TOKEN=v\nLD_SDK_KEY=v\nNODE_ENV=v\npath=v\n";
    let warning = |names: &[&str]| {
        let names = names.join(", ");
        format!(
            "doorkey: warning: --all: not added, as programs run code by these variables: \
             {names}; --keep-env NAME adds one\n"
        )
    };
    run(&place, "--all").gives(0, added, &warning(&executing));
    // Who names one means it, and who assigns one has said what it is.
    let kept = run(
        &place,
        "--all --keep-env IFS -e ENV=prod -e RUBYOPT=secret:path",
    );
    let rest: Vec<_> = executing
        .into_iter()
        .filter(|name| !["IFS", "ENV", "RUBYOPT"].contains(name))
        .collect();
    let added = format!(
        "ENV=prod\nRUBYOPT=v\n{}",
        added.replace("LD_", "IFS=v\nLD_")
    );
    kept.gives(0, &added, &warning(&rest));
}

#[test]
fn a_secret_is_not_added_under_a_name_of_doorkeys_own() {
    let place = plain(&["DOORKEY_KEY", "a"]);
    let warning = "doorkey: warning: --all: not added, as these variables are doorkey's or the \
                   store's own: DOORKEY_KEY; --keep-env NAME adds one\n";
    run(&place, "--all").gives(0, "a=v\n", warning);
}

#[test]
fn names_that_nothing_has_are_warned_of() {
    let place = plain(&["token"]);
    let gone = |what: &str, meant: &str| {
        format!("doorkey: warning: {what}: there is no such variable{meant}\n")
    };
    run(&place, "--literal PASSWROD --keep-env OTHER -e PASSWORD=1").gives(
        0,
        "PASSWORD=1\n",
        &(gone("--literal PASSWROD", "; did you mean PASSWORD?") + &gone("--keep-env OTHER", "")),
    );
    // What is inherited, assigned anywhere, or added has the name.
    let words = "--clear-env --keep-env A --keep-env token --literal B --literal DOORKEY_C --all";
    run(
        &place,
        &format!("{words} -e B=secret: -e DOORKEY_C=1 --keep-env DOORKEY_C"),
    )
    .env("A", "1")
    .gives(0, "A=1\nB=secret:\nDOORKEY_C=1\ntoken=v\n", "");
    let listed = run(&place, "")
        .env("DOORKEY_LITERAL", "A,B\nC")
        .env("B", "secret:");
    let warnings = ["A", "C"]
        .map(|name| gone(&format!("--literal {name}"), ""))
        .concat();
    listed.gives(0, "B=secret:\n", &warnings);
}

#[test]
fn variables_that_stand_for_no_option_are_warned_of() {
    let place = plain(&["a"]);
    let warning = |text: &str| format!("doorkey: warning: {text}\n");
    let said = warning("DOORKEY_PROJCT stands for no option; did you mean DOORKEY_PROJECT?");
    run(&place, "")
        .env("DOORKEY_PROJCT", "web")
        .gives(0, "", &said);
    let said = warning("DOORKEY_ANYTHING_AT_ALL stands for no option");
    run(&place, "")
        .env("DOORKEY_ANYTHING_AT_ALL", "")
        .gives(0, "", &said);
    let list = place.doorkey(["secret", "list", "--team", "--store", "dir:plain"]);
    let said = warning("DOORKEY_STOER stands for no option; did you mean DOORKEY_STORE?");
    assert_eq!(list.env("DOORKEY_STOER", "x").ok().err(), said);
    // Those of other subcommands are known, and one that is passed on is the workload's.
    let run = run(&place, "--keep-env DOORKEY_MINE")
        .env("DOORKEY_MINE", "1")
        .env("DOORKEY_KEY", "")
        .env("DOORKEY_SPEC_PATH", "env")
        .env("DOORKEY_VALUE_FILE", "x")
        .env("DOORKEY_ORDER_BY", "name");
    run.gives(0, "DOORKEY_MINE=1\n", "");
}

/// To compare each of very many with all there are would take minutes.
#[test]
fn what_is_not_mistyped_but_many_is_not_compared() {
    let place = plain(&["a"]);
    let many = 3_000;
    let kept: String = (0..many)
        .map(|at| format!(" --keep-env THERE{at}"))
        .collect();
    let kept = (0..100).fold(run(&place, &kept), |run, at| {
        run.env(format!("THERE_{at}"), "1")
    });
    let mistyped = (0..many).fold(run(&place, ""), |run, at| {
        run.env(format!("DOORKEY_PROJECT{at}"), "x")
    });
    for one in [kept, mistyped] {
        let err = one.ok().err();
        let hints = err.lines().filter(|line| line.contains("did you mean"));
        let hints = hints.count();
        assert_eq!(err.lines().count(), many);
        assert!((1..many).contains(&hints), "{hints}");
    }
}

#[test]
fn a_key_that_a_variable_of_a_spec_can_not_have_is_a_fault() {
    let place = plain(&["a"]);
    let none = "a variable has no such key";
    let alone = "a variable has a name, and a value or a valueFrom, and no other key";
    for (item, at, meant) in [
        (
            "{name: A, vlaue: secret:a}",
            "2:13",
            "; did you mean value?",
        ),
        ("{Name: A, value: secret:a}", "2:4", "; did you mean name?"),
        ("{name: A, canary: 1}", "2:13", ""),
    ] {
        place.write("spec.yaml", format!("env:\n- {item}\n"));
        let what = if meant.is_empty() { alone } else { none };
        let fault = format!("doorkey: error: spec.yaml:{at}: {what}{meant}\n");
        run(&place, "--spec spec.yaml").fails(125, &fault);
    }
}

#[test]
fn an_option_that_does_nothing_alone_is_refused() {
    let place = plain(&["a"]);
    for (words, needed) in [
        ("--spec-path env", "--spec"),
        ("--cache-recipient age1", "--cache"),
        ("--cache-max-age 1h", "--cache"),
    ] {
        let option = words.split(' ').next().unwrap();
        let said = format!("doorkey: error: {option} needs {needed}\n");
        run(&place, words).fails(125, &said);
    }
}
