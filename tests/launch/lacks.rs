//! A kernel that does not do everything that file systems may not do.

use std::os::unix::process::CommandExt;

use support::Run;

/// What a file system does not do, told by the kernel in its place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Lacks {
    /// It has all.
    Nothing,
    /// Files without names, as 9p, NFS, FUSE and older overlays.
    Nameless,
    /// Links to such files.
    Links,
}

/// Each of them.
pub const ALL: [Lacks; 3] = [Lacks::Nothing, Lacks::Nameless, Lacks::Links];

impl Lacks {
    /// To be called in a new process: it makes one system call, which reads a filter.
    pub fn take_effect(self) -> nix::Result<()> {
        // The call, a word of its arguments, bits that are set there, and the error.
        let (call, word, bits, why) = match self {
            Lacks::Nothing => return Ok(()),
            Lacks::Nameless => (libc::SYS_openat, 32, 0o20_000_000, libc::EOPNOTSUPP),
            Lacks::Links => (libc::SYS_linkat, 48, libc::AT_SYMLINK_FOLLOW, libc::EPERM),
        };
        let instruction = |code: u32, k, jt, jf| libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        };
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let has = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
        let refused = libc::SECCOMP_RET_ERRNO | why as u32;
        let filter = [
            instruction(load, 0, 0, 0),
            instruction(is, call as u32, 0, 3),
            instruction(load, word, 0, 0),
            instruction(has, bits as u32, 0, 1),
            instruction(libc::BPF_RET, refused, 0, 0),
            instruction(libc::BPF_RET, libc::SECCOMP_RET_ALLOW, 0, 0),
        ];
        let program = libc::sock_fprog {
            len: 6,
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel reads as many instructions as are said.
        let done = unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, &program) };
        nix::errno::Errno::result(done).map(drop)
    }

    /// A process without it.
    pub fn during(self, mut run: Run) -> Run {
        // SAFETY: between fork and exec it makes one system call.
        unsafe {
            run.command
                .pre_exec(move || self.take_effect().map_err(Into::into));
        }
        run
    }
}
