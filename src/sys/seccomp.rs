//! Attaching a system call filter. Child-safe.

use super::{Errno, Result, check};
use seccompiler::sock_filter;

/// Attaches a filter to the calling thread (`seccomp(2)`, SET_MODE_FILTER).
pub(crate) fn attach(program: &[sock_filter]) -> Result<()> {
    use seccompiler::Error;
    seccompiler::apply_filter(program).map_err(|error| match error {
        Error::Prctl(error) | Error::Seccomp(error) => {
            Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL))
        }
        // An empty program, and what only other calls of the crate answer.
        _ => Errno::EINVAL,
    })
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
            std::ptr::null::<libc::sock_fprog>(),
        )
    });
    answer == Err(Errno::EFAULT)
}
