//! Where a workload's environment comes from: inherited, env files, a spec, `--env` and `--all`;
//! what is left out of it; bytes and order kept. The workload is `env`, which prints its own.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::wait::{WaitStatus, waitpid};
use support::{DOORKEY, Ended, Place};

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "a", "a-team");
    place
}

/// `doorkey run` on the store, silent, with nothing inherited but what a test gives.
fn bare(place: &Place, arguments: &[&str]) -> support::Run {
    let key = place.path("home/.config/doorkey/key.txt");
    let run = place
        .run(["-q"])
        .args(arguments)
        .args(["--", "/usr/bin/env"]);
    run.without("PATH")
        .without("HOME")
        .env("DOORKEY_KEY_FILE", key)
}

/// Runs doorkey with exactly this block as its environment, which `Command` could not: it knows
/// no name twice, and no entry without a name.
fn with_block(place: &Place, arguments: &[&str], block: &[&[u8]]) -> Ended {
    let c_string = |bytes: &[u8]| CString::new(bytes).unwrap();
    let (out, err) = (place.path("out"), place.path("err"));
    let files = [
        File::open("/dev/null"),
        File::create(&out),
        File::create(&err),
    ]
    .map(Result::unwrap);
    let mut actions = PosixSpawnFileActions::init().unwrap();
    for (number, file) in files.iter().enumerate() {
        actions.add_dup2(file.as_raw_fd(), number as i32).unwrap();
    }
    let program = c_string(DOORKEY.as_bytes());
    let arguments: Vec<_> = [&["doorkey"], arguments].concat();
    let arguments: Vec<_> = arguments
        .iter()
        .map(|text| c_string(text.as_bytes()))
        .collect();
    let block: Vec<_> = block.iter().map(|entry| c_string(entry)).collect();
    let attributes = PosixSpawnAttr::init().unwrap();
    let process = posix_spawn(
        program.as_c_str(),
        &actions,
        &attributes,
        &arguments,
        &block,
    )
    .unwrap();
    let WaitStatus::Exited(_, code) = waitpid(process, None).unwrap() else {
        panic!("it was ended by a signal");
    };
    let output = Output {
        status: ExitStatus::from_raw(code << 8),
        stdout: std::fs::read(out).unwrap(),
        stderr: std::fs::read(err).unwrap(),
    };
    Ended { output }
}

#[test]
fn an_inherited_block_passes_byte_for_byte() {
    let place = place();
    let store = format!("DOORKEY_STORE=age:{}", place.path("secrets").display());
    let key = format!(
        "DOORKEY_KEY_FILE={}",
        place.path("home/.config/doorkey/key.txt").display()
    );
    let block: [&[u8]; 18] = [
        b"Z=1",
        b"A=first",
        store.as_bytes(),
        b"no equals sign",
        b"=no name",
        b"A=second",
        key.as_bytes(),
        b"",
        b"secret-env=secret:a",
        b"BYTES=\xff\xfe \x01\n=",
        b"\xffNAME\xc3=value",
        b"EMPTY=",
        b"DOORKEY_QUIET=1",
        b"X=${secret:a}\xff${secret:none?}",
        b"secret-env=secret:none",
        b"DOORKEY_STORE=age:elsewhere",
        b"Z=${secret:malformed",
        b"PATH_LIKE=$HOME:${HOME}",
    ];
    let expected: [&[u8]; 10] = [
        b"Z=1",
        b"A=first",
        b"no equals sign",
        b"=no name",
        b"",
        b"secret-env=a-team",
        b"BYTES=\xff\xfe \x01\n=",
        b"\xffNAME\xc3=value",
        b"EMPTY=",
        b"X=a-team\xff",
    ];
    let expected = [&expected[..], &[b"PATH_LIKE=$HOME:${HOME}", b""]]
        .concat()
        .join(&b'\n');
    let ended = with_block(&place, &["run", "/usr/bin/env"], &block);
    assert_eq!(ended.err(), "");
    assert_eq!(
        ended.output.stdout.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

#[test]
fn later_sources_win_and_places_are_kept() {
    let place = place();
    place.write("one.env", "B=one\nC=one\nD=one\nE=one\nB=again\n");
    place.write("two.env", "C=two\nF=secret:a\n");
    place.write(
        "spec.yaml",
        "env:\n- {name: D, value: spec}\n- {name: E, value: spec}\n- {name: D, value: again}\n",
    );
    let arguments = [
        "--env",
        "E=option",
        "--env-file",
        "one.env",
        "--spec",
        "spec.yaml",
        "--env-file",
        "two.env",
        "-e",
        "G=option=1",
        "-e",
        "G=option=2",
        "--env=A=",
    ];
    bare(&place, &arguments)
        .env("A", "inherited")
        .env("B", "inherited")
        .gives(
            0,
            "A=\nB=again\nC=two\nD=again\nE=option\nF=a-team\nG=option=2\n",
            "",
        );
}

#[test]
fn literal_clear_and_keep() {
    let place = place();
    for (arguments, out) in [
        (
            &["--literal", "X"][..],
            "LANG=C\nOTHER=1\nX=secret:a b\nY=a-team\n",
        ),
        (&["--clear-env", "--literal", "X"], "LANG=C\n"),
        (&["--clear-env", "--keep-env", "OTHER"], "LANG=C\nOTHER=1\n"),
        (
            &["--clear-env", "--keep-env", "Y", "-e", "Z=2"],
            "LANG=C\nY=a-team\nZ=2\n",
        ),
        (
            &["--literal=X", "--literal=Y"],
            "LANG=C\nOTHER=1\nX=secret:a b\nY=secret:a\n",
        ),
    ] {
        let run = bare(&place, arguments).env("OTHER", "1").env("LANG", "C");
        run.env("X", "secret:a b")
            .env("Y", "secret:a")
            .gives(0, out, "");
    }
    let kept = "HOME=/h\nLANG=C\nPATH=/usr/bin\nTERM=dumb\nTZ=UTC\n";
    let run = bare(&place, &["--clear-env"])
        .env("LANGUAGE", "de")
        .env("LC_ALL", "C");
    let run = run
        .env("TZ", "UTC")
        .env("TERM", "dumb")
        .env("LANG", "C")
        .env("HOME", "/h");
    run.env("PATH", "/usr/bin")
        .env("PWD", "/")
        .gives(0, kept, "");
}

#[test]
fn nothing_of_doorkeys_own_reaches_the_workload() {
    let place = place();
    let key = std::fs::read_to_string(place.path("home/.config/doorkey/key.txt")).unwrap();
    let key = key.lines().last().unwrap();
    place.write("own.env", "DOORKEY_KEY=1\nDOORKEY_ANY=1\nX=1\n");
    let run = |arguments: &[&str]| {
        let run = bare(&place, arguments)
            .without("DOORKEY_KEY_FILE")
            .env("DOORKEY_KEY", key);
        run.env("DOORKEY_ANYTHING", "1")
            .env("doorkey_lower", "1")
            .env("A", "secret:a")
    };
    run(&[]).gives(0, "A=a-team\ndoorkey_lower=1\n", "");
    run(&["--env-file", "own.env", "-e", "DOORKEY_Y=1"]).gives(
        0,
        "A=a-team\ndoorkey_lower=1\nX=1\n",
        "",
    );
    run(&["--keep-env", "DOORKEY_ANYTHING"]).gives(
        0,
        "A=a-team\nDOORKEY_ANYTHING=1\ndoorkey_lower=1\n",
        "",
    );
    let kept = format!("A=a-team\nDOORKEY_KEY={key}\ndoorkey_lower=1\n");
    run(&["--keep-env", "DOORKEY_KEY"]).gives(0, &kept, "");
    // Another kind of store does not declare the key, but its name alone is enough.
    place.write("plain/a", "a-plain");
    let run = place
        .doorkey(["run", "-q", "--store", "dir:plain", "/usr/bin/env"])
        .env("A", "secret:a");
    run.without("PATH")
        .without("HOME")
        .env("DOORKEY_KEY", key)
        .gives(0, "A=a-plain\n", "");
}

#[test]
fn all_adds_what_nothing_else_assigns() {
    let place = place();
    place.set("project/web", "a", "a-project");
    place.set("cluster/eu", "tls.crt", "certificate");
    place.set("team", "taken", "from the store");
    place.set("project/other", "foreign", "x");
    place.write("secrets/team/.tmp-1", "left over");
    place.write("secrets/team/README", "no secret");
    let run = bare(
        &place,
        &[
            "--all",
            "-p",
            "web",
            "--cluster",
            "eu",
            "-e",
            "Z=secret:team/a",
        ],
    );
    run.env("taken", "inherited").gives(
        0,
        "taken=inherited\nZ=a-team\na=a-project\ntls.crt=certificate\n",
        "",
    );
    // All of them are needed then.
    place.write("secrets/team/broken.age", "x");
    bare(&place, &["--all"]).fails(
        125,
        "doorkey: error: broken: secret:broken: team of age:secrets: corrupt: it is no age file; \
         restore it or set it again\n",
    );
}

#[test]
fn env_files() {
    let place = place();
    place.write(
        "good.env",
        "# a comment\n\nexport A=1\nB = 'single $B \\n'\nC=\"double\\n$C ${C}\" # comment\n\
         D=plain # comment\nE=no#comment\nF=secret:a\nG='${secret:a}'\nH=$${secret:a}\nINHERITED\n\
         UNKNOWN\nI=\nJ=\"two\nlines\"\n",
    );
    bare(&place, &["--env-file", "good.env"]).env("INHERITED", "yes").gives(
        0,
        "INHERITED=yes\nA=1\nB=single $B \\n\nC=double\n$C ${C}\nD=plain\nE=no#comment\nF=a-team\n\
         G=a-team\nH=${secret:a}\nI=\nJ=two\nlines\n",
        "",
    );
    for (text, fault) in [
        (&b"A=1\n =canary\n"[..], "2:2: a name is missing"),
        (b"A B=canary\n", "1:3: a name has no blank in it"),
        (b"A=1\nB='canary\n", "2:3: the quote is never closed"),
        (
            b"A='1' canary\n",
            "1:7: only a comment may follow a closing quote",
        ),
        (
            b"A\xff=canary\n",
            "1:2: a name has only letters, digits and _ . - [ ] in it",
        ),
    ] {
        place.write("bad.env", text);
        let run = bare(&place, &["--env-file", "bad.env"]);
        run.fails(125, &format!("doorkey: error: bad.env:{fault}\n"));
    }
    bare(&place, &["--env-file", "none.env", "--env-file", "home"]).fails(
        125,
        "doorkey: error: --env-file: can't read none.env: no such file or directory\n\
         doorkey: error: --env-file: can't read home: is a directory\n",
    );
    place.write("nul.env", "A=x\0y\n");
    bare(&place, &["--env-file", "nul.env"]).fails(
        125,
        "doorkey: error: nul.env:1: A: the value contains a NUL byte, which an environment can't hold\n",
    );
}

#[test]
fn specs() {
    let place = place();
    place.write(
        "spec.yaml",
        "# a deployment's own\nimage: web\nother: [1, {x: y}]\nenv:\n  - name: some-env\n    \
         value: some-value\n  - name: secret-env\n    value: secret:a\n  - {name: octal, value: 010}\n  \
         - {name: bool, value: yes}\n  - {name: quoted, value: \"1\\t2\"}\n  - {name: nothing}\n  \
         - {name: folded, value: >-\n      a\n      b}\n"
            .replace(">-\n      a\n      b", "'a b'"),
    );
    bare(&place, &["--spec", "spec.yaml"]).gives(
        0,
        "some-env=some-value\nsecret-env=a-team\noctal=010\nbool=yes\nquoted=1\t2\nnothing=\nfolded=a b\n",
        "",
    );
    place.write(
        "spec.json",
        r#"{"containers": [{"env": [{"name": "A", "value": "secret:a"}, {"name": "B", "value": 1e3}]}]}"#,
    );
    bare(
        &place,
        &["--spec", "spec.json", "--spec-path", "containers.0.env"],
    )
    .gives(0, "A=a-team\nB=1e3\n", "");
    for (text, path, fault) in [
        (
            "env:\n- name: A\n  value: canary\n  valueFrom: {secretKeyRef: {name: canary}}\n",
            "env",
            "4:3: a variable has a value or a valueFrom, not both",
        ),
        (
            "env: canary\n",
            "env",
            "1:6: this is not a list of variables",
        ),
        (
            "env:\n- canary\n",
            "env",
            "2:3: this is not a mapping with a name and a value",
        ),
        (
            "env:\n- {value: canary}\n",
            "env",
            "2:3: the variable has no name",
        ),
        (
            "env:\n- {name: '', value: canary}\n",
            "env",
            "2:10: the name is empty",
        ),
        (
            "env:\n- {name: canary=1}\n",
            "env",
            "2:10: the name has = or NUL in it",
        ),
        (
            "env:\n- {name: A, value: [canary]}\n",
            "env",
            "2:20: the value is not a scalar",
        ),
        (
            "env: []\n",
            "canary",
            "1:1: the path to the variables leads no further than this; there is --spec-path env",
        ),
        (
            "a:\n  - {env: 1}\n",
            "a.1.env",
            "2:3: the path to the variables leads no further than this",
        ),
        ("env: [canary\n", "env", "2:1: this is not YAML"),
        (
            "env: []\n---\nenv: []\n",
            "env",
            "1:1: several containers are called so; there is --spec-path env, --spec-path env",
        ),
    ] {
        place.write("bad.yaml", text);
        let run = bare(&place, &["--spec", "bad.yaml", "--spec-path", path]);
        run.fails(125, &format!("doorkey: error: bad.yaml:{fault}\n"));
    }
    bare(&place, &["--spec", "none.yaml"]).fails(
        125,
        "doorkey: error: --spec: can't read none.yaml: no such file or directory\n",
    );
}

#[test]
fn single_assignments() {
    let place = place();
    bare(&place, &["-e", "A==", "-e", "a-b=secret:a"]).gives(0, "A==\na-b=a-team\n", "");
    for bad in ["A", "=canary", ""] {
        bare(&place, &["-e", bad]).fails(125, "doorkey: error: --env must be NAME=VALUE\n");
    }
    bare(&place, &[])
        .env("DOORKEY_ENV", "A=1\ncanary")
        .fails(125, "doorkey: error: DOORKEY_ENV must be NAME=VALUE\n");
}
