//! A workload that says which signals it gets: the test's own program, which becomes this before
//! `main` where a variable asks for it.

use std::ffi::CStr;
use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Stdio};

use support::Run;

/// The variable that asks for it: how many signals it waits for.
const COUNT: &CStr = c"RECEIVER";

// SAFETY: the section takes pointers to functions that may be called before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = receive;

extern "C" fn receive() {
    // SAFETY: the C library has its environment by now; the value is a string.
    let count = unsafe {
        let value = libc::getenv(COUNT.as_ptr());
        if value.is_null() {
            return;
        }
        libc::atoi(value)
    };
    let say = |text: String| {
        // SAFETY: a string's own pointer and length.
        unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
    };
    let all = u64::MAX;
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the set has the eight bytes that are said.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, none, 8) };
    // SAFETY: it takes no pointer.
    say(format!("ready {}\n", unsafe { libc::getpid() }));
    for _ in 0..count {
        // SAFETY: plain data, filled in by the call; the set has the eight bytes that are said.
        let info = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let for_ever = std::ptr::null::<libc::timespec>();
            libc::syscall(libc::SYS_rt_sigtimedwait, &all, &mut info, for_ever, 8);
            info
        };
        // SAFETY: a signal that is sent has both.
        let value = unsafe { info.si_value().sival_ptr as usize };
        let queued = if info.si_code == libc::SI_QUEUE {
            format!(" {value}")
        } else {
            String::new()
        };
        say(format!("{}{queued}\n", info.si_signo));
    }
    // SAFETY: it takes no pointer.
    unsafe { libc::_exit(42) }
}

/// A process that runs the receiver, and what that says.
pub struct Receiver {
    /// The process that was started: doorkey.
    pub child: std::process::Child,
    /// The receiver's number, as it sees that.
    pub receiver: i32,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The receiver's program.
pub fn program() -> String {
    std::env::current_exe().unwrap().display().to_string()
}

impl Receiver {
    /// Starts a command whose workload is the receiver, which ends with 42 after so many signals;
    /// it is ready for them.
    pub fn start(run: Run, count: usize) -> Self {
        let mut receiver = Self::starting(run, count);
        receiver.wait_until_ready();
        receiver
    }

    /// The same, before it is ready.
    pub fn starting(run: Run, count: usize) -> Self {
        let mut run = run.env(COUNT.to_str().unwrap(), count.to_string());
        let mut child = run.command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Receiver {
            child,
            receiver: 0,
            lines,
        }
    }

    /// Waits until signals are counted.
    pub fn wait_until_ready(&mut self) {
        let line = self.line();
        self.receiver = line.strip_prefix("ready ").unwrap().parse().unwrap();
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        self.lines.next().expect("it says more").unwrap()
    }

    /// Sends a signal to doorkey.
    pub fn send(&self, signal: i32) {
        send(self.child.id() as i32, signal);
    }

    /// Sends a signal with a value to doorkey, waiting for room in its queue.
    pub fn queue(&self, signal: i32, value: usize) {
        // SAFETY: the value is plain data, and the struct's own kind.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            info.si_signo = signal;
            info.si_code = libc::SI_QUEUE;
            // After three numbers and as much padding: the sender, its user, the value.
            let words = (&raw mut info).cast::<usize>();
            words.add(3).write(value);
            loop {
                let to = self.child.id();
                match libc::syscall(libc::SYS_rt_sigqueueinfo, to, signal, &info) {
                    0 => return,
                    _ => std::thread::yield_now(),
                }
            }
        }
    }

    /// What is said from here on, and the exit code.
    pub fn end(mut self) -> (Vec<String>, Option<i32>) {
        let lines = self.lines.map(Result::unwrap).collect();
        (lines, self.child.wait().unwrap().code())
    }
}

/// Sends a signal to a process.
pub fn send(to: i32, signal: i32) {
    // SAFETY: it takes no pointer.
    assert_eq!(unsafe { libc::kill(to, signal) }, 0, "signal {signal}");
}
