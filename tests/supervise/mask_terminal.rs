//! `run --mask` at a terminal: it stays one, for the workload and for whoever sits at it.
//! `init_terminal.rs` has job control, with and without.

use std::fs;
use std::process::Command;

use support::Place;
use support::pty::{Terminal, program, shell};

const VALUE: &str = "Vq8Zt2LxWm4Rk9Ys6Hc1";

fn place() -> Place {
    let place = Place::new();
    place.write("plain/name", VALUE);
    place.write(
        "run",
        "exec doorkey run --store dir:plain --mask -q \"$@\"\n",
    );
    place
}

/// A shell that has the value in `A` for what it starts by `sh run`.
fn at_shell(place: &Place) -> Terminal {
    shell(place, &[("A", "secret:name"), ("TERM", "xterm")])
}

#[test]
fn each_stream_is_a_terminal_where_it_was_one() {
    let place = place();
    let look =
        "a=; for i in 0 1 2; do if [ -t $i ]; then a=${a}t; else a=$a.; fi; done; echo $a >&3";
    place.write("look", look);
    for (redirect, found) in [
        ("", "ttt"),
        ("</dev/null", ".tt"),
        (">file", "t.t"),
        ("2>file", "tt."),
        (">/dev/null", "t.t"),
        ("</dev/null >file", "..t"),
        ("</dev/null 2>file", ".t."),
        ("| cat", "t.t"),
        ("2>&1 | cat", "t.."),
        (">&-", "t.t"),
    ] {
        // Descriptor 3 is what is looked at by nobody.
        place.write("found", "");
        let mut terminal = at_shell(&place);
        terminal
            .types(format!(
                "bash run -- bash look 3>found {redirect}; echo o\"\"ver\n"
            ))
            .wait_for("over");
        terminal.types("exit 0\n");
        assert!(terminal.end().2);
        let out = fs::read_to_string(place.path("found")).unwrap();
        assert_eq!(out.trim(), found, "{redirect}");
    }
}

#[test]
fn values_are_masked_and_colours_pass() {
    let place = place();
    let mut terminal = at_shell(&place);
    terminal.resizes(33, 77);
    terminal.types("sh run -- bash -c 'printf \"\\033[31mred\\033[0m <$A>\\n\"; stty size; echo \"err $A.\" >&2'\n");
    terminal
        .wait_for("\x1b[31mred\x1b[0m <[secret:name]>\r\n")
        .wait_for("33 77\r\n")
        .wait_for("err [secret:name].\r\n");
    // A change of the size arrives, as a signal and as what is asked for.
    terminal.wait_for("$> ").types("sh run -- bash -c 'trap \"stty size; exit\" WINCH; echo u\"\"p.; while :; do sleep 0.01; done'\n");
    terminal
        .wait_for("up.")
        .resizes(40, 100)
        .wait_for("40 100\r\n");
    terminal.wait_for("$> ").types("exit 0\n");
    let (code, screen, usual) = terminal.end();
    assert!(code == 0 && usual && !screen.contains(VALUE), "{screen}");
}

#[test]
fn what_is_typed_arrives() {
    let place = place();
    let mut terminal = at_shell(&place);
    let mut start = |script: &str| {
        place.write("script", script);
        terminal.types("sh run -- bash script\n");
    };
    // A prompt, and what must not be shown.
    start(
        "read -rsp 'Password: ' x; echo; echo \"<$x>\" >typed; stty -echo; touch hidden; read -r y; stty echo; echo \"<$y>\" >>typed; echo do\"\"ne",
    );
    let mut terminal = terminal;
    terminal.wait_for("Password: ").types("first\n");
    while !place.path("hidden").exists() {
        std::thread::yield_now();
    }
    terminal.types("second\n").wait_for("done").wait_for("$> ");
    assert_eq!(
        fs::read_to_string(place.path("typed")).unwrap(),
        "<first>\n<second>\n"
    );
    // The end of what is typed; a line is edited; a signal of each key.
    terminal
        .types("sh run -- sh -c 'cat; echo c\"\"ode $?'\n")
        .types("line\n")
        .wait_for("line\r\nline");
    terminal
        .types("abX\x7fc\n")
        .wait_for("abc\r\n")
        .types("\x04")
        .wait_for("code 0")
        .wait_for("$> ");
    for (key, code) in [("\x03", 130), ("\x1c", 131)] {
        terminal
            .types("sh run -- sh -c 'echo u\"\"p.; exec sleep 1000'\n")
            .wait_for("up.")
            .types(key);
        terminal
            .wait_for("$> ")
            .types("echo c\"\"ode $?\n")
            .wait_for(&format!("code {code}"))
            .wait_for("$> ");
    }
    terminal.types("exit 0\n");
    let (_, screen, usual) = terminal.end();
    assert!(
        usual && !screen.contains("first") && !screen.contains("second"),
        "{screen}"
    );
}

#[test]
fn full_screen_programs() {
    let place = place();
    let mut terminal = at_shell(&place);
    terminal.resizes(24, 80);
    terminal
        .types("sh run -- vim -u NONE -N text\n")
        .wait_for("\"text\" [New");
    terminal
        .types("ihello\x1b:r !echo $A\r")
        .wait_for("[secret:name]");
    // It is stopped as a job, and comes back.
    terminal
        .types("\x1a")
        .wait_for("Stopped")
        .wait_for("$> ")
        .types("fg\n")
        .wait_for("[secret:name]");
    terminal.types(":wq\r").wait_for("written").wait_for("$> ");
    assert_eq!(
        fs::read_to_string(place.path("text")).unwrap(),
        format!("hello\n{VALUE}\n")
    );
    // At the end of a pipeline it asks for the terminal that nobody has given it.
    terminal
        .types("(seq 1000; cat text) | sh run -- less\n")
        .wait_for("\r\n20\r\n");
    terminal
        .types("G")
        .wait_for("[secret:name]")
        .types("q")
        .wait_for("$> ");
    // And at its beginning it leaves the terminal to who has it.
    terminal
        .types("sh run -- seq 1000 | less\n")
        .wait_for("\r\n20\r\n")
        .types("G")
        .wait_for("1000")
        .types("q")
        .wait_for("$> ");
    terminal.types("exit 0\n");
    let (code, screen, usual) = terminal.end();
    assert!(code == 0 && usual && !screen.contains(VALUE), "{screen}");
}

/// Where no shell puts it in order: on every way out.
#[test]
fn the_terminal_is_restored() {
    let place = place();
    place.write("workload", "echo $$ >pid; echo $PPID >monitor; echo u\"\"p.; until [ -e go ]; do sleep 0.01; done; exit 7");
    place.write(
        "script",
        "stty -ixon; stty -g >before; sh run -- sh workload; echo \"code $?.\"; \
        until stty -g | cmp -s - before; do sleep 0.01; done; echo over.",
    );
    let supervisor = |place: &Place| {
        let monitor = fs::read_to_string(place.path("monitor")).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", monitor.trim())).unwrap();
        let rest = stat.rsplit_once(") ").unwrap().1;
        rest.split(' ').nth(1).unwrap().to_owned()
    };
    for (who, signal, code) in [
        ("", "", 7),
        ("workload", "SEGV", 139),
        ("workload", "KILL", 137),
        ("monitor", "KILL", 137),
        ("supervisor", "TERM", 143),
        ("supervisor", "KILL", 137),
        ("supervisor", "FPE", 136),
    ] {
        for file in ["pid", "monitor", "go"] {
            let _ = fs::remove_file(place.path(file));
        }
        let mut terminal = Terminal::start(program(&place, &["sh", "script"]));
        terminal.wait_for("up.");
        while terminal.is_usual() {
            std::thread::yield_now();
        }
        let file = |name: &str| {
            fs::read_to_string(place.path(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        match who {
            "" => drop(place.write("go", "")),
            who => {
                let process = match who {
                    "workload" => file("pid"),
                    "monitor" => file("monitor"),
                    _ => supervisor(&place),
                };
                let killed = Command::new("kill").args(["-s", signal, &process]).status();
                assert!(killed.unwrap().success());
            }
        }
        terminal
            .wait_for(&format!("code {code}."))
            .wait_for("over.");
        assert!(terminal.end().2, "{who} {signal}");
        // Whoever is left has got the hangup.
        while fs::metadata(format!("/proc/{}", file("pid"))).is_ok() {
            std::thread::yield_now();
        }
    }
}

/// In the multiplexer that people use, which has a screen to look at.
#[test]
fn in_tmux() {
    let place = place();
    let socket = place.path("tmux");
    let tmux = |words: &[&str]| {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(&socket)
            .args(words)
            .env_remove("TMUX");
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let run = program(&place, &["bash"]);
    let path = run
        .command
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .unwrap()
        .1
        .unwrap();
    let shell = format!(
        "env A=secret:name PS1='$> ' PATH={} bash --norc --noprofile -i",
        path.display()
    );
    let folder = place.path("").display().to_string();
    tmux(&[
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-x",
        "80",
        "-y",
        "24",
        "-c",
        &folder,
        &shell,
    ]);
    let wait_for = |text: &str| {
        for _ in 0..6000 {
            let screen = tmux(&["capture-pane", "-p"]);
            if screen.contains(text) {
                return screen;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{text:?} is not in {}", tmux(&["capture-pane", "-p"]));
    };
    let types = |text: &str| {
        tmux(&["send-keys", "-l", text]);
        tmux(&["send-keys", "Enter"]);
    };
    wait_for("$>");
    types(
        "clear; sh run -- bash -c 'echo \"<$A>\"; read -rp \"na\"\"me: \" x; echo \"it is $x\"; stty size'",
    );
    wait_for("name:");
    types("me");
    let screen = wait_for("24 80\n$>");
    assert!(
        screen.contains("<[secret:name]>\nname: me\nit is me\n24 80\n$>"),
        "{screen}"
    );
    types("clear; sh run -- vim -u NONE -N");
    wait_for("VIM - Vi IMproved");
    tmux(&["resize-window", "-x", "100", "-y", "30"]);
    wait_for(&"~\n".repeat(26));
    types(":echo &lines &columns");
    wait_for("30 100");
    types(":q!");
    wait_for("$>");
    types("clear; sh run -- sh -c 'echo started; exec sleep 1000'");
    wait_for("started\n");
    tmux(&["send-keys", "C-c"]);
    wait_for("$>");
    types("echo \"code $?\"; stty -a | grep -o ' icanon'");
    wait_for("code 130\n icanon");
    let screen = tmux(&["capture-pane", "-p", "-S", "-"]);
    assert!(!screen.contains(VALUE), "{screen}");
    tmux(&["kill-server"]);
}
