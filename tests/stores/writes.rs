//! Writing to the embedded store is right and lasting: with many writers at once, with writers
//! that are killed at any moment, and with what they leave behind.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;

use support::{DOORKEY, Place, Run};

/// `doorkey secret set` of a name in the team's scope.
fn set(place: &Place, name: &str) -> Run {
    let words = [
        "secret",
        "set",
        name,
        "--store",
        "age:secrets",
        "--team",
        "--raw",
        "-q",
    ];
    place.doorkey(words)
}

/// What the store has under a name.
fn get(place: &Place, name: &str) -> Vec<u8> {
    let run = place
        .run(["-q", "--", "printenv", "V"])
        .env("V", format!("secret:{name}"));
    let mut value = run.ok().output.stdout;
    assert_eq!(value.pop(), Some(b'\n'));
    value
}

/// The names of the temporary files that there are.
fn temporary(place: &Place, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn sixty_four_writers_of_different_names_lose_nothing() {
    let place = Place::with_store();
    let value = |number: usize| format!("{number} ").repeat(2000);
    thread::scope(|scope| {
        for number in 0..64 {
            let place = &place;
            scope.spawn(move || {
                set(place, &format!("name{number}"))
                    .stdin(value(number))
                    .ok();
            });
        }
    });
    for number in 0..64 {
        assert!(get(&place, &format!("name{number}")) == value(number).as_bytes());
    }
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
}

#[test]
fn sixty_four_writers_of_one_name_leave_one_of_their_values_whole() {
    let place = Place::with_store();
    let value = |number: usize| format!("{number} ").repeat(2000);
    thread::scope(|scope| {
        for number in 0..64 {
            let place = &place;
            scope.spawn(move || set(place, "name").stdin(value(number)).ok());
        }
    });
    let left = get(&place, "name");
    assert!((0..64).any(|number| value(number).as_bytes() == left));
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
}

/// Starts a writer and gives it its value, which it may be killed while reading.
fn start(place: &Place, name: &str, value: &[u8]) -> Child {
    let mut run = set(place, name);
    let mut child = run.command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value).unwrap();
    child
}

#[test]
fn killed_at_any_moment_a_writer_leaves_the_old_value_or_the_new() {
    const SEED: u64 = 0x5eed_0003;
    let place = Place::with_store();
    let value = |number: u32| format!("{number:06} ").repeat(9000).into_bytes();
    place.set("team", "other", "untouched");
    place.set("team", "name", value(0));

    // How often a writer's state is asked for before the kill at most: adjusted so that about
    // half of the writers get to their end.
    let mut longest = 1u64;
    let mut random = SEED;
    let (mut kept, mut killed, mut replaced, mut left) = (0, 0, 0, 0);
    for number in 1..=200 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = (random >> 33) % longest;
        let mut child = start(&place, "name", &value(number));
        for _ in 0..moment {
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        let _ = child.kill();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
            longest += longest / 10 + 1;
        } else {
            longest -= longest / 10;
        }
        left += temporary(&place, "secrets/team").len();

        let found = get(&place, "name");
        if found == value(number) {
            (kept, replaced) = (number, replaced + 1);
        } else {
            assert!(
                found == value(kept),
                "seed {SEED:#x}, round {number}: neither old nor new"
            );
        }
        assert_eq!(get(&place, "other"), b"untouched");
    }
    println!("{killed} of 200 killed in time, {replaced} values replaced, {left} leftovers seen");
    assert!((20..180).contains(&killed), "the moments are spread");
    set(&place, "name").stdin(value(201)).ok();
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
    assert!(get(&place, "name") == value(201));
}

#[test]
fn leftovers_are_ignored_and_cleaned_up() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    for folder in ["secrets", "secrets/team", "secrets/project/p"] {
        place.write(&format!("{folder}/.tmp-1-2-3"), "half a file");
        place.write(&format!("{folder}/.tmp-name.age"), "half a file");
    }
    let names = |ended: &str| -> Vec<String> {
        let names = ended.lines().filter_map(|line| line.split_once('='));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let ended = place
        .run(["--all", "--clear-env", "-q", "--project", "p", "--", "env"])
        .ok();
    assert_eq!(names(&ended.out()), ["HOME", "PATH", "name"]);

    place.set("team", "name", "new");
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
    assert_eq!(
        temporary(&place, "secrets/project/p").len(),
        2,
        "nobody wrote there"
    );
    place.set("project/p", "name", "new");
    assert_eq!(temporary(&place, "secrets/project/p"), [""; 0]);
    assert_eq!(get(&place, "name"), b"new");
}

#[test]
fn files_of_writers_that_are_at_work_are_not_cleaned_up() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    place.write("secrets/team/.tmp-theirs", "half a file");
    // Another writer's share of the folder.
    let folder = File::open(place.path("secrets/team")).unwrap();
    folder.lock_shared().unwrap();
    place.set("team", "name", "new");
    assert_eq!(temporary(&place, "secrets/team"), [".tmp-theirs"]);
    assert_eq!(get(&place, "name"), b"new");
    drop(folder);
    place.set("team", "name", "newer");
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
}

#[test]
fn a_value_that_can_not_be_written_leaves_the_old_one_and_no_file() {
    let place = Place::with_store();
    place.set("team", "name", "value");
    // As on a full disk: a file of more than a block can't be written.
    let script =
        "ulimit -f 8; trap '' XFSZ; exec \"$0\" secret set name --store age:secrets --team -q";
    let mut child = Command::new("bash")
        .args(["-c", script, DOORKEY])
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&[b'x'; 60_000])
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let line = "doorkey: error: name in team of age:secrets: can't be written: file too large\n";
    assert_eq!((output.status.code(), err.as_str()), (Some(1), line));
    assert_eq!(get(&place, "name"), b"value");
    assert_eq!(temporary(&place, "secrets/team"), [""; 0]);
}

/// A folder outside the store, and links of the store that lead there.
fn with_links() -> Place {
    let place = Place::with_store();
    place.set("team", "name", "value");
    place.set("team", "real", "value");
    fs::create_dir_all(place.path("outside/p")).unwrap();
    fs::copy(
        place.path("secrets/team/name.age"),
        place.path("outside/name.age"),
    )
    .unwrap();
    fs::copy(
        place.path("secrets/team/name.age"),
        place.path("outside/p/name.age"),
    )
    .unwrap();
    place
}

fn link(place: &Place, to: &str, at: &str) {
    let _ = fs::remove_file(place.path(at));
    std::os::unix::fs::symlink(to, place.path(at)).unwrap();
}

#[test]
fn links_out_of_the_store_are_not_followed() {
    let place = with_links();
    let refused = "team of age:secrets: refused: it leads out of the store\n";
    let absolute = place.path("outside/name.age").display().to_string();
    for to in [
        "../../outside/name.age",
        &absolute,
        "/proc/self/root/etc/passwd",
        "loop.age",
    ] {
        let at = if to == "loop.age" { "loop" } else { "linked" };
        link(&place, to, &format!("secrets/team/{at}.age"));
        let line = format!("doorkey: error: V: secret:{at}: {refused}");
        place
            .run(["--", "true"])
            .env("V", format!("secret:{at}"))
            .fails(125, &line);
    }
    // A link that stays inside is as good as the file that it leads to, which has its own name.
    link(&place, "real.age", "secrets/team/linked.age");
    place.run(["--", "true"]).env("V", "secret:linked").fails(125, "doorkey: error: V: secret:linked: team of age:secrets: refused: it was written for team/real and put here afterwards; restore it or set it again\n");
    fs::create_dir(place.path("secrets/team/..data")).unwrap();
    fs::rename(
        place.path("secrets/team/real.age"),
        place.path("secrets/team/..data/real.age"),
    )
    .unwrap();
    link(&place, "..data/real.age", "secrets/team/real.age");
    assert_eq!(get(&place, "real"), b"value");
    // A whole scope.
    link(&place, "../outside", "secrets/project");
    let ended = place
        .run(["--project", "p", "--", "true"])
        .env("V", "secret:name")
        .end();
    assert_eq!(ended.code(), 125);
    assert!(
        ended
            .err()
            .ends_with("refused: it leads out of the store\n"),
        "{}",
        ended.err()
    );
}

#[test]
fn nothing_is_written_through_a_link_out_of_the_store() {
    let place = with_links();
    link(&place, "../outside", "secrets/project");
    link(&place, "../outside", "secrets/cluster");
    for (scope, id) in [
        ("--project", "p"),
        ("--project", "new"),
        ("--cluster", "new"),
    ] {
        let words = ["secret", "set", "new", "--store", "age:secrets", scope, id];
        let ended = place.doorkey(words).stdin("value").end();
        assert_eq!(ended.code(), 1);
        assert!(
            ended
                .err()
                .ends_with("refused: it leads out of the store\n"),
            "{}",
            ended.err()
        );
    }
    let mut outside: Vec<_> = fs::read_dir(place.path("outside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    outside.sort();
    assert_eq!(outside, ["name.age", "p"]);
    assert_eq!(fs::read_dir(place.path("outside/p")).unwrap().count(), 1);
    // A name that is a link is not followed either.
    link(&place, "../../outside/name.age", "secrets/team/linked.age");
    let before = fs::read(place.path("outside/name.age")).unwrap();
    let line =
        "doorkey: error: linked in team of age:secrets: refused: it leads out of the store\n";
    set(&place, "linked").stdin("new").fails(1, line);
    assert_eq!(fs::read(place.path("outside/name.age")).unwrap(), before);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let place = Place::with_store();
    fs::create_dir_all(place.path("secrets/team/folder.age")).unwrap();
    nix::unistd::mkfifo(
        &place.path("secrets/team/pipe.age"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    for name in ["folder", "pipe"] {
        let line = format!(
            "doorkey: error: V: secret:{name}: team of age:secrets: corrupt: it is no regular file; restore it or set it again\n"
        );
        place
            .run(["--", "true"])
            .env("V", format!("secret:{name}"))
            .fails(125, &line);
    }
}

#[test]
fn names_that_are_paths_are_refused() {
    let place = Place::with_store();
    for name in [
        "../name",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        ".hidden",
        "",
        "a\nb",
        "-x/y",
    ] {
        let words = [
            "secret",
            "set",
            "--store",
            "age:secrets",
            "--team",
            "--",
            name,
        ];
        let ended = place.doorkey(words).stdin("value").end();
        assert_eq!(
            (ended.code(), ended.out().as_str()),
            (2, ""),
            "{name}: {}",
            ended.err()
        );
    }
    for id in ["../..", "/", "a/b", "..", ""] {
        let words = [
            "secret",
            "set",
            "name",
            "--store",
            "age:secrets",
            "--project",
            id,
        ];
        assert_eq!(place.doorkey(words).stdin("value").end().code(), 2, "{id}");
    }
    for reference in [
        "secret:../name",
        "secret:/etc/passwd",
        "secret:team/../name",
        "secret:..",
    ] {
        assert_eq!(
            place.run(["--", "true"]).env("V", reference).end().code(),
            125,
            "{reference}"
        );
    }
    // Only what `store init` made.
    assert_eq!(fs::read_dir(place.path("secrets")).unwrap().count(), 2);
}
