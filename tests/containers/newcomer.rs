//! A newcomer's first command, and the installation from source, in a fresh Debian with Rust.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::podman::KEPT;
use support::Place;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// A Debian of its own with the repository in it, as a clone has that.
struct Machine {
    place: Place,
}

impl Machine {
    /// One out of an archive that `.ci/debian` has made.
    fn new(archive: &str) -> Self {
        let place = Place::within(KEPT);
        let archive = format!("{KEPT}/{archive}.tar");
        assert!(
            Path::new(&archive).exists(),
            "{archive} is missing: sh .ci/test makes it"
        );
        let script = format!(
            "mkdir -p root/srv/doorkey root/rust root/cargo && tar -C root -xf '{archive}' && \
             cd '{REPOSITORY}' && git ls-files -z --cached --others --exclude-standard | \
             xargs -0 cp --parents -t \"$OLDPWD/root/srv/doorkey\""
        );
        let mut make = Command::new("sh");
        make.args(["-euc", &script]).current_dir(place.path(""));
        assert!(make.status().unwrap().success());
        Machine { place }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.place.path("root").join(inside)
    }

    /// A command in the repository, with Rust and its crates as this machine has them, and nothing
    /// else. Another profile than the release's is minutes faster.
    fn run(&self, command: &str) -> Output {
        let cargo = std::env::var("CARGO_HOME").map_or_else(
            |_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cargo"),
            PathBuf::from,
        );
        let script = r#"
            for folder in dev proc; do mount --rbind "/$folder" "$1/$folder"; done
            mount --bind "$(rustc --print sysroot)" "$1/rust"
            mount --bind "$2" "$1/cargo"
            exec chroot "$1" env -i HOME=/root PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                CARGO_HOME=/cargo CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=/built \
                CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
                CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 sh -c "cd /srv/doorkey && $3""#;
        Command::new("unshare")
            .args(["--mount", "sh", "-euc", script, "sh"])
            .args([&self.place.path("root"), &cargo])
            .arg(command)
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_first_command_works_as_it_stands() {
    let machine = Machine::new("compiler");
    let ended = machine.run("sh examples/quickstart.sh");
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert!(ended.status.success(), "{out}{err}");
    // It says what it does while it builds, and shows each command before its output.
    let mut rest = out.as_str();
    for part in [
        "# Cargo builds doorkey; the first time takes minutes\n$ cargo build --release --locked\n",
        "$ doorkey store init secrets\n",
        "$ find secrets -type f | sort\nsecrets/",
        "$ doorkey check --project web --cluster eu\nVARIABLE ",
        "\nDB_PASSWORD=of p@rt web\n",
    ] {
        let (_, after) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("{part}: {out}"));
        rest = after;
    }
    // What Cargo has built is where it was told to, and nowhere else.
    assert!(machine.path("built/release/doorkey").exists());
    assert!(!machine.path("srv/doorkey/target").exists());

    // From what is built already, this takes seconds.
    let ended = machine.run("cargo install --locked --path . --root /usr/local");
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let version = machine.run("/usr/local/bin/doorkey --version");
    let expected = concat!("doorkey ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(text(&version.stdout), expected);
}

#[test]
fn without_a_c_compiler_one_line_says_so() {
    let machine = Machine::new("debian");
    let ended = machine.run("sh examples/quickstart.sh");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(text(&ended.stdout), "");
    assert_eq!(
        text(&ended.stderr),
        "there is no C compiler, which some libraries need; as root: apt-get install gcc libc6-dev\n"
    );
    let read = fs::read_dir(machine.path("")).unwrap();
    assert!(!read.flatten().any(|entry| entry.file_name() == "built"));
}
