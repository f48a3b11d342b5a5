//! `doorkey redact` from outside: a filter that masks what the scopes in force, or files, name.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use support::{Place, Run};

const ONE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";
const TWO: &str = "p@ss 'w\"rd/$&<%\\`x";

fn place() -> Place {
    support::default_signals();
    let place = Place::with_store();
    place.set("team", "one", ONE);
    place.set("project/web", "two", TWO);
    place.set("project/other", "three", "Jd7Nf3Bp5Gw0");
    place
}

/// `doorkey redact` with these arguments, divided by blanks.
fn redact(place: &Place, arguments: &str) -> Run {
    let run = place.doorkey(["redact", "--store=age:secrets", "--project=web"]);
    run.args(arguments.split_whitespace())
}

#[test]
fn all_in_force_is_masked_and_counted() {
    let place = place();
    let hex: String = TWO.bytes().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("a {ONE}, {hex} {TWO}\nJd7Nf3Bp5Gw0 {TWO}");
    let masked = "a [secret:one], [secret:two] [secret:two]\nJd7Nf3Bp5Gw0 [secret:two]";
    redact(&place, "").stdin(&text).gives(0, masked, "");
    let counts = "1 [secret:one]\n3 [secret:two]\n";
    for (options, code, err) in [
        ("--count", 0, counts),
        ("--fail", 3, ""),
        ("--fail -q --count", 3, counts),
    ] {
        redact(&place, options)
            .stdin(&text)
            .gives(code, masked, err);
    }
    redact(&place, "--fail --count")
        .stdin("a\n")
        .gives(0, "a\n", "");
    redact(&place, "").stdin("").gives(0, "", "");
}

#[test]
fn references_in_files_name_the_values() {
    let place = place();
    place.write("a.env", "A=x${secret:two|base64}\n");
    // All containers count, and what the platform adds does not matter.
    place.write(
        "spec.json",
        r#"{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "a", "env": [{"name": "S", "value": "secret:one"}]},
        {"name": "b", "env": [{"name": "S", "value": "secret:two"},
        {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}]}}"#,
    );
    let text = format!("{ONE} {TWO} plain-value\n");
    for (options, masked) in [
        (
            "--env-file a.env",
            "Vq8Zt2LxWm4Rk9Ys6Hc1 [secret:two] plain-value\n",
        ),
        (
            "--spec spec.json",
            "[secret:one] [secret:two] plain-value\n",
        ),
        (
            "-e A=secret:one --mask-also B -e B=plain-value",
            "[secret:one] p@ss 'w\"rd/$&<%\\`x [secret:B]\n",
        ),
        (
            "-e A=secret:one --all",
            "[secret:one] [secret:two] plain-value\n",
        ),
    ] {
        redact(&place, options).stdin(&text).gives(0, masked, "");
    }
}

#[test]
fn files_are_one_text() {
    let place = place();
    place.write("1", &ONE[..9]);
    place.write("2", format!("{}.", &ONE[9..]));
    let run = redact(&place, "--count 1 - 2").stdin("");
    run.gives(0, "[secret:one].", "1 [secret:one]\n");
    redact(&place, "2 - 1")
        .stdin("<>")
        .gives(0, &format!("{}.<>{}", &ONE[9..], &ONE[..9]), "");
}

/// Every fault is said, and nothing of the input is printed.
#[test]
fn nothing_is_printed_where_a_value_is_missing() {
    let place = place();
    place.write("text", ONE);
    let run = redact(&place, "-e A=secret:none -e B=secret:gone text nowhere .");
    let ended = run.end();
    assert_eq!((ended.code(), ended.out()), (1, String::new()));
    for part in ["secret:none", "secret:gone", "nowhere", "is a directory"] {
        assert!(ended.err().contains(part), "{part}: {}", ended.err());
    }
    let run = place.doorkey(["redact", "--store=dir:home", "text"]);
    run.fails(
        1,
        "doorkey: error: redact: no value to look for is in force, and nothing was printed: name \
         its scope, as by --project, or a file with references\n",
    );
    redact(&place, "--mask-min 3").fails(
        2,
        "doorkey: error: --mask-min must be a number from 4 to 32\n",
    );
}

#[test]
fn short_values_are_named() {
    let place = place();
    place.set("team", "pin", "1234");
    let warning = "doorkey: warning: not masked, as shorter than 8 bytes (--mask-min): pin\n";
    redact(&place, "").stdin("1234").gives(0, "1234", warning);
    redact(&place, "--mask-min=4")
        .stdin("1234")
        .gives(0, "[secret:pin]", "");
}

fn spawn(run: Run) -> Child {
    let mut command = run.command;
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// Whoever follows a log sees what is there, and no value that comes in two pieces.
#[test]
fn a_pause_has_the_input_so_far_printed() {
    let place = place();
    let mut child = spawn(redact(&place, ""));
    let (mut input, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = |text: &str| {
        let mut all = vec![0; text.len()];
        out.read_exact(&mut all).unwrap();
        assert_eq!(String::from_utf8(all).unwrap(), text);
    };
    input.write_all(b"a line\na prompt: ").unwrap();
    shown("a line\na prompt: ");
    input.write_all(&ONE.as_bytes()[..12]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    input.write_all(&ONE.as_bytes()[12..]).unwrap();
    shown("[secret:one]");
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_is_no_fault() {
    let place = place();
    let script = "yes \"$A\" | { doorkey redact --store=age:secrets --fail || echo $? >&2; }";
    let mut run = place.shell(script).env("A", ONE);
    run.command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut line = [0; 13];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"[secret:one]\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "3\n");
    // A disk without room is one.
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut run = redact(&place, "text");
    place.write("text", ONE);
    let output = run.command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "doorkey: error: can't write standard output: no space left on device\n"
    );
}

/// A gigabyte, whose reader is slower than its writer.
#[test]
fn memory_is_bounded() {
    const BYTES: usize = 1 << 30;
    let place = place();
    let script = format!("yes \"a line of a log, {ONE}\" | head -c {BYTES}");
    let mut writer = Command::new("sh");
    let mut writer = writer
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut run = redact(&place, "");
    run.command
        .stdin(writer.stdout.take().unwrap())
        .stdout(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    // This process has the input's end, too.
    drop(run);
    let mut out = child.stdout.take().unwrap();
    let (mut piece, mut most, mut read) = (vec![0; 1 << 20], 0, 0);
    loop {
        let count = out.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        read += count;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = line.map(|line| {
            line.trim()
                .trim_end_matches(" kB")
                .parse::<usize>()
                .unwrap()
        });
        most = most.max(peak.unwrap_or(0));
    }
    assert!(child.wait().unwrap().success() && writer.wait().unwrap().success());
    assert!(read > BYTES / 2, "{read}");
    assert!(most < 16 * 1024, "{most} KiB");
}
