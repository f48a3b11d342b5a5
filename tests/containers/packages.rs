//! The packages of a release: the .deb in a fresh root, and the image archive under podman.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::podman::{self, Image, KEPT};
use support::Place;

const RELEASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release-binaries");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file of the release, which `sh .ci/release` makes.
fn package(name: &str) -> PathBuf {
    let path = Path::new(RELEASE).join(name);
    assert!(path.exists(), "{name} is missing: sh .ci/release makes it");
    path
}

/// A command that has succeeded.
#[track_caller]
fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

#[test]
fn the_checksums_are_those_of_all_files() {
    done(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(RELEASE),
    );
    let sums = fs::read_to_string(package("SHA256SUMS")).unwrap();
    let listed = sums.lines().count();
    assert_eq!(listed + 1, fs::read_dir(RELEASE).unwrap().count(), "{sums}");
}

#[test]
fn the_deb_in_a_fresh_root() {
    let place = Place::within(KEPT);
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    let tar = [
        "-C",
        root.to_str().unwrap(),
        "-xf",
        concat!(env!("CARGO_MANIFEST_DIR"), "/target/containers/debian.tar"),
    ];
    done(Command::new("tar").args(tar));
    let file = format!("doorkey_{VERSION}_{}.deb", host());
    fs::copy(package(&file), root.join("doorkey.deb")).unwrap();
    let within = |words: &[&str]| {
        let mut command = Command::new("chroot");
        command.arg(&root).args(words).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        text(&done(&mut command).stdout)
    };
    within(&["dpkg", "--install", "/doorkey.deb"]);
    assert_eq!(
        within(&["doorkey", "--version"]),
        format!("doorkey {VERSION}\n")
    );
    // Nothing is there that the package does not name, changed or missing.
    assert_eq!(within(&["dpkg", "--verify", "doorkey"]), "");
    // Debian's own images leave documentation out; a whole root has all of it.
    let listed = within(&["dpkg", "--listfiles", "doorkey"]);
    for path in [
        "/usr/share/man/man1/doorkey.1.gz",
        "/usr/share/man/man1/doorkey-run.1.gz",
        "/usr/share/man/man5/doorkey-references.5.gz",
        "/usr/share/man/man5/doorkey.toml.5.gz",
        "/usr/share/bash-completion/completions/doorkey",
        "/usr/share/zsh/vendor-completions/_doorkey",
        "/usr/share/fish/vendor_completions.d/doorkey.fish",
        "/usr/share/doc/doorkey/copyright",
        "/usr/share/doc/doorkey/THIRD-PARTY.txt.gz",
    ] {
        assert!(listed.lines().any(|line| line == path), "{path}: {listed}");
    }
    within(&["dpkg", "--purge", "doorkey"]);
    assert!(!root.join("usr/bin/doorkey").exists());
}

#[test]
fn the_image_runs() {
    let archive = package(&format!("doorkey-{VERSION}.oci.tar"));
    let from = format!("oci-archive:{}", archive.display());
    let pulled = podman::done(["pull", "--quiet", &from]);
    let image = Image(pulled.lines().next().unwrap().to_owned());
    let shown = podman::done([
        "run",
        "--rm",
        "--network=none",
        "--read-only",
        &image.0,
        "--version",
    ]);
    assert_eq!(shown, format!("doorkey {VERSION}\n"));
    let config = "{{.Config.User}} {{.Config.Entrypoint}} {{.Architecture}} {{len .RootFS.Layers}}";
    let shown = podman::done(["inspect", "--format", config, &image.0]);
    assert_eq!(shown, format!("65534:65534 [/doorkey] {} 1\n", host()));
}

#[test]
fn the_image_is_there_for_both_architectures() {
    let archive = package(&format!("doorkey-{VERSION}.oci.tar"));
    for architecture in ["amd64", "arm64"] {
        let from = format!("oci-archive:{}", archive.display());
        let pulled = podman::done(["pull", "--quiet", "--arch", architecture, &from]);
        let image = Image(pulled.lines().next().unwrap().to_owned());
        let shown = podman::done(["inspect", "--format", "{{.Architecture}}", &image.0]);
        assert_eq!(shown.trim_end(), architecture);
    }
}

/// The notices name each crate that dependencies' documentation names as linked, with its text.
#[test]
fn the_notices_are_those_of_the_crates() {
    let notices = fs::read_to_string(package("THIRD-PARTY.txt")).unwrap();
    for part in [
        "\nage 0.",
        "\nring 0.",
        "\nrustls 0.",
        "\nwebpki-roots ",
        "\nmusl, the C library",
    ] {
        assert!(notices.contains(part), "{part:?}");
    }
    for part in notices.split(&"-".repeat(80)).skip(1) {
        let (names, text) = part.trim_start().split_once("\n\n").unwrap();
        assert!(text.len() > 200, "{names}: {text}");
    }
    // Crates that only tests use are not in the program.
    assert!(!notices.contains("\nproptest "));
}

fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        _ => "arm64",
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
