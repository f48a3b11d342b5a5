//! What belongs to somebody else is not obeyed: a `doorkey.toml` that was found, and what `--watch`
//! reads again beside a workload of another user. `tests/containers/trust.rs` has images and mounts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Command;

use support::watched::{SAYS, Watched, plain, put, watch};
use support::{DOORKEY, Place, Run};

const WAYS: &str = "if you trust it, name it with --config or DOORKEY_CONFIG, mount it read-only, or \
    chown and chmod it";

/// A folder with a store, and a `doorkey.toml` that names it, of this owner, group and mode.
fn found(owner: u32, group: u32, mode: u32) -> Place {
    let place = plain(&[("a", "value")]);
    let file = place.write("doorkey.toml", "store = 'dir:plain'\n");
    chown(&file, Some(owner), Some(group)).unwrap();
    set_mode(&file, mode);
    place
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn printing(place: &Place) -> Run {
    let words = ["run", "-q", "-eA=secret:a", "printenv", "A"];
    place.doorkey(words)
}

#[track_caller]
fn is_refused(place: &Place, run: Run, why: &str) {
    let file = place.path("doorkey.toml").display().to_string();
    let said = format!("doorkey: error: {file}: not obeyed, as it {why}; {WAYS}\n");
    run.fails(125, &said);
}

/// As git, ssh and sudo have it. In Debian nobody is 65534, whose group others have, too.
#[test]
fn whose_a_found_file_is() {
    let root = "we are user 0";
    for (owner, group, mode, doubt) in [
        (0, 0, 0o644, None),
        (0, 0, 0o664, None),
        (0, 1000, 0o644, None),
        (
            1000,
            0,
            0o644,
            Some(format!("belongs to user 1000 ({root})")),
        ),
        (
            0,
            1000,
            0o664,
            Some(format!(
                "belongs to user 0, but group 1000 can write it (mode 0664; {root})"
            )),
        ),
        (
            0,
            0,
            0o646,
            Some(format!(
                "belongs to user 0, but everybody can write it (mode 0646; {root})"
            )),
        ),
    ] {
        let place = found(owner, group, mode);
        match doubt {
            None => drop(printing(&place).gives(0, "value\n", "")),
            Some(doubt) => is_refused(&place, printing(&place), &doubt),
        }
    }
    let nobody = "we are user 65534";
    for (owner, group, mode, doubt) in [
        (0, 0, 0o644, None),
        (65534, 65534, 0o644, None),
        (5, 60, 0o644, Some(format!("belongs to user 5 ({nobody})"))),
        (
            65534,
            60,
            0o664,
            Some(format!(
                "belongs to user 65534, but group 60 can write it (mode 0664; {nobody})"
            )),
        ),
    ] {
        let place = found(owner, group, mode);
        // That somebody has called sudo is for root alone to hear.
        let run = printing(&place).env("SUDO_UID", "5").unprivileged(&place);
        match doubt {
            None => drop(run.gives(0, "value\n", "")),
            Some(doubt) => is_refused(&place, run, &doubt),
        }
    }
}

#[test]
fn by_sudo_the_caller_counts() {
    let place = found(1000, 1000, 0o664);
    let sudo = |uid: &str| printing(&place).env("SUDO_UID", uid);
    sudo("1000").gives(0, "value\n", "");
    let why = "belongs to user 1000 (we are user 0, by sudo of 1001)";
    is_refused(&place, sudo("1001"), why);
    is_refused(&place, sudo("none"), "belongs to user 1000 (we are user 0)");
}

/// Somebody else's link to a file of ours would have a store looked for where it lies.
#[test]
fn whose_a_link_is() {
    let place = found(0, 0, 0o644);
    fs::rename(place.path("doorkey.toml"), place.path("ours.toml")).unwrap();
    symlink("ours.toml", place.path("doorkey.toml")).unwrap();
    printing(&place).gives(0, "value\n", "");
    lchown(place.path("doorkey.toml"), Some(1000), Some(1000)).unwrap();
    is_refused(
        &place,
        printing(&place),
        "belongs to user 1000 (we are user 0)",
    );
}

/// The attack: a value is encrypted for whom somebody else's file names.
/// A pipe that somebody has put there would be waited for.
#[test]
fn a_pipe_is_not_waited_for() {
    let place = plain(&[("a", "value")]);
    let pipe = place.path("doorkey.toml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let what = format!("can't read {}: invalid argument", pipe.display());
    printing(&place).fails(125, &format!("doorkey: error: {what}\n"));
    chown(&pipe, Some(1000), None).unwrap();
    is_refused(
        &place,
        printing(&place),
        "belongs to user 1000 (we are user 0)",
    );
}

#[test]
fn nothing_is_done_by_any_subcommand() {
    let place = Place::with_store();
    let file = place.write("doorkey.toml", "store = 'age:secrets'\n");
    chown(&file, Some(1000), Some(1000)).unwrap();
    fs::create_dir(place.path("below")).unwrap();
    for (words, code) in [
        ("run true", 125),
        ("check", 1),
        ("env", 1),
        ("render x", 1),
        ("secret set a --team", 1),
        ("secret list --all", 1),
        ("store check", 1),
        ("store recipient list", 1),
    ] {
        place.write("below/x", "x");
        let run = place.doorkey(words.split(' ')).dir(place.path("below"));
        let ended = run.stdin("value").end();
        assert_eq!((ended.code(), ended.out().as_str()), (code, ""), "{words}");
        assert!(
            ended.err().contains("not obeyed"),
            "{words}: {}",
            ended.err()
        );
    }
    assert!(!place.path("secrets/team").exists());
}

/// Nor does our own file, when it was merely found, say where credentials and values go.
#[test]
fn what_a_found_file_may_say() {
    let place = Place::new();
    let run = || {
        let run = place.doorkey(["run", "-q", "true"]);
        run.env("VAULT_TOKEN", "t").env("A", "vault:kv/app#a")
    };
    for setting in [
        "address",
        "namespace",
        "auth-path",
        "cache",
        "cache-recipient",
        "unbound",
    ] {
        let file = place.write(
            "doorkey.toml",
            format!("store = 'vault:kv'\n{setting} = 'x'\n"),
        );
        let said = format!(
            "doorkey: error: {}:2:1: {setting} counts only in a file that --config or \
             DOORKEY_CONFIG names\n",
            file.display()
        );
        run().fails(125, &said);
        let named = run().env("DOORKEY_CONFIG", "doorkey.toml").end();
        assert!(!named.err().contains("counts only"), "{}", named.err());
    }
}

/// A job as root over a checkout of another user, and each way out that the message names.
#[test]
fn a_job_over_another_users_checkout() {
    let place = found(1001, 1001, 0o644);
    is_refused(
        &place,
        printing(&place),
        "belongs to user 1001 (we are user 0)",
    );
    let named = |run: Run| run.gives(0, "value\n", "");
    named(printing(&place).env("DOORKEY_CONFIG", "doorkey.toml"));
    let words = [
        "run",
        "--config",
        "doorkey.toml",
        "-q",
        "-eA=secret:a",
        "printenv",
        "A",
    ];
    named(place.doorkey(words));
    // Whoever may write it can't here, nor can anybody else.
    let script = "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" && \
                  exec \"$0\" run -q -eA=secret:a printenv A";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, DOORKEY]);
    let output = command.current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.stdout, b"value\n");
    chown(place.path("doorkey.toml"), Some(0), Some(0)).unwrap();
    named(printing(&place));
}

/// As Kubernetes mounts one: links, everybody's to write, on a file system that nobody can write.
#[test]
fn a_config_map() {
    let place = plain(&[("a", "value")]);
    fs::create_dir(place.path("conf")).unwrap();
    let store = place.path("plain").display().to_string();
    let script = format!(
        "mount -t tmpfs -o mode=0777 none conf; mkdir -m 0777 conf/..1
        echo \"store = 'dir:{store}'\" >conf/..1/doorkey.toml; chmod 0777 conf/..1/doorkey.toml
        chown -R 1000:1000 conf; ln -s ..1 conf/..data; ln -s ..data/doorkey.toml conf/doorkey.toml
        chown -h 1000 conf/..data conf/doorkey.toml; cd conf
        $0 run -q -eA=secret:a printenv A; echo $?; mount -o remount,ro .; cd \"$PWD\"
        exec $0 run -q -eA=secret:a printenv A"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, DOORKEY]);
    let output = command.current_dir(place.path("")).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        err.contains("belongs to user 1000 (we are user 0)"),
        "{err}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "125\nvalue\n");
}

/// What root reads again the workload must not be able to change, on no step of the way.
#[test]
fn what_is_read_again_beside_another_user() {
    let place = plain(&[("a", "value")]);
    set_mode(&place.path(""), 0o755);
    place.write("conf/app.env", "B=1\n");
    place.write("conf/spec.json", r#"{"env": []}"#);
    place.write("conf/own.toml", "store = 'dir:../plain'\n");
    place.write("theirs/app.env", "B=1\n");
    chown(place.path("theirs"), Some(65534), Some(65534)).unwrap();
    symlink("conf/app.env", place.path("link.env")).unwrap();
    symlink("theirs/app.env", place.path("round.env")).unwrap();
    let run = |options: &[&str]| {
        let words = ["run", "-q", "--watch=1h", "--store=dir:plain"];
        place.doorkey(words).args(options).args(["--", "true"])
    };
    let root = place.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let because = "not read, as --watch would again with more rights than --user leaves";
    let ways = "chown and chmod that, or mount it read-only";
    let theirs = "belongs to user 65534 (we are user 0)";
    let files = [
        ("--env-file", "conf/app.env"),
        ("--env-file", "link.env"),
        ("--spec", "conf/spec.json"),
        ("--config", "conf/own.toml"),
    ];
    for (option, file) in files {
        run(&["--user=nobody", option, file]).gives(0, "", "");
        let real = place.path(if file == "link.env" {
            "conf/app.env"
        } else {
            file
        });
        chown(&real, Some(65534), Some(65534)).unwrap();
        let shown = real.display();
        let said = format!("doorkey: error: {file}: {because}: {shown} {theirs}; {ways}\n");
        run(&["--user=nobody", option, file]).fails(125, &said);
        // Root, and whoever has called sudo, may be obeyed: they are no workload.
        run(&["--user=root", option, file]).gives(0, "", "");
        run(&[option, file]).gives(0, "", "");
        let games = run(&["--user=games", option, file]);
        games.env("SUDO_UID", "65534").gives(0, "", "");
        let nobody = run(&["--user=nobody", option, file]).env("SUDO_UID", "65534");
        let by = theirs.replace(')', ", by sudo of 65534)");
        nobody.fails(
            125,
            &format!("doorkey: error: {file}: {because}: {shown} {by}; {ways}\n"),
        );
        chown(&real, Some(0), Some(0)).unwrap();
    }
    // A folder of theirs, where they could put a link, by itself and behind a link of ours.
    for file in ["theirs/app.env", "round.env", "theirs/../conf/app.env"] {
        let said = format!("doorkey: error: {file}: {because}: {root}/theirs {theirs}; {ways}\n");
        run(&["--user=nobody", "--env-file", file]).fails(125, &said);
    }
    // Once and for all it is read as ever.
    let words = [
        "run",
        "-q",
        "--user=nobody",
        "--env-file=theirs/app.env",
        "true",
    ];
    place.doorkey(words).gives(0, "", "");
    set_mode(&place.path("conf/app.env"), 0o666);
    let said = format!(
        "doorkey: error: conf/app.env: {because}: {root}/conf/app.env belongs to user 0, but \
         everybody can write it (mode 0666; we are user 0); {ways}\n"
    );
    run(&["--user=nobody", "--env-file=conf/app.env"]).fails(125, &said);
}

/// A file that becomes somebody else's later is not read any more, and the workload goes on.
#[test]
fn what_changes_hands_while_it_runs() {
    let place = plain(&[("a", "one")]);
    set_mode(&place.path(""), 0o755);
    let file = place.write("app.env", "B=1\n");
    let run = watch(&place, &["--user=nobody", "--env-file=app.env"], SAYS);
    let mut watched = Watched::began(run, "began one");
    chown(&file, Some(65534), Some(65534)).unwrap();
    fs::write(&file, "A=secret:b\n").unwrap();
    put(&place, "b", "other");
    watched.refresh();
    let said = watched.saying();
    assert!(said.contains("not fetched again"), "{said}");
    assert!(
        said.contains("belongs to user 65534 (we are user 0)"),
        "{said}"
    );
    chown(&file, Some(0), Some(0)).unwrap();
    fs::write(&file, "B=1\n").unwrap();
    put(&place, "a", "two");
    watched.refresh();
    watched.says("secrets can be fetched again");
    watched.restarts("A", "began two");
    watched.stop();
}
