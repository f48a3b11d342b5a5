//! Changing who can read a store, while it is killed and while others write: no value is lost,
//! and the same command again finishes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use support::Place;

const SCOPES: [&str; 4] = ["team", "team", "cluster/eu", "project/web"];
const SECRETS: usize = 40;

/// How many stores are changed side by side, and how many changes of each are killed.
const STORES: usize = 4;
const KILLS: usize = 25;

fn scope(index: usize) -> &'static str {
    SCOPES[index % SCOPES.len()]
}

/// The value of each secret, as one key opens them all.
fn values(place: &Place, key: &str) -> BTreeMap<String, String> {
    let words = "run --all --clear-env --quiet --project web --cluster eu -- env";
    let out = place.with(key, words).ok().out();
    let pairs = out.lines().filter_map(|line| line.split_once('='));
    pairs
        .filter(|(name, _)| name.starts_with("secret"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Starts a change and kills it after a while. Says whether it was still running then.
fn is_killed(place: &Place, change: &str, after: Duration) -> bool {
    let mut run = place.with("own", change);
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = run.command.spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    status.signal() == Some(9)
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_again_finishes() {
    let halfway: usize = thread::scope(|threads| {
        let stores = [(); STORES].map(|()| threads.spawn(kill_changes));
        stores.map(|store| store.join().unwrap()).iter().sum()
    });
    assert!(halfway > 0, "none was killed halfway");
}

/// Kills changes of one store; says how many of them when some was changed, and some not.
fn kill_changes() -> usize {
    let (place, _) = Place::with_own_key();
    let other = place.key("other");
    let mut expected = BTreeMap::new();
    for index in 0..SECRETS {
        let (name, value) = (format!("secret{index:02}"), format!("value {index}"));
        place.set(scope(index), &name, &value);
        expected.insert(name, value);
    }
    let changes = ["add", "remove"].map(|change| format!("store recipient {change} {other} -q"));
    let [add, remove] = &changes;
    // How long a whole change takes is known only here and now; the moments are chosen in it.
    let began = Instant::now();
    place.with("own", add).ok();
    place.with("own", remove).ok();
    let mut whole = began.elapsed() / 2;

    let random = RandomState::new();
    let (mut kills, mut halfway, mut tries) = (0, 0, 0_u64);
    while kills < KILLS {
        // Each change is taken up from where the one before was finished.
        let change = &changes[usize::try_from(tries % 2).unwrap()];
        let share = (random.hash_one(tries) % 1000) as u32;
        tries += 1;
        if is_killed(&place, change, whole * share / 1000) {
            kills += 1;
            halfway += usize::from(place.with("own", "store check -q").end().code() != 0);
        } else {
            whole = whole * 9 / 10;
        }
        assert_eq!(values(&place, "own"), expected);
        place.with("own", change).ok();
        place.with("own", "store check -q").gives(0, "", "");
        let listed = place.on("store recipient list").ok().out();
        assert_eq!(listed.contains(&other), change == add);
        // Each opens for the other or not: one of each scope is looked at.
        for index in 0..SCOPES.len() {
            let opened = place.age(scope(index), &format!("secret{index:02}"), "other");
            assert_eq!(opened.is_some(), change == add);
        }
    }
    for (index, (name, value)) in expected.iter().enumerate() {
        assert_eq!(
            place.age(scope(index), name, "own").unwrap(),
            value.as_bytes()
        );
    }
    // Nothing is left behind but the secrets.
    let files = place
        .contents()
        .into_iter()
        .filter(|(path, _)| path.is_file());
    let left: Vec<_> = files
        .map(|(path, _)| path)
        .filter(|path| path.extension().is_none_or(|end| end != "age"))
        .collect();
    let made = ["secrets/.gitattributes", "secrets/recipients.txt"];
    assert_eq!(left, made.map(|file| place.path(file)));
    halfway
}

#[test]
fn whoever_writes_meanwhile_loses_nothing() {
    let (place, _) = Place::with_own_key();
    for index in 0..8 {
        place.set(scope(index), &format!("first{index}"), "value");
    }
    let keys: Vec<String> = (0..6)
        .map(|index| place.key(&format!("key{index}")))
        .collect();
    let place = &place;
    let is_over = &AtomicBool::new(false);
    let written: Vec<Vec<_>> = thread::scope(|threads| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                threads.spawn(move || {
                    let mut last = Vec::new();
                    for round in 0.. {
                        if is_over.load(Relaxed) {
                            break;
                        }
                        // In turn a name of its own, a new name, and a new name in a new scope.
                        let (scope, name) = match round % 3 {
                            0 => (scope(writer).to_owned(), format!("own{writer}")),
                            1 => (scope(writer).to_owned(), format!("new{writer}_{round}")),
                            _ => (format!("project/p{writer}_{round}"), "a".to_owned()),
                        };
                        let value = format!("{writer} {round}");
                        place.set(&scope, &name, &value);
                        last.retain(|(s, n, _)| (s, n) != (&scope, &name));
                        last.push((scope, name, value));
                    }
                    last
                })
            })
            .collect();
        for change in ["add", "remove"] {
            for key in &keys {
                place
                    .with("own", &format!("store recipient {change} {key} -q"))
                    .ok();
            }
        }
        is_over.store(true, Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    place.with("own", "store check -q").gives(0, "", "");
    for (scope, name, value) in written.into_iter().flatten() {
        assert_eq!(
            place.age(&scope, &name, "own").unwrap(),
            value.as_bytes(),
            "{scope}/{name}"
        );
    }
}

/// One changes the store's list while another makes a list for a project.
#[test]
fn two_lists_changed_at_once() {
    let (place, _) = Place::with_own_key();
    let (common, special) = (place.key("common"), place.key("special"));
    for round in 0..20 {
        for index in 0..5 {
            place.set(&format!("project/p{round}"), &format!("a{index}"), "value");
        }
        let change = |words: String| {
            let mut run = place.with("own", &words);
            run.command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            run.command.spawn().unwrap()
        };
        let verb = ["add", "remove"][round % 2];
        let both = [
            change(format!(
                "store recipient add {special} --project p{round} -q"
            )),
            change(format!("store recipient {verb} {common} -q")),
        ];
        for (index, child) in both.into_iter().enumerate() {
            let output = child.wait_with_output().unwrap();
            // A project whose list started from the store's may still have who was removed from that.
            let remains = index == 1 && verb == "remove" && output.status.code() == Some(1);
            assert!(
                output.status.success() || remains && output.stderr.is_empty(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        place.with("own", "store check -q").gives(0, "", "");
    }
}
