//! The examples for CI, their jobs run by a shell.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::examples::{commands, example, place, said, shell};
use crate::yaml;
use serde_json::Value;
use support::{DOORKEY, executable};

/// A job's command: it has the values, and not the key.
const JOB: &str = r#"#!/bin/sh
[ "$DB_PASSWORD" = 'canary p@ss 5d0e91' ] || exit 3
[ "$DB_URL" = 'postgres://app:canary%20p%40ss%205d0e91@db/app' ] || exit 4
[ -z "${DOORKEY_KEY+set}" ] || exit 5
[ "$*" = integration-test ] || exit 6
echo passed
"#;

#[test]
fn ci_by_a_shell() {
    let (place, key) = place();
    executable(&place.path("bin/make"), JOB.as_bytes(), 0o755);
    std::os::unix::fs::symlink(DOORKEY, place.path("bin/doorkey")).unwrap();
    place.write("examples/ci.sh", example("examples/ci.sh"));
    let commands = commands(&example("examples/ci.sh").replace("#!/bin/sh\n", ""));
    assert_eq!(commands, ["sh examples/ci.sh make integration-test"]);
    let run = |key: &str| {
        let mut command = shell(&place, &commands[0]);
        command.env("DOORKEY_KEY", key).output().unwrap()
    };
    let said = said(&run(&key));
    assert!(said.contains("\npassed\n"), "{said}");
    assert_eq!(run("none").status.code(), Some(125));
    // A name that is not there is found before anything runs, without a key.
    fs::remove_file(place.path("secrets/team/db_password.age")).unwrap();
    assert_eq!(run("none").status.code(), Some(1));
}

#[test]
fn ci_by_github_actions() {
    let (place, key) = place();
    executable(&place.path("bin/make"), JOB.as_bytes(), 0o755);
    fs::create_dir(place.path("tools")).unwrap();
    std::os::unix::fs::symlink(DOORKEY, place.path("tools/doorkey")).unwrap();
    let workflow = yaml::read(&example("examples/github-actions.yml"));
    let job = &workflow["jobs"]["integration"];
    let steps = job["steps"].as_array().unwrap();
    assert!(
        steps[0]["uses"]
            .as_str()
            .unwrap()
            .starts_with("actions/checkout@")
    );
    let mut folders = String::new();
    let mut last = String::new();
    for step in &steps[1..] {
        let script = step["run"].as_str().unwrap();
        let path = format!("{folders}{}:/usr/bin:/bin", place.path("bin").display());
        let mut command = shell(&place, script);
        command
            .env("PATH", path)
            .env("GITHUB_PATH", place.path("path"));
        for environment in [&job["env"], &step["env"]] {
            for (name, value) in environment.as_object().into_iter().flatten() {
                let value = value.as_str().unwrap();
                // What GitHub fills in; nothing else in an example has a value.
                let secret = value == "${{ secrets.DOORKEY_KEY }}";
                assert!(
                    secret || value.contains("secret:") || name == "DOORKEY_STORE",
                    "{name}"
                );
                command.env(name, if secret { &key } else { value });
            }
        }
        last = said(&command.output().unwrap());
        let added = fs::read_to_string(place.path("path")).unwrap();
        folders = added
            .lines()
            .map(|folder| folder.to_owned() + ":")
            .collect();
    }
    assert_eq!(last, "passed\n");
}

#[test]
fn ci_by_gitlab() {
    let (place, key) = place();
    executable(&place.path("bin/make"), JOB.as_bytes(), 0o755);
    fs::create_dir(place.path("tools")).unwrap();
    std::os::unix::fs::symlink(DOORKEY, place.path("tools/doorkey")).unwrap();
    let job = &yaml::read(&example("examples/gitlab-ci.yml"))["integration"];
    let run = |key: Option<&str>, scripts: &Value| {
        let lines = scripts.as_array().unwrap().iter();
        let lines: Vec<_> = lines.map(|line| line.as_str().unwrap()).collect();
        let mut command = shell(&place, &lines.join("\n"));
        for (name, value) in job["variables"].as_object().unwrap() {
            // As GitLab does it.
            command.env(name, value.as_str().unwrap().replace("$$", "$"));
        }
        command.envs(key.map(|key| ("DOORKEY_KEY", key)));
        said(&command.output().unwrap())
    };
    run(None, &job["before_script"]);
    assert_eq!(run(Some(&key), &job["script"]), "passed\n");
}

/// The action takes a binary whose checksum is right, and no other.
#[test]
fn the_action_for_github() {
    let (place, _) = place();
    let action = yaml::read(&example("examples/github-action/action.yml"));
    assert_eq!(action["runs"]["using"], "composite");
    let step = &action["runs"]["steps"][0];
    assert_eq!(step["env"]["FOLDER"], "${{ inputs.folder }}");
    let folder = action["inputs"]["folder"]["default"].as_str().unwrap();
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release-binaries");
    let names = ["SHA256SUMS", "doorkey-linux-amd64", "doorkey-linux-arm64"];
    fs::create_dir(place.path(folder)).unwrap();
    for name in names {
        fs::copy(release.join(name), place.path(folder).join(name)).unwrap();
    }
    let run = || {
        let mut command = shell(&place, step["run"].as_str().unwrap());
        command
            .env("FOLDER", folder)
            .env("RUNNER_TEMP", place.path(""));
        command
            .env("GITHUB_PATH", place.path("path"))
            .output()
            .unwrap()
    };
    said(&run());
    let added = fs::read_to_string(place.path("path")).unwrap();
    let version = Command::new(Path::new(added.trim_end()).join("doorkey"))
        .arg("--version")
        .output();
    assert!(version.unwrap().status.success());
    for name in &names[1..] {
        fs::write(place.path(folder).join(name), "another").unwrap();
    }
    assert!(!run().status.success());
}
