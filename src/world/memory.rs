//! Memory that held values: wiped when freed, dropped from the stack, kept out of core dumps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Overwrites every block when it is freed or moved, so that what a library leaves in its
/// buffers goes too. It does not reach stacks ([`wipe_stack`] does) nor the C library's own.
///
/// Small blocks come out of a fixed arena by moving a mark, which is never moved back but over
/// its last block: a launcher lives for milliseconds, and this halves the cost of parsing the
/// command line. When the arena is used up the system's allocator serves.
pub struct Wiping;

const ARENA_BYTES: usize = 128 * 1024;
const LARGEST_IN_ARENA: usize = 8 * 1024;

#[repr(align(64))]
struct Arena(UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: its bytes are only reached through blocks that `take` hands out, each once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_BYTES]));
static USED: AtomicUsize = AtomicUsize::new(0);

impl Arena {
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > LARGEST_IN_ARENA || layout.align() > 64 {
            return None;
        }
        let place = |used: usize| {
            let start = used.next_multiple_of(layout.align());
            let end = start + layout.size();
            (end <= ARENA_BYTES).then_some(end)
        };
        let used = USED.fetch_update(Acquire, Relaxed, place).ok()?;
        // SAFETY: `place` has shown that the block lies inside.
        Some(unsafe {
            self.0
                .get()
                .cast::<u8>()
                .add(used.next_multiple_of(layout.align()))
        })
    }

    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize)
            .checked_sub(self.0.get() as usize)
            .filter(|&offset| offset < ARENA_BYTES)
    }
}

// SAFETY: a block is either the arena's or the system's, told apart by its address, and goes
// back where it came from. Arena blocks never overlap: the mark moves in one atomic step. Whoever
// gets a block again sees the wiping of it done: the mark is released and acquired.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract.
        ARENA
            .take(layout)
            .unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // The arena's free bytes are always zero: they are wiped before the mark moves back.
        // SAFETY: the caller keeps GlobalAlloc's contract.
        ARENA
            .take(layout)
            .unwrap_or_else(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up a block of this size.
        unsafe { wipe(block, layout.size()) };
        match ARENA.offset(block) {
            Some(offset) => {
                let _ = USED.compare_exchange(offset + layout.size(), offset, Release, Relaxed);
            }
            // SAFETY: it is not the arena's, so the system gave it.
            None => unsafe { System.dealloc(block, layout) },
        }
    }
    // `realloc` is left as it comes: a new block, a copy, and `dealloc` of the old one.
}

/// Overwrites memory in a way that is not optimised away.
///
/// # Safety
/// `start` is valid for writes of `bytes` bytes, and nobody reads them again.
unsafe fn wipe(start: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        std::ptr::write_bytes(start, 0, bytes);
        zeroize::optimization_barrier(&*start);
    }
}

/// Wipes what earlier calls left on this thread's stack, below the caller.
pub fn wipe_stack() {
    wipe_near();
    drop_far();
}

/// More than one page, so that the part that [`drop_far`] has to spare is covered.
const NEAR: usize = 32 * 1024;
const FAR: usize = 8 * 1024 * 1024;

#[inline(never)]
fn wipe_near() {
    let mut frame = [0u8; NEAR];
    zeroize::Zeroize::zeroize(&mut frame[..]);
    std::hint::black_box(&frame);
}

#[inline(never)]
fn drop_far() {
    let here = 0u8;
    let page = 4096.max(page_size());
    let end = (&raw const here as usize - NEAR / 2) / page * page;
    let start = end.saturating_sub(FAR);
    // SAFETY: the range lies below this frame with room to spare for the calls made here, and a
    // stack has nothing of anybody's below it; pages that are not mapped are passed over.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
}

fn page_size() -> usize {
    // SAFETY: it takes no pointer.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(65536)
}

/// Keeps this process out of core dumps and away from other processes of the same user, until
/// the exec, which makes it dumpable again.
#[must_use = "the workload needs its limits back"]
pub struct Concealed {
    core: Option<(rlim_t, rlim_t)>,
}

/// Makes the process not dumpable, with no core file.
pub fn conceal() -> Concealed {
    let core = getrlimit(Resource::RLIMIT_CORE).ok();
    if let Some((soft, hard)) = core
        && soft != 0
    {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
    // SAFETY: this option takes one number.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    Concealed { core }
}

impl Concealed {
    /// Gives the workload the limit that it would have had.
    pub fn lift(&self) {
        if let Some((soft, hard)) = self.core
            && soft != 0
        {
            let _ = setrlimit(Resource::RLIMIT_CORE, soft, hard);
        }
    }
}
