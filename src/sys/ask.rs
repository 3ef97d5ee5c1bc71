//! Single system calls by number, for the audit: made for their answer, not for
//! their effect.
//!
//! Parent only: by then the "parent" is the audit's own program inside.

use super::{Result, check};
use std::path::Path;

/// Makes one call. The arguments are small numbers, no numbers at all (all ones)
/// or descriptors that are not open, so that a call that is let through fails in
/// the kernel; only a few, such as `clone`, succeed.
pub(crate) fn call(number: u32, args: [u64; 6]) -> Result<i64> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: no argument is the address of memory in use, so the kernel writes
    // to none; a child that the call makes has a copy of this memory and ends at once.
    let answer = unsafe { libc::syscall(i64::from(number), a, b, c, d, e, f) };
    if answer == 0 && MAKES_A_PROCESS.contains(&i64::from(number)) {
        // SAFETY: ends the new process without running anything of the parent's.
        unsafe { libc::_exit(0) };
    }
    check(answer)
}

#[cfg(target_arch = "x86_64")]
const MAKES_A_PROCESS: [i64; 3] = [libc::SYS_clone, libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const MAKES_A_PROCESS: [i64; 1] = [libc::SYS_clone];

/// `getpid` as a 32-bit program asks for it; `None` where there is no such way.
#[cfg(target_arch = "x86_64")]
pub(crate) fn foreign_call() -> Option<i64> {
    let mut number: i64 = 20;
    // SAFETY: the call has no arguments and writes nothing but its result; the
    // kernel clears r8 to r11 on this way in, and the compiler is told so.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") number,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    Some(number)
}

/// `getpid` as a 32-bit program asks for it; `None` where there is no such way.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn foreign_call() -> Option<i64> {
    None
}

/// A System V shared memory segment that everybody may read, by id; it goes with
/// the value.
pub(crate) struct Segment(pub(crate) i32);

impl Segment {
    /// One page, zero.
    pub(crate) fn new() -> Result<Segment> {
        // SAFETY: takes numbers only.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o644) };
        check(id.into()).map(|_| Segment(id))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: IPC_RMID takes no buffer.
        unsafe { libc::shmctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

/// The `ST_…` flags of the mount at a path (statvfs(3)).
pub(crate) fn mount_flags(path: &Path) -> Result<u64> {
    nix::sys::statvfs::statvfs(path).map(|facts| facts.flags().bits())
}

/// May this process write to what is at the path, as far as modes, mounts and
/// access lists say (faccessat(2))?
pub(crate) fn may_write(path: &Path) -> Result<()> {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK)
}
