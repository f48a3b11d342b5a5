//! The ways in which doorkey is used, each with what is right of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::bao::App;
use support::{DOORKEY, Place};

/// What each value has in it.
pub const CANARY: &str = "canary-5d1f7a";

/// What the workload of most modes does: it shows all that it has been handed.
const SHOW: &str = "grep -hE '^(Sig(Blk|Ign)|Uid|Gid|Groups|NoNewPrivs|Max core|Max open)' \
    /proc/self/status /proc/self/limits; ls /proc/self/fd; umask; pwd; echo $PPID \
    | grep -c '^1$'; echo \"$A $B $C $D ${E-none}\"";

/// One of the ways in which doorkey is used.
pub struct Mode {
    /// What it is called.
    pub name: &'static str,
    /// Shell commands that run before it in the same namespace.
    pub before: &'static str,
    /// Whether there is a network.
    pub network: bool,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// More of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// What makes its folder ready.
    pub prepare: fn(&Path),
    /// What it may show, beside what it shows where nothing fails.
    pub others: &'static [&'static str],
    /// Whether values may be shown.
    pub shows_values: bool,
    /// What is wrong with what it has left behind; the code is what it ended with.
    pub left: fn(&Path, i32) -> Option<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `doorkey run` with these options, and a shell's script as its workload.
fn run(options: &str, script: &str) -> Vec<String> {
    let mut all = words("run --timeout 5s --store age:secrets");
    all.extend(words(options));
    all.extend(words("--env-file env -- sh -c"));
    all.push(script.to_owned());
    all
}

fn nothing(_: &Path) {}

fn is_well(_: &Path, _: i32) -> Option<String> {
    None
}

/// All of them; those with a server are on this one's.
pub fn modes(app: &App) -> Vec<Mode> {
    let usual = || Mode {
        name: "",
        before: "",
        network: true,
        arguments: Vec::new(),
        environment: Vec::new(),
        prepare: nothing,
        others: &[],
        shows_values: true,
        left: is_well,
    };
    let (role, secret) = app.admin.approle("faults", &app.mount);
    let vault = |address: String| {
        vec![
            ("VAULT_ADDR", address),
            ("VAULT_ROLE_ID", role.clone()),
            ("VAULT_SECRET_ID", secret.clone()),
            ("DOORKEY_AUTH", "approle".to_owned()),
            ("DOORKEY_AUTH_PATH", "faults".to_owned()),
            ("DOORKEY_KEY_FILE", "key".to_owned()),
            ("A", "secret:a".to_owned()),
        ]
    };
    let recipient = fs::read_to_string(template().join("recipient")).unwrap();
    let of_vault = || {
        let mut all = words("run --timeout 5s --cache cache --cache-recipient");
        all.extend(words(&recipient));
        all.push(format!("--store={}", app.store()));
        all.extend(words("-- sh -c"));
        all.push(SHOW.to_owned());
        all
    };
    vec![
        Mode {
            name: "exec",
            arguments: run("", SHOW),
            ..usual()
        },
        Mode {
            name: "init",
            arguments: run("--init", SHOW),
            ..usual()
        },
        Mode {
            name: "mask",
            arguments: run("--mask", &format!("{SHOW}; echo \"err $A\" >&2")),
            shows_values: false,
            ..usual()
        },
        Mode {
            name: "watch",
            arguments: run("--watch 20ms", WATCHED),
            others: &[
                "first canary-5d1f7a-old\nstayed\n",
                // It could not be told to end.
                "first canary-5d1f7a-old\nstayed\nsecond canary-5d1f7a-new\n",
            ],
            ..usual()
        },
        Mode {
            name: "signal",
            arguments: run(
                "--watch 20ms --on-change signal:HUP --files files -e F=secret:a|file",
                SIGNALLED,
            ),
            others: &["first\ncanary-5d1f7a-old\n"],
            left: no_files,
            ..usual()
        },
        Mode {
            name: "files",
            arguments: run("--init --files files -e F=${secret:a|file}", FILES),
            left: no_files,
            ..usual()
        },
        Mode {
            name: "memory",
            arguments: run("-e F=secret:a|file -e G=secret:b|file", FILES),
            ..usual()
        },
        Mode {
            name: "user",
            arguments: run(
                "--user nobody --no-new-privs --umask 27 --nice 3 --rlimit nofile=99:99 --chdir /",
                SHOW,
            ),
            ..usual()
        },
        Mode {
            name: "join",
            before: JOINED,
            arguments: {
                let mut all = words("join --timeout 5s --pid 3 -- sh -c");
                all.push(SHOW.to_owned());
                all
            },
            ..usual()
        },
        Mode {
            name: "render",
            arguments: words("render --timeout 5s --store age:secrets template out.conf"),
            prepare: |folder| fs::write(folder.join("out.conf"), "before\n").unwrap(),
            left: rendered,
            ..usual()
        },
        Mode {
            name: "set",
            arguments: words("secret set a --store age:secrets --team --timeout 5s"),
            left: stored,
            ..usual()
        },
        Mode {
            name: "vault",
            arguments: of_vault(),
            environment: vault(app.bao.address()),
            left: no_more_than_a_cache,
            ..usual()
        },
        Mode {
            name: "cache",
            arguments: of_vault(),
            environment: {
                let mut all = vault(app.bao.address());
                all.push(("VAULT_MAX_RETRIES", "1".to_owned()));
                all
            },
            network: false,
            prepare: |folder| drop(fs::copy(template().join("cache"), folder.join("cache"))),
            left: no_more_than_a_cache,
            ..usual()
        },
    ]
}

/// The first one gives itself another value, and waits to be launched anew.
const WATCHED: &str = "case $A in *old) echo \"first $A\"; mv new.age secrets/team/a.age; sleep 0.5; \
    echo stayed;; *new) echo \"second $A\";; *) echo \"other $A\";; esac";

/// The same with a file, which it looks at when it gets the signal.
const SIGNALLED: &str = "trap h=1 HUP; echo first; mv new.age secrets/team/a.age; i=0; \
    while [ -z \"$h\" ] && [ $i -lt 10 ]; do sleep 0.05; i=$((i+1)); done; cat $F; echo";

const FILES: &str = "for f in $F $G; do stat -Lc '%a %u %s' $f; cat $f; echo; done; \
    ls files 2>/dev/null; :";

/// A workload to be joined: process 3 of the namespace.
const JOINED: &str = "\"$PROGRAM\" run -q --store age:secrets --env-file env -- \
    sh -c 'echo >there; exec sleep 100' & until [ -e there ]; do sleep 0.01; done";

/// No file with a value is left in the folder for them.
fn no_files(folder: &Path, code: i32) -> Option<String> {
    let left = names(&folder.join("files"));
    // What was killed can remove nothing.
    (!left.is_empty() && code < 128).then(|| format!("left in the folder: {left:?}"))
}

fn rendered(folder: &Path, code: i32) -> Option<String> {
    let text = fs::read_to_string(folder.join("out.conf")).unwrap_or_default();
    let whole = format!("a = {CANARY}-old\nb = {CANARY}-b\n");
    let right = text == whole || (code != 0 && text == "before\n");
    let left = names(folder);
    let left: Vec<_> = left
        .iter()
        .filter(|name| name.contains("out.conf."))
        .collect();
    match right {
        false => Some(format!("out.conf is {text:?}")),
        true if !left.is_empty() => Some(format!("left behind: {left:?}")),
        true => None,
    }
}

fn stored(folder: &Path, code: i32) -> Option<String> {
    let mut get = Command::new(DOORKEY);
    get.args([
        "secret",
        "get",
        "a",
        "--team",
        "--reveal",
        "--store=age:secrets",
    ]);
    get.env_clear()
        .env("DOORKEY_KEY_FILE", "key")
        .current_dir(folder);
    let value = String::from_utf8(get.output().unwrap().stdout).unwrap();
    let (old, new) = (format!("{CANARY}-old"), format!("{CANARY}-given"));
    let left = names(&folder.join("secrets/team"));
    let left: Vec<_> = left
        .iter()
        .filter(|name| !name.ends_with(".age") || name.starts_with('.'))
        .collect();
    if value != new && (code == 0 || value != old) {
        Some(format!("the value is {value:?}"))
    } else {
        (!left.is_empty()).then(|| format!("left behind: {left:?}"))
    }
}

fn no_more_than_a_cache(folder: &Path, _: i32) -> Option<String> {
    let left = names(folder);
    let left: Vec<_> = left.iter().filter(|name| name.contains("cache.")).collect();
    (!left.is_empty()).then(|| format!("left behind: {left:?}"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// What each launch finds in its folder: a store with a key, and more.
pub fn template() -> PathBuf {
    static PLACE: OnceLock<Place> = OnceLock::new();
    let made = || {
        let place = Place::within("/dev/shm");
        let init = place.doorkey([
            "store",
            "init",
            "secrets",
            "-q",
            "--key-file",
            "key",
            "--json",
        ]);
        let recipient = init.ok().json()["recipient"].as_str().unwrap().to_owned();
        place.write("recipient", recipient);
        let set = |name: &str, value: &str| {
            let set = place.doorkey(["secret", "set", name, "--team", "-q", "--store=age:secrets"]);
            set.env("DOORKEY_KEY_FILE", "key")
                .stdin(format!("{CANARY}-{value}"))
                .ok();
        };
        set("a", "new");
        fs::rename(place.path("secrets/team/a.age"), place.path("new.age")).unwrap();
        for (name, value) in [("a", "old"), ("b", "b"), ("c", "c"), ("d", "d")] {
            set(name, value);
        }
        place.write(
            "env",
            "A=secret:a\nB=secret:b\nC=<${secret:c}>\nD=secret:d\nE=secret:none?\n",
        );
        place.write("template", "a = ${secret:a}\nb = ${secret:b}\n");
        place.write("in", format!("{CANARY}-given\n"));
        place
    };
    PLACE.get_or_init(made).path("")
}
