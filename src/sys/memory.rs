//! Wipes memory that held values: when it is freed, and on the stack. Keeps it out of core dumps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use super::{exec, stdio};
use crate::model::error::Error;

/// An allocator that overwrites every block when it is freed or moved, so that libraries' buffers
/// are wiped too. It does not reach stacks ([`wipe_stack`] does) nor the C library's own blocks.
///
/// Small blocks come out of a fixed arena by moving a mark, which is never moved back but over its
/// last block. A launcher lives for milliseconds, and this halves the cost of parsing the command
/// line.
///
/// Larger blocks, above all a decryption's buffer of 64 KiB, come out of a few slots. Mapping and
/// unmapping one for each secret would cost more faults than anything else. Stopping the other
/// threads would cost as much again. Blocks without room here come from the system.
pub struct Wiping;

const ARENA_BYTES: usize = 512 * 1024;
const LARGEST_IN_ARENA: usize = 4 * 1024;
/// The number of slots: two for each thread that reads secrets.
const SLOTS: usize = 16;
const SLOT_BYTES: usize = 72 * 1024;
const ALIGNMENT: usize = 64;

/// Memory that is zero except in blocks that are taken. It costs nothing until it is touched.
#[repr(align(64))]
struct Zeros<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

// SAFETY: its bytes are only reached through blocks that `take` hands out, each to
// one owner at a time; that a block was given back and wiped happens before it is taken again.
unsafe impl<const BYTES: usize> Sync for Zeros<BYTES> {}

static ARENA: Zeros<ARENA_BYTES> = Zeros(UnsafeCell::new([0; ARENA_BYTES]));
static USED: AtomicUsize = AtomicUsize::new(0);

static SLOT: Zeros<{ SLOTS * SLOT_BYTES }> = Zeros(UnsafeCell::new([0; SLOTS * SLOT_BYTES]));
/// A bit for each slot that is taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl<const BYTES: usize> Zeros<BYTES> {
    fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset < BYTES);
        self.0.get().cast::<u8>().wrapping_add(offset)
    }

    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize)
            .checked_sub(self.0.get() as usize)
            .filter(|&offset| offset < BYTES)
    }
}

fn take(layout: Layout) -> Option<*mut u8> {
    // The unwinder of test builds expects blocks as the C library aligns them.
    let align = layout
        .align()
        .max(if cfg!(panic = "unwind") { 16 } else { 1 });
    if align > ALIGNMENT {
        return None;
    }
    if layout.size() <= LARGEST_IN_ARENA {
        let end = |used: usize| {
            let end = used.next_multiple_of(align) + layout.size();
            (end <= ARENA_BYTES).then_some(end)
        };
        let used = USED.fetch_update(Acquire, Relaxed, end).ok()?;
        Some(ARENA.at(used.next_multiple_of(align)))
    } else if layout.size() <= SLOT_BYTES {
        let first = |taken: usize| taken.trailing_ones() as usize;
        let with_first = |taken| (first(taken) < SLOTS).then(|| taken | 1 << first(taken));
        let taken = TAKEN.fetch_update(Acquire, Relaxed, with_first).ok()?;
        Some(SLOT.at(first(taken) * SLOT_BYTES))
    } else {
        None
    }
}

/// Sends small blocks to the system's allocator from now on, in a process that stays. That one
/// reuses blocks freed in any order; the arena would fill up.
pub fn stay() {
    USED.store(ARENA_BYTES, Relaxed);
}

// SAFETY: a block is the arena's, a slot or the system's, told apart by its address, and goes
// back where it came from. Blocks never overlap: mark and slots are taken in one atomic step.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's contract.
        take(layout).unwrap_or_else(|| served(unsafe { System.alloc(layout) }))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // What is free here is zero: it is wiped before it is given back.
        // SAFETY: the caller keeps GlobalAlloc's contract.
        take(layout).unwrap_or_else(|| served(unsafe { System.alloc_zeroed(layout) }))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up a block of this size.
        unsafe { wipe(block, layout.size()) };
        if let Some(offset) = ARENA.offset(block) {
            let _ = USED.compare_exchange(offset + layout.size(), offset, Release, Relaxed);
        } else if let Some(offset) = SLOT.offset(block) {
            TAKEN.fetch_and(!(1 << (offset / SLOT_BYTES)), Release);
        } else {
            // SAFETY: it is none of ours, so the system gave it.
            unsafe { System.dealloc(block, layout) }
        }
    }
    // `realloc` is left as it comes: a new block, a copy, and `dealloc` of the old one.
}

/// Ends the process if the system had no block to give. Unwinding, or a longer message, would need
/// memory too.
fn served(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        stdio::say(
            b"doorkey: error: out of memory: raise the limit of the container or the process\n",
        );
        exec::quit(125);
    }
    block
}

/// Overwrites memory in a way that is not optimised away.
///
/// # Safety
/// `start` is valid for writes of `bytes` bytes, and nobody reads them again.
pub(super) unsafe fn wipe(start: *mut u8, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        std::ptr::write_bytes(start, 0, bytes);
        zeroize::optimization_barrier(&*start);
    }
}

/// Wipes the part of this thread's stack below the caller, which earlier calls used.
pub fn wipe_stack() {
    wipe_near();
    drop_far();
}

/// The room for calls while pages are dropped, in bytes.
const ROOM: usize = 1024;
const FAR: usize = 8 * 1024 * 1024;

/// Overwrites the stack's current page, which can't be dropped, and the next. A deeper frame would
/// only touch pages that nobody has used.
fn wipe_near() {
    match page_size() {
        ..=4096 => wipe_frame::<{ 4096 + 2 * ROOM }>(),
        _ => wipe_frame::<{ 65536 + 2 * ROOM }>(),
    }
}

#[inline(never)]
fn wipe_frame<const BYTES: usize>() {
    let mut frame = [0u8; BYTES];
    zeroize::Zeroize::zeroize(&mut frame[..]);
    std::hint::black_box(&frame);
}

#[inline(never)]
fn drop_far() {
    let here = 0u8;
    let page = page_size();
    let end = (&raw const here as usize - ROOM) / page * page;
    let start = end.saturating_sub(FAR);
    // SAFETY: the range lies below this frame with room to spare for the calls made here, and a
    // stack has nothing of anybody's below it; pages that are not mapped are passed over.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
}

/// Returns the size of a page of memory, in bytes.
pub fn page_size() -> usize {
    // SAFETY: it takes no pointer.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(65536)
}

/// Proof that this process and its forks are kept out of core dumps, and from other processes of
/// the same user. The exec makes the process dumpable again.
#[must_use = "the workload needs its limits back"]
#[derive(Clone, Copy)]
pub struct Concealed {
    /// The limit of a core file, if it was lowered: soft and hard.
    core: Option<(rlim_t, rlim_t)>,
}

/// Makes the process not dumpable, with no core file. Call it once, before anything is read.
///
/// # Errors
/// The system's error where the process stays dumpable.
pub fn conceal() -> Result<Concealed, Error> {
    // SAFETY: this option takes one number.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } == -1 {
        let why = io::Error::last_os_error();
        return Err(Error::file("stay out of", "core dumps", why));
    }
    // A second lock to the same door: sandboxes that refuse it are common.
    let core = getrlimit(Resource::RLIMIT_CORE).ok();
    let core =
        core.filter(|&(soft, hard)| soft != 0 && setrlimit(Resource::RLIMIT_CORE, 0, hard).is_ok());
    Ok(Concealed { core })
}

impl Concealed {
    /// Restores the core file limit for the workload.
    ///
    /// # Errors
    /// The system's error.
    pub fn lift(self) -> Result<(), Error> {
        self.core.map_or(Ok(()), |(soft, hard)| {
            let lifted = setrlimit(Resource::RLIMIT_CORE, soft, hard).map_err(io::Error::from);
            lifted.map_err(|why| Error::file("set", "the limit of core files", why))
        })
    }
}
