//! What becomes of a reference's value on its way from outside: optional references, members and
//! filters, one pass only, and what the kernel would not take.

use support::Place;

/// A store with one name.
fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "a", "a-team");
    place
}

fn fault(variable: &str, name: &str, cause: &str) -> String {
    format!("doorkey: error: {variable}: secret:{name}: {cause}\n")
}

#[test]
fn optional_references() {
    let place = place();
    for (value, out) in [
        ("secret:none?", "unset"),
        ("secret:team/none?", "unset"),
        (
            "secret:none?text}with ${secret:a}",
            "[text}with ${secret:a}]",
        ),
        ("secret:none|base64?text", "[text]"),
        ("secret:none#member?text", "[text]"),
        ("${secret:none?}", "[]"),
        ("x${secret:none?}y", "[xy]"),
        ("x${secret:none?text}y}", "[xtexty}]"),
        ("${secret:none?}${secret:a?text}", "[a-team]"),
        ("secret:a?text", "[a-team]"),
        ("secret:a?", "[a-team]"),
    ] {
        let shell = "if [ -n \"${X+set}\" ]; then printf '[%s]' \"$X\"; else printf unset; fi";
        let run = place.run(["-q", "--", "sh", "-c", shell]).env("X", value);
        run.gives(0, out, "");
    }
}

#[test]
fn optional_covers_a_missing_name_only() {
    let place = place();
    place.set("team", "json", r#"{"a":1}"#);
    place.write("secrets/team/broken.age", "x");
    let corrupt = "team of age:secrets: corrupt: it is no age file; restore it or set it again";
    for (name, rest, cause) in [
        ("json", "#b", "the secret in team has no such member"),
        (
            "a",
            "#b",
            "a member is asked for, but the secret in team is not JSON",
        ),
        (
            "a",
            "|base64decode",
            "base64decode: the value from team is not base64",
        ),
        (
            "project/a",
            "",
            "no project is in force; give --project ID or DOORKEY_PROJECT",
        ),
        (
            "cluster/none",
            "",
            "no cluster is in force; give --cluster ID or DOORKEY_CLUSTER",
        ),
        ("broken", "", corrupt),
    ] {
        for text in ["", "text"] {
            for (before, after) in [("secret:", ""), ("x${secret:", "}y")] {
                let value = format!("{before}{name}{rest}?{text}{after}");
                place
                    .run(["true"])
                    .env("X", value)
                    .fails(125, &fault("X", name, cause));
            }
        }
    }
    let malformed = "doorkey: error: X: malformed reference: column 9: a character that can't \
                     stand in a reference; to pass the value on as it is, use --literal X\n";
    place
        .run(["true"])
        .env("X", "secret:a b?")
        .fails(125, malformed);
}

#[test]
fn members_and_filters() {
    let place = Place::with_store();
    let json =
        r#"{"user":"app","pass":"p@ss/\u00e9\n","port":5432,"list":[1, {"x":null}],"a.b":" c "}"#;
    place.set("team", "json", json);
    place.set("team", "pass", " p@ss wört/%\n");
    place.set("team", "encoded", "cEBzcw==\n");
    for (reference, value) in [
        ("json#user", "app"),
        ("json#pass", "p@ss/é\n"),
        ("json#port", "5432"),
        ("json#list", r#"[1, {"x":null}]"#),
        ("json#list.1.x", "null"),
        ("json#a.b", " c "),
        ("json#a.b|trim", "c"),
        ("json#pass|trim|urlencode", "p%40ss%2F%C3%A9"),
        ("json", json),
        ("pass", " p@ss wört/%\n"),
        ("pass|trim", "p@ss wört/%"),
        ("pass|urlencode", "%20p%40ss%20w%C3%B6rt%2F%25%0A"),
        ("pass|trim|base64", "cEBzcyB3w7ZydC8l"),
        ("pass|trim|base64|base64decode", "p@ss wört/%"),
        ("encoded|base64decode", "p@ss"),
        ("encoded|base64decode|urlencode", "p%40ss"),
    ] {
        for (given, out) in [
            (format!("secret:{reference}"), format!("{value}\n")),
            (format!("<${{secret:{reference}}}>"), format!("<{value}>\n")),
        ] {
            place
                .run(["-q", "printenv", "X"])
                .env("X", given)
                .gives(0, &out, "");
        }
    }
}

#[test]
fn a_secret_is_never_read_as_a_reference() {
    let place = place();
    place.set("team", "whole", "secret:a");
    place.set("team", "inline", "x${secret:a}y$${secret:a}secret::z");
    place.set("team", "half", "${sec");
    let run = place.run(["-q", "printenv", "V", "W", "X", "Y"]);
    run.env("V", "secret:whole")
        .env("W", "secret:inline")
        .env("X", "<${secret:inline}|${secret:whole}>")
        .env("Y", "${secret:half}ret:a}")
        .gives(
            0,
            "secret:a\nx${secret:a}y$${secret:a}secret::z\n\
             <x${secret:a}y$${secret:a}secret::z|secret:a>\n${secret:a}\n",
            "",
        );
}

#[test]
fn what_the_kernel_would_not_take() {
    let place = Place::with_store();
    place.set("team", "nul", "a\0b");
    // `X=` and the NUL at the end take three bytes.
    place.set("team", "almost", "x".repeat(60_000));
    place.set("team", "rest", "x".repeat(11_069));
    let nul = "the value contains a NUL byte, which an environment can't hold";
    let fault = format!("doorkey: error: X: {nul}\n");
    place
        .run(["true"])
        .env("X", "secret:nul")
        .gives(125, "", &fault);
    let full = "${secret:almost}${secret:almost}${secret:rest}";
    let fits = place.run(["-q", "sh", "-c", "printf %s \"$X\" | wc -c"]);
    fits.env("X", full).gives(0, "131069\n", "");
    let long = "NAME=value takes 131073 bytes, the kernel takes at most 131072; deliver it in a \
                file: X_FILE=secret:…|file";
    let fault = format!("doorkey: error: X: {long}\n");
    place
        .run(["true"])
        .env("X", format!("{full}y"))
        .gives(125, "", &fault);
    // A quarter of a stack of 512 KiB is 128 KiB.
    let mut run = place.run(["-q", "--clear-env", "--", "true"]);
    run = run
        .env("X", "${secret:almost}${secret:almost}")
        .env("LONG", "secret:almost");
    run = run.env("DOORKEY_KEEP_ENV", "X\nLONG");
    let program = run.command.get_program().to_owned();
    let mut limited = place.doorkey(["x"]);
    limited.command = std::process::Command::new("prlimit");
    limited.command.current_dir(place.path("")).env_clear();
    limited
        .command
        .envs(run.command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    limited
        .command
        .arg("--stack=524288")
        .arg(program)
        .args(run.command.get_args());
    let ended = limited.end();
    let message = "doorkey: error: arguments and environment need N bytes, the kernel takes \
                   131072; the longest variable is X; deliver it in a file: X_FILE=secret:…|file\n";
    // How much the command's own name adds is the launch's business.
    let need = ended
        .err()
        .split(' ')
        .find_map(|word| word.parse().ok())
        .unwrap_or(0_u32);
    assert!((180_000..182_000).contains(&need), "{}", ended.err());
    let message = message.replace("N", &need.to_string());
    assert_eq!(
        (ended.code(), ended.err(), ended.out()),
        (125, message, String::new())
    );
}
