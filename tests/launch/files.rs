//! `|file`: values in files that are in memory, as their workload finds them, and what keeps one
//! from being handed over.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use support::canaries::{Canaries, Random, SEED, held};
use support::trace::Begin;
use support::workload::WORKLOAD;
use support::{DOORKEY, Ended, Place, Run};

const VALUE: &str = "canary-5b1d77e0c2";

const BOTH: [&[&str]; 2] = [&["-q"], &["-q", "--init"]];

/// A store of the names that are used here.
fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "a", VALUE);
    place.set("team", "spaces", format!(" {VALUE}\n"));
    place.set("team", "bytes", [b"\0\xff\n", VALUE.as_bytes()].concat());
    place.set("team", "json", format!(r#"{{"key":"{VALUE}"}}"#));
    place
}

/// The test's own workload, which says what it finds.
fn look(run: Run) -> Run {
    let program = std::env::current_exe().unwrap();
    run.env(WORKLOAD, "files").arg("--").arg(program)
}

/// What it says of a file in memory.
fn in_memory(name: &str, number: i32, owner: u32, contents: &[u8]) -> String {
    let (length, contents) = (contents.len(), &contents[..contents.len().min(40)]);
    format!(
        "{name} /proc/self/fd/{number} 100400 {owner}:{owner} seals 0x2f at 0 write -1 chmod -1 \
         {length} bytes {}\n",
        contents.escape_ascii()
    )
}

/// The descriptors that a workload has without doorkey, and these.
fn descriptors(place: &Place, more: &[i32]) -> String {
    let mut bare = place.doorkey([""; 0]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().env(WORKLOAD, "files");
    bare.command = command;
    let bare = bare.ok().out();
    let mut all: Vec<i32> = bare
        .trim_matches(['[', ']', '\n'])
        .split(", ")
        .map(|number| number.parse().unwrap())
        .collect();
    all.extend(more);
    all.sort_unstable();
    format!("{all:?}\n")
}

#[track_caller]
fn shows_nothing(ended: &Ended) {
    let all = ended.out() + &ended.err();
    assert!(!all.contains("canary"), "{all}");
}

#[test]
fn sealed_and_its_owner_s_alone() {
    let place = place();
    for options in BOTH {
        let run = place.run(options).env("A_FILE", "secret:a|file");
        let expected = in_memory("A_FILE", 100, 0, VALUE.as_bytes());
        look(run).gives(0, &(expected + &descriptors(&place, &[100])), "");
        // The user that it is handed to is another.
        std::fs::set_permissions(
            place.path(""),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let run = place.run(options).env("A_FILE", "secret:a|file");
        let run = run.args(["--user", "nobody", "sh", "-c"]);
        run.arg("id -u; stat -Lc '%a %u %g' $A_FILE; cat $A_FILE")
            .gives(0, &format!("65534\n400 65534 65534\n{VALUE}"), "");
    }
}

#[test]
fn what_is_in_it() {
    let place = place();
    let long = "x".repeat(300_000);
    place.write("plain/long", &long);
    for options in BOTH {
        let run = place
            .run(options)
            .env("A_FILE", "secret:spaces|trim|file")
            .env("B_FILE", "secret:bytes|file")
            .env("C_FILE", "secret:json#key|base64|file")
            .env("D_FILE", "secret:spaces|file:name")
            // The same once more, under whatever name.
            .env("E_FILE", "secret:bytes|file:other?text")
            .env("F_FILE", "secret:none|file?");
        let bytes = [b"\0\xff\n", VALUE.as_bytes()].concat();
        let base64 = "Y2FuYXJ5LTViMWQ3N2UwYzI=";
        let expected = [
            in_memory("A_FILE", 100, 0, VALUE.as_bytes()),
            in_memory("B_FILE", 101, 0, &bytes),
            in_memory("C_FILE", 102, 0, base64.as_bytes()),
            in_memory("D_FILE", 103, 0, format!(" {VALUE}\n").as_bytes()),
            in_memory("E_FILE", 101, 0, &bytes),
            descriptors(&place, &[100, 101, 102, 103]),
        ];
        look(run).gives(0, &expected.concat(), "");
        let run = place.doorkey(["run", "--store", "dir:plain"]).args(options);
        let expected = in_memory("L_FILE", 100, 0, long.as_bytes());
        let expected = expected + &descriptors(&place, &[100]);
        look(run.env("L_FILE", "secret:long|file")).gives(0, &expected, "");
    }
}

#[test]
fn its_path_stands_where_the_reference_did() {
    let place = place();
    let script =
        "echo $KEY; echo $TEXT; echo ${GONE-gone}; sh -c 'cat ${KEY#--key=}; echo; (cat $TWICE)'";
    for options in BOTH {
        let run = place
            .run(options)
            .env("KEY", "--key=${secret:a|file}")
            .env("TWICE", "secret:a|file")
            .env("TEXT", "secret:none|file?in its place")
            .env("GONE", "secret:none|file:name?");
        let expected = format!("--key=/proc/self/fd/100\nin its place\ngone\n{VALUE}\n{VALUE}");
        run.args(["sh", "-c", script]).gives(0, &expected, "");
    }
    // Numbers that are taken stay what they are.
    let script = "exec 100</dev/null 102</dev/null; exec \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, DOORKEY, "run", "-q", "--store=age:secrets"]);
    command.args(["-eA=secret:a|file", "-eB=secret:json#key|file"]);
    command.args(["sh", "-c", "echo $A $B; cat $A $B /proc/self/fd/100"]);
    command.current_dir(place.path("")).env_clear();
    command.env("PATH", "/usr/bin:/bin");
    command.env("HOME", place.path("home"));
    let output = command.output().unwrap();
    let expected = format!("/proc/self/fd/101 /proc/self/fd/103\n{VALUE}{VALUE}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn check_and_env_show_it_and_make_none() {
    let place = place();
    let with = |subcommand: &str| {
        let run = place.doorkey([subcommand, "--store", "age:secrets"]);
        let run = run
            .env("A", "x${secret:a|file}")
            .env("B", "secret:bytes|file");
        let run = run.env("C", "secret:none|file?").env("D", "secret:a|file");
        run.without("PATH")
    };
    let env = with("env").ok();
    shows_nothing(&env);
    let home = format!("HOME={}\n", place.path("home").display());
    let expected = "A=x/proc/self/fd/100\nB=/proc/self/fd/101\nD=/proc/self/fd/100\n";
    assert_eq!(env.out().replace(&home, ""), expected);
    let check = with("check").ok();
    shows_nothing(&check);
    let lines: Vec<String> = check
        .out()
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "A secret:a team - 17 ok",
            "B secret:bytes team - 20 ok",
            "C secret:none - - - absent",
            "D secret:a team - 17 ok",
        ]
    );
    let names = with("check").arg("--names").ok();
    assert!(names.out().contains("exists"), "{}", names.out());
}

#[test]
fn what_is_too_large_for_a_variable_has_a_way_out() {
    let place = place();
    place.write("plain/long", "canary".repeat(30_000));
    let run = || place.doorkey(["run", "-q", "--store", "dir:plain"]);
    let fault = "doorkey: error: KEY: NAME=value takes 180005 bytes, the kernel takes at most \
                 131072; deliver it in a file: KEY_FILE=secret:…|file\n";
    let ended = run().args(["-e", "KEY=secret:long", "true"]);
    shows_nothing(&ended.fails(125, fault));
    let ended = run().args(["-e", "KEY_FILE=secret:long|file"]);
    let script = "wc -c <$KEY_FILE";
    ended.args(["sh", "-c", script]).gives(0, "180000\n", "");
}

fn output(mut command: Command, place: &Place) -> (Option<i32>, String, String) {
    command.current_dir(place.path("")).env_clear();
    command.env("PATH", "/usr/bin:/bin");
    command.env("HOME", place.path("home"));
    command.envs([("A", "secret:a|file"), ("DOORKEY_STORE", "age:secrets")]);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn where_it_can_t_be_handed_over_nothing_is_launched() {
    let place = place();
    let memory = |what: &str, why: &str| {
        format!(
            "doorkey: error: {what}: can't be handed over as a file in memory: {why}; --files DIR \
             has it in a folder\n"
        )
    };
    for init in ["--no-new-privs", "--init"] {
        let mut command = Command::new("unshare");
        let script = "umount -l /proc; exec \"$0\" \"$@\"";
        command.args(["--mount", "--pid", "--fork", "sh", "-c", script]);
        command.args([DOORKEY, "run", "-q", init, "echo", "launched"]);
        let said = memory("/proc/self/fd/100", "no such file or directory");
        assert_eq!(output(command, &place), (Some(125), String::new(), said));

        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 100; exec \"$0\" \"$@\""]);
        command.args([DOORKEY, "run", "-q", init, "echo", "launched"]);
        let why = "descriptors from 100 up are needed, and the limit nofile is 100";
        let said = memory("a", why);
        assert_eq!(output(command, &place), (Some(125), String::new(), said));
    }
    // A limit for the workload alone is its own affair.
    let run = place.run(["-q", "--rlimit", "nofile=10", "-e", "A=secret:a|file"]);
    run.args(["sh", "-c", "cat $A"]).gives(0, VALUE, "");
    // One that is missing keeps the others from being made.
    let run = place.run([
        "-q",
        "-e",
        "A=secret:a|file",
        "-e",
        "B=secret:none|file",
        "true",
    ]);
    let fault = "doorkey: error: B: secret:none: not found in team of age:secrets; create it, or \
                 allow its absence with '?'\n";
    shows_nothing(&run.fails(125, fault));
    let run = place.run(["-q", "-e", "A=secret:a|file|trim", "true"]);
    let fault = "doorkey: error: A: malformed reference: column 15: file must be the last filter; \
                 to pass the value on as it is, use --literal A\n";
    run.fails(125, fault);
}

/// A kernel before 6.3, as far as this call goes.
#[test]
fn without_the_kernel_s_seal_against_execution() {
    let place = place();
    let instruction = |code: u32, k, jt, jf| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let has = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    // The call's number, then its second argument: MFD_NOEXEC_SEAL is not known.
    let refused = libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32;
    let filter = [
        instruction(load, 0, 0, 0),
        instruction(is, libc::SYS_memfd_create as u32, 0, 3),
        instruction(load, 24, 0, 0),
        instruction(has, 8, 0, 1),
        instruction(libc::BPF_RET, refused, 0, 0),
        instruction(libc::BPF_RET, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let mut run = look(place.run(["-q"]).env("A_FILE", "secret:a|file"));
    // SAFETY: between fork and exec it makes one system call, which reads the filter.
    unsafe {
        run.command.pre_exec(move || {
            let program = libc::sock_fprog {
                len: 6,
                filter: filter.as_ptr().cast_mut(),
            };
            match libc::syscall(libc::SYS_seccomp, 1, 0, &program) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let expected = in_memory("A_FILE", 100, 0, VALUE.as_bytes());
    let expected = expected
        .replace("0x2f", "0xf")
        .replace("chmod -1", "chmod 0");
    run.gives(0, &(expected + &descriptors(&place, &[100])), "");
}

/// Stopped at its execve: what has gone into files is nowhere in the process, its end included.
#[test]
fn nothing_of_it_stays_in_memory() {
    let shared = Place::within("/dev/shm");
    let folder = format!("--files={}", shared.path("files").display());
    for (more, paths) in [
        (
            "--no-new-privs",
            ["/proc/self/fd/100", "/proc/self/fd/101"].map(str::to_owned),
        ),
        (
            &folder,
            ["A", "B"].map(|name| shared.path("files").join(name).display().to_string()),
        ),
    ] {
        for init in ["0", "1"] {
            let place = Place::with_store();
            let mut random = Random(SEED + 2);
            let mut canaries = Canaries::default();
            let [first, second] = paths.clone();
            let (one, two) = (random.text(60_000), random.text(40));
            place.set("team", "one", &one);
            place.set("team", "two", &two);
            canaries.nowhere("two", std::str::from_utf8(&two).unwrap());
            canaries.needle("one", &one, &[]);
            canaries.variable("A", "secret:one|file", first);
            canaries.variable("B", "secret:two|base64|file", second);
            let store = format!("--store=age:{}", place.path("secrets").display());
            let mut begin = Begin::new([DOORKEY, "run", &store, "-q", more, "/bin/true"])
                .env("HOME", place.path("home"))
                .env("DOORKEY_INIT", init);
            for (name, reference, _) in &canaries.variables {
                begin = begin.env(name, reference);
            }
            let mut tracee = begin.start(|| Ok(()));
            if init == "1" {
                tracee = tracee.follow_fork().0;
            }
            let [_, _, envp] = tracee.reach_execve();
            let before = held(&tracee);
            canaries.search(tracee, envp, &before);
        }
    }
}
