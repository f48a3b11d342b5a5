//! Memory of the program itself that can be read again from its file.

/// Gives back the pages of code and constants that were used until now. Those that are used again
/// come back from the system's cache of files; a supervisor uses hardly any.
pub fn forget_clean() {
    // SAFETY: the callback keeps to what is asked of one.
    unsafe { libc::dl_iterate_phdr(Some(forget), std::ptr::null_mut()) };
}

unsafe extern "C" fn forget(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    _: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the C library hands in a whole struct with as many program headers as it says. A
    // segment that can't be written to is as it is in the file, so nothing is lost with its pages.
    unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
        for header in headers {
            if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
                continue;
            }
            let page = super::memory::page_size();
            let start = (info.dlpi_addr + header.p_vaddr) as usize;
            let end = start + header.p_memsz as usize;
            let first = start / page * page;
            libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_DONTNEED);
        }
    }
    // The first is the program itself; a library's pages are others' as well.
    1
}
