//! Asks a person at a terminal, also for values that are not shown.

use std::io::{self, IsTerminal, Read};
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use super::stdio;
use crate::model::secret::Secret;

/// The largest line that a terminal passes on, in bytes; it drops what is typed beyond. From
/// `N_TTY_BUF_SIZE` in the kernel's `drivers/tty/n_tty.c`, less one for the newline.
pub const LONGEST_LINE: usize = 4095;

/// The character that Ctrl-C types while it sends no signal.
const CTRL_C: u8 = 3;

/// True if a person can be asked something.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// True if standard input is a terminal, even if a question could not be seen.
pub fn is_typed() -> bool {
    io::stdin().is_terminal()
}

/// True if a person reads standard output.
pub fn is_shown() -> bool {
    io::stdout().is_terminal()
}

/// True if a person reads standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Asks a question on the terminal and reads a line, at most `limit` bytes. The newline at its end
/// is left out.
///
/// # Errors
/// The system's error.
pub fn ask(question: &str, limit: usize) -> io::Result<Secret> {
    stdio::say(question.as_bytes());
    read_line(limit)
}

/// Asks a question as [`ask`] does, without showing what is typed. `None` after Ctrl-C.
///
/// # Errors
/// The system's error.
pub fn ask_hidden(question: &str, limit: usize) -> io::Result<Option<Secret>> {
    // Who sees the question can type at once, and nothing of it is shown.
    let hidden = EchoOff::start()?;
    stdio::say(question.as_bytes());
    let line = read_line(limit);
    drop(hidden);
    stdio::say(b"\n");
    line.map(|line| Some(line).filter(|line| !line.expose().contains(&CTRL_C)))
}

/// Reads a line one byte at a time, so that what follows is left for the next question.
fn read_line(limit: usize) -> io::Result<Secret> {
    let mut line = Vec::with_capacity(1024);
    let mut byte = [0];
    let mut stdin = unbuffered()?;
    while line.len() <= limit && stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
        if byte[0] == CTRL_C {
            break;
        }
    }
    Ok(Secret::new(line))
}

fn unbuffered() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(Into::into)
}

/// A terminal with its echo off, where Ctrl-C is a character that ends the line. Its signal would
/// end the process and leave the terminal so. Dropping this restores the terminal.
struct EchoOff {
    before: Termios,
}

/// The terminal's settings from before, while its echo is off.
static BEFORE: AtomicPtr<libc::termios> = AtomicPtr::new(std::ptr::null_mut());

/// Turns the echo on again in a process that is about to end. A signal handler may call it.
pub fn restore() {
    let before = BEFORE.load(Relaxed);
    if !before.is_null() {
        // SAFETY: the pointer was leaked from a box, which nobody changes; the call may be made
        // in a handler.
        unsafe { libc::tcsetattr(0, libc::TCSAFLUSH, before) };
    }
}

impl EchoOff {
    fn start() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ISIG);
        hidden.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
        BEFORE.store(Box::into_raw(Box::new(before.clone().into())), Relaxed);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(EchoOff { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.before);
        BEFORE.store(std::ptr::null_mut(), Relaxed);
    }
}
