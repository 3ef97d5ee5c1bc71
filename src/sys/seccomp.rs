//! Attaching a system call filter. Child-safe.

use super::{Errno, Result, check};
use seccompiler::sock_filter;
use std::os::fd::RawFd;

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

/// As [`attach`], for a program with SECCOMP_RET_USER_NOTIF: the descriptor that is
/// told of those calls (Linux 5.0), close-on-exec.
///
/// # Errors
/// EBUSY where somebody listens already.
pub(crate) fn attach_listening(program: &[sock_filter]) -> Result<RawFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        // The crate's type has the fields of the kernel's, in its order.
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the program outlives the call, and its length is right.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    })
    .map(|fd| fd as RawFd)
}

/// The number of a call that a listener is told of. The caller of it waits, and the
/// call is not made.
///
/// # Errors
/// ENOENT when it was ended meanwhile.
pub(crate) fn told(listener: RawFd) -> Result<u32> {
    // SAFETY: the kernel wants zeros, which are a valid seccomp_notif.
    let mut call = unsafe { std::mem::zeroed::<libc::seccomp_notif>() };
    // SAFETY: `call` is writable and of the size that the request names.
    check(unsafe { libc::ioctl(listener, NOTIF_RECV as _, &raw mut call) }.into())?;
    Ok(call.data.nr as u32)
}

/// SECCOMP_IOCTL_NOTIF_RECV: `_IOWR('!', 0, struct seccomp_notif)`.
const NOTIF_RECV: u64 = 3 << 30 | (size_of::<libc::seccomp_notif>() as u64) << 16 | 0x21 << 8;

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
