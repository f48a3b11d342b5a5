//! The link: who gets it, how often it works, and what ends the console.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bao::wait;
use support::pty::Terminal;
use support::{DOORKEY, Place, executable};

use crate::browser::Browser;
use crate::place::{Console, faults, own, parts};

const TOLD: &str = "doorkey: the link works once, within two minutes; Ctrl-C ends the console\n";

#[test]
fn it_is_printed_once_on_a_terminal() {
    let place = Place::with_store();
    let mut terminal = Terminal::start(place.on("console"));
    terminal.wait_for("Ctrl-C ends the console");
    terminal.types([3]);
    let (code, screen, _) = terminal.end();
    assert_eq!((code, screen.matches("/#").count()), (130, 1), "{screen}");
    let (link, rest) = screen.split_once('\n').unwrap();
    let (host, token) = parts(link);
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    assert_eq!(token.len(), 43, "256 bits");
    assert!(rest.starts_with(TOLD), "{rest}");
}

#[test]
fn it_is_printed_nowhere_else() {
    let place = Place::with_store();
    let refused = "doorkey: error: the link would be seen by others than you, as standard output is \
                   no terminal; give --link-file FILE\n";
    place.on("console").fails(2, refused);
    place.on("console --open").fails(2, refused);
}

#[test]
fn as_pid_1_it_refuses() {
    let place = Place::with_store();
    let mut run = place.on("console --link-file link");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", DOORKEY]);
    command.args(run.command.get_args());
    command.current_dir(place.path("")).env_clear();
    let variables = run.command.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    run.command = command;
    run.fails(
        2,
        "doorkey: error: the console is no service: it is for a person's own machine, and does not \
         run as PID 1\n",
    );
    assert!(!place.path("link").exists());
}

#[test]
fn a_file_takes_it_for_its_owner_alone() {
    let place = Place::with_store();
    // Whatever was there, and for whomever.
    let old = place.write("link", "old");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
    let mut run = place.on("console --link-file link");
    run.command.stderr(std::process::Stdio::null());
    let mut child = support::bao::spawn(run.command);
    wait("the link", || {
        fs::read_to_string(&old)
            .ok()
            .filter(|text| text.contains("/#"))
    });
    assert_eq!(
        fs::metadata(&old).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let id = Pid::from_raw(child.id().cast_signed());
    kill(id, Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert!(!old.exists());

    let folder = "doorkey: error: --link-file: can't write ./secrets: file exists\n";
    place.on("console --link-file ./secrets").fails(1, folder);
}

#[test]
fn signals_end_it_at_once() {
    for (signal, code) in [
        (Signal::SIGINT, 130),
        (Signal::SIGTERM, 143),
        (Signal::SIGHUP, 129),
    ] {
        let mut console = own().console;
        console.session();
        kill(Pid::from_raw(console.id().cast_signed()), signal).unwrap();
        assert_eq!(console.wait(), code);
    }
}

#[test]
fn it_works_once() {
    let own = own();
    let session = own.session();
    let again = own.exchange(&own.token);
    let why = "the link was used already; start another console";
    assert_eq!(faults(&again), (409, String::new(), why.to_owned()));
    assert_eq!(own.ask(&session, "GET /api/state", b"").status, 200);
}

#[test]
fn five_wrong_tokens_end_it() {
    let mut own = own();
    own.session();
    for count in 1..=5 {
        assert!(own.console.runs(), "{count}");
        let answer = own.exchange(&format!("{}x", own.token));
        assert_eq!(answer.status, 403);
    }
    assert_eq!(own.console.wait(), 1);
    let end =
        "doorkey: error: the console: ended, as five tokens were wrong: somebody is guessing\n";
    assert_eq!(own.log(), [TOLD, end].concat());
}

#[test]
fn it_ends_when_nobody_asks() {
    let place = Place::with_store();
    let mut console = Console::start(&place, place.on("console --idle 300ms"));
    assert_eq!(console.wait(), 0);
    let end = "doorkey: the console has ended, after 300ms without a request (--idle)\n";
    assert_eq!(console.log(), [TOLD, end].concat());
}

#[test]
fn it_ends_when_asked() {
    let mut own = own();
    let session = own.session();
    assert_eq!(own.ask(&session, "POST /api/end", b"").status, 200);
    assert_eq!(own.console.wait(), 0);
    assert_eq!(own.log(), format!("{TOLD}doorkey: the console has ended\n"));
}

#[test]
fn it_is_on_this_machine_alone() {
    let place = Place::with_store();
    let usage = "must be 127.0.0.1 or ::1: the console is for this machine alone";
    for address in ["0.0.0.0", "::", "localhost", "192.0.2.1", "127.0.0.2"] {
        let run = place.on("console --link-file link --listen").arg(address);
        run.fails(2, &format!("doorkey: error: --listen {usage}\n"));
    }
    let usage = "must be a number from 0 to 65535; 0 is any that is free";
    let run = place.on("console --link-file link --port 65536");
    run.fails(2, &format!("doorkey: error: --port {usage}\n"));
    let run = place.on("console --link-file link --idle 0");
    run.fails(
        2,
        "doorkey: error: --idle must be a duration above zero, such as 15m\n",
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let run = place.on(&format!("console --link-file link --port {port}"));
    let why = "can't listen there: address in use";
    run.fails(
        1,
        &format!("doorkey: error: 127.0.0.1 port {port}: {why}\n"),
    );

    for address in ["127.0.0.1", "::1"] {
        let console = Console::start(&place, place.on("console --listen").arg(address));
        console.session();
        let port = console.host.rsplit_once(':').unwrap().1.to_owned();
        let listening = Command::new("ss")
            .args(["-Hltn", "sport", "=", &port])
            .output();
        let listening = String::from_utf8(listening.unwrap().stdout).unwrap();
        let rows: Vec<_> = listening.lines().collect();
        assert_eq!(rows.len(), 1, "{listening}");
        assert!(rows[0].contains(&console.host), "{listening}");
    }
}

/// The browser is started by a program that everybody can see the arguments of.
#[test]
fn a_browser_is_led_there_by_a_file() {
    let place = Place::with_store();
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" >args\nstat -c %a \"$1\" >mode\nenv >env\ncp \"$1\" seen.part\nmv seen.part seen\n";
    executable(&place.path("bin/xdg-open"), script.as_bytes(), 0o755);
    fs::create_dir(place.path("run")).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let run = place.on("console --open").env("PATH", path);
    let run = run.env("XDG_RUNTIME_DIR", place.path("run"));
    let mut console = Console::start(&place, run);
    wait("the browser", || place.path("seen").exists().then_some(()));
    let read = |name| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("mode"), "600\n");
    let file = read("args").trim_end().to_owned();
    assert!(
        file.starts_with(&place.path("run").display().to_string()),
        "{file}"
    );
    assert!(!file.contains(&console.token));
    assert!(!read("env").contains("DOORKEY_"));
    assert!(read("seen").contains(&console.link()));

    let browser = Browser::new();
    browser.go(&format!("file://{file}"));
    browser.until("document.querySelector('#nav:not([hidden])')");
    assert!(!browser.url().contains(&console.token));
    browser.click("#end").says("closed", "You have ended it.");
    assert_eq!(console.wait(), 0);
    assert!(!fs::exists(&file).unwrap(), "it is removed");
}

/// `xdg-open` is there, and finds no browser.
#[test]
fn a_browser_that_fails_is_said() {
    let place = Place::with_store();
    executable(&place.path("bin/xdg-open"), b"#!/bin/sh\nexit 3\n", 0o755);
    let run = place.on("console --open").env("PATH", place.path("bin"));
    let console = Console::start(&place, run.env("XDG_RUNTIME_DIR", place.path("home")));
    let why = "xdg-open has failed; open the link yourself";
    let said = format!("{TOLD}doorkey: warning: {why}\n");
    wait("the warning", || (console.log() == said).then_some(()));
    let id = console.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    assert_eq!(children, "", "it is not waited for");
    console.session();
}

/// It works for two minutes, and then there is no console.
#[test]
fn a_link_that_nobody_uses_ends_it() {
    let place = Place::with_store();
    let began = Instant::now();
    let mut console = Console::start(&place, place.on("console"));
    // Others' requests, even the page itself, are no use of it.
    std::thread::sleep(Duration::from_secs(110));
    assert_eq!(console.exchange("wrong").status, 403);
    assert!(console.runs());
    assert_eq!(console.wait(), 1);
    assert!(began.elapsed() >= Duration::from_secs(120));
    assert!(began.elapsed() < Duration::from_secs(150));
    let end =
        "doorkey: error: the console: ended, as nobody has used the link within two minutes\n";
    assert_eq!(console.log(), [TOLD, end].concat());
}

/// Without a browser the person still has the link.
#[test]
fn no_browser_is_said() {
    let place = Place::with_store();
    fs::create_dir(place.path("bin")).unwrap();
    let run = place.on("console --open").env("PATH", place.path("bin"));
    let console = Console::start(&place, run.env("XDG_RUNTIME_DIR", place.path("home")));
    console.session();
    let why = "can't start xdg-open: no such file or directory; open the link yourself";
    assert_eq!(console.log(), format!("{TOLD}doorkey: warning: {why}\n"));
}
