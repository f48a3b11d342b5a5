//! Whatever doorkey writes is there whole or not at all, and nothing is left of what is not
//! finished: where the file system has files without names, and where it has none.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lacks::{ALL, Lacks};
use nix::sys::ptrace;
use nix::sys::signal::kill;
use support::trace::{Begin, Tracee};
use support::{DOORKEY, Place};

const VALUE: &str = "canary-d84e1f60b3";

/// A store, a template, and a folder for what is made of it.
fn place() -> Place {
    let place = Place::new();
    place.write("plain/a", VALUE);
    place.write("app.in", "a = ${secret:a}\n");
    fs::create_dir(place.path("out")).unwrap();
    place
}

fn filled() -> String {
    format!("a = {VALUE}\n")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A command that writes `out/NAME`, stopped before its first instruction.
struct Writer<'p> {
    place: &'p Place,
    words: Vec<String>,
    lacks: Lacks,
}

impl<'p> Writer<'p> {
    fn render(place: &'p Place, options: &[&str], lacks: Lacks) -> Self {
        let path = |inside: &str| place.path(inside).display().to_string();
        let store = format!("--store=dir:{}", path("plain"));
        let mut words = vec!["render".to_owned(), "-q".to_owned(), store];
        words.extend(options.iter().map(|&option| option.to_owned()));
        words.extend([path("app.in"), path("out/file")]);
        Writer {
            place,
            words,
            lacks,
        }
    }

    /// A launch that keeps its values in a cache.
    fn cache(place: &'p Place, lacks: Lacks) -> Self {
        let path = |inside: &str| place.path(inside).display().to_string();
        let recipient = place.key("own");
        let words = [
            "run",
            "-q",
            &format!("--store=dir:{}", path("plain")),
            &format!("--cache={}", path("out/file")),
            &format!("--cache-recipient={recipient}"),
            "-eA=secret:a",
            "/bin/true",
        ];
        let words = words.map(str::to_owned).into();
        Writer {
            place,
            words,
            lacks,
        }
    }

    fn start(&self) -> Tracee {
        let words = [DOORKEY]
            .into_iter()
            .chain(self.words.iter().map(String::as_str));
        let begin = Begin::new(words).env("HOME", self.place.path("home"));
        begin.start(|| self.lacks.take_effect())
    }

    /// Lets one run up to where it begins to write, and so many system calls further; none where
    /// it has ended by then.
    fn at(&self, calls: usize) -> Option<Tracee> {
        let mut tracee = self.start();
        loop {
            let (call, arguments) = tracee.next_call()?;
            if call == libc::SYS_openat && arguments[2] & 0o20_000_000 != 0 {
                break;
            }
        }
        for _ in 0..calls {
            let (call, _) = tracee.next_call()?;
            if [libc::SYS_execve, libc::SYS_exit_group].contains(&call) {
                return None;
            }
        }
        Some(tracee)
    }
}

/// Ended by a signal before each of its system calls, it leaves the file as it was or as it is to
/// be, and nothing else. After a kill a temporary name may be there, which the next one removes.
fn is_ended_at_any_moment(writer: &Writer<'_>, signals: &[i32], is_new: impl Fn(&[u8]) -> bool) {
    let folder = writer.place.path("out");
    let file = folder.join("file");
    for &signal in signals.iter().filter(|signal| **signal != libc::SIGKILL) {
        // A shell's background has some ignored, and so would be what starts there.
        // SAFETY: the default is no handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let (mut moments, mut left) = (0, 0);
    for before in [None, Some("old")] {
        for calls in 0.. {
            let signal = signals[calls % signals.len()];
            let _ = fs::remove_file(&file);
            before.iter().for_each(|old| fs::write(&file, old).unwrap());
            let Some(mut tracee) = writer.at(calls) else {
                break;
            };
            if signal == libc::SIGKILL {
                tracee.kill();
            } else {
                let signal = nix::sys::signal::Signal::try_from(signal).unwrap();
                kill(tracee.pid, signal).unwrap();
                assert_eq!(tracee.finish(), 128 + signal as i32);
            }
            moments += 1;
            match fs::read(&file) {
                Ok(found) => assert!(is_new(&found) || before.map(str::as_bytes) == Some(&found)),
                Err(_) => assert_eq!(before, None),
            }
            let others = names(&folder).iter().filter(|name| *name != "file").count();
            left += others;
            if signal != libc::SIGKILL || writer.lacks == Lacks::Nothing && before.is_none() {
                assert_eq!(others, 0, "{:?} {signal} {calls}", names(&folder));
            }
            if others > 0 {
                let mut next = writer.start();
                while next
                    .next_call()
                    .is_some_and(|(call, _)| call != libc::SYS_execve)
                {}
                drop(next);
                assert_eq!(names(&folder), ["file"]);
            }
        }
    }
    assert!(moments > 10, "{moments} moments");
    let kills = signals == [libc::SIGKILL];
    assert_eq!(left > 0, kills, "{left} left over by {:?}", writer.lacks);
}

/// Every signal that ends a process and can be caught, of the ordinary ones that nobody's own
/// faults raise.
const ENDING: [i32; 10] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGXCPU,
    libc::SIGIO,
    libc::SIGPWR,
];

#[test]
fn render_that_is_ended_leaves_nothing() {
    let place = place();
    for lacks in ALL {
        for signals in ENDING.chunks(2).chain([&[libc::SIGKILL][..]]) {
            let writer = Writer::render(&place, &[], lacks);
            is_ended_at_any_moment(&writer, signals, |found| found == filled().as_bytes());
        }
    }
}

#[test]
fn a_cache_is_written_in_the_same_way() {
    for lacks in ALL {
        let place = place();
        let writer = Writer::cache(&place, lacks);
        for signals in [&[libc::SIGTERM, libc::SIGUSR1][..], &[libc::SIGKILL]] {
            is_ended_at_any_moment(&writer, signals, |found| {
                found.starts_with(b"age-encryption")
            });
        }
    }
}

/// The deadline that has passed is one of the ways out.
#[test]
fn out_of_time_it_leaves_nothing() {
    let place = place();
    for lacks in ALL {
        // Long enough to be led up to each call on a busy machine.
        let writer = Writer::render(&place, &["--timeout=1500ms"], lacks);
        fs::write(place.path("out/file"), "old").unwrap();
        let mut named = 0;
        for calls in 0.. {
            let Some(tracee) = writer.at(calls) else {
                break;
            };
            if names(&place.path("out")).len() < 2 {
                continue;
            }
            named += 1;
            // Its timer's signal waits.
            let is_due = || {
                let status = tracee.read_proc("status");
                let pending = status
                    .lines()
                    .find_map(|line| line.strip_prefix("ShdPnd:\t"));
                u64::from_str_radix(pending.unwrap(), 16).unwrap() >> 60 & 1 == 1
            };
            while !is_due() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            ptrace::detach(tracee.pid, None).unwrap();
            let (mut status, process) = (0, tracee.pid.as_raw());
            std::mem::forget(tracee);
            // SAFETY: the pointer is to the status.
            unsafe { libc::waitpid(process, &mut status, 0) };
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1);
            assert_eq!(names(&place.path("out")), ["file"]);
            if named == 3 {
                break;
            }
        }
        assert!(named > 0, "{lacks:?}");
    }
}

/// Nobody ever finds it with another owner, mode or text.
#[test]
fn owner_and_mode_are_there_first() {
    let place = place();
    let options = ["--owner=nobody:7", "--mode=640"];
    for lacks in ALL {
        let writer = Writer::render(&place, &options, lacks);
        let file = place.path("out/file");
        let mut seen = 0;
        let _ = fs::remove_file(&file);
        let mut tracee = writer.start();
        while tracee.next_call().is_some() {
            let Ok(status) = file.metadata() else {
                continue;
            };
            let found = (status.mode(), status.uid(), status.gid());
            assert_eq!(found, (0o100_640, 65534, 7), "{lacks:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), filled());
            seen += 1;
        }
        assert!(seen > 0);
    }
}

#[test]
fn owner_and_mode_are_for_files_alone() {
    let place = place();
    let render = |words: &[&str]| place.doorkey(["render", "--store=dir:plain"]).args(words);
    for (words, said) in [
        (&["--mode=640", "app.in"][..], "--mode needs OUT, a file"),
        (
            &["--owner=nobody", "app.in", "-"],
            "--owner needs OUT, a file",
        ),
        (
            &["--mode=1777", "app.in", "out/file"],
            "--mode must be octal, from 0 to 777",
        ),
        (
            &["--owner=no-such", "app.in", "out/file"],
            "--owner names the user no-such, not found in /etc/passwd; a number needs no entry",
        ),
    ] {
        render(words).fails(2, &format!("doorkey: error: {said}\n"));
    }
    assert_eq!(names(&place.path("out")), [""; 0]);
    let run = render(&["app.in", "out/file"]).env("DOORKEY_MODE", "444");
    run.gives(0, "", "");
    assert_eq!(place.path("out/file").metadata().unwrap().mode(), 0o100_444);
    // Who may not give files away says so, and leaves nothing.
    fs::set_permissions(place.path("out"), PermissionsExt::from_mode(0o777)).unwrap();
    fs::remove_file(place.path("out/file")).unwrap();
    let run = render(&["--owner=root", "app.in", "out/file"]).unprivileged(&place);
    run.fails(
        1,
        "doorkey: error: OUT: can't write out/file: operation not permitted\n",
    );
    assert_eq!(names(&place.path("out")), [""; 0]);
}

/// Writers that have a temporary name each, while the file is read.
#[test]
fn many_writers_at_once() {
    let place = place();
    let texts = ["1", "2"].map(|one| one.repeat(100_000));
    for text in &texts {
        place.write(&format!("{}.in", &text[..1]), text);
    }
    let render = |which: &str| {
        let words = ["render", "-q", which, "out/file"];
        Lacks::Nameless
            .during(place.doorkey(words))
            .gives(0, "", "");
    };
    render("1.in");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let found = fs::read_to_string(place.path("out/file")).unwrap();
                assert!(texts.contains(&found), "a whole file");
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                scope.spawn(move || {
                    for round in 0..15 {
                        render(["1.in", "2.in"][(writer + round) % 2]);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|one| one.join()).collect();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(names(&place.path("out")), ["file"]);
}

/// What begins like a temporary name and is none stays; so does another writer's.
#[test]
fn the_names_of_others_stay() {
    let place = place();
    let theirs = [".tmp-file", ".file", ".tmp-file.doorkey-1", "file.new"];
    for name in theirs {
        place.write(&format!("out/{name}"), "theirs");
    }
    let writes = place.write("out/.tmp-file.doorkey-0", "another writer's");
    let locked = fs::File::open(&writes).unwrap();
    locked.lock_shared().unwrap();
    for lacks in [Lacks::Nothing, Lacks::Links] {
        let render = || {
            let words = ["render", "-q", "--store=dir:plain", "app.in", "out/file"];
            lacks.during(place.doorkey(words)).gives(0, "", "");
        };
        render();
        render();
        assert!(writes.exists());
    }
    drop(locked);
    place
        .doorkey(["render", "-q", "--store=dir:plain", "app.in", "out/file"])
        .ok();
    assert!(!writes.exists());
    for name in [".tmp-file", ".file", "file.new"] {
        assert!(place.path("out").join(name).exists(), "{name}");
    }
}

/// Everything else that is written, where files have names.
#[test]
fn every_writer_finds_a_way() {
    for lacks in ALL {
        let place = Place::new();
        let words = ["store", "init", "secrets", "-q"];
        lacks.during(place.doorkey(words)).gives(0, "", "");
        let key = place.path("home/.config/doorkey/key.txt");
        assert_eq!(key.metadata().unwrap().mode(), 0o100_600);
        assert_eq!(names(key.parent().unwrap()), ["key.txt"]);
        let secret = |verb: &str, value: &str| {
            let run = place.on(&format!("secret {verb} name --team -q --raw"));
            lacks.during(run.stdin(value)).end().code()
        };
        assert_eq!(secret("create", "1"), 0);
        assert_eq!(secret("create", "2"), 1, "it exists");
        assert_eq!(place.reveal("team", "name").unwrap(), b"1");
        assert_eq!(secret("set", "3"), 0);
        assert_eq!(place.reveal("team", "name").unwrap(), b"3");
        assert_eq!(names(&place.path("secrets/team")), ["name.age"]);
        // More than a process has descriptors for files without names.
        for index in 0..70 {
            place.set("team", &format!("other{index}"), "value");
        }
        let other = place.key("other");
        let add = place.on(&format!("store recipient add {other} -q"));
        lacks.during(add).gives(0, "", "");
        place.on("store check -q").gives(0, "", "");
        assert_eq!(names(&place.path("secrets/team")).len(), 71);

        fs::create_dir(place.path("bin")).unwrap();
        for _ in 0..2 {
            let install = place.doorkey(["install", "-q", "bin"]);
            lacks.during(install).gives(0, "", "");
            assert_eq!(names(&place.path("bin")), ["doorkey"]);
            let version = Command::new(place.path("bin/doorkey"))
                .arg("--version")
                .output();
            assert!(version.unwrap().status.success());
        }

        let shared = Place::within("/dev/shm");
        let files = format!("--files={}", shared.path("files").display());
        for init in ["--no-new-privs", "--init"] {
            let run = place.run(["-q", init, &files, "--user=nobody", "-eA=secret:name|file"]);
            fs::set_permissions(shared.path(""), PermissionsExt::from_mode(0o755)).unwrap();
            let run = run.args(["sh", "-c", "cat $A; ls -A ${A%/*}"]);
            lacks.during(run).gives(0, "3A\n", "");
        }
        assert_eq!(names(&shared.path("files")), [""; 0]);
    }
}

/// Without /proc a file that has no name can't be given one.
#[test]
fn without_proc_too() {
    let place = place();
    let script = "umount -l /proc; for i in 1 2; do \
                  \"$0\" render -q --store=dir:plain app.in out/file; done; \
                  \"$0\" install -q out/program";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, DOORKEY]);
    let output = command.current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(names(&place.path("out")), ["file", "program"]);
    assert_eq!(
        fs::read_to_string(place.path("out/file")).unwrap(),
        filled()
    );
}
