//! The features of the kernel that doorkey uses, tried out.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, openat2};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Tries each feature: its name, what it is for, and true if it is there.
pub fn list() -> [(&'static str, &'static str, bool); 3] {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
    let opened = openat2(AT_FDCWD, c"/", how);
    let has_openat2 = !matches!(opened, Err(Errno::ENOSYS | Errno::EPERM));
    if let Ok(handle) = opened {
        drop(handle);
    }
    let has_memfd = memfd_create(c"doorkey", MFdFlags::MFD_CLOEXEC).is_ok();
    let has_proc = std::path::Path::new("/proc/self/stat").exists();
    [
        (
            "openat2",
            "without it, paths in a store are walked step by step",
            has_openat2,
        ),
        (
            "memfd_create",
            "values with |file need it, or --files DIR",
            has_memfd,
        ),
        ("/proc", "join and --watch read it", has_proc),
    ]
}
