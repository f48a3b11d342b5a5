//! Runs the exec: this process becomes the workload.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::memory::Concealed;
use super::process_attributes::Attributes;
use super::signals::Deadline;
use super::{leftovers, startup};
use crate::model::error::{Error, Os};

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
        Errno::ENOENT => "its interpreter does not exist".to_owned(),
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
