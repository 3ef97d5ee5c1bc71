//! Attaching a system call filter. Child-safe.

use super::{Result, check};
use seccompiler::sock_filter;

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: libc::c_ushort,
    filter: *const sock_filter,
}

/// `seccomp(2)` SET_MODE_FILTER for the calling thread. Speculation mitigations
/// are the policy's own switch, so the filter does not force them on kernels
/// before 5.16, where attaching one did.
pub(crate) fn attach(program: &[sock_filter]) -> Result<()> {
    let program = Program {
        len: program.len() as libc::c_ushort,
        filter: program.as_ptr(),
    };
    // SAFETY: `program` describes a valid slice of instructions that outlives the
    // call; seccompiler's sock_filter has the kernel's layout (repr(C)).
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const program,
        )
    })
    .map(drop)
}

/// Can a filter be attached at all? A null program is a fault where filters
/// exist (EFAULT) and EINVAL where they do not (seccomp(2)).
pub(crate) fn available() -> bool {
    // SAFETY: the kernel answers EFAULT for a null program.
    let answer = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            std::ptr::null::<Program>(),
        )
    });
    answer == Err(super::Errno::EFAULT)
}
