//! Every two of the features that change what a launch is, together: each keeps its promises.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::{Arc, Mutex};

use nix::unistd::Pid;
use serde_json::json;
use support::faulty;
use support::faulty::{Faulty, document};
use support::strays::{Needle, strays};
use support::trace::Memory;
use support::watched::{Watched, until};
use support::{Place, Run};

const VALUES: [&str; 2] = ["Vq8Zt2LxWm4Rk9Ys6Hc1", "Jd7Nf3Bp5Gw0Xe2Ku9Ta"];

/// Whom `--user` names.
const USER: u32 = 65534;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Feature {
    Init,
    Mask,
    Restart,
    Signal,
    Files,
    User,
    Cache,
    Join,
}

use Feature::{Cache, Files, Init, Join, Mask, Restart, Signal, User};

const ALL: [Feature; 8] = [Init, Mask, Restart, Signal, Files, User, Cache, Join];

/// Says what it has; so again for each HUP.
const SCRIPT: &str = "say() { f=; [ -z \"$F\" ] || f=$(cat $F); echo \"$1 $A,$f $(id -u)\"; }; \
    trap 'say HUP' HUP; trap 'echo USR1' USR1; trap 'exit 7' TERM; say began; \
    while :; do sleep 0.01; done";

/// A launch with some of them, and what it lives on.
struct Case {
    features: Vec<Feature>,
    place: Place,
    /// Of which nothing is on a disk.
    memory: Place,
    value: Arc<Mutex<&'static str>>,
    server: Faulty,
    recipient: String,
}

impl Case {
    fn new(features: &[Feature]) -> Self {
        let value = Arc::new(Mutex::new(VALUES[0]));
        let current = value.clone();
        let server = Faulty::new(move |request| match request.path.as_str() {
            "/v1/kv/data/app/team" => document(&json!({"a": *current.lock().unwrap()})),
            _ => faulty::json(404, &json!({"errors": []})),
        });
        let (place, memory) = (Place::new(), Place::within("/dev/shm"));
        let recipient = place.key("own");
        fs::set_permissions(
            place.write("token", "s.token"),
            PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        fs::set_permissions(memory.path(""), PermissionsExt::from_mode(0o755)).unwrap();
        Case {
            features: features.to_vec(),
            place,
            memory,
            value,
            server,
            recipient,
        }
    }

    fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    fn watches(&self) -> bool {
        self.has(Restart) || self.has(Signal)
    }

    fn has_supervisor(&self) -> bool {
        self.has(Init) || self.has(Mask) || self.watches()
    }

    fn run(&self, timeout: &str) -> Run {
        let mut run = self
            .place
            .doorkey(["run", "--timeout", timeout, "-eA=secret:a"]);
        for feature in &self.features {
            run = match feature {
                Init => run.arg("--init"),
                Mask => run.arg("--mask"),
                Restart => run.arg("--on-change=restart"),
                Signal => run.arg("--on-change=signal:HUP"),
                Files => run
                    .arg("--files")
                    .arg(self.folder())
                    .arg("-eF=secret:a|file"),
                User => run.arg(format!("--user={USER}")),
                Cache => run
                    .env("DOORKEY_CACHE", self.place.path("cache"))
                    .env("DOORKEY_CACHE_RECIPIENT", &self.recipient)
                    .env("DOORKEY_KEY_FILE", self.place.path("own.key")),
                Join => run,
            };
        }
        if self.watches() {
            run = run.arg("--watch=1h");
        }
        run.args(["--", "sh", "-c", SCRIPT])
            .env("DOORKEY_STORE", "vault:kv/app?kv=2")
            .env("VAULT_ADDR", self.server.address())
            .env("VAULT_TOKEN_FILE", self.place.path("token"))
    }

    fn folder(&self) -> std::path::PathBuf {
        self.memory.path("files")
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder().join("F")
    }

    /// The line that the workload says: what its variable and its file have.
    fn line(&self, what: &str, variable: &str, file: &str) -> String {
        let shown = |value: &str| match self.has(Mask) {
            true => "[secret:a]".to_owned(),
            false => value.to_owned(),
        };
        let file = if self.has(Files) {
            shown(file)
        } else {
            String::new()
        };
        format!("{what} {},{file} {}", shown(variable), self.uid())
    }

    fn uid(&self) -> u32 {
        if self.has(User) { USER } else { 0 }
    }

    /// What is true of it at any time while it runs with these values.
    #[track_caller]
    fn holds(&self, watched: &mut Watched, variable: &str, file: &str) {
        let is_named = || watched.proc("comm").starts_with("doorkey:");
        match self.has_supervisor() {
            true => until("it has its name", is_named),
            false => assert!(!is_named()),
        }
        // Signals arrive, through a supervisor as without one.
        watched.send(libc::SIGUSR1);
        watched.shows("USR1");
        if self.has_supervisor() {
            let needle = |value: &&str| Needle {
                label: value.to_string(),
                bytes: value.as_bytes().to_vec(),
                variables: vec![],
            };
            let needles: Vec<_> = VALUES.iter().map(needle).collect();
            let memory = Memory::of(Pid::from_raw(watched.id()));
            let found = strays(&memory, &needles, &BTreeMap::new());
            assert!(found.is_empty(), "{}", found.join("\n"));
            // Whoever opens what it has writes where the workload does.
            let descriptor = format!("/proc/{}/fd/1", watched.id());
            fs::write(descriptor, format!("{variable}.\n")).unwrap();
            let shown = if self.has(Mask) {
                "[secret:a]"
            } else {
                variable
            };
            watched.shows(&format!("{shown}."));
        }
        if self.has(Files) {
            let found = fs::metadata(self.file()).unwrap();
            assert_eq!((found.mode() & 0o777, found.uid()), (0o400, self.uid()));
            assert_eq!(fs::read_to_string(self.file()).unwrap(), file);
            assert_eq!(fs::read_dir(self.folder()).unwrap().count(), 1);
        }
        if self.has(Cache) {
            let sealed = fs::read(self.place.path("cache")).unwrap();
            assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
        }
        if self.has(Join) {
            let script = "f=; [ -z \"$F\" ] || f=$(cat $F); echo \"$A,$f $(id -u)\"";
            let id = watched.id().to_string();
            let run = self
                .place
                .doorkey(["join", "--pid", &id, "--", "sh", "-c", script]);
            let file = if self.has(Files) { file } else { "" };
            let shown = format!("{variable},{file} {}\n", self.uid());
            run.gives(0, &shown, "");
        }
    }

    /// From its beginning to its end.
    fn keeps_its_promises(mut self) {
        let [old, new] = VALUES;
        let mut watched = Watched::start(self.run("10s"));
        watched.resolved();
        watched.shows(&self.line("began", old, old));
        self.holds(&mut watched, old, old);
        let (mut variable, mut cached) = (old, old);
        if self.watches() {
            *self.value.lock().unwrap() = new;
            watched.refresh();
            let changed = if self.has(Files) { "A, F" } else { "A" };
            if self.has(Restart) {
                (variable, cached) = (new, new);
                watched.says(&format!("changed: {changed}; the command is launched anew"));
                watched.resolved();
                watched.shows(&self.line("began", new, new));
            } else {
                watched.says(&format!("changed: {changed}; the command gets SIGHUP"));
                watched.shows(&self.line("HUP", old, new));
            }
            self.holds(&mut watched, variable, new);
        }
        if self.has(Cache) {
            // The server is gone.
            let at = self.server.address();
            self.server = Faulty::in_turn(vec![]);
            assert_ne!(at, self.server.address());
            if self.watches() {
                watched.refresh();
                let line = watched.saying();
                let begins = "doorkey: warning: secrets not fetched again, next try in about 2h: ";
                assert!(line.starts_with(begins), "{line}");
                self.holds(&mut watched, variable, new);
            }
            let other = self.run("3s").env("VAULT_ADDR", at);
            self.ends(watched);
            watched = Watched::start(other);
            let line = watched.saying();
            assert!(line.contains("; trying again for up to "), "{line}");
            let line = watched.saying();
            assert!(line.contains(" are used, from the cache "), "{line}");
            watched.resolved();
            watched.shows(&self.line("began", cached, cached));
            self.holds(&mut watched, cached, cached);
        }
        self.ends(watched);
    }

    /// It is told to end, and nothing is left.
    fn ends(&self, watched: Watched) {
        watched.stop_with(7);
        if self.has(Files) {
            assert_eq!(self.file().exists(), !self.has_supervisor());
        }
    }
}

#[test]
fn every_two_of_them() {
    let with_those_after = |(at, one): (usize, &Feature)| {
        for other in &ALL[at + 1..] {
            println!("{one:?} and {other:?}");
            let case = Case::new(&[*one, *other]);
            if (*one, *other) == (Restart, Signal) {
                let error = "doorkey: error: --on-change is given twice; see doorkey run --help\n";
                case.run("10s").fails(125, error);
            } else {
                case.keeps_its_promises();
            }
        }
    };
    std::thread::scope(|scope| {
        for row in ALL.iter().enumerate() {
            scope.spawn(move || with_those_after(row));
        }
    });
}
