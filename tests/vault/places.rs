//! `vault:` on machines that are otherwise than most: a terminal to look at, a socket in place of
//! an address, an image with nothing in it, many at a standby that lags behind.

use std::fs;
use std::io::copy;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use support::bao::{App, Bao, Cluster, Pki};
use support::faulty::{Faulty, Step, answer, document};
use support::pty::Terminal;
use support::{DOORKEY, Place, Run};

fn launch(place: &Place, server: &Faulty) -> Run {
    let run = place.doorkey(["run", "--timeout", "60s", "--", "printenv", "V"]);
    run.env("DOORKEY_STORE", "vault:kv/app?kv=2")
        .env("VAULT_ADDR", server.address())
        .env("VAULT_TOKEN", "t")
        .env("V", "secret:k")
}

/// Something that is held, and a function that waits until it is dropped.
fn held() -> (Sender<()>, impl Fn() + Send + Sync) {
    let (sender, receiver) = channel();
    let receiver = Mutex::new(receiver);
    (sender, move || {
        let _ = receiver.lock().unwrap().recv();
    })
}

#[test]
fn whoever_looks_on_is_told_what_takes_so_long() {
    let place = Place::new();
    let good = || document(&json!({"k": "v"}));
    // It is answered when it has been told.
    let (told, wait) = held();
    let server = Faulty::new(move |_| {
        wait();
        good()
    });
    let waits = format!("doorkey: waiting for {}/", server.address());
    let mut terminal = Terminal::start(launch(&place, &server));
    terminal.wait_for(&waits);
    drop(told);
    terminal.wait_for("1 reference resolved");
    assert!(terminal.child.wait().unwrap().success());
    // What came of the first try is said in its place.
    let (told, wait) = held();
    let server = Faulty::new(move |request| match request.number {
        0..6 => answer(503, &[("Retry-After", "0")], b""),
        6 => {
            wait();
            vec![Step::Close]
        }
        _ => good(),
    });
    let mut terminal = Terminal::start(launch(&place, &server));
    terminal.wait_for("status 503; trying again for up to ");
    drop(told);
    terminal.wait_for("1 reference resolved");
    assert!(terminal.child.wait().unwrap().success());
    // Nobody looks at a log.
    let pause = Step::Pause(std::time::Duration::from_millis(1500));
    let server = Faulty::in_turn(vec![[vec![pause], good()].concat()]);
    let ended = launch(&place, &server).ok();
    assert!(!ended.err().contains("waiting"), "{}", ended.err());
}

/// Leads a socket's connections to a server.
fn lead(socket: &Path, to: &str) {
    let (listener, to) = (UnixListener::bind(socket).unwrap(), to.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = TcpStream::connect(&to).unwrap();
            let (mut back, mut client) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
            thread::spawn(move || {
                let _ = copy(&mut back, &mut client);
                let _ = client.shutdown(Shutdown::Both);
            });
            let (mut from, mut to) = (stream, server);
            thread::spawn(move || {
                let _ = copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
}

#[test]
fn sockets_and_agents() {
    let app = App::new();
    app.put("team", json!({"k": "v"}));
    let socket = app.path("socket");
    lead(&socket, &app.bao.at);
    let address = format!("unix://{}", socket.display());
    let run = || app.run("run -- printenv V").env("V", "secret:k");
    let ended = run().env("VAULT_ADDR", &address).ok();
    assert_eq!(ended.out(), "v\n");
    assert!(!ended.err().contains("warning"), "{}", ended.err());
    // An agent's address goes before the server's.
    let agent = run().env("VAULT_AGENT_ADDR", &address);
    assert_eq!(
        agent.env("VAULT_ADDR", "http://127.0.0.1:1").ok().out(),
        "v\n"
    );
    let gone = run().env(
        "VAULT_ADDR",
        format!("unix://{}/gone", app.path("").display()),
    );
    let ended = gone.env("DOORKEY_TIMEOUT", "500ms").end();
    assert!(
        ended.err().ends_with("no such file or directory\n"),
        "{}",
        ended.err()
    );
}

/// Runs the program in a folder that is all there is.
fn from_scratch(root: &Path, run: &Run) -> (i32, String) {
    fs::create_dir_all(root).unwrap();
    let copied = Command::new("cp")
        .arg(DOORKEY)
        .arg(root.join("doorkey"))
        .status();
    assert!(copied.unwrap().success());
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    let output = Command::new("/usr/sbin/chroot")
        .arg(root)
        .args(["/doorkey", "run", "-q", "--", "/doorkey", "--version"])
        .env_clear()
        .envs(run.command.get_envs().filter_map(set))
        .output()
        .expect("chroot");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[test]
fn an_image_with_nothing_in_it() {
    let place = Place::new();
    let pki = Pki::new(place.path("pki"));
    let app = App::on(Arc::new(Bao::with_tls(&pki)), 2);
    app.put("team", json!({"k": "v"}));
    let run = || {
        app.run("run")
            .env("V", "secret:k")
            .env("VAULT_ADDR", app.bao.secure())
    };
    let root = place.path("root");
    // No authorities, no hosts, no resolver: it trusts the bundled authorities, which are not ours.
    let (code, text) = from_scratch(&root, &run());
    assert!(
        code == 125 && text.contains("an authority that is not trusted"),
        "{text}"
    );
    let trusting = run().env("VAULT_CACERT_BYTES", pki.text("ca.pem"));
    let (code, text) = from_scratch(&root, &trusting);
    assert_eq!(code, 0, "{text}");
    // Where the system has its own, those count.
    fs::create_dir_all(root.join("etc/ssl/certs")).unwrap();
    fs::copy(
        pki.path("ca.pem"),
        root.join("etc/ssl/certs/ca-certificates.crt"),
    )
    .unwrap();
    let (code, text) = from_scratch(&root, &run());
    assert_eq!(code, 0, "{text}");
}

#[test]
fn writers_at_standbys_lose_nothing() {
    const WRITERS: usize = 12;
    let cluster = Cluster::new(3);
    let leader = cluster.leader();
    let others: Vec<_> = cluster
        .nodes
        .iter()
        .filter(|node| node.at != leader.at)
        .collect();
    let place = Place::new();
    let run = |words: &str, number: usize| {
        let run = place.doorkey(words.split(' ')).stdin(format!("v{number}"));
        run.env("DOORKEY_STORE", "vault:secret/app")
            .env("VAULT_ADDR", others[number % 2].address())
            .env("VAULT_TOKEN", &leader.root)
    };
    // `create` compares and sets: what a standby reads may be older than what it has written.
    let threads: Vec<_> = (0..WRITERS)
        .map(|number| {
            let run = run(
                &format!("secret create n{number} --team -q --timeout 60s"),
                number,
            );
            thread::spawn(move || run.end())
        })
        .collect();
    for thread in threads {
        let ended = thread.join().unwrap();
        assert_eq!(ended.code(), 0, "{}", ended.err());
    }
    let expected: serde_json::Map<_, _> = (0..WRITERS)
        .map(|number| (format!("n{number}"), format!("v{number}").into()))
        .collect();
    assert_eq!(leader.admin().get("secret", "app/team"), json!(expected));
    // One after the other, each sees what the last one has written.
    for number in 0..WRITERS {
        run(&format!("secret update n{number} --team -q"), number + 1).ok();
        run(&format!("secret delete n{number} --team -q --yes"), number).ok();
    }
    assert_eq!(leader.admin().get("secret", "app/team"), json!({}));
}
