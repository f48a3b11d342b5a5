//! Runs the exec: this process becomes the workload.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::memory::Concealed;
use super::process_attributes::Attributes;
use super::signals::Deadline;
use super::{leftovers, startup};
use crate::model::error::{Error, Os};
use crate::model::named::ShownPath;

/// The search path if the workload has no PATH, as in the C library.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/bin:/usr/bin";

/// Becomes the command that the first argument names, found in `path` as `execvp` would. It gets
/// exactly these arguments and this environment. It gets the signals, mask and limits that doorkey
/// was started with, except as the attributes change them. Returns only on failure.
pub fn replace(
    arguments: &[CString],
    path: Option<&[u8]>,
    environment: &[Cow<'_, CStr>],
    attributes: &Attributes,
    concealed: Concealed,
    deadline: Deadline,
) -> Error {
    let command = arguments.first().map_or(c"", CString::as_c_str);
    let own_name = attributes.argv0.as_deref().unwrap_or(command);
    let rest = arguments.iter().skip(1).map(CString::as_c_str);
    let argv = pointers([own_name].into_iter().chain(rest));
    let envp = pointers(environment.iter().map(AsRef::as_ref));
    drop(deadline);
    let ready = concealed.lift().and_then(|()| attributes.apply());
    if let Err(error) = ready.and_then(|()| startup::restore()) {
        return error;
    }
    let error = search(command, path, &argv, &envp);
    startup::shield();
    error
}

fn pointers<'a>(strings: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    strings
        .map(CStr::as_ptr)
        .chain([std::ptr::null()])
        .collect()
}

fn search(
    command: &CStr,
    path: Option<&[u8]>,
    argv: &[*const c_char],
    envp: &[*const c_char],
) -> Error {
    let name = command.to_bytes();
    if name.contains(&b'/') {
        return match execute(command, argv, envp) {
            Errno::ENOENT if !exists(command) => Error::NotFound(name.to_vec()),
            errno => not_executable(name, command, errno),
        };
    }
    let mut denied = None;
    for folder in path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':') {
        if name.is_empty() {
            break;
        }
        let separator: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        let Ok(candidate) = CString::new([folder, separator, name].concat()) else {
            continue;
        };
        match execute(&candidate, argv, envp) {
            Errno::ENOENT if !exists(&candidate) => {}
            Errno::ENOTDIR => {}
            // Without the right to search a folder, nothing is known of what is in it.
            Errno::EACCES if !exists(&candidate) => {}
            Errno::EACCES if is_folder(&candidate) => {}
            Errno::EACCES => {
                denied.get_or_insert_with(|| not_executable(name, &candidate, Errno::EACCES));
            }
            errno => return not_executable(name, &candidate, errno),
        }
    }
    denied.unwrap_or_else(|| Error::NotFound(name.to_vec()))
}

/// Returns the length of the longest file name that the search for a command may try, NUL included.
pub fn longest_candidate(command: &CStr, path: Option<&[u8]>) -> usize {
    let name = command.count_bytes() + 1;
    if command.to_bytes().contains(&b'/') {
        return name;
    }
    let folders = path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':');
    name + 1 + folders.map(<[u8]>::len).max().unwrap_or(0)
}

fn execute(file: &CStr, argv: &[*const c_char], envp: &[*const c_char]) -> Errno {
    // SAFETY: both arrays end with a null pointer, and their strings outlive the call.
    unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Errno::last()
}

fn not_executable(command: &[u8], file: &CStr, errno: Errno) -> Error {
    let why = match errno {
        Errno::ENOENT => lacks_interpreter(as_path(file)),
        Errno::EACCES if is_folder(file) => "it is a folder".to_owned(),
        Errno::ENOEXEC => {
            "it is neither a program for this machine nor a script with #!".to_owned()
        }
        Errno::E2BIG => "arguments and environment are more than the kernel takes".to_owned(),
        errno => Os(errno as i32).to_string(),
    };
    Error::NotExecutable {
        command: command.to_vec(),
        why,
    }
}

/// The beginning of a file in which its interpreter is looked for, in bytes.
const BEGINNING: usize = 4096;

/// Says which interpreter of a program does not exist, as far as its beginning shows that.
fn lacks_interpreter(file: &Path) -> String {
    let mut head = Vec::with_capacity(BEGINNING);
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|file| file.take(BEGINNING as u64).read_to_end(&mut head));
    let named = match head.strip_prefix(b"#!") {
        _ if read.is_err() => None,
        Some(line) => {
            let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let mut words = line.split(|&byte| byte == b' ' || byte == b'\t');
            words.find(|word| !word.is_empty())
        }
        None => loader(&head),
    };
    let Some(named) = named else {
        return "its interpreter does not exist".to_owned();
    };
    let shown = ShownPath(&String::from_utf8_lossy(named)).to_string();
    match named.strip_suffix(b"\r") {
        Some(path) => format!(
            "its interpreter {}\\r does not exist: the script has Windows line ends (CR LF); \
             convert it, as with dos2unix",
            ShownPath(&String::from_utf8_lossy(path))
        ),
        None if head.starts_with(b"#!") => {
            format!("its interpreter {shown} does not exist; is it in the image?")
        }
        None => format!(
            "its loader {shown} does not exist; it is built for another C library or machine"
        ),
    }
}

/// The path of a program's loader, in the beginning of a 64-bit ELF file (PT_INTERP).
fn loader(head: &[u8]) -> Option<&[u8]> {
    const INTERPRETER: u64 = 3;
    let number = |at: usize, bytes: usize| {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(head.get(at..at.checked_add(bytes)?)?);
        usize::try_from(u64::from_le_bytes(number)).ok()
    };
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let entry = (0..count)
        .filter_map(|at| table.checked_add(at * size))
        .find(|&entry| number(entry, 4) == Some(INTERPRETER as usize))?;
    let (start, length) = (number(entry + 8, 8)?, number(entry + 32, 8)?);
    let path = head.get(start..start.checked_add(length)?)?;
    path.split(|&byte| byte == 0).next()
}

fn as_path(file: &CStr) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(file.to_bytes()))
}

fn exists(file: &CStr) -> bool {
    as_path(file).exists()
}

fn is_folder(file: &CStr) -> bool {
    as_path(file).is_dir()
}

/// Returns the kernel's limit of arguments and environment together, in bytes: strings, their NULs
/// and a pointer for each. It is a quarter of the stack's limit, at least 128 KiB, at most 6 MiB
/// (`bprm_stack_limits` in the kernel's `fs/exec.c`).
pub fn room() -> usize {
    let stack = getrlimit(Resource::RLIMIT_STACK).map_or(8 << 20, |(soft, _)| soft);
    usize::try_from(stack / 4)
        .unwrap_or(usize::MAX)
        .clamp(128 << 10, 6 << 20)
}

/// Ends the process at once; no exit handlers run.
pub fn quit(code: u8) -> ! {
    leftovers::remove();
    // SAFETY: it takes no pointer and does not return.
    unsafe { libc::_exit(code.into()) }
}
