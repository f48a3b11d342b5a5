//! What a team does with its store, killed at any moment: no value is lost, and the same command
//! again finishes.

use std::hash::{BuildHasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::merge::by;
use support::Place;

/// How many commands of each kind are killed: 200 in all.
const KILLS: usize = 40;

/// Moments for a kind of command that takes so long when nobody kills it.
struct Moments {
    whole: Duration,
    random: RandomState,
    tries: u32,
    kills: usize,
}

impl Moments {
    /// Runs a command to its end, which is how long one takes here and now.
    fn of(place: &Place, words: &str) -> Self {
        let began = Instant::now();
        place.with("own", words).ok();
        Moments {
            whole: began.elapsed(),
            random: RandomState::new(),
            tries: 0,
            kills: 0,
        }
    }

    fn are_over(&self) -> bool {
        self.kills == KILLS
    }

    /// Starts a command and kills it after a while.
    fn kill(&mut self, place: &Place, words: &str) {
        let mut run = place.with("own", words);
        let quiet = run.command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = quiet.stderr(Stdio::null()).spawn().unwrap();
        self.tries += 1;
        let share = (self.random.hash_one(self.tries) % 1000) as u32;
        thread::sleep(self.whole * share / 1000);
        child.kill().unwrap();
        match child.wait().unwrap().signal() {
            Some(9) => self.kills += 1,
            _ => self.whole = self.whole * 9 / 10,
        }
    }
}

/// A store with six secrets, each its own name. It is in memory: this is not about the disk, which
/// each file is synced to.
fn store() -> Place {
    let place = Place::within("/dev/shm");
    place.key("own");
    place
        .doorkey(["store", "init", "secrets", "-q", "--key-file", "own.key"])
        .ok();
    for name in ["a", "b", "c", "d", "e", "f"] {
        place.set(if name < "d" { "team" } else { "project/web" }, name, name);
    }
    place
}

/// All values that the key opens, as a launch in the project gets them.
fn values(place: &Place, store: &str) -> String {
    let words = format!("run --all --clear-env -q -p web --store age:{store} -- env");
    let out = place.with("own", &words).ok().out();
    let mut lines: Vec<_> = out.lines().filter(|line| !line.contains('/')).collect();
    lines.sort_unstable();
    lines.join(" ")
}

const ALL: &str = "a=a b=b c=c d=d e=e f=f";

#[test]
fn members_who_come_and_go() {
    let place = store();
    let other = place.key("other");
    let changes = [
        format!("store recipient add {other} --name other -q"),
        "store recipient remove other -q".to_owned(),
    ];
    let mut moments = Moments::of(&place, &changes[0]);
    place.with("own", &changes[1]).ok();
    for change in changes.iter().cycle() {
        if moments.are_over() {
            break;
        }
        moments.kill(&place, change);
        assert_eq!(values(&place, "secrets"), ALL);
        place.with("own", change).ok();
        let check = place.with("own", "store check -q -j").ok().json();
        let left = check["rotate"].as_array().unwrap().len();
        // Once the other has been there, all that they knew stays to be replaced.
        assert_eq!(left, 6);
        let is_in = place.age("team", "a", "other").is_some();
        assert_eq!(is_in, change.contains("add"));
    }
}

#[test]
fn secrets_that_move() {
    let place = store();
    let moves = [
        "secret mv team/a project/web/z -q",
        "secret mv project/web/z team/a -q",
    ];
    let mut moments = Moments::of(&place, moves[0]);
    place.with("own", moves[1]).ok();
    for words in moves.iter().cycle() {
        if moments.are_over() {
            break;
        }
        moments.kill(&place, words);
        let now = values(&place, "secrets");
        assert!(now.contains("a=a") || now.contains("z=a"), "{now}");
        // Where it was done already there is nothing to be moved.
        let again = place.with("own", words).end();
        let is_done = again.err().contains("there is no such secret");
        assert!(again.code() == 0 || is_done, "{}", again.err());
        let now = values(&place, "secrets");
        assert_eq!(now.contains("z=a"), words.ends_with("z -q"), "{now}");
        assert_eq!(now.contains("a=a"), words.ends_with("a -q"), "{now}");
        place.with("own", "store check -q").gives(0, "", "");
    }
}

#[test]
fn values_that_are_made() {
    let place = store();
    let words = "secret generate g -g -y -q";
    let mut moments = Moments::of(&place, words);
    while !moments.are_over() {
        moments.kill(&place, words);
        let now = values(&place, "secrets");
        assert!(now.starts_with(ALL), "{now}");
        assert_eq!(now.len(), ALL.len() + " g=".len() + 32);
    }
    place.with("own", words).ok();
    place.with("own", "store check -q").gives(0, "", "");
}

#[test]
fn stores_that_are_copied() {
    let place = store();
    place
        .doorkey(["store", "init", "other", "-q", "--key-file", "own.key"])
        .ok();
    let words = "store copy age:secrets age:other -y -q";
    let mut moments = Moments::of(&place, words);
    while !moments.are_over() {
        std::fs::remove_dir_all(place.path("other/team")).unwrap();
        std::fs::remove_dir_all(place.path("other/project")).unwrap();
        moments.kill(&place, words);
        for line in values(&place, "other").split_whitespace() {
            assert!(ALL.contains(line), "{line}");
        }
        place.with("own", words).ok();
        assert_eq!(values(&place, "other"), ALL);
    }
    assert_eq!(values(&place, "secrets"), ALL);
}

#[test]
fn conflicts_that_are_settled() {
    let place = store();
    let [ann, bob] = ["ann", "bob"].map(|name| place.key(name));
    by(
        &place,
        "own",
        &format!(
            "git config --global init.defaultBranch ours; doorkey store recipient add {bob} --name bob
            git init -q .; keep made; git checkout -qb theirs
            doorkey store recipient add {ann} --name ann; put a theirs; keep ann
            git checkout -q ours; doorkey store recipient remove bob; put b ours; keep bob; both"
        ),
    );
    let copy = |from: &str, to: &str| {
        let _ = std::fs::remove_dir_all(place.path(to));
        let copied = Command::new("cp")
            .arg("-a")
            .arg(place.path(from))
            .arg(place.path(to))
            .status();
        assert!(copied.unwrap().success());
    };
    copy("secrets", "before");
    let fix = "store check --fix -q";
    let mut moments = Moments::of(&place, fix);
    while !moments.are_over() {
        copy("before", "secrets");
        moments.kill(&place, fix);
        let now = values(&place, "secrets");
        for name in ["c=c", "d=d", "e=e", "f=f"] {
            assert!(now.contains(name), "{now}");
        }
        place.with("own", fix).ok();
        place.with("own", "store check -q").gives(0, "", "");
        assert_eq!(values(&place, "secrets"), "a=theirs b=ours c=c d=d e=e f=f");
        let opens = |key| ["a", "b", "c"].map(|name| place.age("team", name, key).is_some());
        assert_eq!((opens("ann"), opens("bob")), ([true; 3], [false; 3]));
    }
}
