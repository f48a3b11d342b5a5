//! `doorkey render` from outside: what is filled in, what is left as it is, and every fault with
//! its place.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use support::{Ended, Place, Run};

const VALUE: &str = "canary-71ae0d93c4";

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "db_password", format!("{VALUE}/@"));
    place.set("team", "db_host", "db.internal");
    place.set("project/web", "db_host", "web.internal");
    place.set("team", "json", format!(r#"{{"a":{{"b":"{VALUE}"}}}}"#));
    place.set(
        "team",
        "bytes",
        [b"\0\xff${secret:db_host}", VALUE.as_bytes()].concat(),
    );
    place
}

/// `doorkey render` with these arguments, divided by blanks.
fn render(place: &Place, arguments: &str) -> Run {
    place.on("render").args(arguments.split_whitespace())
}

/// What a template on standard input becomes on standard output, twice the same way.
#[track_caller]
fn becomes(place: &Place, template: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    for arguments in ["-", "- -"] {
        let ended = render(place, arguments).stdin(&template).ok();
        assert_eq!(ended.err(), "");
        let (found, expected) = (&ended.output.stdout, expected.as_ref());
        assert!(found == expected, "{}", found.escape_ascii());
    }
}

#[track_caller]
fn shows_nothing(ended: &Ended) {
    let all = ended.out() + &ended.err();
    assert!(!all.contains("canary"), "{all}");
}

#[test]
fn references_inside_a_text_are_filled_in() {
    let place = place();
    becomes(
        &place,
        "url: postgres://app:${secret:db_password|urlencode}@${secret:db_host}/app\n\
         b = ${secret:json#a.b|base64}${secret:none?none}${secret:none?}\n",
        format!(
            "url: postgres://app:{VALUE}%2F%40@db.internal/app\nb = \
             Y2FuYXJ5LTcxYWUwZDkzYzQ=none\n"
        ),
    );
    // What looks like a reference and is none inside a text; escapes; values are not read again.
    for (template, expected) in [
        (
            "secret:db_host: ${secret:db_host}",
            "secret:db_host: db.internal",
        ),
        ("secret:db host", "secret:db host"),
        ("vault:a#b ${db_host} $$ ${", "vault:a#b ${db_host} $$ ${"),
        (">>vault:a", ">>vault:a"),
        (
            "secret::a $${secret:a} $${vault:b#c}",
            "secret::a ${secret:a} ${vault:b#c}",
        ),
        ("", ""),
        ("\r\n\t", "\r\n\t"),
    ] {
        becomes(&place, template, expected);
    }
    let bytes = [b"\0\xff${secret:db_host}", VALUE.as_bytes()].concat();
    becomes(
        &place,
        b"\xfe\0${secret:bytes}\0\n",
        [b"\xfe\0", &bytes[..], b"\0\n"].concat(),
    );
    // Scopes are those of a launch; what the environment refers to is no concern of it.
    let run = render(&place, "-p web -")
        .env("A", "secret:none")
        .env("B", "secret:");
    run.stdin("${secret:db_host}").gives(0, "web.internal", "");
    // A text without references needs no store.
    let run = place.doorkey(["render", "-"]).env("A", "secret:a");
    run.stdin("as it is").gives(0, "as it is", "");
}

#[test]
fn a_file_is_written_whole_and_private() {
    let place = place();
    place.write("app.conf.in", "password = ${secret:db_password}\n");
    let filled = format!("password = {VALUE}/@\n");
    let names = |place: &Place| {
        let entries = fs::read_dir(place.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("app")).collect();
        names.sort();
        names
    };
    for before in [None, Some(0o644)] {
        if let Some(mode) = before {
            let file = place.write("app.conf", "what was there before");
            fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
        }
        render(&place, "app.conf.in app.conf").gives(0, "", "");
        let status = fs::metadata(place.path("app.conf")).unwrap();
        assert_eq!(status.mode(), 0o100_600);
        assert_eq!(fs::read_to_string(place.path("app.conf")).unwrap(), filled);
        assert_eq!(names(&place), ["app.conf", "app.conf.in"]);
    }
    // Where anything is wrong it stays as it was.
    place.write("app.conf.in", "${secret:db_password} ${secret:none}");
    let ended = render(&place, "app.conf.in app.conf").end();
    assert_eq!(ended.code(), 1);
    assert_eq!(fs::read_to_string(place.path("app.conf")).unwrap(), filled);
    assert_eq!(names(&place), ["app.conf", "app.conf.in"]);
    // In the place of the template itself.
    place.write("app.conf.in", "${secret:db_host}");
    render(&place, "app.conf.in app.conf.in").ok();
    assert_eq!(
        fs::read_to_string(place.path("app.conf.in")).unwrap(),
        "db.internal"
    );
    render(&place, "app.conf.in none/app.conf").fails(
        1,
        "doorkey: error: OUT: can't write none/app.conf: no such file or directory\n",
    );
    symlink("app.conf", place.path("app.link")).unwrap();
    for special in ["/dev/null", "home", "app.link"] {
        let said = format!(
            "doorkey: error: {special}: it is no regular file, and is not replaced; - is standard \
             output\n"
        );
        render(&place, &format!("app.conf.in {special}")).fails(1, &said);
    }
}

#[test]
fn every_fault_has_its_place() {
    let place = place();
    let template = "a: ${secret:db_password}\n\
                    b: x${secret:db_pasword} ${secret:db_host}\n\
                    \n\
                    ö: ${secret:canary host} ${secret:json#none}${secret:db_host|file}\n\
                    e: ${secret:cluster/db_host} ${secret:db_host|canary}\n\
                    f: ${secret:canary";
    place.write("app.in", template);
    let said = [
        "4:20: a character that can't stand in a reference",
        "4:46: no |file in a template: it becomes a file itself",
        "5:47: the filter is not one of urlencode, base64, base64decode, trim, json, indent:N, file",
        "6:19: the closing '}' is missing",
        "2:5: secret:db_pasword: not found in project/web, team of age:secrets; did you mean \
         db_password (team)?",
        "4:27: secret:json: the secret in team has no such member",
        "5:4: secret:cluster/db_host: no cluster is in force; give --cluster ID or DOORKEY_CLUSTER",
    ];
    let said = |name: &str| -> String {
        let line = |line: &&str| format!("doorkey: error: {name}:{line}\n");
        said.iter().map(line).collect()
    };
    let ended = render(&place, "-p web app.in out").fails(1, &said("app.in"));
    shows_nothing(&ended);
    assert!(!place.path("out").exists());
    let ended = render(&place, "-p web -").stdin(template);
    shows_nothing(&ended.fails(1, &said("standard input")));
    // A name can't forge a line.
    place.write("a\nb", "${secret:none}");
    let run = place.on("render").arg("a\nb");
    run.fails(
        1,
        "doorkey: error: a\\nb:1:1: secret:none: not found in team of age:secrets; create it, or \
         allow its absence with '?'\n",
    );
}

/// A template has no `--literal`: the advice names the escape, which does what is said of it.
#[test]
fn a_misspelt_reference_is_never_written_in_silence() {
    let place = place();
    place.write(
        "app.in",
        "a: ${secret:db_host}\nb: x ${secrets:db_password}\n",
    );
    let ended = render(&place, "app.in out").fails(
        1,
        "doorkey: error: app.in:2:6: a reference is meant, and is not read, as it is misspelt: \
         write ${secret:db_password}; $${ stands for ${ as text\n",
    );
    shows_nothing(&ended);
    assert!(!place.path("out").exists());
    // A name that nothing has may be somebody else's.
    let run = render(&place, "-").stdin("${sercet:canary} ${Secret:nothing}");
    run.gives(
        0,
        "${sercet:canary} ${Secret:nothing}",
        "doorkey: warning: what looks like a reference is passed on as text: standard input:1:1, \
         standard input:1:18; a reference is ${secret:NAME} there; $${ stands for ${ as text\n",
    );
    // The escape is that of references; what is like none stays.
    becomes(
        &place,
        "$${secrets:db_password} $$${Secret:nothing} $${SECRETS} $${x:y} $${secrets x:y} ${secret:db_host} $${secrets:z",
        "${secrets:db_password} $${Secret:nothing} $${SECRETS} $${x:y} $${secrets x:y} db.internal ${secrets:z",
    );
}

#[test]
fn what_keeps_it_from_being_done() {
    let place = place();
    place.write("app.in", "${secret:db_host}");
    let large = fs::File::create(place.path("large")).unwrap();
    large.set_len(8 * 1024 * 1024 + 1).unwrap();
    for (arguments, code, said) in [
        ("", 2, "<TEMPLATE> is missing; see doorkey render --help"),
        (
            "a b c",
            2,
            "there is an argument too many; see doorkey render --help",
        ),
        (
            "--env=A=canary a",
            2,
            "there is no option --env; see doorkey render --help",
        ),
        (
            "none",
            1,
            "TEMPLATE: can't read none: no such file or directory",
        ),
        ("large", 1, "TEMPLATE: can't read large: file too large"),
        (
            "--store=age:none app.in",
            1,
            "age:none: there is no store there; check the name, or make one with doorkey store init",
        ),
    ] {
        let ended = render(&place, arguments);
        ended.fails(code, &format!("doorkey: error: {said}\n"));
    }
    let nowhere = render(&place, "app.in").env("DOORKEY_STORE", "");
    nowhere.fails(
        1,
        "doorkey: error: no store is named: give --store age:DIR, dir:DIR, vault:MOUNT/PREFIX, aws-sm:PREFIX, aws-ssm:/PREFIX, azure-kv:VAULT/PREFIX, gcp-sm:PROJECT/PREFIX, k8s:NAMESPACE/PREFIX or exec:PROGRAM, \
         DOORKEY_STORE, or store = in doorkey.toml\n",
    );
    // As large as it may be.
    let mut text = vec![b'x'; 8 * 1024 * 1024 - 17];
    text.extend(b"${secret:db_host}");
    let ended = render(&place, "-").stdin(&text).ok();
    assert_eq!(ended.output.stdout.len(), text.len() - 17 + 11);
    assert!(ended.output.stdout.ends_with(b"xdb.internal"));
}

#[test]
fn a_spec_s_references_must_resolve_too() {
    let place = place();
    place.write("app.in", "${secret:db_host}");
    let spec = |value: &str| {
        let list = format!(r#"[{{"name":"A","value":"{value}"}},{{"name":"B","value":"plain"}}]"#);
        place.write(
            "spec.json",
            format!(r#"{{"env":{list},"other":{{"list":{list}}}}}"#),
        );
    };
    for value in [
        "secret:db_password",
        "x${secret:db_host}",
        "plain",
        "secret:bytes|file",
    ] {
        spec(value);
        for arguments in [
            "--spec spec.json app.in",
            "--spec spec.json --spec-path other.list app.in",
        ] {
            render(&place, arguments).gives(0, "db.internal", "");
        }
    }
    place.write("both.in", "${secret:none}");
    spec("secret:nothing");
    let hint = "not found in team of age:secrets; create it, or allow its absence with '?'";
    let said = format!(
        "doorkey: error: both.in:1:1: secret:none: {hint}\ndoorkey: error: spec.json:1: A: secret:nothing: \
         {hint}\n"
    );
    render(&place, "--spec spec.json both.in").fails(1, &said);
    let missing = format!("doorkey: error: spec.json:1: A: secret:nothing: {hint}\n");
    let run = render(&place, "app.in out").env("DOORKEY_SPEC", "spec.json");
    run.fails(1, &missing);
    assert!(!place.path("out").exists());
    // What a launch could not be given.
    spec("secret:bytes");
    render(&place, "--spec spec.json app.in").fails(
        1,
        "doorkey: error: spec.json:1: A: the value contains a NUL byte, which an environment can't hold\n",
    );
}

/// Whoever reads while it is replaced finds the old one or the new one.
#[test]
fn a_reader_sees_whole_files() {
    let place = place();
    let texts = ["1", "2"].map(|one| one.repeat(1_000_000));
    for text in &texts {
        place.write(&format!("{}.in", &text[..1]), text);
    }
    render(&place, "1.in out").ok();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0, 0];
            while !done.load(Ordering::Relaxed) {
                let found = fs::read_to_string(place.path("out")).unwrap();
                let which = texts.iter().position(|text| *text == found);
                seen[which.expect("a whole file")] += 1;
            }
            seen
        });
        for _ in 0..30 {
            render(&place, "2.in out").ok();
            render(&place, "1.in out").ok();
        }
        done.store(true, Ordering::Relaxed);
        let seen = reader.join().unwrap();
        assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
    });
}

/// While it waits for its template, and so with a key in reach, nobody can look at it.
#[test]
fn it_is_concealed_and_has_a_deadline() {
    let place = place();
    fs::set_permissions(place.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = place.doorkey(["render", "-"]).unprivileged(&place).command;
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // It is not dumpable: what is to be seen of it belongs to root.
    let memory = format!("/proc/{}/mem", child.id());
    while fs::metadata(&memory).unwrap().uid() != 0 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    nix::unistd::mkfifo(&place.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ended = render(&place, "--timeout 50ms pipe out").end();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.err().contains("gave up after 50ms (--timeout)"),
        "{}",
        ended.err()
    );
}
