//! Makes files in memory alone: none of their bytes are on any disk. They are gone with the last
//! process that holds them.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};

use crate::model::error::{Error, Os};

/// The first descriptor that a memory file gets: programs number their own from the lowest.
pub const FIRST: i32 = 100;

/// The beginning of memory files' names.
pub const PREFIX: &str = "doorkey:";

/// The longest name that the kernel takes, in bytes (`NAME_MAX` less its own `memfd:`).
const LONGEST_NAME: usize = 249;

/// From the kernel's `linux/memfd.h`, since 6.3.
const NOEXEC_SEAL: MFdFlags = MFdFlags::from_bits_retain(8);

const IN_PROCESS: &str = "/proc/self/fd";

/// Returns the path under which a process finds its own descriptor as a file.
pub fn path(number: i32) -> PathBuf {
    Path::new(IN_PROCESS).join(number.to_string())
}

/// Returns the first free descriptor from this number up.
pub fn free(mut number: i32) -> i32 {
    // SAFETY: it takes no pointer.
    while unsafe { libc::fcntl(number, libc::F_GETFD) } != -1 {
        number += 1;
    }
    number
}

/// Makes a memory file that nobody can change, for its owner alone to read. Its descriptor has this
/// number, and outlives the exec.
///
/// # Errors
/// [`Error::NoMemoryFile`] with the reason why.
pub fn make(
    label: &str,
    contents: &[u8],
    number: i32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let refused = |why| Error::NoMemoryFile {
        what: label.to_owned(),
        why,
    };
    let file = sealed(label, contents, owner);
    let file = file.map_err(|error| refused(Os::from(error).to_string()))?;
    match fcntl(&file, FcntlArg::F_DUPFD(number)) {
        Ok(got) if got == number => Ok(()),
        Ok(_) => Err(refused(Os(libc::EBUSY).to_string())),
        // Descriptors are numbered below the limit.
        Err(_) => {
            let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
            Err(refused(format!(
                "descriptors from {FIRST} up are needed, and the limit nofile is {limit}"
            )))
        }
    }
}

fn sealed(label: &str, contents: &[u8], owner: Option<(u32, u32)>) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut name = format!("{PREFIX}{label}").into_bytes();
    name.truncate(LONGEST_NAME);
    let create = |more| memfd_create(&*name, flags | more);
    let file = match create(NOEXEC_SEAL) {
        Err(Errno::EINVAL) => create(MFdFlags::empty())?,
        made => made?,
    };
    let file = File::from(file);
    file.write_all_at(contents, 0)?;
    file.set_permissions(Permissions::from_mode(0o400))?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

/// Opens files once, as this process is now, to check that it can. If the files are others', it
/// checks only that they exist.
///
/// # Errors
/// The error of the first file that can't be opened; [`Error::NoMemoryFile`] for one in memory.
pub fn try_all(paths: &[PathBuf], are_others: bool) -> Result<(), Error> {
    for path in paths {
        match File::open(path) {
            Ok(_) => {}
            Err(error) if are_others && error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) if path.starts_with(IN_PROCESS) => {
                let what = path.display().to_string();
                let why = Os::from(error).to_string();
                return Err(Error::NoMemoryFile { what, why });
            }
            Err(error) => return Err(Error::file("open", path, error)),
        }
    }
    Ok(())
}
