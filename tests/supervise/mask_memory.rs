//! The supervisor of `run --mask` sees every value pass, and keeps none: when the output has
//! drained there is nothing of it in its memory, nor in that of the process above the workload.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::canaries::{Canaries, Random, SEED};
use support::pty::{Terminal, program};
use support::strays::strays;
use support::trace::Memory;
use support::{Place, Run};

/// Says all it has in every form, waits, says it once more in one write, and waits.
const WORKLOAD: &str = r#"
import base64, json, os, sys, time, urllib.parse
values = [value for name, value in sorted(os.environ.items()) if name.startswith("CANARY")]
for out in (sys.stdout, sys.stderr):
    for value in values:
        raw = value.encode()
        forms = [base64.b64encode(b"." * i + raw).decode() for i in range(3)]
        forms += [value, raw.hex(), urllib.parse.quote(value), json.dumps(value), repr(value)]
        for form in forms:
            print(f"<{form}>", file=out, flush=True)
            out.write(form[:len(form) // 2]); out.flush(); out.write(form[len(form) // 2:] + "\n")
    out.write(" ".join(values) + "\n"); out.flush()
typed = sys.stdin.readline() if sys.stdin.isatty() else ""
print(len(values), "said", len(typed), flush=True)
time.sleep(1000)
"#;

/// A place with 100 canaries, and what is looked for of them.
fn place() -> (Place, Canaries) {
    support::default_signals();
    let place = Place::new();
    let (mut random, mut canaries) = (Random(SEED), Canaries::default());
    for at in 0..100 {
        let value = random.text(16 + at);
        place.write(&format!("plain/canary_{at}"), &value);
        canaries.needle(&format!("canary {at}"), &value, &[]);
        canaries.needle(
            &format!("canary {at} in base64"),
            BASE64_STANDARD.encode(&value),
            &[],
        );
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        canaries.needle(&format!("canary {at} in hexadecimal"), hex, &[]);
        canaries.variable(
            &format!("CANARY_{at}"),
            format!("secret:canary_{at}"),
            value,
        );
    }
    place.write("workload.py", WORKLOAD);
    (place, canaries)
}

fn with(mut run: Run, canaries: &Canaries) -> Run {
    for (name, reference, _) in &canaries.variables {
        run.command.env(name, reference);
    }
    run.env("PATH", std::env::var("PATH").unwrap())
}

#[track_caller]
fn holds_nothing(process: i32, canaries: &Canaries) {
    // What has gone out is overwritten a moment after it was last needed. Memory that is looked
    // at must not change.
    let process = Pid::from_raw(process);
    let look = || {
        kill(process, Signal::SIGSTOP).unwrap();
        while !fs::read_to_string(format!("/proc/{process}/stat"))
            .unwrap()
            .contains(") T ")
        {
            std::thread::yield_now();
        }
        let found = strays(&Memory::of(process), &canaries.needles, &BTreeMap::new());
        kill(process, Signal::SIGCONT).unwrap();
        found
    };
    for _ in 0..20 {
        if look().is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{}", look().join("\n"));
}

fn children(process: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    list.split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

/// What doorkey is told.
const WORDS: [&str; 7] = [
    "run",
    "--store=dir:plain",
    "--mask",
    "-q",
    "--",
    "python3",
    "workload.py",
];

#[test]
fn through_pipes() {
    let (place, canaries) = place();
    let run = place.doorkey(WORDS);
    let mut run = with(run, &canaries);
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut err = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    let (mut out, mut text) = (child.stdout.take().unwrap(), Vec::new());
    while !text.ends_with(b"100 said 0\n") {
        let mut piece = [0; 65536];
        let count = out.read(&mut piece).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&text));
        text.extend(&piece[..count]);
    }
    holds_nothing(child.id() as i32, &canaries);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let text = String::from_utf8(text).unwrap() + &errors.join().unwrap();
    for (name, _, value) in &canaries.variables {
        assert!(!text.contains(str::from_utf8(value).unwrap()), "{name}");
    }
    assert!(text.contains("<[secret:canary_0]>") && text.contains("<[secret:canary_99]>"));
}

#[test]
fn at_a_terminal() {
    let (place, mut canaries) = place();
    let typed = String::from_utf8(Random(7).text(30)).unwrap();
    canaries.needle("what is typed", &typed, &[]);
    let words = [&["doorkey"][..], &WORDS].concat();
    let path = program(&place, &words)
        .command
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .unwrap()
        .1
        .unwrap()
        .to_owned();
    let mut run = with(program(&place, &words), &canaries);
    run.command.env(
        "PATH",
        format!("{}:{}", path.display(), std::env::var("PATH").unwrap()),
    );
    let mut terminal = Terminal::start(run);
    terminal.wait_for("secret:canary_99");
    terminal.types(format!("{typed}\n")).wait_for("100 said 31");
    // The terminal's session has its first process become doorkey.
    let supervisor = terminal.child.id() as i32;
    let monitor = children(supervisor)[0];
    let workload = children(monitor)[0];
    holds_nothing(supervisor, &canaries);
    holds_nothing(monitor, &canaries);
    // The one in between has nothing but its terminals open, and nothing of an environment.
    let environ = fs::read(format!("/proc/{monitor}/environ")).unwrap();
    assert!(environ.len() > 100 && environ.iter().all(|&byte| byte == 0));
    let open = fs::read_dir(format!("/proc/{monitor}/fd")).unwrap();
    for entry in open {
        let to = fs::read_link(entry.unwrap().path()).unwrap();
        assert!(
            to.starts_with("/dev/pts") || to.starts_with("/dev/tty"),
            "{}",
            to.display()
        );
    }
    let name = fs::read_to_string(format!("/proc/{monitor}/comm")).unwrap();
    assert_eq!(name.trim(), format!("doorkey:{workload}"));
    kill(Pid::from_raw(workload), Signal::SIGTERM).unwrap();
    let (code, screen, usual) = terminal.end();
    assert!(code == 143 && usual, "{screen}");
}

/// Says the most memory that the launch and the supervisor have had, in KB.
const PEAK: &str = r#"
import os, resource
with open(f"/proc/{os.getppid()}/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, peak)
"#;

/// Memory follows the number of forms, not their length.
#[test]
fn large_values() {
    support::default_signals();
    let mut random = Random(SEED);
    let mut peak = |value: &mut dyn FnMut(&mut Random) -> Vec<u8>| {
        let place = Place::new();
        place.write("peak.py", PEAK);
        let words = [
            "run",
            "--store=dir:plain",
            "--mask",
            "-q",
            "--",
            "python3",
            "peak.py",
        ];
        let mut run = place
            .doorkey(words)
            .env("PATH", std::env::var("PATH").unwrap());
        for at in 0..300 {
            place.write(&format!("plain/v{at}"), value(&mut random));
            run = run.env(format!("V{at}"), format!("secret:v{at}|file"));
        }
        let out = run.ok().out();
        let peaks: Vec<u32> = out
            .split_whitespace()
            .map(|it| it.parse().unwrap())
            .collect();
        assert!(peaks.iter().all(|peak| *peak < 100_000), "{peaks:?} KB");
    };
    peak(&mut |random| random.text(65_536));
    // Each of a thousand lines is a form by itself.
    peak(&mut |random| {
        let lines: Vec<_> = (0..1008).map(|_| random.text(64)).collect();
        lines.join(&b'\n')
    });
}
