//! Images and containers, by podman with runc. Nothing is pulled, and all of it is kept apart from
//! the machine's own, under `target/containers`.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use support::{DOORKEY, Place, executable};

/// Where images, containers and what they need are.
pub const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/containers");

/// What every container here is denied: a root that can be written to, capabilities, new
/// privileges, a network.
pub const LOCKED: [&str; 5] = [
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--network=none",
];

/// podman's arguments before any of a subcommand's.
fn own() -> &'static [String; 5] {
    static OWN: OnceLock<[String; 5]> = OnceLock::new();
    OWN.get_or_init(|| {
        // podman takes no long path here.
        let hash = KEPT.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let run = format!("/run/doorkey-test-{hash:x}");
        let config = format!(
            "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             lock_type = \"file\"\ntmp_dir = \"{run}/engine\"\n\
             [containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n"
        );
        fs::create_dir_all(KEPT).unwrap();
        fs::write(format!("{KEPT}/containers.conf"), config).unwrap();
        let root = format!("{KEPT}/root");
        let config = format!("CONTAINERS_CONF={KEPT}/containers.conf");
        [config, "--root".to_owned(), root, "--runroot".to_owned(), run]
    })
}

/// podman, with the rest of its arguments to come.
pub fn podman<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    let mut command = Command::new("env");
    let (config, rest) = own().split_first().unwrap();
    command.arg(config).arg("podman").args(rest).args(arguments);
    command
}

/// Runs podman to its end, which has to be a success; gives what it wrote.
#[track_caller]
pub fn done<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> String {
    let output = podman(arguments).output().expect("env starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "podman: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &stderr
}

/// Makes commands of these names that are podman, after `before`: a script that may change its
/// arguments. Gives the folder that they are in.
pub fn shim(place: &Place, names: &[&str], before: &str) -> PathBuf {
    let quoted: Vec<_> = own().iter().map(|word| format!("'{word}'")).collect();
    let (config, rest) = quoted.split_first().unwrap();
    let rest = rest.join(" ");
    let script = format!("#!/bin/sh\n{before}\nexec env {config} /usr/bin/podman {rest} \"$@\"\n");
    for name in names {
        executable(&place.path("bin").join(name), script.as_bytes(), 0o755);
    }
    place.path("bin")
}

/// How an image is built here: without a network, from what is there.
pub const BUILD: [&str; 5] = [
    "--isolation=chroot",
    "--network=host",
    "--pull=never",
    "--layers=false",
    "--quiet",
];

/// Has Debian's image, under the name that Dockerfiles have for it: made by debootstrap.
pub fn debian() {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut is_done = DONE.lock().unwrap();
    let name = "docker.io/library/debian:12-slim";
    let there = || {
        podman(["image", "exists", name])
            .status()
            .unwrap()
            .success()
    };
    if !*is_done && !there() {
        let base = format!("{KEPT}/debian.tar");
        assert!(
            Path::new(&base).exists(),
            "{base} is missing: sh .ci/test makes it"
        );
        // As Debian's own image has it.
        let path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let change = [
            "import",
            "--quiet",
            "--change",
            path,
            "--change",
            "CMD [\"bash\"]",
        ];
        done(change.into_iter().chain([&*base, name]));
    }
    *is_done = true;
}

/// Builds `Dockerfile.example` as it is, with the program under test in the place of what its
/// first stage would build.
pub fn build_example(place: &Place, tag: &str) {
    let context = format!("build={}", built(place).display());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile.example");
    let mut words = vec!["build"];
    words.extend(BUILD);
    words.extend(["--build-context", &context, "--tag", tag, "--file", file]);
    done(
        words
            .into_iter()
            .map(OsStr::new)
            .chain([place.path("built").as_os_str()]),
    );
}

/// A folder with what the first stage of `Dockerfile.example` leaves: the program.
pub fn built(place: &Place) -> PathBuf {
    fs::create_dir_all(place.path("built")).unwrap();
    fs::copy(DOORKEY, place.path("built/doorkey")).unwrap();
    place.path("built")
}

/// An image that is removed when dropped.
pub struct Image(pub String);

impl Drop for Image {
    fn drop(&mut self) {
        let _ = podman(["rmi", "--force", &self.0]).output();
    }
}

/// A container that runs in the foreground, removed when dropped.
pub struct Container {
    /// Its name.
    pub name: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Container {
    /// Starts one with these arguments of `podman run`.
    pub fn start<I: IntoIterator<Item: AsRef<OsStr>>>(name: &str, arguments: I) -> Self {
        let mut command = podman(["run", "--sig-proxy=false", "--name", name]);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Container {
            name: name.to_owned(),
            child,
            stdout,
        }
    }

    /// Waits until it says a line.
    #[track_caller]
    pub fn says(&mut self, expected: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        if line.trim_end() != expected {
            let _ = self.child.kill();
            panic!("{line:?} in place of {expected:?}: {:?}", self.rest());
        }
    }

    /// Its first process, as the host numbers it.
    pub fn first(&self) -> i32 {
        let pid = done(["inspect", "--format", "{{.State.Pid}}", &self.name]);
        pid.trim().parse().unwrap()
    }

    /// Its exit code, and what it wrote that was not read yet, to both.
    pub fn end(mut self) -> (i32, String, String) {
        self.rest()
    }

    fn rest(&mut self) -> (i32, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        let status = self.child.wait().unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, out, err)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = podman(["rm", "--force", "--time=0", &self.name]).output();
        let _ = self.child.wait();
    }
}

/// The only child of a process.
pub fn only_child(of: i32) -> i32 {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    children.trim().parse().expect("one child")
}
