//! A process under ptrace: stopped as it begins a program, or as it asks the kernel for the next
//! one, and looked at from outside. What a workload finds is read before its first instruction,
//! so that no probe has to run with closed descriptors or blocked signals.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, execve, fork};

/// A traced process. It is killed when dropped.
pub struct Tracee {
    /// Its number.
    pub pid: Pid,
    ended: Option<i32>,
    /// Whether it stands inside a system call.
    inside: bool,
}

/// What a process begins with.
pub struct Begin {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Begin {
    /// The program's whole path and its arguments.
    pub fn new<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Self {
        let c_string = |word: I::Item| CString::new(word.as_ref().as_bytes()).unwrap();
        Begin {
            arguments: arguments.into_iter().map(c_string).collect(),
            environment: vec![c"PATH=/usr/local/bin:/usr/bin:/bin".to_owned()],
        }
    }

    /// The same, with nothing in its environment.
    pub fn empty<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Self {
        let mut begin = Self::new(arguments);
        begin.environment.clear();
        begin
    }

    /// One more variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let entry = [name.as_bytes(), b"=", value.as_ref().as_bytes()].concat();
        self.environment.push(CString::new(entry).unwrap());
        self
    }

    /// An entry of the environment as it is, which need not be `NAME=value`.
    pub fn entry(mut self, entry: &[u8]) -> Self {
        self.environment.push(CString::new(entry).unwrap());
        self
    }

    /// Starts it, stopped before its first instruction. `prepare` runs in the new process before
    /// the program: it must do nothing but system calls, as the threads of the test may hold locks.
    pub fn start(self, prepare: impl FnOnce() -> nix::Result<()>) -> Tracee {
        // SAFETY: until its execve or `_exit` the child makes system calls only; `execve` of nix
        // allocates, which both C libraries make safe after a fork.
        let child = match unsafe { fork() }.expect("fork") {
            ForkResult::Child => {
                let _ = ptrace::traceme()
                    .and_then(|()| raise(Signal::SIGSTOP))
                    .and_then(|()| prepare())
                    .and_then(|()| {
                        execve(&self.arguments[0], &self.arguments, &self.environment).map(|_| ())
                    });
                // SAFETY: it takes no pointer.
                unsafe { libc::_exit(99) }
            }
            ForkResult::Parent { child } => child,
        };
        let mut tracee = Tracee {
            pid: child,
            ended: None,
            inside: false,
        };
        assert_eq!(
            tracee.wait(),
            WaitStatus::Stopped(child, Signal::SIGSTOP),
            "the new process stops first"
        );
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(child, options).unwrap();
        tracee.reach_program();
        tracee
    }
}

impl Tracee {
    fn wait(&mut self) -> WaitStatus {
        let status = waitpid(self.pid, Some(WaitPidFlag::__WALL)).unwrap();
        match status {
            WaitStatus::Exited(_, code) => self.ended = Some(code),
            WaitStatus::Signaled(_, signal, _) => self.ended = Some(128 + signal as i32),
            _ => {}
        }
        status
    }

    /// Lets it run until it forks. The new process comes instead, stopped before its first
    /// instruction, and the other runs on by itself; its number.
    pub fn follow_fork(mut self) -> (Tracee, Pid) {
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.pid, options | Options::PTRACE_O_TRACEFORK).unwrap();
        ptrace::cont(self.pid, None).unwrap();
        let forked =
            WaitStatus::PtraceEvent(self.pid, Signal::SIGTRAP, Event::PTRACE_EVENT_FORK as i32);
        assert_eq!(self.wait(), forked);
        let child = Pid::from_raw(ptrace::getevent(self.pid).unwrap().try_into().unwrap());
        let mut tracee = Tracee {
            pid: child,
            ended: None,
            inside: false,
        };
        let stopped = WaitStatus::Stopped(child, Signal::SIGSTOP);
        assert_eq!(tracee.wait(), stopped, "the forked process stops first");
        ptrace::setoptions(child, options).unwrap();
        ptrace::detach(self.pid, None).unwrap();
        let other = self.pid;
        std::mem::forget(self);
        (tracee, other)
    }

    /// Lets it run until it has become another program, before that one's first instruction.
    pub fn reach_program(&mut self) {
        let mut signal = None;
        loop {
            ptrace::cont(self.pid, signal.take()).unwrap();
            match self.wait() {
                WaitStatus::PtraceEvent(_, _, event)
                    if event == Event::PTRACE_EVENT_EXEC as i32 =>
                {
                    // The execve itself is not over yet.
                    self.inside = true;
                    return;
                }
                WaitStatus::Stopped(_, stopped) => signal = Some(stopped),
                other => panic!("instead of becoming a program: {other:?}"),
            }
        }
    }

    /// Lets it run until it enters its next system call; the call's number and arguments. `None`
    /// when it has ended.
    pub fn next_call(&mut self) -> Option<(i64, [u64; 6])> {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal.take()).unwrap();
            match self.wait() {
                WaitStatus::PtraceSyscall(_) => self.inside = !self.inside,
                WaitStatus::Stopped(_, stopped) => {
                    signal = Some(stopped);
                    continue;
                }
                _ if self.ended.is_some() => return None,
                other => panic!("instead of a system call: {other:?}"),
            }
            if self.inside {
                let call = self.read_proc("syscall");
                let mut words = call.split_whitespace();
                let number = words.next().unwrap().parse().unwrap();
                let argument =
                    |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
                let mut arguments = [0; 6];
                for (place, word) in arguments.iter_mut().zip(words) {
                    *place = argument(word);
                }
                return Some((number, arguments));
            }
        }
    }

    /// Lets it run until it asks the kernel to become another program, and gives the addresses
    /// of that call's arguments: file, argv, envp.
    pub fn reach_execve(&mut self) -> [u64; 3] {
        loop {
            let (number, arguments) = self.next_call().expect("it calls execve");
            if number == libc::SYS_execve {
                return [arguments[0], arguments[1], arguments[2]];
            }
        }
    }

    /// Lets it run to its end; its exit code, as a shell gives it.
    pub fn finish(mut self) -> i32 {
        let mut signal = None;
        while self.ended.is_none() {
            ptrace::cont(self.pid, signal.take()).unwrap();
            if let WaitStatus::Stopped(_, stopped) = self.wait() {
                signal = Some(stopped);
            }
        }
        self.ended.unwrap()
    }

    /// Ends it where it stands, before the system call that it is about to make.
    pub fn kill(&mut self) {
        while self.ended.is_none() {
            kill(self.pid, Signal::SIGKILL).unwrap();
            self.wait();
        }
    }

    /// A file of its /proc folder.
    pub fn read_proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid);
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    }

    /// The owner of its /proc files: its own user, or root where it is not dumpable.
    pub fn proc_owner(&self) -> u32 {
        fs::metadata(format!("/proc/{}/mem", self.pid))
            .unwrap()
            .uid()
    }

    /// Its memory.
    pub fn memory(&self) -> Memory {
        Memory::of(self.pid)
    }

    /// Everything that it was handed: signals, descriptors, limits and the like.
    pub fn inherited(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for line in self.read_proc("status").lines() {
            let (name, value) = line.split_once(':').unwrap();
            let kept = [
                "Umask",
                "Uid",
                "Gid",
                "Groups",
                "SigQ",
                "NoNewPrivs",
                "Seccomp",
                "Threads",
                "CoreDumping",
                "PPid",
            ];
            let of_family = ["Sig", "ShdPnd", "Cap", "Cpus"]
                .iter()
                .any(|family| name.starts_with(family));
            if (kept.contains(&name) || of_family) && name != "SigQ" {
                found.insert(format!("status {name}"), value.trim().to_owned());
            }
        }
        let stat = self.read_proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        for (name, at) in [("group", 2), ("session", 3), ("priority", 15), ("nice", 16)] {
            found.insert(format!("stat {name}"), fields[at].to_owned());
        }
        for file in [
            "limits",
            "personality",
            "oom_score_adj",
            "coredump_filter",
            "timers",
            "cgroup",
            "cmdline",
            "environ",
            "loginuid",
            "timerslack_ns",
        ] {
            found.insert(file.to_owned(), self.read_proc(file));
        }
        for link in ["cwd", "root", "exe"] {
            found.insert(link.to_owned(), self.link(link));
        }
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap() {
            let number = entry.unwrap().file_name().into_string().unwrap();
            let to = self.link(&format!("fd/{number}"));
            let how = self.read_proc(&format!("fdinfo/{number}"));
            let flags = how.lines().find(|line| line.starts_with("flags")).unwrap();
            found.insert(format!("fd {number}"), format!("{to} {flags}"));
        }
        found
    }

    fn link(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_link(path).unwrap().display().to_string()
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        self.kill();
    }
}

fn mappings(process: Pid) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    maps.lines().map(Mapping::parse).collect()
}

/// A stretch of memory, as `/proc/PID/maps` has it.
#[derive(PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address after it.
    pub end: u64,
    /// Whether the process itself can read it.
    pub readable: bool,
    /// What it is, as far as it has a name.
    pub name: String,
}

impl Mapping {
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (start, end) = words[0].split_once('-').unwrap();
        Mapping {
            start: u64::from_str_radix(start, 16).unwrap(),
            end: u64::from_str_radix(end, 16).unwrap(),
            readable: words[1].starts_with('r'),
            name: words.get(5).unwrap_or(&"anonymous").to_string() + " " + words[1],
        }
    }
}

/// The memory of a process; of one that runs, as it is when it is looked at.
pub struct Memory {
    process: Pid,
    file: File,
    /// All of it.
    pub mappings: Vec<Mapping>,
}

impl Memory {
    /// That of any process.
    pub fn of(process: Pid) -> Self {
        let file = File::open(format!("/proc/{process}/mem")).expect("root reads memory");
        Memory {
            process,
            file,
            mappings: mappings(process),
        }
    }

    /// The bytes of a mapping.
    pub fn read(&self, mapping: &Mapping) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(mapping.end - mapping.start).unwrap()];
        match self.file.read_exact_at(&mut bytes, mapping.start) {
            Ok(()) => bytes,
            // The kernel's own pages, which the process can't write to.
            Err(_) if mapping.name.starts_with("[v") => Vec::new(),
            // It has given that back meanwhile, or a part of it.
            Err(_) if !mappings(self.process).contains(mapping) => Vec::new(),
            Err(error) => panic!("{}: {error}", mapping.name),
        }
    }

    /// The pointers of an array that ends with a null pointer.
    pub fn pointers(&self, mut at: u64) -> Vec<u64> {
        let mut pointers = Vec::new();
        loop {
            let mut bytes = [0; 8];
            self.file.read_exact_at(&mut bytes, at).unwrap();
            match u64::from_ne_bytes(bytes) {
                0 => return pointers,
                pointer => pointers.push(pointer),
            }
            at += 8;
        }
    }

    /// The string at an address, without its end.
    pub fn string(&self, at: u64) -> Vec<u8> {
        let mut string = Vec::new();
        loop {
            let mut piece = [0; 256];
            let read = self
                .file
                .read_at(&mut piece, at + string.len() as u64)
                .unwrap();
            assert_ne!(read, 0, "a string goes on to its end");
            match piece[..read].iter().position(|&byte| byte == 0) {
                Some(end) => {
                    string.extend_from_slice(&piece[..end]);
                    return string;
                }
                None => string.extend_from_slice(&piece[..read]),
            }
        }
    }
}

/// A process that waits is not woken by anything.
#[track_caller]
pub fn stays_asleep(process: Pid) {
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // A busy machine may hold it up before it sleeps.
    let pause = || std::thread::sleep(std::time::Duration::from_millis(500));
    let slept = || {
        let before = switches();
        pause();
        switches() == before
    };
    assert!((0..100).any(|_| slept()), "it never sleeps");
    let before = switches();
    pause();
    pause();
    assert_eq!(switches(), before);
}
