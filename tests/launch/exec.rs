//! How a launch ends: the workload's own code or death, 126 and 127 as a shell has them, and
//! where the command is looked for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use support::{DOORKEY, Place, Run, executable};

/// Writes a file with a mode.
fn file(place: &Place, name: &str, contents: &str, mode: u32) -> String {
    executable(&place.path(name), contents.as_bytes(), mode)
}

fn script(place: &Place, name: &str, says: &str) -> String {
    file(place, name, &format!("#!/bin/sh\necho {says}\n"), 0o755)
}

fn run(place: &Place, command: &str) -> Run {
    place.doorkey(["run", "--", command])
}

#[test]
fn every_exit_code_passes() {
    let place = Place::new();
    for code in 0..=255 {
        let ended = place
            .doorkey(["run", "sh", "-c", &format!("exit {code}")])
            .end();
        assert_eq!(ended.output.status.code(), Some(code), "{}", ended.err());
        assert_eq!(ended.err(), "");
    }
}

#[test]
fn death_by_a_signal_passes() {
    support::default_signals();
    let place = Place::new();
    for signal in [1, 2, 3, 6, 8, 9, 11, 13, 14, 15, 31, 34, 64] {
        let ended = place
            .doorkey(["run", "sh", "-c", &format!("kill -{signal} $$")])
            .end();
        assert_eq!(ended.output.status.signal(), Some(signal));
        assert_eq!(ended.err(), "");
    }
}

const NO_RIGHT: &str = "permission denied: nobody may, by its mode 0644; run chmod +x on it";

#[test]
fn what_is_there_but_can_not_be_executed_is_126() {
    let place = Place::new();
    let no_right = file(&place, "no-right", "#!/bin/sh\n", 0o644);
    let no_interpreter = file(&place, "no-interpreter", "#!/nowhere/sh\n", 0o755);
    let no_format = file(&place, "no-format", "neither\n", 0o755);
    let empty = file(&place, "empty", "", 0o755);
    let through_file = format!("{no_right}/x");
    let folder = place.path("home").display().to_string();
    let format = "it is neither a program for this machine nor a script with #!";
    for (command, why) in [
        (&no_right, NO_RIGHT),
        (
            &no_interpreter,
            "its interpreter /nowhere/sh does not exist; is it in the image?",
        ),
        (&no_format, format),
        (&empty, format),
        (&through_file, "not a directory"),
        (&folder, "it is a folder"),
    ] {
        let line = format!("doorkey: error: {command}: can't be executed: {why}\n");
        run(&place, command).fails(126, &line);
    }
    // Found in PATH it is the same, for what is no folder.
    for (command, why) in [
        ("no-right", NO_RIGHT),
        (
            "no-interpreter",
            "its interpreter /nowhere/sh does not exist; is it in the image?",
        ),
        ("no-format", format),
    ] {
        let line = format!("doorkey: error: {command}: can't be executed: {why}\n");
        run(&place, command)
            .env("PATH", place.path(""))
            .fails(126, &line);
    }
}

#[test]
fn what_is_not_there_is_127() {
    let place = Place::new();
    symlink("nowhere", &place.path("dangling"));
    let dangling = place.path("dangling").display().to_string();
    for command in [
        "no-such-command",
        "/no/such/command",
        "./none",
        "",
        &dangling,
    ] {
        let line = format!("doorkey: error: {command}: command not found\n");
        run(&place, command).fails(127, &line);
    }
    // A folder is no command, as a shell sees it.
    let line = "doorkey: error: home: command not found\n";
    run(&place, "home")
        .env("PATH", place.path(""))
        .fails(127, line);
}

fn symlink(to: &str, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[test]
fn the_code_is_127_with_stderr_closed_or_broken() {
    let place = Place::new();
    for redirection in ["2>&-", "2>&- 1>&-", "0<&- 2>&- 1>&-", "2>/dev/full"] {
        let script = format!("exec \"$0\" run -- /no/such/command {redirection}");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, DOORKEY])
            .current_dir(place.path(""));
        assert_eq!(command.status().unwrap().code(), Some(127), "{redirection}");
    }
    // Nobody reads the other end: no death by SIGPIPE.
    let script = "(\"$0\" run -- /no/such/command; echo $? > code) 2>&1 | true";
    let code = place.path("code");
    let status = Command::new("bash")
        .args(["-c", &format!("mkfifo gone; {script}"), DOORKEY])
        .current_dir(place.path(""))
        .status();
    assert!(status.unwrap().success());
    assert_eq!(fs::read_to_string(code).unwrap(), "127\n");
}

#[test]
fn the_command_is_looked_for_in_the_childs_path() {
    let place = Place::new();
    script(&place, "a/tool", "first");
    script(&place, "b/tool", "second");
    let path = |folders: &[&str]| {
        let folders = folders
            .iter()
            .map(|folder| place.path(folder).display().to_string());
        folders.collect::<Vec<_>>().join(":")
    };
    let assign = format!("--env=PATH={}", path(&["b", "a"]));
    let ended = place
        .doorkey(["run", &assign, "tool"])
        .env("PATH", path(&["a"]))
        .ok();
    assert_eq!(ended.out(), "second\n");
    let ended = place
        .doorkey(["run", "tool"])
        .env("PATH", path(&["none", "a", "b"]))
        .ok();
    assert_eq!(ended.out(), "first\n");
}

#[test]
fn an_empty_folder_in_path_is_the_working_directory() {
    let place = Place::new();
    script(&place, "tool", "here");
    for path in ["", ":", ":/usr/bin", "/usr/bin:", "/nowhere::/usr/bin"] {
        assert_eq!(run(&place, "tool").env("PATH", path).ok().out(), "here\n");
    }
}

#[test]
fn without_path_the_usual_folders_are_searched() {
    let place = Place::new();
    run(&place, "true").without("PATH").ok();
    let line = "doorkey: error: no-such-command: command not found\n";
    run(&place, "no-such-command")
        .without("PATH")
        .fails(127, line);
}

#[test]
fn one_that_can_not_be_executed_is_passed_over_for_one_that_can() {
    let place = Place::new();
    file(&place, "a/tool", "#!/bin/sh\n", 0o644);
    fs::create_dir(place.path("b")).unwrap();
    fs::create_dir(place.path("b/tool")).unwrap();
    script(&place, "c/tool", "found");
    file(&place, "plain", "", 0o644);
    let path = ["a", "b", "plain", "c"].map(|folder| place.path(folder).display().to_string());
    assert_eq!(
        run(&place, "tool").env("PATH", path.join(":")).ok().out(),
        "found\n"
    );
    // Only the first three: one was there, but could not be executed.
    let line = "doorkey: error: tool: can't be executed: permission denied: nobody may, by its mode 0644; run chmod +x on it\n";
    run(&place, "tool")
        .env("PATH", path[..3].join(":"))
        .fails(126, line);
}

#[test]
fn a_folder_that_can_not_be_searched_does_not_make_missing_126() {
    let place = Place::new();
    let program = executable(&place.path("doorkey"), &fs::read(DOORKEY).unwrap(), 0o755);
    script(&place, "closed/tool", "never");
    script(&place, "open/other", "found");
    let closed = place.path("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", closed.display(), place.path("open").display());
    let as_nobody = |command: &str| {
        let output = Command::new(&program)
            .args(["run", "--", command])
            .uid(65534)
            .env_clear()
            .env("PATH", &path)
            .current_dir("/")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let missing = "doorkey: error: tool: command not found\n".to_owned();
    assert_eq!(as_nobody("tool"), (Some(127), String::new(), missing));
    assert_eq!(
        as_nobody("other"),
        (Some(0), "found\n".to_owned(), String::new())
    );
    // By its path it is there as far as anybody can tell.
    let (code, ..) = as_nobody(&closed.join("tool").display().to_string());
    assert_eq!(code, Some(126));
}

fn stack_of_8_mib() -> std::io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_STACK, 8 << 20, 8 << 20).map_err(Into::into)
}

/// The kernel's own refusal (E2BIG, 126) is never met: what it would refuse doorkey has refused,
/// and what doorkey lets through it takes. Both are asked around the very byte.
#[test]
fn the_limit_of_arguments_and_environment_is_the_kernels() {
    let place = Place::new();
    let folder = place.path("a-folder-with-a-name");
    fs::create_dir(&folder).unwrap();
    executable(&folder.join("tool"), &fs::read("/bin/true").unwrap(), 0o755);
    let mut lines: Vec<String> = (0..16)
        .map(|n| format!("V{n}={}", "x".repeat(130_900)))
        .collect();
    lines.push(format!("PATH={}", folder.display()));
    let whole = folder.join("tool").display().to_string();
    for command in ["tool", &whole] {
        let code = |padding: usize| {
            let file = format!("{}\nLAST={}\n", lines.join("\n"), "x".repeat(padding));
            place.write("variables", file);
            let mut run = place.doorkey(["run", "--env-file", "variables", "--", command]);
            // SAFETY: between fork and exec it makes one system call.
            unsafe { run.command.pre_exec(stack_of_8_mib) };
            let ended = run.end();
            assert!(
                [0, 125].contains(&ended.code()),
                "{padding}: {}",
                ended.err()
            );
            ended.code()
        };
        let (mut fits, mut too_much) = (100, 131_000);
        assert_eq!((code(fits), code(too_much)), (0, 125),);
        while too_much - fits > 1 {
            let middle = usize::midpoint(fits, too_much);
            *(if code(middle) == 0 {
                &mut fits
            } else {
                &mut too_much
            }) = middle;
        }
        for padding in fits - 20..fits + 20 {
            code(padding);
        }
    }
}
