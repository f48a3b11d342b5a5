//! Workloads for images that have no program but doorkey: the test's own program, static, which
//! becomes one of these before `main` where a variable asks for it, or, in place of that one, its
//! first argument: `WORKLOAD=show`.

use std::fs;

/// The variable that asks for it.
pub const WORKLOAD: &str = "WORKLOAD";

// SAFETY: the section takes pointers to functions that may be called before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = become_it;

extern "C" fn become_it() {
    // No C library but glibc hands arguments in.
    let cmdline = fs::read("/proc/self/cmdline").unwrap_or_default();
    let first = cmdline.split(|&byte| byte == 0).nth(1).unwrap_or_default();
    let argument = str::from_utf8(first).ok();
    let argument = argument.and_then(|text| text.strip_prefix("WORKLOAD="));
    let variable = || std::env::var(WORKLOAD).ok();
    let Some(asked) = argument.map(str::to_owned).or_else(variable) else {
        return;
    };
    let (what, number) = asked.split_once(':').unwrap_or((&asked, "0"));
    let (path, number) = (number, number.parse().unwrap_or(0));
    let code = match what {
        "exit" => number,
        "signal" => die(number),
        "stay" => stay(),
        "orphans" => orphans(number),
        "show" => show(),
        "cat" => cat(path),
        "title" => title(number),
        "files" => files(),
        "memory-files" => memory_files(),
        _ => 99,
    };
    // SAFETY: it takes no pointer.
    unsafe { libc::_exit(code) }
}

fn say(text: &str) {
    write(1, text.as_bytes());
}

fn write(to: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: a slice's own pointer and length.
        let written = unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
        bytes = &bytes[usize::try_from(written).expect("it can be written to")..];
    }
}

/// Ends by a signal. The first process gets from itself only what it can't survive.
fn die(signal: i32) -> i32 {
    // SAFETY: no pointer is taken but for an address that nothing is at, which is the point.
    unsafe {
        if signal == libc::SIGSEGV {
            std::ptr::without_provenance_mut::<u8>(8).write_volatile(0);
        }
        libc::kill(libc::getpid(), signal)
    }
}

/// A workload that ends well, with 42, when it is asked to.
fn stay() -> i32 {
    let all = u64::MAX;
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the set has the eight bytes that are said, and nothing else is asked for.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, none, 8);
        say("ready\n");
        while libc::syscall(libc::SYS_rt_sigtimedwait, &all, none, none, 8) != 15 {}
    }
    42
}

/// Has so many processes end without a parent of their own, and says how many of them are still
/// there, as zombies: at the end of its patience, or when there is none.
fn orphans(count: i32) -> i32 {
    let waited = std::ptr::null_mut();
    for _ in 0..count {
        // SAFETY: there is one thread, and the children only end.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                if libc::fork() == 0 {
                    // Not before the one above has left it to somebody else.
                    let own = libc::getppid();
                    while libc::getppid() == own && own > 2 {
                        libc::sched_yield();
                    }
                }
                libc::_exit(0);
            }
            while libc::waitpid(child, waited, 0) != child {}
        }
    }
    let mut zombies = 0;
    for _ in 0..200 {
        zombies = states().iter().filter(|&&state| state == b'Z').count();
        if zombies == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    say(&format!("{zombies} zombies\n"));
    0
}

/// The state of every process that can be seen.
fn states() -> Vec<u8> {
    let entries = fs::read_dir("/proc").unwrap();
    let paths = entries.map(|entry| entry.unwrap().path().join("stat"));
    let stats = paths.filter_map(|path| fs::read_to_string(path).ok());
    stats
        .filter_map(|stat| stat.rsplit_once(") ")?.1.bytes().next())
        .collect()
}

/// Prints its environment, as `env` does.
fn show() -> i32 {
    for (name, value) in std::env::vars() {
        say(&format!("{name}={value}\n"));
    }
    0
}

/// Says of each variable that ends in `_FILE` what the file at its path is: mode, owner, seals, and
/// what it begins with; what can be done to it; and which descriptors there are.
fn files() -> i32 {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    for (name, path) in std::env::vars().filter(|(name, _)| name.ends_with("_FILE")) {
        let file = fs::File::open(&path).unwrap();
        let contents = fs::read(&path).unwrap();
        let status = file.metadata().unwrap();
        let (mode, uid, gid) = (status.mode(), status.uid(), status.gid());
        let descriptor = path.strip_prefix("/proc/self/fd/");
        let descriptor = descriptor.map_or(file.as_raw_fd(), |number| number.parse().unwrap());
        // SAFETY: none of them takes a pointer but to one byte.
        let (seals, position, written, made_executable) = unsafe {
            (
                libc::fcntl(descriptor, libc::F_GET_SEALS),
                libc::lseek(descriptor, 0, libc::SEEK_CUR),
                libc::write(descriptor, b"x".as_ptr().cast(), 1),
                libc::fchmod(descriptor, 0o777),
            )
        };
        let length = contents.len();
        let first = contents[..length.min(40)].escape_ascii();
        say(&format!(
            "{name} {path} {mode:o} {uid}:{gid} seals {seals:#x} at {position} write {written} \
             chmod {made_executable} {length} bytes {first}\n"
        ));
    }
    // SAFETY: it takes no pointer.
    let is_open = |number: &i32| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1;
    let open: Vec<_> = (0..1024).filter(is_open).collect();
    say(&format!("{open:?}\n"));
    0
}

/// Prints a file.
fn cat(path: &str) -> i32 {
    match fs::read(path) {
        Ok(bytes) => write(1, &bytes),
        Err(why) => say(&format!("{path}: {why}\n")),
    }
    0
}

/// Writes a title over its arguments and so many bytes more, as programs do for process tables,
/// then stays. With -1 it is wiped to the end of the environment behind it; with -2 it is shorter
/// than the arguments are; with -3 the environment alone is wiped.
fn title(more: i32) -> i32 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let [start, end, last] = [45, 46, 48].map(|at: usize| fields[at].parse::<usize>().unwrap());
    let (start, length, wiped) = match more {
        -3 => (end, 0, last - end),
        -2 => (start, end - start - 2, end - start),
        -1 => (start, end - start + 5, last - start),
        more => (start, end - start + more as usize, 0),
    };
    let area = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the process's own arguments and environment, which nobody reads any more.
    unsafe {
        area.write_bytes(0, wiped);
        area.write_bytes(b'x', length);
    }
    stay()
}

/// What the memory files hold.
pub const FILES: [&str; 2] = ["canary-of-the-first-file", "canary-of-the-second-file"];

/// Has two memory files as doorkey makes them, at 100 and 101, and another's at 102; stays.
fn memory_files() -> i32 {
    let names = [c"doorkey:FIRST", c"doorkey:SECOND", c"other"];
    for (name, contents) in names.into_iter().zip(FILES.into_iter().chain(["other"])) {
        // SAFETY: the name is a string that ends; the others take numbers.
        unsafe {
            let file = libc::memfd_create(name.as_ptr(), libc::MFD_ALLOW_SEALING);
            write(file, contents.as_bytes());
            libc::fchmod(file, 0o400);
            let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK;
            libc::fcntl(file, libc::F_ADD_SEALS, seals | libc::F_SEAL_SEAL);
            libc::fcntl(file, libc::F_DUPFD, 100);
            libc::close(file);
        }
    }
    stay()
}
