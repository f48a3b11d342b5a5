//! A person at a terminal: the program on a pseudoterminal of its own, which the test types into
//! and looks at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Place, Run, default_signals};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};

/// After so long a test that waits for something has failed. Nothing is said of how long anything
/// takes.
const GUARD: Duration = Duration::from_secs(120);

/// A program that runs at a terminal.
pub struct Terminal {
    keyboard: File,
    /// The program's side, which also says whether what is typed is shown.
    own: File,
    screen: Arc<(Mutex<String>, Condvar)>,
    reader: JoinHandle<()>,
    /// The program.
    pub child: Child,
    /// How much of the screen has been waited for.
    read: usize,
}

/// bash at a terminal, with `doorkey` on its PATH and further variables; it shows `$> ` when it
/// waits for a command.
pub fn shell(place: &Place, variables: &[(&str, &str)]) -> Terminal {
    let mut run = program(place, &["bash", "--norc", "--noprofile", "-i"]);
    run.command.envs(variables.iter().copied());
    let mut terminal = Terminal::start(run);
    terminal.wait_for("$> ");
    terminal
}

/// A program in a folder, with `doorkey` on its PATH.
pub fn program(place: &Place, words: &[&str]) -> Run {
    let mut run = place.shell("");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(place.path(""));
    command.env_clear().env("PS1", "$> ").env("TERM", "dumb");
    let set = |(name, value): (_, Option<_>)| Some((name, value?));
    command.envs(run.command.get_envs().filter_map(set));
    run.command = command;
    run
}

/// Both sides of a new terminal: the keyboard's and the program's. Neither is ever without
/// close-on-exec: another test that starts a program at that moment would keep it.
fn pair() -> (File, File) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let mut slave = File::options();
    slave.read(true).write(true).custom_flags(libc::O_NOCTTY);
    let slave = slave.open(ptsname_r(&master).unwrap()).unwrap();
    (OwnedFd::from(master).into(), slave)
}

impl Terminal {
    /// Starts a program whose input and output is the terminal.
    pub fn start(run: Run) -> Self {
        Self::start_with(run, |_| ())
    }

    /// The same, with some of them changed.
    pub fn start_with(run: Run, change: impl FnOnce(&mut Command)) -> Self {
        default_signals();
        let (keyboard, own) = pair();
        // The terminal is to control the program, so that Ctrl-C is a signal to it.
        let mut command = Command::new("setsid");
        command.arg("-c").arg(run.command.get_program());
        command.args(run.command.get_args());
        command.current_dir(run.command.get_current_dir().unwrap());
        command.env_clear();
        let set = |(name, value): (_, Option<_>)| Some((name, value?));
        command.envs(run.command.get_envs().filter_map(set));
        let side = || Stdio::from(own.try_clone().unwrap());
        command.stdin(side()).stdout(side()).stderr(side());
        change(&mut command);
        let child = command.spawn().expect("setsid starts");

        let screen = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (shown, mut seen) = (screen.clone(), keyboard.try_clone().unwrap());
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once nobody has the other side any more.
            while let Ok(count @ 1..) = seen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                shown.0.lock().unwrap().push_str(&text);
                shown.1.notify_all();
            }
        });
        Terminal {
            keyboard,
            own,
            screen,
            reader,
            child,
            read: 0,
        }
    }

    /// Waits until a text is on the screen, after what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        let began = Instant::now();
        let (screen, changed) = &*self.screen;
        let mut screen = screen.lock().unwrap();
        loop {
            if let Some(at) = screen[self.read..].find(text) {
                self.read += at + text.len();
                drop(screen);
                return self;
            }
            assert!(began.elapsed() < GUARD, "{text:?} is not in {screen:?}");
            let waited = changed.wait_timeout(screen, Duration::from_millis(100));
            screen = waited.unwrap().0;
        }
    }

    /// Types.
    pub fn types(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.keyboard.write_all(text.as_ref()).unwrap();
        self
    }

    /// Gives the window another size, in lines and columns.
    pub fn resizes(&mut self, lines: u16, columns: u16) -> &mut Self {
        let size = libc::winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: the struct is the one that this request reads.
        let set = unsafe { libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert_eq!(set, 0);
        self
    }

    /// Whether what is typed is shown, lines can be edited, and Ctrl-C is a signal.
    pub fn is_usual(&self) -> bool {
        let flags = tcgetattr(&self.own).unwrap().local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Waits for the program's end; gives its exit code, the whole screen with line breaks as
    /// they were written, and whether the terminal is as before.
    pub fn end(mut self) -> (i32, String, bool) {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait().unwrap();
        let usual = self.is_usual();
        drop(self.own);
        self.reader.join().unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap());
        let screen = self.screen.0.lock().unwrap().replace("\r\n", "\n");
        (code, screen, usual)
    }
}
