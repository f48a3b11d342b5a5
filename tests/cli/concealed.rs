//! Every subcommand keeps itself from others of its user, and out of core dumps, before it reads
//! anything: what it holds when it waits is nobody's.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use doorkey::cli::command_line::LEAVES;
use nix::fcntl::{OFlag, open};
use nix::sys::ptrace;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use support::trace::Begin;
use support::{DOORKEY, Place};

const NOBODY: u32 = 65534;

/// What a subcommand waits for.
enum For {
    /// An answer of its server.
    Server,
    /// Its standard input.
    Input,
    /// The file `pipe` in its folder, which is a pipe.
    Pipe,
    /// Nothing, ever.
    Nothing,
}

/// How each subcommand waits with all that it can have by then, and its arguments for that.
fn waiting(words: &str) -> (For, &'static str) {
    match words {
        "run" | "check" | "env" => (For::Server, "-e A=secret:a"),
        "doctor" => (For::Server, ""),
        "render" => (For::Server, "template"),
        "redact" => (For::Server, "--env A=secret:a"),
        "secret get" => (For::Server, "a --team --reveal"),
        "secret list" => (For::Server, "--team"),
        "secret delete" => (For::Server, "a --team --yes"),
        "secret create" | "secret set" | "secret update" => (For::Input, "a --team --store=dir:."),
        "secret generate" => (For::Server, "a --team"),
        "secret edit" => (For::Pipe, "a --team --config pipe"),
        "secret mv" => (For::Server, "team/a team/b"),
        "key new" => (For::Nothing, ""),
        "key show" => (For::Pipe, "--key-file pipe"),
        "store copy" => (For::Server, "vault:secret/app age:secrets"),
        "secret import" => (For::Input, "- --team --store=dir:."),
        "store init" => (For::Pipe, "made --key-file pipe"),
        "store check" => (For::Pipe, "--store=age:secrets --key-file pipe"),
        "store recipient list" => (For::Pipe, "--config pipe"),
        "store recipient add" | "store recipient remove" => (For::Pipe, "age1x --config pipe"),
        "console" => (For::Pipe, "--link-file link --config pipe"),
        "join" | "install" | "completions" | "man" => (For::Nothing, ""),
        new => panic!("say how `doorkey {new}` waits"),
    }
}

/// A folder for nobody, with a store and a template.
fn place() -> Place {
    let place = Place::new();
    place.write("template", "${secret:a}\n");
    place.doorkey(["store", "init", "secrets", "-q"]).ok();
    for folder in ["", "secrets"] {
        let mode = PermissionsExt::from_mode(0o777);
        fs::set_permissions(place.path(folder), mode).unwrap();
    }
    nix::unistd::mkfifo(&place.path("pipe"), Mode::S_IRWXU).unwrap();
    nix::unistd::chown(&place.path("pipe"), Some(NOBODY.into()), None).unwrap();
    place
}

/// Whether nobody may trace a process.
fn can_trace(process: i32) -> bool {
    let process = Pid::from_raw(process);
    // SAFETY: until its `_exit` the child makes system calls only.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let tried = nix::unistd::setgroups(&[])
                .and_then(|()| nix::unistd::setgid(NOBODY.into()))
                .and_then(|()| nix::unistd::setuid(NOBODY.into()))
                .map(|()| ptrace::seize(process, ptrace::Options::empty()).is_ok());
            // SAFETY: it takes no pointer.
            unsafe { libc::_exit(tried.map_or(2, i32::from)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None).unwrap() {
            WaitStatus::Exited(_, code @ 0..=1) => code == 1,
            other => panic!("{other:?}"),
        },
    }
}

/// A process of nobody's is out of reach, and leaves no core.
#[track_caller]
fn is_concealed(process: i32, what: &str) {
    let proc = |file: &str| format!("/proc/{process}/{file}");
    let status = fs::read_to_string(proc("status")).unwrap();
    assert!(status.contains("\nUid:\t65534\t65534\t"), "{what}");
    assert_eq!(
        fs::metadata(proc("mem")).unwrap().uid(),
        0,
        "{what} is dumpable"
    );
    let limits = fs::read_to_string(proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let soft = core.unwrap().split_whitespace().nth(4);
    assert_eq!(soft, Some("0"), "{what} leaves a core");
    assert!(!can_trace(process), "{what} can be traced");
}

/// The processes that a process has forked.
fn children(process: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let text = text.unwrap();
    text.split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect()
}

/// Has a command run as nobody, whose core files may have any size. Only root can say the latter: so
/// it becomes nobody after that.
fn as_nobody(command: &mut Command) {
    let prepare = || {
        let unlimited = libc::RLIM_INFINITY;
        setrlimit(Resource::RLIMIT_CORE, unlimited, unlimited)?;
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(NOBODY.into())?;
        Ok(nix::unistd::setuid(NOBODY.into())?)
    };
    command.uid(0).gid(0);
    // SAFETY: between fork and exec it makes system calls only.
    unsafe { command.pre_exec(prepare) };
}

/// Waits until a process waits to read.
fn reads(process: i32) {
    let call = format!("{} ", libc::SYS_read);
    let now = || fs::read_to_string(format!("/proc/{process}/syscall")).unwrap();
    while !now().starts_with(&call) {
        std::thread::yield_now();
    }
}

/// Looks at a subcommand, started as nobody, when it waits.
fn looked_at(words: &str, more: &str) {
    let place = place();
    let (waits, arguments) = waiting(words);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let all = format!("{words} -q {more} {arguments}");
    let mut run = place.doorkey(all.split_whitespace());
    if matches!(words, "run") {
        run = run.args(["--", "true"]);
    }
    if matches!(waits, For::Server) {
        let at = server.local_addr().unwrap();
        run = run.env("DOORKEY_STORE", "vault:kv/app");
        run = run.env("VAULT_ADDR", format!("http://{at}"));
        run = run.env("VAULT_TOKEN_FILE", place.write("token", "hvs.canary"));
    }
    let mut command = run.unprivileged(&place).command;
    as_nobody(&mut command);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
    let process = child.id() as i32;
    // What it waits for is held until it has been looked at.
    let (mut connection, mut writer) = (None, None);
    match waits {
        For::Server => connection = Some(server.accept().unwrap()),
        For::Input => reads(process),
        For::Pipe => {
            // It can be opened for writing as soon as somebody waits to read.
            let open = || {
                open(
                    &place.path("pipe"),
                    OFlag::O_WRONLY | OFlag::O_NONBLOCK,
                    Mode::empty(),
                )
            };
            while writer.is_none() {
                assert_eq!(child.try_wait().unwrap(), None, "{all} has ended");
                writer = open().ok();
            }
        }
        For::Nothing => unreachable!("it waits"),
    }
    for process in [process].into_iter().chain(children(process)) {
        is_concealed(process, &all);
    }
    end(child);
    drop((connection, writer));
}

fn end(mut child: Child) {
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn whatever_waits_is_concealed() {
    let mut plain = Command::new("cat");
    as_nobody(&mut plain);
    let mut plain = plain.stdin(Stdio::piped()).spawn().unwrap();
    reads(plain.id() as i32);
    assert!(
        can_trace(plain.id() as i32),
        "the machine lets nobody trace"
    );
    plain.stdin.take().unwrap().write_all(b"").unwrap();
    end(plain);
    for leaf in LEAVES {
        let words = leaf.words.join(" ");
        if !matches!(waiting(&words), (For::Nothing, _)) {
            looked_at(&words, "");
        }
    }
    for more in ["--init", "--mask", "--watch=1h"] {
        looked_at("run", more);
    }
}

/// Whatever it is to do: nothing is opened before.
#[test]
fn concealing_comes_first() {
    let usual = LEAVES.iter().map(|leaf| leaf.words.join(" "));
    let all = usual.chain(["run --init", "run --mask", "--help", "nothing"].map(str::to_owned));
    for words in all {
        let arguments = [DOORKEY].into_iter().chain(words.split(' '));
        // Most end with a usage error, which is late enough.
        let mut traced = Begin::new(arguments).start(|| {
            let quiet = nix::fcntl::open(
                c"/dev/null",
                nix::fcntl::OFlag::O_RDWR,
                nix::sys::stat::Mode::empty(),
            )?;
            nix::unistd::dup2_stdout(&quiet)?;
            nix::unistd::dup2_stderr(quiet)?;
            setrlimit(Resource::RLIMIT_CORE, 4096, 8192)
        });
        let (mut hidden, mut limited) = (false, false);
        while let Some((call, arguments)) = traced.next_call() {
            match call {
                libc::SYS_prctl if arguments[0] == libc::PR_SET_DUMPABLE as u64 => {
                    hidden = arguments[1] == 0;
                }
                libc::SYS_prlimit64 if arguments[1] == libc::RLIMIT_CORE as u64 => {
                    // The one that only asks has no new limit.
                    limited |= arguments[2] != 0;
                }
                libc::SYS_open | libc::SYS_openat | libc::SYS_fork | libc::SYS_clone => break,
                _ => {}
            }
        }
        assert!(
            hidden && limited,
            "{words}: dumpable {}, core {}",
            !hidden,
            !limited
        );
    }
}
