//! `run --init` at a terminal, under a real shell: Ctrl-C and Ctrl-Z, window changes, the
//! foreground and the background.

use std::fs;

use support::pty::{Terminal, program, shell};
use support::{DOORKEY, Place};

/// What has a supervisor; `--mask` with a terminal of the workload's own.
const WAYS: [&str; 2] = ["--init", "--mask"];

/// Counts what Ctrl-C and a window's change send it, and says what is typed.
const WORKLOAD: &str = r#"n=0; w=0
trap 'n=$((n+1)); echo "INT $n."' INT
trap 'w=$((w+1)); echo "WINCH $w."' WINCH
echo $$ >pid; echo "started."
while :; do
    if read line; then
        [ "$line" = end ] && exit 7
        echo "got $line, $n INT."
    fi
done
"#;

/// The states of the workload and of the supervisor, as process tables have them: T is stopped.
fn states(place: &Place) -> [char; 2] {
    // The state, and the parent.
    let stat = |process: &str| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let mut rest = stat.rsplit_once(") ").unwrap().1.split(' ');
        let state = rest.next().unwrap().chars().next().unwrap();
        (state, rest.next().unwrap().to_owned())
    };
    let pid = fs::read_to_string(place.path("pid")).unwrap();
    let (own, mut above) = stat(pid.trim());
    let is_doorkey = |process: &str| {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap();
        name.starts_with("doorkey:")
    };
    // At a terminal of its own there is one more in between.
    let parent = stat(&above).1;
    if is_doorkey(&parent) {
        above = parent;
    }
    [own, stat(&above).0]
}

fn wait_for_states(place: &Place, stopped: bool) {
    while states(place).iter().any(|state| (*state == 'T') != stopped) {
        std::thread::yield_now();
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write("workload", WORKLOAD);
    place
}

#[test]
fn a_job_of_a_shell() {
    for way in WAYS {
        let place = place();
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal
            .types("doorkey run $WAY -- sh workload\n")
            .wait_for("started.");
        terminal.types("a\n").wait_for("got a, 0 INT.");
        terminal.types("\x03").wait_for("INT 1.");
        terminal.types("b\n").wait_for("got b, 1 INT.");
        for round in 1..=3 {
            terminal.types("\x1a").wait_for("Stopped").wait_for("$> ");
            wait_for_states(&place, true);
            terminal
                .types("echo shell $((40+2))\n")
                .wait_for("shell 42")
                .wait_for("$> ");
            terminal.types("fg\n").wait_for("workload");
            wait_for_states(&place, false);
            let line = format!("round {round}");
            terminal
                .types(format!("{line}\n"))
                .wait_for(&format!("got {line}, {round} INT."));
            terminal
                .types("\x03")
                .wait_for(&format!("INT {}.", round + 1));
        }
        terminal.resizes(30, 90).wait_for("WINCH 1.");
        terminal.types("end\n").wait_for("$> ");
        terminal
            .types("echo code $?\n")
            .wait_for("code 7")
            .wait_for("$> ");
        terminal.types("exit 0\n");
        let (code, screen, usual) = terminal.end();
        assert!(code == 0 && usual, "{screen}");
    }
}

#[test]
fn a_job_in_the_background() {
    for way in WAYS {
        let place = place();
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal.types("doorkey run $WAY -- sh workload &\n");
        // It reads, which stops it, as a shell's job; the shell has kept the terminal.
        terminal.wait_for("started.");
        terminal.types("\n").wait_for("$> ");
        wait_for_states(&place, true);
        terminal.types("jobs\n").wait_for("Stopped").wait_for("$> ");
        terminal
            .types("echo shell $((40+2))\n")
            .wait_for("shell 42")
            .wait_for("$> ");
        // Continued in the background it is stopped again.
        terminal.types("bg\n").wait_for("$> ");
        wait_for_states(&place, true);
        terminal.types("fg\n").wait_for("workload");
        terminal.types("a\n").wait_for("got a, 0 INT.");
        terminal.types("\x03").wait_for("INT 1.");
        terminal.types("\x1a").wait_for("Stopped").wait_for("$> ");
        terminal.types("fg\n").wait_for("workload");
        terminal.types("end\n").wait_for("$> ");
        terminal.types("echo code $?\n").wait_for("code 7");
        terminal.types("exit 0\n");
        assert_eq!(terminal.end().0, 0);
    }
}

/// Running, not stopped, in the background: it is brought to the front without being continued.
#[test]
fn brought_to_the_front_while_it_runs() {
    for way in WAYS {
        let place = place();
        place.write(
            "first",
            "echo $$ >pid; echo up.; until [ -e go ]; do sleep 0.01; done; . ./workload",
        );
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal
            .types("doorkey run $WAY -- sh first &\n")
            .wait_for("up.");
        terminal.types("fg\n").wait_for("first");
        place.write("go", "");
        terminal.wait_for("started.");
        terminal.types("a\n").wait_for("got a, 0 INT.");
        terminal.types("\x03").wait_for("INT 1.");
        terminal.types("end\n").wait_for("$> ");
        terminal.types("exit 0\n");
        assert_eq!(terminal.end().0, 0);
    }
}

#[test]
fn a_script_keeps_its_terminal_from_what_it_starts_in_the_background() {
    for way in WAYS {
        let place = place();
        place.write("script", "doorkey run $WAY -- sleep 1000 & echo up.; read x; echo \"x=$x.\"; kill $!; wait $!; exit 4");
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal.types("sh script\n").wait_for("up.");
        terminal.types("a\n").wait_for("x=a.").wait_for("$> ");
        terminal.types("echo code $?\n").wait_for("code 4");
        // And has it again after what it starts in the foreground.
        place.write(
            "script",
            "doorkey run $WAY -- sh workload; echo over.; read x; echo \"x=$x.\"",
        );
        terminal.types("sh script\n").wait_for("started.");
        terminal.types("\x03").wait_for("INT 1.");
        // What is typed ahead, a terminal of the workload's own would have got.
        terminal.types("end\n").wait_for("over.");
        terminal.types("b\n").wait_for("x=b.").wait_for("$> ");
        terminal.types("exit 0\n");
        assert_eq!(terminal.end().0, 0);
    }
}

/// In a pipeline another process may need the terminal; the signals of the terminal arrive still.
#[test]
fn in_a_pipeline() {
    for way in WAYS {
        let place = place();
        // It starts nothing meanwhile: a shell that is just doing so (by vfork) can not be stopped.
        place.write(
            "slow",
            "trap 'echo INT.; exit 3' INT; echo $$ >pid; sleep 1000 & echo up.; wait",
        );
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal
            .types("set -o pipefail; doorkey run $WAY -- sh slow | cat\n")
            .wait_for("up.");
        terminal.types("\x1a").wait_for("Stopped").wait_for("$> ");
        wait_for_states(&place, true);
        terminal.types("fg\n").wait_for("slow");
        wait_for_states(&place, false);
        terminal.types("\x03").wait_for("$> ");
        // The terminal is what is typed into, not the pipe.
        terminal.types("cat | doorkey run $WAY -- sed 's/^/said: /'\n");
        terminal.types("a\n").wait_for("said: a");
        terminal.types("\x04").wait_for("$> ");
        terminal.types("exit 0\n");
        assert_eq!(terminal.end().0, 0);
    }
}

/// Where no shell looks after it, nobody could continue it.
#[test]
fn the_first_process_of_a_session_is_not_stopped() {
    for way in WAYS {
        let place = place();
        let alone = [DOORKEY, "run", way, "--", "sh", "workload"];
        let first = [&["unshare", "--pid", "--fork", "--mount-proc"], &alone[..]].concat();
        for words in [&alone[..], &first[..]] {
            let mut terminal = Terminal::start(program(&place, words));
            terminal.wait_for("started.");
            terminal
                .types("\x1a")
                .types("a\n")
                .wait_for("got a, 0 INT.");
            terminal.types("\x03").wait_for("INT 1.");
            terminal.resizes(31, 91).wait_for("WINCH 1.");
            terminal.types("end\n");
            let (code, screen, _) = terminal.end();
            assert_eq!(code, 7, "{screen}");
        }
    }
}

/// An interactive shell as the workload has job control of its own.
#[test]
fn a_shell_as_the_workload() {
    for way in WAYS {
        let place = place();
        let mut terminal = shell(&place, &[("WAY", way)]);
        terminal.types("PS1='in''ner> ' doorkey run $WAY -- bash --norc --noprofile -i\n");
        terminal
            .wait_for("inner> ")
            .types("sh -c 'echo u\"\"p.; exec sleep 1000'\n")
            .wait_for("up.")
            .types("\x1a")
            .wait_for("Stopped")
            .wait_for("inner> ");
        terminal.types("kill %1; fg\n").wait_for("inner> ");
        terminal.types("exit 6\n").wait_for("$> ");
        terminal.types("echo code $?\n").wait_for("code 6");
        terminal.types("exit 0\n");
        assert_eq!(terminal.end().0, 0);
    }
}
