//! No value is printed by `doorkey secret` and `doorkey store`: values are planted wherever one can
//! come from, and searched for in all that comes out, at the most talkative level, in both formats,
//! on every path that fails and on those that don't.

use std::fs;

use support::{Place, Run};

/// Part of every value.
const CANARY: &str = "kanarienvogel4711";

/// Runs in both formats, and expects success or failure, and nothing of a value in what comes out.
#[track_caller]
fn is_silent(make: impl Fn() -> Run, succeeds: bool) {
    for format in ["text", "json"] {
        let run = make().args(["--log-level", "trace", "--log-format", format]);
        let shown = format!("{:?}", run.command);
        let ended = run.end();
        assert_eq!(ended.code() == 0, succeeds, "{shown}: {}", ended.err());
        assert!(
            !ended.err().contains("internal error"),
            "{shown}: {}",
            ended.err()
        );
        assert!(ended.code() == 0 || !ended.err().is_empty(), "{shown}");
        let out = ended.out() + &ended.err();
        assert!(
            !out.contains("kanarien") && !out.contains("vogel"),
            "{shown}: {out}"
        );
        // A key is described, never shown.
        let out = out.replace("AGE-SECRET-KEY-1…", "");
        assert!(!out.contains("AGE-SECRET-KEY"), "{shown}: {out}");
    }
}

/// A store with canaries in three scopes, one of which the key `own` does not open; the key `web`
/// opens only that one.
fn store() -> Place {
    let (place, own) = Place::with_own_key();
    let web = place.key("web");
    for scope in ["team", "cluster/eu", "project/web", "project/open"] {
        place.set(scope, "a", format!("{CANARY} {scope}"));
        place.set(scope, "b", format!("{{\"{CANARY}\": \"{CANARY}\"}}"));
    }
    place
        .with("own", &format!("store recipient add {web} -p web"))
        .ok();
    place
        .with("own", &format!("store recipient remove {own} -p web"))
        .ok();
    place
}

#[test]
fn values_from_standard_input_and_files() {
    let place = store();
    let large = CANARY.repeat(5000);
    place.write("large", &large);
    place.write("good", CANARY);
    place.write("empty", "");
    for words in [
        "secret create a --team",
        "secret update new --team",
        "secret update new -p nowhere",
        "secret create 9 --team",
        "secret set a.b --team",
        "secret set new",
        "secret set new --team -p web",
        "secret set new --team --nonsense",
        "secret set new --team --store age:nowhere",
        "secret set new --team --store dir:home",
        "secret set new --team --store nowhere",
        "secret set new --team --config nowhere",
        "secret set new --team --value-file nowhere",
        "secret set new --team --value-file home",
        "secret set new --team --value-file empty",
        "secret set new --team --value-file large",
        "secret create a --team --value-file good",
    ] {
        is_silent(|| place.with("own", words).stdin(CANARY), false);
    }
    let stdin = |text: &str| place.on("secret set new --team --raw").stdin(text);
    is_silent(|| stdin(&large), false);
    for words in [
        "set new --team",
        "update new --team -j",
        "set new --team --value-file good",
    ] {
        is_silent(|| place.on(&format!("secret {words}")).stdin(CANARY), true);
    }
}

#[test]
fn values_given_as_arguments() {
    let place = store();
    let private = fs::read_to_string(place.path("own.key")).unwrap();
    let private = private.lines().last().unwrap().to_owned();
    let spaced = format!("{CANARY} x");
    for (words, argument) in [
        ("secret set a --team", CANARY),
        ("secret create a --team", CANARY),
        ("secret update a --team", CANARY),
        ("secret update --team", &format!("a={CANARY}")),
        ("secret set --team", &spaced),
        ("secret get --team", &spaced),
        ("secret delete --team --yes", &spaced),
        ("secret get a --team", CANARY),
        ("secret delete a --team --yes", CANARY),
        ("secret list --team", CANARY),
        ("secret import good --team", CANARY),
        ("secret set a --team", &format!("--value={CANARY}")),
        ("secret set a --team --value", CANARY),
        ("secret set a --team", &format!("--{CANARY}")),
        ("secret set a --team", &format!("-{CANARY}")),
        ("secret set a --team", &format!("--raw={CANARY}")),
        ("secret set a --project", &spaced),
        ("secret set a --cluster", &spaced),
        ("secret set a --team --store", CANARY),
        ("secret list --team --limit", CANARY),
        ("secret list --team --after", CANARY),
        ("secret list --team --order-by", CANARY),
        ("secret list --team --fields", CANARY),
        ("secret", CANARY),
        ("store", CANARY),
        ("store recipient", CANARY),
        ("store recipient add", CANARY),
        ("store recipient add", &private),
        ("store recipient remove", &private),
        ("store recipient list", CANARY),
        ("store check", CANARY),
        ("store init secrets", CANARY),
    ] {
        // What comes last is what is wrong, but for words that are no subcommand.
        let run = || place.with("own", words).stdin("v").arg(argument);
        is_silent(run, false);
    }
    let run = || {
        place
            .on("secret set a --team")
            .env("DOORKEY_LOG_LEVEL", CANARY)
    };
    assert!(!run().end().err().contains(CANARY));
}

#[test]
fn values_in_files_to_import() {
    let place = store();
    for text in [
        format!("A={CANARY}\n9B={CANARY}\n"),
        format!("A={CANARY}\n{CANARY}-x={CANARY}\n"),
        format!("A={CANARY}\n{CANARY}\n"),
        format!("A={CANARY}\nexport {CANARY}\n"),
        format!("A={CANARY}\n{CANARY} {CANARY}\n"),
        format!("A={CANARY}\n={CANARY}\n"),
        format!("A={CANARY}\n'{CANARY}'\n"),
        format!("A={CANARY}\n{{\"{CANARY}\": 1}}\n"),
        format!("A={CANARY}\nB='{CANARY}\n"),
        format!("A={CANARY}\nB=\"{CANARY}\" {CANARY}\n"),
        format!("A={CANARY}\nB={}\n", CANARY.repeat(5000)),
        format!("A={CANARY}\n{}=1\n", CANARY.repeat(20)),
    ] {
        place.write("some.env", &text);
        for words in [
            "some.env --team --yes",
            "some.env --team --dry-run",
            "- --team --yes -j",
        ] {
            let run = || place.on(&format!("secret import {words}")).stdin(&text);
            is_silent(run, false);
        }
    }
    // An empty value is skipped, and its name is not shown.
    let text = format!("A={CANARY}\n{CANARY}=\n");
    let run = || place.on("secret import - --team --yes -j").stdin(&text);
    is_silent(run, true);
    place.write("some.env", format!("a={CANARY}\n"));
    for words in [
        "--team",
        "",
        "-p web --store dir:home",
        "-g --store age:nowhere",
    ] {
        is_silent(
            || place.on(&format!("secret import some.env {words}")),
            false,
        );
    }
    for words in ["--dry-run", "--yes", "--yes -j"] {
        is_silent(
            || place.on(&format!("secret import some.env --team {words}")),
            true,
        );
    }
}

#[test]
fn values_in_the_store() {
    let place = store();
    let new = place.key("new");
    for words in [
        "secret get a -p web --reveal",
        "secret get nothing --team --reveal",
        "secret get aa --team",
        "secret delete a --team",
        "secret delete nothing --team --yes",
        "secret list",
        "store recipient remove age1qqqq",
        &format!("store recipient remove {new}"),
        &format!("store recipient add {new} -p web"),
        "store check",
        "store init secrets",
    ] {
        is_silent(|| place.with("own", words), false);
    }
    for words in [
        "secret get a --team",
        "secret get a -p web -j",
        "secret list --all -j -F name,size,recipients",
        "secret list --team",
        &format!("store recipient add {new}"),
        "store recipient list -j",
        "store check --key-file web.key --store age:only",
    ] {
        if words.ends_with("only") {
            // A store in which the key opens everything.
            place
                .shell("mkdir -p only && cp -r secrets/project only/")
                .ok();
            let list = fs::read(place.path("secrets/project/web/recipients.txt")).unwrap();
            place.write("only/recipients.txt", list);
            fs::remove_dir_all(place.path("only/project/open")).unwrap();
        }
        is_silent(|| place.with("own", words), true);
    }
    let remove = format!("store recipient remove {new} -j");
    let again = place
        .with("own", &remove)
        .args(["--log-level", "trace"])
        .ok();
    assert!(!(again.out() + &again.err()).contains(CANARY));
    is_silent(|| place.with("own", &remove), true);
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let place = store();
    let new = place.key("new");
    let whole = fs::read(place.path("secrets/team/a.age")).unwrap();
    let commands = [
        "secret get a --team --reveal".to_owned(),
        "store check".to_owned(),
        format!("store recipient add {new}"),
    ];
    let all = |place: &Place| {
        for words in &commands {
            is_silent(|| place.with("own", words), false);
        }
    };
    for contents in [
        CANARY.as_bytes().to_vec(),
        format!("age-encryption.org/v1\n-> {CANARY}\n{CANARY}\n").into_bytes(),
        format!("-----BEGIN AGE ENCRYPTED FILE-----\n{CANARY}\n").into_bytes(),
        [&whole[..], CANARY.as_bytes()].concat(),
        whole[..whole.len() - 5].to_vec(),
    ] {
        place.write("secrets/team/a.age", contents);
        all(&place);
    }
    place.write("secrets/team/a.age", whole);

    let list = fs::read(place.path("secrets/recipients.txt")).unwrap();
    place.write("secrets/recipients.txt", format!("{CANARY}\n"));
    for words in [
        "secret set a --team",
        "store check",
        "store recipient list",
        &commands[2],
    ] {
        is_silent(|| place.with("own", words).stdin(CANARY), false);
    }
    place.write("secrets/recipients.txt", list);

    let own = fs::read_to_string(place.path("own.key")).unwrap();
    let private = own.lines().last().unwrap();
    for key in [
        CANARY.to_owned(),
        format!("{private}x"),
        private.replace('1', "2"),
        format!("{own}{CANARY}"),
    ] {
        for words in &commands {
            is_silent(|| place.on(words).env("DOORKEY_KEY", &key), false);
        }
        place.write("own.key", &key);
        all(&place);
    }
    place.write("doorkey.toml", format!("store = {CANARY}\n"));
    is_silent(|| place.on("secret list --team"), false);
    place.write("doorkey.toml", format!("{CANARY} = 1\n"));
    is_silent(|| place.on("secret list --team"), false);
}
