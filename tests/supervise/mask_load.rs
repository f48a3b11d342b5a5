//! `run --mask` where something is short: processors for the writer, room on the disk behind it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{DOORKEY, Place};

const VALUE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";

/// Number of cuts. More than a tenth of the writer's pauses come in the middle of a value.
const CUTS: usize = 600;

/// Prints values, each in two pieces with some work between them.
const WRITER: &str = r#"
import os, random, sys
with open(sys.argv[1], "w") as quota:
    quota.write(str(os.getpid()))
value = os.environ["A"].encode()
random.seed(7)
for _ in range(int(sys.argv[2])):
    cut = random.randrange(1, len(value))
    os.write(1, value[:cut])
    for _ in range(20000):
        pass
    os.write(1, value[cut:] + b"\n")
"#;

/// A control group that gets a tenth of a processor, by the first or second version of the kernel's
/// interface: 10 ms of each 100.
struct Quota(PathBuf);

impl Quota {
    fn tenth() -> Self {
        let name = format!("doorkey-test-{}", std::process::id());
        let (first, second) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let is_first = first.is_dir();
        let folder = if is_first { first } else { second }.join(name);
        if !is_first {
            fs::write(second.join("cgroup.subtree_control"), "+cpu").unwrap();
        }
        fs::create_dir(&folder).unwrap();
        match is_first {
            true => fs::write(folder.join("cpu.cfs_quota_us"), "10000").unwrap(),
            false => fs::write(folder.join("cpu.max"), "10000 100000").unwrap(),
        }
        Quota(folder)
    }

    /// Number of times for which its processes had to pause.
    fn pauses(&self) -> usize {
        let stat = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        let mut lines = stat.lines();
        let pauses = lines.find_map(|line| line.strip_prefix("nr_throttled "));
        pauses.unwrap().parse().unwrap()
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A process that has just ended may still be counted.
        while fs::remove_dir(&self.0).is_err() {
            std::thread::yield_now();
        }
    }
}

fn place() -> Place {
    support::default_signals();
    let place = Place::new();
    place.write("plain/name", VALUE);
    place
}

/// Words before those of the workload.
const WORDS: [&str; 6] = [
    "run",
    "--store=dir:plain",
    "--mask",
    "-q",
    "-eA=secret:name",
    "--",
];

/// The writer is paused in the middle of values, for longer than the silence after which their
/// beginnings would go out. Doorkey itself is not.
#[test]
fn a_writer_without_a_processor_gives_nothing_away() {
    let place = place();
    place.write("writer.py", WRITER);
    let quota = Quota::tenth();
    let run = place.doorkey(WORDS).args(["python3", "writer.py"]);
    let run = run.arg(quota.0.join("cgroup.procs"));
    let ended = run.arg(CUTS.to_string()).ok();
    assert!(quota.pauses() > CUTS / 60, "{} pauses", quota.pauses());
    let out = ended.out();
    let odd: Vec<_> = out
        .lines()
        .filter(|line| *line != "[secret:name]")
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!(out.lines().count(), CUTS);
}

/// Work that goes on keeps nothing back for ever.
#[test]
fn what_a_busy_workload_has_written_goes_out() {
    let place = place();
    let script = "printf '50 %%'; until [ -e go ]; do :; done; echo \" $A\"";
    let run = place.doorkey(WORDS).args(["bash", "-c", script]);
    let mut command = run.command;
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut begins = [0; 4];
    out.read_exact(&mut begins).unwrap();
    assert_eq!(&begins, b"50 %");
    place.write("go", "");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " [secret:name]\n");
    assert!(child.wait().unwrap().success());
}

/// Nothing is lost, and the workload waits: it is told of no reader that is gone.
#[test]
fn a_full_disk_is_waited_for() {
    let place = place();
    let words = WORDS.map(|word| format!("'{word}'")).join(" ");
    let script = format!(
        "mkdir full && mount -t tmpfs -o size=256k none full
         head -c 200000 /dev/zero >full/other
         '{DOORKEY}' {words} sh -c 'yes \"line $A\" | head -n 8000; exit 5' >full/log 2>said &
         until grep -q . said; do sleep 0.01; done
         # It is tried more than once while there is no room.
         sleep 1
         rm full/other
         wait $!; echo \"code $?\"; cat full/log"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    let output = command.current_dir(place.path("")).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let expected = "code 5\n".to_owned() + &"line [secret:name]\n".repeat(8000);
    assert!(out == expected, "{} bytes: {:.100}", out.len(), out);
    assert_eq!(
        fs::read_to_string(place.path("said")).unwrap(),
        "doorkey: error: the command's output waits for room: no space left on device; make some\n"
    );
}
