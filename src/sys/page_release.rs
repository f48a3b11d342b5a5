//! Releases memory of the program itself that can be read again from its file.

use std::arch::asm;

use super::signal_mask::Mask;

/// The ranges of code and constants: each start, and its length in bytes.
pub struct Clean(Vec<(usize, usize)>);

/// Finds the ranges that are loaded from the program's file and can't be written to. They are as in
/// the file, so nothing is lost with their pages.
pub fn clean() -> Clean {
    let mut found = Vec::with_capacity(4);
    // SAFETY: the callback keeps to what is asked of one, and is handed the list.
    unsafe { libc::dl_iterate_phdr(Some(find), (&raw mut found).cast()) };
    Clean(found)
}

unsafe extern "C" fn find(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    found: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the C library hands in a whole struct with as many program headers as it says, and
    // the list of whoever has called it.
    let (info, headers, found) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
        (info, headers, &mut *found.cast::<Vec<(usize, usize)>>())
    };
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let page = super::memory::page_size();
        let start = (info.dlpi_addr + header.p_vaddr) as usize;
        let end = start + header.p_memsz as usize;
        let first = start / page * page;
        found.push((first, end - first));
    }
    // The first is the program itself; a library's pages are others' as well.
    1
}

/// Releases the pages of code and constants. Those that are used again come back from the system's
/// page cache, with those around them.
pub fn forget(clean: &Clean) {
    for &(start, bytes) in &clean.0 {
        // SAFETY: these pages can be read again.
        unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
    }
}

/// Releases the pages of code and constants, and waits for one of these signals, which are blocked.
/// It waits for a time or, without one, for ever. Returns the kernel's result as it is.
///
/// While it waits, only this function stays in memory, with the pages around it, as it makes its
/// system calls itself.
#[inline(never)]
pub fn wait_without(
    clean: &Clean,
    set: &Mask,
    info: &mut libc::siginfo_t,
    time: *const libc::timespec,
) -> isize {
    // SAFETY: these pages can be read again, and the pointers are to what the second call takes: a
    // mask of the size that is given, room for the answer, and a time or null.
    unsafe {
        for &(start, bytes) in &clean.0 {
            system_call(
                libc::SYS_madvise,
                start,
                bytes,
                libc::MADV_DONTNEED as usize,
                0,
            );
        }
        let (set, info) = (&raw const *set as usize, &raw mut *info as usize);
        let time = time as usize;
        system_call(
            libc::SYS_rt_sigtimedwait,
            set,
            info,
            time,
            size_of::<Mask>(),
        )
    }
}

/// Makes a system call without code of the C library.
///
/// # Safety
/// The conditions are those of the system call.
#[inline(always)]
unsafe fn system_call(number: libc::c_long, a: usize, b: usize, c: usize, d: usize) -> isize {
    let answer: isize;
    // SAFETY: the registers are those of the kernel's convention for four arguments; the stack is
    // not touched. What memory the call reads and writes is the caller's to know.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d,
            options(nostack),
        );
    }
    answer
}
