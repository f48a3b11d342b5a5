//! `k8s:` with the real API server: what is read and written, what a launch costs, faults as the
//! server says them, and what holds for every store.

mod faults;
mod identity;

use std::io::copy;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use support::apiserver::{Account, ApiServer, rule};
use support::watched::{SAYS, Watched};
use support::{Place, Run};

/// What all may read here.
const READABLE: [&str; 4] = [
    "doorkey-team",
    "doorkey-cluster-eu",
    "doorkey-project-web",
    "db",
];

/// An account, and a folder.
struct App {
    account: Account,
    place: Place,
}

impl App {
    fn new(rules: &[Value]) -> Self {
        App {
            account: Account::new(rules),
            place: Place::new(),
        }
    }

    /// One that reads alone.
    fn reader() -> Self {
        Self::new(&[rule(&["get"], &READABLE)])
    }

    /// One that writes, too.
    fn writer() -> Self {
        Self::new(&[rule(&["get", "create", "patch"], &[])])
    }

    fn run(&self, words: &str) -> Run {
        self.account.run(&self.place, words)
    }

    fn put(&self, name: &str, values: &[(&str, &[u8])]) {
        self.account.put(name, values);
    }

    #[track_caller]
    fn fault(&self, reference: &str) -> String {
        self.run("run -q -p web -- true").fault_of(reference)
    }
}

#[test]
fn single_keys() {
    let app = App::reader();
    let namespace = &app.account.namespace;
    app.put(
        "db",
        &[("tls.crt", b"text"), ("bin", b"\0\xff"), (".x", b"")],
    );
    app.run("run -q -- printenv A B C")
        .env("A", format!("k8s:{namespace}/db#tls.crt"))
        .env("B", format!("a${{k8s:{namespace}/db#bin|base64}}"))
        .env("C", format!("k8s:{namespace}/db#.x"))
        .gives(0, "text\naAP8=\n\n", "");
    let absent = "in k8s:; create it, or allow its absence with '?'";
    let db = format!("k8s:{namespace}/db");
    assert_eq!(
        app.fault(&format!("{db}#none")),
        format!("there is no such key in {namespace}/db of {}", &absent[3..])
    );
    let gone = format!("k8s:{namespace}/doorkey-team#a");
    assert_eq!(
        app.fault(&gone),
        format!("there is no such document {absent}")
    );
    // Nobody learns whether it is there who may not get it.
    for other in [format!("{namespace}/other"), "default/db".to_owned()] {
        let denied = format!(
            "k8s:: denied: {other} is not for us, or does not exist, which only those learn who may \
             get it; a Role must allow get on secrets, with this name in its resourceNames"
        );
        assert_eq!(app.fault(&format!("k8s:{other}#a")), denied);
    }
    for (reference, why) in [
        (
            "db#a",
            "column 5: this is not the namespace and the name of a Secret",
        ),
        (
            "a/db",
            "column 9: '#' and a key must follow the Secret's name",
        ),
        ("a/db#a#1", "column 12: a Secret has no versions"),
    ] {
        let said = app.fault(&format!("k8s:{reference}"));
        let begins = format!("V: malformed reference: {why}; to pass");
        assert!(said.starts_with(&begins), "{said}");
    }
}

#[test]
fn a_launch_asks_once_for_each_over_one_connection() {
    let app = App::reader();
    app.put("doorkey-team", &[("a", b"1"), ("b", b"2")]);
    app.put("doorkey-project-web", &[("b", b"3")]);
    app.put("db", &[("k", b"4")]);
    let (way, connections) = counting(&app.account.server);
    let file = app
        .account
        .kubeconfig(&app.place, &format!("https://{way}"));
    app.run("run -q -p web --cluster eu -- printenv A B C D")
        .env("KUBECONFIG", file)
        .env("A", "secret:a")
        .env("B", "secret:b")
        .env("C", format!("k8s:{}/db#k", app.account.namespace))
        .env("D", "secret:none?5")
        .gives(0, "1\n3\n4\n5\n", "");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let mut expected = READABLE.map(|name| {
        let status = if name == "doorkey-cluster-eu" {
            404
        } else {
            200
        };
        format!("{status} get {}", app.account.path(name))
    });
    expected.sort();
    assert_eq!(asked(&app), expected);
}

/// What the server was asked for, sorted, when it has written that down.
fn asked(app: &App) -> Vec<String> {
    let is_own = |line: &String| !line.contains("selfsubject");
    let mut before = 0;
    let mut asked = support::bao::wait("it is written down", || {
        let asked = app.account.server.asked_by(&app.account);
        let asked: Vec<_> = asked.into_iter().filter(is_own).collect();
        let is_same = asked.len() == before && before > 0;
        before = asked.len();
        is_same.then_some(asked)
    });
    asked.sort();
    asked
}

/// A way to the server that counts connections.
fn counting(server: &ApiServer) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let (to, counted) = (server.at.clone(), Arc::clone(&count));
    thread::spawn(move || {
        for from in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let to = TcpStream::connect(&to).unwrap();
            let (mut from2, mut to2) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            thread::spawn(move || copy(&mut &from, &mut &to));
            thread::spawn(move || copy(&mut to2, &mut from2));
        }
    });
    (at, count)
}

const LAUNCHES: usize = 300;

#[test]
fn three_hundred_at_once() {
    let app = App::reader();
    app.put("doorkey-team", &[("a", b"1")]);
    app.put("doorkey-project-web", &[("b", b"2")]);
    let start = |_| -> Child {
        let run = app.run("run -q -p web --timeout 60s -- printenv A B");
        let mut run = run.env("A", "secret:a").env("B", "secret:b");
        let command = run.command.stdin(Stdio::null());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..LAUNCHES).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.stdout, err.as_str()), (b"1\n2\n".to_vec(), ""));
    }
    let asked = asked(&app);
    // The server has one account wait in a queue that has an end: whoever comes later is told when
    // to come again.
    let (busy, answered): (Vec<_>, Vec<_>) = asked.iter().partition(|one| one.starts_with("429 "));
    for name in ["doorkey-team", "doorkey-project-web"] {
        let path = format!("200 get {}", app.account.path(name));
        assert_eq!(
            answered.iter().filter(|line| **line == &path).count(),
            LAUNCHES
        );
    }
    assert_eq!(answered.len(), 2 * LAUNCHES);
    println!("{} answers of 429", busy.len());
}

#[test]
fn writing() {
    let app = App::writer();
    let run = |words: &str| app.run(words);
    run("secret create a --team -q").stdin("one").ok();
    run("secret create a --team -q").stdin("two").fails(
        1,
        "doorkey: error: a in team of k8s:: it exists already; to change it, use update or set\n",
    );
    run("secret update b --team -q").stdin("two").fails(
        1,
        "doorkey: error: b in team of k8s:: there is no such secret\n",
    );
    run("secret set b --team -q --raw").stdin(b"\xff\0").ok();
    run("secret update a --team -q").stdin("three").ok();
    run("secret set c --project web -q").stdin("x").ok();
    run("secret get a --team --reveal").gives(0, "three", "");
    run("secret delete b --team --yes -q").ok();
    let data = |name: &str| app.account.read(name)["data"].take();
    assert_eq!(data("doorkey-team"), json!({"a": "dGhyZWU="}));
    assert_eq!(data("doorkey-project-web"), json!({"c": "eA=="}));
    // What others have put there stays.
    app.put("doorkey-team", &[("tls.crt", b"y")]);
    run("secret set a --team -q").stdin("four").ok();
    assert_eq!(
        data("doorkey-team"),
        json!({"a": "Zm91cg==", "tls.crt": "eQ=="})
    );
    // All scopes are found by a right of its own.
    let denied = run("secret list --all").end();
    let hint = "a Role must allow list on secrets, which shows all of their values\n";
    assert!(denied.err().ends_with(hint), "{}", denied.err());
    app.account
        .may(&[rule(&["get", "create", "patch", "list"], &[])]);
    let listed = run("secret list --all --json").ok().json();
    let rows = listed["items"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .map(|row| format!("{} {}", row["name"], row["scope"]))
        .collect();
    for row in [r#""a" "team""#, r#""c" "project/web""#] {
        assert!(rows.iter().any(|known| known == row), "{rows:?}");
    }
    // An id that no name can hold.
    let refused = run("secret set a --project Web -q").stdin("x").end();
    let what = "project/Web can't be here: a Secret's name has a-z, 0-9, '-' and '.'; give the scope such an id\n";
    assert!(refused.err().ends_with(what), "{}", refused.err());
    // More than a Secret holds.
    let large = vec![b'x'; 1_000_000];
    app.put("doorkey-project-full", &[("large", &large)]);
    let refused = run("secret set a --project full -q")
        .stdin(&large[..60_000])
        .end();
    let what = "the API server takes it for invalid (422): a Secret holds 1 MiB in all\n";
    assert!(refused.err().ends_with(what), "{}", refused.err());
    // Nobody can change this any more.
    app.account.server.call(
        "PATCH",
        &app.account.path("doorkey-team"),
        &json!({"immutable": true}),
    );
    let path = format!("{}/doorkey-team", app.account.namespace);
    for words in ["set a", "update a", "create n", "delete a --yes"] {
        let immutable = run(&format!("secret {words} --team -q")).stdin("x").end();
        let what = format!(
            "{path} is immutable: nothing in it can be changed; delete the Secret and set its \
             secrets again\n"
        );
        assert!(immutable.err().ends_with(&what), "{}", immutable.err());
    }
}

#[test]
fn no_writers_change_is_lost() {
    let app = App::writer();
    let mut writers = Vec::new();
    for number in 0..12 {
        let run = app.run(&format!("secret create k{number} --team -q"));
        writers.push(thread::spawn(move || run.stdin(format!("{number}")).ok()));
    }
    let same: Vec<_> = (0..6)
        .map(|_| {
            let run = app.run("secret create same --team -q");
            thread::spawn(move || run.stdin("x").end().code())
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| drop(writer.join().unwrap()));
    let created = same
        .into_iter()
        .filter(|_| true)
        .map(|one| one.join().unwrap());
    assert_eq!(created.filter(|code| *code == 0).count(), 1);
    let data = app.account.read("doorkey-team");
    assert_eq!(data["data"].as_object().unwrap().len(), 13);
}

#[test]
fn watched_cached_checked_and_masked() {
    let app = App::reader();
    app.put(
        "doorkey-team",
        &[("k", b"one"), ("long", b"a-value-that-is-masked")],
    );
    let run = app.run("run --watch=1h -eA=secret:k -- sh -c").arg(SAYS);
    let mut watched = Watched::began(run, "began one");
    app.put("doorkey-team", &[("k", b"two")]);
    watched.refresh();
    watched.restarts("A", "began two");
    drop(watched);

    let run = app
        .run("check --quiet -p web")
        .env("V", "secret:k")
        .env("W", "secret:none");
    let ended = run.end();
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .err()
            .contains("W: secret:none: not found in project/web, team of k8s:")
    );

    let run = app
        .run("run -q --mask -- sh -c")
        .arg("echo $V")
        .env("V", "secret:long");
    let out = run.ok().out();
    assert!(!out.contains("a-value") && !out.is_empty(), "{out}");

    let kept = Place::within(env!("CARGO_TARGET_TMPDIR"));
    let recipient = kept.key("own");
    let launch = |address: &str| {
        let file = app.account.kubeconfig(&app.place, address);
        let run = app
            .run("run -q --timeout 1s -- printenv V")
            .env("KUBECONFIG", file);
        run.env("V", "secret:k")
            .env("DOORKEY_CACHE", kept.path("cache"))
            .env("DOORKEY_CACHE_RECIPIENT", &recipient)
            .env("DOORKEY_KEY_FILE", kept.path("own.key"))
    };
    let (way, _) = counting(&app.account.server);
    let file = kept.path("cache");
    launch(&format!("https://{way}")).gives(0, "two\n", "");
    assert!(file.exists());
    // The same cluster at the same address: nothing listens there any more.
    let gone = format!("https://127.0.0.1:{}", support::bao::free_port());
    assert_eq!(
        launch(&gone).end().code(),
        125,
        "another cluster's values are not its"
    );
}
