//! `doorkey join` where it is meant to be used: in a container FROM scratch, by `podman exec`, beside
//! a workload that doorkey has become or stays above, by itself or below podman's own init.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::podman;
use crate::podman::{Container, Image, KEPT, LOCKED, only_child};
use nix::unistd::mkfifo;
use support::Place;
use support::workload;

const VALUE: &str = "canary-91b3c0de77fa";

/// An image, and a store of plain files.
struct Fixture {
    place: Place,
    image: Image,
}

impl Fixture {
    fn new() -> Self {
        let place = Place::within(KEPT);
        place.write("plain/db_password", VALUE);
        let name = place.path("");
        let name = name.file_name().unwrap().to_str().unwrap();
        let image = Image(format!("localhost/{name}-join"));
        podman::build_example(&place, &image.0);
        Fixture { place, image }
    }

    /// Starts a container with a workload of `support::workload` under `doorkey run`.
    fn start(&self, init: bool, workload: &str, options: &[&str]) -> Container {
        let mount = |from: &str, to: &str| format!("--volume={from}:{to}:ro");
        let program = std::env::current_exe().unwrap().display().to_string();
        let plain = self.place.path("plain").display().to_string();
        let mut words: Vec<String> = options.iter().map(|&word| word.to_owned()).collect();
        words.extend([
            mount(&plain, "/plain"),
            mount(&program, "/workload"),
            "--env=DOORKEY_STORE=dir:/plain".to_owned(),
            "--env=DB_PASSWORD=secret:db_password".to_owned(),
            format!("--env={}={workload}", workload::WORKLOAD),
        ]);
        // It is there for `podman exec`, too.
        words.extend(init.then(|| "--env=DOORKEY_INIT=1".to_owned()));
        words.extend([self.image.0.clone(), "/workload".to_owned()]);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Container::start(
            &format!("doorkey-join-{}-{count}", std::process::id()),
            words,
        )
    }
}

/// What `podman exec` gives: its exit code, and what was written to both.
fn exec(container: &Container, options: &[&str], command: &[&str]) -> (i32, Vec<u8>, String) {
    let words = ["exec"].iter().chain(options).copied();
    let words = words.chain([container.name.as_str()]);
    let output = podman::podman(words.chain(command.iter().copied()))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), output.stdout, stderr)
}

/// What a joining command reads from a file.
#[track_caller]
fn joined(container: &Container, options: &[&str], path: &str) -> Vec<u8> {
    let cat = format!("WORKLOAD=cat:{path}");
    let (code, out, err) = exec(
        container,
        options,
        &["/doorkey", "join", "--", "/workload", &cat],
    );
    assert_eq!((code, err.as_str()), (0, ""));
    out
}

/// The entries of an environment but TERM.
fn entries(environ: &[u8]) -> Vec<&[u8]> {
    let entries = environ.split(|&byte| byte == 0);
    entries
        .filter(|entry| !entry.starts_with(b"TERM="))
        .collect()
}

fn field(status: &[u8], name: &str) -> String {
    let status = String::from_utf8(status.to_vec()).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn from_the_first_process_to_the_workload() {
    let fixture = Fixture::new();
    for init in [false, true] {
        for above in [&[][..], &["--init"]] {
            let mut container = fixture.start(init, "stay", &[&LOCKED[..], above].concat());
            container.says("ready");
            let mut workload = container.first();
            for _ in 0..above.len() + usize::from(init) {
                workload = only_child(workload);
            }
            let environ = fs::read(format!("/proc/{workload}/environ")).unwrap();
            let found = joined(&container, &["--env=TERM=own"], "/proc/self/environ");
            assert_eq!(entries(&found), entries(&environ), "{init} {above:?}");
            let value = format!("DB_PASSWORD={VALUE}");
            assert!(entries(&found).contains(&value.as_bytes()));
            assert!(
                found
                    .split(|&byte| byte == 0)
                    .any(|entry| entry == b"TERM=own")
            );
            // It is the process that was started, and nobody is above it.
            let status = joined(&container, &[], "/proc/self/status");
            assert_eq!(field(&status, "PPid:"), "0");
            assert_eq!(field(&status, "Uid:"), "65534 65534 65534 65534");
            // Without it there are references.
            let (_, bare, _) = exec(&container, &[], &["/workload", "WORKLOAD=show"]);
            let bare = String::from_utf8(bare).unwrap();
            assert!(bare.contains("DB_PASSWORD=secret:db_password\n"), "{bare}");
        }
    }
}

/// Whom `podman exec` starts as root becomes the workload's user, without which the kernel would
/// not let it look: a container's root has no CAP_SYS_PTRACE.
#[test]
fn root_takes_the_workloads_user_and_its_files() {
    let fixture = Fixture::new();
    let by_podman = ["--user=65534:41", "--group-add=40", "--group-add=29"];
    let by_doorkey = ["--user=0:0", "--env=DOORKEY_USER=65534:41"];
    for init in [false, true] {
        for (options, groups) in [(&by_podman[..], "29 40"), (&by_doorkey, "")] {
            let mut container = fixture.start(init, "memory-files", options);
            container.says("ready");
            let root = &["--user=0:0"][..];
            let status = joined(&container, root, "/proc/self/status");
            assert_eq!(field(&status, "Uid:"), "65534 65534 65534 65534");
            assert_eq!(field(&status, "Gid:"), "41 41 41 41");
            let found = field(&status, "Groups:");
            let found: Vec<_> = found.split(' ').filter(|group| *group != "41").collect();
            assert_eq!(found.join(" "), groups, "{options:?}");
            assert_eq!(field(&status, "CapEff:"), "0000000000000000");
            for (number, contents) in [(100, workload::FILES[0]), (101, workload::FILES[1])] {
                let path = format!("/proc/self/fd/{number}");
                for user in [root, &["--user=65534:41"]] {
                    let found = joined(&container, user, &path);
                    assert_eq!(String::from_utf8(found).unwrap(), contents);
                }
            }
        }
    }
}

#[test]
fn another_user_may_not() {
    let fixture = Fixture::new();
    for init in [false, true] {
        let mut container = fixture.start(init, "stay", &[]);
        container.says("ready");
        for user in ["--user=1234:1234", "--user=65534:1"] {
            let join = ["/doorkey", "join", "--", "/workload", "WORKLOAD=show"];
            let (code, out, err) = exec(&container, &[user], &join);
            let said = "the kernel's ptrace check keeps its environment from this process; join as its own user 65534:65534 and with its capabilities (docker exec --user 65534:65534), or with CAP_SYS_PTRACE\n";
            assert_eq!((code, out.as_slice()), (125, &b""[..]), "{err}");
            assert!(err.contains(said), "{err}");
            assert!(!err.contains(VALUE));
        }
    }
}

#[test]
fn while_it_is_still_fetching() {
    let fixture = Fixture::new();
    let pipe = fixture.place.path("pipe");
    mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::set_permissions(&pipe, fs::Permissions::from_mode(0o644)).unwrap();
    let mount = format!("--volume={}:/pipe", pipe.display());
    for init in [false, true] {
        let options = [&mount, "--env=DOORKEY_ENV_FILE=/pipe"];
        let mut container = fixture.start(init, "stay", &options);
        let mut open = OpenOptions::new();
        open.write(true).custom_flags(libc::O_NONBLOCK);
        let pipe = loop {
            match open.open(&pipe) {
                Ok(pipe) => break pipe,
                Err(_) => std::thread::yield_now(),
            }
        };
        for user in ["--user=65534:65534", "--user=0:0"] {
            let join = ["/doorkey", "join", "--", "/workload", "WORKLOAD=show"];
            let (code, out, err) = exec(&container, &[user], &join);
            assert_eq!((code, out.as_slice()), (125, &b""[..]), "{err}");
            let said = "the workload has not started yet, doorkey is still fetching its secrets; try again\n";
            assert!(err.contains(said), "{err}");
        }
        drop(pipe);
        container.says("ready");
        let found = joined(&container, &[], "/proc/self/environ");
        let value = format!("DB_PASSWORD={VALUE}");
        assert!(entries(&found).contains(&value.as_bytes()));
    }
}
