//! `run --mask`: what the workload writes comes without its secrets, through pipes as they are.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Place, Run};

const VALUE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";
/// What is changed by every way of quoting.
const ODD: &str = "p@ss 'w\"rd/ü$&<%\\`x";
/// Lines of their own, and armour that is in every key.
const KEY: &str =
    "-----BEGIN TEST KEY-----\nMIIEpAIBAAKCAQEA7qX\n  second-line-of-it\n-----END TEST KEY-----\n";

fn place() -> Place {
    support::default_signals();
    let place = Place::new();
    for (name, value) in [
        ("name", VALUE),
        ("odd", ODD),
        ("key", KEY),
        ("short", "abc"),
    ] {
        place.write(&format!("plain/{name}"), value);
    }
    place
}

/// `doorkey run --mask` of a script, with references to what is in the store.
fn run(place: &Place, options: &[&str], script: &str) -> Run {
    let run = place.doorkey(["run", "--store=dir:plain", "--mask", "-q"]);
    let run = run.args(options).args(["--", "bash", "-c", script]);
    run.env("A", "secret:name")
        .env("ODD", "secret:odd")
        .env("KEY", "secret:key")
}

fn spawn(run: Run) -> Child {
    let mut command = run.command;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn values_are_replaced_on_both_streams() {
    let place = place();
    let script = "echo \"out $A$A.\"; echo \"err ${A}x\" >&2; printf %s \"$A\"; exit 3";
    let ended = run(&place, &[], script).end();
    assert_eq!(
        ended.out(),
        "out [secret:name][secret:name].\n[secret:name]"
    );
    assert_eq!(ended.err(), "err [secret:name]x\n");
    assert_eq!(ended.code(), 3);
}

#[test]
fn every_form_is_found() {
    let place = place();
    for (script, shown) in [
        ("printf %s \"$A\" | base64", "[secret:name]\n"),
        ("printf 1%s \"$A\" | base64 | cut -c 3-", "[secret:name]"),
        ("printf 12%s \"$A\" | base64 | cut -c 4-", "[secret:name]"),
        (
            "printf %s \"$A\" | od -An -v -tx1 | tr -d ' \\n'",
            "[secret:name]",
        ),
        (
            "printf %s \"$A\" | od -An -v -tx1 | tr -d ' \\n' | tr a-f A-F",
            "[secret:name]",
        ),
        ("printf %s \"$ODD\" | base64 -w0 | tr /+ _-", "[secret:odd]"),
        ("printf %q \"$ODD\"", "[secret:odd]"),
        ("echo \"${ODD@Q}\"", "'[secret:odd]'\n"),
        (
            "python3 -c 'import json,os; print(json.dumps(os.environ[\"ODD\"]))'",
            "\"[secret:odd]\"\n",
        ),
        (
            "python3 -c 'import urllib.parse as u,os; print(u.quote(os.environ[\"ODD\"]))'",
            "[secret:odd]\n",
        ),
        (
            "python3 -c 'import urllib.parse as u,os; print(u.quote_plus(os.environ[\"ODD\"]))'",
            "[secret:odd]\n",
        ),
        ("echo \"$KEY\" | sed -n 2p", "[secret:key]\n"),
        ("echo \"$KEY\" | sed -n 3p", "  [secret:key]\n"),
        ("echo \"$KEY\" | sed -n 1p", "-----BEGIN TEST KEY-----\n"),
        ("printf %s \"$KEY\"", "[secret:key]"),
    ] {
        let ended = run(&place, &[], script)
            .env("PATH", std::env::var("PATH").unwrap())
            .ok();
        let out = ended.out();
        // Beside the marks of a kind of quoting nothing else is left.
        let is_whole = out.contains(shown.trim_end()) && out.len() < shown.len() + 4;
        assert!(is_whole, "{script}: {out}");
    }
}

#[test]
fn what_is_filtered_or_in_a_text_or_a_file_is_masked_as_well() {
    let place = place();
    place.write("plain/json", r#"{"user": "u", "pass": "Jd7Nf3Bp5Gw0"}"#);
    let script = "echo \"$URL\"; cat \"$FILE\"; echo \"$MEMBER\"";
    let run = run(&place, &[], script);
    let run = run.env("URL", "https://u:${secret:odd|urlencode}@host");
    let run = run
        .env("FILE", "secret:key|file")
        .env("MEMBER", "secret:json#pass");
    let out = run.ok().out();
    assert_eq!(
        out.replace("json#pass", "json"),
        "https://u:[secret:odd]@host\n[secret:key]\n[secret:json]\n"
    );
}

#[test]
fn the_window() {
    let place = place();
    let script = "echo \"$SHORT $A\"";
    let start = |options: &[&str]| {
        let run = place
            .doorkey(["run", "--store=dir:plain", "--mask"])
            .args(options);
        let run = run.args(["--", "sh", "-c", script]);
        run.env("A", "secret:name")
            .env("SHORT", "secret:short")
            .ok()
    };
    let ended = start(&[]);
    assert_eq!(ended.out(), "abc [secret:name]\n");
    let warning = "doorkey: warning: not masked, as shorter than 8 bytes (--mask-min): short\n";
    assert!(ended.err().starts_with(warning), "{}", ended.err());
    assert_eq!(start(&["--mask-min=21"]).out(), format!("abc {VALUE}\n"));
    for wrong in ["3", "33", "x", ""] {
        let run = run(&place, &["--mask-min", wrong], "true");
        run.fails(
            125,
            "doorkey: error: --mask-min must be a number from 4 to 32\n",
        );
    }
    place.write("plain/short", "");
    assert!(!start(&[]).err().contains("not masked"));
}

/// However a value is cut, and however long its pieces are in coming.
#[test]
fn values_are_found_across_writes() {
    let place = place();
    let script = "for ((i=0; i<20; i++)); do printf %s \"${A:i:1}\"; done; echo; \
                  printf %s \"${A:0:12}\"; sleep 0.2; echo \"${A:12}.\"";
    assert_eq!(
        run(&place, &[], script).ok().out(),
        "[secret:name]\n[secret:name].\n"
    );
    // After a second the beginning goes out; the rest is masked.
    let script = "printf %s \"${A:0:12}\"; sleep 1.5; echo \"${A:12}.\"";
    let out = run(&place, &[], script).ok().out();
    assert_eq!(out, format!("{}[secret:name].\n", &VALUE[..12]));
}

/// What might begin a value goes out when nothing follows: somebody may wait for it.
#[test]
fn a_prompt_appears() {
    let place = place();
    place.write("plain/name", "Password123!");
    let script = "printf 'Password: '; until [ -e go ]; do sleep 0.01; done; echo \"$A.\"";
    let mut child = spawn(run(&place, &[], script));
    let mut out = child.stdout.take().unwrap();
    let mut prompt = [0; 10];
    out.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"Password: ");
    place.write("go", "");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "[secret:name].\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn bytes_pass_untouched() {
    let place = place();
    let mut random = vec![0; 10_000_000];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    place.write("random", &random);
    let ended = run(&place, &[], "cat random").ok();
    assert!(ended.output.stdout == random);
    // And without a store, where nothing is looked for.
    let run = place.doorkey(["run", "--mask", "-q", "--", "cat", "random"]);
    assert!(run.ok().output.stdout == random);
}

/// Two streams stay two; where they are the same, the order holds.
#[test]
fn streams_stay_as_they_are() {
    let place = place();
    let script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done";
    let ended = run(&place, &[], script).ok();
    assert_eq!(ended.out(), "out 1\nout 2\nout 3\nout 4\nout 5\n");
    assert_eq!(ended.err(), "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n");
    let both = ended
        .out()
        .lines()
        .zip(ended.err().lines())
        .map(|(out, err)| format!("{out}\n{err}\n"))
        .collect::<String>();
    // A pipe, and a file.
    let (mut reads, writes) = std::io::pipe().unwrap();
    let mut one = run(&place, &[], script);
    one.command
        .stdout(writes.try_clone().unwrap())
        .stderr(writes);
    let mut child = one.command.spawn().unwrap();
    drop(one);
    let mut found = String::new();
    reads.read_to_string(&mut found).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(found, both);
    let file = File::create(place.path("file")).unwrap();
    let mut one = run(&place, &[], script);
    one.command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(one.command.status().unwrap().success());
    assert_eq!(fs::read_to_string(place.path("file")).unwrap(), both);
}

#[test]
fn the_workload_has_the_usual_descriptors() {
    let place = place();
    let script = "ls /proc/self/fd; readlink /proc/self/fd/2";
    let out = |way: &str, redirect: &str| {
        let words = format!("doorkey run -q {way} -- bash -c \"$SCRIPT\" {redirect} | cat");
        let mut shell = place.shell(&words).env("SCRIPT", script);
        shell.command.stdin(Stdio::null());
        shell.ok().out()
    };
    // What is closed stays closed, and /dev/null is not read for nothing.
    for redirect in ["2>/dev/null", "2>&-", "2>&- <&-"] {
        assert_eq!(out("--mask", redirect), out("--init", redirect));
    }
    let (mask, init) = (out("--mask", "2>&1"), out("--init", "2>&1"));
    assert_ne!(mask, init);
    assert_eq!(mask.split("pipe").next(), init.split("pipe").next());
}

/// A user that can't open what it was given by another one: `echo >/dev/stderr` works.
#[test]
fn another_user_can_open_its_streams_by_name() {
    let place = place();
    let script = "echo 1 >/dev/stdout; echo 2 >/dev/stderr";
    let ended = run(&place, &["--user=65534:65534"], script).ok();
    assert_eq!(ended.out() + &ended.err(), "1\n2\n");
}

#[test]
fn a_closed_reader_is_noticed() {
    let place = place();
    let mut child = spawn(run(&place, &[], "exec yes"));
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    // One that takes no notice of the signal gets the error, and keeps its other stream.
    let script = "trap '' PIPE; while echo 1; do sleep 0.01; done 2>/dev/null; echo 2 >&2; exit 4";
    let mut child = spawn(run(&place, &[], script));
    drop(child.stdout.take());
    let mut err = String::new();
    let mut stream = child.stderr.take().unwrap();
    stream.read_to_string(&mut err).unwrap();
    assert_eq!(err, "2\n");
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

/// Nothing of the end is lost, however much it is and however late somebody reads it.
#[test]
fn the_last_output_is_all_there() {
    let place = place();
    // As much as fits into the pipes before and behind doorkey.
    let script =
        "head -c 2000000 /dev/zero | tr '\\0' x; echo \"$A\"; printf end; touch up; kill -9 $$";
    let mut child = spawn(run(&place, &[], script));
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    while !place.path("up").exists() || fs::read_to_string(&children).unwrap() != "" {
        std::thread::yield_now();
    }
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert_eq!(out.len(), 2_000_000 + "[secret:name]\nend".len());
    assert!(out.ends_with("x[secret:name]\nend"));
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

/// What lives on after the workload keeps nobody waiting; with a grace it is still heard.
#[test]
fn what_the_rest_writes() {
    let place = place();
    let script = "(trap '' TERM; exec 3>&1; while :; do echo $A; done) & until [ -e go ]; do sleep 0.01; done; exit 5";
    let mut child = spawn(run(&place, &[], script));
    let mut out = child.stdout.take().unwrap();
    let mut line = [0; 14];
    out.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"[secret:name]\n");
    place.write("go", "");
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let script = "(trap 'echo \"last $A\"; exit' TERM; touch up; while :; do sleep 0.01; done) & until [ -e up ]; do sleep 0.01; done; exit 6";
    let ended = run(&place, &["--grace=1h"], script).end();
    assert_eq!(
        (ended.code(), ended.out().as_str()),
        (6, "last [secret:name]\n")
    );
}

/// A reader that is stuck keeps no signal from the workload, and TERM from nobody.
#[test]
fn a_stuck_reader_does_not_keep_signals() {
    let place = place();
    let script = "trap 'touch asked; exit 9' TERM; touch up; yes \"$A\" & wait";
    let mut child = spawn(run(&place, &[], script));
    while !place.path("up").exists() {
        std::thread::yield_now();
    }
    let process = Pid::from_raw(child.id() as i32);
    kill(process, Signal::SIGTERM).unwrap();
    while !place.path("asked").exists() {
        std::thread::yield_now();
    }
    // What it has written waits for its reader; whoever does not want to wait says so again.
    let status = loop {
        let _ = kill(process, Signal::SIGTERM);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(9));
}

#[test]
fn a_launch_that_fails_says_so() {
    let place = place();
    let start = |options: &[&str]| place.doorkey(["run", "-q", "--mask"]).args(options);
    start(&["/no/such"]).fails(127, "doorkey: error: /no/such: command not found\n");
    start(&["/"]).fails(
        126,
        "doorkey: error: /: can't be executed: it is a folder\n",
    );
    let ended = start(&["--store=dir:plain", "--env=A=secret:b", "true"]).end();
    assert_eq!(ended.code(), 125);
    assert!(ended.err().contains("secret:b"), "{}", ended.err());
}

/// A gigabyte, of which more than half waits for a slow reader at any time.
#[test]
fn memory_is_bounded() {
    const BYTES: usize = 1 << 30;
    let place = place();
    let script =
        format!("yes \"a line of a log without anything in it, {VALUE}\" | head -c {BYTES}");
    let mut child = spawn(run(&place, &[], &script));
    let mut out = child.stdout.take().unwrap();
    let mut piece = vec![0; 1 << 20];
    let (mut most, mut read) = (0, 0);
    loop {
        let count = out.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        read += count;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(line) = line {
            most = most.max(
                line.trim()
                    .trim_end_matches(" kB")
                    .parse::<usize>()
                    .unwrap(),
            );
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(read > BYTES / 2);
    assert!(most < 16 * 1024, "{most} KiB");
}
