//! The embedded store as other `age` programs see it, and its key: what doorkey writes Debian's
//! age opens and the other way round, and the key is taken from where it should be.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{DOORKEY, Ended, Place, executable};

const OWN_KEY: &str = "home/.config/doorkey/key.txt";

/// Runs a program in the folder, which must succeed; its standard output.
fn tool(place: &Place, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} is needed: {error}", words[0]));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {err}");
    output.stdout
}

/// Makes a key with Debian's age-keygen, in a file of the folder; its public half.
fn new_key(place: &Place, file: &str) -> String {
    tool(place, &["age-keygen", "-o", file], b"");
    let public = tool(place, &["age-keygen", "-y", file], b"");
    String::from_utf8(public).unwrap().trim().to_owned()
}

fn key_text(place: &Place, file: &str) -> String {
    let text = fs::read_to_string(place.path(file)).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"));
    line.unwrap().to_owned()
}

/// What the workload gets as `V` for a reference, and as what else it ends.
fn value(place: &Place, arguments: &[&str], reference: &str) -> Ended {
    let run = place
        .run(arguments)
        .args(["-q", "--", "sh", "-c", "printf %s \"$V\""]);
    run.env("V", reference).end()
}

/// All bytes that there are.
fn binary() -> Vec<u8> {
    (0..=255).chain(b"\r\n\n".iter().copied()).collect()
}

#[test]
fn age_opens_what_doorkey_wrote() {
    let place = Place::with_store();
    let large: Vec<u8> = (0..65_536u32).map(|n| (n * 7 / 8) as u8).collect();
    for (name, value) in [
        ("small", b"x".to_vec()),
        ("binary", binary()),
        ("large", large),
    ] {
        for (scope, folder) in [
            ("team", "team"),
            ("cluster/c", "cluster/c"),
            ("project/p", "project/p"),
        ] {
            place.set(scope, name, &value);
            let file = format!("secrets/{folder}/{name}.age");
            let plain = tool(&place, &["age", "-d", "-i", OWN_KEY, &file], b"");
            assert!(plain == value, "{file}");
        }
    }
}

#[test]
fn doorkey_opens_what_age_wrote() {
    let place = Place::with_store();
    fs::create_dir(place.path("secrets/team")).unwrap();
    let put = |name: &str, value: &[u8]| {
        let file = format!("secrets/team/{name}.age");
        tool(
            &place,
            &["age", "-R", "secrets/recipients.txt", "-o", &file],
            value,
        );
    };
    put("text", b"the value\n\n");
    put("empty", b"");
    put("binary", &binary());
    let list = "secrets/recipients.txt";
    let armored = "secrets/team/armored.age";
    tool(
        &place,
        &["age", "-a", "-R", list, "-o", armored],
        b"in text",
    );
    let text = std::fs::read(place.path(armored)).unwrap();
    place.write(armored, [b" \r\n\t\n", text.as_slice()].concat());
    let ended = place.run(["--", "sh", "-c", "cat /proc/$$/environ"]);
    let ended = ended
        .env("TEXT", "secret:text")
        .env("EMPTY", "secret:empty")
        .env("BINARY", "secret:binary|base64")
        .env("ARMORED", "secret:armored")
        .ok();
    use base64::prelude::{BASE64_STANDARD, Engine};
    let encoded = BASE64_STANDARD.encode(binary());
    let entries: Vec<&[u8]> = ended.output.stdout.split(|&byte| byte == 0).collect();
    for entry in [
        "TEXT=the value\n\n",
        "EMPTY=",
        "ARMORED=in text",
        &format!("BINARY={encoded}"),
    ] {
        assert!(entries.contains(&entry.as_bytes()), "{entry}");
    }
}

#[test]
fn every_recipient_of_the_store_can_read_it() {
    let place = Place::with_store();
    let second = new_key(&place, "second");
    let list = place.path("secrets/recipients.txt");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, format!("{text}\n # somebody else\n{second}\n")).unwrap();
    place.set("team", "name", "shared");
    for key in [OWN_KEY, "second"] {
        let ended = value(&place, &["--key-file", key], "secret:name");
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("shared", ""));
        let plain = tool(
            &place,
            &["age", "-d", "-i", key, "secrets/team/name.age"],
            b"",
        );
        assert_eq!(plain, b"shared");
    }
}

#[test]
fn a_scope_with_recipients_of_its_own_is_closed_to_the_rest_of_the_team() {
    let place = Place::with_store();
    let theirs = new_key(&place, "theirs");
    place.write("secrets/project/p/recipients.txt", format!("{theirs}\n"));
    place.set("team", "name", "the team's");
    place.set("project/p", "name", "the project's");
    place.set("project/other", "name", "the other's");
    let theirs = ["--key-file", "theirs", "--project", "p"];
    assert_eq!(value(&place, &theirs, "secret:name").out(), "the project's");
    assert_eq!(
        value(&place, &["--project", "other"], "secret:name").out(),
        "the other's"
    );
    // Denied, and never the team's value instead.
    let line = "doorkey: error: V: secret:name: project/p of age:secrets: denied: the key is not one of its recipients; have somebody who can read it add the key\n";
    let run = place
        .run(["--project", "p", "--", "echo", "ran"])
        .env("V", "secret:name");
    run.fails(125, line);
    // With `?` too: it is not missing.
    assert_eq!(
        value(&place, &["--project", "p"], "secret:name?").code(),
        125
    );
}

#[test]
fn files_that_are_no_age_files_of_ours_are_said_to_be_corrupt() {
    let place = Place::with_store();
    place.set("team", "good", "value");
    let good = fs::read(place.path("secrets/team/good.age")).unwrap();
    place.write("secrets/team/empty.age", "");
    place.write("secrets/team/cut.age", &good[..good.len() - 1]);
    place.write("secrets/team/header.age", &good[..30]);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    place.write("secrets/team/changed.age", changed);
    place.write("secrets/team/longer.age", [&good[..], b"x"].concat());
    place.write(
        "secrets/team/plain.age",
        "a value that somebody has put here by hand",
    );
    for name in ["empty", "cut", "header", "changed", "longer", "plain"] {
        let ended = value(&place, &[], &format!("secret:{name}"));
        let err = ended.err();
        let start =
            format!("doorkey: error: V: secret:{name}: team of age:secrets: corrupt: it is ");
        assert!(err.starts_with(&start), "{err}");
        assert_eq!((ended.code(), err.lines().count()), (125, 1), "{err}");
    }
}

#[test]
fn the_key_is_looked_for_in_order() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    let right = place.path(OWN_KEY).display().to_string();
    let right_text = key_text(&place, OWN_KEY);
    new_key(&place, "wrong");
    let wrong = place.path("wrong").display().to_string();
    let wrong_text = key_text(&place, "wrong");
    place.write("other/doorkey/key.txt", &wrong_text);
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.path("other/doorkey/key.txt"), mode).unwrap();
    let other = place.path("other").display().to_string();

    let opens = |variables: &[(&str, &str)]| {
        let mut run = place
            .run(["-q", "--", "sh", "-c", "echo $V"])
            .env("V", "secret:name");
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let ended = run.end();
        match ended.code() {
            0 => true,
            _ => {
                assert!(ended.err().contains(": denied: "), "{}", ended.err());
                false
            }
        }
    };
    assert!(opens(&[]));
    // The variable over the file over the user's own.
    assert!(opens(&[
        ("DOORKEY_KEY", &right_text),
        ("DOORKEY_KEY_FILE", &wrong)
    ]));
    assert!(!opens(&[
        ("DOORKEY_KEY", &wrong_text),
        ("DOORKEY_KEY_FILE", &right)
    ]));
    assert!(!opens(&[("DOORKEY_KEY_FILE", &wrong)]));
    assert!(!opens(&[("XDG_CONFIG_HOME", &other)]));
    assert!(opens(&[
        ("XDG_CONFIG_HOME", &other),
        ("DOORKEY_KEY_FILE", &right)
    ]));
    // An empty one is none, and so is a folder that is not absolute.
    assert!(opens(&[("DOORKEY_KEY", ""), ("DOORKEY_KEY_FILE", "")]));
    assert!(opens(&[("XDG_CONFIG_HOME", "other")]));
    // Two keys at once: whichever fits.
    assert!(opens(&[(
        "DOORKEY_KEY",
        &format!("# mine\n{wrong_text}\n\n{right_text}\n")
    )]));
}

#[test]
fn a_new_key_is_its_owners_alone_and_is_not_made_twice() {
    let place = Place::new();
    let script = "umask 0; exec \"$0\" store init secrets";
    let home = place.path("home");
    let init = |_: i32| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, DOORKEY])
            .env_clear()
            .env("HOME", &home);
        shell
            .env("PATH", "/usr/bin:/bin")
            .current_dir(place.path(""))
            .output()
            .unwrap()
    };
    assert!(init(1).status.success());
    let mode = |path: &str| fs::metadata(place.path(path)).unwrap().mode() & 0o777;
    assert_eq!(mode(OWN_KEY), 0o600);
    assert_eq!(mode("home/.config/doorkey"), 0o700);
    assert!(!place.path("secrets/key.txt").exists());
    let (key, list) = (
        key_text(&place, OWN_KEY),
        place.path("secrets/recipients.txt"),
    );
    let recipients = fs::read_to_string(&list).unwrap();

    let again = init(2);
    let err = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        err,
        "doorkey: error: age:secrets: there is a store already\n"
    );
    // A second store takes the key that is there.
    place.doorkey(["store", "init", "second", "-q"]).ok();
    assert_eq!(key_text(&place, OWN_KEY), key);
    assert_eq!(
        fs::read_to_string(place.path("second/recipients.txt")).unwrap(),
        recipients
    );
    assert_eq!(fs::read_to_string(list).unwrap(), recipients);
    // And one that is given: no key is made.
    let third = ["store", "init", "third", "-q"];
    place
        .doorkey(third)
        .env("HOME", "/nowhere")
        .env("DOORKEY_KEY", &key)
        .ok();
    assert_eq!(
        fs::read_to_string(place.path("third/recipients.txt")).unwrap(),
        recipients
    );
}

#[test]
fn the_key_is_never_made_inside_the_store() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("secrets"), place.path("link")).unwrap();
    fs::create_dir(place.path("secrets")).unwrap();
    for key in [
        "secrets/key",
        "secrets/a/b/key",
        "link/key",
        "home/../secrets/key",
    ] {
        let ended = place
            .doorkey(["store", "init", "secrets", "--key-file", key])
            .end();
        let line = format!(
            "doorkey: error: age:secrets: the key file {key} lies inside the store; give another DOORKEY_KEY_FILE\n"
        );
        assert_eq!((ended.code(), ended.err()), (1, line));
    }
    let ended = place.doorkey(["store", "init", "home"]).end();
    assert_eq!(ended.code(), 1, "{}", ended.err());
    assert_eq!(fs::read_dir(place.path("secrets")).unwrap().count(), 0);
}

#[test]
fn setting_a_secret_needs_no_key() {
    let place = Place::with_store();
    fs::rename(place.path(OWN_KEY), place.path("key")).unwrap();
    place.set("team", "name", "value");
    let ended = value(&place, &["--key-file", "key"], "secret:name");
    assert_eq!(ended.out(), "value");
}

/// A folder on a disk, whatever /tmp may be: a key's mode says nothing on tmpfs.
fn on_disk() -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let kind = nix::sys::statfs::statfs(&folder).unwrap().filesystem_type();
    assert_ne!(
        kind,
        nix::sys::statfs::TMPFS_MAGIC,
        "the build's folder must be on a disk"
    );
    folder
}

#[test]
fn a_key_that_others_can_read_is_taken_only_where_it_can_not_be_otherwise() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    let folder = on_disk();
    let key = folder.join("key");
    fs::copy(place.path(OWN_KEY), &key).unwrap();
    let with = |key: &Path, mode: u32, before: &str| {
        fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
        let script = format!(
            "set -e; {before}; exec \"$0\" run -q --store age:secrets --key-file \"$1\" -- printenv V"
        );
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", &script, DOORKEY])
            .arg(key)
            .env("V", "secret:name")
            .current_dir(place.path(""))
            .output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    };
    let taken = (0, "value\n".to_owned(), String::new());
    let path = key.display();
    let refused = |what: &str, mode: u32| {
        let line = format!(
            "doorkey: error: age:secrets: the key file {path} can be {what} by others (mode {mode:04o}); run chmod 600 {path}\n"
        );
        (125, String::new(), line)
    };
    assert_eq!(with(&key, 0o640, "true"), refused("read", 0o640));
    assert_eq!(with(&key, 0o604, "true"), refused("read", 0o604));
    assert_eq!(with(&key, 0o700, "true"), taken);
    let read_only = format!(
        "mount --bind {0} {0}; mount -o remount,bind,ro {0}",
        folder.display()
    );
    assert_eq!(with(&key, 0o444, &read_only), taken);
    let tmpfs = format!(
        "cp {0}/key /dev/shm/key-{1}; mount -t tmpfs none {0}; mv /dev/shm/key-{1} {0}/key; chmod 444 {0}/key",
        folder.display(),
        std::process::id()
    );
    assert_eq!(with(&key, 0o444, &tmpfs), taken);
    let open = tmpfs.replace("chmod 444", "chmod 602");
    assert_eq!(with(&key, 0o602, "true"), refused("written", 0o602));
    assert_eq!(with(&key, 0o602, &open), refused("written", 0o602));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn another_user_reads_what_the_system_lets_it() {
    let place = Place::with_store();
    place.set("team", "open", "value");
    place.set("project/closed", "name", "closed");
    place.set("cluster/file", "name", "closed");
    let nobody = Some(nix::unistd::Uid::from_raw(65534));
    let set_mode = |path: &str, mode| {
        fs::set_permissions(place.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode("secrets/project/closed", 0o700);
    set_mode("secrets/cluster/file/name.age", 0o600);
    fs::rename(place.path(OWN_KEY), place.path("key")).unwrap();
    nix::unistd::chown(&place.path("key"), nobody, None).unwrap();
    let program = executable(&place.path("doorkey"), &fs::read(DOORKEY).unwrap(), 0o755);
    let run = |arguments: &[&str], reference: &str| {
        let output = Command::new(&program)
            .args(["run", "-q", "--store", "age:secrets", "--key-file", "key"])
            .args(arguments)
            .args(["--", "printenv", "V"])
            .env("V", reference)
            .current_dir(place.path(""))
            .uid(65534)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    // Nothing of the store is this user's to write.
    let read = (0, "value\n".to_owned(), String::new());
    assert_eq!(run(&[], "secret:open"), read);
    let denied = " of age:secrets: unreadable: permission denied; ";
    for scope in [["--project", "closed"], ["--cluster", "file"]] {
        let (code, out, err) = run(&scope, "secret:name?a text in its place");
        assert_eq!((code, out.as_str()), (125, ""));
        assert!(err.contains(denied) && err.lines().count() == 1, "{err}");
    }
}
