//! Finds this program's own file, and copies it.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::draft::{self, FileKind};
use crate::model::error::Error;
use crate::model::named::Named;

/// Opens the file that this process runs, and returns it with a path to show.
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
    let address = auxiliary(libc::AT_EXECFN) as *const libc::c_char;
    if address.is_null() {
        return None;
    }
    // SAFETY: the kernel has put a string there, on the initial stack, which nobody overwrites.
    let path = unsafe { CStr::from_ptr(address) };
    Some(Path::new(OsStr::from_bytes(path.to_bytes())).to_owned())
}

const PROGRAM: FileKind = FileKind {
    mode: Some(0o755),
    owner: None,
    lasting: true,
};

/// Returns the reason why this process must not go on, if any. Its file gives anybody who may run
/// it more rights than they have. Doorkey runs what it is told, with the environment that it is
/// given.
pub fn refusal() -> Option<Error> {
    let gains = |real, effective| auxiliary(real) != auxiliary(effective);
    let link = Path::new("/proc/self/exe");
    let found = fs::metadata(link).map(|found| (found, link.to_owned()));
    let found = found.or_else(|why| {
        let path = executed().ok_or(why)?;
        fs::metadata(&path).map(|found| (found, path))
    });
    let why = match &found {
        _ if gains(libc::AT_UID, libc::AT_EUID) || gains(libc::AT_GID, libc::AT_EGID) => {
            "this process has another user's or group's rights than whoever has started it"
        }
        Ok((file, _)) if file.mode() & 0o6000 != 0 => "this program's file is set-uid or set-gid",
        Ok((_, path)) if has_capabilities(path) => "this program's file has capabilities",
        _ => return None,
    };
    let path = link.read_link().ok().or_else(executed);
    let path = Named::from(path.unwrap_or_default());
    Some(Error::Found {
        what: format!(
            "{why}, which would hand them to everybody; chmod ug-s {path}, setcap -r {path}"
        ),
        place: path.to_string(),
    })
}

/// True if the kernel has said that this process is not to trust its parent. Reasons are a file
/// with more rights, or a security policy.
pub fn is_distrustful() -> bool {
    auxiliary(libc::AT_SECURE) != 0
}

fn auxiliary(what: libc::c_ulong) -> libc::c_ulong {
    // SAFETY: it takes no pointer.
    unsafe { libc::getauxval(what) }
}

fn has_capabilities(file: &Path) -> bool {
    let Ok(file) = CString::new(file.as_os_str().as_bytes()) else {
        return false;
    };
    let name = c"security.capability".as_ptr();
    // SAFETY: both strings end with NUL, and nothing is written to a buffer of no length.
    unsafe { libc::getxattr(file.as_ptr(), name, std::ptr::null_mut(), 0) >= 0 }
}

/// Copies a program to `to`, for everybody to execute. The old file is replaced in one step, so it
/// can be running. It is there whole, old or new, whatever happens meanwhile.
///
/// # Errors
/// The system's error; `EEXIST` if `to` is neither file nor link.
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
