//! Files in a folder, put in the place of others all together, each of them there whole at any
//! time: as it was, or as it is.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs, statfs};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::files::{RAMFS_MAGIC, is_absent};

/// Whether what is written to a folder stays in memory; of one that is not there, whether it would
/// in the folder above.
///
/// # Errors
/// What the system says of the folder, or of the one above; `ENOTDIR` for what is none.
pub fn is_in_memory(folder: &Path) -> io::Result<bool> {
    let found = match folder.metadata() {
        Err(error) if is_absent(&error) => above(folder).metadata().map(|_| above(folder)),
        found => found.and_then(|found| match found.is_dir() {
            true => Ok(folder),
            false => Err(Errno::ENOTDIR.into()),
        }),
    };
    Ok(in_memory(statfs(found?)?.filesystem_type()))
}

fn above(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

fn in_memory(kind: FsType) -> bool {
    [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind)
}

/// What a file in a folder is called while it is written: no file that is delivered begins so.
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes these files, paths and contents, to a folder, each for its owner alone to read. None is
/// in its place before all are written. The folder is made where it is missing, its owner's alone.
///
/// # Errors
/// What the system says; `EXDEV` for a folder that is not in memory where it must be.
pub fn replace(
    folder: &Path,
    files: &[(&Path, &[u8])],
    owner: Option<(u32, u32)>,
    allow_disk: bool,
) -> io::Result<()> {
    let made = match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    // All that follows is about this folder, whatever its path may lead to meanwhile.
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = File::from(fcntl::open(folder, flags, Mode::empty())?);
    if !allow_disk && !in_memory(fstatfs(&place)?.filesystem_type()) {
        return Err(Errno::EXDEV.into());
    }
    if made {
        // Whatever the umask is.
        place.set_permissions(Permissions::from_mode(0o700))?;
        if let Some((user, group)) = owner {
            fchown(&place, Some(user), Some(group))?;
        }
    }
    let names: Vec<_> = files
        .iter()
        .map(|(path, _)| (last(&temporary(path)), last(path)))
        .collect();
    let written = names
        .iter()
        .zip(files)
        .try_for_each(|((new, _), (_, contents))| write(&place, new, contents, owner));
    let moved = written.and_then(|()| {
        names
            .iter()
            .try_for_each(|(new, name)| Ok(renameat(&place, &**new, &place, &**name)?))
    });
    if moved.is_err() {
        for (new, _) in &names {
            let _ = unlinkat(&place, &**new, UnlinkatFlags::NoRemoveDir);
        }
    }
    moved
}

fn last(path: &Path) -> OsString {
    path.file_name().unwrap_or_default().to_owned()
}

/// Writes a new file, in the place of what a writer that was killed has left.
fn write(place: &File, name: &OsStr, contents: &[u8], owner: Option<(u32, u32)>) -> io::Result<()> {
    match unlinkat(place, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let flags = flags | OFlag::O_NOFOLLOW;
    let mut file = File::from(openat(place, name, flags, Mode::S_IRUSR)?);
    file.write_all(contents)?;
    file.set_permissions(Permissions::from_mode(0o400))?;
    match owner {
        Some((user, group)) => fchown(&file, Some(user), Some(group)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    //! What the whole program, which looks beforehand and tidies up afterwards, does not show.

    use super::*;
    use crate::world::folder::unique;

    #[test]
    fn a_folder_on_a_disk_is_refused_at_the_end_too() {
        let refused = replace(Path::new("/sys/kernel"), &[], None, false);
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EXDEV));
    }

    #[test]
    fn what_fails_leaves_no_temporary_files() {
        let place = std::env::temp_dir().join(format!("doorkey-swap-{}", unique()));
        std::fs::create_dir_all(place.join("b")).unwrap();
        let (a, b) = (place.join("a"), place.join("b"));
        let files: [(&Path, &[u8]); 2] = [(&a, b"1"), (&b, b"2")];
        let failed = replace(&place, &files, None, true);
        assert_eq!(failed.unwrap_err().raw_os_error(), Some(libc::EISDIR));
        let entries = std::fs::read_dir(&place).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        std::fs::remove_dir_all(&place).unwrap();
    }
}
