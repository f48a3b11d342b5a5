//! `--files` for another user than doorkey's own: the folder stays ours, nothing is written or
//! removed but in it, and the files reach whom they are for.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::watched::{Watched, plain, put, until};
use support::{DOORKEY, Place, Run, executable};

const VALUE: &str = "canary-3fd1c09b77";
const NOBODY: u32 = 65534;

/// A store that others can read, and a folder in memory that they can get into.
fn places() -> (Place, Place) {
    let place = plain(&[("a", VALUE), ("b", "other")]);
    let shared = Place::within("/dev/shm");
    for folder in [&place, &shared] {
        fs::set_permissions(folder.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    }
    (place, shared)
}

fn run(place: &Place, folder: &Path) -> Run {
    let files = format!("--files={}", folder.display());
    place.doorkey([
        "run",
        "-q",
        "--store=dir:plain",
        &files,
        "-eA=secret:a|file",
    ])
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn said(folder: &Path, what: &str) -> String {
    format!("doorkey: error: {}: {what}\n", folder.display())
}

/// A folder of the user's, with one for files in it, and one that is none of theirs.
fn theirs(shared: &Place) -> (std::path::PathBuf, std::path::PathBuf) {
    let (theirs, victim) = (shared.path("theirs"), shared.path("victim"));
    for folder in [&theirs, &victim] {
        fs::create_dir(folder).unwrap();
    }
    chown(&theirs, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::write(victim.join("A"), "untouched").unwrap();
    (theirs.join("files"), victim)
}

/// The workload moves the folder, and puts a link to another one in its place.
fn moves(folder: &Path, victim: &Path) -> String {
    let (folder, victim) = (folder.display(), victim.display());
    format!("mv {folder} {folder}.moved && ln -s {victim} {folder}")
}

#[test]
fn nothing_is_removed_but_in_the_folder_that_was_opened() {
    let (place, shared) = places();
    let (folder, victim) = theirs(&shared);
    let run = run(&place, &folder).args(["--init", "--user=nobody", "sh", "-c"]);
    let script = format!("cat $A && {}", moves(&folder, &victim));
    run.arg(script).gives(0, VALUE, "");
    assert_eq!(names(&victim), ["A"]);
    assert_eq!(names(&folder.with_extension("moved")), [""; 0]);
    // The link is no place for the next one, whoever its folder belongs to.
    let next = self::run(&place, &folder).args(["--user=nobody", "echo", "launched"]);
    let what = "it is a link, which may lead elsewhere tomorrow; name the folder itself";
    next.fails(125, &said(&folder, what));
    assert_eq!(fs::read_to_string(victim.join("A")).unwrap(), "untouched");
}

/// What of a place the supervisor has open. It has the folder a moment after the workload began.
fn held(watched: &Watched, place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{}/fd", watched.id())).unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|link| link.starts_with(place.path("")))
        .collect()
}

#[test]
fn nothing_is_exchanged_but_in_the_folder_that_was_opened() {
    for (change, by_link) in [
        ("signal:HUP", true),
        ("signal:HUP", false),
        ("restart", true),
        ("restart", false),
    ] {
        let (place, shared) = places();
        let (folder, mut victim) = theirs(&shared);
        let mut moves = moves(&folder, &victim);
        if !by_link {
            // A folder of root's that lies there, too.
            let other = shared.path("theirs/other");
            fs::rename(&victim, &other).unwrap();
            victim.clone_from(&folder);
            let (folder, other) = (folder.display(), other.display());
            moves = format!("mv {folder} {folder}.moved && mv {other} {folder}");
        }
        let files = format!("--files={}", folder.display());
        let watch = ["run", "--store=dir:plain", "--watch=1h"];
        let run = place.doorkey(watch).args(["--on-change", change, &files]);
        let run = run.args(["--user=nobody", "-eA=secret:a|file", "--", "sh", "-c"]);
        let go = shared.path("go");
        let script = format!(
            "echo waits; until [ -e {} ]; do sleep 0.01; done; {moves} || :; echo moved; \
             while :; do sleep 1000; done",
            go.display()
        );
        let mut watched = Watched::began(run.arg(script), "waits");
        until("the supervisor has the folder", || {
            held(&watched, &shared) == [folder.clone()]
        });
        fs::write(go, "").unwrap();
        watched.shows("moved");
        put(&place, "a", "new");
        watched.refresh();
        let what = match by_link {
            true => "it is a link, which may lead elsewhere tomorrow; name the folder itself",
            false => {
                "it is another folder than the one that was opened at first; nothing is delivered \
                 there"
            }
        };
        let line = watched.saying();
        let why = format!("{}: {what}", folder.display());
        // A link is seen before anything is changed.
        if change == "restart" && !by_link {
            assert_eq!(line, "doorkey: changed: A; the command is launched anew");
            watched.resolved();
            watched.says(&format!("error: {why}"));
            watched.ends(125);
        } else {
            assert!(
                line.starts_with("doorkey: warning: secrets not fetched again"),
                "{line}"
            );
            assert!(line.ends_with(&why), "{line}");
            watched.send(libc::SIGTERM);
            assert_eq!(watched.end().0, 143);
        }
        assert_eq!(names(&victim), ["A"]);
        assert_eq!(fs::read_to_string(victim.join("A")).unwrap(), "untouched");
        let moved = folder.with_extension("moved");
        assert_eq!(names(&moved), [""; 0], "{change}");
    }
}

#[test]
fn a_swap_is_the_user_s_too() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let files = format!("--files={}", folder.display());
    let watch = [
        "run",
        "--store=dir:plain",
        "--watch=1h",
        "--on-change=signal:HUP",
    ];
    let run = place
        .doorkey(watch)
        .args([&files, "--user=nobody", "-eA=secret:a|file"]);
    let script = "trap 'cat $A; stat -c \" %a %u %g\" $A' HUP; echo began; \
                  while :; do sleep 0.05; done";
    let mut watched = Watched::began(run.args(["--", "sh", "-c", script]), "began");
    until(
        "the supervisor has the folder, and nothing else of it",
        || held(&watched, &shared) == [folder.clone()],
    );
    put(&place, "a", "new");
    watched.refresh();
    watched.says("changed: A; the command gets SIGHUP");
    watched.shows("new 400 65534 65534");
    watched.send(libc::SIGTERM);
    assert_eq!(watched.end().0, 143);
    assert_eq!(names(&folder), [""; 0]);
}

/// Names that a launch had and the next one has not are removed at the end all the same.
#[test]
fn what_earlier_launches_delivered_goes_too() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let files = format!("--files={}", folder.display());
    place.write("vars", "A=secret:a|file\nN=1\n");
    let run = place.doorkey(["run", "--store=dir:plain", "--watch=1h", &files]);
    let run = run.args(["--env-file=vars", "--user=nobody", "--", "sh", "-c"]);
    let mut watched = Watched::began(run.arg("echo $N; exec sleep 1000"), "1");
    place.write("vars", "B=secret:b|file\nN=2\n");
    watched.refresh();
    watched.restarts("A, B", "2");
    assert_eq!(names(&folder), ["A", "B"]);
    watched.stop();
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn folders_that_are_refused() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let path = folder.display();
    let by_older = format!(
        "it belongs to the user 65534, who can exchange what is delivered there (older doorkeys \
         left it so); remove it: rm -r {path}; the next launch makes it anew"
    );
    let open = |mode: &str| {
        format!(
            "others can write there (mode {mode}), and exchange what is delivered; run chmod go-w \
             {path}"
        )
    };
    for (owner, mode, what) in [
        (NOBODY, 0o700, &*by_older),
        (0, 0o777, &open("0777")),
        (0, 0o770, &open("0770")),
        (0, 0o1777, &open("1777")),
    ] {
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
        for whom in ["--user=nobody", "--files-owner=nobody"] {
            let run = run(&place, &folder).args([whom, "echo", "launched"]);
            run.fails(125, &said(&folder, what));
        }
        let check = place.doorkey(["check", "--store=dir:plain", "-eA=secret:a|file"]);
        let check = check.env("DOORKEY_FILES", &folder);
        let ended = check.env("DOORKEY_FILES_OWNER", "nobody").end();
        assert_eq!((ended.code(), ended.err()), (1, said(&folder, what)));
        assert_eq!(names(&folder), [""; 0]);
        // As long as nobody else is concerned it is as it was.
        run(&place, &folder)
            .args(["sh", "-c", "cat $A"])
            .gives(0, VALUE, "");
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir(shared.path("real")).unwrap();
    symlink("real", &folder).unwrap();
    let what = "it is a link, which may lead elsewhere tomorrow; name the folder itself";
    let refused = run(&place, &folder).args(["--user=nobody", "echo", "launched"]);
    refused.fails(125, &said(&folder, what));
    // A path's end that would follow it is the link's all the same.
    for end in ["/", "//", "/./"] {
        let path = format!("{}{end}", folder.display());
        let refused = run(&place, Path::new(&path)).args(["--user=nobody", "true"]);
        let said = refused.env("DOORKEY_LOG_LEVEL", "error").end();
        assert_eq!(said.code(), 125);
        assert!(said.err().contains(what), "{}", said.err());
    }
    assert_eq!(names(&shared.path("real")), [""; 0]);
    // Nor does a link on the way that is the user's; one of root's is as good as a folder.
    let (_, victim) = theirs(&shared);
    fs::create_dir(victim.join("inner")).unwrap();
    let way = shared.path("theirs/way");
    symlink(&victim, &way).unwrap();
    let through = || run(&place, &way.join("inner")).args(["--user=nobody", "sh", "-c", "cat $A"]);
    through().gives(0, VALUE, "");
    fs::remove_file(victim.join("inner/A")).unwrap();
    lchown(&way, Some(NOBODY), Some(NOBODY)).unwrap();
    let what = format!(
        "the link {} on the way there is the user 65534's, who decides where it leads; name the \
         folder by its own path",
        way.display()
    );
    through().fails(125, &said(&way.join("inner"), &what));
    assert_eq!(names(&victim.join("inner")), [""; 0]);
    // Nor behind a link of root's.
    let round = shared.path("round");
    symlink(&way, &round).unwrap();
    let run_round = run(&place, &round.join("inner")).args(["--user=nobody", "true"]);
    run_round.fails(125, &said(&round.join("inner"), &what));
    assert_eq!(names(&victim.join("inner")), [""; 0]);
    // What others may only read is ours.
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    let run = run(&place, &folder).args(["--user=nobody", "sh", "-c", "cat $A"]);
    run.gives(0, VALUE, "");
}

/// As an `emptyDir` of Kubernetes', which is root's and everybody's to write.
#[test]
fn a_mount_is_taken_with_a_warning() {
    let (place, shared) = places();
    let folder = shared.path("mount");
    fs::create_dir(&folder).unwrap();
    let warning = format!(
        "doorkey: warning: {}: other users can write there, and remove or exchange what is \
         delivered\n",
        folder.display()
    );
    for (options, is_open) in [
        ("mode=777", true),
        ("mode=1777", true),
        ("mode=755", false),
        ("mode=770,gid=65534", false),
        ("mode=770,gid=7", true),
        ("mode=700,uid=65534", false),
        ("mode=755,uid=7", true),
    ] {
        let script = format!(
            "mount -t tmpfs -o {options} none $1; \"$0\" run --log-level=warn --init \
             --user=nobody --store=dir:plain --files=$1 -eA='secret:a|file' sh -c 'cat $A'; \
             ls -A $1"
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script, DOORKEY])
            .arg(&folder);
        let output = command.current_dir(place.path("")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut expected = VALUE.to_owned();
        if options == "mode=770,gid=7" {
            // Nobody can't get in there.
            expected.clear();
            assert!(text(&output.stderr).starts_with(&warning));
        } else {
            assert_eq!(
                text(&output.stderr),
                if is_open { &*warning } else { "" },
                "{options}"
            );
        }
        assert_eq!(text(&output.stdout), expected, "{options}");
    }
}

/// The entrypoint of an image that is started as root, becomes a user by itself, and reads its
/// files as that one, as docker-library's do.
#[test]
fn images_that_change_user_by_themselves() {
    let (place, shared) = places();
    let folder = shared.path("files");
    let entrypoint = r#"#!/bin/bash
set -eu
if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=nobody --regid=nogroup --init-groups "$BASH_SOURCE" "$@"
fi
export PASSWORD="$(< "$PASSWORD_FILE")"
unset PASSWORD_FILE
exec "$@"
"#;
    let entrypoint = executable(&place.path("entrypoint"), entrypoint.as_bytes(), 0o755);
    let files = format!("--files={}", folder.display());
    for more in [&[][..], &[&*files], &["--init"], &[&*files, "--init"]] {
        let start = |owner: &[&str]| {
            let run = place.doorkey(["run", "-q", "--store=dir:plain"]);
            let run = run
                .args(more)
                .args(owner)
                .env("PASSWORD_FILE", "secret:a|file");
            let words = ["sh", "-c", "echo $PASSWORD ${PASSWORD_FILE-gone}; id -u"];
            run.arg(&entrypoint).args(words)
        };
        let expected = format!("{VALUE} gone\n{NOBODY}\n");
        start(&["--files-owner=nobody"]).gives(0, &expected, "");
        if more.contains(&"--init") {
            assert!(!folder.exists() || names(&folder).is_empty());
        }
        let _ = fs::remove_dir_all(&folder);
        // Without it they are root's alone.
        let ended = start(&[]).end();
        assert!(ended.err().contains("ermission denied"), "{}", ended.err());
        let _ = fs::remove_dir_all(&folder);
    }
    // Both users are known by name and number alike.
    let user = run(&place, &folder).args(["--files-owner=65534:7", "stat", "-c%u:%g"]);
    user.arg(folder.join("A")).gives(0, "65534:7\n", "");
    let unknown = run(&place, &folder).args(["--files-owner=no-such", "true"]);
    let what =
        "--files-owner names the user no-such, not found in /etc/passwd; a number needs no entry";
    unknown.fails(125, &format!("doorkey: error: {what}\n"));
}

/// Where the exec fails this process has become the user already, who may not remove anything in
/// a folder of ours.
#[test]
fn a_launch_that_fails_leaves_nothing() {
    let (place, shared) = places();
    let folder = shared.path("files");
    for init in ["--no-new-privs", "--init"] {
        let run = run(&place, &folder).args([init, "--user=nobody", "no-such-command"]);
        run.fails(127, "doorkey: error: no-such-command: command not found\n");
        assert_eq!(names(&folder), [""; 0]);
        let kept = fs::metadata(&folder).unwrap();
        assert_eq!(
            (kept.uid(), kept.gid(), kept.mode() & 0o7777),
            (0, NOBODY, 0o750)
        );
    }
}

/// Ended while it launches, by a signal to the supervisor.
#[test]
fn a_launch_that_is_ended_leaves_nothing() {
    let (place, shared) = places();
    let folder = shared.path("files");
    for round in 0..40 {
        let mut run = run(&place, &folder).args(["--init", "--user=nobody", "sleep", "1000"]);
        let mut child = run.command.spawn().unwrap();
        until("it delivers", || {
            folder.exists() && (round % 2 == 0 || !names(&folder).is_empty())
        });
        // SAFETY: it takes no pointer, and the process has not been waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
        assert_eq!(child.wait().unwrap().code(), Some(143));
        assert_eq!(names(&folder), [""; 0]);
        fs::remove_dir(&folder).unwrap();
    }
}
