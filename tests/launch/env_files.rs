//! Env files as people have them: every bad line is said, what is no text too, and variables in
//! braces.

use support::{Place, Run};

fn run(place: &Place, file: &str) -> Run {
    place.doorkey(["run", "--env-file", file, "printenv", "V"])
}

const COMMENT: &str = "a comment stands in the value's place; a value that begins so needs quotes";

#[test]
fn every_bad_line_is_said() {
    let place = Place::new();
    place.write(
        "a.env",
        "A B=1\nV= # canary\nC=\"canary\nD=2\n=3\nE=4 # fine\n",
    );
    run(&place, "a.env").fails(
        125,
        &format!(
            "doorkey: error: a.env:1:3: a name has no blank in it\n\
             doorkey: error: a.env:2:4: {COMMENT}\n\
             doorkey: error: a.env:3:3: the quote is never closed\n\
             doorkey: error: a.env:5:1: a name is missing\n"
        ),
    );
    for blank in [" ", "\t", "  \t", "\u{a0}", "\u{3000}", "\u{2003} "] {
        place.write("a.env", format!("V={blank}# canary"));
        let ended = run(&place, "a.env").end();
        let err = ended.err();
        assert!(
            ended.code() == 125 && err.contains(COMMENT),
            "{blank:?}: {err}"
        );
        assert!(!err.contains("canary"));
    }
    for (value, meant) in [
        ("'# x'", "# x"),
        ("#x", "#x"),
        ("x # y", "x"),
        ("\"\" # y", ""),
    ] {
        place.write("a.env", format!("V={value}\n"));
        run(&place, "a.env").gives(0, &format!("{meant}\n"), "");
    }
}

#[test]
fn files_that_are_no_usual_text() {
    let place = Place::new();
    let utf_16 = |text: &str, big: bool| -> Vec<u8> {
        let units = text.encode_utf16();
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let is_utf_16 = "1:1: this is UTF-16; save it as UTF-8";
    let cr = "a CR that ends no line stands here; save the file with LF as line ends";
    let mark = "a byte order mark stands here, which belongs at a file's beginning";
    for (text, said) in [
        (utf_16("\u{feff}V=canary\r\n", false), is_utf_16.to_owned()),
        (utf_16("\u{feff}V=canary\r\n", true), is_utf_16.to_owned()),
        (utf_16("V=canary\r\n", false), is_utf_16.to_owned()),
        (utf_16("V=canary\r\n", true), is_utf_16.to_owned()),
        (b"V=canary\rW=canary\r".to_vec(), format!("1:9: {cr}")),
        (b"# canary\rV=canary\r".to_vec(), format!("1:9: {cr}")),
        (
            "V=canary\n\u{feff}W=canary\n".into(),
            format!("2:1: {mark}"),
        ),
    ] {
        place.write("a.env", text);
        run(&place, "a.env").fails(125, &format!("doorkey: error: a.env:{said}\n"));
    }
    place.write("a.env", "\u{feff}V=fine\r\n");
    run(&place, "a.env").gives(0, "fine\n", "");
}

#[test]
fn standard_input_is_a_file() {
    let place = Place::new();
    run(&place, "-").stdin("V=1\n").gives(0, "1\n", "");
    let said = "doorkey: error: standard input:1:1: a name is missing\n";
    run(&place, "-").stdin("=1\n").fails(125, said);
    let watched = run(&place, "-").env("DOORKEY_WATCH", "10s").stdin("V=1\n");
    let said =
        "doorkey: error: --watch needs files that can be read again: standard input is none\n";
    watched.fails(125, said);
}

#[test]
fn variables_in_braces() {
    let place = Place::with_store();
    place.set("team", "db_password", "canary");
    let text = "A=${HOST}:${PORT:-5432}\nV=${A}/d\nC='${C}'\nD=\"\\${D}\"\nE=pa$word$$\n\
                F=${secret:db_password}\n";
    place.write("a.env", text);
    let on = |options: &[&str]| {
        let run = place
            .run(["--env-file", "a.env"])
            .args(options)
            .env("HOST", "db");
        run.args([
            "sh",
            "-c",
            "printf '%s\\n' \"$A\" \"$V\" \"$C\" \"$D\" \"$E\" \"$F\"",
        ])
    };
    let ended = on(&[]).ok();
    assert_eq!(
        ended.out(),
        "${HOST}:${PORT:-5432}\n${A}/d\n${C}\n${D}\npa$word$$\ncanary\n"
    );
    let warning = "doorkey: warning: a.env: not filled in: ${A}, ${HOST}, ${PORT}; --interpolate \
                   does, as Compose would; single quotes end this\n";
    assert!(ended.err().starts_with(warning), "{}", ended.err());
    let ended = on(&["--interpolate", "-q"]).ok();
    assert_eq!(ended.out(), "db:5432\ndb:5432/d\n${C}\n${D}\npa$\ncanary\n");
    place.write("a.env", "A=1\nV=${NONE:?canary}\nW=${NONE\n");
    run(&place, "a.env")
        .arg("-x")
        .env("DOORKEY_INTERPOLATE", "1")
        .fails(
            125,
            "doorkey: error: a.env:2:1: NONE: it has to be set, and is not\n\
         doorkey: error: a.env:3:1: NONE: its ${ is never closed\n",
        );
    // A reference that gets into the middle of a text by that is found there.
    place.write("a.env", "P=secret:db_password\nV=u:${P}@h\n");
    let ended = on(&["--interpolate"]).end();
    let right = "write ${secret:db_password};";
    assert!(
        ended.code() == 125 && ended.err().contains(right),
        "{}",
        ended.err()
    );
}

/// An unset variable is empty, as Compose has it, which is never silent; `${NAME:-}` says it is meant.
#[test]
fn an_unset_variable_is_said() {
    let place = Place::new();
    let said = |file: &str| {
        format!(
            "doorkey: warning: {file}: not set, and empty here: ${{NONE}}, ${{OTHER}}; set it, or \
             write ${{NAME:-}} if it may be\n"
        )
    };
    place.write("a.env", "V=<${NONE}${OTHER}${MAY:-}>\nW=$NONE\n");
    place.write(
        "compose.yml",
        "services:\n  job:\n    environment: ['V=<${NONE}${OTHER}${MAY:-}>', W=$NONE]\n",
    );
    for (option, file) in [("--env-file", "a.env"), ("--spec", "compose.yml")] {
        let run = || place.doorkey(["run", "--interpolate", option, file, "printenv", "V"]);
        run().gives(0, "<>\n", &said(file));
        let set = run().env("NONE", "1").env("OTHER", "");
        set.gives(0, "<1>\n", "");
    }
}
