//! A team's day with git: members who come and go, a CI key for one project, branches that both
//! change, and every value that a leaver knew replaced in the end.

use std::fs;

use crate::merge::by;
use crate::passphrase::{answer, lock};
use crate::ssh::{bare, ssh_key};
use serde_json::Value;
use support::pty::Terminal;
use support::{Ended, Place};

/// A member of the team, and how they make their key.
struct Person {
    name: &'static str,
    kind: &'static str,
    /// Makes the key in a file of this name, and gives its public half.
    make: fn(&Place, &str) -> String,
}

/// The founder first. Whoever has another kind of key stands here as well.
const TEAM: [Person; 3] = [
    Person {
        name: "ada",
        kind: "X25519",
        make: Place::key,
    },
    Person {
        name: "bob",
        kind: "X25519",
        make: Place::key,
    },
    Person {
        name: "eve",
        kind: "ssh-ed25519",
        make: |place, name| bare(&ssh_key(place, name, &["-t", "ed25519"])),
    },
];

/// Each clone of the store, with its owner at work there.
struct Day {
    place: Place,
    keys: Vec<String>,
}

impl Day {
    /// Runs a script as a member, in their own clone.
    fn at(&self, name: &str, script: &str) -> Ended {
        by(&self.place, name, &format!("cd {name}; {script}"))
    }

    /// What somebody's key opens in a clone: each value, by its place.
    fn opens(&self, clone: &str, key: &str) -> Vec<(String, String)> {
        let list = self
            .at(clone, "doorkey secret list --all --fields scope,name")
            .out();
        let secrets = list.lines().filter_map(|line| line.split_once('\t'));
        let opened = secrets.filter_map(|(scope, name)| {
            let file = self
                .place
                .path(&format!("{clone}/secrets/{scope}/{name}.age"));
            let mut age = std::process::Command::new("age");
            age.arg("-d")
                .arg("-i")
                .arg(self.place.path(&format!("{key}.key")))
                .arg(file);
            let output = age.output().unwrap();
            let value = String::from_utf8(output.stdout).unwrap();
            output
                .status
                .success()
                .then(|| (format!("{scope}/{name}"), value))
        });
        opened.collect()
    }

    fn rotations(&self, clone: &str) -> Vec<String> {
        let check = self.at(clone, "doorkey store check -j").json();
        let all = check["rotate"].as_array().unwrap().iter();
        all.map(|one: &Value| one["secret"].as_str().unwrap().to_owned())
            .collect()
    }
}

const PULL: &str = "git pull -q --no-rebase --no-edit";

#[test]
fn from_the_first_secret_to_the_last_rotation() {
    let place = Place::new();
    let keys = TEAM
        .iter()
        .map(|one| (one.make)(&place, one.name))
        .collect();
    let ci = place.key("ci");
    let day = Day { place, keys };
    let [ada, bob, eve] = TEAM.each_ref().map(|one| one.name);
    by(
        &day.place,
        ada,
        "git config --global init.defaultBranch main; git config --global pull.rebase false
        git init -q --bare shared; git init -q ada; cd ada; git remote add origin ../shared
        doorkey store init secrets --name ada --key-file ../ada.key
        doorkey secret generate db_password -g; doorkey secret generate api_key -p web
        keep 'the first'; git push -q -u origin main",
    );
    // The others come, one of them with line ends that git changes.
    for (at, person) in TEAM.iter().enumerate().skip(1) {
        let key = &day.keys[at];
        let name = person.name;
        day.at(
            ada,
            &format!(
                "doorkey store recipient add \"{key}\" --name {name}; keep {name}; git push -q"
            ),
        );
        let crlf = if name == eve {
            "-c core.autocrlf=true"
        } else {
            ""
        };
        by(
            &day.place,
            name,
            &format!("git clone -q {crlf} shared {name}"),
        );
        assert_eq!(day.opens(name, name).len(), 2);
    }
    let list = fs::read_to_string(day.place.path("eve/secrets/recipients.txt")).unwrap();
    assert!(list.contains("# eve\r\n"), "{list:?}");
    let people = day.at(eve, "doorkey store recipient list").out();
    for (person, key) in TEAM.iter().zip(&day.keys) {
        let row = format!("{key}\t{}\t{}\tall\n", person.name, person.kind);
        assert!(people.contains(&row), "{people}");
    }

    // Bob's key has a passphrase, which he types.
    lock(&day.place, bob, false);
    let get = day
        .place
        .with("locked", "secret get db_password -g --reveal");
    let mut terminal = Terminal::start(get.dir(day.place.path(bob)));
    answer(&mut terminal);
    let (code, screen, _) = terminal.end();
    let opened = day.opens(bob, bob);
    let is_it = |one: &&(String, String)| one.0 == "team/db_password";
    let (_, value) = opened.iter().find(is_it).unwrap();
    assert!(code == 0 && screen.contains(value), "{screen}");

    // A CI key reads one project, and whom to ask is said.
    day.at(
        eve,
        &format!("doorkey store recipient add {ci} --name ci -p web; keep ci; git push -q"),
    );
    assert_eq!(day.opens(eve, "ci").len(), 1);
    let denied = by(
        &day.place,
        "ci",
        "cd eve; doorkey secret get db_password -g --reveal 2>&1 || :",
    );
    let hint = format!("have ada, bob or eve run doorkey store recipient add {ci}\n");
    assert!(denied.out().ends_with(&hint), "{}", denied.out());

    // Bob and Ada work at the same time, each without the other's changes: he adds a key and a
    // value, she replaces one and adds another.
    let second = day.place.key("bob2");
    day.at(bob, &format!(
        "{PULL}; doorkey store recipient add {second} --name bob-laptop; put mail_key bob; keep bob"
    ));
    day.at(ada, &format!("{PULL}; put db_password ada; doorkey secret generate tls_key -p web; keep ada; git push -q"));
    day.at(bob, &format!("if {PULL} >/dev/null 2>&1; then exit 1; fi; doorkey store check --fix; keep merged; git push -q"));
    day.at(ada, PULL);
    for key in [ada, bob, eve, "bob2"] {
        assert_eq!(
            day.opens(ada, key).len(),
            4 - usize::from(key == "bob2") * 2,
            "{key}"
        );
    }
    assert!(
        day.opens(ada, eve)
            .contains(&("team/db_password".into(), "ada".into()))
    );

    // Bob leaves. A branch of Eve's that knows nothing of that gives a project a list of its own.
    day.at(
        eve,
        &format!(
            "{PULL}; doorkey store recipient add {ci} --name ci --cluster eu; put mail_key eve
        printf x | doorkey secret set node_key --cluster eu; keep eve"
        ),
    );
    day.at(ada, "doorkey store recipient remove bob --everywhere; doorkey store recipient remove bob-laptop --everywhere
        keep 'bob leaves'; git push -q");
    day.at(eve, &format!("if {PULL} >/dev/null 2>&1; then exit 1; fi; doorkey store check --fix; keep merged; git push -q"));
    day.at(ada, PULL);
    for clone in [ada, eve] {
        for key in [bob, "bob2"] {
            assert_eq!(day.opens(clone, key), [], "{clone} {key}");
        }
        for key in [ada, eve] {
            assert_eq!(day.opens(clone, key).len(), 5, "{clone} {key}");
        }
    }
    assert!(
        day.opens(ada, eve)
            .contains(&("team/mail_key".into(), "eve".into()))
    );

    // Rotation, by two who share the work, to its end.
    let all = [
        "project/web/api_key",
        "project/web/tls_key",
        "cluster/eu/node_key",
        "team/db_password",
        "team/mail_key",
    ];
    assert_eq!(day.rotations(ada), all);
    let said = day
        .at(ada, "DOORKEY_QUIET=0 doorkey store check 2>&1")
        .out();
    assert!(
        said.contains("rotate team/db_password: bob, bob-laptop could read it until 20"),
        "{said}"
    );
    day.at(ada, "doorkey secret generate api_key -p web -y; doorkey secret generate tls_key -p web -y; keep ada");
    day.at(
        eve,
        "doorkey secret generate db_password -g -y; doorkey secret mv team/mail_key team/post_key
        doorkey secret delete node_key --cluster eu -y; keep eve; git push -q",
    );
    day.at(ada, &format!("{PULL}; git push -q"));
    assert_eq!(day.rotations(ada), ["team/post_key"]);
    day.at(
        ada,
        "doorkey secret generate post_key -g -y; keep last; git push -q",
    );
    day.at(eve, PULL);
    assert_eq!(day.rotations(eve), [""; 0]);
    assert_eq!(day.opens(eve, "ci").len(), 2);
    for name in [ada, eve] {
        day.at(
            name,
            "doorkey store check; git diff --exit-code; test -z \"$(git status --short)\"",
        );
    }
}
