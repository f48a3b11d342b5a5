//! Runs other programs: started without a shell, talked to over pipes, ended at the deadline. No
//! thread is needed, and none of doorkey's memory is copied for them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::nonblocking::{Received, Sent, make_nobody_wait, receive, transmit};
use super::poll::Watched;
use super::{environ, poll, startup, terminal};
use crate::model::secret::Secret;

/// The largest output of a program, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// The largest part of its standard error that is kept, in bytes.
const LARGEST_ERRORS: usize = 64 * 1024;

/// The size of one read, in bytes.
const PIECE: usize = 16 * 1024;

/// The number of reads in a row before another pipe gets its turn: more than a pipe holds.
const PIECES: usize = 128;

/// The interval at which its end is checked for: its children may keep its pipes open for ever.
const BEAT: Duration = Duration::from_millis(20);

/// The interval once it has closed its pipes, which is mostly the last thing that it does.
const SHORT_BEAT: Duration = Duration::from_millis(1);

/// The target that a signal handler kills, as `kill(2)` counts: the running program, or its process
/// group; 0 for none.
static RUNNING: AtomicI32 = AtomicI32::new(0);

/// True while a program is started, whose number is not known yet.
static STARTING: AtomicBool = AtomicBool::new(false);

/// The signal that came while a program was started; 0 for none.
static POSTPONED: AtomicI32 = AtomicI32::new(0);

/// A program, and its arguments, environment and input. It gets the environment that doorkey was
/// started with, without doorkey's own variables.
pub struct Program<'a> {
    /// The program's file, or a name that is looked up in `PATH`.
    pub file: &'a Path,
    /// The arguments after its name.
    pub arguments: &'a [OsString],
    /// The variables that are added to its environment.
    pub environment: &'a [(OsString, OsString)],
    /// The variables of doorkey that it does not get.
    pub without: &'a [&'a str],
    /// The bytes for its standard input.
    pub input: &'a [u8],
    /// The instant by which it is ended.
    pub deadline: Instant,
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// An exit, with this exit code.
    Code(u8),
    /// A death by this signal.
    Signal(i32),
    /// Ended by us at the deadline.
    Late,
    /// Ended by us, as its output was larger than so many bytes.
    TooMuch(usize),
}

/// The outcome of a program.
pub struct ProgramOutcome {
    /// The program's end.
    pub end: ProgramEnd,
    /// The program's standard output.
    pub output: Secret,
    /// The beginning of its standard error.
    pub errors: Secret,
}

impl Program<'_> {
    /// Runs the program to its end.
    ///
    /// # Errors
    /// The system's error where it can't be started.
    pub fn run(&self) -> io::Result<ProgramOutcome> {
        let mut command = Command::new(self.file);
        command
            .args(self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in environ::own_names() {
            command.env_remove(name);
        }
        for name in self.without {
            command.env_remove(name);
        }
        // In a group of its own what it starts can be ended with it. A person whom it may have to
        // ask can be asked only by the terminal's group.
        let leads = !terminal::is_interactive();
        if leads {
            command.process_group(0);
        }
        startup::take_children();
        let starting = Starting::begin();
        let child = command.spawn()?;
        let number = child.id().cast_signed();
        let number = if leads { -number } else { number };
        RUNNING.store(number, SeqCst);
        drop(starting);
        let running = Running { child, number };
        running.talk(self.input, self.deadline)
    }
}

/// Starts a program that shows a file to the person. Its output is dropped. Another thread waits for
/// it, and calls `failed` if its end is a failure.
///
/// # Errors
/// The system's error where it can't be started.
pub fn show(program: &str, file: &Path, failed: fn(ExitStatus)) -> io::Result<()> {
    let mut command = Command::new(program);
    command
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for name in environ::own_names() {
        command.env_remove(name);
    }
    // Ctrl-C ends the console, and not the browser.
    let mut child = command.process_group(0).spawn()?;
    let wait = move || match child.wait() {
        Ok(status) if !status.success() => failed(status),
        _ => {}
    };
    thread::Builder::new().spawn(wait).map(drop)
}

/// Returns the path of a program's file. A name without a slash is looked up in `PATH`; any other
/// path starts from a folder.
pub fn found(name: &OsStr, base: &Path) -> PathBuf {
    match name.as_encoded_bytes().contains(&b'/') {
        true => base.join(name),
        false => name.into(),
    }
}

/// The start of a program. A signal that would end us waits until this is dropped: the program would
/// be left otherwise, as nobody knows its number yet.
struct Starting(());

impl Starting {
    fn begin() -> Self {
        STARTING.store(true, SeqCst);
        Starting(())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        STARTING.store(false, SeqCst);
        let signal = POSTPONED.swap(0, SeqCst);
        if signal != 0 {
            // SAFETY: it takes no pointer.
            unsafe { libc::raise(signal) };
        }
    }
}

/// True while a program is started. A signal handler may call it.
pub fn is_starting() -> bool {
    STARTING.load(SeqCst)
}

/// Has a signal come again once a program that is started now is known. True if there is one. A
/// signal handler may call it.
pub fn postpone(signal: libc::c_int) -> bool {
    let is_starting = is_starting();
    if is_starting {
        POSTPONED.store(signal, SeqCst);
    }
    is_starting
}

/// Kills the program that is running, if any. A signal handler may call it.
pub fn end() {
    kill(RUNNING.swap(0, SeqCst));
}

/// Kills the process or process group of this number; none for 0.
fn kill(number: i32) {
    if number != 0 {
        // SAFETY: it takes no pointer.
        unsafe { libc::kill(number, libc::SIGKILL) };
    }
}

/// A program that runs.
struct Running {
    child: Child,
    /// The number that kills it, as `kill(2)` counts; 0 when it has ended.
    number: i32,
}

impl Running {
    /// Forgets its number, and returns it. Another process may get it once this one is waited for.
    fn forget(&mut self) -> i32 {
        let _ = RUNNING.compare_exchange(self.number, 0, SeqCst, SeqCst);
        std::mem::take(&mut self.number)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let number = self.forget();
        if number != 0 {
            kill(number);
            let _ = self.child.wait();
        }
    }
}

/// The pipes of a program, each until its end, and the bytes that have gone through them.
struct Pipes<'i> {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The input that is not sent yet.
    input: &'i [u8],
    output: Vec<u8>,
    errors: Vec<u8>,
}

impl<'i> Pipes<'i> {
    /// Takes the pipes of a program. Nobody waits for them.
    fn of(child: &mut Child, input: &'i [u8]) -> io::Result<Self> {
        let pipes = Pipes {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            input,
            output: Vec::new(),
            errors: Vec::new(),
        };
        let descriptors = [
            pipes.stdin.as_ref().map(AsRawFd::as_raw_fd),
            pipes.stdout.as_ref().map(AsRawFd::as_raw_fd),
            pipes.stderr.as_ref().map(AsRawFd::as_raw_fd),
        ];
        let mut descriptors = descriptors.into_iter().flatten();
        descriptors.try_for_each(make_nobody_wait)?;
        Ok(pipes)
    }

    /// Sends as much of the input as there is room for.
    fn send(&mut self) {
        let Some(pipe) = &self.stdin else { return };
        match transmit(pipe.as_raw_fd(), self.input) {
            Sent::Some(count) => self.input = &self.input[count..],
            Sent::Full => {}
            // It need not read.
            _ => self.input = &[],
        }
        if self.input.is_empty() {
            self.stdin = None;
        }
    }

    /// Reads what is there of both outputs.
    fn receive(&mut self) -> io::Result<()> {
        if let Some(pipe) = &self.stdout
            && drain(pipe.as_raw_fd(), &mut self.output, LARGEST + 1)?
        {
            self.stdout = None;
        }
        if let Some(pipe) = &self.stderr
            && drain(pipe.as_raw_fd(), &mut self.errors, LARGEST_ERRORS)?
        {
            self.stderr = None;
        }
        Ok(())
    }

    /// Waits for a pipe, or for the next look at the program, at most so long.
    fn wait(&self, left: Duration) {
        let to = self.stdin.iter().map(AsRawFd::as_raw_fd);
        let out = self.stdout.iter().map(AsRawFd::as_raw_fd);
        let from = out.chain(self.stderr.iter().map(AsRawFd::as_raw_fd));
        let watched = to.map(Watched::writable).chain(from.map(Watched::readable));
        let mut watched: Vec<_> = watched.collect();
        let beat = if watched.is_empty() { SHORT_BEAT } else { BEAT };
        poll::wait_at(&mut watched, left.min(beat));
    }
}

impl Running {
    fn talk(mut self, input: &[u8], deadline: Instant) -> io::Result<ProgramOutcome> {
        let mut pipes = Pipes::of(&mut self.child, input)?;
        let end = loop {
            pipes.send();
            // Whatever it has said is read after it has ended.
            let ended = self.has_ended()?;
            pipes.receive()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if pipes.output.len() > LARGEST {
                break ProgramEnd::TooMuch(LARGEST);
            }
            if ended {
                self.forget();
                let status = self.child.wait()?;
                let signal = status.signal().unwrap_or_default();
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                break code.map_or(ProgramEnd::Signal(signal), ProgramEnd::Code);
            }
            if left.is_zero() {
                break ProgramEnd::Late;
            }
            pipes.wait(left);
        };
        Ok(ProgramOutcome {
            end,
            output: Secret::new(pipes.output),
            errors: Secret::new(pipes.errors),
        })
    }

    /// True if the program has ended. Its number stays its own until it is waited for.
    fn has_ended(&self) -> io::Result<bool> {
        // SAFETY: plain data for which zeros are valid, filled in by the call.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            match libc::waitid(libc::P_PID, self.child.id(), &mut info, flags) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(info.si_pid() != 0),
            }
        }
    }
}

/// Reads the bytes that are there, and keeps at most `most` in all. True if no more will come.
fn drain(pipe: RawFd, into: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    // Wiped by the allocator, as the rest.
    let mut piece = vec![0; PIECE];
    for _ in 0..PIECES {
        match receive(pipe, &mut piece) {
            Received::Some(count) => {
                let kept = count.min(most.saturating_sub(into.len()));
                into.extend_from_slice(&piece[..kept]);
            }
            Received::Nothing => return Ok(false),
            Received::End => return Ok(true),
            Received::Failed(why) => return Err(io::Error::from_raw_os_error(why.0)),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::{Program, ProgramEnd, ProgramOutcome};

    fn sh(script: &str, input: &[u8], time: Duration) -> ProgramOutcome {
        let arguments = ["-c", script].map(OsString::from);
        let program = Program {
            file: Path::new("sh"),
            arguments: &arguments,
            environment: &[("GIVEN".into(), "x".into())],
            without: &[],
            input,
            deadline: Instant::now() + time,
        };
        program.run().unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_says_comes_whole() {
        let input = vec![b'a'; 300_000];
        let outcome = sh("cat; echo $GIVEN >&2; exit 7", &input, LONG);
        assert_eq!(
            (outcome.end, outcome.errors.expose()),
            (ProgramEnd::Code(7), &b"x\n"[..])
        );
        assert_eq!(outcome.output.expose(), input);
        // It need not read.
        let outcome = sh("echo done", &input, LONG);
        assert_eq!(
            (outcome.end, outcome.output.expose()),
            (ProgramEnd::Code(0), &b"done\n"[..])
        );
        assert_eq!(sh("kill -9 $$", b"", LONG).end, ProgramEnd::Signal(9));
        let outcome = sh("cat /dev/zero", b"", LONG);
        assert!(matches!(outcome.end, ProgramEnd::TooMuch(_)));
        let outcome = sh("cat /dev/zero >&2", b"", Duration::from_millis(200));
        assert_eq!(outcome.end, ProgramEnd::Late);
    }

    #[test]
    fn it_is_not_waited_for_longer_than_it_is_there() {
        let began = Instant::now();
        // What it leaves has its pipes.
        let outcome = sh("echo a; sleep 30 & exit 3", b"", LONG);
        assert_eq!(
            (outcome.end, outcome.output.expose()),
            (ProgramEnd::Code(3), &b"a\n"[..])
        );
        let outcome = sh(
            "exec >&- 2>&-; sleep 30 & wait",
            b"",
            Duration::from_millis(100),
        );
        assert_eq!(outcome.end, ProgramEnd::Late);
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let program = Program {
            file: Path::new("/none"),
            arguments: &[],
            environment: &[],
            without: &[],
            input: b"",
            deadline: Instant::now() + LONG,
        };
        let error = program.run().err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}
