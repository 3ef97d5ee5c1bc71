//! Bytes between pipes without a copy, and how many wait in one. Parent only: a
//! broken pipe raises SIGPIPE, which [`super::sigpipe`] keeps away.

use super::{Result, check};
use std::os::fd::RawFd;

/// What a descriptor leads to, as far as it matters to who writes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pipe or FIFO.
    Pipe,
    /// A regular file: a write waits for the disk, and for nobody.
    File,
    /// A terminal, a socket, a device.
    Other,
}

/// What `fd` leads to.
pub(crate) fn kind(fd: RawFd) -> Result<Kind> {
    Ok(match super::fd::stat(fd)?.st_mode & libc::S_IFMT {
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFREG => Kind::File,
        _ => Kind::Other,
    })
}

/// `splice(2)` from pipe to pipe, without waiting: EAGAIN where the one is empty or
/// the other full, 0 at the end.
pub(crate) fn splice(from: RawFd, to: RawFd, most: usize) -> Result<usize> {
    let none = std::ptr::null_mut();
    let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
    // SAFETY: pipes have no offsets, and none is passed.
    check(unsafe { libc::splice(from, none, to, none, most, flags) } as libc::c_long)
        .map(|bytes| bytes as usize)
}

/// Bytes that wait in a pipe (`FIONREAD`).
pub(crate) fn waiting(fd: RawFd) -> Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    check(unsafe { libc::ioctl(fd, libc::FIONREAD as _, &raw mut bytes) }.into())?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
