//! The examples, run as they are: Dockerfile, compose and Kubernetes by podman.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard};

use crate::podman;
use crate::podman::{BUILD, KEPT};
use crate::yaml;
use serde_json::{Value, json};
use support::{Place, executable};

const VALUE: &str = "canary p@ss 5d0e91";

/// What the image is called in all of them: one at a time may have it.
static IMAGE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let held = IMAGE.lock().unwrap_or_else(|other| other.into_inner());
    // The ones that had the name before.
    podman::done(["image", "prune", "--force"]);
    held
}

pub fn example(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A folder with a store, whose key is in `key.txt` as the examples have it; gives its text too.
pub fn place() -> (Place, String) {
    let place = Place::within(KEPT);
    let words = ["store", "init", "secrets", "-q", "--key-file", "key.txt"];
    place.doorkey(words).ok();
    place.set("team", "db_password", VALUE);
    let key = place.path("key.txt");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o444)).unwrap();
    let text = fs::read_to_string(key).unwrap();
    let line = text.lines().find(|line| line.starts_with("AGE-"));
    (place, line.unwrap().to_owned())
}

/// A shell in that folder, with the commands of `bin` before the system's.
pub fn shell(place: &Place, script: &str) -> Command {
    let mut command = Command::new("bash");
    let path = format!(
        "{}:/usr/bin:/bin:/usr/sbin:/sbin",
        place.path("bin").display()
    );
    command.args(["-euc", script]).current_dir(place.path(""));
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", place.path("home"));
    command
}

/// What a process has written, to both; it has succeeded.
#[track_caller]
pub fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{both}");
    assert!(!both.contains(VALUE));
    both
}

/// podman for a script: builds take the program under test, and no container has a network.
fn podman(place: &Place, names: &[&str]) {
    let before = format!(
        r#"case $1 in
network) exit 0 ;;
build) shift; set -- build {} --build-context 'build={}' "$@" ;;
create | run)
    verb=$1; shift
    for word; do
        shift
        if [ "${{skip-}}" ]; then skip=; continue; fi
        case $word in
        --net | --network | --network-alias) skip=1 ;;
        *) set -- "$@" "$word" ;;
        esac
    done
    set -- "$verb" --network=none "$@" ;;
esac"#,
        BUILD.join(" "),
        podman::built(place).display()
    );
    podman::shim(place, names, &before);
}

/// The commands in the comment at the top of an example, a line's continuation joined.
pub fn commands(text: &str) -> Vec<String> {
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let lines = comment.filter_map(|line| line.strip_prefix("#   "));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().map(str::to_owned).collect()
}

#[test]
fn the_dockerfile_as_its_comment_says() {
    let _alone = alone();
    let (place, _) = place();
    podman(&place, &["docker"]);
    let text = example("Dockerfile.example");
    place.write("Dockerfile.example", &text);
    let commands = commands(&text);
    assert!(commands[0].starts_with("docker build ") && commands[1].starts_with("docker run "));
    assert_eq!(commands.len(), 2);
    let said = said(&shell(&place, &commands.join("\n")).output().unwrap());
    assert!(
        said.contains("1 reference resolved: 1 from team of age:/secrets in "),
        "{said}"
    );
    let version = concat!("doorkey ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(said.contains(version), "{said}");
}

/// The first stage can't be run here, where no image can be had: it names what there is.
#[test]
fn the_dockerfile_copies_what_a_build_needs() {
    let text = example("Dockerfile.example");
    let (first, _) = text.split_once("FROM scratch\n").unwrap();
    let mut copied: Vec<&str> = Vec::new();
    for line in first.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let words: Vec<_> = line.split(' ').collect();
        copied.extend(&words[..words.len() - 1]);
    }
    let (place, _) = place();
    let to = place.path("src-of-build");
    fs::create_dir(&to).unwrap();
    for name in &copied {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let status = Command::new("cp").arg("-r").arg(from).arg(&to).status();
        assert!(status.unwrap().success(), "{name}");
    }
    // Every file that the manifest names is there, so that cargo can read it.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--locked",
        "--offline",
        "--no-deps",
        "--format-version=1",
    ]);
    let found = cargo.current_dir(&to).output().unwrap();
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let packages = found["packages"].as_array().unwrap().iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    let names: Vec<_> = targets.map(|target| target["kind"][0].as_str()).collect();
    for kind in ["lib", "bin", "bench"] {
        assert!(names.contains(&Some(kind)), "{names:?}");
    }
}

#[test]
fn compose() {
    let _alone = alone();
    let (place, _) = place();
    podman(&place, &["podman"]);
    place.write("Dockerfile.example", example("Dockerfile.example"));
    place.write("examples/compose.yaml", example("examples/compose.yaml"));
    for name in ["secrets", "key.txt"] {
        fs::rename(place.path(name), place.path("examples").join(name)).unwrap();
    }
    let text = example("examples/compose.yaml");
    let commands = commands(&text);
    assert_eq!(commands, ["docker compose -f examples/compose.yaml up"]);
    let file = commands[0].replace("docker compose", "podman-compose");
    let down = file.replace(" up", " down");
    let ended = shell(&place, &format!("{file}; {down}")).output().unwrap();
    let said = said(&ended);
    assert!(
        said.contains("2 references resolved: 2 from team of age:/secrets in "),
        "{said}"
    );
    let version = concat!("doorkey ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(said.contains(version), "{said}");
    // What the container was made with.
    let create = said
        .lines()
        .find(|line| line.starts_with("podman create"))
        .unwrap();
    for word in [
        "--read-only",
        "--cap-drop ALL",
        "-u 65534:65534",
        "no-new-privileges",
    ] {
        assert!(create.contains(word), "{word}: {create}");
    }
}

/// What the README says of an image's own entrypoint, with an image that has one.
#[test]
fn an_entrypoint_is_kept() {
    let _alone = alone();
    let (place, _) = place();
    podman::debian();
    podman::build_example(&place, "localhost/example");
    // In the place of the volume's own name, one that goes with the test.
    let volume = format!("doorkey-{}", std::process::id());
    let before = format!(
        r#"set -- "$@" && [ "$1" = run ] && {{ shift; set -- run --network=none --env V=secret:db_password \
        --volume '{secrets}:/secrets:ro' --volume '{key}:/key:ro' --env DOORKEY_STORE=age:/secrets \
        --env DOORKEY_KEY_FILE=/key "$@"; }}"#,
        secrets = place.path("secrets").display(),
        key = place.path("key.txt").display(),
    );
    podman::shim(&place, &["docker"], &before);
    let entrypoint = "#!/bin/sh\necho prepared ${#V}\nexec \"$@\"\n";
    let server = "#!/bin/sh\ncat /proc/1/comm\necho served ${#V}\nexit 5\n";
    for (name, script) in [("docker-entrypoint.sh", entrypoint), ("postgres", server)] {
        executable(&place.path("context").join(name), script.as_bytes(), 0o755);
    }
    let file = "FROM debian:12-slim\nCOPY docker-entrypoint.sh postgres /usr/local/bin/\n\
                ENTRYPOINT [\"docker-entrypoint.sh\"]\nCMD [\"postgres\"]\n";
    place.write("context/Dockerfile", file);
    let context = place.path("context").display().to_string();
    let image = podman::Image("docker.io/library/postgres:17".to_owned());
    let build = ["build", "--tag", &image.0].into_iter().chain(BUILD);
    podman::done(build.chain([&*context]));
    let readme = example("README.md");
    let (_, section) = readme.split_once("\n## In front of any image\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (script, _) = block.split_once("```").unwrap();
    let script = script.replace("doorkey:/shared", &format!("{volume}:/shared"));
    let output = shell(&place, &script).output().unwrap();
    let _ = podman::podman(["volume", "rm", &volume]).output();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = out.lines().collect();
    let length = VALUE.len();
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert_eq!(lines[0], format!("prepared {length}"), "{err}");
    assert!(lines[1].starts_with("doorkey:"), "{out}");
    assert_eq!(lines[2], format!("served {length}"));
    assert!(
        err.starts_with("doorkey: /shared/doorkey is installed\n"),
        "{err}"
    );
}

/// podman has no projected volumes and no config maps from a cluster: the folder on this machine
/// that takes the place of one, all else being as it is.
fn on_this_machine(mut deployment: Value, place: &Place) -> Value {
    let pod = &mut deployment["spec"]["template"]["spec"];
    // A cluster restarts what is no init container; podman would restart that too.
    pod["restartPolicy"] = json!("Never");
    for kind in ["initContainers", "containers"] {
        for container in pod[kind].as_array_mut().into_iter().flatten() {
            container["imagePullPolicy"] = json!("Never");
        }
    }
    for volume in pod["volumes"].as_array_mut().unwrap() {
        let name = volume["name"].as_str().unwrap().to_owned();
        let folder = |inside: &str| json!({"path": place.path(inside), "type": "Directory"});
        let kind = volume
            .as_object()
            .unwrap()
            .keys()
            .find(|key| *key != "name")
            .unwrap();
        *volume = match (name.as_str(), kind.as_str()) {
            ("shared", "emptyDir") => continue,
            ("doorkey", "image") => json!({"name": name, "hostPath": folder("built")}),
            ("team", "configMap") => json!({"name": name, "hostPath": folder("secrets/team")}),
            ("key", "projected") => json!({"name": name, "hostPath": folder("key")}),
            other => panic!("{other:?}"),
        };
    }
    deployment
}

#[test]
fn kubernetes() {
    plays("examples/kubernetes.yaml", "/shared/doorkey");
}

/// podman 4 has no image volumes: a folder with the program takes the place of one.
#[test]
fn kubernetes_with_an_image_volume() {
    let (program, uses) = ("/doorkey/doorkey", "examples/kubernetes-image-volume.yaml");
    let volume = &yaml::read(&example(uses))["spec"]["template"]["spec"]["volumes"][0];
    let reference = concat!("doorkey:", env!("CARGO_PKG_VERSION"));
    assert_eq!(volume["image"]["reference"], reference);
    plays(uses, program);
}

fn plays(example_of: &str, program: &str) {
    let _alone = alone();
    let (place, key) = place();
    podman::debian();
    podman::build_example(&place, "localhost/example");
    fs::create_dir(place.path("key")).unwrap();
    fs::rename(place.path("key.txt"), place.path("key/key.txt")).unwrap();
    let deployment = yaml::read(&example(example_of));
    let pod = &deployment["spec"]["template"]["spec"];
    let of = |kind: &str| pod[kind].as_array().into_iter().flatten();
    for container in of("initContainers").chain(of("containers")) {
        let locked = &container["securityContext"];
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(locked, &expected);
    }
    assert_eq!(pod["securityContext"]["runAsUser"], 65534);
    let sources = of("volumes").find_map(|volume| volume.get("projected"));
    assert_eq!(
        *sources.unwrap(),
        json!({"defaultMode": 0o440, "sources": [{"secret": {"name": "doorkey-key"}}]})
    );
    let file = place.write(
        "pod.json",
        on_this_machine(deployment.clone(), &place).to_string(),
    );
    let file = file.display().to_string();
    let down = Down(file.clone());
    podman::done(["kube", "play", "--network=none", &file]);
    let name = "server-pod-0-server";
    let logs = loop {
        let logs = podman::done(["logs", name]);
        let state = podman::done(["inspect", "--format={{.State.Status}}", name]);
        if logs.lines().count() > 1 || state.trim() != "running" {
            break logs;
        }
        std::thread::yield_now();
    };
    // The workload has the value: it says how long that is.
    assert!(logs.contains(&format!("{}\n", VALUE.len())), "{logs}");
    assert!(
        logs.contains("1 reference resolved: 1 from team of age:/secrets in "),
        "{logs}"
    );
    let env = podman::done(["exec", name, "env"]);
    assert!(env.contains("DB_PASSWORD=secret:db_password\n"));
    let shown = env + &podman::done(["inspect", name]);
    assert!(!shown.contains(VALUE) && !shown.contains(&key));
    let inside = format!("cat /proc/1/comm; stat -c %a {program}; id -u; touch /x 2>&1 || :");
    let inside = podman::done(["exec", name, "sh", "-c", &inside]);
    let inside: Vec<_> = inside.lines().collect();
    assert!(inside[0].starts_with("doorkey:"), "{inside:?}");
    assert_eq!(inside[1..3], ["755", "65534"]);
    assert!(inside[3].ends_with("Read-only file system"), "{inside:?}");
    podman::done(["stop", name]);
    let code = podman::done(["inspect", "--format={{.State.ExitCode}}", name]);
    assert_eq!(code.trim(), "0");
    drop(down);
}

/// What is played from a file is taken down.
struct Down(String);

impl Drop for Down {
    fn drop(&mut self) {
        let _ = podman::podman(["kube", "down", &self.0]).output();
    }
}

#[test]
fn each_is_named_in_the_readme_and_has_no_secret() {
    let readme = example("README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("examples/{name}");
        assert!(readme.contains(&path), "{name}");
        let mut key = Command::new("grep");
        key.args(["-rq", "AGE-SECRET-KEY-1", &path]);
        let status = key.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert_eq!(status.unwrap().code(), Some(1), "{name}");
    }
}
