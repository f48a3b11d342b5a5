//! What the tests share: a folder of their own, and the program run in it as a process.

#![allow(
    clippy::new_without_default,
    reason = "a folder or a server is made, not a value"
)]

pub mod apiserver;
pub mod azure;
pub mod bao;
pub mod beside;
pub mod canaries;
pub mod cloud;
pub mod faulty;
pub mod gcp;
pub mod lending;
pub mod moto;
pub mod postgres;
pub mod pty;
mod reference;
mod said;
pub mod search;
pub mod served;
pub mod strays;
pub mod trace;
pub mod watched;
pub mod workload;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

pub use said::{created, in_short};

/// The program under test, which build.rs chooses.
pub const DOORKEY: &str = env!("DOORKEY_UNDER_TEST");

/// Gives signals their default in this process, and so in those that it starts: whoever runs the
/// tests in the background may have them ignored.
pub fn default_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for one in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
    ] {
        // SAFETY: the default is no handler.
        unsafe { signal(one, SigHandler::SigDfl) }.unwrap();
    }
}

/// Makes a file that can be executed, for everybody with mode 755, and returns its path. Another
/// process writes it: had this one had it open for writing, whatever another test starts at that
/// moment would hold it open too, and executing it would fail ("text file busy").
pub fn executable(path: &Path, contents: &[u8], mode: u32) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut install = Command::new("install")
        .args(["-m", &format!("{mode:o}"), "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("install is needed (coreutils)");
    let mut stdin = install.stdin.take().unwrap();
    stdin.write_all(contents).unwrap();
    drop(stdin);
    assert!(install.wait().unwrap().success());
    path.display().to_string()
}

/// A new folder, removed when dropped, with a HOME in it.
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Self {
        Self::within(std::env::temp_dir())
    }

    /// An empty folder in another than the system's for temporary files.
    pub fn within(parent: impl AsRef<Path>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("doorkey-test-{}-{count}", std::process::id());
        let path = parent.as_ref().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("home")).unwrap();
        Place {
            path: path.canonicalize().unwrap(),
        }
    }

    /// A folder with an empty store `secrets` in it, and its key in HOME.
    pub fn with_store() -> Self {
        let place = Self::new();
        place.doorkey(["store", "init", "secrets", "-q"]).ok();
        place
    }

    /// A path in the folder.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.path.join(inside)
    }

    /// Writes a file in the folder, with the folders above it.
    pub fn write(&self, inside: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// Stores a secret. `scope` is `team`, `cluster/ID` or `project/ID`. Of a name that doorkey would
    /// not create, but other programs may, there is a file already.
    pub fn set(&self, scope: &str, name: &str, value: impl AsRef<[u8]>) {
        if name.starts_with(|c: char| !c.is_ascii_alphabetic()) || name.contains(['-', '.']) {
            self.write(&format!("secrets/{scope}/{name}.age"), "");
        }
        let (level, id) = scope.split_once('/').unwrap_or((scope, ""));
        let run = self.doorkey([
            "secret",
            "set",
            name,
            "--store",
            "age:secrets",
            "--raw",
            "-q",
        ]);
        let run = run.arg(format!("--{level}"));
        let run = if id.is_empty() { run } else { run.arg(id) };
        run.stdin(value).ok();
    }

    /// The program, to be run in the folder with nothing in its environment but PATH and HOME.
    pub fn doorkey<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Run {
        let mut command = Command::new(DOORKEY);
        command
            .args(arguments)
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"));
        Run {
            command,
            stdin: Vec::new(),
        }
    }

    /// `doorkey run` on the store `secrets`; what follows are more arguments.
    pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Run {
        self.doorkey(["run", "--store", "age:secrets"])
            .args(arguments)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A process about to be run.
pub struct Run {
    /// For what the methods here don't offer.
    pub command: Command,
    stdin: Vec<u8>,
}

impl Run {
    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// A variable less.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Another working directory.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What it reads.
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Runs it to its end.
    pub fn end(mut self) -> Ended {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().unwrap();
        let bytes = std::mem::take(&mut self.stdin);
        let writer = std::thread::spawn(move || {
            // A program that does not read is none of the test's business.
            let _ = stdin.write_all(&bytes);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ended { output }
    }

    /// Runs it, and expects it to succeed.
    pub fn ok(self) -> Ended {
        let ended = self.end();
        assert_eq!(ended.code(), 0, "stderr: {}", ended.err());
        ended
    }

    /// Whether a workload that it launches has a supervisor above it, rather than the test.
    #[track_caller]
    pub fn has_supervisor(self) -> bool {
        // A supervisor may take its name when the workload runs already.
        let script = "while grep -qx doorkey /proc/$PPID/comm; do :; done; cat /proc/$PPID/comm";
        let ended = self.args(["sh", "-c", script]).ok();
        ended.out().starts_with("doorkey:")
    }

    /// Runs it, and expects it to fail with this code, nothing on stdout, and exactly these
    /// lines on stderr.
    #[track_caller]
    pub fn fails(self, code: i32, stderr: &str) -> Ended {
        let ended = self.end();
        assert_eq!(
            (
                ended.code(),
                in_short(&ended.err()).as_str(),
                ended.out().as_str()
            ),
            (code, stderr, "")
        );
        ended
    }
}

impl Run {
    /// Runs it, and expects exactly this exit code, standard output and standard error, the time
    /// in the summary line put as `T`.
    #[track_caller]
    pub fn gives(self, code: i32, stdout: &str, stderr: &str) -> Ended {
        let ended = self.end();
        let found = (ended.code(), ended.out(), in_short(&ended.timeless()));
        assert_eq!(
            (found.0, found.1.as_str(), found.2.as_str()),
            (code, stdout, stderr)
        );
        ended
    }
}

impl Ended {
    /// Standard error with each time (`in 1.2 ms`) put as `in T ms`.
    pub fn timeless(&self) -> String {
        let err = self.err();
        let mut pieces = err.split(" in ");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let time = rest.len() < piece.len() && rest.starts_with(" ms");
            out += " in ";
            out += if time { "T" } else { "" };
            out += if time { rest } else { piece };
        }
        out
    }
}

/// A process that has ended.
pub struct Ended {
    /// All that it left.
    pub output: Output,
}

impl Ended {
    /// The exit code, as a shell gives it: 128+N for a death by signal N.
    pub fn code(&self) -> i32 {
        let status = self.output.status;
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap())
    }

    /// Standard output, as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard error, as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

impl Run {
    /// Runs it as a user whom the system's permissions hold back: nobody, where the tests run as
    /// root. The program is copied, since that user may not reach the build's folder.
    pub fn unprivileged(mut self, place: &Place) -> Self {
        use std::os::unix::process::CommandExt;
        if !nix::unistd::Uid::effective().is_root() {
            return self;
        }
        let copy = place.path("doorkey");
        if !copy.exists() {
            // By another process: a file that is open for writing here, or in a child that another
            // thread has just forked, can't be executed.
            let status = Command::new("cp").arg(DOORKEY).arg(&copy).status();
            assert!(status.unwrap().success());
        }
        let mut command = Command::new(copy);
        command
            .args(self.command.get_args())
            .env_clear()
            .uid(65534)
            .gid(65534);
        command.envs(
            self.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.current_dir(self.command.get_current_dir().unwrap());
        self.command = command;
        self
    }
}

impl Place {
    /// The program with these words, divided by blanks, as its arguments, on the store `secrets`.
    pub fn on(&self, words: &str) -> Run {
        self.doorkey(words.split_whitespace())
            .env("DOORKEY_STORE", "age:secrets")
    }

    /// The value of a secret, exactly; none where it can't be read.
    pub fn reveal(&self, scope: &str, name: &str) -> Option<Vec<u8>> {
        let scope = scope.replace('/', " ");
        let ended = self
            .on(&format!("secret get {name} --reveal --{scope}"))
            .end();
        (ended.code() == 0).then_some(ended.output.stdout)
    }

    /// What lies in the store: the path and contents of each file and folder, sorted.
    pub fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("secrets")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // A folder has no contents of its own.
                found.push((path.clone(), fs::read(&path).unwrap_or_default()));
                folders.extend(path.is_dir().then_some(path));
            }
        }
        found.sort();
        found
    }
}

impl Ended {
    /// Standard output, as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout).expect("standard output is JSON")
    }
}

impl Place {
    /// Makes a key in the file `NAME.key`; gives its public half.
    pub fn key(&self, name: &str) -> String {
        let file = self.path(&format!("{name}.key"));
        let keygen = |option: &str| {
            let output = Command::new("age-keygen").arg(option).arg(&file).output();
            let output = output.expect("age-keygen starts");
            assert!(output.status.success(), "age-keygen {option}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        keygen("-o");
        keygen("-y")
    }

    /// What Debian's `age` decrypts a secret's file to with the key `NAME.key`; none where it can't.
    pub fn age(&self, scope: &str, secret: &str, key: &str) -> Option<Vec<u8>> {
        let output = Command::new("age")
            .arg("-d")
            .arg("-i")
            .arg(self.path(&format!("{key}.key")))
            .arg(self.path(&format!("secrets/{scope}/{secret}.age")))
            .output()
            .expect("age starts");
        output.status.success().then_some(output.stdout)
    }

    /// A folder with an empty store `secrets` in it, and its key in `own.key`; gives also the
    /// key's public half.
    pub fn with_own_key() -> (Self, String) {
        let place = Self::new();
        let own = place.key("own");
        let init = place.doorkey(["store", "init", "secrets", "-q", "--key-file", "own.key"]);
        init.ok();
        (place, own)
    }

    /// As `on`, with the key in `NAME.key`.
    pub fn with(&self, key: &str, words: &str) -> Run {
        let key = self.path(&format!("{key}.key"));
        self.on(words).env("DOORKEY_KEY_FILE", key)
    }

    /// A shell's script, with the program on its PATH and `secrets` as its store.
    pub fn shell(&self, script: &str) -> Run {
        let mut run = self.on("").env("PATH", {
            let folder = Path::new(DOORKEY).parent().unwrap().display();
            format!("{folder}:/usr/local/bin:/usr/bin:/bin")
        });
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(&self.path);
        command.env_clear();
        let set = |(name, value): (_, Option<_>)| Some((name, value?));
        command.envs(run.command.get_envs().filter_map(set));
        run.command = command;
        run
    }
}
