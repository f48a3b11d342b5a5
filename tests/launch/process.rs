//! The workload is the process that it would have been without doorkey: signals, mask,
//! descriptors, limits and all else that a process hands to the next program are compared, before
//! the workload's first instruction, with what the same start gives it bare.

use std::fs;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use support::trace::Begin;
use support::{DOORKEY, Place};

const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// Blocks exactly these signals, also those that the C library keeps for itself.
fn block(signals: impl IntoIterator<Item = i32>) -> nix::Result<()> {
    let set: u64 = signals.into_iter().map(|signal| 1 << (signal - 1)).sum();
    let old = std::ptr::null_mut::<u64>();
    // SAFETY: the set has the eight bytes that are said, and the old one is not asked for.
    let done = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &set, old, 8) };
    nix::errno::Errno::result(done).map(drop)
}

/// Ignores these signals, or gives them their default, also those of the C library.
fn dispose(signals: impl IntoIterator<Item = i32>, ignored: bool) -> nix::Result<()> {
    // The kernel's struct begins with the handler; flags, restorer and mask are zero.
    let action = [u64::from(ignored), 0, 0, 0];
    let old = std::ptr::null_mut::<u64>();
    for signal in signals {
        if [libc::SIGKILL, libc::SIGSTOP].contains(&signal) {
            continue;
        }
        // SAFETY: the action is as large as the kernel's, and no handler.
        let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &action, old, 8) };
        nix::errno::Errno::result(done)?;
    }
    Ok(())
}

/// Compares what `/bin/true` finds bare with what it finds as a workload that gets as many
/// secrets as make doorkey read with threads.
#[track_caller]
fn same(place: &Place, prepare: impl Fn() -> nix::Result<()>) {
    same_as_bare(place, &prepare, false);
    same_as_bare(place, &prepare, true);
}

/// The same for one of the two ways to launch: `--init` gives the workload another parent, and a
/// session of its own.
#[track_caller]
fn same_as_bare(place: &Place, prepare: &impl Fn() -> nix::Result<()>, init: bool) {
    let workload = ["/bin/true", "an argument", "", "--last"];
    let mut bare = Begin::new(workload);
    let store = format!("--store=age:{}", place.path("secrets").display());
    let mut under = Begin::new(
        [DOORKEY, "run", &store, "-q", "--"]
            .into_iter()
            .chain(workload),
    );
    for (name, value, reference) in [
        ("HOME", place.path("home").display().to_string(), None),
        ("VALUE", "the value".to_owned(), Some("secret:name")),
    ] {
        bare = bare.env(name, &value);
        under = under.env(name, reference.unwrap_or(&value));
    }
    for number in 0..16 {
        let name = format!("V{number}");
        bare = bare.env(&name, "the value");
        under = under.env(&name, format!("secret:name{number}"));
    }
    let odd: [&[u8]; 3] = [b"not-UTF-8=\xff\xfe", b"no equals sign", b"=C:=empty name"];
    for entry in odd {
        bare = bare.entry(entry);
        under = under.entry(entry);
    }
    let bare = bare.start(prepare);
    if init {
        under = under.env("DOORKEY_INIT", "1");
    }
    let mut under = under.start(prepare);
    let mut supervisor = None;
    if init {
        let (forked, other) = under.follow_fork();
        (under, supervisor) = (forked, Some(other));
    }
    under.reach_program();
    let (found, expected) = (under.inherited(), bare.inherited());
    let names = found.keys().chain(expected.keys());
    let others = ["status PPid", "stat group", "stat session"];
    for name in names.filter(|name| !(init && others.contains(&name.as_str()))) {
        assert_eq!(found.get(name), expected.get(name), "{name}, init: {init}");
    }
    assert_eq!((under.finish(), bare.finish()), (0, 0));
    if let Some(supervisor) = supervisor {
        let end = nix::sys::wait::waitpid(supervisor, None).unwrap();
        assert_eq!(end, nix::sys::wait::WaitStatus::Exited(supervisor, 0));
    }
}

fn place() -> Place {
    let place = Place::with_store();
    place.set("team", "name", "the value");
    for number in 0..16 {
        place.set("team", &format!("name{number}"), "the value");
    }
    place
}

#[test]
fn nothing_unusual() {
    same(&place(), || Ok(()));
}

#[test]
fn sigpipe_by_default() {
    same(&place(), || dispose([libc::SIGPIPE], false));
}

#[test]
fn ignored_signals_stay_ignored() {
    let place = place();
    for signal in [
        libc::SIGPIPE,
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTERM,
        libc::SIGCHLD,
        libc::SIGALRM,
        libc::SIGSEGV,
        34,
        61,
        64,
    ] {
        same(&place, || dispose([signal], true));
    }
}

/// In the program that is shipped, that is: glibc takes signal 33 for itself with the first thread.
#[cfg(target_env = "musl")]
#[test]
fn all_signals_ignored() {
    same(&place(), || dispose(SIGNALS, true));
}

#[test]
fn all_signals_by_default() {
    same(&place(), || dispose(SIGNALS, false));
}

#[test]
fn blocked_signals_stay_blocked() {
    let place = place();
    same(&place, || block(SIGNALS));
    same(&place, || block([32, 33, 34, 61, 64]));
    same(&place, || {
        block([libc::SIGTERM, libc::SIGCHLD, libc::SIGPIPE])
    });
}

#[test]
fn pending_signals_stay_pending() {
    // Under a supervisor they are forwarded, which tests/supervise/init_signals.rs has.
    let place = place();
    // Not SIGPIPE: Rust's start-up ignores it, which drops one that is pending. Not 33 and 34:
    // musl unblocks them. Not 61: it is the deadline's.
    for signal in [libc::SIGTERM, libc::SIGCHLD, libc::SIGUSR1, 35, 63, 64] {
        same_as_bare(
            &place,
            &|| {
                block(SIGNALS)?;
                // SAFETY: it takes two numbers.
                let done = unsafe { libc::kill(libc::getpid(), signal) };
                nix::errno::Errno::result(done).map(drop)
            },
            false,
        );
    }
}

/// Closes the standard descriptors that the bits of `which` name.
fn close_standard(which: i32) -> nix::Result<()> {
    for descriptor in (0..3).filter(|descriptor| which >> descriptor & 1 == 1) {
        // SAFETY: the new process owns its descriptors, and begins another program next.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

#[test]
fn closed_standard_descriptors_stay_closed() {
    let place = place();
    for which in 0..8 {
        same(&place, || close_standard(which));
    }
}

/// Puts an empty folder in place of /dev, for the new process alone.
fn without_dev() -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    mount(
        Some("none"),
        "/dev",
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
}

#[test]
fn without_dev_null_and_with_closed_descriptors() {
    let place = place();
    for which in 0..8 {
        same(&place, || {
            without_dev().and_then(|()| close_standard(which))
        });
    }
}

#[test]
fn descriptors_that_are_open_stay_open_and_none_is_added() {
    let place = place();
    let file = fs::File::open(place.write("open", "contents")).unwrap();
    let file = std::os::fd::AsRawFd::as_raw_fd(&file);
    same(&place, || {
        for copy in [3, 7, 200] {
            // SAFETY: it takes two numbers; the new process owns its descriptors.
            nix::errno::Errno::result(unsafe { libc::dup2(file, copy) })?;
        }
        Ok(())
    });
}

#[test]
fn folder_mask_limits_and_priority_are_untouched() {
    let place = place();
    let folder = place.path("home");
    same(&place, || {
        nix::unistd::chdir(&folder)?;
        umask(Mode::from_bits_truncate(0o027));
        setrlimit(Resource::RLIMIT_CORE, 12_345, 1 << 30)?;
        setrlimit(Resource::RLIMIT_NOFILE, 64, 100)?;
        setrlimit(Resource::RLIMIT_STACK, 4 << 20, 1 << 30)?;
        setrlimit(Resource::RLIMIT_FSIZE, 1 << 40, 1 << 41)?;
        // SAFETY: these take numbers only.
        unsafe {
            libc::nice(5);
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(libc::PR_SET_TIMERSLACK, 77_777, 0, 0, 0);
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
        }
        Ok(())
    });
}

#[test]
fn core_limits_that_can_not_be_raised_again_are_untouched() {
    let place = place();
    for (soft, hard) in [(0, 0), (0, 1 << 20), (1 << 20, 1 << 20)] {
        same(&place, || setrlimit(Resource::RLIMIT_CORE, soft, hard));
    }
}

#[test]
fn the_workload_has_doorkeys_own_number_and_the_name_it_was_called_by() {
    let place = Place::new();
    let mut run = place.doorkey([
        "run",
        "--",
        "sh",
        "-c",
        "echo $$ $0; tr '\\0' ' ' < /proc/$$/cmdline",
    ]);
    run.command.stdout(std::process::Stdio::piped());
    let child = run.command.spawn().unwrap();
    let number = child.id();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{number} sh\nsh -c echo $$ $0; tr '\\0' ' ' < /proc/$$/cmdline ");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn zero_length_and_odd_arguments_arrive() {
    let place = Place::new();
    let ended = place
        .doorkey([
            "run",
            "--",
            "printf",
            "[%s]",
            "",
            "-q",
            "--",
            "secret:x",
            "${secret:x}",
            "",
        ])
        .ok();
    assert_eq!(ended.out(), "[][-q][--][secret:x][${secret:x}][]");
}

/// From scratch: nothing but the static program, which is its own workload.
#[cfg(target_env = "musl")]
#[test]
fn in_a_root_with_nothing_else() {
    let place = Place::new();
    support::executable(&place.path("doorkey"), &fs::read(DOORKEY).unwrap(), 0o755);
    let root = place.path("");
    let null = fs::File::options().write(true).open("/dev/null").unwrap();
    let null = std::os::fd::AsRawFd::as_raw_fd(&null);
    for which in 0..8 {
        let mut tracee = Begin::new(["/doorkey", "run", "-q", "--", "/doorkey", "--version"])
            .start(|| {
                for standard in [1, 2] {
                    // SAFETY: it takes two numbers; the new process owns its descriptors.
                    nix::errno::Errno::result(unsafe { libc::dup2(null, standard) })?;
                }
                nix::unistd::chroot(&root)?;
                nix::unistd::chdir("/")?;
                close_standard(which)
            });
        tracee.reach_program();
        let standard = |name: &String| ["fd 0", "fd 1", "fd 2"].contains(&name.as_str());
        let open = tracee.inherited().into_keys().filter(standard).count();
        assert_eq!(open, (3 - which.count_ones()) as usize);
        assert_eq!(tracee.finish(), if which & 2 == 0 { 0 } else { 1 });
    }
}
