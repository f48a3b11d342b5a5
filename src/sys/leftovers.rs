//! Keeps a list of temporary files that exist now, so that every way of ending this process removes
//! them.

use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering::SeqCst};

use super::program;

/// The state of a file that will not be removed any more, or never existed.
const OVER: u8 = 0;
/// The state of a file that we are about to make. Another writer's file may have the name.
const TRIED: u8 = 1;
/// The state of a file that we have made.
const OURS: u8 = 2;

/// A temporary file's name. Dropping this removes the file, unless it is over.
pub struct Leftover(&'static Slot);

/// An entry for signal handlers. It is never freed, as a handler may look at any moment.
struct Slot {
    folder: RawFd,
    name: CString,
    /// The file that is about to get the name; -1 if it is made with it.
    file: RawFd,
    state: AtomicU8,
    next: AtomicPtr<Slot>,
}

static FIRST: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

impl Leftover {
    /// Adds a file that is about to be made, or a file's future name. The descriptors have to stay
    /// open meanwhile.
    pub fn new(folder: RawFd, name: CString, file: Option<RawFd>) -> Self {
        let entry: &'static Slot = Box::leak(Box::new(Slot {
            folder,
            name,
            file: file.unwrap_or(-1),
            state: AtomicU8::new(TRIED),
            next: AtomicPtr::default(),
        }));
        let mut next = FIRST.load(SeqCst);
        loop {
            entry.next.store(next, SeqCst);
            let new = ptr::from_ref(entry).cast_mut();
            match FIRST.compare_exchange(next, new, SeqCst, SeqCst) {
                Ok(_) => return Leftover(entry),
                Err(other) => next = other,
            }
        }
    }

    /// Returns the file's name.
    pub fn name(&self) -> &CStr {
        &self.0.name
    }

    /// Records that the file is made.
    pub fn is_ours(&self) {
        self.0.state.store(OURS, SeqCst);
    }

    /// Records that no file of ours has the name any more.
    pub fn is_over(&self) {
        self.0.state.store(OVER, SeqCst);
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if self.0.state.load(SeqCst) == OURS {
            unlink(self.0.folder, &self.0.name);
        }
        self.is_over();
    }
}

/// Removes all that exist, and kills the program that is running. A signal handler may call it.
pub fn remove() {
    program::end();
    let mut entry = FIRST.load(SeqCst);
    // SAFETY: an entry is never freed.
    while let Some(one) = unsafe { entry.as_ref() } {
        match one.state.swap(OVER, SeqCst) {
            OURS => unlink(one.folder, &one.name),
            TRIED if is_called(one.file, one.folder, &one.name) => unlink(one.folder, &one.name),
            TRIED => {
                is_free(one.folder, &one.name);
            }
            _ => {}
        }
        entry = one.next.load(SeqCst);
    }
}

/// True if no file has this temporary name, or only a killed writer's, which is removed. A writer
/// at work has its file locked. If the file system has no locks, all such files stay. A signal
/// handler may call it.
pub fn is_free(folder: RawFd, name: &CStr) -> bool {
    // Over NFS only what can be written can be locked, elsewhere it need not be.
    for way in [libc::O_RDONLY, libc::O_RDWR] {
        let flags = way | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: the name is a string; the other calls take numbers, of a descriptor that is ours.
        unsafe {
            let file = libc::openat(folder, name.as_ptr(), flags);
            if file == -1 {
                let why = *libc::__errno_location();
                if why == libc::ELOOP {
                    // No writer of ours makes a link.
                    unlink(folder, name);
                }
                return [libc::ENOENT, libc::ELOOP].contains(&why);
            }
            let is_left = libc::flock(file, libc::LOCK_EX | libc::LOCK_NB) == 0;
            let is_unwritten = *libc::__errno_location() == libc::EBADF;
            if is_left {
                unlink(folder, name);
            }
            libc::close(file);
            if is_left || !is_unwritten {
                return is_left;
            }
        }
    }
    false
}

/// True if this file has this name.
fn is_called(file: RawFd, folder: RawFd, name: &CStr) -> bool {
    // SAFETY: both structs are plain data that the calls fill in, the name is a string.
    unsafe {
        let (mut own, mut found): (libc::stat, libc::stat) = (mem::zeroed(), mem::zeroed());
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        libc::fstat(file, &mut own) == 0
            && libc::fstatat(folder, name.as_ptr(), &mut found, flags) == 0
            && (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)
    }
}

fn unlink(folder: RawFd, name: &CStr) {
    // SAFETY: the name is a string.
    unsafe { libc::unlinkat(folder, name.as_ptr(), 0) };
}
