//! This program's own file, and copies of it.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::draft::{self, Kind};

/// The file that this process runs, and a path to say of it.
pub fn own() -> (io::Result<File>, PathBuf) {
    let link = PathBuf::from("/proc/self/exe");
    match File::open(&link) {
        // Without /proc there is still the path that the kernel was given, which a caller can't
        // make up as it can the first argument.
        Err(why) if why.kind() == io::ErrorKind::NotFound => match executed() {
            Some(path) => (File::open(&path), path),
            None => (Err(why), link),
        },
        opened => (opened, link),
    }
}

fn executed() -> Option<PathBuf> {
    // SAFETY: it takes no pointer.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if address.is_null() {
        return None;
    }
    // SAFETY: the kernel has put a string there, on the initial stack, which nobody overwrites.
    let path = unsafe { CStr::from_ptr(address) };
    Some(Path::new(OsStr::from_bytes(path.to_bytes())).to_owned())
}

const PROGRAM: Kind = Kind {
    mode: Some(0o755),
    owner: None,
    lasting: true,
};

/// Copies a program to `to`, for everybody to execute. What was there is replaced in one step, so
/// that it can be running; it is there whole, as it was or as it is now, whatever happens
/// meanwhile.
///
/// # Errors
/// What the system says; `EEXIST` where there is something that is neither file nor link.
pub fn install(program: &mut File, to: &Path) -> io::Result<()> {
    if to.as_os_str().as_bytes().ends_with(b"/") {
        // It would become a file of that name.
        fs::metadata(to)?;
    }
    match to.symlink_metadata() {
        Ok(there) if there.is_dir() => return Err(Errno::EISDIR.into()),
        Ok(there) if !there.is_file() && !there.is_symlink() => return Err(Errno::EEXIST.into()),
        _ => {}
    }
    draft::copy(program, to, &PROGRAM)
}
