//! `exec:`: a program of the user's own as a store.

use std::fs;
use std::time::{Duration, Instant};

use support::watched::{SAYS, Watched};
use support::{Place, Run, executable};

/// A folder with a program in it.
fn place(script: &str) -> Place {
    let place = Place::new();
    let script = format!("#!/bin/sh\n{script}\n");
    executable(&place.path("program"), script.as_bytes(), 0o755);
    place
}

/// doorkey with these words, on the program.
fn run(place: &Place, words: &str) -> Run {
    let run = place.doorkey(words.split_whitespace());
    run.env("DOORKEY_STORE", "exec:./program")
}

#[test]
fn it_is_asked_once_for_all() {
    let place = place(
        r#"cat >>request; env >environment; echo "$#" >arguments
        echo '{"version":1,"values":{"team":{"a":"x","b":{"base64":"AP8="}},"project/web":{"a":"y"}}}'"#,
    );
    let launch = run(&place, "run -q -p web --cluster eu -- printenv A B C D")
        .env("A", "secret:a")
        .env("B", "${secret:b|base64}")
        .env("C", "secret:team/a")
        .env("D", "secret:none?z")
        .env("KEPT", "kept")
        .env("DOORKEY_KEY", "canary");
    launch.gives(0, "y\nAP8=\nx\nz\n", "");
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let expected =
        r#"{"names":["a","b","none"],"scopes":["project/web","cluster/eu","team"],"version":1}"#;
    assert_eq!(read("request"), format!("{expected}\n"));
    assert_eq!(read("arguments"), "0\n");
    let environment = read("environment");
    assert!(
        environment.contains("KEPT=kept\n") && !environment.contains("DOORKEY_"),
        "{environment}"
    );
    // check looks at wider scopes, too, and asks nobody again.
    fs::remove_file(place.path("request")).unwrap();
    run(&place, "check -p web").env("A", "secret:a").ok();
    assert_eq!(read("request").lines().count(), 1);
    // A single one, by its name.
    run(&place, "secret get a --team --reveal").gives(0, "x", "");
    let ended = run(&place, "secret set a --team -q").stdin("x").end();
    let what = "doorkey only reads this kind of store\n";
    assert!(ended.err().ends_with(what), "{}", ended.err());
    let ended = run(&place, "secret list --all").end();
    assert!(
        ended
            .err()
            .ends_with("this kind of store does not say what it holds\n"),
        "{}",
        ended.err()
    );
}

#[test]
fn who_may_name_it() {
    let place = place(r#"echo '{"version":1,"values":{"team":{"a":"x"}}}'"#);
    place.write("doorkey.toml", "store = 'exec:./program'\n");
    let launch = |words: &str| place.doorkey(words.split_whitespace()).env("A", "secret:a");
    launch("run -q -- printenv A").fails(
        125,
        "doorkey: error: exec:./program: a program is run only where --store, DOORKEY_STORE or a file \
         that --config or DOORKEY_CONFIG names says so\n",
    );
    launch("run -q --config doorkey.toml -- printenv A").gives(0, "x\n", "");
    launch("run -q --store exec:./program -- printenv A").gives(0, "x\n", "");
    // By PATH, and below the folder of the file that names it.
    let path = format!("{}:/usr/bin:/bin", place.path("").display());
    launch("run -q --store exec:program -- printenv A")
        .env("PATH", path)
        .gives(0, "x\n", "");
    place.write("sub/other.toml", "[store]\nlocation = 'exec:../program'\n");
    launch("run -q --config sub/other.toml -- printenv A").gives(0, "x\n", "");
    // Not where others could put another program in its place.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o775);
    fs::set_permissions(place.path("program"), open).unwrap();
    launch("run -q --store exec:./program -- true").fails(
        125,
        "doorkey: error: exec:./program: ./program can be written by others (mode 0775); run chmod \
         go-w ./program\n",
    );
    // No shell reads its name.
    let ended = launch("run -q -- true")
        .env("DOORKEY_STORE", "exec:./program;id")
        .end();
    assert!(
        ended
            .err()
            .contains("can't be started: no such file or directory"),
        "{}",
        ended.err()
    );
    let ended = launch("run -q -- true").env("DOORKEY_STORE", "exec:").end();
    assert!(
        ended
            .err()
            .ends_with("says no program; give exec:PROGRAM\n"),
        "{}",
        ended.err()
    );
}

#[test]
fn faults() {
    let hint = "; --log-level debug shows what it has said";
    for (script, what) in [
        (
            "exit 77",
            "not admitted by ./program: it says that we have no right",
        ),
        ("exit 75", "./program: it can't reach what it asks"),
        ("exit 1", "./program: it has ended with exit code 1"),
        (
            "echo canary-value",
            "./program: its answer is not the JSON that is expected of it",
        ),
        (
            r#"echo '{"version":2}'"#,
            "./program: its answer has another version than 1",
        ),
        (
            r#"echo '{"version":1,"values":{"team":{"a":1}}}'"#,
            "./program: in its answer a value is neither text nor an object with its base64",
        ),
    ] {
        let place = place(script);
        let ended = run(&place, "run -q -- true").env("A", "secret:a").end();
        let expected = format!("doorkey: error: exec:./program: {what}{hint}\n");
        assert_eq!((ended.code(), ended.err()), (125, expected));
    }
    for (script, what) in [
        ("kill -9 $$", "it was ended by signal 9"),
        ("cat /dev/zero", "its answer is larger than 8388608 bytes"),
    ] {
        let place = place(script);
        let ended = run(&place, "run -q -- true").env("A", "secret:a").end();
        assert!(ended.err().contains(what), "{}", ended.err());
    }
    let place = place("echo $$ >pid; sleep 60 & echo $! >>pid; wait");
    let began = Instant::now();
    let launch = run(&place, "run -q --timeout 500ms -- true").env("A", "secret:a");
    let ended = launch.end();
    assert!(
        ended.err().ends_with(" s, so it was ended\n"),
        "{}",
        ended.err()
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    gone(&place);
}

/// Neither the program nor what it has started is there any more.
#[track_caller]
fn gone(place: &Place) {
    for pid in fs::read_to_string(place.path("pid")).unwrap().lines() {
        let began = Instant::now();
        loop {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                break;
            }
            // What is killed is there for a moment.
            assert!(began.elapsed() < Duration::from_secs(20), "{state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_signal_ends_it_too() {
    use std::process::Stdio;
    let place = place("sleep 60 & echo \"$$\n$!\" >new; mv new pid; wait");
    let mut launch = run(&place, "run -q -- true").env("A", "secret:a");
    support::default_signals();
    let mut child = launch
        .command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !place.path("pid").exists() {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    gone(&place);
}

/// Whenever the signal comes, also while the program is started.
#[test]
fn no_signal_leaves_it() {
    use std::process::Stdio;
    let place = place("sleep 60");
    let folder = fs::canonicalize(place.path("")).unwrap();
    support::default_signals();
    for step in 0..60 {
        let mut launch = run(&place, "run -q -- true").env("A", "secret:a");
        let mut child = launch
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(100 * step));
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        child.wait().unwrap();
    }
    let is_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|there| there == folder)
    };
    let left = || {
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|process| is_there(&process))
    };
    let began = Instant::now();
    while left() {
        // What is killed is there for a moment.
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_it_says_is_shown_at_debug_without_values() {
    let place = place(
        r#"echo 'asking for "a"' >&2
        echo 'the value is s3cret-of-the-team' >&2
        printf 'a token: eyJhbGciOiJIUzI1NiJ9.e30.abc\033[1m\n' >&2
        echo '{"version":1,"values":{"team":{"a":"s3cret-of-the-team","b":"x"}}}'"#,
    );
    for format in ["text", "json"] {
        let launch = run(&place, "run -- true").env("A", "secret:a");
        let launch = launch
            .env("DOORKEY_LOG_LEVEL", "debug")
            .env("DOORKEY_LOG_FORMAT", format);
        let said = launch.ok().err();
        assert!(
            said.contains("asking for") && said.contains("a token: [not shown]"),
            "{said}"
        );
        assert!(
            !said.contains("s3cret") && !said.contains("eyJ") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
    // Nothing of it without being asked.
    assert_eq!(
        run(&place, "run -q -- true")
            .env("A", "secret:a")
            .ok()
            .err(),
        ""
    );
}

#[test]
fn watched() {
    let place = place("cat answer");
    let has = |value: &str| {
        let answer = format!("{{\"version\":1,\"values\":{{\"team\":{{\"k\":\"{value}\"}}}}}}");
        place.write("new", answer);
        fs::rename(place.path("new"), place.path("answer")).unwrap();
    };
    has("one");
    let run = run(&place, "run --watch=1h -eA=secret:k -- sh -c").arg(SAYS);
    let mut watched = Watched::began(run, "began one");
    has("two");
    watched.refresh();
    watched.restarts("A", "began two");
}

#[test]
fn cached() {
    let place = Place::within(env!("CARGO_TARGET_TMPDIR"));
    let recipient = place.key("own");
    let answer = "#!/bin/sh\necho '{\"version\":1,\"values\":{\"team\":{\"a\":\"one\"}}}'\n";
    executable(&place.path("program"), answer.as_bytes(), 0o755);
    let launch = || {
        let run = run(&place, "run -q -- printenv A").env("A", "secret:a");
        run.env("DOORKEY_CACHE", place.path("cache"))
            .env("DOORKEY_CACHE_RECIPIENT", &recipient)
            .env("DOORKEY_KEY_FILE", place.path("own.key"))
    };
    launch().gives(0, "one\n", "");
    // What can't be reached has its last values, what is denied has not.
    executable(&place.path("program"), b"#!/bin/sh\nexit 75\n", 0o755);
    launch().gives(0, "one\n", "");
    executable(&place.path("program"), b"#!/bin/sh\nexit 77\n", 0o755);
    assert_eq!(launch().end().code(), 125);
    assert!(!place.path("cache").exists());
}
